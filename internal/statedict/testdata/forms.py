"""Writes testdata/forms with the PyTorch that is installed: state_dicts whose
parameters are in pieces (NAME.safetensors), and the parameters that PyTorch
computes of them in eval mode under their plain names (NAME.expect.safetensors).

    python testdata/forms.py testdata/forms
"""

import os
import sys
import warnings

import torch
import torch.nn.utils.prune
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations as p

warnings.simplefilter("ignore")
out = sys.argv[1]


def keep(name, state, expect):
    for file, tensors in ((name, state), (name + ".expect", expect)):
        save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, os.path.join(out, file + ".safetensors"))


def net(kind="LSTM", **options):
    torch.manual_seed(1)
    return nn.ModuleDict({"rnn": getattr(nn, kind)(3, 4, **options), "fc": nn.Linear(4, 2)})


def plain(m, names, layer="rnn"):
    return {f"{layer}.{n}": getattr(m[layer], n) for n in names}


def warm(m, steps=3):
    m.train()
    for _ in range(steps):
        m["rnn"](torch.randn(5, 2, 3))
    return m.eval()


m = net()
for n in ("weight_hh_l0", "weight_ih_l0"):
    p.weight_norm(m["rnn"], n, dim=0)
keep("weight_norm", m.state_dict(), plain(m, ("weight_hh_l0", "weight_ih_l0", "bias_ih_l0")))
m = net("GRU", bidirectional=True)
nn.utils.weight_norm(m["rnn"], "weight_hh_l0_reverse")
nn.utils.weight_norm(m["rnn"], "weight_ih_l0", dim=1)
nn.utils.weight_norm(m["fc"], "weight", dim=None)
keep("weight_norm_old", m.state_dict(), plain(m, ("weight_hh_l0_reverse", "weight_ih_l0", "weight_hh_l0")) | plain(m, ("weight",), "fc"))

m = net().double()
p.spectral_norm(m["rnn"], "weight_hh_l0")
m.train()
for _ in range(3):
    m["rnn"](torch.randn(5, 2, 3, dtype=torch.double))
m.eval()
keep("spectral_norm_double", m.state_dict(), plain(m, ("weight_hh_l0",)))
m = net()
nn.utils.spectral_norm(m["rnn"], "weight_hh_l0")
warm(m)
with torch.no_grad():
    m["rnn"](torch.randn(5, 2, 3))  # the hook computes the weight
keep("spectral_norm_old", m.state_dict(), plain(m, ("weight_hh_l0",)))
m = nn.ModuleDict({"up": nn.ConvTranspose1d(3, 5, 2)})
p.spectral_norm(m["up"])
m.train()
m["up"](torch.randn(1, 3, 4))
m.eval()
keep("spectral_norm_transposed", m.state_dict(), plain(m, ("weight",), "up"))

m = net(num_layers=2)
nn.utils.prune.random_unstructured(m["rnn"], "weight_hh_l1", 0.4)
keep("pruned", m.state_dict(), plain(m, ("weight_hh_l1",)))

m = nn.ModuleDict({"rnn": nn.LSTM(4, 4)})
p.orthogonal(m["rnn"], "weight_hh_l0")
keep("orthogonal", m.state_dict(), {})
m = nn.ModuleDict({"rnn": nn.LSTM(4, 4)})
p.orthogonal(m["rnn"], "weight_hh_l0", orthogonal_map="householder", use_trivialization=False)
keep("orthogonal_plain", m.state_dict(), {})
