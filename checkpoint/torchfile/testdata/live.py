"""Writes checkpoints with the PyTorch that is installed, into the folder named
by the first argument, and prints as JSON what a reader must find in each:
every tensor's type, shape and elements, and some values.

Run by TestLivePyTorch.
"""

import argparse
import collections
import copy
import enum
import json
import os
import sys

import numpy as np
import torch

out = sys.argv[1]
expected = {}


def tensors(obj, path=""):
    """The tensors of obj by path, as the reader names them."""
    if isinstance(obj, torch.nn.Module):
        obj = obj.state_dict()
    if isinstance(obj, np.ndarray):
        obj = torch.from_numpy(obj)
    if isinstance(obj, torch.Tensor):
        x = obj.detach()
        wide = x.double() if x.is_floating_point() else x.long()
        numbers = wide.contiguous().view(-1).tolist()
        yield path or "tensor", {
            "dtype": str(x.dtype).removeprefix("torch."),
            "shape": list(x.shape),
            "data": [repr(n) for n in numbers],
        }
        return
    if isinstance(obj, dict):
        items = obj.items()
    elif isinstance(obj, (list, tuple)):
        items = enumerate(obj)
    elif hasattr(obj, "__dict__") and not isinstance(obj, (type, enum.Enum)):
        items = vars(obj).items()
    else:
        return
    for key, value in items:
        yield from tensors(value, f"{path}/{key}" if path else str(key))


def save(name, obj, values=None, **options):
    torch.save(obj, os.path.join(out, name), **options)
    expected[name] = {"tensors": dict(tensors(obj)), "values": values or {}}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.act = torch.tanh
        self.embed = torch.nn.Embedding(7, 3)
        self.rnn = torch.nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)
        self.norm = torch.nn.BatchNorm1d(4)
        self.head = torch.nn.Linear(4, 7, bias=False)
        self.register_buffer("scratch", torch.ones(3), persistent=False)
        self.register_buffer("scale", torch.tensor(2.5))
        self.sizes = [3, 4]
        self.cache = torch.ones(2)


class Kind(enum.Enum):
    A = 1


torch.manual_seed(1)
net = Net()
gru = torch.nn.GRU(3, 4)

for suffix, options in {
    "zip": {},
    "old": {"_use_new_zipfile_serialization": False},
    "p3": {"pickle_protocol": 3},
    "p4": {"pickle_protocol": 4},
    "p5": {"pickle_protocol": 5},
    "old1": {"pickle_protocol": 1, "_use_new_zipfile_serialization": False},
    "p1": {"pickle_protocol": 1},
    "old4": {"pickle_protocol": 4, "_use_new_zipfile_serialization": False},
}.items():
    save(f"state_{suffix}.pt", gru.state_dict(), **options)
    save(f"module_{suffix}.pt", net, {"rnn.input_size": 3, "rnn.mode": "LSTM", "rnn.proj_size": 2, "sizes/1": 4, "training": True}, **options)
    save(f"parallel_{suffix}.pt", torch.nn.DataParallel(gru).state_dict(), **options)
    save(
        f"mixed_{suffix}.pt",
        {
            "model": net,
            "epoch": 7,
            "lr": 0.125,
            "big": 2**70,
            "negative": -(2**40),
            "none": None,
            "text": "naïve ☃",
            "bytes": b"\x00\xff",
            "list": [torch.arange(3), (torch.zeros(0, 2), 1.5)],
            "dtype": torch.bfloat16,
            "device": torch.device("cpu"),
            "size": torch.Size([2, 3]),
            "ordered": collections.OrderedDict(a=torch.eye(2)),
            "default": collections.defaultdict(list, a=[1]),
            "args": argparse.Namespace(hidden=12, weights=torch.ones(2)),
            "kind": Kind.A,
            "numpy": np.arange(6, dtype=np.float32).reshape(2, 3),
            "fortran": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
            "best": np.float64(0.5),
            "count": np.int32(-3),
            "set": {1},
            "complex": 1 + 2j,
        },
        {"epoch": 7, "lr": 0.125, "text": "naïve ☃", "none": None, "negative": -(2**40), "device": "cpu", "size/1": 3,
         "default/a/0": 1, "args/hidden": 12, "best": 0.5, "count": -3, "set/0": 1, "list/1/1": 1.5, "model/rnn.hidden_size": 4},
        **options,
    )
    base = torch.randn(4, 6, dtype=torch.float64)
    save(
        f"views_{suffix}.pt",
        {
            "base": base,
            "t": base.t(),
            "step": base[::2, 1::3],
            "flip": base.flip(0),
            "expanded": base[0].expand(3, 6),
            "diagonal": base.diagonal(),
            "unfold": base.view(-1).unfold(0, 5, 2),
            "half": base.half().t(),
            "bool": (base > 0).t(),
            "int8": torch.arange(-3, 3, dtype=torch.int8),
            "uint8": torch.arange(250, 256, dtype=torch.uint8),
            "int16": torch.arange(-3, 3, dtype=torch.int16)[::2],
            "int32": torch.arange(-3, 3, dtype=torch.int32),
            "bfloat16": base.bfloat16()[1:],
            "parameter": torch.nn.Parameter(torch.ones(2)),
            "scalar": torch.tensor(3),
        },
        **options,
    )
    save(f"lone_{suffix}.pt", torch.linspace(0, 1, 5), **options)
    tied = torch.nn.ModuleDict({"a": gru, "b": gru})
    save(f"tied_{suffix}.pt", tied, {"a.hidden_size": 4, "b.hidden_size": 4}, **options)

for kind in ("SGD", "Adam", "AdamW", "RMSprop"):
    model = torch.nn.LSTM(3, 4)
    o = getattr(torch.optim, kind)(model.parameters(), lr=0.1)
    s = torch.optim.lr_scheduler.StepLR(o, 2)
    model(torch.ones(2, 1, 3))[0].sum().backward()
    o.step()
    s.step()
    save(f"training_{kind}.pt", {"model": model.state_dict(), "optimizer": o.state_dict(), "scheduler": s.state_dict(), "rng": torch.get_rng_state()},
         {"optimizer/param_groups/0/lr": 0.1, "scheduler/step_size": 2, "optimizer/param_groups/0/params/3": 3})

save("copy.pt", copy.deepcopy(gru).double(), {"hidden_size": 4})
if hasattr(torch, "compile") and hasattr(torch, "_dynamo"):
    save("compiled.pt", torch.compile(gru).state_dict())
print(json.dumps({"torch": torch.__version__, "files": expected}))
