"""Writes the policy of this example and what PyTorch says of it.

    python make.py        # PyTorch 2, onnx

Two heads on a GRU whose state goes in and out: what to do, and how good things are.
"""
import json

import torch
from torch import nn


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.see = nn.Linear(6, 32)
        self.think = nn.GRU(32, 32, batch_first=True)
        self.do = nn.Linear(32, 3)
        self.value = nn.Linear(32, 1)

    def forward(self, sight, memory):
        y, memory_out = self.think(torch.relu(self.see(sight)).unsqueeze(1), memory)
        y = y[:, 0]
        return torch.log_softmax(self.do(y), -1), self.value(y).squeeze(-1), memory_out


torch.manual_seed(7)
policy = Policy().eval()
with torch.no_grad():
    for p in policy.parameters():
        p.mul_(2)
torch.onnx.export(policy, (torch.zeros(2, 6), torch.zeros(1, 2, 32)), "policy.onnx", dynamo=False,
                  input_names=["sight", "memory"], output_names=["actions", "value", "memory_out"],
                  dynamic_axes={n: {d: "batch"} for n, d in
                                (("sight", 0), ("memory", 1), ("actions", 0), ("value", 0), ("memory_out", 1))})
sights = torch.randn(20, 3, 6)
memory, steps = torch.zeros(1, 3, 32), []
with torch.no_grad():
    for sight in sights:
        actions, value, memory = policy(sight, memory)
        steps.append({"sight": sight.tolist(), "actions": actions.tolist(), "value": value.tolist()})
json.dump(steps, open("expect.json", "w"))
