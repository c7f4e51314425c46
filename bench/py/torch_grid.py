"""PyTorch's side of grid.py. usage: torch_grid.py THREADS"""
import contextlib
import sys
import time

import torch

CELLS = {"RNN_TANH": torch.nn.RNN, "GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}


def call_of(mode, i, h, t, b, what):
    torch.manual_seed(1)
    m, x = CELLS[mode](i, h), torch.randn(t, b, i)
    if what == "fwd":
        m.eval()
        return lambda: m(x)
    x.requires_grad_(True)
    opt, dy = torch.optim.SGD(m.parameters(), lr=1e-3), torch.randn(t, b, h)

    def call():
        opt.zero_grad(set_to_none=True)
        x.grad = None
        m(x)[0].backward(dy)
        opt.step()
    return call


def main():
    threads = int(sys.argv[1])
    torch.set_num_threads(threads)
    clock = time.process_time_ns if threads == 1 else time.perf_counter_ns
    call, mode = None, contextlib.nullcontext
    for line in sys.stdin:
        p = line.split()
        if p[0] == "set":
            with torch.inference_mode() if p[6] == "fwd" else contextlib.nullcontext():
                call = call_of(p[1], *map(int, p[2:6]), p[6])
                call()
            mode = torch.inference_mode if p[6] == "fwd" else contextlib.nullcontext
            print("ready", flush=True)
            continue
        n, best = int(p[1]), float("inf")
        with mode():
            for _ in range(int(p[2])):
                start = clock()
                for _ in range(n):
                    call()
                best = min(best, clock() - start)
        print(best, flush=True)


main()
