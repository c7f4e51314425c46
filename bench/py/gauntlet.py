#!/usr/bin/env python3
"""Runs a folder of models with recorded outputs through the command, compares
what it gives with what was recorded, and times it beside ONNX Runtime.

    go build -o /tmp/unroll ./cmd/unroll
    python3 bench/py/gauntlet.py --unroll /tmp/unroll FOLDER...

A folder holds models and, beside each, NAME.io.npz with in0, in1, ..., out0, ...
or in.INPUT and out.OUTPUT; chains.txt beside state dicts has lines of a name, a
layout and the chain. --recorded names another folder to look for NAME.io.npz in.

Times are of one thread and interleaved: in each round first one engine, then the
other, and of the rounds' medians the least CPU time and wall time a run. ONNX Runtime runs
in this process with inputs and outputs bound once; unroll by "unroll bench",
which draws inputs of the recorded shapes. --tract names the binary that
`cargo build --release` makes in bench/tract: the recorded inputs, in a process of
its own.

--memory opens and runs each file in a process of its own, three times, with each
engine: the least milliseconds to open it, and the memory the process then has
resident, less what Python had before it imported ONNX Runtime.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

SKIPPED_ENDINGS = (".weights.h5",)


def files(folders):
    for folder in folders:
        for pattern in ("*.onnx", "*.keras", "*.h5", "*.sd.pt", "*.pth"):
            for path in sorted(glob.glob(os.path.join(folder, pattern))):
                if not path.endswith(SKIPPED_ENDINGS):
                    yield path


def recorded(path, folder):
    """The numbers of a model: a dictionary, or None."""
    base = os.path.basename(path)
    stem = os.path.splitext(base)[0]
    names = [base, stem, stem.rsplit(".", 1)[0], os.path.basename(os.path.dirname(path)) + "_" + stem]
    for where in (os.path.dirname(path), folder):
        for name in names if where else ():
            try:
                return dict(np.load(os.path.join(where, name + ".io.npz")))
            except FileNotFoundError:
                continue
    return None


def chains(folder):
    out = {}
    try:
        for line in open(os.path.join(folder, "chains.txt")):
            part = line.rstrip("\n").split("\t")
            if len(part) == 3 and not line.startswith("#"):
                out[part[0]] = part[1:]
    except FileNotFoundError:
        pass
    return out


def ports(path, numbers, unroll):
    """Names of inputs and outputs, in order, and the recorded arrays of both."""
    if path.endswith(".onnx"):
        import onnx

        g = onnx.load(path, load_external_data=False).graph
        consts = {t.name for t in g.initializer}
        names = [i.name for i in g.input if i.name not in consts], [o.name for o in g.output]
    else:
        names = [], []
    ins, outs = {}, {}
    for kind, list_, to in (("in", names[0], ins), ("out", names[1], outs)):
        i = 0
        while True:
            name = list_[i] if i < len(list_) else f"{kind}{i}"
            for key in (f"{kind}.{name}", f"{kind}{i}"):
                if key in numbers:
                    to[name] = numbers[key]
                    break
            i += 1
            if i >= len(list_) and f"{kind}{i}" not in numbers:
                break
    return ins, outs


def arguments(path, line):
    args = []
    if line:
        layout, chain = line
        args = [layout, "--chain", chain] if layout.startswith("--") else ["--chain", chain]
    return args


def difference(path, ins, outs, extra, unroll, tmp):
    """Runs the command; the largest difference, or the error's first line."""
    result = os.path.join(tmp, "out.npz")
    cmd = [unroll, "run", path, "--output", result] + extra
    for i, (name, a) in enumerate(ins.items()):
        f = os.path.join(tmp, f"in{i}.npy")
        np.save(f, a)
        cmd += ["--input", f"{i}={f}"]
    p = subprocess.run(cmd, capture_output=True, text=True, timeout=300)
    if p.returncode:
        return None, p.stderr.strip().splitlines()[0] if p.stderr else f"exit {p.returncode}"
    got = dict(np.load(result))
    worst, compared = 0.0, 0
    for i, (name, want) in enumerate(outs.items()):
        have = got.get(name, list(got.values())[i] if i < len(got) else None)
        if have is None or have.shape != want.shape:
            return None, f"output {name}: got {None if have is None else have.shape}, want {want.shape}"
        compared += 1
        if want.size:
            worst = max(worst, float(np.max(np.abs(have.astype(np.float64) - want.astype(np.float64)))))
    return worst, f"{compared} outputs"


class ORT:
    def __init__(self, path, ins):
        import onnxruntime as ort

        ort.set_default_logger_severity(4)
        opt = ort.SessionOptions()
        opt.intra_op_num_threads = opt.inter_op_num_threads = 1
        opt.log_severity_level = 4
        session = lambda: ort.InferenceSession(path, opt, providers=["CPUExecutionProvider"])
        self.s = session()
        self.b = self.s.io_binding()
        for name, a in ins.items():
            self.b.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(a)))
        for o in self.s.get_outputs():
            self.b.bind_output(o.name)
        try:
            self.run = lambda: self.s.run_with_iobinding(self.b)
            for _ in range(2):  # the second finds the outputs of the first
                self.run()
        except Exception:  # outputs whose rank is not the one the file says cannot be bound
            self.s, arrays = session(), dict(ins)
            self.run = lambda: self.s.run(None, arrays)
        for _ in range(3):
            self.run()
        n = 1
        while self.time(n)[0] * n < 0.02:
            n *= 2
        self.n = n

    def time(self, n=None):
        """Seconds a run: CPU, wall."""
        n = n or self.n
        w, c = time.perf_counter(), time.process_time()
        for _ in range(n):
            self.run()
        return (time.process_time() - c) / n, (time.perf_counter() - w) / n


def bench(path, ins, extra, unroll, runs):
    """One process of the command: its figures."""
    cmd = [unroll, "bench", path, "--json", "--runs", str(runs)] + extra
    if path.endswith(".onnx"):
        import onnx

        for port in onnx.load(path, load_external_data=False).graph.input:
            a = ins.get(port.name)
            if a is None:
                continue
            if a.size == 1 and a.dtype.kind in "iu":
                cmd += ["--set", f"{port.name}={int(a.reshape(-1)[0])}"]
                continue
            for k, d in enumerate(port.type.tensor_type.shape.dim):
                if not d.HasField("dim_value"):
                    cmd += ["--size", f"{d.dim_param or f'{port.name}[{k}]'}={a.shape[k]}"]
    p = subprocess.run(cmd, capture_output=True, text=True, timeout=300, env=dict(os.environ, GOMAXPROCS="1"))
    if p.returncode:
        raise RuntimeError(p.stderr.strip().splitlines()[0])
    return json.loads(p.stdout)


class Tract:
    """A process of bench/tract that holds a model."""

    def __init__(self, binary, path, ins, outs, tmp):
        with open(os.path.join(tmp, "inputs.txt"), "w") as f:
            for i, a in enumerate(ins.values()):
                print(a.dtype, *a.shape, file=f)
                np.ascontiguousarray(a).tofile(os.path.join(tmp, f"in{i}.bin"))
        self.p = subprocess.Popen([binary, path, tmp], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.p.stdout.readline().split()
        if not line or line[0] != "ready":
            self.p.wait()
            raise RuntimeError((self.p.stderr.read().strip().splitlines() or ["it ended"])[0])
        self.opened, self.difference = float(line[1]), 0.0
        for i, want in enumerate(outs.values()):
            got = np.fromfile(os.path.join(tmp, f"out{i}.bin"), np.float32)
            if got.size != want.size:
                raise RuntimeError(f"output {i}: {got.size} numbers, want {want.size}")
            if want.size:
                self.difference = max(self.difference, float(np.max(np.abs(got.astype(np.float64) - want.reshape(-1).astype(np.float64)))))
        for _ in range(3):
            self.time(1)
        self.n = 1
        while self.time()[0] * self.n < 0.02:
            self.n *= 2

    def time(self, n=None):
        """Seconds a run: CPU, wall."""
        n = n or self.n
        print("run", n, file=self.p.stdin, flush=True)
        cpu, wall = self.p.stdout.readline().split()
        return int(cpu) / n / 1e9, int(wall) / n / 1e9

    def close(self):
        self.p.stdin.close()
        self.p.wait()


OPEN = """
import sys, time, json
import numpy as np
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
ins = dict(np.load(sys.argv[2]))
before = resident()
import onnxruntime as ort
ort.set_default_logger_severity(4)
opt = ort.SessionOptions()
opt.intra_op_num_threads = opt.inter_op_num_threads = 1
t = time.perf_counter()
s = ort.InferenceSession(sys.argv[1], opt, providers=["CPUExecutionProvider"])
t = time.perf_counter() - t
s.run(None, ins)
print(json.dumps([t * 1e3, resident() - before]))
"""


def opening(path, ins, extra, unroll, tmp):
    """Milliseconds to open and MB resident, of ONNX Runtime and of unroll."""
    file = os.path.join(tmp, "ins.npz")
    np.savez(file, **ins)
    ort, own = [], []
    for _ in range(3):
        p = subprocess.run([sys.executable, "-c", OPEN, path, file], capture_output=True, text=True, timeout=300, check=True)
        ort.append(json.loads(p.stdout))
        u = bench(path, ins, extra, unroll, 1)
        own.append((u["load_ms"], u["resident_mb"]))
    least = lambda rows, i: min(r[i] for r in rows)
    return {"ort_load_ms": least(ort, 0), "ort_mb": least(ort, 1), "load_ms": least(own, 0), "mb": least(own, 1)}


def timed(path, ins, outs, extra, o):
    """The times of a row: each round all engines, one after another."""
    row, cpu, wall, us, theirs = {}, [], [], [], []
    with tempfile.TemporaryDirectory() as tmp:
        peer, tract = ORT(path, ins), None
        if o.tract:
            try:
                tract = Tract(o.tract, path, ins, outs, tmp)
                row |= {"tract_difference": tract.difference, "tract_load_ms": tract.opened}
            except (RuntimeError, OSError) as e:
                row["tract_said"] = str(e)[:160]
        for _ in range(o.rounds):
            t = [peer.time() for _ in range(o.runs)]
            cpu.append(statistics.median(x[0] for x in t))
            wall.append(statistics.median(x[1] for x in t))
            us.append(bench(path, ins, extra, o.unroll, o.runs))
            if tract:
                theirs.append(statistics.median(tract.time()[0] for _ in range(o.runs)))
        if tract:
            tract.close()
            row["tract_cpu"] = min(theirs) * 1e6
        row |= {"ort_cpu": min(cpu) * 1e6, "ort_wall": min(wall) * 1e6,
                "cpu": min(u["cpu_us_per_run"] for u in us), "wall": min(u["us_per_run"] for u in us),
                "allocs": max(u["allocs"] for u in us)}
        if o.memory:
            row |= opening(path, ins, extra, o.unroll, tmp)
    return row


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folders", nargs="+")
    ap.add_argument("--unroll", required=True)
    ap.add_argument("--recorded", default="")
    ap.add_argument("--match", default="", help="only files whose names hold this")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--runs", type=int, default=10, help="repeats a round")
    ap.add_argument("--tract", default="", help="the binary of bench/tract")
    ap.add_argument("--memory", action="store_true", help="time to open and resident memory too")
    ap.add_argument("--no-times", action="store_true")
    ap.add_argument("--json", action="store_true")
    o = ap.parse_args()
    rows = []
    for path in files(o.folders):
        if o.match not in path:
            continue
        name = os.path.basename(path)
        numbers = recorded(path, o.recorded)
        if numbers is None:
            continue
        line = None
        if path.endswith((".pt", ".pth")):
            line = chains(os.path.dirname(path)).get(name.split(".")[0])
            if line is None:
                continue
        extra = arguments(path, line)
        row = {"file": name, "folder": os.path.basename(os.path.dirname(os.path.abspath(path)))}
        try:
            ins, outs = ports(path, numbers, o.unroll)
            with tempfile.TemporaryDirectory() as tmp:
                row["difference"], row["said"] = difference(path, ins, outs, extra, o.unroll, tmp)
            if not o.no_times and path.endswith(".onnx") and row["difference"] is not None:
                row |= timed(path, ins, outs, extra, o)
        except Exception as e:  # a file that another engine cannot take is a row too
            row["said"] = (row.get("said", "") + f"; {type(e).__name__}: {e}").strip("; ")[:160]
        rows.append(row)
        if o.json:
            print(json.dumps(row), flush=True)
        else:
            show(row)
    ratios = sorted(r["ort_cpu"] / r["cpu"] for r in rows if "cpu" in r)
    if ratios:
        print(f"{len(ratios)} timed; ONNX Runtime's CPU time over unroll's: least {ratios[0]:.2f}, median {ratios[len(ratios) // 2]:.2f}", file=sys.stderr)


def show(r):
    d = "-" if r.get("difference") is None else f"{r['difference']:.1e}"
    times = "| - | - | - | - "
    if "cpu" in r:
        tract = f"{r['tract_cpu']:.1f}" if "tract_cpu" in r else "-"
        times = f"| {r['cpu']:.1f} | {r['ort_cpu']:.1f} | {r['ort_cpu'] / r['cpu']:.2f} | {tract} "
    print(f"| {r['folder']}/{r['file']} | {d} {times}| {r.get('said', '')} |", flush=True)


if __name__ == "__main__":
    main()
