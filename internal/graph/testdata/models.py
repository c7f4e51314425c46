#!/usr/bin/env python3
"""Writes models.zip: small recurrent models as people ship them, each with the inputs
and the outputs that ONNX Runtime gives as constants in.0, ... and out.0, ... that the
graph does not use, as node_tests.py does.

    python3 models.py models.zip

PyTorch's exporter by tracing and by scripting, versions 11 to 20, fixed and dynamic
sizes; then what ONNX Runtime makes of some: optimised, quantised dynamically, with
QDQ and operator by operator. Made with PyTorch 2.15, ONNX Runtime 1.32, onnx 1.23.
"""
import io
import logging
import os
import sys
import tempfile
import warnings
import zipfile

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn as nn
import torch.nn.functional as F
from typing import List, Tuple
from torch import Tensor
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
ort.set_default_logger_severity(4)
torch.set_num_threads(1)

def ids(n, *s): return torch.randint(0, n, s)
M = {}
def model(f): M[f.__name__] = f; return f

@model
def packed_lstm():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.emb = nn.Embedding(30, 12, padding_idx=0); s.lstm = nn.LSTM(12, 20, 2, batch_first=True, bidirectional=True); s.fc = nn.Linear(40, 5)
        def forward(s, x, n):
            p = nn.utils.rnn.pack_padded_sequence(s.emb(x), n, batch_first=True, enforce_sorted=False)
            y, (h, c) = s.lstm(p)
            y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
            return s.fc(y), torch.cat([h[-2], h[-1]], 1)
    return A(), (ids(30, 3, 7), torch.tensor([7, 3, 5])), dict(dyn={"x": {0: "B", 1: "T"}, "n": {0: "B"}}, names=["x", "n"])
@model
def packed_gru_mean():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.gru = nn.GRU(6, 10, batch_first=True); s.fc = nn.Linear(10, 3)
        def forward(s, x, n):
            p = nn.utils.rnn.pack_padded_sequence(x, n, batch_first=True, enforce_sorted=False)
            y, h = s.gru(p); y, k = nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=x.size(1))
            m = (torch.arange(x.size(1)).unsqueeze(0) < n.unsqueeze(1)).unsqueeze(-1).float()
            return s.fc((y * m).sum(1) / n.unsqueeze(1).float()), y.masked_fill(m == 0, -1e9).max(1).values
    return A(), (torch.randn(3, 6, 6), torch.tensor([2, 6, 4])), dict(dyn={"x": {0: "B", 1: "T"}, "n": {0: "B"}}, names=["x", "n"])
@model
def conv1d_lstm():
    return nn.Sequential(nn.Conv1d(4, 8, 3, padding=1), nn.BatchNorm1d(8), nn.GELU(), nn.MaxPool1d(2), T12(), Last(nn.LSTM(8, 12, 2, batch_first=True)), nn.LayerNorm(12), nn.SiLU(), nn.Linear(12, 3), nn.Softmax(-1)), (torch.randn(2, 4, 16),), dict(dyn={"x": {0: "B", 2: "T"}}, names=["x"])
class T12(nn.Module):
    def forward(s, x): return x.transpose(1, 2)
class Last(nn.Module):
    def __init__(s, r): super().__init__(); s.r = r
    def forward(s, x): return s.r(x)[0][:, -1]
class All(nn.Module):
    def __init__(s, r): super().__init__(); s.r = r
    def forward(s, x): return s.r(x)[0]
@model
def crnn_mobile():
    class SE(nn.Module):
        def __init__(s, c): super().__init__(); s.a = nn.Conv2d(c, c // 4, 1); s.b = nn.Conv2d(c // 4, c, 1)
        def forward(s, x): return x * F.hardsigmoid(s.b(F.relu(s.a(F.adaptive_avg_pool2d(x, 1)))))
    class A(nn.Module):
        def __init__(s):
            super().__init__()
            s.c = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish(), nn.Conv2d(8, 8, 3, 1, 1, groups=8), SE(8), nn.Conv2d(8, 16, 1), nn.ReLU6(), nn.AvgPool2d(2, 2))
            s.p = nn.AdaptiveAvgPool2d((1, None)); s.r = nn.LSTM(16, 10, 2, bidirectional=True, batch_first=True); s.f = nn.Linear(20, 11)
        def forward(s, x):
            x = s.c(x).mean(2).permute(0, 2, 1); y, _ = s.r(x); return F.log_softmax(s.f(y), 2)
    return A(), (torch.randn(2, 1, 16, 40),), dict(dyn={"x": {0: "B", 3: "W"}}, names=["x"])
@model
def bilstm_mha():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.r = nn.LSTM(6, 8, bidirectional=True, batch_first=True); s.a = nn.MultiheadAttention(16, 4, batch_first=True); s.n = nn.LayerNorm(16); s.f = nn.Linear(16, 2)
        def forward(s, x):
            y, _ = s.r(x); z, w = s.a(y, y, y); return s.f(s.n(y + z)), w
    return A(), (torch.randn(2, 5, 6),), dict(dyn={"x": {0: "B", 1: "T"}}, names=["x"])
@model
def transformer_gru():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.e = nn.TransformerEncoderLayer(12, 3, 24, batch_first=True, activation="gelu"); s.g = nn.GRU(12, 7, 2, batch_first=True); s.f = nn.Linear(7, 4)
        def forward(s, x): return s.f(s.g(s.e(x))[1][-1])
    return A(), (torch.randn(2, 6, 12),), dict(dyn={"x": {0: "B", 1: "T"}}, names=["x"])
@model
def bahdanau_loop():
    class D(nn.Module):
        def __init__(s):
            super().__init__(); s.e = nn.Embedding(20, 8); s.enc = nn.GRU(8, 10, batch_first=True); s.c = nn.GRUCell(18, 10); s.wa = nn.Linear(10, 6); s.ua = nn.Linear(10, 6); s.v = nn.Linear(6, 1); s.o = nn.Linear(10, 20)
        def forward(s, x):
            k, h = s.enc(s.e(x)); h = h[0]
            tok = torch.zeros(x.size(0), dtype=torch.long)
            outs = torch.jit.annotate(List[Tensor], [])
            for i in range(6):
                w = torch.softmax(s.v(torch.tanh(s.wa(h).unsqueeze(1) + s.ua(k))), 1)
                h = s.c(torch.cat([s.e(tok), (w * k).sum(1)], 1), h)
                l = s.o(h); tok = l.argmax(1); outs.append(l)
            return torch.stack(outs, 1)
    return D(), (ids(20, 3, 5),), dict(dyn={"x": {0: "B", 1: "T"}}, names=["x"], script=True)
@model
def greedy_while():
    class D(nn.Module):
        def __init__(s): super().__init__(); s.e = nn.Embedding(9, 6); s.c = nn.LSTMCell(6, 8); s.o = nn.Linear(8, 9)
        def forward(s, h: Tensor):
            c = torch.zeros_like(h); tok = torch.zeros(h.size(0), dtype=torch.long); toks = tok.unsqueeze(0)
            i = 0; going = True
            while going and i < 12:
                h, c = s.c(s.e(tok), (h, c)); tok = s.o(h).argmax(1)
                toks = torch.cat([toks, tok.unsqueeze(0)], 0); i += 1
                going = bool((tok != 3).any())
            return toks, h
    return D(), (torch.randn(2, 8),), dict(dyn={"h": {0: "B"}}, names=["h"], script=True)
@model
def ln_lstm_script():
    class LNCell(nn.Module):
        def __init__(s, i, h): super().__init__(); s.wi = nn.Parameter(torch.randn(4 * h, i) * .3); s.wh = nn.Parameter(torch.randn(4 * h, h) * .3); s.li = nn.LayerNorm(4 * h); s.lh = nn.LayerNorm(4 * h); s.lc = nn.LayerNorm(h)
        def forward(s, x: Tensor, hc: Tuple[Tensor, Tensor]):
            h, c = hc
            g = s.li(torch.mm(x, s.wi.t())) + s.lh(torch.mm(h, s.wh.t()))
            i, f, a, o = g.chunk(4, 1)
            c = s.lc(torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(a)); h = torch.sigmoid(o) * torch.tanh(c)
            return h, c
    class L(nn.Module):
        def __init__(s): super().__init__(); s.c = LNCell(5, 7); s.f = nn.Linear(7, 3)
        def forward(s, x):
            h = torch.zeros(x.size(0), 7); c = torch.zeros(x.size(0), 7)
            ys = torch.jit.annotate(List[Tensor], [])
            for t in range(x.size(1)):
                h, c = s.c(x[:, t], (h, c)); ys.append(h)
            return s.f(torch.stack(ys, 1)), h
    return L(), (torch.randn(2, 6, 5),), dict(dyn={"x": {0: "B", 1: "T"}}, names=["x"], script=True)
@model
def grucell_script():
    class L(nn.Module):
        def __init__(s): super().__init__(); s.c = nn.GRUCell(5, 7)
        def forward(s, x, h):
            ys = torch.jit.annotate(List[Tensor], [])
            for xt in x.unbind(0):
                h = s.c(xt, h); ys.append(h)
            return torch.stack(ys), h
    return L(), (torch.randn(6, 2, 5), torch.randn(2, 7)), dict(dyn={"x": {0: "T", 1: "B"}, "h": {0: "B"}}, names=["x", "h"], script=True)
@model
def embed_maxpool():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.e = nn.Embedding(50, 8, padding_idx=0); s.g = nn.GRU(8, 9, batch_first=True, bidirectional=True); s.f = nn.Linear(36, 2)
        def forward(s, x):
            y, _ = s.g(s.e(x)); return torch.sigmoid(s.f(torch.cat([y.max(1)[0], F.adaptive_avg_pool1d(y.permute(0, 2, 1), 1).squeeze(-1)], 1)))
    return A(), (ids(50, 3, 9),), dict(dyn={"x": {0: "B", 1: "T"}}, names=["x"])
@model
def tabular():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.es = nn.ModuleList([nn.Embedding(n, d) for n, d in ((7, 3), (12, 4), (31, 5))]); s.l = nn.LSTM(12 + 4, 16, 2, batch_first=True); s.f = nn.Linear(16, 6)
        def forward(s, cat, num):
            z = torch.cat([e(cat[..., i]) for i, e in enumerate(s.es)] + [torch.log1p(num.abs()) * torch.sign(num)], -1)
            y, _ = s.l(z); q = s.f(y[:, -3:]); return torch.cumsum(F.softplus(q), -1)
    return A(), (ids(7, 2, 8, 3), torch.randn(2, 8, 4)), dict(dyn={"cat": {0: "B", 1: "T"}, "num": {0: "B", 1: "T"}}, names=["cat", "num"])
@model
def charcnn_highway():
    class A(nn.Module):
        def __init__(s):
            super().__init__(); s.e = nn.Embedding(40, 6); s.cs = nn.ModuleList([nn.Conv1d(6, 5, k) for k in (2, 3, 4)]); s.h = nn.Linear(15, 30); s.l = nn.LSTM(15, 11, 2, batch_first=True); s.f = nn.Linear(11, 20)
        def forward(s, x):
            B, T, C = x.shape
            z = s.e(x.view(B * T, C)).transpose(1, 2)
            z = torch.cat([F.relu(c(z)).max(2)[0] for c in s.cs], 1)
            g, t = s.h(z).chunk(2, 1); g = torch.sigmoid(g); z = g * F.relu(t) + (1 - g) * z
            return s.f(s.l(z.view(B, T, -1))[0])
    return A(), (ids(40, 2, 4, 8),), dict(dyn={"x": {0: "B", 1: "T"}}, names=["x"])
@model
def dprnn():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.enc = nn.Conv1d(1, 8, 8, 4, bias=False); s.gn = nn.GroupNorm(1, 8); s.r1 = nn.LSTM(8, 6, batch_first=True, bidirectional=True); s.p1 = nn.Linear(12, 8); s.r2 = nn.GRU(8, 6, batch_first=True); s.p2 = nn.Linear(6, 8); s.pr = nn.PReLU(); s.dec = nn.ConvTranspose1d(8, 1, 8, 4, bias=False)
        def forward(s, x):
            e = F.relu(s.enc(x.unsqueeze(1))); z = s.gn(e); B, C, T = z.shape
            K = 5; pad = (K - T % K) % K; z = F.pad(z, (0, pad)); z = z.view(B, C, -1, K)
            S = z.size(2)
            a = z.permute(0, 2, 3, 1).reshape(B * S, K, C); a = s.p1(s.r1(a)[0]).view(B, S, K, C).permute(0, 3, 1, 2); z = z + a
            a = z.permute(0, 3, 2, 1).reshape(B * K, S, C); a = s.p2(s.r2(a)[0]).view(B, K, S, C).permute(0, 3, 2, 1); z = z + a
            m = torch.sigmoid(s.pr(z)).reshape(B, C, -1)[:, :, :T]
            return s.dec(e * m).squeeze(1)
    return A(), (torch.randn(2, 100),), dict(dyn={"x": {0: "B"}}, names=["x"])
@model
def grouped_gru_einsum():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.w = nn.Parameter(torch.randn(2, 5, 6) * .3); s.gs = nn.ModuleList([nn.GRU(6, 6, batch_first=True) for _ in range(2)]); s.o = nn.Conv1d(12, 10, 1, groups=2)
        def forward(s, x, h):
            B, T, _ = x.shape
            z = torch.einsum("btgi,gih->btgh", x.unflatten(-1, (2, 5)), s.w)
            ys, hs = [], []
            for i, g in enumerate(s.gs):
                y, hn = g(z[:, :, i], h[i:i+1]); ys.append(y); hs.append(hn)
            y = torch.stack(ys, -1).flatten(2)
            return torch.tanh(s.o(y.transpose(1, 2))).transpose(1, 2), torch.cat(hs)
    return A(), (torch.randn(2, 4, 10), torch.randn(2, 2, 6)), dict(dyn={"x": {0: "B", 1: "T"}, "h": {1: "B"}}, names=["x", "h"])
@model
def policy_cell():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.b = nn.Sequential(nn.Linear(6, 8), nn.ELU()); s.c = nn.LSTMCell(8, 10); s.p = nn.Linear(10, 4); s.v = nn.Linear(10, 1)
        def forward(s, obs, h, c, done):
            h = h * (1 - done).unsqueeze(-1); c = c * (1 - done).unsqueeze(-1)
            h, c = s.c(s.b((obs - .1) / 2.), (h, c)); return s.p(h).argmax(-1), F.softmax(s.p(h), -1), s.v(h).squeeze(-1), h, c
    return A(), (torch.randn(3, 6), torch.randn(3, 10), torch.randn(3, 10), torch.tensor([0., 1., 0.])), dict(dyn={k: {0: "B"} for k in ("obs", "h_in", "c_in", "done")}, names=["obs", "h_in", "c_in", "done"])
@model
def script_if():
    class D(nn.Module):
        def __init__(s): super().__init__(); s.g = nn.GRU(4, 5, batch_first=True); s.f = nn.Linear(5, 5)
        def forward(s, x):
            if x.size(1) > 4: x = x[:, -4:]
            else: x = F.pad(x, (0, 0, 4 - x.size(1), 0))
            y, h = s.g(x)
            if float(h.sum()) > 0: y = s.f(y)
            return y
    return D(), (torch.randn(2, 3, 4),), dict(dyn={"x": {0: "B", 1: "T"}}, names=["x"], script=True)
@model
def convlstm():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.c = nn.Conv2d(3 + 4, 16, 3, padding=1); s.o = nn.Conv2d(4, 1, 1)
        def forward(s, x):
            B, T, C, H, W = x.shape; h = torch.zeros(B, 4, H, W); c = torch.zeros(B, 4, H, W)
            for t in range(3):
                i, f, o, g = torch.split(s.c(torch.cat([x[:, t], h], 1)), 4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g); h = torch.sigmoid(o) * torch.tanh(c)
            return s.o(F.interpolate(h, scale_factor=2, mode="nearest")), F.interpolate(h, scale_factor=2, mode="bilinear", align_corners=False)
    return A(), (torch.randn(2, 3, 3, 5, 6),), dict(dyn={"x": {0: "B"}}, names=["x"])
@model
def upsample1d():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.c = nn.Conv1d(3, 6, 5, 2, 2, padding_mode="replicate"); s.g = nn.GRU(6, 6, batch_first=True, bidirectional=True); s.o = nn.Conv1d(12, 2, 3, padding=1, padding_mode="circular")
        def forward(s, x):
            y = s.g(F.leaky_relu(s.c(x)).transpose(1, 2))[0].transpose(1, 2)
            y = F.interpolate(y, scale_factor=2, mode="linear", align_corners=True); return s.o(y), F.interpolate(y, size=x.shape[-1] , mode="linear", align_corners=False)
    return A(), (torch.randn(2, 3, 16),), dict(dyn={"x": {0: "B"}}, names=["x"])
@model
def viterbi():
    class D(nn.Module):
        def __init__(s): super().__init__(); s.l = nn.LSTM(5, 6, batch_first=True, bidirectional=True); s.f = nn.Linear(12, 4); s.tr = nn.Parameter(torch.randn(4, 4)); s.st = nn.Parameter(torch.randn(4))
        def forward(s, x):
            e = s.f(s.l(x)[0]); v = s.st + e[:, 0]
            bp = torch.jit.annotate(List[Tensor], [])
            for t in range(1, e.size(1)):
                z = v.unsqueeze(2) + s.tr; m, i = z.max(1); v = m + e[:, t]; bp.append(i)
            best = v.argmax(1); path = torch.jit.annotate(List[Tensor], [best])
            n = len(bp)
            for k in range(n):
                best = torch.gather(bp[n - 1 - k], 1, best.unsqueeze(1)).squeeze(1); path.append(best)
            return torch.flip(torch.stack(path, 1), [1]), v.max(1)[0]
    return D(), (torch.randn(2, 6, 5),), dict(dyn={"x": {0: "B", 1: "T"}}, names=["x"], script=True)
@model
def pointer():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.e = nn.LSTM(4, 8, batch_first=True); s.q = nn.Linear(8, 8); s.k = nn.Linear(8, 8)
        def forward(s, x, m):
            y, (h, c) = s.e(x); sc = torch.bmm(s.k(y), s.q(h[-1]).unsqueeze(2)).squeeze(2) / 8 ** .5
            sc = sc.masked_fill(~m, float("-inf")); p = sc.softmax(1); v, i = torch.topk(p, 2, 1)
            oh = F.one_hot(p.argmax(1), 5).float(); sel = torch.gather(y, 1, i.unsqueeze(-1).expand(-1, -1, 8))
            sc2 = torch.zeros_like(p).scatter(1, i, v); return v, i, oh, sel, sc2, torch.cumsum(p, 1), torch.where(p > .2, p, torch.zeros_like(p)), (y * oh.unsqueeze(2)).norm(dim=-1), torch.logsumexp(y, -1), torch.roll(y, 1, 1), torch.tril(torch.einsum("bid,bjd->bij", y, y)), torch.nonzero(m)
    return A(), (torch.randn(2, 5, 4), torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()), dict(dyn={"x": {0: "B"}, "m": {0: "B"}}, names=["x", "m"])
@model
def lstnet():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.c = nn.Conv2d(1, 6, (3, 4)); s.g = nn.GRU(6, 7); s.sk = nn.GRU(6, 3); s.l = nn.Linear(7 + 2 * 3, 4); s.ar = nn.Linear(5, 1)
        def forward(s, x):
            B = x.size(0); c = F.relu(s.c(x.view(-1, 1, 14, 4))).squeeze(3); r = c.permute(2, 0, 1); _, r = s.g(r); r = r.squeeze(0)
            k = c[:, :, -12:].contiguous().view(B, 6, 6, 2).permute(2, 0, 3, 1).contiguous().view(6, B * 2, 6); _, k = s.sk(k); k = k.view(B, 6)
            z = s.ar(x[:, -5:].permute(0, 2, 1).contiguous().view(-1, 5)).view(-1, 4); return torch.sigmoid(s.l(torch.cat((r, k), 1)) + z)
    return A(), (torch.randn(3, 14, 4),), dict(dyn={"x": {0: "B"}}, names=["x"])
@model
def revin_lstm():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.l = nn.LSTM(3, 8, 2, batch_first=True); s.f = nn.Linear(8, 6)
        def forward(s, x):
            mu = x.mean(1, keepdim=True).detach(); sd = torch.sqrt(torch.var(x, 1, keepdim=True, unbiased=False) + 1e-5); y = s.f(s.l((x - mu) / sd)[0][:, -1]).view(-1, 2, 3); return y * sd + mu
    return A(), (torch.randn(2, 9, 3),), dict(dyn={"x": {0: "B", 1: "T"}}, names=["x"])
@model
def learnt_state():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.h0 = nn.Parameter(torch.randn(2, 1, 6)); s.c0 = nn.Parameter(torch.randn(2, 1, 6)); s.l = nn.LSTM(4, 6, 2, batch_first=True); s.f = nn.Linear(6, 2)
        def forward(s, x):
            B = x.size(0); y, _ = s.l(x, (s.h0.expand(-1, B, -1).contiguous(), s.c0.repeat(1, B, 1))); return s.f(y)
    return A(), (torch.randn(3, 5, 4),), dict(dyn={"x": {0: "B", 1: "T"}}, names=["x"])
@model
def relu_rnn_stack():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.a = nn.RNN(4, 8, 2, nonlinearity="relu", bidirectional=True); s.b = nn.RNN(16, 5); s.n = nn.InstanceNorm1d(5, affine=True); s.f = nn.Linear(5, 2)
        def forward(s, x):
            y = s.b(s.a(x)[0])[0]; return s.f(s.n(y.permute(1, 2, 0)).permute(2, 0, 1)), F.normalize(y[-1], dim=-1)
    return A(), (torch.randn(5, 3, 4),), dict(dyn={"x": {0: "T", 1: "B"}}, names=["x"])
@model
def wn_tcn_gru():
    class A(nn.Module):
        def __init__(s):
            super().__init__(); s.a = nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 6, 3, dilation=2)); s.b = nn.utils.parametrizations.weight_norm(nn.Conv1d(6, 6, 3, dilation=4)); s.d = nn.Conv1d(3, 6, 1); s.g = nn.GRU(6, 5, batch_first=True)
        def forward(s, x):
            z = F.mish(s.a(F.pad(x, (4, 0)))); z = F.selu(s.b(F.pad(z, (8, 0)))); z = F.glu(torch.cat([z, s.d(x)], 1), 1) + F.softsign(s.d(x)); return s.g(z.transpose(1, 2))[0].permute(0, 2, 1)
    return A(), (torch.randn(2, 3, 12),), dict(dyn={"x": {0: "B", 2: "T"}}, names=["x"])
@model
def rnnt_joiner():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.e = nn.LSTM(6, 8, 2, batch_first=True); s.em = nn.Embedding(12, 5); s.p = nn.LSTM(5, 8, batch_first=True); s.j = nn.Linear(8, 12)
        def forward(s, x, y, h, c):
            a = s.e(x)[0]; q, (hn, cn) = s.p(s.em(y), (h, c)); return F.log_softmax(s.j(torch.tanh(a.unsqueeze(2) + q.unsqueeze(1))), -1), hn, cn
    return A(), (torch.randn(2, 4, 6), ids(12, 2, 3), torch.zeros(1, 2, 8), torch.zeros(1, 2, 8)), dict(dyn={"x": {0: "B", 1: "T"}, "y": {0: "B", 1: "U"}, "h": {1: "B"}, "c": {1: "B"}}, names=["x", "y", "h", "c"])
@model
def unbatched():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.l = nn.LSTM(4, 6); s.f = nn.Linear(6, 2)
        def forward(s, x): return s.f(s.l(x)[0])
    return A(), (torch.randn(5, 4),), dict(dyn={"x": {0: "T"}}, names=["x"])
@model
def windows():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.l = nn.GRU(12, 6, batch_first=True); s.f = nn.Linear(6, 2)
        def forward(s, x):
            z = x.unfold(1, 4, 2).flatten(2); y = s.l(z)[0]; return s.f(y).mean(1), torch.stack([y.min(1)[0], y.max(1)[0], y.std(1)], 1), torch.median(y, 1)[0] if False else y.prod(1)
    return A(), (torch.randn(2, 12, 3),), dict(dyn={"x": {0: "B"}}, names=["x"])
@model
def bucket_time():
    class A(nn.Module):
        def __init__(s): super().__init__(); s.e = nn.Embedding(32, 4); s.l = nn.LSTM(5, 6, batch_first=True)
        def forward(s, t, v):
            d = torch.cat([torch.zeros_like(t[:, :1]), t[:, 1:] - t[:, :-1]], 1); b = torch.clamp(torch.floor(torch.log2(d.float().abs() + 1) * 4), 0, 31).long()
            ang = t.float() / 1000 * 2 * 3.14159; v = v * torch.cos(ang) + torch.sin(ang) * torch.remainder(v, 2.0)
            return s.l(torch.cat([s.e(b), v.unsqueeze(-1)], -1))[0], (t % 7), t // 7, torch.fmod(v, .5), torch.atan(v), torch.erf(v), torch.round(v * 3), torch.ceil(v), torch.sign(v), torch.reciprocal(v + 10), torch.rsqrt(v.abs() + 1), torch.isnan(v), v.isinf(), torch.logical_xor(v > 0, v > 1)
    return A(), (torch.cumsum(ids(50, 2, 6), 1), torch.randn(2, 6)), dict(dyn={"t": {0: "B", 1: "T"}, "v": {0: "B", 1: "T"}}, names=["t", "v"])


class Once(CalibrationDataReader):
    def __init__(self, feeds):
        self.list = [feeds]

    def get_next(self):
        return self.list.pop() if self.list else None


def optimised(path, to, feeds):
    o = ort.SessionOptions()
    o.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    o.optimized_model_filepath = to
    ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])


MADE = {
    "optimised": optimised,
    "dynamic": lambda path, to, feeds: quantize_dynamic(path, to, weight_type=QuantType.QInt8),
    "qdq": lambda path, to, feeds: quantize_static(path, to, Once(feeds), quant_format=QuantFormat.QDQ, per_channel=True, weight_type=QuantType.QInt8),
    "qoperator": lambda path, to, feeds: quantize_static(path, to, Once(feeds), quant_format=QuantFormat.QOperator, weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8),
}
# What is made anew of which.
AGAIN = {"conv1d_lstm": list(MADE), "lstnet": ["optimised", "qoperator"], "charcnn_highway": ["dynamic", "qdq"], "tabular": ["optimised", "dynamic"], "pointer": ["qoperator"], "transformer_gru": ["optimised", "qdq"], "wn_tcn_gru": ["qoperator"]}


def record(z, name, path, feeds):
    o = ort.SessionOptions()
    o.intra_op_num_threads = 1
    o.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    s = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
    y = s.run(None, {i.name: feeds[i.name] for i in s.get_inputs()})
    m = onnx.load(path)
    for n in m.graph.node:
        n.doc_string = ""
    for i, v in enumerate(m.graph.input):
        m.graph.initializer.append(numpy_helper.from_array(feeds[v.name], "in.%d" % i))
    for i, v in enumerate(y):
        m.graph.initializer.append(numpy_helper.from_array(np.asarray(v), "out.%d" % i))
    del m.metadata_props[:]
    info = zipfile.ZipInfo(name + ".onnx", (1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    z.writestr(info, m.SerializeToString(deterministic=True))


with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z, tempfile.TemporaryDirectory() as d:
    for k, (name, make) in enumerate(sorted(M.items())):
        torch.manual_seed(sum(map(ord, name)))
        net, x, o = make()
        net.eval()
        path, again, done = os.path.join(d, name + ".onnx"), os.path.join(d, "again.onnx"), False
        opsets = [17] if name in AGAIN else [11, 13, 17, 20]
        for opset in opsets[k % 4:] + opsets[:k % 4][::-1]:
            try:
                torch.onnx.export(torch.jit.script(net) if o.get("script") else net, x, path, dynamo=False, opset_version=opset, input_names=o["names"], dynamic_axes=o["dyn"] if k % 3 else None)
                feeds = {n: t.numpy() for n, t in zip(o["names"], x)}
                record(z, "%s_%d" % (name, opset), path, feeds)
                done = True
                break
            except Exception:  # not in this version
                continue
        if not done:
            print("left out:", name)
            continue
        for how in AGAIN.get(name, []):
            MADE[how](path, again, feeds)
            record(z, "%s_%s" % (name, how), again, feeds)
    print(len(z.namelist()), "models")
