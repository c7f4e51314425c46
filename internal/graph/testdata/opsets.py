#!/usr/bin/env python3
"""Writes operators in every form that ONNX gave them from version 7 to 23, run by ONNX
Runtime in the first and last version of each form, into a zip as node_tests.py does:

    python3 opsets.py opsets.zip

FIRST-LAST_NUMBER_OPERATOR.onnx is the same in versions FIRST to LAST.
"""
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(4)
g = np.random.default_rng(7)
OLDEST, NEWEST = 7, 23


def f(*shape):
    return g.uniform(-2, 2, shape).astype(np.float32)


def i(*list_):
    return np.array(list_, np.int64)


def q(*shape):
    return g.integers(0, 256, shape).astype(np.uint8)


def info(name, type_=TensorProto.FLOAT, shape=None):
    return helper.make_tensor_value_info(name, type_, shape)


def branch(op):
    return helper.make_graph([helper.make_node(op, ["x0"], ["b"])], op, [], [info("b")])


def loop():
    nodes = [helper.make_node("Add", ["s", "x2"], ["t"]), helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Tanh", ["t"], ["u"])]
    return helper.make_graph(nodes, "body", [info("k", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("s", shape=[2, 3])], [info("d", TensorProto.BOOL, []), info("t", shape=[2, 3]), info("u", shape=[2, 3])])


def scan():
    nodes = [helper.make_node("Add", ["s", "e"], ["t"]), helper.make_node("Tanh", ["t"], ["u"])]
    return helper.make_graph(nodes, "body", [info("s", shape=[3]), info("e", shape=[3])], [info("t", shape=[3]), info("u", shape=[3])])


cases = []


def case(op, inputs, outputs=1, first=OLDEST, last=NEWEST, **attrs):
    cases.append((op, inputs, outputs, first, last, attrs))


x, y = f(2, 3, 4), f(2, 3, 4)
image = f(1, 2, 6, 6)
T = np.array(True)
bools = x > 0

# Attributes became inputs.
case("Squeeze", [f(2, 1, 3, 1)], last=12, axes=[1, 3])
case("Squeeze", [f(2, 1, 3, 1)], first=11, last=12, axes=[-1])
case("Squeeze", [f(2, 1, 3, 1)])
case("Squeeze", [f(2, 1, 3, 1), i(1, -1)], first=13)
case("Unsqueeze", [x], last=12, axes=[0, 3])
case("Unsqueeze", [x, i(0, -1)], first=13)
case("Slice", [x], last=9, starts=[0, -3], ends=[9, -1], axes=[1, 2])
case("Slice", [x], last=9, starts=[1], ends=[2])
case("Slice", [x, i(0, -3), i(9, -1), i(1, 2), i(2, 1)], first=10)
case("Slice", [x, i(-1), i(-9), i(-1), i(-1)], first=10)
case("Pad", [x], last=10, pads=[0, 1, 0, 0, 0, 2], value=1.5)
for mode in ("reflect", "edge"):
    case("Pad", [x], last=10, pads=[0, 1, 0, 0, 0, 2], mode=mode)
    case("Pad", [x, i(0, 1, 0, 0, 0, 2)], first=11, mode=mode)
case("Pad", [x, i(0, 1, 0, 0, -1, 2), np.float32(1.5)], first=11)
case("Pad", [x, i(1, 2), np.float32(1.5), i(-1)], first=18)
case("Pad", [x, i(0, 1, 0, 0, 0, 2)], first=19, mode="wrap")
case("Dropout", [x], last=11, ratio=0.3)
case("Dropout", [x], first=12)
case("Dropout", [x, np.float32(0.3)], 2, first=12)
case("Clip", [x], last=10, min=-0.5, max=1.0)
case("Clip", [x], last=10, min=-0.5)
case("Clip", [x, np.float32(-0.5), np.float32(1)], first=11)
case("Clip", [x, None, np.float32(1)], first=11)
case("Clip", [(x * 9).astype(np.int64), np.int64(-3)], first=12)
case("TopK", [x], 2, last=9, k=2, axis=1)
case("TopK", [x, i(2)], 2, first=10, axis=1)
case("TopK", [x, i(3)], 2, first=11, axis=-1, largest=0, sorted=1)
case("Split", [x], 2, last=12, axis=2, split=[1, 3])
case("Split", [x], 2, last=17, axis=2)
case("Split", [x, i(1, 3)], 2, first=13, axis=-1)
case("Split", [x], 3, first=18, axis=2, num_outputs=3)
case("Upsample", [image], first=7, last=8, scales=[1.0, 1.0, 2.0, 1.5], mode="nearest")
case("Upsample", [image], first=7, last=8, scales=[1.0, 1.0, 2.0, 2.0], mode="linear")
scales = np.array([1, 1, 2, 1.5], np.float32)
for mode in ("nearest", "linear"):
    case("Upsample", [image, scales], first=9, last=9, mode=mode)
    case("Resize", [image, scales], first=10, last=10, mode=mode)
    case("Resize", [image, np.zeros(0, np.float32), scales], first=11, last=12, mode=mode)
    case("Resize", [image, None, scales], first=13, mode=mode)
    case("Resize", [image, None, None, i(1, 2, 9, 4)], first=13, mode=mode)
case("Resize", [image, np.zeros(0, np.float32), scales], first=11, coordinate_transformation_mode="align_corners", mode="linear")
case("Resize", [image, None, np.array([1.5, 2], np.float32)], first=18, axes=[3, 2], mode="cubic")
case("Resize", [image, None, None, i(9, 12)], first=18, axes=[2, 3], mode="linear", keep_aspect_ratio_policy="not_larger")
case("Resize", [image, None, np.array([0.5, 0.6], np.float32)], first=18, axes=[2, 3], mode="linear", antialias=1)
case("Resize", [image, None, np.array([0.5, 0.6], np.float32)], first=19, axes=[2, 3], mode="linear", coordinate_transformation_mode="half_pixel_symmetric")
case("ReduceSum", [x], last=12, axes=[1], keepdims=0)
case("ReduceSum", [x])
case("ReduceSum", [x, i(-1, 0)], first=13, keepdims=0)
case("ReduceSum", [x], first=13, noop_with_empty_axes=1)
for op in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"):
    data = np.abs(x) if op == "ReduceLogSum" else x
    case(op, [data], last=17, axes=[0, 2])
    case(op, [data], keepdims=0)
    case(op, [data, i(0, -1)], first=18)
case("ReduceMax", [(x * 50).astype(np.int8), i(1)], first=18)
case("ReduceMin", [bools, i(1)], first=20)

# The meaning changed.
for op in ("Softmax", "LogSoftmax"):
    case(op, [x])
    case(op, [f(2, 2, 3, 2)], axis=2)
    case(op, [x], first=11, axis=-1)
    case(op, [x], axis=0)
case("Flatten", [x])
case("Flatten", [x], first=11, axis=-1)
case("BatchNormalization", [image, f(2), f(2), f(2), np.abs(f(2))], epsilon=1e-3)
case("Gemm", [f(3, 2), f(4, 3), f(1, 4)], transA=1, transB=1, alpha=0.5, beta=2.0)
case("Gemm", [f(2, 3), f(3, 4)], first=11)
case("Reshape", [x, i(0, -1)])
case("Reshape", [f(0, 3), i(3, 0)], first=14, allowzero=1)
case("Shape", [x])
case("Shape", [x], first=15, start=1, end=-1)
case("Cast", [x], to=TensorProto.INT64)
case("Cast", [x], to=TensorProto.FLOAT16)
case("Cast", [x], to=TensorProto.BOOL)
case("CastLike", [x, i(1)], first=15)
case("ArgMax", [x], axis=1)
case("ArgMin", [x], keepdims=0, axis=2)
case("ArgMax", [np.round(x)], first=12, axis=-1, select_last_index=1)
case("Gather", [x, i(1, 0)], axis=2)
case("Gather", [x, i(-1, 0)], first=11, axis=-1)
case("Concat", [x, y], axis=1)
case("Concat", [x, y], first=11, axis=-1)
case("MaxPool", [image], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])
case("MaxPool", [image], first=10, kernel_shape=[2, 2], dilations=[2, 1], strides=[2, 2], ceil_mode=1)
case("AveragePool", [image], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 1], count_include_pad=1)
case("AveragePool", [image], first=10, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
case("AveragePool", [image], first=19, kernel_shape=[2, 2], dilations=[2, 2])
case("LpPool", [image], kernel_shape=[2, 2], p=2)
for op in ("GlobalAveragePool", "GlobalMaxPool"):
    case(op, [image])
case("Conv", [image, f(4, 1, 3, 3), f(4)], group=2, pads=[1, 0, 1, 0], strides=[2, 1], dilations=[1, 2])
case("Conv", [f(2, 3, 9), f(4, 3, 3)], auto_pad="SAME_LOWER")
case("ConvTranspose", [image, f(2, 3, 3, 3), f(3)], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 0])
for op, n in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    states = [f(2, 2, 5)] * (2 if op == "LSTM" else 1)
    case(op, [f(4, 2, 3), f(2, 5 * n, 3), f(2, 5 * n, 5), f(2, 10 * n), np.array([4, 2], np.int32)] + states, 3 if op == "LSTM" else 2, direction="bidirectional", hidden_size=5)
    case(op, [f(4, 2, 3), f(1, 5 * n, 3), f(1, 5 * n, 5)], 2, direction="reverse", hidden_size=5, clip=1.5)
    # ONNX Runtime runs layout 0 alone: its numbers, their axes exchanged.
    case(op, [f(2, 4, 3), f(1, 5 * n, 3), f(1, 5 * n, 5), f(1, 10 * n)], 2, first=14, hidden_size=5, layout=1)
case("GRU", [f(4, 2, 3), f(1, 15, 3), f(1, 15, 5), f(1, 30)], 2, hidden_size=5, linear_before_reset=1)
case("Loop", [i(3)[0], T, x[:, :, 0].copy()], 2, body=loop())
case("If", [x, T], then_branch=branch("Tanh"), else_branch=branch("Neg"))
case("Scan", [f(3), f(4, 3)], 2, first=9, num_scan_inputs=1, body=scan())
case("Pow", [np.abs(x), y])
case("Pow", [x, i(2)[0]], first=12)
case("Equal", [np.round(x).astype(np.int64), np.round(y).astype(np.int64)])
case("Equal", [np.round(x), np.round(y)], first=11)
for op in ("Less", "Greater"):
    case(op, [x, y])
for op in ("LessOrEqual", "GreaterOrEqual"):
    case(op, [x, y], first=12)
case("Where", [bools, x, y], first=9)
for op in ("Max", "Min", "Sum", "Mean"):
    case(op, [x, y, f(2, 3, 4)])
    case(op, [x, f(4)], first=8)
for op in ("Add", "Sub", "Mul", "Div"):
    case(op, [x, f(3, 1)])
    case(op, [(9 * x).astype(np.int64), np.abs(9 * y).astype(np.int64) + 1])
case("PRelu", [x, f(3, 1)])
case("Mod", [x, y], first=10, fmod=1)
case("Mod", [(9 * x).astype(np.int64), i(3)], first=10)
case("Constant", [], value=numpy_helper.from_array(x))
case("Constant", [], first=12, value_floats=[1.0, 2.5])
case("ConstantOfShape", [i(2, 3)], first=9, value=numpy_helper.from_array(i(4)))
case("Scatter", [x, np.array([[[0, 1]]]), f(1, 1, 2)], first=9, last=10, axis=2)
case("ScatterElements", [x, np.array([[[0, 1]]]), f(1, 1, 2)], first=11, axis=2)
case("ScatterElements", [x, np.array([[[0, 0]]]), f(1, 1, 2)], first=16, axis=-1, reduction="add")
case("ScatterElements", [x, np.array([[[0, 0]]]), f(1, 1, 2)], first=18, axis=-1, reduction="max")
case("ScatterND", [x, np.array([[1], [0]]), f(2, 3, 4)], first=11)
case("ScatterND", [x, np.array([[1], [1]]), f(2, 3, 4)], first=16, reduction="mul")
case("GatherElements", [x, np.array([[[0, 1]], [[1, -1]]])], first=11, axis=2)
case("GatherND", [x, np.array([[1, 2], [0, -1]])], first=11)
case("GatherND", [x, np.array([[1], [2]])], first=12, batch_dims=1)
case("DepthToSpace", [f(1, 8, 2, 3)], blocksize=2)
case("DepthToSpace", [f(1, 8, 2, 3)], first=11, blocksize=2, mode="CRD")
case("SpaceToDepth", [image], blocksize=2)
case("QuantizeLinear", [x, np.float32(0.02), np.uint8(120)], first=10)
case("QuantizeLinear", [x, np.abs(f(3)) + 0.1, np.array([3, 4, 5], np.int8)], first=13, axis=1)
case("DequantizeLinear", [q(2, 3, 4), np.float32(0.02), np.uint8(120)], first=10)
case("DequantizeLinear", [q(2, 3, 4), np.abs(f(3)) + 0.1, np.array([3, 4, 5], np.uint8)], first=13, axis=1)
case("DynamicQuantizeLinear", [x], 3, first=11)
case("MatMulInteger", [q(2, 5), q(5, 3), np.uint8(7), np.uint8(9)], first=10)
case("ConvInteger", [q(1, 2, 5, 5), q(3, 2, 3, 3), np.uint8(7), np.uint8(9)], first=10, pads=[1, 1, 1, 1])
case("QLinearMatMul", [q(2, 5), np.float32(0.02), np.uint8(7), q(5, 3), np.float32(0.03), np.uint8(9), np.float32(0.5), np.uint8(128)], first=10)
case("QLinearConv", [q(1, 2, 5, 5), np.float32(0.02), np.uint8(7), q(3, 2, 3, 3), np.float32(0.03), np.uint8(9), np.float32(0.5), np.uint8(128)], first=10)
case("LayerNormalization", [x, f(4), f(4)], first=17)
case("GroupNormalization", [f(1, 4, 3), f(2), f(2)], first=18, last=20, num_groups=2)
case("GroupNormalization", [f(1, 4, 3), f(4), f(4)], first=21, num_groups=2)
case("InstanceNormalization", [f(1, 2, 9), f(2), f(2)])
case("LpNormalization", [x], axis=1, p=2)
case("OneHot", [i(1, 0, 2), np.int64(3), np.array([-1, 2], np.float32)], first=9, axis=0)
case("CumSum", [x, np.int64(1)], first=11, reverse=1)
case("Range", [np.int64(2), np.int64(9), np.int64(3)], first=11)
case("NonZero", [bools], first=9)
case("Compress", [x, np.array([True, False, True])], first=9, axis=1)
case("ReverseSequence", [x, i(2, 1, 2)], first=10, time_axis=0, batch_axis=1)
case("EyeLike", [f(3, 4)], first=9, k=1)
case("Trilu", [f(4, 4)], first=14, upper=0)
case("Einsum", [f(2, 3), f(3, 4)], first=12, equation="ij,jk->ki")
case("Expand", [f(3, 1), i(2, 1, 4)], first=8)
case("Tile", [x, i(1, 2, 1)])
case("Transpose", [x], perm=[2, 0, 1])
case("MatMul", [f(2, 3, 4), f(4, 5)])
case("MatMul", [f(4), f(2, 4, 5)])
case("IsInf", [np.array([1, np.inf, -np.inf], np.float32)], first=10)
case("IsNaN", [np.array([1, np.nan], np.float32)], first=9)
case("DFT", [f(1, 8, 1)], first=17, last=19, axis=1)
case("DFT", [f(1, 8, 1), np.int64(8), np.int64(1)], first=20, onesided=1)
case("Gelu", [x], first=20, approximate="tanh")
case("RMSNormalization", [x, f(4)], first=23)
case("Attention", [f(1, 2, 3, 4), f(1, 2, 3, 4), f(1, 2, 3, 4)], first=23, is_causal=1)
case("BitShift", [q(4), np.array([1, 2, 3, 0], np.uint8)], first=11, direction="LEFT")
case("And", [bools, y > 0])
case("Not", [bools])

# One form, or the same one with more types.
for op, attrs in dict(Relu={}, LeakyRelu=dict(alpha=0.2), Elu=dict(alpha=0.7), Selu={}, Sigmoid={}, Tanh={}, HardSigmoid=dict(alpha=0.3), Softplus={}, Softsign={}, Neg={}, Abs={}, Exp={}, Floor={}, Ceil={}, Identity={}, Reciprocal={}, Sin={}, Cos={}, Atan={}, Size={}).items():
    case(op, [x], **attrs)
for op in ("Sqrt", "Log"):
    case(op, [np.abs(x) + 0.1])
for op, first in dict(Erf=9, Sign=9, Sinh=9, Asinh=9, Round=11, HardSwish=14, Mish=18, ThresholdedRelu=10, Celu=12, Shrink=9, Hardmax=7).items():
    case(op, [x], first=first)


def forms(op, first, last):
    """The versions in which an operator has one form each."""
    v = first
    while v <= last:
        since = onnx.defs.get_schema(op, v, "").since_version
        end = v
        while end < last and onnx.defs.get_schema(op, end + 1, "").since_version == since:
            end += 1
        yield v, end
        v = end + 1


def model(op, inputs, outputs, attrs, version, got=None):
    names = ["" if a is None else "x%d" % k for k, a in enumerate(inputs)]
    fixed = [k > 0 and a is not None and a.dtype == np.int64 and op not in ("Equal", "Div") for k, a in enumerate(inputs)]
    extra = names if op != "If" else names[1:]
    node = helper.make_node(op, extra, ["y%d" % k for k in range(outputs)], **attrs)
    free = [(n, a) for n, a, c in zip(names, inputs, fixed) if n and not c]
    types = [info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in free]
    graph = helper.make_graph([node], op, types, [onnx.ValueInfoProto(name=o) for o in node.output], [numpy_helper.from_array(a, n) for n, a, c in zip(names, inputs, fixed) if c])
    m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
    if got is not None:
        del m.graph.output[:]
        for o, a in zip(node.output, got):
            m.graph.output.append(info(o, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape))
        for kind, values in (("in", [a for _, a in free]), ("out", got)):
            for k, a in enumerate(values):
                m.graph.initializer.append(numpy_helper.from_array(np.asarray(a), "%s.%d" % (kind, k)))
    return m, dict(free)


def run(op, inputs, outputs, attrs, version):
    if attrs.get("layout"):
        attrs = {k: v for k, v in attrs.items() if k != "layout"}
        got = run(op, [np.swapaxes(inputs[0], 0, 1).copy()] + inputs[1:], outputs, attrs, version)
        return [got[0].transpose(2, 0, 1, 3).copy()] + [np.swapaxes(a, 0, 1).copy() for a in got[1:]]
    m, free = model(op, inputs, outputs, attrs, version)
    return onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, free)


def main():
    kept, skipped = 0, []
    with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
        for number, (op, inputs, outputs, first, last, attrs) in enumerate(cases):
            inputs = [None if a is None else np.asarray(a) for a in inputs]
            for start, end in forms(op, first, last):
                try:
                    got = run(op, inputs, outputs, attrs, start)
                    again = run(op, inputs, outputs, attrs, end)
                except Exception as e:
                    skipped.append("%s %d-%d: %s" % (op, start, end, str(e)[:150]))
                    continue
                assert all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(got, again)), op
                m, _ = model(op, inputs, outputs, attrs, start, got)
                entry = zipfile.ZipInfo("%02d-%02d_%03d_%s.onnx" % (start, end, number, op), (1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                z.writestr(entry, m.SerializeToString(deterministic=True))
                kept += 1
    print(kept, "files; ONNX Runtime does not run:", *skipped, sep="\n", file=sys.stderr)


main()
