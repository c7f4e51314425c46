"""Writes sequential.pt and custom.pt, modules that were saved whole, and
pickled.safetensors: their inputs and what torch makes of them.

    python internal/chain/testdata/pickled.py
"""
import os
import sys
import types

import torch
from safetensors.torch import save_file
from torch import nn

here = os.path.dirname(os.path.abspath(__file__))
zoo = types.ModuleType("zoo")  # the class is named in the file, and not needed to read it
sys.modules["zoo"] = zoo
torch.manual_seed(2)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3, stride=2, padding=1)
        self.norm = nn.GroupNorm(2, 4, eps=0.01)
        self.rnn = nn.RNN(4, 5, nonlinearity="relu", batch_first=True)
        self.head = nn.Sequential(nn.Linear(5, 6), nn.LeakyReLU(0.3), nn.Dropout(0.5), nn.Sequential(nn.Linear(6, 2), nn.Softmax(dim=-1)))

    def forward(self, x):
        x = self.norm(self.conv(x)).transpose(1, 2)
        return self.head(self.rnn(x)[0][:, -1])


Net.__module__ = "zoo"
Net.__qualname__ = "Net"
zoo.Net = Net

sequential = nn.Sequential(
    nn.Conv2d(1, 4, 3, stride=(2, 1), padding=1, bias=False), nn.BatchNorm2d(4, eps=0.1), nn.ReLU(), nn.Dropout2d(0.2),
    nn.Sequential(nn.MaxPool2d(2, ceil_mode=True), nn.Hardtanh(-0.5, 0.5)), nn.ConvTranspose2d(4, 2, 2, stride=2), nn.Flatten(2), nn.Unflatten(1, (2, 1)), nn.Flatten(),
    nn.Linear(96, 6), nn.PReLU(), nn.LayerNorm(6, eps=0.2), nn.Softplus(beta=2), nn.Linear(6, 3, bias=False), nn.LogSoftmax(dim=1)).eval()
net = Net().eval()
with torch.no_grad():
    sequential[1].running_mean.uniform_(-1, 1)
    sequential[1].running_var.uniform_(0.5, 2)
    x, y = torch.randn(2, 1, 7, 12), torch.randn(2, 3, 9)
    torch.save(sequential, os.path.join(here, "sequential.pt"))
    torch.save({"epoch": 3, "model": net}, os.path.join(here, "custom.pt"))
    save_file({"sequential.in0": x, "sequential.out0": sequential(x), "custom.in0": y, "custom.out0": net(y)}, os.path.join(here, "pickled.safetensors"))
