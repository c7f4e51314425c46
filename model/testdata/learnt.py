"""Writes models whose initial states are parameters, as users write and export them
(learnt.onnx, its state dict learnt.pt; bare.onnx, where h_n is no output), and
learnt.npz: inputs and what torch makes of them.

    python model/testdata/learnt.py
"""
import os

import numpy as np
import torch
from torch import nn

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(1)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, 2, batch_first=True)
        self.h0 = nn.Parameter(torch.randn(2, 1, 4))
        self.c0 = nn.Parameter(torch.randn(2, 1, 4))
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        start = [p.expand(-1, x.size(0), -1).contiguous() for p in (self.h0, self.c0)]
        y, (h, c) = self.lstm(x, tuple(start))
        return self.fc(y), h, c


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 4, batch_first=True)
        self.h0 = nn.Parameter(torch.randn(4))

    def forward(self, x):
        return self.gru(x, torch.tanh(self.h0).repeat(1, x.size(0), 1))[0]


numbers = {}
for name, model, names in (("learnt", Two(), ["y", "h", "c"]), ("bare", Bare(), ["y"])):
    model.eval()
    x = torch.randn(3, 5, 3)
    y = model(x)
    numbers[name + ".x"] = x.numpy()
    numbers[name + ".y"] = (y[0] if len(names) > 1 else y).detach().numpy()
    torch.onnx.export(model, (x,), f"{here}/{name}.onnx", dynamo=False, opset_version=17, input_names=["x"], output_names=names,
                      dynamic_axes={"x": {0: "batch", 1: "time"}})
    if name == "learnt":
        torch.save(model.state_dict(), f"{here}/{name}.pt")
np.savez(f"{here}/learnt.npz", **numbers)
