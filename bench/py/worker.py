"""A peer's process and its repeats.

Worker protocol: a peer is started as WORKER DATA WORKLOAD THREADS [VARIANT]. It
checks itself against the reference, prints "ready {json}" (or "skip reason"),
then answers each "run N" with the nanoseconds N calls took; "quit 0" ends it.
"""
import contextlib
import json
import os
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TICK = os.sysconf("SC_CLK_TCK")
FOREIGN_MAX = 0.10   # a repeat with more foreign CPU than this is tried again
START_S = 60         # a peer that gives no first output in this time is left out
SETTLE_S = 0.04      # lets spinning worker threads of the previous peer sleep
CPUCLOCK_SCHED = 2   # of a process, in nanoseconds: include/linux/posix-timers.h


def cpu_times():
    """Seconds that all processors were busy, and stolen by the hypervisor."""
    v = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return (v[0] + v[1] + v[2] + v[5] + v[6]) / TICK, v[7] / TICK


class Gone(Exception):
    """A peer that hung or died."""


class Worker:
    """One peer on one workload with a number of threads."""

    def __init__(self, peer, cmd, variant, data, workload, threads, runs=7, cold=False):
        env = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads),
                   RAYON_NUM_THREADS=str(threads), GOMAXPROCS=str(threads), PYTHONPATH=HERE,
                   PYTHONDONTWRITEBYTECODE="1")
        if cold:
            env["BENCH_COLD"] = "1"
        self.peer, self.threads, self.workload, self.runs = peer, threads, workload, runs
        self.times, self.cpu, self.foreign, self.est, self.n, self.gone = [], [], [], 0.0, 1, False
        self.p = subprocess.Popen(cmd + [data, workload, str(threads)] + ([variant] if variant else []), env=env,
                                  text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.clock = (~self.p.pid << 3) | CPUCLOCK_SCHED

    def await_ready(self):
        """Waits for the first line; self.ok says whether the peer runs the workload."""
        guard = threading.Timer(START_S, self.p.kill)
        guard.start()
        line = self.p.stdout.readline().strip()
        late = not guard.is_alive()
        guard.cancel()
        self.ok = line.startswith("ready ")
        self.why = line or (f"no first output within {START_S} s" if late else "failed to start")
        self.info = json.loads(line[6:]) if self.ok else {}
        return self.ok

    def cpu_s(self):
        return time.clock_gettime_ns(self.clock) / 1e9

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
        """Chooses the calls of a repeat, target seconds of them, and how many repeats."""
        c0, t = self.cpu_s(), self.run(1)
        n = 1
        while t * n < target / 4 and n < 1 << 24:
            n = max(n * 2, min(n * 16, int(target / 4 / max(t, 1e-9))))
            t = self.run(n)
        self.est = t
        if t > budget:  # that was its one repeat
            self.times, self.cpu, self.foreign, self.runs = [t], [self.cpu_s() - c0], [0.0], 1
            return
        self.n = max(1, int(round(target / t)))
        self.runs = max(1, min(self.runs, int(budget / max(t * self.n, 1e-9))))

    def repeat(self):
        time.sleep(SETTLE_S)
        if self.est * 4 < 0.1:
            self.run(max(1, int(0.01 / self.est)))
        (b0, s0), o0, t0 = cpu_times(), self.cpu_s(), time.perf_counter()
        v = self.run(self.n)
        (b1, s1), o1, t1 = cpu_times(), self.cpu_s(), time.perf_counter()
        self.times.append(v)
        self.cpu.append((o1 - o0) / self.n)
        ticks = 2 / TICK  # what /proc/stat may be wrong by
        self.foreign.append(max(0.0, (b1 - b0) - (o1 - o0) + (s1 - s0) - ticks) / (t1 - t0))

    def clean(self):
        return sum(f <= FOREIGN_MAX for f in self.foreign)

    def wants(self, late):
        """Whether another repeat is needed; when late, no repeat is done again."""
        if len(self.times) < self.runs:
            return True
        return not late and self.clean() < self.runs and len(self.times) < 2 * self.runs

    def result(self):
        """Seconds and processor's seconds of a call in the repeats that count, and how
        many of them were disturbed."""
        order = sorted(range(len(self.times)), key=lambda i: (self.foreign[i] > FOREIGN_MAX, self.foreign[i]))
        keep = order[:max(self.clean(), min(self.runs, len(order)))]
        noisy = sum(self.foreign[i] > FOREIGN_MAX for i in keep)
        return [self.times[i] for i in keep], [self.cpu[i] for i in keep], noisy

    def close(self):
        with contextlib.suppress(Exception):
            self.p.stdin.write("quit 0\n")
            self.p.stdin.close()
        try:
            self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.kill()
