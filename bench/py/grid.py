"""Times small shapes of one layer beside PyTorch: ratios of PyTorch's time to ours.

Both sides take turns of a few milliseconds, and of each the fastest call (or the
fastest 50 us of shorter ones) counts, with one thread in time of the processor, so
that most of what else runs on the machine falls out.
"""
import argparse
import json
import subprocess
import time

import torch

HEAD = {"fwd": "forward", "train": "training step (forward, backward, SGD)"}


class Ours:
    def __init__(self, program, workers):
        self.p = subprocess.Popen([program, str(workers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        answer = self.p.stdout.readline().strip()
        if not answer:
            raise SystemExit(f"grid_worker ended at {line!r}")
        return answer

    def case(self, mode, i, h, t, b, what):
        self.ask(f"set {mode} {i} {h} {t} {b} {what}")
        return lambda n, times: int(self.ask(f"run {n} {times}"))


def torchs(mode, i, h, t, b, what):
    kind, options = {"RNN_TANH": (torch.nn.RNN, {}), "GRU": (torch.nn.GRU, {}), "LSTM": (torch.nn.LSTM, {})}[mode]
    clock = time.process_time_ns if torch.get_num_threads() == 1 else time.perf_counter_ns
    torch.manual_seed(1)
    m, x = kind(i, h, **options), torch.randn(t, b, i)
    if what == "fwd":
        m.eval()

        def call():
            m(x)
    else:
        x.requires_grad_(True)
        opt, dy = torch.optim.SGD(m.parameters(), lr=1e-3), torch.randn(t, b, h)

        def call():
            opt.zero_grad(set_to_none=True)
            x.grad = None
            m(x)[0].backward(dy)
            opt.step()

    def run(n, times):
        best = float("inf")
        for _ in range(times):
            start = clock()
            for _ in range(n):
                call()
            best = min(best, clock() - start)
        return best

    def inferring(n, times):
        with torch.inference_mode():
            return run(n, times)

    return inferring if what == "fwd" else run


def fastest(runs, budget, turn):
    """The least time of a call of each of runs, taking turns until budget seconds are over."""
    counts, best = [], [float("inf")] * len(runs)
    for run in runs:
        once = max(run(1, 4), 1)
        n = max(1, int(5e4 / once))
        counts.append((n, max(1, int(turn * 1e9 / once / n))))
    end, rounds = time.time() + budget, 0
    while time.time() < end or rounds < 5:
        rounds += 1
        for k, run in enumerate(runs):
            best[k] = min(best[k], run(*counts[k]) / counts[k][0])
    return best


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--worker", required=True)
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--modes", default="LSTM")
    a.add_argument("--what", default="fwd,train")
    a.add_argument("--inputs", type=int, default=0, help="I; 0: H")
    a.add_argument("--hidden", default="8,16,32,50,64,100,128")
    a.add_argument("--batch", default="1,16,64,512")
    a.add_argument("--steps", default="1,24,100")
    a.add_argument("--budget", type=float, default=0.3, help="seconds of a cell")
    a.add_argument("--turn", type=float, default=0.005, help="seconds of a turn")
    a.add_argument("--out", help="JSON lines")
    o = a.parse_args()
    ints = lambda s: [int(v) for v in s.split(",")]
    torch.set_num_threads(o.threads)
    ours = Ours(o.worker, o.threads)
    out = open(o.out, "a") if o.out else None
    print(f"PyTorch {torch.__version__}, threads {o.threads}: its time over ours (our microseconds)")
    for mode in o.modes.split(","):
        for what in o.what.split(","):
            for t in ints(o.steps):
                print(f"\n{mode} {HEAD[what]}, T={t}, I={o.inputs or 'H'}\n")
                print("| H |" + "".join(f" B={b} |" for b in ints(o.batch)))
                print("|---" * (len(ints(o.batch)) + 1) + "|")
                for h in ints(o.hidden):
                    row = f"| {h} |"
                    for b in ints(o.batch):
                        shape = (mode, o.inputs or h, h, t, b, what)
                        own, torch_ns = fastest([ours.case(*shape), torchs(*shape)], o.budget, o.turn)
                        row += f" {torch_ns / own:.2f} ({own / 1e3:.1f}) |"
                        if out:
                            out.write(json.dumps({"mode": mode, "what": what, "T": t, "B": b, "H": h, "I": o.inputs or h,
                                                  "threads": o.threads, "us": own / 1e3, "torch_us": torch_ns / 1e3}) + "\n")
                            out.flush()
                    print(row, flush=True)


main()
