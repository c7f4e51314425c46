"""Writes the tables of measured rows into the project's pages, between the comments
"<!-- bench NAME -->" and "<!-- /bench -->".

usage: tables.py [--check | --print] RESULTS GRID PAGE...
"""
import json
import os
import re
import sys

from peers import ROUNDED, SMALLER
from workloads import WORKLOADS, flops

NAMES = {"unroll": "unroll", "torch": "PyTorch", "ort": "ONNX Runtime", "onednn": "oneDNN", "jax": "JAX", "tract": "tract",
         "candle": "candle", "gonum": "a loop on gonum"}
ORDER = ["torch", "ort", "onednn", "jax", "tract", "candle", "gonum"]
GOAL = 1.3  # of the grid


def read(path):
    rows = [json.loads(line) for line in open(path)] if os.path.exists(path) else []
    return next((r for r in rows if r.get("metric") == "machine"), None), [r for r in rows if r.get("metric") != "machine"]


def time_of(us):
    for unit, size in (("us", 1), ("ms", 1e3), ("s", 1e6)):
        if us < 1000 * size or unit == "s":
            v = us / size
            return f"{v:.{max(0, 2 - (v >= 10) - (v >= 100))}f} {unit}"


def caches(m):
    return ", ".join(f"{k} {v}" for k, v in m["caches"].items())


def machine_text(m):
    names = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_vnni": "VNNI", "avx512_bf16": "BF16", "avx_vnni": "AVX-VNNI", "amx_tile": "AMX"}
    isa = ", ".join(names[f] for f in m["isa"])
    return (f"Machine: {m['cpu']} (family {m['family']}, model {m['model']}), {m['processors']} processors, {caches(m)}; {isa}; "
            f"{m['system']}, {m['go']}; {m['date']}, commit {m['commit']}.")


def versions(rows):
    seen = {}
    for r in rows:
        if r["metric"] == "us_per_call" and r["peer"] in ORDER and r.get("version"):
            seen[r["peer"]] = re.sub(r"\+.*", "", r["version"])
    return ", ".join(f"{NAMES[p]} {seen[p]}" for p in ORDER if p in seen)


class Times:
    """Rows of workloads by workload, peer and threads."""

    def __init__(self, rows):
        self.rows = {(r["workload"], r["peer"], r["threads"]): r for r in rows if r["metric"] == "us_per_call"}
        self.threads = sorted({k[2] for k in self.rows})

    def get(self, w, peer, th):
        return self.rows.get((w, peer, th))

    def ratio(self, w, peer, th):
        a, b = self.get(w, peer, th), self.get(w, "unroll", th)
        return a["median"] / b["median"] if a and b else None

    def best(self, w, th):
        """The fastest other peer of float32."""
        have = [p for p in ORDER if self.get(w, p, th)]
        return min(have, key=lambda p: self.get(w, p, th)["median"]) if have else None


def workload_text(name):
    w = WORKLOADS[name]
    kind = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}[w.kind]
    size = f"{w.I}" if w.I == w.H else f"{w.I} to {w.H}"
    what = {"fwd": "", "train": ", training step", "lm": ", word model's training step"}[w.mode]
    return f"{kind} {size} x {w.L}{' both ways' if w.bidir else ''}, T={w.T}, B={w.B}{', state carried' if w.carry else ''}{what}"


def readme(m, rows, _):
    t = Times(rows)
    peers = [p for p in ORDER if any(k[1] == p for k in t.rows)]
    lines = ["| | unroll | " + " | ".join(NAMES[p] for p in peers) + " |", "|---" * (len(peers) + 2) + "|"]
    for w in WORKLOADS:
        own = [t.get(w, "unroll", th) for th in t.threads]
        if not all(own):
            continue
        cells = [" / ".join(f"{r:.2f}" if (r := t.ratio(w, p, th)) else "-" for th in t.threads) for p in peers]
        cells = ["" if set(c) <= set("- /") else c for c in cells]
        lines.append(f"| {workload_text(w)} | {' / '.join(time_of(r['median']) for r in own)} | " + " | ".join(cells) + " |")
    return "\n".join([f"Time of a call with one worker / two, and each peer's time over ours (above 1: unroll is faster). "
                      f"{versions(rows)}. {machine_text(m)}", ""] + lines)


def peers(m, rows, _):
    t = Times(rows)
    runs = max(r["runs"] for r in t.rows.values())
    lines = [f"{machine_text(m)} {versions(rows)}; {runs} interleaved repeats at most, median (minimum to maximum). "
             "A ratio is the peer's time over ours; processor is the processor's time of a call, of all workers.", "",
             "| workload | workers | unroll | processor | GFLOP/s | fastest other peer | its ratio | PyTorch's | its processor |",
             "|---|---|---|---|---|---|---|---|---|"]
    for w in WORKLOADS:
        for th in t.threads:
            own, best, torch = t.get(w, "unroll", th), t.best(w, th), t.get(w, "torch", th)
            if not own or not best:
                continue
            spread = f"{time_of(own['median'])} ({time_of(own['min'])} to {time_of(own['max'])})"
            mark = f", {own['noisy']} of {own['runs']} disturbed" if own["noisy"] else ""
            torchs = f"{t.ratio(w, 'torch', th):.2f} | {time_of(torch['cpu_us'])}" if torch else " | "
            lines.append(f"| {w} | {th} | {spread}{mark} | {time_of(own['cpu_us'])} | {flops(w) / own['median'] / 1e3:.1f} | "
                         f"{NAMES[best]} {time_of(t.get(w, best, th)['median'])} | {t.ratio(w, best, th):.2f} | {torchs} |")
    return "\n".join(lines)


def rounded(m, rows, _):
    t = Times(rows)
    columns = ["unroll", "unroll-int8", "unroll-bf16", "ort-int8", "torch-int8", "torch-bf16"]
    names = ["float32", "int8", "bfloat16", "ONNX Runtime int8", "PyTorch int8", "PyTorch bfloat16"]
    lines = ["Time of a call and, in brackets, the largest difference from PyTorch's float32 output.", "",
             "| workload | workers | " + " | ".join(names) + " | float32 / int8 |", "|---" * (len(names) + 3) + "|"]
    for w in SMALLER:
        for th in t.threads:
            have = [t.get(w, p, th) for p in columns]
            if not have[0] or not have[1]:
                continue
            cells = [f"{time_of(r['median'])} ({r['err']:.0e})" if r else "" for r in have]
            lines.append(f"| {w} | {th} | " + " | ".join(cells) + f" | {have[0]['median'] / have[1]['median']:.2f} |")
    return "\n".join(lines)


def grid(_, __, given):
    m, rows = given
    cells = {(r["mode"], r["what"], r["T"], r["H"], r["B"], r["threads"]): r["us"] for r in rows}
    threads, batches = sorted({k[5] for k in cells}), sorted({k[4] for k in cells})
    names = {"torch": "t", "onednn": "d", "ort": "o"}
    lines = [f"{machine_text(m)} The fastest peer's time over ours with " + " / ".join(f"{n}" for n in threads) +
             " workers (t PyTorch, d oneDNN, o ONNX Runtime), and our time with one.", ""]
    below = []
    for mode, what, t in sorted({k[:3] for k in cells}, key=lambda k: (k[0], k[1], k[2])):
        lines += [f"**{mode} {'forward' if what == 'fwd' else 'training step (forward, backward, SGD)'}, T={t}, I=H**", "",
                  "| H |" + "".join(f" B={b} |" for b in batches), "|---" * (len(batches) + 1) + "|"]
        for h in sorted({k[3] for k in cells if k[:3] == (mode, what, t)}):
            row = f"| {h} |"
            for b in batches:
                parts, first = [], None
                for th in threads:
                    us = cells.get((mode, what, t, h, b, th))
                    others = {p: v for p, v in (us or {}).items() if p != "unroll"}
                    if not others:
                        continue
                    p = min(others, key=others.get)
                    ratio = others[p] / us["unroll"]
                    parts.append(f"{ratio:.2f} {names[p]}")
                    first = first or us["unroll"]
                    if ratio < GOAL:
                        below.append((what, th))
                row += f" {' / '.join(parts)} ({time_of(first)}) |" if parts else " |"
            lines.append(row)
        lines.append("")
    total = {(w, th): sum(k[1] == w and k[5] == th for k in cells) for w in ("fwd", "train") for th in threads}
    said = [f"{below.count(k)} of {n} {'forward' if k[0] == 'fwd' else 'training'} cells with {k[1]} worker{'s' if k[1] > 1 else ''}"
            for k, n in total.items() if n]
    return "\n".join(lines + [f"Below {GOAL}: " + ", ".join(said) + "."])


BLOCKS = {"readme": readme, "peers": peers, "rounded": rounded, "grid": grid}


def block(name, m, rows, given):
    """The text of a block; empty without rows."""
    there = given[0] if name == "grid" else m
    return BLOCKS[name](m, rows, given) if there else ""


def main():
    flag = sys.argv.pop(1) if sys.argv[1].startswith("--") else ""
    results, grid_path, *pages = sys.argv[1:]
    (m, rows), given, differs = read(results), read(grid_path), []
    if flag == "--print":
        print("\n\n".join(block(name, m, rows, given) for name in BLOCKS))
        return
    for page in pages:
        old = open(page).read()
        new = re.sub(r"(<!-- bench (\w+) -->\n).*?(<!-- /bench -->)",
                     lambda k: k[1] + (block(k[2], m, rows, given) or "Not measured yet.") + "\n" + k[3], old, flags=re.S)
        if new == old:
            continue
        differs.append(page)
        if not flag:
            open(page, "w").write(new)
    if flag and differs:
        sys.exit("differs from the measured rows (bench/tables.sh): " + ", ".join(differs))


if __name__ == "__main__":
    main()
