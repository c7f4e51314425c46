#!/usr/bin/env python3
"""Writes format.jsonl: tensors and how PyTorch prints them, one JSON object a
line: dtype, shape, data (base64 of the little-endian elements), text. Run with
PyTorch 1.13.1 (later releases print the same):

    python3 format.py [N [SEED [FILE]]]

N random cases follow the fixed ones; they are small unless N is 1000 or more.
"""
import base64
import json
import os
import random
import sys

import torch

F32, F64 = torch.float32, torch.float64
inf, nan = float("inf"), float("nan")


def fixed():
    t = torch.tensor
    for dtype in (F32, F64):
        yield from (
            t(v, dtype=dtype)
            for v in (
                0.5, -0.0, 0.0, 3.0, nan, inf, -inf, 1e-5, 1e9, 123456.0, 12345.678,
                [], [0.0], [0.0, nan], [inf, -inf, nan], [1.0, inf], [1.5, -inf], [1.0, nan, 2000.0],
                [1.0, 1000.0], [1.0, 1001.0], [0.1, 100.0], [0.1, 100.1], [1e8], [100000008.0], [1e8, 1e8 + 64],
                [1e-4], [0.99e-4], [1e-4, 5e-2], [-1e-4], [0.00005, 0.01], [0.99995], [9.99995], [-0.00004999, 0.01],
                [2.0**-149], [3.4e38], [1e300] if dtype is F64 else [1.0], [0.125, 0.0625, 0.03125],
                [[-0.3164, 0.3568], [1.0, 0.0]], [[[1.0]]], [[1.0, -0.0], [nan, 7.0]],
            )
        )
        for shape in ((0,), (0, 3), (3, 0), (2, 0, 5), (0, 1, 2, 3), (1,) * 7):
            yield torch.ones(shape, dtype=dtype)
        for shape in ((15,), (16,), (100,), (2, 9), (2, 40), (3, 2, 9), (2, 2, 2, 2), (1, 1, 30)):
            yield torch.arange(torch.Size(shape).numel(), dtype=dtype).reshape(shape)
            yield torch.sin(torch.arange(torch.Size(shape).numel(), dtype=dtype)).reshape(shape)
    for shape in ((1000,), (1001,), (7, 143), (7, 6, 24), (2, 501), (1001, 1), (10, 10, 11), (3, 3, 3, 3, 13)):
        yield torch.arange(torch.Size(shape).numel(), dtype=F32).reshape(shape)
    for shape in ((6, 167), (6, 6, 28), (7, 143)):
        yield torch.sin(torch.arange(torch.Size(shape).numel(), dtype=F32)).reshape(shape)
        for n in range(60, 80):  # suffix at the end of the line
            yield torch.full((n // 8, 1, 1, n % 8 + 1), 0.5, dtype=dtype)
            yield torch.tensor([float("1" * (n % 9 + 1))] * (n // 9), dtype=dtype)


def drawn(r, most):
    dims = r.choice([0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5])
    limit = r.choice([2, 5, 9, 20, 70])
    shape = [r.randint(1, limit) for _ in range(dims)]
    while torch.Size(shape).numel() > r.choice(most):
        shape[r.randrange(dims)] = 1 + shape[r.randrange(dims)] // 2
        limit -= 1
        if limit < -20:
            shape = shape[:2]
    dtype = r.choice([F32, F32, F64])
    x = torch.randn(shape, dtype=F64)
    kind = r.randrange(8)
    if kind == 0:
        x = torch.round(x * 10 ** r.uniform(0, 5))
    elif kind == 1:
        x = x * 10 ** r.uniform(-6, 10)
    elif kind == 2:
        x = torch.exp(x * r.uniform(0.1, 8))
    elif kind == 3:
        x = torch.sigmoid(x)
    elif kind == 4:
        x = x * (torch.rand(shape) < 0.5)
    elif kind == 5:
        x = torch.round(x * 8) / 8
    elif kind == 6:
        x = torch.round(x * 20000) / 20000
    for v in (nan, inf, -inf):
        if r.random() < 0.1:
            x = torch.where(torch.rand(shape) < 0.2, torch.tensor(v, dtype=F64), x)
    return x.to(dtype)


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[3] if len(sys.argv) > 3 else os.path.join(here, "format.jsonl")
    most = [40, 200, 2000] if n >= 1000 else [20, 60, 150]
    r = random.Random(seed)
    torch.manual_seed(seed)
    with open(path, "w") as file:
        for x in [*fixed(), *(drawn(r, most) for _ in range(n))]:
            data = base64.b64encode(x.contiguous().numpy().tobytes()).decode()
            case = {"dtype": str(x.dtype)[6:], "shape": list(x.shape), "data": data, "text": str(x)}
            file.write(json.dumps(case) + "\n")


main()
