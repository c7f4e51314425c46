"""Writes what torch.onnx.export of a recent PyTorch makes of recurrent models,
by its exporter of torch.export programs (dynamo=True, the default since 2.9)
and, where that one fails, by the one of TorchScript; and beside each file what
PyTorch computes for two sets of inputs. Needs torch, onnx, onnxscript, numpy.

Node metadata is removed: it holds stack traces with paths of this machine."""

import os
import sys

import numpy as np
import onnx
import torch
from torch import nn
from torch.export import Dim
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "operators"))
import make as base  # noqa: E402

torch.manual_seed(5)
T, B, I, H = 5, 3, 3, 4


class Model(nn.Module):
    """embedding (or none), layer, head (or none) on every step, the last one,
    or the final hidden states."""

    def __init__(self, kind, layers=1, bidirectional=False, batch_first=False, tokens=0, out=0, on="all"):
        super().__init__()
        self.embedding = nn.Embedding(tokens, I) if tokens else None
        self.rnn = getattr(nn, kind)(I, H, layers, bidirectional=bidirectional, batch_first=batch_first)
        self.fc = nn.Linear(H * (1 + bidirectional), out) if out else None
        self.on = on

    def forward(self, x, h0=None, c0=None):
        if self.embedding is not None:
            x = self.embedding(x)
        y, h = self.rnn(x, (h0, c0) if c0 is not None else h0)
        if self.fc is None:
            return (y,) + h if isinstance(h, tuple) else (y, h)
        if self.on == "last":
            y = y[:, -1] if self.rnn.batch_first else y[-1]
        elif self.on == "final":
            h = h[0] if isinstance(h, tuple) else h
            y = torch.cat([h[-2], h[-1]], -1) if self.rnn.bidirectional else h[-1]
        return (self.fc(y),)


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(I, H, 2, bidirectional=True, batch_first=True)

    def forward(self, x, lengths):
        p = pack_padded_sequence(x, lengths, enforce_sorted=False, batch_first=True)
        y, h = self.rnn(p)
        return (pad_packed_sequence(y, batch_first=True)[0],) + h


class PackedModel(nn.Module):
    def __init__(self, final):
        super().__init__()
        self.embedding = nn.Embedding(11, I)
        self.rnn = nn.GRU(I, H, 2, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(2 * H, 5)
        self.final = final

    def forward(self, x, lengths):
        p = pack_padded_sequence(self.embedding(x), lengths, enforce_sorted=False, batch_first=True)
        y, h = self.rnn(p)
        if self.final:
            return (self.fc(torch.cat([h[-2], h[-1]], -1)),)
        return (self.fc(pad_packed_sequence(y, batch_first=True)[0]),)


def save(name, model, inputs, dynamic, old=None, external=False, opset=None):
    """inputs makes the inputs of T and B; dynamic names the axes, or None;
    external puts the weights into a file of their own."""
    model.eval()
    args = inputs(T, B)
    path = os.path.join(HERE, name + ".onnx")
    if old:
        torch.onnx.export(model, args, path, dynamo=False, **old)
    else:
        torch.onnx.export(model, args, path, dynamo=True, verbose=False, external_data=external, dynamic_shapes=dynamic, opset_version=opset)
    m = onnx.load(path, load_external_data=False)
    for g in [m.graph] + list(m.functions):
        for x in list(getattr(g, "node", [])) + list(getattr(g, "value_info", [])):
            del x.metadata_props[:]
    for x in list(m.graph.input) + list(m.graph.output) + list(m.graph.initializer):
        del x.metadata_props[:]
    del m.metadata_props[:]
    del m.graph.metadata_props[:]
    onnx.save(m, path)
    onnx.checker.check_model(path)
    tensors = {}
    for k, (t, b) in enumerate([(T, B), (7, 2)]):  # a fixed shape binds the file, not the model
        values = inputs(t, b)
        with torch.no_grad():
            results = model(*values)
        for v, x in zip(m.graph.input, values):
            tensors[f"set{k}.{v.name}"] = x.numpy()
        for v, x in zip(m.graph.output, results):
            tensors[f"set{k}.{v.name}"] = x.numpy()
    base.save(os.path.join(HERE, name + ".safetensors"), tensors, {"origin": "torch " + torch.__version__})


def features(first):
    return lambda t, b: (torch.randn(*((b, t) if first else (t, b)), I),)


def tokens(first):
    return lambda t, b: (torch.randint(0, 11, (b, t) if first else (t, b)),)


A = Dim.AUTO
both = ({0: A, 1: A},)
save("torch_lstm_static", Model("LSTM"), features(False), None)
save("torch_gru_bi_2layers", Model("GRU", 2, True), features(False), both)
save("torch_lstm_2layers_batchfirst", Model("LSTM", 2, batch_first=True), features(True), both)
save("torch_gru_states", Model("GRU", 2), lambda t, b: (torch.randn(t, b, I), torch.randn(2, b, H)), ({0: A, 1: A}, {1: A}))
save("torch_lstm_states", Model("LSTM", 2), lambda t, b: (torch.randn(t, b, I), torch.randn(2, b, H), torch.randn(2, b, H)),
     ({0: A, 1: A}, {1: A}, {1: A}))
save("torch_language_model", Model("LSTM", 2, tokens=11, out=11), tokens(False), both)
save("torch_gru_bi_model_static", Model("GRU", 1, True, True, tokens=11, out=5), tokens(True), None)
save("torch_lstm_last_step", Model("LSTM", 1, batch_first=True, tokens=11, out=5, on="last"), tokens(True), both)
save("torch_lstm_bi_final", Model("LSTM", 2, True, True, out=2, on="final"), features(True), both)
save("torch_gru_opset26_external", Model("GRU", 2, True), features(False), both, external=True, opset=26)
# torch.export fails on packed sequences.
save("torch_packed_unsorted", Packed(), lambda t, b: (torch.randn(b, t, I), torch.tensor([2, t, 3][:b])), None, {
    "input_names": ["x", "lengths"], "output_names": ["y", "h_n", "c_n"],
    "dynamic_axes": {"x": {0: "b", 1: "t"}, "lengths": {0: "b"}, "y": {0: "b", 1: "t"}, "h_n": {1: "b"}, "c_n": {1: "b"}}})
for final in [False, True]:
    axes = {"x": {0: "b", 1: "t"}, "lengths": {0: "b"}, "y": {0: "b"} if final else {0: "b", 1: "t"}}
    save("torch_packed_model" + ("_final" if final else ""), PackedModel(final),
         lambda t, b: (torch.randint(0, 11, (b, t)), torch.tensor([2, t, 3][:b])), None,
         {"input_names": ["x", "lengths"], "output_names": ["y"], "dynamic_axes": axes})
# The exporter of torch.export writes nn.RNN out step by step: refused.
refused = nn.RNN(I, H).eval()
path = os.path.join(HERE, "refused_torch_rnn_unrolled.onnx")
torch.onnx.export(refused, features(False)(2, B), path, dynamo=True, verbose=False, external_data=False)
m = onnx.load(path)
for x in list(m.graph.node) + list(m.graph.value_info) + list(m.graph.input) + list(m.graph.output) + list(m.graph.initializer):
    del x.metadata_props[:]
del m.metadata_props[:]
onnx.save(m, path)
