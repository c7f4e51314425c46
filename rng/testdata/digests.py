#!/usr/bin/env python3
"""Writes digests.json: SHA-256 digests of long draws by PyTorch, for both sets
of its CPU kernels. Run with PyTorch 1.13.1 on an x86 processor with AVX2:

    python3 digests.py
"""
import hashlib
import json
import os
import subprocess
import sys

SEEDS = [0, 1, 42, 123456789, 2147483655]


def calls():
    import torch

    f = torch.nn.functional
    e = lambda n, **k: torch.empty(n, **k)
    return {
        "rand.f32": lambda: [torch.rand(100_001)],
        "rand.f64": lambda: [torch.rand(100_001, dtype=torch.float64)],
        "uniform.f32": lambda: [e(100_001).uniform_(-0.37, 1.91)],
        "uniform.f64": lambda: [e(100_001, dtype=torch.float64).uniform_(-0.37, 1.91)],
        "randn.f32": lambda: [torch.randn(100_001)],
        "normal.f32": lambda: [e(100_001).normal_(1.7, 0.3)],
        "normal.f32 by 3": lambda: [e(3).normal_(1.7, 0.3) for _ in range(3000)],
        "exponential.f32": lambda: [e(100_001).exponential_(0.7)],
        "dropout.f32": lambda: [f.dropout(torch.ones(100_001), 0.3)],
        "trunc_normal.f32": lambda: [torch.nn.init.trunc_normal_(e(20_001))],
        "trunc_normal.f32 wide": lambda: [torch.nn.init.trunc_normal_(e(20_001), 0.5, 2.0, -4, 9)],
        "multinomial": lambda: [torch.multinomial(torch.rand(300), 100)],
        "multinomial with replacement": lambda: [torch.multinomial(torch.rand(300), 100, True)],
        "randperm": lambda: [torch.randperm(100_001)],
        "state after seeding": lambda: [torch.get_rng_state()],
        "state along the way": lambda: [
            (torch.randn(n), torch.get_rng_state())[1] for n in (1, 2, 3, 16, 17, 586, 624, 5)
        ],
    }


def digests():
    import torch

    out = {}
    for seed in SEEDS:
        for name, call in calls().items():
            torch.manual_seed(seed)
            h = hashlib.sha256()
            for t in call():
                h.update(t.contiguous().numpy().tobytes())
            out.setdefault(name, {})[str(seed)] = h.hexdigest()
    return out


if len(sys.argv) > 1:
    print(json.dumps(digests()))
else:
    result = {}
    for kernels, capability in (("avx2", "avx2"), ("scalar", "default")):
        env = dict(os.environ, ATEN_CPU_CAPABILITY=capability)
        out = subprocess.run([sys.executable, __file__, "child"], env=env, check=True, stdout=subprocess.PIPE)
        result[kernels] = json.loads(out.stdout)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "digests.json"), "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
