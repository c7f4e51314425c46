"""Makes the files of these cases and what PyTorch and ONNX Runtime give for them.

    python make.py          # torch 2, onnx, onnxruntime, numpy, safetensors

Each is the smallest form of a file that somebody reported: weights beside which
others stand, in shards, quantised, with objects, under other endings, graphs with
constant lengths, learnt states and integers. cases.json says what the command is
given and what it has to give; x.npy is [T,B,I] = [6,2,3], x2.npy [5,3,2].
"""
import copy, json, pathlib, tempfile
import numpy as np, onnx, onnxruntime as ort, torch
from onnx import helper as h, numpy_helper as nh
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

cases = []


def case(name, file, right, *args, said=""):
    save_file({k: v.contiguous() for k, v in right.items()}, f"{name}.right.safetensors")
    cases.append({"name": name, "args": [file, "x.npy", *args], "right": f"{name}.right.safetensors", "said": said})


def refused(name, said, *args):
    cases.append({"name": name, "args": list(args), "said": said})


def lstm(layers=1):
    torch.manual_seed(1)
    return nn.LSTM(3, 4, num_layers=layers).eval()


def plain(g):
    """The layer of the weights that g computes: LSTM keeps a list of those it had."""
    p = lstm()
    with torch.no_grad():
        p.weight_hh_l0.copy_(g.weight_hh_l0)
    return p


def run(m, x, s=None):
    y, (hn, cn) = m(x, s)
    return {"output": y.detach(), "h_n": hn.detach(), "c_n": cn.detach()}


torch.manual_seed(0)
x = torch.randn(6, 2, 3)
np.save("x.npy", x.numpy())
order = "--time-first"
m = lstm()

# AWD-LSTM: the trained weight is raw; beside it stands its last dropped copy.
raw = {"rnns.0.module." + k: v for k, v in m.state_dict().items()}
raw["rnns.0.weight_hh_l0_raw"] = raw["rnns.0.module.weight_hh_l0"]
raw["rnns.0.module.weight_hh_l0"] = nn.functional.dropout(raw["rnns.0.weight_hh_l0_raw"], 0.5)
torch.save(raw, "weight-drop.pt")
case("weight-drop", "weight-drop.pt", run(m, x), order, said="weight_hh_l0_raw")

# Reparametrised weights, as each of torch's ways saves them.
g = lstm()
nn.utils.parametrizations.weight_norm(g, "weight_hh_l0")
torch.save(g.state_dict(), "weight-norm.pt")
case("weight-norm", "weight-norm.pt", run(plain(g), x), order, said="weight norm")
g = lstm()
nn.utils.parametrizations.spectral_norm(g, "weight_hh_l0").eval()
torch.save(g.state_dict(), "spectral-norm.pt")
case("spectral-norm", "spectral-norm.pt", run(plain(g), x), order, said="spectral norm")
g = lstm()
prune.l1_unstructured(g, "weight_hh_l0", 0.5)
torch.save(g.state_dict(), "pruned.pt")
case("pruned", "pruned.pt", run(plain(g), x), order, said="pruned")

# Shards and their index; one alone is no model.
deep = lstm(2)
d = pathlib.Path("shards")
d.mkdir(exist_ok=True)
where = {}
for i in range(2):
    part = {k: v for k, v in deep.state_dict().items() if k.endswith(f"_l{i}")}
    f = f"model-0000{i + 1}-of-00002.safetensors"
    save_file(part, str(d / f))
    where |= {k: f for k in part}
(d / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
case("shards", "shards/model.safetensors.index.json", run(deep, x), order)
case("shards-folder", "shards", run(deep, x), order)
refused("one-shard", "shard 1 of 2", "shards/model-00001-of-00002.safetensors", "x.npy", order)

# Dynamic quantisation: int8 times scale is the weight.
q = torch.ao.quantization.quantize_dynamic(nn.ModuleDict({"rnn": copy.deepcopy(m)}), {nn.LSTM}, dtype=torch.qint8)
torch.save(q.state_dict(), "quantized.pt")
dense = lstm()
p = q["rnn"]._all_weight_values[0].param
state = p.__getstate__()
packed = []


def walk(o):
    if isinstance(o, torch.Tensor):
        packed.append(o.dequantize() if o.is_quantized else o)
    elif isinstance(o, torch.ScriptObject):
        walk(o.__getstate__())
    elif isinstance(o, (tuple, list)):
        for e in o:
            walk(e)


walk(state)
shapes = {"weight_ih_l0": (16, 3), "weight_hh_l0": (16, 4)}
with torch.no_grad():
    for k, s in shapes.items():
        dense.get_parameter(k).copy_(next(t for t in packed if tuple(t.shape) == s))
case("quantized", "quantized.pt", run(dense, x), order)

# Objects beside the weights, and things in hyper-parameters.
opt = torch.optim.Adam(m.parameters())
m(x)[0].sum().backward()
opt.step()
opt.zero_grad()
m = m.eval()
torch.save([m, nn.CrossEntropyLoss(), opt, m.state_dict()], "objects.pt")
case("objects", "objects.pt", run(m, x), order, "--prefix", "0")
torch.save({"model": m.state_dict(), "hp": {"v": range(3)}, "cache": {frozenset([1]): 2}}, "hparams.pt")
case("hparams", "hparams.pt", run(m, x), order)

# Endings do not decide.
torch.save(m.state_dict(), "best.pth.tar")
torch.save(m.state_dict(), "noending")
save_file(m.state_dict(), "weights.sft")
for f in ("best.pth.tar", "noending", "weights.sft"):
    case("ending-" + f.split(".")[-1], f, run(m, x), order)
torch.jit.script(m).save("script.pt")
case("torchscript", "script.pt", run(m, x), order, said="its code is not run")

# A chunk goes on from the states of the one before, under each of their names.
s = m(x[:3])[1]
rest = run(m, x[3:], s)
for name, (a, b) in {"h_n": ("h_n", "c_n"), "h0": ("h0", "c0"), "hx": ("hx", "cx")}.items():
    save_file({"input": x[3:].clone(), a: s[0].detach().clone(), b: s[1].detach().clone()}, f"second-{name}.safetensors")
    case(f"state-{name}", "noending", rest, order)
    cases[-1]["args"][1] = f"second-{name}.safetensors"
save_file({"input": x, "length": torch.tensor([6, 2])}, "length.safetensors")
refused("length", "which nothing reads", "noending", "length.safetensors", order)

# Keras's list of weights without names.
np.savez("get_weights.npz", *[np.zeros(s, np.float32) for s in ((3, 16), (4, 16), (16,))])
refused("get-weights", "numpy.savez", "get_weights.npz", "x.npy", "--convention", "keras")

# Graphs.
torch.manual_seed(2)
x2 = torch.randn(5, 3, 2).numpy()
np.save("x2.npy", x2)


def graph(name, op, gates, more=(), inputs=(), outs=("Y", "Y_h", "Y_c"), d=1, **attrs):
    r = np.random.default_rng(3)
    ws = [nh.from_array((r.standard_normal(s) / 2).astype(np.float32), n)
          for n, s in (("W", (d, gates * 4, 2)), ("R", (d, gates * 4, 4)), ("B", (d, gates * 8)))]
    node = h.make_node(op, ["X", "W", "R", "B", *inputs], list(outs), hidden_size=4, **attrs)
    g = h.make_graph([node], "g", [h.make_tensor_value_info("X", 1, ["T", 3, 2])],
                     [h.make_tensor_value_info(o, 1, None) for o in outs], ws + list(more))
    onnx.save(h.make_model(g, opset_imports=[h.make_opsetid("", 14)], ir_version=8), name + ".onnx")
    graph_case(name)


def graph_case(name):
    o = ort.SessionOptions()
    o.intra_op_num_threads = 1  # on several it quantises parts of the batch by themselves
    s = ort.InferenceSession(name + ".onnx", o)
    right = {o.name: torch.from_numpy(v.copy()) for o, v in zip(s.get_outputs(), s.run(None, {"X": x2}))}
    case(name, name + ".onnx", right)
    cases[-1]["args"][1] = "x2.npy"


graph("lengths-gru", "GRU", 3, [nh.from_array(np.array([5, 2, 3], np.int32), "lens")], ["lens"], ("Y", "Y_h"), 2,
      direction="bidirectional", linear_before_reset=1)
graph("lengths-reverse", "LSTM", 4, [nh.from_array(np.array([5, 2, 3], np.int32), "lens")], ["lens"], direction="reverse")
graph("lengths-zero", "LSTM", 4, [nh.from_array(np.array([5, 0, 3], np.int32), "lens")], ["lens"])
r = np.random.default_rng(4)
graph("learnt-states", "LSTM", 4, [nh.from_array(r.standard_normal((1, 3, 4)).astype(np.float32), n) for n in ("h0", "c0")],
      ["", "h0", "c0"])
graph("float", "LSTM", 4)
quantize_dynamic("float.onnx", "quantized-dynamic.onnx", weight_type=QuantType.QInt8, op_types_to_quantize=["LSTM"])
graph_case("quantized-dynamic")
f = onnx.load("float.onnx")
nodes = []
for t in [t for t in f.graph.initializer if t.name in "WR"]:
    v = nh.to_array(t)
    scale = np.float32(np.abs(v).max() / 127)
    f.graph.initializer.remove(t)
    f.graph.initializer.extend([nh.from_array(np.round(v / scale).astype(np.int8), t.name + "_q"),
                                nh.from_array(scale, t.name + "_s"), nh.from_array(np.int8(0), t.name + "_z")])
    nodes.append(h.make_node("DequantizeLinear", [t.name + e for e in ("_q", "_s", "_z")], [t.name]))
old = list(f.graph.node)
del f.graph.node[:]
f.graph.node.extend(nodes + old)
onnx.save(f, "quantized-qdq.onnx")
graph_case("quantized-qdq")

pathlib.Path("cases.json").write_text(json.dumps(cases, indent=1) + "\n")
