#!/usr/bin/env python3
"""Writes networks that PyTorch quantised dynamically, an LSTM of two layers and a head,
and what PyTorch computes with them: of the quantised modules, and in float32 with the
same integers.

    python3 dynamic.py      # torch 2, safetensors

dynamic-tensor.pt has one scale a weight, dynamic-channel.pt one for each output of the
head (of a layer PyTorch takes one for all).
"""
import copy
import torch
from safetensors.torch import save_file
from torch import nn
from torch.ao.quantization import default_dynamic_qconfig, per_channel_dynamic_qconfig, quantize_dynamic


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.LSTM(10, 24, 2), nn.Linear(24, 7)

    def forward(self, x):
        return self.fc(self.rnn(x)[0])


def packed(o, found):
    """The tensors in an object of C++, dequantised."""
    if isinstance(o, torch.Tensor):
        found.append(o.dequantize() if o.is_quantized else o)
    elif isinstance(o, torch.ScriptObject):
        packed(o.__getstate__(), found)
    elif isinstance(o, (tuple, list)):
        for e in o:
            packed(e, found)
    return found


torch.manual_seed(5)
net = Net().eval()
x = torch.randn(9, 3, 10)
for name, config in (("tensor", default_dynamic_qconfig), ("channel", per_channel_dynamic_qconfig)):
    q = quantize_dynamic(net, {nn.LSTM: default_dynamic_qconfig, nn.Linear: config})
    torch.save(q.state_dict(), f"dynamic-{name}.pt")
    plain = copy.deepcopy(net)
    with torch.no_grad():
        for k, p in plain.rnn.named_parameters():
            layer = int(k[-1])
            tensors = packed(q.rnn._all_weight_values[layer].param.__getstate__(), [])
            if k.startswith("weight"):
                i = "hh" in k
                p.copy_([t for t in tensors if t.dim() == 2][i])
        plain.fc.weight.copy_(q.fc.weight().dequantize())
        save_file({"input": x, "output": q(x).contiguous(), "float": plain(x).contiguous()}, f"dynamic-{name}.safetensors")
