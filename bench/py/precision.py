"""Times and errors of weights in int8 and bfloat16: unroll, PyTorch's dynamic
quantisation, ONNX Runtime's. Every engine has the same weights and inputs; errors are
the largest difference from PyTorch's float32 output, on the output of one call.

usage: precision.py WORK [repeats] [workload...]; bench/precision.sh builds WORK.

unroll is timed by its Go benchmark BenchmarkPrecision, the others by a loop in Python
around one call, whose own cost is theirs (some microseconds). Times are of the
processor, which other work on the machine disturbs less. The engines take turns,
repeat by repeat; the table has the median and, in brackets, the smallest. BENCH_OUT
names a file to which the rows are added, with the machine before them.

big is a stream whose weights, 268 MB in float32, lie beyond the caches.
"""
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings

os.environ["OMP_NUM_THREADS"] = "1"
warnings.filterwarnings("ignore")
import numpy as np  # noqa: E402
import onnxruntime as ort  # noqa: E402
import machine  # noqa: E402
import safetensors.numpy  # noqa: E402
import torch  # noqa: E402
from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: E402

torch.set_num_threads(1)
torch.backends.quantized.engine = "onednn" if "onednn" in torch.backends.quantized.supported_engines else "fbgemm"

WORKLOADS = {  # class, I, H, layers, T, B, as in BenchmarkPrecision; iterations of it
    "W1": (torch.nn.LSTM, 256, 256, 2, 1, 1, 20000),
    "W2": (torch.nn.GRU, 40, 128, 2, 1, 1, 100000),
    "W4": (torch.nn.LSTM, 650, 650, 2, 35, 20, 20),
    "W6": (torch.nn.GRU, 1024, 1024, 3, 100, 64, 1),
    "W8": (torch.nn.LSTM, 64, 256, 2, 1, 256, 400),
    "big": (torch.nn.LSTM, 2048, 2048, 2, 1, 1, 60),
}
BENCHMARKS = {"big": "beyond_the_caches"}  # where BenchmarkPrecision has another name


class Holder(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)


def timed(call, seconds=0.25):
    """Microseconds of processor time of a call."""
    call()
    n, start = 0, time.process_time()
    while True:
        call()
        n += 1
        t = time.process_time() - start
        if t > seconds:
            return t / n * 1e6


def unroll_time(work, name, precision):
    """The same of a benchmark's iteration: many less one, over the rest."""
    many = WORKLOADS[name][-1]

    def run(n):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [f"{work}/unroll.test", "-test.run", "xxx", "-test.bench", f"^BenchmarkPrecision$/^{BENCHMARKS.get(name, name)}$/^{precision}$", "-test.benchtime", f"{n}x", "-test.cpu", "1"],
            check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (run(many + 1) - run(1)) / many * 1e6


def ort_session(path):
    o = ort.SessionOptions()
    o.intra_op_num_threads = o.inter_op_num_threads = 1
    return ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])


def engines(work, name):
    cls, inputs, hidden, layers, steps, batch, _ = WORKLOADS[name]
    torch.manual_seed(1)
    net = cls(inputs, hidden, layers).eval()
    x = torch.randn(steps, batch, inputs)
    with torch.inference_mode():
        want = net(x)[0].numpy()
    base = f"{work}/{name}"
    safetensors.numpy.save_file({k: v.numpy() for k, v in net.state_dict().items()}, base + ".safetensors")
    safetensors.numpy.save_file({"input": x.numpy()}, base + ".x.safetensors")
    torch.onnx.export(net, (x,), base + ".onnx", input_names=["x"], output_names=["y"], dynamo=False)
    quantize_dynamic(base + ".onnx", base + ".int8.onnx", weight_type=QuantType.QInt8)
    low = torch.ao.quantization.quantize_dynamic(Holder(net), {cls}, dtype=torch.qint8)  # it replaces children

    def far(y):
        return float(np.abs(np.asarray(y) - want).max())

    all = {}
    for p in ("float32", "int8", "bfloat16"):
        out = f"{base}.{p}.y.safetensors"
        subprocess.run([f"{work}/unroll", "run", "--time-first", "--precision", p, "--output", out, base + ".safetensors", base + ".x.safetensors"],
                       check=True, capture_output=True)
        all["unroll " + p] = (lambda p=p: unroll_time(work, name, p), far(safetensors.numpy.load_file(out)["output"]))
    for label, model in (("torch float32", net), ("torch int8", low)):
        def call(model=model):
            with torch.inference_mode():
                return model(x)[0]
        all[label] = (lambda call=call: timed(call), far(call()))
    for label, path in (("ort float32", base + ".onnx"), ("ort int8", base + ".int8.onnx")):
        s = ort_session(path)
        feed = {"x": x.numpy()}

        def call(s=s, feed=feed):
            return s.run(["y"], feed)[0]
        all[label] = (lambda call=call: timed(call), far(call()))
    return all


def main():
    work, repeats = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7
    names = sys.argv[3:] or list(WORKLOADS)
    out = open(os.environ["BENCH_OUT"], "a") if "BENCH_OUT" in os.environ else None
    if out:
        print(json.dumps(machine.row(os.path.dirname(os.path.abspath(__file__)))), file=out, flush=True)
    print(f"torch {torch.__version__}, onnxruntime {ort.__version__}, {repeats} repeats, one thread")
    for name in names:
        all = engines(work, name)
        times = {k: [] for k in all}
        for _ in range(repeats):
            for k, (run, _) in all.items():
                times[k].append(run())
        ours = statistics.median(times["unroll int8"])
        print(f"\n{name:4} {'engine':18} {'us, median (least)':>26} {'over unroll int8':>17} {'largest error':>14}")
        for k, (_, error) in all.items():
            m = statistics.median(times[k])
            print(f"     {k:18} {m:14.1f} ({min(times[k]):9.1f}) {m / ours:17.2f} {error:14.2e}", flush=True)
            engine, weights = k.split()
            if out:
                print(json.dumps({"workload": name, "peer": engine, "weights": weights, "threads": 1, "metric": "us_per_call", "clock": "processor",
                                  "median": m, "min": min(times[k]), "max": max(times[k]), "runs": repeats, "err": error,
                                  "version": {"torch": torch.__version__, "ort": ort.__version__}.get(engine)}), file=out, flush=True)


if __name__ == "__main__":
    main()
