"""Runs the peers on the workloads, interleaved, and prints a table and JSON lines."""
import argparse
import contextlib
import fcntl
import json
import os
import statistics
import subprocess
import time

import machine
from peers import PEERS, ROUNDED, commands
from worker import HERE, Gone, Worker
from workloads import WORKLOADS, flops, weight_bytes

HOLD_S = 60          # give the machine lock back after this long
AT_ONCE = 2          # peers that start at the same time


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


class Out:
    def __init__(self, path):
        self.f = open(path, "a")

    def row(self, rec):
        self.f.write(json.dumps(rec) + "\n")
        self.f.flush()
        return rec

    def put(self, workload, peer, threads, metric, values, **extra):
        return self.row({"workload": workload, "peer": peer, "threads": threads, "metric": metric,
                         "median": statistics.median(values), "min": min(values), "max": max(values),
                         "runs": len(values), **extra})


def fmt(us):
    if us < 1000:
        return f"{us:9.2f} us"
    if us < 1e6:
        return f"{us / 1e3:9.3f} ms"
    return f"{us / 1e6:9.3f} s "


def start(name, peers, a):
    """The workers of a workload, started two at a time and calibrated one by one."""
    todo = [(p, th) for p in peers for th in a.threads if name in PEERS[p].workloads and th in PEERS[p].threads]
    workers, starting = [], []
    while todo or starting:
        while todo and len(starting) < AT_ONCE:
            p, th = todo.pop(0)
            starting.append(Worker(p, peers[p], PEERS[p].variant, a.data, name, th, runs=a.repeats))
        k = starting.pop(0)
        if k.await_ready():
            workers.append(k)
        else:
            print(f"  {k.peer} x{k.threads}: {k.why}", flush=True)
            k.close()
    for k in workers:
        try:
            k.calibrate(a.target, a.budget)
        except (Gone, OSError):
            k.gone = True
    return workers


def bench(name, peers, a, lock, out):
    w = WORKLOADS[name]
    print(f"\n{name}: {w.kind} I={w.I} H={w.H} L={w.L} T={w.T} B={w.B}"
          f"{' bidirectional' if w.bidir else ''} - {w.note}"
          f"  [{flops(name) / 1e9:.4g} GFLOP, weights {weight_bytes(name) / 2**20:.2f} MiB]", flush=True)
    workers = []
    try:
        with lock.held():
            workers = start(name, peers, a)
            lock.breathe()
            todo = [k for k in workers if not k.gone and k.wants(False)]
            while todo:  # one repeat of every peer per round
                for k in todo:
                    try:
                        k.repeat()
                    except (Gone, OSError):
                        k.gone = True
                    lock.breathe()
                late = time.time() > a.end
                todo = [k for k in todo if not k.gone and k.wants(late)]
    finally:
        for k in workers:
            k.close()
    rows = []
    for k in workers:
        if k.gone:
            print(f"  {k.peer} x{k.threads}: hung or died after {len(k.times)} repeats")
        if not k.times:
            continue
        v, cpu, noisy = k.result()
        rows.append(out.put(name, k.peer, k.threads, "us_per_call", [1e6 * t for t in v],
                            cpu_us=1e6 * statistics.median(cpu), calls=k.n, noisy=noisy,
                            version=k.info.get("version"), err=k.info.get("err")))
    show(name, rows)


def show(name, rows):
    for r in sorted(rows, key=lambda r: r["median"]):
        e = r["err"]
        print(f"  {r['peer']:11s} x{r['threads']}  median {fmt(r['median'])}  min {fmt(r['min'])}  max {fmt(r['max'])}"
              f"  cpu {fmt(r['cpu_us'])}  runs {r['runs']:2d} (noisy {r['noisy']})"
              f"  {flops(name) / r['median'] / 1e3:8.2f} GFLOP/s  err {'n/a' if e is None else format(e, '.1e')}", flush=True)
    for th in sorted({r["threads"] for r in rows}):
        own = [r for r in rows if r["threads"] == th and r["peer"] == "unroll"]
        others = [r for r in rows if r["threads"] == th and not r["peer"].startswith("unroll") and not r["peer"].endswith(ROUNDED)]
        if own and others:
            best = min(others, key=lambda r: r["median"])
            print(f"  unroll x{th}: {best['median'] / own[0]['median']:.2f} times as fast as {best['peer']},"
                  f" the fastest other peer of float32", flush=True)


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
    for peer in ("unroll", "torch", "ort", "onednn", "tract", "gonum"):
        if peer not in peers:
            continue
        rows, libs, exe = {}, {}, 0
        with lock.held():
            for _ in range(a.repeats):
                t0 = time.perf_counter()
                k = Worker(peer, peers[peer], "", a.data, "W1", 1, cold=True)
                ok, t1 = k.await_ready(), time.perf_counter()
                if not ok:
                    print(f"  {peer}: {k.why}")
                    break
                libs = mapped_libs(k.p.pid)
                exe = os.path.getsize(os.path.realpath(f"/proc/{k.p.pid}/exe"))
                status = open(f"/proc/{k.p.pid}/status").read()
                hwm = int(status.split("VmHWM:")[1].split()[0]) / 1024
                k.close()
                rows.setdefault("cold_process_to_first_output_ms", []).append(1e3 * (t1 - t0))
                rows.setdefault("peak_rss_MiB", []).append(hwm)
                for key in ("import_s", "lib_s", "build_s", "first_s"):
                    if key in k.info:
                        rows.setdefault(key.replace("_s", "_ms"), []).append(1e3 * k.info[key])
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
    for what in ("peak", "bw"):
        for th in a.threads:
            with lock.held():
                p = subprocess.run(cmd + [str(th), what], stdout=subprocess.PIPE, text=True)
            for line in p.stdout.splitlines():
                r = out.row(json.loads(line))
                print(f"  x{r['threads']} {r['metric']:52s} median {r['median']:9.2f}"
                      f"  min {r['min']:9.2f}  max {r['max']:9.2f}", flush=True)


def main():
    ap = argparse.ArgumentParser(prog="bench/run.sh")
    ap.add_argument("--data", required=True, help=argparse.SUPPRESS)
    ap.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    ap.add_argument("--out", required=True, help="JSON lines")
    ap.add_argument("--lock", default="", help="file whose lock is held while timing")
    ap.add_argument("--peers", default="", help="comma separated; default: all but those in peers.py's extra")
    ap.add_argument("--threads", default="1,2")
    ap.add_argument("--repeats", type=int, default=7)
    ap.add_argument("--target", type=float, default=0.1, help="seconds of a repeat, at least one call")
    ap.add_argument("--budget", type=float, default=5, help="seconds of all repeats of a peer on a workload")
    ap.add_argument("--minutes", type=float, default=11, help="after this no disturbed repeat is done again")
    ap.add_argument("what", nargs="*", help="workloads, cold, limits; default: all workloads")
    a = ap.parse_args()
    a.threads = [int(t) for t in a.threads.split(",")]
    a.end = time.time() + 60 * a.minutes
    peers = commands(a.bin, [p for p in a.peers.split(",") if p])
    lock, out = Lock(a.lock), Out(a.out)
    out.row(machine.row(HERE))
    for what in a.what or list(WORKLOADS):
        if what == "limits":
            limits([f"{a.bin}/limits"], a, lock, out)
        elif what == "cold":
            cold(peers, a, lock, out)
        else:
            bench(what, peers, a, lock, out)
    print(f"\nJSON lines: {a.out}")


if __name__ == "__main__":
    main()
