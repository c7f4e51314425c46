"""Writes optim.json: what torch.optim does (float64), for optim_test.go.

    python3 optim.py > optim.json

With an argument, that is the seed of the gradients (1).
"""
import json
import sys

import torch
from torch import optim
from torch.optim import lr_scheduler as sched

torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
p0 = torch.randn(7, dtype=torch.float64)
grads = torch.randn(12, 7, dtype=torch.float64)
grads[3] *= 100
optimizers = []
for name, args in [
    ("SGD", dict(lr=.1)),
    ("SGD", dict(lr=.1, weight_decay=.02)),
    ("SGD", dict(lr=.1, momentum=.9)),
    ("SGD", dict(lr=.1, momentum=.9, dampening=.3, weight_decay=.01)),
    ("SGD", dict(lr=.1, momentum=.9, nesterov=True)),
    ("SGD", dict(lr=.1, momentum=.9, maximize=True, weight_decay=.01)),
    ("Adam", {}),
    ("Adam", dict(lr=.01, betas=(.8, .95), eps=1e-4, weight_decay=.1)),
    ("Adam", dict(lr=.01, amsgrad=True)),
    ("Adam", dict(lr=.01, maximize=True)),
    ("AdamW", {}),
    ("AdamW", dict(lr=.02, weight_decay=.2, amsgrad=True)),
    ("AdamW", dict(lr=.02, weight_decay=0., maximize=True)),
    ("RMSprop", {}),
    ("RMSprop", dict(lr=.02, alpha=.9, eps=1e-3, weight_decay=.1)),
    ("RMSprop", dict(lr=.02, momentum=.7)),
    ("RMSprop", dict(lr=.02, momentum=.7, centered=True)),
    ("Adagrad", {}),
    ("Adagrad", dict(lr=.1, lr_decay=.05, weight_decay=.01, initial_accumulator_value=.3, eps=1e-3)),
    ("Adagrad", dict(lr=.1, maximize=True)),
    # zero is a value
    ("SGD", dict(lr=0., momentum=.9)),
    ("Adam", dict(lr=0.)),
    ("Adam", dict(lr=.01, betas=(0., 0.), eps=0.)),
    ("AdamW", dict(lr=.01, betas=(0., .9), eps=0., weight_decay=0.)),
    ("RMSprop", dict(lr=.01, alpha=0., eps=0.)),
    ("RMSprop", dict(lr=0.)),
    ("Adagrad", dict(lr=.1, eps=0.)),
]:
    p = p0.clone().requires_grad_()
    o = getattr(optim, name)([p], **({"lr": .1} if name == "SGD" else {}) | args)
    steps = []
    for g in grads:
        p.grad = g.clone()
        o.step()
        steps.append(p.tolist())
    optimizers.append({"name": name, "args": args, "steps": steps})

metrics = [5, 4, 3, 3, 3, 2.999, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
schedules = []
for name, args in [
    ("StepLR", dict(step_size=4)),
    ("StepLR", dict(step_size=7, gamma=.5)),
    ("CosineAnnealingLR", dict(T_max=10)),
    ("CosineAnnealingLR", dict(T_max=30, eta_min=.01)),
    ("OneCycleLR", dict(max_lr=.6, total_steps=31)),
    ("OneCycleLR", dict(max_lr=.6, total_steps=31, pct_start=.5, anneal_strategy="linear", div_factor=10., final_div_factor=100.)),
    ("OneCycleLR", dict(max_lr=.6, total_steps=31, three_phase=True, base_momentum=.8, max_momentum=.9)),
    ("OneCycleLR", dict(max_lr=.6, total_steps=31, cycle_momentum=False)),
    ("LinearLR", {}),
    ("LinearLR", dict(start_factor=.1, end_factor=.9, total_iters=12)),
    ("ReduceLROnPlateau", dict(patience=2)),
    ("ReduceLROnPlateau", dict(patience=0, factor=.5, threshold=.01, cooldown=2, min_lr=1e-3)),
    ("ReduceLROnPlateau", dict(patience=1, threshold=.5, threshold_mode="abs")),
    ("ReduceLROnPlateau", dict(patience=1, mode="max")),
    ("ReduceLROnPlateau", dict(patience=1, mode="max", threshold_mode="abs")),
    ("SequentialLR", {}),
    # zero is a value
    ("StepLR", dict(step_size=4, gamma=0.)),
    ("CosineAnnealingLR", dict(T_max=10, eta_min=0.)),
    ("CosineAnnealingLR", dict(T_max=1)),
    ("OneCycleLR", dict(max_lr=.6, total_steps=31, base_momentum=0., max_momentum=0., pct_start=0.)),
    ("OneCycleLR", dict(max_lr=.6, total_steps=31, base_momentum=0.)),
    ("OneCycleLR", dict(max_lr=0., total_steps=31)),
    ("LinearLR", dict(end_factor=0.)),
    ("LinearLR", dict(total_iters=0)),
    ("ReduceLROnPlateau", dict(patience=0, factor=0., threshold=0., min_lr=0., eps=0.)),
]:
    o = optim.SGD([torch.zeros(1, requires_grad=True)], lr=.2, momentum=.9)
    if name == "SequentialLR":
        s = sched.SequentialLR(o, [sched.LinearLR(o, .1, 1., 6), sched.CosineAnnealingLR(o, 20)], [6])
    else:
        s = getattr(sched, name)(o, **args)
    lr, mom = [], []
    for m in metrics:
        lr.append(o.param_groups[0]["lr"])
        mom.append(o.param_groups[0]["momentum"])
        o.step()
        s.step(m) if name == "ReduceLROnPlateau" else s.step()
    schedules.append({"name": name, "args": args, "lr": lr, "momentum": mom})
# Momentum as a schedule gives it, also to those that have none of their own.
cycles = []
for name, args in [("SGD", dict(lr=.1)), ("SGD", dict(lr=.1, momentum=.5, dampening=.2, weight_decay=.01)), ("SGD", dict(lr=.1, momentum=.9, nesterov=True)),
                   ("RMSprop", {}), ("RMSprop", dict(momentum=.3, centered=True)), ("Adam", {})]:
    for top in (.95, 0.):
        p = p0.clone().requires_grad_()
        o = getattr(optim, name)([p], **args)
        s = sched.OneCycleLR(o, max_lr=.05, total_steps=len(grads) + 1, base_momentum=top and .85, max_momentum=top)
        steps = []
        for g in grads:
            p.grad = g.clone()
            o.step()
            s.step()
            steps.append(p.tolist())
        cycles.append({"name": name, "args": args, "top": top, "steps": steps})
    if name == "Adam":
        continue
    p = p0.clone().requires_grad_()  # a momentum that goes and comes again
    o = getattr(optim, name)([p], **args)
    steps = []
    for k, g in enumerate(grads):
        o.param_groups[0]["momentum"] = 0. if 5 <= k < 8 else .7
        p.grad = g.clone()
        o.step()
        steps.append(p.tolist())
    cycles.append({"name": name, "args": args, "top": -1, "steps": steps})
print(json.dumps({"cycles": cycles, "torch": torch.__version__, "start": p0.tolist(), "grads": grads.tolist(), "optimizers": optimizers,
                  "metrics": metrics, "schedules": schedules}))
