"""Writes carry.json: truncated backpropagation in PyTorch (float64), for carry_test.go.

    python3 carry.py > carry.json

With an argument, that is the seed (1). Three sequences are cut into windows; the
final state of a window is the detached first state of the next, and zeros begin
each epoch.
"""
import json
import sys

import torch
from torch import nn

torch.set_default_dtype(torch.float64)
torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
V, T, B, E, H, W = 6, 4, 3, 3, 5, 4
tokens = torch.randint(V, (W * T + 1, B))


class Model(nn.Module):
    def __init__(self, kind, **more):
        super().__init__()
        self.embedding = nn.Embedding(V, E)
        self.rnn = getattr(nn, kind)(E, H, **more)
        self.fc = nn.Linear(more.get("proj_size", H), V)

    def forward(self, x, s):
        y, s = self.rnn(self.embedding(x), s)
        return self.fc(y), s


def detach(s):
    return tuple(v.detach() for v in s) if isinstance(s, tuple) else s.detach()


cases = []
for kind, more in [("LSTM", {}), ("LSTM", dict(num_layers=2, proj_size=2)), ("GRU", dict(num_layers=2)), ("RNN", {})]:
    m = Model(kind, **more)
    first = {n: v.tolist() for n, v in m.state_dict().items()}
    o = torch.optim.SGD(m.parameters(), lr=1.)
    losses, valid = [], []
    for _ in range(2):
        s = None
        for w in range(W):
            x, y = tokens[w * T:(w + 1) * T], tokens[w * T + 1:(w + 1) * T + 1]
            o.zero_grad()
            logits, s = m(x, s)
            loss = nn.functional.cross_entropy(logits.reshape(-1, V), y.reshape(-1))
            loss.backward()
            o.step()
            s = detach(s)
            losses.append(loss.item())
        with torch.no_grad():  # the windows once more, their states carried
            s, total = None, 0.
            for w in range(W):
                logits, s = m(tokens[w * T:(w + 1) * T], s)
                total += nn.functional.cross_entropy(logits.reshape(-1, V), tokens[w * T + 1:(w + 1) * T + 1].reshape(-1)).item()
            valid.append(total / W)
    cases.append({"mode": kind, "layers": more.get("num_layers", 1), "proj": more.get("proj_size", 0), "first": first,
                  "losses": losses, "valid": valid, "last": {n: v.tolist() for n, v in m.state_dict().items()}})
print(json.dumps({"torch": torch.__version__, "tokens": tokens.reshape(-1).tolist(), "T": T, "B": B, "V": V, "E": E, "H": H, "W": W, "cases": cases}))
