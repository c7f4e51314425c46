"""Writes the files of testdata/forms with the PyTorch that is installed: state
dicts and modules in unusual forms. For each NAME there is NAME.expect.safetensors,
the tensors a reader must find under their names, and in forms.json what it must
say besides.

    python testdata/forms.py testdata/forms
"""

import json
import os
import pickle
import re
import sys
import warnings

import numpy as np
import torch
from safetensors.torch import save_file
import torch.nn.utils.prune
from torch import nn

warnings.simplefilter("ignore")
out = sys.argv[1]
said = {}


def keep(name, tensors, **more):
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, os.path.join(out, name + ".expect.safetensors"))
    said[name] = more


def path(name):
    return os.path.join(out, name)


class Net(nn.Module):
    def __init__(self, kind="LSTM", **options):
        super().__init__()
        self.rnn = getattr(nn, kind)(3, 4, **options)
        self.fc = nn.Linear(8 if options.get("bidirectional") else 4, 2)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][-1])


class Cells(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.LSTMCell(3, 4)
        self.b = nn.GRUCell(3, 4)
        self.c = nn.RNNCell(3, 4, nonlinearity="relu")

    def forward(self, x):
        return self.a(x)[0] + self.b(x) + self.c(x)


# Objects beside the weights.
torch.manual_seed(1)
net = Net()
optimizer = torch.optim.Adam(net.parameters())
net(torch.ones(2, 1, 3)).sum().backward()
optimizer.step()
scheduler = torch.optim.lr_scheduler.StepLR(torch.optim.SGD(net.parameters(), lr=0.1), 2)
weights = {f"model/{k}": v for k, v in net.state_dict().items()}
objects = {
    "model": net.state_dict(),
    "criterion": nn.CrossEntropyLoss(),
    "optimizer": optimizer,
    "scheduler": scheduler,
    "generator": np.random.default_rng(1),
    "range": range(3),
    "regexp": re.compile("a+", re.I),
    "keys": {frozenset({1, 2}): 1, (1, "x"): 2},
    "cache": {torch.ones(2): 1},
    "function": np.sum,
    "slice": slice(1, 2),
    "state": np.random.get_state(),
    "sparse": torch.eye(2).to_sparse(),
    "exception": ValueError("no"),
}
torch.save(objects, path("objects.pt"))
passed = ["criterion", "optimizer", "scheduler", "generator", "range", "regexp", "slice", "sparse", "exception"]
keep("objects.pt", weights, prefix="model/", classes=passed, skipped=["optimizer/state", "cache"])

# Dynamically quantised layers.
kinds = {nn.LSTM, nn.GRU, nn.Linear, nn.LSTMCell, nn.GRUCell, nn.RNNCell}
for name, model, dtype in [
    ("quantized_lstm", Net(num_layers=2, bidirectional=True), torch.qint8),
    ("quantized_gru", Net("GRU"), torch.qint8),
    ("quantized_half", Net(), torch.float16),
    ("quantized_cells", Cells(), torch.qint8),
]:
    q = torch.ao.quantization.quantize_dynamic(model.eval(), kinds, dtype=dtype)
    expected = {}
    for layer, m in q.named_modules():
        if hasattr(m, "_all_weight_values"):
            for i, p in enumerate(m._all_weight_values):
                (_, biases, _, _, packed) = p.param.__getstate__()[0]
                pairs = [w.__getstate__()[0] for w in packed]
                base = f"{layer}._all_weight_values.{i}.param"
                expected[base + ".weight_ih"], expected[base + ".weight_hh"] = (w for w, _ in pairs)
                expected[base + ".bias_ih"], expected[base + ".bias_hh"] = biases or (b for _, b in pairs)
        elif type(m).__name__ == "Linear":
            expected[f"{layer}.weight"], expected[f"{layer}.bias"] = m.weight(), m.bias()
        elif hasattr(m, "_packed_weight_ih"):
            for w in ("_packed_weight_ih", "_packed_weight_hh"):
                weight, bias = getattr(m, w).__getstate__()[0]
                expected[f"{layer}.{w}.weight"], expected[f"{layer}.{w}.bias"] = weight, bias
    expected = {k: v.dequantize() if v.is_quantized else v for k, v in expected.items()}
    for form, save in {
        "sd": lambda p: torch.save(q.state_dict(), p),
        "module": lambda p: torch.save(q, p),
        "script": lambda p: torch.jit.save(torch.jit.script(q), p),
    }.items():
        save(path(f"{name}.{form}.pt"))
        ends = ("/0", "/1") if form == "sd" else (".weight", ".bias")
        biases = {}
        for layer, m in q.named_modules():
            if hasattr(m, "_packed_weight_ih") and form != "sd":  # attributes that a state_dict leaves out
                biases.update({f"{layer}.bias_ih": m.bias_ih, f"{layer}.bias_hh": m.bias_hh})
        names = {"fc.weight": "fc._packed_params._packed_params" + ends[0], "fc.bias": "fc._packed_params._packed_params" + ends[1]}
        keep(f"{name}.{form}.pt", {names.get(k, k): v for k, v in (expected | biases).items()}, program=form == "script")

base = torch.randn(3, 4, 2)
channels = torch.quantize_per_channel(base, torch.tensor([0.1, 0.02, 0.3, 0.04], dtype=torch.double), torch.tensor([3, 0, 5, 250]), 1, torch.quint8)
wide = torch.quantize_per_tensor(base, 1e-6, 7, torch.qint32)
torch.save({"channels": channels, "turned": torch.quantize_per_tensor(base, 0.01, -3, torch.qint8).permute(2, 0, 1), "wide": wide}, path("quantized_tensors.pt"))
keep("quantized_tensors.pt", {"channels": channels.dequantize(), "turned": torch.quantize_per_tensor(base, 0.01, -3, torch.qint8).dequantize().permute(2, 0, 1), "wide": wide.dequantize()})

# Programs.
net = Net(num_layers=2).eval()
torch.jit.save(torch.jit.script(net), path("script.pt"))
torch.jit.save(torch.jit.trace(net, torch.zeros(5, 1, 3)), path("trace.pt"))
torch.export.save(torch.export.export(net, (torch.zeros(5, 1, 3),)), path("export.pt2"))
for name in ("script.pt", "trace.pt", "export.pt2"):
    keep(name, net.state_dict(), program=True)

# Pickles by themselves.
state = net.fc.state_dict()
for protocol in range(6):
    with open(path(f"numpy{protocol}.pkl"), "wb") as f:
        pickle.dump({k: v.numpy() for k, v in state.items()}, f, protocol=protocol)
    with open(path(f"tensors{protocol}.pkl"), "wb") as f:
        pickle.dump(state, f, protocol=protocol)
    keep(f"numpy{protocol}.pkl", state)
    keep(f"tensors{protocol}.pkl", state)


# Whole modules and their settings.
class Last(nn.Module):
    def forward(self, x):
        return x[0][:, -1]


stack = nn.Sequential(
    nn.Conv1d(3, 4, 3, stride=2, padding=1, dilation=1, groups=1),
    nn.BatchNorm1d(4, eps=1e-3),
    nn.ReLU(),
    nn.Sequential(nn.LSTM(4, 4, batch_first=True), Last(), nn.LayerNorm(4, eps=1e-4), nn.Dropout(0.25), nn.LeakyReLU(0.2)),
    nn.Softmax(dim=-1),
)
torch.save(stack, path("sequential.pt"))
modules = {
    "": {"class": "torch.nn.modules.container.Sequential"},
    "0": {"class": "torch.nn.modules.conv.Conv1d", "stride": [2], "padding": [1], "kernel_size": [3], "groups": 1, "padding_mode": "zeros"},
    "1": {"class": "torch.nn.modules.batchnorm.BatchNorm1d", "eps": 1e-3},
    "3.0": {"class": "torch.nn.modules.rnn.LSTM", "batch_first": True, "num_layers": 1},
    "3.2": {"class": "torch.nn.modules.normalization.LayerNorm", "eps": 1e-4, "normalized_shape": [4]},
    "3.3": {"class": "torch.nn.modules.dropout.Dropout", "p": 0.25},
    "3.4": {"class": "torch.nn.modules.activation.LeakyReLU", "negative_slope": 0.2},
    "4": {"class": "torch.nn.modules.activation.Softmax", "dim": -1},
}
keep("sequential.pt", stack.state_dict(), modules=modules)

normed = Net()
nn.utils.weight_norm(normed.rnn, "weight_hh_l0")
nn.utils.prune.l1_unstructured(normed.fc, "weight", 0.5)
torch.save(normed, path("hooks.pt"))
keep("hooks.pt", normed.state_dict(), modules={
    "rnn": {"class": "torch.nn.modules.rnn.LSTM", "hook": ["torch.nn.utils.weight_norm.WeightNorm", "name", "weight_hh_l0"]},
    "fc": {"class": "torch.nn.modules.linear.Linear", "hook": ["torch.nn.utils.prune.L1Unstructured", "_tensor_name", "weight"]},
})
with open(path("forms.json"), "w") as f:
    json.dump({"torch": torch.__version__, "files": said}, f, indent=1, sort_keys=True)
    f.write("\n")
