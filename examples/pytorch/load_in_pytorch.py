"""Loads a model folder of unroll into PyTorch, strictly, and prints its loss.

    python3 load_in_pytorch.py MODEL CASE.json

CASE.json holds "tokens" [T][B] or "features" [T][B][I], "targets" ([T][B], or
[B] for models that use the last state), and "loss", the mean cross entropy
that unroll computed. The exit code is 1 if PyTorch's differs by more than 1e-5.
"""
import json
import os
import struct
import sys

import torch
from torch import nn


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

    def forward(self, x):
        if self.embedding is not None:
            x = self.embedding(x)
        y, h = self.rnn(x)
        if self.last:
            h = h[0] if isinstance(h, tuple) else h
            y = torch.cat(list(h[-self.d:]), dim=-1)
        return self.fc(y)


def main(folder, case):
    with open(os.path.join(folder, "config.json")) as f:
        model = Model(json.load(f))
    model.load_state_dict(read_safetensors(os.path.join(folder, "model.safetensors")), strict=True)
    model.eval()
    with open(case) as f:
        case = json.load(f)
    x = torch.tensor(case["tokens"]) if "tokens" in case else torch.tensor(case["features"])
    with torch.no_grad():
        y = model(x)
        loss = nn.functional.cross_entropy(y.flatten(0, -2), torch.tensor(case["targets"]).flatten()).item()
    print(f"PyTorch {loss:.7f}, unroll {case['loss']:.7f}")
    return 0 if abs(loss - case["loss"]) <= 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
