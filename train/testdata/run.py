"""Writes run.json: a whole training run of PyTorch from one seed, for run_test.go.

    python3 run.py > run.json

With an argument, that is the seed (3). Everything random is drawn from
torch.manual_seed(seed): the parameters, the loader's order, the dropout masks;
the split is torch.randperm after torch.manual_seed(seed), as data.Classify
documents it.
"""
import json
import sys

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 3
texts = ["abcdefg"[i % 7] * (1 + i % 5) + "xyz"[i % 3] * (i % 4) + str(i * i % 97) for i in range(75)]
labels = ["uvw"[(i * 5 + i // 7) % 3] for i in range(75)]

torch.manual_seed(seed)
perm = torch.randperm(len(texts)).tolist()
test, valid = int(len(texts) * .1), int(len(texts) * .2)
valid, train = perm[test:test + valid], perm[test + valid:]
vocabulary = {c: i + 2 for i, c in enumerate(sorted({c for i in train for c in texts[i]}))}  # 0: padding, 1: unknown
classes = sorted(set(labels))
item = lambda i: (torch.tensor([vocabulary.get(c, 1) for c in texts[i]]), classes.index(labels[i]))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(vocabulary) + 2, 6, padding_idx=0)
        self.rnn = nn.LSTM(6, 9, num_layers=2, dropout=.2)
        self.drop = nn.Dropout(.3)
        self.fc = nn.Linear(9, len(classes))

    def forward(self, x, lengths):
        _, (h, _) = self.rnn(pack_padded_sequence(self.embedding(x), lengths, enforce_sorted=False))
        return self.fc(self.drop(h[-1]))


def collate(items):
    return pad_sequence([x for x, _ in items]), torch.tensor([len(x) for x, _ in items]), torch.tensor([y for _, y in items])


torch.manual_seed(seed)
model = Model()
loader = torch.utils.data.DataLoader([item(i) for i in train], batch_size=8, shuffle=True, collate_fn=collate)
optimizer = torch.optim.Adam(model.parameters(), lr=.02)
epochs = 4
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=.02, total_steps=epochs * len(loader))
losses, norms, valids = [], [], []
for _ in range(epochs):
    model.train()
    for x, lengths, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x, lengths), y)
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), 1.).item())
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        x, lengths, y = collate([item(i) for i in valid])
        valids.append(nn.functional.cross_entropy(model(x, lengths), y).item())
print(json.dumps({"torch": torch.__version__, "seed": seed, "texts": texts, "labels": labels, "epochs": epochs,
                  "losses": losses, "norms": norms, "valid": valids}))
