"""Writes order.json with the PyTorch that is installed: drawn lengths and the
order in which torch.sort(lengths, descending=True) leaves them.

    python testdata/order.py > testdata/order.json
"""

import json
import random

import torch

random.seed(1)


def killer(n):
    """Lengths on which the median of three makes pieces that do not shrink
    (Musser 1997), falling because the order is."""
    k, a = n // 2, [0] * n
    for i in range(1, k + 1):
        if i % 2:
            a[i - 1], a[i] = i, k + i
        a[k + i - 1] = 2 * i
    return [n + 1 - x for x in a]


cases = []
for n in (1, 2, 5, 15, 16, 17, 18, 20, 31, 32, 33, 48, 64, 100, 129, 257):
    for most in (1, 2, 3, 10, 50):
        cases.append([random.randint(1, most) for _ in range(n)])
cases += [[20 - i // 2 for i in range(40)], [1 + i // 2 for i in range(40)], killer(400), [x // 3 + 1 for x in killer(400)], [x // 20 + 1 for x in killer(1000)]]
# Dropout masks go by that order: a model made, its input drawn and run after one seed.
torch.manual_seed(5)
layer = torch.nn.LSTM(2, 3, 2, dropout=0.5)
lengths = [random.randint(1, 4) for _ in range(23)]
x = torch.rand(4, 23, 2)
packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
y, _ = torch.nn.utils.rnn.pad_packed_sequence(layer(packed)[0], total_length=4)
dropout = {"lengths": lengths, "y": [round(v, 7) for v in y.flatten().tolist()]}
print(json.dumps({"torch": torch.__version__, "dropout": dropout, "cases": [{"lengths": c, "order": torch.sort(torch.tensor(c), descending=True)[1].tolist()} for c in cases]}))
