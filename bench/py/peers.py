"""The engines that are measured, and which workloads each runs."""
import collections
import os
import sys

from workloads import WORKLOADS

HERE = os.path.dirname(os.path.abspath(__file__))
FORWARD = [n for n, w in WORKLOADS.items() if w.mode == "fwd"]
TRAINING = [n for n, w in WORKLOADS.items() if w.mode == "train"]
SMALLER = ["W1", "W2", "W4", "W6", "W8"]  # where weights of fewer bits are asked for

# program: a worker in bin/ or a Python file; variant: its fourth argument;
# threads: the counts it can run with; extra: measured only when asked for by name.
Peer = collections.namedtuple("Peer", "program variant workloads threads extra")


def _peer(program, workloads, variant="", threads=(1, 2), extra=False):
    return Peer(program, variant, workloads, threads, extra)


PEERS = {
    "unroll": _peer("unroll_worker", list(WORKLOADS)),
    "unroll-int8": _peer("unroll_worker", SMALLER, "int8"),
    "unroll-bf16": _peer("unroll_worker", SMALLER, "bfloat16"),
    "torch": _peer("torch_worker.py", list(WORKLOADS)),
    "torch-int8": _peer("torch_worker.py", SMALLER, "int8"),
    "torch-bf16": _peer("torch_worker.py", SMALLER, "bf16"),
    "ort": _peer("ort_worker", FORWARD),
    "ort-int8": _peer("ort_worker", [n for n in SMALLER if WORKLOADS[n].kind != "gru"], "int8"),  # GRU stays float32
    "onednn": _peer("onednn_worker", FORWARD + TRAINING),
    "jax": _peer("jax_worker.py", FORWARD + TRAINING),
    "tract": _peer("tract_worker", FORWARD, threads=(1,)),
    "candle": _peer("candle_worker", [n for n in FORWARD if WORKLOADS[n].kind != "rnn" and not WORKLOADS[n].bidir]),
    "gonum": _peer("gonum_worker", ["W0", "W1", "W2", "W3"]),  # a call of the others takes up to half a minute
    "gomlx": _peer("gomlx_worker", FORWARD, extra=True),
    "spago": _peer("spago_worker", [n for n in FORWARD if WORKLOADS[n].kind == "lstm"], extra=True),
}
ROUNDED = ("-int8", "-bf16")  # endings of the peers whose weights are not float32


def commands(folder, asked):
    """Program and variant by name of the peers that are built, or of those asked for."""
    out = {}
    for name, p in PEERS.items():
        if name not in asked if asked else p.extra:
            continue
        path = os.path.join(HERE if p.program.endswith(".py") else folder, p.program)
        if not os.path.exists(path) or p.program == "ort_worker" and not os.environ.get("ORT_LIB"):
            continue
        out[name] = [sys.executable, path] if p.program.endswith(".py") else [path]
    return out
