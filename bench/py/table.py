"""Prints the newest medians of one or more JSON-lines files as a Markdown table:
table.py FILE... (later lines win)."""
import json
import sys

from workloads import WORKLOADS, flops

rows = {}
for path in sys.argv[1:]:
    for line in open(path):
        r = json.loads(line)
        rows[r["workload"], r["peer"], r["threads"], r["metric"]] = r


def show(us):
    return f"{us:.1f} us" if us < 1000 else f"{us / 1e3:.2f} ms" if us < 1e6 else f"{us / 1e6:.2f} s"


order = ["unroll", "onednn", "ort", "torch", "torch-omp", "gonum", "spago", "gomlx"]
have = {k[1] for k in rows if k[3] == "us_per_call"}
peers = [p for p in order if p in have] + sorted(have - set(order))
print("median of a call (GFLOP/s)\n")
print("| | threads | " + " | ".join(peers) + " |")
print("|---|---|" + "---|" * len(peers))
for w in WORKLOADS:
    for th in (1, 2):
        cells = []
        for p in peers:
            r = rows.get((w, p, th, "us_per_call"))
            g = flops(w) / r["median"] / 1e3 if r else 0
            cells.append(f"{show(r['median'])} ({g:.3g})" if r else "-")
        if any(c != "-" for c in cells):
            print(f"| {w} | {th} | " + " | ".join(cells) + " |")
best = [r for k, r in rows.items() if k[3] == "ratio"]
if best:
    print("\nunroll against the fastest other peer with as many threads\n")
    print("| | threads | times as fast | fastest other peer |\n|---|---|---|---|")
    for r in best:
        print(f"| {r['workload']} | {r['threads']} | {r['median']:.2f} | {r['against']} |")
print("\nother\n")
for k, r in rows.items():
    if k[3] not in ("us_per_call", "GFLOPs", "ratio"):
        print(f"{k[0]:7s} {k[1]:9s} x{k[2]} {k[3]:50s} median {r['median']:10.2f}  min {r['min']:10.2f}  max {r['max']:10.2f}")
