#!/usr/bin/env python3
"""Writes networks that onnxruntime.quantization quantised, with what ONNX Runtime gives
for them on one thread, into one zip: inputs as constants in.0, ..., outputs out.0, ...
which the graph does not use. What QuantizeLinear gives within a network is an output
too.

    python3 quantized.py quantized.zip

Networks: Gemm, Relu, Gemm, MatMul; Conv (groups, strides, pads), Relu, Conv of one
position, MatMul; an LSTM between MatMuls; a product of two results. Forms: static as
QDQ and as operators of integers (QLinearMatMul, QLinearConv, QGemm), dynamic; each with
activations and weights of both signs, one scale a weight and one an output. And single
nodes of com.microsoft that its optimiser writes: MatMulIntegerToFloat,
DynamicQuantizeMatMul, QGemm.
"""
import itertools
import logging
import pathlib
import sys
import tempfile
import warnings
import zipfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper as h, numpy_helper as nh
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
g = np.random.default_rng(7)
U, I = QuantType.QUInt8, QuantType.QInt8


def floats(*s):
    return (g.standard_normal(s) / np.sqrt(s[-1])).astype(np.float32)


def model(nodes, shape, weights, outputs=("y",), opset=17):
    x = h.make_tensor_value_info("x", 1, shape)
    y = [h.make_tensor_value_info(o, 1, None) for o in outputs]
    graph = h.make_graph(nodes, "g", [x], y, [nh.from_array(v, k) for k, v in weights.items()])
    return h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=8)


def dense():
    w = {"w0": floats(9, 13), "b0": floats(9), "w1": floats(9, 17), "b1": floats(17), "w2": floats(17, 5)}
    return model([h.make_node("Gemm", ["x", "w0", "b0"], ["a"], name="first", transB=1), h.make_node("Relu", ["a"], ["b"]),
                  h.make_node("Gemm", ["b", "w1", "b1"], ["c"], name="second"), h.make_node("MatMul", ["c", "w2"], ["y"], name="third")],
                 ["N", 13], w), (6, 13)


def convolutions():
    w = {"w0": floats(8, 3, 3, 3), "b0": floats(8), "w1": floats(6, 4, 1, 1), "w2": floats(5, 7)}
    return model([h.make_node("Conv", ["x", "w0", "b0"], ["a"], name="first", pads=[1, 0, 1, 1], strides=[2, 1]), h.make_node("Relu", ["a"], ["b"]),
                  h.make_node("Conv", ["b", "w1"], ["c"], name="second", group=2), h.make_node("MatMul", ["c", "w2"], ["y"], name="third")],
                 ["N", 3, 7, 6], w), (2, 3, 7, 6)


def recurrent():
    w = {"w0": floats(6, 10), "W": floats(1, 32, 10), "R": floats(1, 32, 8), "B": floats(1, 64), "w1": floats(8, 5)}
    return model([h.make_node("MatMul", ["x", "w0"], ["a"], name="first"), h.make_node("LSTM", ["a", "W", "R", "B"], ["b", "", "hn"][:1], name="lstm", hidden_size=8),
                  h.make_node("MatMul", ["b", "w1"], ["y"], name="last")], ["T", 2, 6], w), (7, 2, 6)


def attention():
    w = {"w0": floats(8, 8), "w1": floats(8, 8)}
    return model([h.make_node("MatMul", ["x", "w0"], ["q"], name="q"), h.make_node("MatMul", ["x", "w1"], ["k"], name="k"),
                  h.make_node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]), h.make_node("MatMul", ["q", "kt"], ["y"], name="scores")],
                 ["N", 5, 8], w), (3, 5, 8)


class Reader(CalibrationDataReader):
    def __init__(self, shape):
        self.left = [{"x": g.standard_normal(shape).astype(np.float32)} for _ in range(4)]

    def get_next(self):
        return self.left.pop() if self.left else None


def session(m):
    o = ort.SessionOptions()
    o.intra_op_num_threads = o.inter_op_num_threads = 1
    o.log_severity_level = 3
    return ort.InferenceSession(m.SerializeToString(), o, providers=["CPUExecutionProvider"])


def watched(m):
    """The model with what QuantizeLinear gives as outputs."""
    types = {t.name: t.data_type for t in m.graph.initializer}
    for n in m.graph.node:
        if n.op_type == "QuantizeLinear" and n.input[0] != "x" and all(o.name != n.output[0] for o in m.graph.output):
            m.graph.output.append(h.make_tensor_value_info(n.output[0], types[n.input[2]], None))
    return m


def put(z, name, m, feed):
    s = session(m)
    got = s.run(None, feed)
    out = [o.name for o in m.graph.output]
    del m.graph.output[:]
    for o, y in zip(out, got):
        m.graph.output.append(h.make_tensor_value_info(o, h.np_dtype_to_tensor_dtype(y.dtype), y.shape))
    for kind, values in (("in", [feed[i.name] for i in m.graph.input]), ("out", got)):
        for i, a in enumerate(values):
            m.graph.initializer.append(nh.from_array(np.asarray(a), f"{kind}.{i}"))
    m.producer_version = ""
    info = zipfile.ZipInfo(name + ".onnx", (1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    z.writestr(info, m.SerializeToString(deterministic=True))


def short(t):
    return "u" if t == U else "i"


def single(z, name, op, inputs, **attrs):
    """One node of com.microsoft; the left side is the input."""
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(inputs)]
    node = h.make_node(op, names, ["y"], domain="com.microsoft", name="node", **attrs)
    first = np.asarray(inputs[0])
    graph = h.make_graph([node], "g", [h.make_tensor_value_info("x0", h.np_dtype_to_tensor_dtype(first.dtype), first.shape)],
                         [h.make_tensor_value_info("y", 0, None)],
                         [nh.from_array(np.asarray(a), n) for n, a in zip(names[1:], inputs[1:]) if a is not None])
    m = h.make_model(graph, opset_imports=[h.make_opsetid("", 17), h.make_opsetid("com.microsoft", 1)], ir_version=8)
    out = TensorProto.FLOAT
    if op == "QGemm" and len(inputs) > 7:
        out = h.np_dtype_to_tensor_dtype(inputs[8].dtype)
    m.graph.output[0].type.tensor_type.elem_type = out
    put(z, name, m, {"x0": first})


def singles(z):
    for k, (ta, tb, per) in enumerate(itertools.product((np.uint8, np.int8), (np.uint8, np.int8), (False, True))):
        def byte(t, *s):
            i = np.iinfo(t)
            return g.integers(i.min, i.max + 1, s).astype(t)
        n, scale = 19, lambda *s: (g.random(s) * 0.02 + 0.01).astype(np.float32)
        a, b = byte(ta, 4, 30), byte(tb, 30, n)
        zb = byte(tb, *((n,) if per else ()))
        sb = scale(*((n,) if per else ()))
        za = byte(ta)
        bias, ints = floats(n), g.integers(-3000, 3000, n).astype(np.int32)
        if (ta, tb) != (np.int8, np.uint8):  # which ONNX Runtime does not have
            single(z, f"to-float.{k}", "MatMulIntegerToFloat", [a, b, scale(), sb, za, zb, bias if k % 3 else None][:7 if k % 3 else 6])
        if ta == np.uint8:
            single(z, f"dynamic.{k}", "DynamicQuantizeMatMul", [floats(4, 30), b, sb, zb, bias])
        if tb == np.int8:
            zb = np.zeros_like(zb)
            single(z, f"gemm.{k}", "QGemm", [a, scale(), za, np.ascontiguousarray(b.T), sb, zb, ints, scale() * 40, byte(ta)], transB=1, alpha=0.5)
            single(z, f"gemm-float.{k}", "QGemm", [a, scale(), za, b, sb, zb, ints])


with zipfile.ZipFile(sys.argv[1], "w") as z, tempfile.TemporaryDirectory() as d:
    kept = 0
    for make in (dense, convolutions, recurrent, attention):
        m, shape = make()
        path, to = str(pathlib.Path(d) / "m.onnx"), str(pathlib.Path(d) / "q.onnx")
        onnx.save(m, path)
        feed = {"x": g.standard_normal(shape).astype(np.float32)}
        for form, (a, w), per in itertools.product((QuantFormat.QDQ, QuantFormat.QOperator), ((U, I), (U, U), (I, I)), (False, True)):
            if per and w == U:
                continue  # channels are symmetric
            quantize_static(path, to, Reader(shape), quant_format=form, per_channel=per, activation_type=a, weight_type=w,
                            op_types_to_quantize=["Gemm", "MatMul", "Conv"])
            name = f"{make.__name__}.{form.name.lower()}.{short(a)}{short(w)}.{'channel' if per else 'tensor'}"
            put(z, name, watched(onnx.load(to)), feed)
            kept += 1
        for w, per in itertools.product((U, I), (False, True)):
            quantize_dynamic(path, to, per_channel=per, weight_type=w)
            put(z, f"{make.__name__}.dynamic.{short(w)}.{'channel' if per else 'tensor'}", onnx.load(to), feed)
            kept += 1
    singles(z)
print(kept, "files of networks", file=sys.stderr)
