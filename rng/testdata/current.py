"""Writes current.json with the PyTorch that is installed (2.x): what its functions
draw after torch.manual_seed(seed), as the bytes of the result in hex, and the
number that random_() draws next, which tells where the stream stands.

    python testdata/current.py > testdata/current.json
"""

import json

import torch
from torch import nn

calls = []


def case(call, make, dtype="", **args):
    for seed in (0, 42, 123456789):
        torch.manual_seed(seed)
        x = make()
        after = torch.empty(1, dtype=torch.int64).random_().item()
        calls.append({"call": call, "seed": seed, "args": args, "dtype": dtype, "n": x.numel(), "hex": x.contiguous().numpy().tobytes().hex(), "after": after})


for lo, hi in ((0, 10), (0, 2**28 - 1), (0, 2**28), (-5, 2**28), (0, 2**31), (0, 2**32 - 1), (0, 2**32), (-5, 2**40)):
    case("randint", lambda: torch.randint(lo, hi, (9,)), lo=lo, hi=hi)
for n in (1, 5, 40):
    case("randperm", lambda: torch.randperm(n), n=n)
for dtype in (torch.float32, torch.float64):
    kind = str(dtype)[6:]
    for n in (1, 5, 15, 16, 40):
        case("rand", lambda: torch.rand(n, dtype=dtype), kind)
        case("randn", lambda: torch.randn(n, dtype=dtype), kind)
    case("uniform", lambda: torch.empty(40, dtype=dtype).uniform_(-2, 3), kind, lo=-2, hi=3)
    case("exponential", lambda: torch.empty(9, dtype=dtype).exponential_(1.5), kind, rate=1.5)
    case("bernoulli", lambda: torch.empty(40, dtype=dtype).bernoulli_(0.3), kind, p=0.3)
    case("dropout", lambda: torch.dropout(torch.ones(40, dtype=dtype), 0.3, True), kind, p=0.3)
    for mean, std, lo, hi, n in ((0, 1, -2, 2, 20), (0, 0.02, -2, 2, 40), (0.5, 1, 0, 1, 9), (0, 1, 1, 3, 20), (-1, 0.5, 0.5, 2, 40), (5, 1, -2, 2, 17)):
        case("trunc_normal", lambda: nn.init.trunc_normal_(torch.empty(n, dtype=dtype), mean, std, lo, hi), kind, mean=mean, std=std, lo=lo, hi=hi)
    case("xavier_normal", lambda: nn.init.xavier_normal_(torch.empty(5, 7, dtype=dtype)), kind, fan_in=7, fan_out=5)
    case("kaiming_uniform", lambda: nn.init.kaiming_uniform_(torch.empty(5, 7, dtype=dtype), a=5**0.5), kind, fan=7)
w = torch.tensor([0.1, 0.4, 0, 0.2, 0.3])
case("multinomial", lambda: torch.multinomial(w, 7, replacement=True), n=7, replacement=True)
case("multinomial", lambda: torch.multinomial(w, 4), n=4, replacement=False)
loader = torch.utils.data.DataLoader(range(17), batch_size=4, shuffle=True)
case("loader_order", lambda: torch.cat([b for b in loader]), n=17)
print(json.dumps({"torch": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability(), "calls": calls}, indent=0))
