#!/usr/bin/env python3
"""Draws models of one operator each with random attributes and shapes, runs them in
ONNX Runtime, and writes them into a zip as node_tests.py does.

    python3 random_nodes.py SEED COUNT nodes.zip

What ONNX Runtime refuses is drawn again.
"""
import random
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(4)
seed, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
r = random.Random(seed)
g = np.random.default_rng(seed)


def floats(*shape):
    return g.uniform(-2, 2, shape).astype(np.float32)


def shape(least=1, most=4, size=5):
    return [r.randint(1, size) for _ in range(r.randint(least, most))]


def broadcastable(s):
    s = [d if r.random() < 0.7 else 1 for d in s]
    return s[r.randint(0, len(s)):] if r.random() < 0.3 else s


def conv(transposed):
    n, groups, spatial = r.randint(1, 2), r.choice([1, 1, 2, 3]), r.randint(1, 2)
    c, m = r.randint(1, 4), r.randint(1, 9)
    size = [r.randint(5, 40 if spatial == 1 else 9) for _ in range(spatial)]
    k = [r.randint(1, 3) for _ in range(spatial)]
    at = dict(group=groups, strides=[r.randint(1, 3) for _ in range(spatial)], dilations=[r.randint(1, 2) for _ in range(spatial)])
    if transposed:
        w = floats(c * groups, m, *k)
        at["pads"] = [r.randint(0, 1) for _ in range(2 * spatial)]
        if r.random() < 0.4:
            at["output_padding"] = [r.randint(0, s - 1) for s in at["strides"]]
    else:
        w = floats(m * groups, c, *k)
        if r.random() < 0.3:
            at["auto_pad"] = r.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
            at["dilations"] = [1] * spatial
        else:
            at["pads"] = [r.randint(0, 2) for _ in range(2 * spatial)]
    x = [floats(n, c * groups, *size), w]
    if r.random() < 0.6:
        x.append(floats(m * groups))
    return ("ConvTranspose" if transposed else "Conv"), x, at, 1


def pool():
    spatial = r.randint(1, 2)
    size = [r.randint(4, 9) for _ in range(spatial)]
    op = r.choice(["MaxPool", "AveragePool"])
    k = [r.randint(1, 3) for _ in range(spatial)]
    at = dict(kernel_shape=k, strides=[r.randint(1, 3) for _ in range(spatial)], ceil_mode=r.randint(0, 1))
    at["pads"] = [r.randint(0, v - 1) for v in k + k]
    if op == "AveragePool":
        at["count_include_pad"] = r.randint(0, 1)
    else:
        at["dilations"] = [r.randint(1, 2) for _ in range(spatial)]
    return op, [floats(r.randint(1, 2), r.randint(1, 3), *size)], at, 1


def recurrent():
    op = r.choice(["LSTM", "GRU", "RNN"])
    gates = dict(LSTM=4, GRU=3, RNN=1)[op]
    t, b, i, h = r.randint(1, 6), r.randint(1, 3), r.randint(1, 5), r.randint(1, 20)
    direction = r.choice(["forward", "reverse", "bidirectional"])
    d = 2 if direction == "bidirectional" else 1
    at = dict(hidden_size=h, direction=direction)
    if op == "GRU":
        at["linear_before_reset"] = r.choice([0, 1, 1])
    if op == "LSTM" and r.random() < 0.2:
        at["input_forget"] = 1
    if r.random() < 0.2:
        at["clip"] = 0.5
    if r.random() < 0.2:
        names = dict(LSTM=["HardSigmoid", "Tanh", "Relu"], GRU=["HardSigmoid", "Softsign"], RNN=["Relu"])[op]
        at["activations"] = names * d
    x = [floats(t, b, i), floats(d, gates * h, i) * 0.3, floats(d, gates * h, h) * 0.3]
    x.append(floats(d, 2 * gates * h) if r.random() < 0.7 else None)
    x.append(g.integers(1, t + 1, b).astype(np.int32) if r.random() < 0.4 else None)
    x.append(floats(d, b, h) if r.random() < 0.5 else None)
    if op == "LSTM":
        x.append(floats(d, b, h) if r.random() < 0.5 else None)
        if r.random() < 0.2:
            x.append(floats(d, 3 * h))
    return op, x, at, 3 if op == "LSTM" else 2


def elementwise():
    op = r.choice(["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "PRelu", "Greater", "Less", "Equal", "Mod"])
    s = shape(1, 5)
    a, b = floats(*broadcastable(s)), floats(*broadcastable(s))
    if op == "PRelu":
        a = floats(*s)
    if op == "Pow":
        a = np.abs(a) + 0.1
    at = dict(fmod=1) if op == "Mod" else {}
    if op not in ("Pow", "PRelu", "Mod") and r.random() < 0.3:
        a, b = np.asarray(a * 10).astype(np.int64), np.asarray(b * 10).astype(np.int64)
        b = np.where(b == 0, 3, b)
    return op, [a, b], at, 1


def unary():
    op, at = r.choice([("Relu", {}), ("Tanh", {}), ("Sigmoid", {}), ("Exp", {}), ("Abs", {}), ("Neg", {}), ("Floor", {}), ("Ceil", {}),
                       ("Erf", {}), ("Softplus", {}), ("Softsign", {}), ("Elu", dict(alpha=0.7)), ("Selu", {}), ("LeakyRelu", dict(alpha=0.2)),
                       ("HardSigmoid", dict(alpha=0.3, beta=0.4)), ("Sign", {}), ("Round", {}), ("HardSwish", {}), ("Reciprocal", {}),
                       ("Gelu", {}), ("Gelu", dict(approximate="tanh")), ("Mish", {}), ("Celu", dict(alpha=0.5)), ("ThresholdedRelu", dict(alpha=0.5))])
    return op, [floats(*shape()) * r.choice([0.01, 1, 10])], at, 1


def matmul():
    s, m, k, n = shape(0, 2), r.randint(1, 9), r.randint(1, 40), r.randint(1, 70)
    a, b = broadcastable(s) + [m, k] if s else [m, k], broadcastable(s) + [k, n] if s else [k, n]
    return "MatMul", [floats(*a), floats(*b)], {}, 1


def gemm():
    m, k, n = r.randint(1, 9), r.randint(1, 40), r.randint(1, 70)
    ta, tb = r.randint(0, 1), r.randint(0, 1)
    at = dict(transA=ta, transB=tb)
    if r.random() < 0.4:
        at.update(alpha=0.5, beta=1.5)
    x = [floats(*([k, m] if ta else [m, k])), floats(*([n, k] if tb else [k, n]))]
    if r.random() < 0.8:
        x.append(floats(*r.choice([[n], [1, n], [m, 1], [m, n], []])))
    return "Gemm", x, at, 1


def reduce():
    op = r.choice(["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"])
    s = shape(1, 4)
    x = [floats(*s)]
    if r.random() < 0.8:
        axes = r.sample(range(len(s)), r.randint(1, len(s)))
        x.append(np.array([a - len(s) if r.random() < 0.3 else a for a in axes], np.int64))
    return op, x, dict(keepdims=r.randint(0, 1)), 1


def arg():
    s = shape(1, 4)
    return r.choice(["ArgMax", "ArgMin"]), [floats(*s).round(0)], dict(axis=r.randrange(-len(s), len(s)), keepdims=r.randint(0, 1), select_last_index=r.randint(0, 1)), 1


def softmax():
    s = shape(1, 4, 9)
    return r.choice(["Softmax", "LogSoftmax"]), [floats(*s) * 5], dict(axis=r.randrange(-len(s), len(s))), 1


def slices():
    s = shape(1, 4, 7)
    axes = r.sample(range(len(s)), r.randint(1, len(s)))
    big = 1 << 40
    return "Slice", [floats(*s), np.array([r.choice([r.randint(-9, 9), -big, big]) for _ in axes]), np.array([r.choice([r.randint(-9, 9), -big, big]) for _ in axes]),
                     np.array(axes), np.array([r.choice([-3, -2, -1, 1, 2, 3]) for _ in axes])], {}, 1


def pad():
    s = [r.randint(2, 5) for _ in range(r.randint(1, 4))]
    mode = r.choice(["constant", "reflect", "edge", "wrap"])
    most = 1 if mode in ("reflect", "wrap") else 3
    x = [floats(*s), np.array([r.randint(0, most) for _ in s + s], np.int64)]
    if mode == "constant" and r.random() < 0.5:
        x.append(np.float32(1.5))
    return "Pad", x, dict(mode=mode), 1


def gather():
    s = shape(1, 3)
    axis = r.randrange(len(s))
    i = g.integers(-s[axis], s[axis], shape(0, 2))
    if r.random() < 0.5:
        return "Gather", [floats(*s), i], dict(axis=axis), 1
    to = [r.randint(1, d) for d in s]
    return "GatherElements", [floats(*s), g.integers(-s[axis], s[axis], to)], dict(axis=axis), 1


def move():
    s = shape(1, 5)
    op = r.choice(["Transpose", "Tile", "Expand", "CumSum", "TopK"])
    if op == "Transpose":
        return op, [floats(*s)], dict(perm=r.sample(range(len(s)), len(s))), 1
    if op == "Tile":
        return op, [floats(*s), np.array([r.randint(0, 3) for _ in s])], {}, 1
    if op == "Expand":
        return op, [floats(*broadcastable(s)), np.array(s)], {}, 1
    if op == "CumSum":
        return op, [floats(*s), np.int64(r.randrange(len(s)))], dict(exclusive=r.randint(0, 1), reverse=r.randint(0, 1)), 1
    axis = r.randrange(len(s))
    return op, [floats(*s), np.array([r.randint(1, s[axis])])], dict(axis=axis, largest=r.randint(0, 1)), 2


def normalise():
    s = shape(3, 4)
    op = r.choice(["LayerNormalization", "InstanceNormalization", "BatchNormalization"])
    if op == "LayerNormalization":
        axis = r.randrange(len(s))
        return op, [floats(*s), floats(*s[axis:]), floats(*s[axis:])], dict(axis=axis), 1
    c = [floats(s[1]) for _ in range(2)]
    if op == "BatchNormalization":
        c += [floats(s[1]), np.abs(floats(s[1])) + 0.1]
    return op, [floats(*s)] + c, {}, 1


def quantized():
    op = r.choice(["MatMulInteger", "ConvInteger", "DynamicQuantizeLinear", "DequantizeLinear"])
    u = lambda *s: g.integers(0, 256, s).astype(np.uint8)
    if op == "DynamicQuantizeLinear":
        return op, [floats(*shape())], {}, 3
    if op == "DequantizeLinear":
        s = shape(2, 4)
        return op, [u(*s), np.abs(floats(s[1])) + 0.1, u(s[1])], dict(axis=1), 1
    if op == "MatMulInteger":
        m, k, n = r.randint(1, 5), r.randint(1, 700), r.randint(1, 20)
        return op, [u(m, k), u(k, n), u(1)[0], u(1)[0]], {}, 1
    c, m, k = r.randint(1, 40), r.randint(1, 5), r.randint(1, 3)
    return op, [u(1, c, 8, 8), u(m, c, k, k), u(1)[0], u(1)[0]], dict(pads=[1, 0, 1, 0], strides=[r.randint(1, 2)] * 2), 1


def resize():
    s = [r.randint(1, 3), r.randint(1, 3)] + [r.randint(2, 7) for _ in range(r.randint(1, 2))]
    mode = r.choice(["nearest", "nearest", "linear", "linear", "cubic"])
    if mode == "cubic":
        s = s[:2] + [r.randint(2, 7), r.randint(2, 7)]
    places = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]
    if mode == "nearest":  # which neighbour of two is the nearer hangs on a last bit
        places.pop()
    at = dict(mode=mode, coordinate_transformation_mode=r.choice(places))
    if mode == "nearest":
        at["nearest_mode"] = r.choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    if mode == "cubic" and r.random() < 0.4:
        at.update(cubic_coeff_a=-0.5, exclude_outside=1)
    scales = [1.0, 1.0] + [r.choice([0.5, 0.6, 1.0, 1.5, 2.0, 3.0, 2.3]) for _ in s[2:]]
    sizes = [max(1, int(d * f)) for d, f in zip(s, scales)]
    if r.random() < 0.5:
        return "Resize", [floats(*s), None, np.array(scales, np.float32)], at, 1
    return "Resize", [floats(*s), None, None, np.array(sizes, np.int64)], at, 1


def einsum():
    size = dict(b=2, i=3, j=4, k=5, g=2)
    eq = r.choice(["bij,bjk->bik", "bi,bj->bij", "bij->bji", "bij,ij->b", "bgi,gij->bgj", "bij,bkj->bik", "...ij,jk->...ik", "bij,bik,b->jk", "bij->", "ij,jk", "bi,bi->b", "bijk,bgk->bgij", "bii->bi"])
    terms = eq.split("->")[0].split(",")
    return "Einsum", [floats(*([2, 3] if "..." in t else []) + [size[c] for c in t.replace("...", "")]) for t in terms], dict(equation=eq), 1


def angles():
    op = r.choice(["Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"])
    x = floats(*shape()) / 2.1
    if op in ("Sin", "Cos", "Tan") and r.random() < 0.3:
        x = (x * 1e6).astype(np.float64).astype(np.float32)
    return op, [x + 2 if op == "Acosh" else x], {}, 1


def nothing():
    """Operators over an axis of no elements; ONNX Runtime ends the process for LSTM and GRU."""
    s = [r.randint(0, 3) for _ in range(r.randint(2, 3))]
    s[r.randrange(len(s))] = 0
    x, last = floats(*s), len(s) - 1
    axis = r.randrange(len(s))
    return r.choice([
        ("CumSum", [x, np.int64(axis)], {}, 1), ("Softmax", [x], dict(axis=axis), 1), ("LogSoftmax", [x], dict(axis=axis), 1),
        ("ReduceSum", [x, np.array([axis])], {}, 1), ("ReduceProd", [x, np.array([axis])], {}, 1), ("ReduceL2", [x, np.array([axis])], {}, 1),
        ("ReduceSumSquare", [x, np.array([axis])], {}, 1), ("Transpose", [x], {}, 1), ("Concat", [x, x], dict(axis=axis), 1),
        ("Tile", [x, np.array([2] * len(s))], {}, 1), ("MatMul", [x, floats(s[-1], 3)], {}, 1), ("Add", [x, floats(1)], {}, 1),
        ("Add", [x, floats(*s[1:])], {}, 1), ("Flatten", [x], {}, 1), ("Relu", [x], {}, 1), ("Slice", [x, np.array([0]), np.array([9]), np.array([axis])], {}, 1),
        ("Gather", [x, np.zeros([0], np.int64)], dict(axis=axis), 1), ("Gather", [x, np.zeros([2], np.int64)], dict(axis=axis), 1), ("Expand", [floats(*[1] * len(s)), np.array(s)], {}, 1),
        ("LayerNormalization", [x, floats(s[-1]), floats(s[-1])], dict(axis=last), 1), ("Where", [x > 0, x, x], {}, 1), ("Clip", [x], {}, 1),
        ("NonZero", [x], {}, 1), ("Squeeze", [floats(1, *s), np.array([0])], {}, 1), ("Pad", [x, np.array([1] * 2 * len(s))], {}, 1),
        ("Split", [x], dict(axis=axis, num_outputs=1), 1), ("Trilu", [x], {}, 1), ("Cast", [x], dict(to=6), 1), ("Shape", [x], {}, 1),
        ("OneHot", [np.zeros([0], np.int64), np.int64(3), floats(2)], {}, 1), ("DynamicQuantizeLinear", [x], {}, 3), ("Max", [x, x], {}, 1),
        ("GatherND", [x, np.zeros([0, 1], np.int64)], {}, 1), ("ScatterElements", [x, np.zeros(s, np.int64), x], {}, 1), ("Conv", [floats(0, 2, 5), floats(3, 2, 3)], {}, 1),
        ("MaxPool", [floats(0, 2, 5)], dict(kernel_shape=[2]), 1), ("TopK", [floats(3, 0), np.array([0])], {}, 2),
        ("Einsum", [floats(2, 0), floats(0, 3)], dict(equation="ij,jk->ik"), 1), ("Gemm", [floats(0, 3), floats(3, 2)], {}, 1), ("Gemm", [floats(2, 0), floats(0, 3), floats(3)], {}, 1),
    ])


def fused():
    """Operators of ONNX Runtime's own."""
    s = shape(1, 3) + [r.randint(2, 6)]
    x, n = floats(*s), s[-1]
    m, k, c = r.randint(1, 5), r.randint(1, 9), r.randint(1, 7)
    ta, tb = r.randint(0, 1), r.randint(0, 1)
    op, inputs, at, outputs = r.choice([
        ("BiasGelu", [x, floats(n)], {}, 1), ("FastGelu", [x, floats(n)], {}, 1), ("QuickGelu", [x], dict(alpha=1.3), 1), ("Gelu", [x], {}, 1),
        ("FusedMatMul", [floats(2, *([k, m] if ta else [m, k])), floats(2, *([c, k] if tb else [k, c]))], dict(transA=ta, transB=tb, alpha=0.5), 1),
        ("FusedGemm", [floats(*([k, m] if ta else [m, k])), floats(*([c, k] if tb else [k, c])), floats(c)], dict(transA=ta, transB=tb, activation=r.choice(["Relu", "Tanh", "Sigmoid"])), 1),
        ("FusedGemm", [floats(m, k), floats(k, c)], dict(activation="LeakyRelu", activation_alpha=0.3), 1),
        ("FusedConv", [floats(1, 3, 9), floats(4, 3, 3), floats(4)], dict(activation=r.choice(["Relu", "Sigmoid"]), pads=[1, 1]), 1),
        ("FusedConv", [floats(1, 3, 9), floats(4, 3, 3), floats(4)], dict(activation="Clip", activation_params=[-0.5, 0.7]), 1),
        ("SkipLayerNormalization", [floats(2, 3, n), floats(2, 3, n), floats(n), floats(n), floats(n)], dict(epsilon=1e-5), 1),
        ("BiasSoftmax", [floats(2, 3, 4, n), floats(2, 1, 1, n)], dict(axis=3, is_inner_broadcast=0), 1),
    ])
    return "com.microsoft." + op, inputs, at, outputs


def qlinear():
    kind = r.choice([np.uint8, np.int8])
    q = lambda *s: (g.integers(0, 256, s) - (128 if kind == np.int8 else 0)).astype(kind)
    zero = lambda: q(1)[0] if r.random() < 0.8 else kind(0)
    scale = lambda low=0.02: np.float32(g.uniform(low, 3 * low))
    a, y = [scale(), zero()], [scale(0.05), zero()]
    m, k, n = r.randint(1, 5), r.randint(1, 40), r.randint(1, 9)
    s = shape(1, 3) + [r.randint(1, 6)]
    op, inputs, at = r.choice([
        ("QLinearMatMul", [q(m, k)] + a + [q(k, n), scale(), zero(), np.float32(k * 0.2), zero()], {}),
        ("QLinearConv", [g.integers(0, 256, (1, 3, 6, 6)).astype(np.uint8), scale(), np.uint8(100), g.integers(0, 256, (4, 3, 3, 3)).astype(np.uint8), scale(), np.uint8(120), np.float32(2), np.uint8(128), g.integers(-90, 90, 4).astype(np.int32)], dict(pads=[1, 0, 1, 0])),
        ("com.microsoft.QLinearAdd", [q(*s)] + a + [q(s[-1]), scale(), zero()] + y, {}),
        ("com.microsoft.QLinearMul", [q(*s)] + a + [q(*s), scale(), zero()] + y, {}),
        ("com.microsoft.QLinearSigmoid", [q(*s)] + a + y, {}),
        ("com.microsoft.QLinearLeakyRelu", [q(*s)] + a + y, dict(alpha=0.1)),
        ("com.microsoft.QLinearConcat", y + [q(*s)] + a + [q(*s), scale(), zero()], dict(axis=0)),
        ("com.microsoft.QLinearGlobalAveragePool", [q(1, 3, 4, 5)] + a + y, {}),
        ("com.microsoft.QGemm", [g.integers(0, 256, (m, k)).astype(np.uint8), scale(), np.uint8(99), g.integers(-128, 128, (n, k)).astype(np.int8), scale(), np.int8(3), g.integers(-90, 90, n).astype(np.int32), np.float32(k * 0.2), np.uint8(128)], dict(transB=1)),
        ("com.microsoft.MatMulIntegerToFloat", [g.integers(0, 256, (m, k)).astype(np.uint8), g.integers(0, 256, (k, n)).astype(np.uint8), scale(), scale(), np.uint8(99), np.uint8(130), floats(n)], {}),
        ("com.microsoft.DynamicQuantizeMatMul", [floats(m, k), g.integers(0, 256, (k, n)).astype(np.uint8), scale(), np.uint8(130), floats(n)], {}),
    ])
    return op, inputs, at, 1


def draw():
    f = r.choice([lambda: conv(False), lambda: conv(False), lambda: conv(True), pool, recurrent, recurrent, recurrent, elementwise, unary, matmul, gemm, reduce, arg, softmax, slices, pad, gather, move, normalise, quantized, resize, resize, einsum, angles, nothing, nothing, fused, fused, qlinear, qlinear])
    op, x, at, outputs = f()
    names, arrays = [], []
    for i, a in enumerate(x):
        names.append("" if a is None else "x%d" % i)
        if a is not None:
            arrays.append((names[-1], np.asarray(a)))
    # Weights are constants half of the time: other kernels then run.
    fixed = [n for n, _ in arrays[1:] if op in ("LSTM", "GRU", "RNN") and n in ("x1", "x2", "x3", "x7") or r.random() < 0.5]
    domain, _, op = op.rpartition(".")
    node = helper.make_node(op, names, ["y%d" % i for i in range(outputs)], domain=domain, **at)
    free = [(n, a) for n, a in arrays if n not in fixed]
    info = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in free]
    graph = helper.make_graph([node], op, info, [onnx.ValueInfoProto(name=o) for o in node.output], [numpy_helper.from_array(a, n) for n, a in arrays if n in fixed])
    opset = r.choice([18, 19, 20, 21])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)], ir_version=9)
    s = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    got = s.run(None, dict(free))
    del model.graph.output[:]
    for o, y in zip(node.output, got):
        model.graph.output.append(helper.make_tensor_value_info(o, helper.np_dtype_to_tensor_dtype(y.dtype), y.shape))
    for kind, values in (("in", [a for _, a in free]), ("out", got)):
        for i, a in enumerate(values):
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(a), "%s.%d" % (kind, i)))
    return op, model


with zipfile.ZipFile(path, "w") as z:
    n = 0
    for _ in range(20 * count):
        if n == count:
            break
        try:
            op, model = draw()
        except Exception as e:  # ONNX Runtime does not run it
            if "Runtime" not in repr(e) and "NotImplemented" not in repr(e) and "Fail" not in repr(e) and "Invalid" not in repr(e):
                raise
            continue
        z.writestr("%04d_%s.onnx" % (n, op), model.SerializeToString())
        n += 1
