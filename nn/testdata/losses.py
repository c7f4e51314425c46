"""Writes losses.json: losses and gradients of torch.nn (float64), for loss_test.go.

    python3 losses.py > losses.json

With an argument, that is the seed of the inputs (1).
"""
import json
import sys

import torch
from torch import nn

torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
cases = []


def add(name, make, x, y, **opt):
    out = {"name": name, "x": x.tolist(), "y": y.tolist()}
    for red in ("mean", "sum", "none"):
        xr = x.clone().requires_grad_()
        v = make(red)(xr, y)
        up = torch.linspace(-1, 2, v.numel(), dtype=torch.float64).reshape(v.shape) if red == "none" else None
        v.backward(up)
        out[red] = v.tolist()
        out[red + "_grad"] = xr.grad.tolist()
        if up is not None:
            out["up"] = up.tolist()
    out.update(opt)
    cases.append(out)


f64 = dict(dtype=torch.float64)
x = torch.randn(6, 5, **f64) * 3
y = torch.tensor([0, 4, 2, 2, 1, 3])
yi = torch.tensor([0, -100, 2, -100, 1, 3])
y2 = torch.tensor([0, 2, 2, 4, 1, 3])
w = torch.tensor([.5, 1, 2, .1, 3], **f64)
for tag, t, ig in (("", y, -100), ("ignored", yi, -100), ("ignore_index 2", y2, 2)):
    for ls in (0., .1, 1.):
        for ww in (None, w):
            add(f"CrossEntropy {tag} smoothing {ls} weights {ww is not None}",
                lambda red: nn.CrossEntropyLoss(weight=ww, ignore_index=ig, label_smoothing=ls, reduction=red),
                x, t, ignore_index=ig, label_smoothing=ls, weight=None if ww is None else ww.tolist())
t = torch.randn(6, 5, **f64) * 2
t[0, 0] = x[0, 0]
b = torch.rand(6, 5, **f64).round()
b[1] = torch.rand(5, **f64)
xb = x.clone()
xb[2, 0], xb[2, 1] = 800., -800.
add("MSE", lambda red: nn.MSELoss(reduction=red), x, t)
add("L1", lambda red: nn.L1Loss(reduction=red), x, t)
for d in (1., .3):
    add("Huber", lambda red: nn.HuberLoss(delta=d, reduction=red), x, t, arg=d)
for d in (1., .3, 0.):
    # 1.13's slope at x == y is -1 with beta 0; later releases call l1_loss, whose slope is 0
    add("SmoothL1", lambda red: nn.SmoothL1Loss(beta=d, reduction=red), x, t if d else t + 1e-3, arg=d)
add("BCEWithLogits", lambda red: nn.BCEWithLogitsLoss(reduction=red), xb, b)
add("BCEWithLogits", lambda red: nn.BCEWithLogitsLoss(reduction=red, pos_weight=w), xb, b, weight=w.tolist())
print(json.dumps({"torch": torch.__version__, "cases": cases}))
