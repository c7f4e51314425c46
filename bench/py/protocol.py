"""What the peers written in Python share: the workload's data and the worker protocol
of bench.py."""
import json
import sys
import time

import numpy as np

from workloads import WORKLOADS


def arguments():
    """DATA WORKLOAD THREADS [VARIANT] of the command line."""
    data, name, threads = sys.argv[1:4]
    return data, name, int(threads), sys.argv[4] if len(sys.argv) > 4 else ""


def tensors(data, name):
    """The workload's tensors by name, flat."""
    flat, out = np.fromfile(f"{data}/{name}.bin", dtype="<f4"), {}
    for line in open(f"{data}/{name}.meta"):
        p = line.split()
        if p[0] == "tensor":
            out[p[1]] = flat[int(p[2]):int(p[2]) + int(p[3])].copy()
    return out


def serve(call, err, version, **info):
    """Says that the peer is ready and times calls until it is told to end."""
    print("ready " + json.dumps({"err": err, "version": version, **info}), flush=True)
    for line in sys.stdin:
        p = line.split()
        if p[0] != "run":
            return
        n = int(p[1])
        start = time.perf_counter_ns()
        for _ in range(n):
            call()
        print(time.perf_counter_ns() - start, flush=True)


def run(main):
    """Calls main(workload, data, name, threads, variant); what it raises is a skip."""
    data, name, threads, variant = arguments()
    try:
        main(WORKLOADS[name], data, name, threads, variant)
    except Exception as e:  # the runner prints why and goes on with the others
        print("skip " + repr(e)[:300].replace("\n", " "), flush=True)
