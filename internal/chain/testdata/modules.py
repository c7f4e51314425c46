"""Writes modules.safetensors beside it: small modules of torch, lines of the language over
their state dicts, and what torch makes of both.

    python internal/chain/testdata/modules.py

Arrays: "NUMBER.line" the line as bytes; "NUMBER.opt" its options ("batch",
"time", "unbatched" or ""); "NUMBER.in0".. the inputs; "NUMBER.out0".. torch's outputs;
"NUMBER.sd.NAME" the state dict. Written with torch 2.x on the CPU, seed 1.
"""
import os

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn

torch.manual_seed(1)
cases = {}
count = 0


def case(line, forward, *inputs, opt="", **modules):
    """modules: the modules that the line names; forward: what it means."""
    global count
    holder = nn.Module()
    for name, m in modules.items():
        m.eval()
        with torch.no_grad():
            for p in m.parameters():
                p.uniform_(-0.6, 0.6)
            for n, b in m.named_buffers():
                if b.is_floating_point():
                    b.uniform_(0.2, 1.5)
        holder.add_module(name, m)
    with torch.no_grad():
        out = forward(*inputs)
    out = out if isinstance(out, tuple) else (out,)
    key = f"{count:03d}"
    count += 1
    cases[key + ".line"] = np.frombuffer(line.encode(), np.uint8)
    cases[key + ".opt"] = np.frombuffer(opt.encode(), np.uint8)
    for i, x in enumerate(inputs):
        cases[f"{key}.in{i}"] = x.numpy()
    for i, y in enumerate(out):
        cases[f"{key}.out{i}"] = y.numpy().copy()
    for name, w in holder.state_dict().items():
        cases[f"{key}.sd.{name}"] = w.numpy().copy()


def r(*shape):
    return torch.randn(*shape)


x234, x23 = r(2, 3, 4), r(2, 3)
positive = r(2, 3, 4).abs() + 0.1
ints = torch.randint(-3, 4, (2, 3))

# Activations.
for name in ["relu", "relu6", "silu", "mish", "hardswish", "hardsigmoid", "softsign", "selu", "elu", "celu", "leaky_relu", "gelu", "softplus", "hardtanh", "logsigmoid"]:
    case(name, getattr(F, name), 3 * x234)
case("tanh", torch.tanh, x234)
case("sigmoid", torch.sigmoid, x234)
case("elu(alpha=0.5)", lambda x: F.elu(x, 0.5), x234)
case("celu(0.7)", lambda x: F.celu(x, 0.7), x234)
case("leaky_relu(0.2)", lambda x: F.leaky_relu(x, 0.2), x234)
case("gelu(approximate='tanh')", lambda x: F.gelu(x, approximate="tanh"), x234)
case("softplus(beta=2, threshold=1)", lambda x: F.softplus(x, 2, 1), 2 * x234)
case("hardtanh(-0.3, 0.4)", lambda x: F.hardtanh(x, -0.3, 0.4), x234)
case("softmax(dim=1)", lambda x: F.softmax(x, 1), x234)
case("softmax(-1)", lambda x: F.softmax(x, -1), x234)
case("log_softmax(dim=0)", lambda x: F.log_softmax(x, 0), x234)
case("glu(dim=-1)", lambda x: F.glu(x, -1), x234)
case("normalize", lambda x: F.normalize(x), x234)
case("normalize(p=1, dim=-1)", lambda x: F.normalize(x, p=1, dim=-1), x234)
case("dropout(0.3) | relu", lambda x: F.relu(x), x234)
case("torch.relu | F.elu", lambda x: F.elu(F.relu(x)), x234)

# Element-wise.
for name in ["exp", "log", "sqrt", "reciprocal", "rsqrt", "square", "erf"]:
    case(name, getattr(torch, name), positive)
for name in ["abs", "neg", "sign", "floor", "ceil", "round"]:
    case(name, getattr(torch, name), 2 * x234)
case("clamp(min=-0.5, max=0.25)", lambda x: x.clamp(-0.5, 0.25), x234)
case("clamp(max=0.25)", lambda x: x.clamp(max=0.25), x234)
case("ne(0) | float", lambda x: x.ne(0).float(), ints)
case("emb | sum(dim=-1)", lambda x: emb(x).sum(-1), ints.abs(), emb=(emb := nn.Embedding(9, 4)))
case("float | mul(0.5)", lambda x: x.float() * 0.5, ints)
case("add(1)", lambda x: x + 1, x234)
case("sub(1, x)", lambda x: 1 - x, x234)
case("div(2.0, x)", lambda x: 2.0 / x, positive)
case("add(x0, x1, alpha=2)", lambda a, b: torch.add(a, b, alpha=2), x234, r(3, 1))
case("sub(x0, x1)", lambda a, b: a - b, x234, r(4))
case("mul(x0, x1)", lambda a, b: a * b, x234, r(3, 4))
case("div(x0, x1)", lambda a, b: a / b, x234, positive)
case("pow(2)", lambda x: x.pow(2), x234)
case("pow(x0, x1)", lambda a, b: a.pow(b), positive, x234)
case("maximum(x0, x1)", torch.maximum, x234, r(4))
case("minimum(x0, x1)", torch.minimum, x234, r(4))
for name in ["eq", "ne", "gt", "lt", "ge", "le"]:
    case(f"{name}(x0, x1)", getattr(torch, name), x23.round(), r(2, 3).round())
    case(f"{name}(0.25)", lambda x: getattr(x, name)(0.25), x234)
case("gt(0) | logical_not", lambda x: (x > 0).logical_not(), x234)
case("gt(0) | long", lambda x: (x > 0).long(), x234)
case("int | float", lambda x: x.int().float(), 3 * x234)
case("round | bool", lambda x: x.round().bool(), x234)
case("long", lambda x: x.long(), 3 * x234)
case("m = gt(0.5); masked_fill(x, mask=m, value=-1e9) | softmax(dim=-1)", lambda x: x.masked_fill(x > 0.5, -1e9).softmax(-1), x234)

# Products and joins.
case("matmul(x0, x1)", torch.matmul, x234, r(4, 5))
case("bmm(x0, x1)", torch.bmm, x234, r(2, 4, 5))
case("mm(x0, x1)", torch.mm, x23, r(3, 5))
case("cat(x0, x1, dim=-1)", lambda a, b: torch.cat((a, b), -1), x234, r(2, 3, 2))
case("cat(x0, x1)", lambda a, b: torch.cat((a, b)), x234, r(1, 3, 4))
case("stack(x0, x1, dim=1)", lambda a, b: torch.stack((a, b), 1), x234, r(2, 3, 4))

# Shapes.
case("transpose(1, 2)", lambda x: x.transpose(1, 2), x234)
case("transpose(0, -1)", lambda x: x.transpose(0, -1), x234)
case("permute(2, 0, 1)", lambda x: x.permute(2, 0, 1), x234)
case("permute((0, -1, 1))", lambda x: x.permute(0, -1, 1), x234)
case("t", lambda x: x.t(), x23)
case("reshape(2, -1)", lambda x: x.reshape(2, -1), x234)
case("view(-1, 6)", lambda x: x.reshape(-1, 6), x234)
case("flatten", lambda x: x.flatten(), x234)
case("flatten(1)", lambda x: x.flatten(1), x234)
case("flatten(0, 1)", lambda x: x.flatten(0, 1), x234)
case("flatten(1, 2)", lambda x: x.flatten(1, 2), r(2, 3, 4, 5))
case("unflatten(-1, (2, 2))", lambda x: x.unflatten(-1, (2, 2)), x234)
case("unflatten(1, (-1, 3))", lambda x: x.unflatten(1, (-1, 3)), x234)
case("squeeze(1)", lambda x: x.squeeze(1), r(2, 1, 3))
case("squeeze", lambda x: x.squeeze(), r(1, 2, 1, 3))
case("squeeze(1)", lambda x: x.squeeze(1), x234)
case("squeeze((0, 2))", lambda x: x.squeeze((0, 2)), r(1, 2, 1, 3))
case("unsqueeze(-1)", lambda x: x.unsqueeze(-1), x23)
case("unsqueeze(1)", lambda x: x.unsqueeze(1), x23)
case("select(1, -1)", lambda x: x.select(1, -1), x234)
case("narrow(1, 1, 2)", lambda x: x.narrow(1, 1, 2), x234)
case("narrow(2, -3, 3)", lambda x: x.narrow(2, -3, 3), x234)
case("flip(0, 2)", lambda x: x.flip(0, 2), x234)
case("x[:, -1]", lambda x: x[:, -1], x234)
case("x[..., 1:3]", lambda x: x[..., 1:3], x234)
case("relu[0, None, :, ::2]", lambda x: F.relu(x)[0, None, :, ::2], x234)
case("tanh | [:, 1:-1, None]", lambda x: torch.tanh(x)[:, 1:-1, None], x234)
case("pad((1, 2))", lambda x: F.pad(x, (1, 2)), x234)
case("pad((1, 0, 2, -1), value=0.5)", lambda x: F.pad(x, (1, 0, 2, -1), value=0.5), x234)
for mode in ["reflect", "replicate", "circular"]:
    case(f"pad((2, 1), mode='{mode}')", lambda x: F.pad(x, (2, 1), mode=mode), x234)

# Reductions.
for name in ["mean", "sum", "prod", "amax", "amin", "logsumexp"]:
    case(f"{name}(dim=1)", lambda x: getattr(torch, name)(x, 1), x234)
    case(f"{name}(-1, keepdim=True)", lambda x: getattr(torch, name)(x, -1, keepdim=True), x234)
for name in ["mean", "sum", "amax", "amin", "max", "min"]:
    case(name, lambda x: getattr(torch, name)(x), x234)
for name in ["mean", "sum", "amax", "logsumexp"]:
    case(f"{name}((0, 2))", lambda x: getattr(torch, name)(x, (0, 2)), x234)
case("max(dim=1)", lambda x: x.max(1)[0], x234)
case("min(1, True)", lambda x: x.min(1, True)[0], x234)
case("gt(0) | sum(dim=1)", lambda x: (x > 0).sum(1), x234)
case("argmax(dim=-1)", lambda x: x.argmax(-1), x234)
case("argmax", lambda x: x.argmax(), x234)
case("argmin(1, keepdim=True)", lambda x: x.argmin(1, keepdim=True), x234)
case("norm(dim=1)", lambda x: x.norm(dim=1), x234)
case("norm(p=1, dim=-1, keepdim=True)", lambda x: x.norm(p=1, dim=-1, keepdim=True), x234)
case("cumsum(dim=1)", lambda x: x.cumsum(1), x234)

# Poolings.
x1, x2, x3 = r(2, 3, 11), r(2, 3, 9, 10), r(1, 2, 4, 5, 5)
for n, x in [(1, x1), (2, x2), (3, x3)]:
    for args in ["2", "3, stride=2, padding=1", "kernel_size=3, stride=2, ceil_mode=True", "2, 3, 1, ceil_mode=True"]:
        for kind in ["max", "avg"]:
            f = getattr(F, f"{kind}_pool{n}d")
            case(f"{kind}_pool{n}d({args})", eval(f"lambda x: f(x, {args})", {"f": f}), x)
    case(f"max_pool{n}d(2, dilation=2)", lambda x: getattr(F, f"max_pool{n}d")(x, 2, dilation=2), x)
    case(f"avg_pool{n}d(3, 2, 1, count_include_pad=False)", lambda x: getattr(F, f"avg_pool{n}d")(x, 3, 2, 1, count_include_pad=False), x)
    for kind in ["max", "avg"]:
        case(f"adaptive_{kind}_pool{n}d(1)", lambda x: getattr(F, f"adaptive_{kind}_pool{n}d")(x, 1), x)
case("max_pool2d((2, 1), stride=(2, 3))", lambda x: F.max_pool2d(x, (2, 1), (2, 3)), x2)
case("adaptive_avg_pool2d((3, 5))", lambda x: F.adaptive_avg_pool2d(x, (3, 5)), x2)
case("adaptive_avg_pool2d((None, 1))", lambda x: F.adaptive_avg_pool2d(x, (None, 1)), x2)
case("adaptive_max_pool2d((3, 2))", lambda x: F.adaptive_max_pool2d(x, (3, 2)), x2)


# Modules.
def module(line, m, *inputs, opt=""):
    case(line, m, *inputs, opt=opt, m=m)


module("m", nn.Linear(4, 5), x234)
module("m(kind='linear')", nn.Linear(4, 5, bias=False), x234)
module("m", nn.Embedding(9, 4), ints.abs())
module("m", nn.Conv1d(3, 4, 3), x1)
module("m(stride=2, padding=1, dilation=2)", nn.Conv1d(3, 4, 3, stride=2, padding=1, dilation=2), x1)
module("m(padding='same')", nn.Conv1d(3, 4, 4, padding="same"), x1)
module("m(padding='valid')", nn.Conv1d(3, 4, 4, padding="valid", bias=False), x1)
module("m(groups=3)", nn.Conv1d(3, 6, 3, groups=3), x1)
module("m", nn.Conv1d(3, 6, 3, groups=3), x1)
for mode in ["reflect", "replicate", "circular"]:
    module(f"m(padding=2, padding_mode='{mode}')", nn.Conv1d(3, 4, 3, padding=2, padding_mode=mode), x1)
module("m(padding=(1, 0), stride=(2, 1))", nn.Conv2d(3, 4, (3, 2), padding=(1, 0), stride=(2, 1)), x2)
module("m(padding=(1, 2), padding_mode='reflect')", nn.Conv2d(3, 4, 3, padding=(1, 2), padding_mode="reflect"), x2)
module("m", nn.Conv3d(2, 3, 2), x3)
module("m(kind='conv_transpose', stride=2, output_padding=1)", nn.ConvTranspose1d(3, 4, 3, stride=2, output_padding=1), x1)
module("m(kind=conv_transpose, stride=2, padding=1, groups=3)", nn.ConvTranspose2d(3, 6, 3, stride=2, padding=1, groups=3), x2)
module("m", nn.BatchNorm1d(3), x1)
module("m(eps=0.1)", nn.BatchNorm1d(3, eps=0.1), x23)
module("m", nn.BatchNorm2d(3, affine=False), x2)
module("m(kind='batch_norm')", nn.BatchNorm2d(3, track_running_stats=False), x2)
module("m", nn.LayerNorm(4), x234)
module("m(eps=0.01)", nn.LayerNorm((3, 4), eps=0.01), x234)
module("m(kind='layer_norm')", nn.LayerNorm(4, bias=False), x234)
module("m(kind='rms_norm')", nn.RMSNorm(4), x234)
module("m(kind='rms_norm', eps=0.1)", nn.RMSNorm(4, eps=0.1), x234)
module("m(kind='group_norm', num_groups=2)", nn.GroupNorm(2, 4), r(2, 4, 5))
module("m(kind='group_norm', num_groups=2)", nn.GroupNorm(2, 4), r(3, 4))
module("m(kind='instance_norm')", nn.InstanceNorm2d(3, affine=True), x2)
module("m", nn.PReLU(), x234)
module("m(kind='prelu')", nn.PReLU(3), x234)

# Recurrent layers.
for cls in [nn.RNN, nn.LSTM, nn.GRU]:
    for bi in [False, True]:
        m = cls(4, 5, num_layers=2, bidirectional=bi, batch_first=True)
        case("m", lambda x: m(x)[0], r(2, 6, 4), opt="batch", m=m)
        case("m | last", lambda x: m(x)[0][:, -1], r(2, 6, 4), opt="batch", m=m)

        def top(x):
            h = m(x)[1]
            h = h[0] if isinstance(h, tuple) else h
            return torch.cat((h[-2], h[-1]), -1) if bi else h[-1]

        case("m | h_last", top, r(2, 6, 4), opt="batch", m=m)
        t = cls(4, 5, bidirectional=bi)
        case("m | last", lambda x: t(x)[0][-1], r(6, 2, 4), opt="time", m=t)
case("m(nonlinearity='relu') | last", lambda x: rnn(x)[0][:, -1], r(2, 6, 4), opt="batch", m=(rnn := nn.RNN(4, 5, nonlinearity="relu", batch_first=True)))
case("m(batch_first=True) | h_n", lambda x: gru(x)[1], r(2, 6, 4), m=(gru := nn.GRU(4, 5, batch_first=True)))
case("m(batch_first=False) | c_n", lambda x: lstm(x)[1][1], r(6, 2, 4), m=(lstm := nn.LSTM(4, 5, proj_size=2)))
case("h = x1; c = x2; m(h_0=h, c_0=c) | last", lambda x, h, c: lstm2(x, (h, c))[0][:, -1], r(2, 6, 4), r(1, 2, 5), r(1, 2, 5), opt="batch", m=(lstm2 := nn.LSTM(4, 5, batch_first=True)))
case("m | last", lambda x: lstm3(x)[0][-1], r(6, 4), opt="unbatched", m=(lstm3 := nn.LSTM(4, 5)))
case("m | h_last", lambda x: torch.cat(tuple(lstm4(x)[1][0]), -1), r(6, 4), opt="unbatched", m=(lstm4 := nn.LSTM(4, 5, bidirectional=True)))
case("m | l | last", lambda x: lin(lstm5(x)[0])[:, -1], r(2, 6, 4), opt="batch", m=(lstm5 := nn.LSTM(4, 5, batch_first=True)), l=(lin := nn.Linear(5, 2)))


def looped(cell, x):
    h = None
    for t in range(x.shape[1]):
        h = cell(x[:, t], h)
    return h[0] if isinstance(h, tuple) else h


for cls in [nn.RNNCell, nn.LSTMCell, nn.GRUCell]:
    cell = cls(4, 5)
    case("m | last", lambda x: looped(cell, x), r(2, 6, 4), opt="batch", m=cell)

# Two results.
a, b = nn.Linear(4, 3), nn.Linear(4, 1)
case("y = tanh; y | a | softmax(dim=-1), y | b", lambda x: (a(torch.tanh(x)).softmax(-1), b(torch.tanh(x))), x23[:, :1].expand(2, 4).contiguous(), a=a, b=b)

save_file({k: v.copy() for k, v in cases.items()}, os.path.join(os.path.dirname(os.path.abspath(__file__)), "modules.safetensors"))
print(count, "cases")
