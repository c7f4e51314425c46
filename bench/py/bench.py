"""Runs the peers on the workloads, interleaved, and prints a table and JSON lines.

Worker protocol: a peer is a process started as WORKER DATA WORKLOAD THREADS. It
checks itself against the reference, prints "ready {json}" (or "skip reason"),
then answers each "run N" with the nanoseconds N calls took; "quit 0" ends it.
"""
import argparse
import contextlib
import fcntl
import json
import os
import statistics
import subprocess
import sys
import threading
import time

from workloads import WORKLOADS, flops, weight_bytes

HERE = os.path.dirname(os.path.abspath(__file__))
TICK = os.sysconf("SC_CLK_TCK")
HOLD_S = 60          # give the machine lock back after this long
FOREIGN_MAX = 0.10   # a repeat with more foreign CPU than this is tried again
START_S = 60         # a peer that gives no first output in this time is left out
SETTLE_S = 0.06      # lets spinning worker threads of the previous peer sleep


class Lock:
    """An advisory lock shared with other users of the machine."""

    def __init__(self, path):
        self.path, self.f, self.since = path, None, 0.0

    def take(self):
        if self.path and self.f is None:
            self.f = open(self.path, "a")
            fcntl.flock(self.f, fcntl.LOCK_EX)
            self.since = time.time()

    def drop(self):
        if self.f is not None:
            self.f.close()
            self.f = None

    def breathe(self):
        if self.f is not None and time.time() - self.since > HOLD_S:
            self.drop()
            time.sleep(0.3)
            self.take()

    @contextlib.contextmanager
    def held(self):
        self.take()
        try:
            yield
        finally:
            self.drop()


def cpu_times():
    v = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return (v[0] + v[1] + v[2] + v[5] + v[6]) / TICK, v[7] / TICK


def proc_time(pid):
    v = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(v[11]) + int(v[12])) / TICK


class Gone(Exception):
    """A peer that hung or died."""


class Worker:
    def __init__(self, peer, cmd, data, workload, threads, cold=False):
        env = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads),
                   GOMAXPROCS=str(threads), PYTHONPATH=HERE, PYTHONDONTWRITEBYTECODE="1")
        if cold:
            env["BENCH_COLD"] = "1"
        if peer == "torch-omp":  # torch with an OpenBLAS that shares torch's OpenMP threads
            env["LD_LIBRARY_PATH"] = os.environ["BENCH_OMP_BLAS"] + ":" + env.get("LD_LIBRARY_PATH", "")
        self.peer, self.threads, self.workload = peer, threads, workload
        self.times, self.foreign, self.est, self.runs, self.gone = [], [], 0.0, 7, False
        self.p = subprocess.Popen(cmd + [data, workload, str(threads)], env=env, text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        guard = threading.Timer(START_S, self.p.kill)
        guard.start()
        line = self.p.stdout.readline().strip()
        late = not guard.is_alive()
        guard.cancel()
        self.ok = line.startswith("ready ")
        self.why = line or (f"no first output within {START_S} s" if late else "failed to start")
        self.info = json.loads(line[6:]) if self.ok else {}

    def run(self, n):
        self.p.stdin.write(f"run {n}\n")
        self.p.stdin.flush()
        guard = threading.Timer(max(30.0, 20 * self.est * n) if self.est else START_S, self.p.kill)
        guard.start()
        line = self.p.stdout.readline()
        guard.cancel()
        if not line:
            raise Gone()
        return int(line) / 1e9 / n

    def calibrate(self, target, budget):
        t = self.run(1)
        n = 1
        while t * n < target / 4 and n < 1 << 24:
            n = max(n * 2, min(n * 16, int(target / 4 / max(t, 1e-9))))
            t = self.run(n)
        self.est = t
        self.n = max(1, int(round(target / t)))
        per = max(t * self.n, 1e-9)
        if per * self.runs > budget:
            self.runs = max(1, int(budget / per))

    def repeat(self):
        time.sleep(SETTLE_S)
        if self.est * 4 < 0.1:
            self.run(max(1, int(0.02 / self.est)))
        (b0, s0), o0, t0 = cpu_times(), proc_time(self.p.pid), time.perf_counter()
        v = self.run(self.n)
        (b1, s1), o1, t1 = cpu_times(), proc_time(self.p.pid), time.perf_counter()
        self.times.append(v)
        self.foreign.append(max(0.0, (b1 - b0) - (o1 - o0) + (s1 - s0)) / (t1 - t0))

    def clean(self):
        return sum(f <= FOREIGN_MAX for f in self.foreign)

    def wants(self):
        if len(self.times) < self.runs:
            return True
        return self.clean() < self.runs and len(self.times) < 3 * self.runs and sum(self.times) * self.n < 45

    def result(self):
        order = sorted(range(len(self.times)), key=lambda i: (self.foreign[i] > FOREIGN_MAX, self.foreign[i]))
        keep = order[:max(self.clean(), min(self.runs, len(order)))]
        return [self.times[i] for i in keep], sum(self.foreign[i] > FOREIGN_MAX for i in keep)

    def close(self):
        with contextlib.suppress(Exception):
            self.p.stdin.write("quit 0\n")
            self.p.stdin.close()
        try:
            self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.kill()


class Out:
    def __init__(self, path):
        self.f = open(path, "a")

    def put(self, workload, peer, threads, metric, values, **extra):
        rec = {"workload": workload, "peer": peer, "threads": threads, "metric": metric,
               "median": statistics.median(values), "min": min(values), "max": max(values),
               "runs": len(values), **extra}
        self.f.write(json.dumps(rec) + "\n")
        self.f.flush()
        return rec


def fmt(us):
    if us < 1000:
        return f"{us:9.2f} us"
    if us < 1e6:
        return f"{us / 1e3:9.3f} ms"
    return f"{us / 1e6:9.3f} s "


def bench(name, peers, a, lock, out):
    w = WORKLOADS[name]
    print(f"\n{name}: {w.kind} I={w.I} H={w.H} L={w.L} T={w.T} B={w.B}"
          f"{' bidirectional' if w.bidir else ''} - {w.note}"
          f"  [{flops(name) / 1e9:.4g} GFLOP, weights {weight_bytes(name) / 2**20:.2f} MiB]", flush=True)
    workers = []
    try:
        with lock.held():
            for peer, cmd in peers.items():
                for th in a.threads:
                    k = Worker(peer, cmd, a.data, name, th)
                    if not k.ok:
                        print(f"  {peer} x{th}: {k.why}", flush=True)
                        lock.breathe()
                        k.close()
                        continue
                    workers.append(k)
                    try:
                        k.calibrate(a.target, a.budget)
                    except Gone:
                        k.gone = True
                    lock.breathe()
            todo = [k for k in workers if not k.gone]
            while todo:  # one repeat of every peer per round
                for k in todo:
                    try:
                        k.repeat()
                    except (Gone, OSError):
                        k.gone = True
                    lock.breathe()
                todo = [k for k in todo if not k.gone and k.wants()]
    finally:
        for k in workers:
            k.close()
    rows = []
    for k in workers:
        if k.gone:
            print(f"  {k.peer} x{k.threads}: hung or died after {len(k.times)} repeats")
        if not k.times:
            continue
        v, noisy = k.result()
        us = [1e6 * t for t in v]
        gf = [flops(name) / t / 1e9 for t in v]
        r = out.put(name, k.peer, k.threads, "us_per_call", us, calls=k.n, noisy=noisy,
                    version=k.info.get("version"), err=k.info.get("err"))
        g = out.put(name, k.peer, k.threads, "GFLOPs", gf)
        rows.append((r, g))
    rows.sort(key=lambda x: x[0]["median"])
    for r, g in rows:
        e = r["err"]
        print(f"  {r['peer']:9s} x{r['threads']}  median {fmt(r['median'])}  min {fmt(r['min'])}  max {fmt(r['max'])}"
              f"  runs {r['runs']:2d} (noisy {r['noisy']})  {g['median']:8.2f} GFLOP/s"
              f"  err {'n/a' if e is None else format(e, '.1e')}", flush=True)
    ratios(name, [r for r, _ in rows], out)


def ratios(name, rows, out):
    """How many times faster unroll is than the fastest other peer, by thread count."""
    for th in sorted({r["threads"] for r in rows}):
        ours = [r for r in rows if r["threads"] == th and r["peer"] == "unroll"]
        others = [r for r in rows if r["threads"] == th and r["peer"] != "unroll"]
        if ours and others:
            best = min(others, key=lambda r: r["median"])
            r = out.put(name, "unroll", th, "ratio", [best["median"] / ours[0]["median"]], against=best["peer"])
            print(f"  unroll x{th}: {r['median']:.2f} times as fast as {best['peer']}, the fastest other peer", flush=True)


def mapped_libs(pid):
    libs = {}
    for line in open(f"/proc/{pid}/maps"):
        p = line.split()
        if len(p) > 5 and ".so" in p[5] and os.path.exists(p[5]):
            libs[os.path.realpath(p[5])] = os.path.getsize(p[5])
    libc = ("libc.so", "libm.so", "ld-linux", "libpthread", "libdl", "librt")
    return {k: v for k, v in libs.items() if not os.path.basename(k).startswith(libc)}


def cold(peers, a, lock, out):
    print("\ncold start, W1, one thread (file cache warm):")
    for peer in ("unroll", "torch", "ort", "onednn", "gonum"):
        if peer not in peers:
            continue
        rows, libs, exe = {}, {}, 0
        with lock.held():
            for _ in range(7):
                t0 = time.perf_counter()
                k = Worker(peer, peers[peer], a.data, "W1", 1, cold=True)
                t1 = time.perf_counter()
                if not k.ok:
                    print(f"  {peer}: {k.why}")
                    break
                libs = mapped_libs(k.p.pid)
                exe = os.path.getsize(os.path.realpath(f"/proc/{k.p.pid}/exe"))
                status = open(f"/proc/{k.p.pid}/status").read()
                hwm = int(status.split("VmHWM:")[1].split()[0]) / 1024
                k.close()
                put = rows.setdefault
                put("cold_process_to_first_output_ms", []).append(1e3 * (t1 - t0))
                put("peak_rss_MiB", []).append(hwm)
                for key in ("import_s", "lib_s", "build_s", "first_s"):
                    if key in k.info:
                        put(key.replace("_s", "_ms"), []).append(1e3 * k.info[key])
        if not rows:
            continue
        for m, v in rows.items():
            r = out.put("W1", peer, 1, m, v)
            print(f"  {peer:8s} {m:34s} median {r['median']:9.2f}  min {r['min']:9.2f}  max {r['max']:9.2f}")
        r = out.put("W1", peer, 1, "shared_libs_MiB", [sum(libs.values()) / 2**20], libs=len(libs))
        out.put("W1", peer, 1, "executable_MiB", [exe / 2**20])
        print(f"  {peer:8s} shared libraries mapped: {len(libs)} files, {r['median']:.1f} MiB;"
              f" executable {exe / 2**20:.1f} MiB", flush=True)


def limits(cmd, a, lock, out):
    print("\nhardware limits:")
    for what in ("peak", "bw", "gemm"):
        for th in a.threads:
            with lock.held():
                p = subprocess.run(cmd + [str(th), what], stdout=subprocess.PIPE, text=True,
                                   env=dict(os.environ, OPENBLAS_NUM_THREADS=str(th)))
            for line in p.stdout.splitlines():
                r = json.loads(line)
                out.f.write(line + "\n")
                print(f"  x{r['threads']} {r['metric']:52s} median {r['median']:9.2f}"
                      f"  min {r['min']:9.2f}  max {r['max']:9.2f}", flush=True)
    out.f.flush()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--data", required=True)
    ap.add_argument("--bin", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--lock", default="")
    ap.add_argument("--peers", default="")
    ap.add_argument("--threads", default="1,2")
    ap.add_argument("--target", type=float, default=0.3, help="seconds per repeat")
    ap.add_argument("--budget", type=float, default=40, help="seconds per peer and workload")
    ap.add_argument("what", nargs="*")
    a = ap.parse_args()
    a.threads = [int(t) for t in a.threads.split(",")]
    peers = {"torch": [sys.executable, f"{HERE}/torch_worker.py"]}
    if os.environ.get("BENCH_OMP_BLAS"):
        peers["torch-omp"] = peers["torch"]
    for p in ("unroll", "ort", "onednn", "gomlx", "gonum", "spago"):
        exe = f"{a.bin}/{p}_worker"
        if os.path.exists(exe) and (p != "ort" or os.environ.get("ORT_LIB")):
            peers[p] = [exe]
    if a.peers:
        peers = {p: c for p, c in peers.items() if p in a.peers.split(",")}
    lock, out = Lock(a.lock), Out(a.out)
    for what in a.what or list(WORKLOADS) + ["cold", "limits"]:
        if what == "limits":
            limits([f"{a.bin}/limits"], a, lock, out)
        elif what == "cold":
            cold(peers, a, lock, out)
        else:
            bench(what, peers, a, lock, out)
    print(f"\nJSON lines: {a.out}")


main()
