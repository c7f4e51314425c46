"""Loads a model folder of unroll into PyTorch, strictly, and compares the loss.

    unroll eval MODEL DATA --case CASE.json
    python3 load_in_pytorch.py MODEL CASE.json

CASE.json holds one batch and the loss unroll computed on it: "tokens" [T][B] or
"features" [T][B][I]; "lengths" [B] if they differ; "targets", one class for each
row of the logits (-100: none), or "values" of the logits' shape, flat; "kind" of
the loss: cross_entropy, keys (binary cross entropy, summed over the keys, mean
over the steps), mse, l1 or huber. The exit code is 1 if PyTorch's loss is not
within 1e-5, or 1e-6 of its size.
"""
import json
import os
import struct
import sys

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, huber_loss, l1_loss, mse_loss
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def read_safetensors(path):
    with open(path, "rb") as f:
        n, = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
        data = f.read()
    out = {}
    for name, t in header.items():
        if name != "__metadata__":
            a, b = t["data_offsets"]
            assert t["dtype"] == "F32", t["dtype"]
            out[name] = torch.frombuffer(bytearray(data[a:b]), dtype=torch.float32).reshape(t["shape"])
    return out


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.last = c.get("output") == "last"
        r = dict(c["rnn"])
        mode = r.pop("mode")
        if mode.startswith("RNN_"):
            r["nonlinearity"] = mode[4:].lower()
            mode = "RNN"
        self.embedding = None
        if c.get("num_embeddings"):
            self.embedding = nn.Embedding(c["num_embeddings"], c["embedding_dim"], padding_idx=c.get("padding_idx"))
        self.rnn = getattr(nn, mode)(**r)
        d = 2 if r.get("bidirectional") else 1
        self.d = d
        self.fc = nn.Linear(d * (r.get("proj_size") or r["hidden_size"]), c["out_features"], bias=not c.get("no_head_bias"))
        if c.get("tie_weights"):
            self.embedding.weight = self.fc.weight

    def forward(self, x, lengths=None):
        steps = len(x)
        if self.embedding is not None:
            x = self.embedding(x)
        if lengths is not None:
            x = pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, h = self.rnn(x)
        if lengths is not None:
            y, _ = pad_packed_sequence(y, total_length=steps)
        if self.last:
            h = h[0] if isinstance(h, tuple) else h
            y = torch.cat(list(h[-self.d:]), dim=-1)
        return self.fc(y)


def loss_of(case, y):
    kind = case.get("kind", "cross_entropy")
    if kind == "cross_entropy":
        return cross_entropy(y.flatten(0, -2), torch.tensor(case["targets"]).flatten())
    want = torch.tensor(case["values"], dtype=torch.float32).reshape(y.shape)
    if kind == "keys":
        steps = torch.arange(len(y))[:, None] < torch.tensor(case.get("lengths") or [len(y)] * y.shape[1])
        return binary_cross_entropy_with_logits(y, want, reduction="none").sum(-1)[steps].mean()
    return {"mse": mse_loss, "l1": l1_loss, "huber": huber_loss}[kind](y, want)


def main(folder, case):
    with open(os.path.join(folder, "config.json")) as f:
        model = Model(json.load(f))
    model.load_state_dict(read_safetensors(os.path.join(folder, "model.safetensors")), strict=True)
    model.eval()
    with open(case) as f:
        case = json.load(f)
    x = torch.tensor(case["tokens"]) if "tokens" in case else torch.tensor(case["features"], dtype=torch.float32)
    lengths = torch.tensor(case["lengths"]) if case.get("lengths") else None
    with torch.no_grad():
        loss = loss_of(case, model(x, lengths)).item()
    print(f"PyTorch {torch.__version__}: {loss:.7f}, unroll: {case['loss']:.7f}")
    return 0 if abs(loss - case["loss"]) <= max(1e-5, 1e-6 * abs(loss)) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
