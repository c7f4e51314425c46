"""Writes graphs in the manner of tf2onnx (Keras) and of graphs that reorder
their weights themselves, and what ONNX Runtime computes for them. They are made
by hand: neither converter is needed. Needs onnx, onnxruntime, numpy."""

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "operators"))
import make as base  # noqa: E402

rng = np.random.default_rng(11)


def draw(*shape):
    return (rng.standard_normal(shape) * 0.6).astype(np.float32)


def ints(*v):
    return np.array(v, np.int64)


def save(name, nodes, weights, inputs, dims, outs, opset=15):
    import onnxruntime

    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(n, TensorProto.FLOAT if a.dtype == np.float32 else TensorProto.INT64, dims[n]) for n, a in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, d) for n, d in outs.items()],
        [numpy_helper.from_array(a, n) for n, a in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    s = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    got = dict(zip(outs, s.run(list(outs), inputs)))
    onnx.save(model, os.path.join(HERE, name + ".onnx"))
    base.save(os.path.join(HERE, name + ".safetensors"),
              {**{"in." + k: v for k, v in inputs.items()}, **{"out." + k: v for k, v in got.items()}},
              {"origin": "onnxruntime " + onnxruntime.__version__})


N = helper.make_node
T, B, I, H, C = 5, 3, 3, 4, 2

# Bidirectional(LSTM(return_sequences=True)), TimeDistributed Dense: the two
# directions are cut out of Y and joined, the product runs over [B*T, 2*H].
save("keras_bidirectional_dense", [
    N("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
    N("LSTM", ["xt", "W", "R", "B"], ["y", "", ""], name="lstm", hidden_size=H, direction="bidirectional",
      activations=["Sigmoid", "Tanh", "Tanh"] * 2),
    N("Split", ["y"], ["y0", "y1"], axis=1),
    N("Squeeze", ["y0", "one"], ["f"]),
    N("Squeeze", ["y1", "one"], ["b"]),
    N("Concat", ["f", "b"], ["both"], axis=-1),
    N("Transpose", ["both"], ["yt"], perm=[1, 0, 2]),
    N("Shape", ["yt"], ["shape"]),
    N("Slice", ["shape", "zero", "two", "zero"], ["outer"]),
    N("Concat", ["outer", "width"], ["back"], axis=0),
    N("Reshape", ["yt", "flat"], ["rows"]),
    N("MatMul", ["rows", "dense"], ["product"]),
    N("Reshape", ["product", "back"], ["wide"]),
    N("Add", ["wide", "bias"], ["logits"]),
], {"W": draw(2, 4 * H, I), "R": draw(2, 4 * H, H), "B": draw(2, 8 * H), "dense": draw(2 * H, C), "bias": draw(C),
    "one": ints(1), "zero": ints(0), "two": ints(2), "width": ints(C), "flat": ints(-1, 2 * H)},
    {"x": draw(B, T, I)}, {"x": ["b", "t", I]}, {"logits": ["b", "t", C]})

# GRU(reset_after=True, return_sequences=False) and Dense: Y_h without its
# first dimension, then Gemm.
save("keras_gru_last_gemm", [
    N("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
    N("GRU", ["xt", "W", "R", "B"], ["", "h"], name="gru", hidden_size=H, linear_before_reset=1, activations=["Sigmoid", "Tanh"]),
    N("Squeeze", ["h", "zero"], ["last"]),
    N("Gemm", ["last", "dense", "bias"], ["logits"], transB=1),
], {"W": draw(1, 3 * H, I), "R": draw(1, 3 * H, H), "B": draw(1, 6 * H), "dense": draw(C, H), "bias": draw(C), "zero": ints(0)},
    {"x": draw(B, T, I)}, {"x": ["b", "t", I]}, {"logits": ["b", C]})

# The last step of the output, and weights that the graph reorders itself from
# PyTorch's r z n: slices, a concatenation and a new first dimension.
def reordered(name):
    return [N("Slice", [name, "h0", "h1", "zero"], [name + "_r"]), N("Slice", [name, "h1", "h2", "zero"], [name + "_z"]),
            N("Slice", [name, "h2", "h3", "zero"], [name + "_n"]), N("Concat", [name + "_z", name + "_r", name + "_n"], [name + "_c"], axis=0)]


save("reordered_gru_last_step", reordered("weight_ih") + reordered("weight_hh") + reordered("bias_ih") + reordered("bias_hh") + [
    N("Unsqueeze", ["weight_ih_c", "zero"], ["W"]),
    N("Unsqueeze", ["weight_hh_c", "zero"], ["R"]),
    N("Concat", ["bias_ih_c", "bias_hh_c"], ["bias_c"], axis=0),
    N("Unsqueeze", ["bias_c", "zero"], ["Bias"]),
    N("Gather", ["embedding", "tokens"], ["x"]),
    N("GRU", ["x", "W", "R", "Bias"], ["y", ""], name="gru", hidden_size=H, linear_before_reset=1),
    N("Squeeze", ["y", "one"], ["ys"]),
    N("Gather", ["ys", "minus"], ["last"], axis=0),
    N("MatMul", ["last", "dense"], ["logits"]),
], {"weight_ih": draw(3 * H, I), "weight_hh": draw(3 * H, H), "bias_ih": draw(3 * H), "bias_hh": draw(3 * H), "embedding": draw(7, I), "dense": draw(H, C),
    "zero": ints(0), "one": ints(1), "minus": np.array(-1, np.int64), "h0": ints(0), "h1": ints(H), "h2": ints(2 * H), "h3": ints(3 * H)},
    {"tokens": rng.integers(0, 7, (T, B))}, {"tokens": ["t", "b"]}, {"logits": ["b", C]})
