"""Writes softmax.json: softmax, log_softmax and argmax of PyTorch (float64).

    python3 softmax.py > softmax.json
"""
import json

import torch

torch.manual_seed(1)
x = torch.randn(7, 5, dtype=torch.float64) * 4
x[1] = torch.tensor([1000., 999., -1000., 0., 1000.])
x[2] = -1e4
x[3, 2] = -float("inf")
print(json.dumps({"torch": torch.__version__, "x": [[str(v) for v in r] for r in x.tolist()],
                  "softmax": x.softmax(-1).tolist(), "log_softmax": [[str(v) for v in r] for r in x.log_softmax(-1).tolist()],
                  "argmax": x.argmax(-1).tolist()}))
