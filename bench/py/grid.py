"""Times small shapes of one layer beside the peers: the fastest peer's time over ours.

All sides take turns of some milliseconds, and of each the fastest call (or the fastest
50 us of shorter ones) counts, with one thread in time of the processor, so that most of
what else runs on the machine falls out. With several threads a turn waits until those of
the side before have ceased to look for work: some do for milliseconds, on processors that
the next side needs.

Protocol of a side: lines "set MODE I H T B fwd|train", answered "ready" or "skip", and
"run N K", answered with the nanoseconds of the fastest of K times N calls.
"""
import argparse
import json
import os
import subprocess
import sys
import time

import machine

HERE = os.path.dirname(os.path.abspath(__file__))
GATES = {"RNN_TANH": ("RNN", 1), "GRU": ("GRU", 3), "LSTM": ("LSTM", 4)}


class Side:
    def __init__(self, name, cmd, threads):
        self.name = name
        env = dict(os.environ, OMP_NUM_THREADS=str(threads), PYTHONPATH=HERE, PYTHONDONTWRITEBYTECODE="1")
        self.p = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)

    def ask(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        answer = self.p.stdout.readline().strip()
        if not answer:
            raise SystemExit(f"{self.name} ended at {line!r}")
        return answer

    def set(self, shape):
        return self.ask("set " + " ".join(map(str, shape))) == "ready"

    def run(self, n, times):
        return int(self.ask(f"run {n} {times}"))


def model(folder, mode, i, h):
    """Writes the ONNX file of one layer with drawn weights, for ONNX Runtime."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save
    op, gates = GATES[mode]
    g = np.random.default_rng(1)
    draw = lambda *s: g.uniform(-h ** -0.5, h ** -0.5, s).astype(np.float32)
    w = {"W": draw(1, gates * h, i), "R": draw(1, gates * h, h), "B": draw(1, 2 * gates * h)}
    more = {"linear_before_reset": 1} if op == "GRU" else {}
    node = helper.make_node(op, ["x", "W", "R", "B"], ["y"], hidden_size=h, **more)
    graph = helper.make_graph([node], "layer", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", "B", i])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["T", 1, "B", h])],
                              [numpy_helper.from_array(v, k) for k, v in w.items()])
    m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    m.ir_version = 9
    save(m, f"{folder}/{mode}-{i}-{h}.onnx")


def sides(o, threads):
    folder = o.bin
    cmds = {"unroll": [f"{folder}/grid_worker", str(threads)], "torch": [sys.executable, f"{HERE}/torch_grid.py", str(threads)],
            "onednn": [f"{folder}/onednn_worker", "grid", str(threads)]}
    if os.environ.get("ORT_LIB"):
        cmds["ort"] = [f"{folder}/ort_grid", str(threads), o.models]
    return [Side(k, c, threads) for k, c in cmds.items() if os.path.exists(c[0])]


def fastest(runs, budget, turn, settle):
    """The least nanoseconds of a call of each side, taking turns until budget seconds
    are over and each had at least three."""
    counts, best = [], []
    for run in runs:
        once = max(run(1, 3), 1)
        n = max(1, int(5e4 / once))
        counts.append((n, max(1, int(turn * 1e9 / once / n))))
        best.append(once)
    end, rounds = time.time() + budget, 0
    while time.time() < end or rounds < 3:
        rounds += 1
        for k, run in enumerate(runs):
            time.sleep(settle)
            best[k] = min(best[k], run(*counts[k]) / counts[k][0])
    return best


def main():
    a = argparse.ArgumentParser(prog="bench/grid.sh")
    a.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    a.add_argument("--models", required=True, help=argparse.SUPPRESS)
    a.add_argument("--threads", default="1,2")
    a.add_argument("--modes", default="LSTM")
    a.add_argument("--what", default="fwd,train")
    a.add_argument("--inputs", type=int, default=0, help="I; 0: H")
    a.add_argument("--hidden", default="8,16,32,50,64,100,128")
    a.add_argument("--batch", default="1,16,64,512")
    a.add_argument("--steps", default="1,24,100")
    a.add_argument("--budget", type=float, default=0.35, help="seconds of a cell with one thread, a quarter of those with more")
    a.add_argument("--turn", type=float, default=0.005, help="seconds of a turn, likewise")
    a.add_argument("--out", required=True, help="JSON lines")
    o = a.parse_args()
    ints = lambda s: [int(v) for v in s.split(",")]
    out = open(o.out, "w")
    out.write(json.dumps(machine.row(HERE)) + "\n")
    for mode in o.modes.split(","):
        for h in ints(o.hidden):
            model(o.models, mode, o.inputs or h, h)
    for threads in ints(o.threads):
        every = sides(o, threads)
        for mode in o.modes.split(","):
            for what in o.what.split(","):
                for t in ints(o.steps):
                    print(f"{mode} {what} T={t} threads={threads}: fastest peer's time over ours (our us)", flush=True)
                    for h in ints(o.hidden):
                        line = f"  H={h:4d}"
                        for b in ints(o.batch):
                            shape = (mode, o.inputs or h, h, t, b, what)
                            have = [s for s in every if s.set(shape)]
                            best = fastest([s.run for s in have], o.budget if threads == 1 else 4 * o.budget, o.turn if threads == 1 else 4 * o.turn, 0 if threads == 1 else 0.02)
                            us = {s.name: v / 1e3 for s, v in zip(have, best)}
                            row = {"mode": mode, "what": what, "T": t, "B": b, "H": h, "I": o.inputs or h, "threads": threads, "us": us}
                            out.write(json.dumps(row) + "\n")
                            out.flush()
                            peer = min((p for p in us if p != "unroll"), key=us.get)
                            line += f"   {us[peer] / us['unroll']:6.2f} {peer:6s} ({us['unroll']:.1f})"
                        print(line, flush=True)
        for s in every:
            s.p.stdin.close()
            s.p.wait(20)


main()
