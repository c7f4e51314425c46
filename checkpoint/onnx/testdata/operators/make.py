"""Writes NAME.onnx and NAME.safetensors beside this file: one recurrent node
each, with the attributes of ONNX's operators, drawn inputs, and what ONNX
Runtime computes (CPU). "published_*" are the node tests of the onnx package
itself. Needs onnx, onnxruntime, numpy; see README.md for the versions used."""

import json
import os
import struct

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
T, B, I, H = 4, 3, 3, 5


def save(path, tensors, meta):
    header, data, at = {"__metadata__": {"config": json.dumps(meta)}}, b"", 0
    for name, a in tensors.items():
        a = np.ascontiguousarray(a)
        raw = a.tobytes()
        header[name] = {"dtype": {"float32": "F32", "int32": "I32", "int64": "I64"}[str(a.dtype)],
                        "shape": list(a.shape), "data_offsets": [at, at + len(raw)]}
        data, at = data + raw, at + len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def case(name, op, opset=22, bias=True, lengths=None, h0=False, peephole=False, scale=0.8, drop=(), **attrs):
    import onnxruntime

    rng = np.random.default_rng(abs(hash_of(name)))
    d = 2 if attrs.get("direction") == "bidirectional" else 1
    g = GATES[op]

    def draw(*shape):
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    weights = {"W": draw(d, g * H, I), "R": draw(d, g * H, H)}
    if bias:
        weights["B"] = draw(d, 2 * g * H)
    inputs = {"X": draw(T, B, I)}
    if lengths:
        inputs["sequence_lens"] = np.array(lengths, np.int32)
    if h0:
        inputs["initial_h"] = draw(d, B, H)
        if op == "LSTM":
            inputs["initial_c"] = draw(d, B, H)
    if peephole:
        weights["P"] = draw(d, 3 * H)
    have = {**weights, **inputs}
    order = ["X", "W", "R", "B", "sequence_lens", "initial_h"] + (["initial_c", "P"] if op == "LSTM" else [])
    names = [n if n in have else "" for n in order]
    while names[-1] == "":
        names.pop()
    outs = ["Y", "Y_h"] + (["Y_c"] if op == "LSTM" else [])
    node = helper.make_node(op, names, outs, name="node", hidden_size=H, **attrs)
    kind = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}
    graph = helper.make_graph(
        [node], name,
        [helper.make_tensor_value_info(n, kind[str(a.dtype)], a.shape) for n, a in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [T, d, B, H] if n == "Y" else [d, B, H]) for n in outs],
        [numpy_helper.from_array(a, n) for n, a in weights.items()])
    model = helper.make_model(graph, producer_name="unroll-make.py", opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    got = dict(zip(outs, session.run(outs, inputs)))
    write(name, model, inputs, got, "onnxruntime " + onnxruntime.__version__)


def write(name, model, inputs, outputs, origin):
    onnx.save(model, os.path.join(HERE, name + ".onnx"))
    save(os.path.join(HERE, name + ".safetensors"),
         {**{"in." + k: v for k, v in inputs.items()}, **{"out." + k: v for k, v in outputs.items()}},
         {"origin": origin, "onnx": onnx.__version__})


def hash_of(text):
    h = 0
    for c in text:
        h = (h * 31 + ord(c)) % (1 << 31)
    return h


ACTIVATIONS = {
    "relu": dict(activations=["Relu"]),
    "sigmoid": dict(activations=["Sigmoid"]),
    "affine": dict(activations=["Affine"], activation_alpha=[0.7], activation_beta=[0.1]),
    "leakyrelu": dict(activations=["LeakyRelu"]),
    "leakyrelu_alpha": dict(activations=["LeakyRelu"], activation_alpha=[0.3]),
    "thresholdedrelu": dict(activations=["ThresholdedRelu"], activation_alpha=[0.4]),
    "scaledtanh": dict(activations=["ScaledTanh"], activation_alpha=[1.2], activation_beta=[0.6]),
    "hardsigmoid": dict(activations=["HardSigmoid"]),
    "hardsigmoid_constants": dict(activations=["HardSigmoid"], activation_alpha=[0.3], activation_beta=[0.4]),
    "elu": dict(activations=["Elu"]),
    "elu_alpha": dict(activations=["Elu"], activation_alpha=[0.5]),
    "softsign": dict(activations=["Softsign"]),
    "softplus": dict(activations=["Softplus"]),
}


def published():
    """The node tests of the onnx package, their weights made initializers."""
    from onnx.backend.test.case.node import collect_testcases

    for c in collect_testcases(None):
        nodes = c.model.graph.node
        if len(nodes) != 1 or nodes[0].op_type not in GATES:
            continue
        graph = c.model.graph
        ins, outs = c.data_sets[0]
        inputs = dict(zip([i.name for i in graph.input], ins))
        for name in ("W", "R", "B", "P"):
            if name in inputs:
                graph.initializer.append(numpy_helper.from_array(inputs.pop(name), name))
        kept = [i for i in graph.input if i.name in inputs]
        del graph.input[:]
        graph.input.extend(kept)
        onnx.checker.check_model(c.model)
        write("published_" + c.name.removeprefix("test_"), c.model, inputs,
              dict(zip([o.name for o in graph.output], outs)), "node test of the onnx package")


if __name__ == "__main__":
    for op in GATES:
        low = op.lower()
        case(low, op)
        case(low + "_nobias_reverse", op, bias=False, direction="reverse")
        case(low + "_lengths", op, lengths=[2, 4, 1], h0=True)
        case(low + "_bi_lengths_h0", op, direction="bidirectional", lengths=[4, 1, 3], h0=True)
        case(low + "_clip", op, clip=0.25, h0=True, scale=1.5)
        case(low + "_opset7", op, opset=7, h0=True)
        case(low + "_opset14", op, opset=14, direction="reverse", lengths=[4, 2, 3])
    for name, attrs in ACTIVATIONS.items():
        case("rnn_" + name, "RNN", h0=True, **attrs)
    case("rnn_bi_activations", "RNN", direction="bidirectional", activations=["LeakyRelu", "Affine"],
         activation_alpha=[0.2, 0.6], activation_beta=[0.3])
    case("lstm_peepholes", "LSTM", peephole=True, h0=True)
    case("lstm_bi_peepholes_clip", "LSTM", peephole=True, direction="bidirectional", clip=0.5, lengths=[3, 4, 2], scale=1.2)
    case("lstm_input_forget", "LSTM", input_forget=1, h0=True)
    case("lstm_input_forget_peepholes", "LSTM", input_forget=1, peephole=True)
    case("lstm_activations", "LSTM", activations=["HardSigmoid", "Softsign", "ScaledTanh"],
         activation_alpha=[0.25, 1.1], activation_beta=[0.45, 0.7], h0=True)
    case("lstm_bi_activations", "LSTM", direction="bidirectional",
         activations=["Sigmoid", "Tanh", "Relu", "HardSigmoid", "Elu", "Tanh"], activation_alpha=[0.3, 0.8], activation_beta=[0.5])
    for lbr in (0, 1):
        end = f"_lbr{lbr}"
        case("gru" + end, "GRU", linear_before_reset=lbr, h0=True)
        case("gru_bi" + end, "GRU", linear_before_reset=lbr, direction="bidirectional", lengths=[2, 4, 3])
        case("gru_nobias_clip" + end, "GRU", linear_before_reset=lbr, bias=False, clip=0.4, scale=1.3)
        case("gru_activations" + end, "GRU", linear_before_reset=lbr, activations=["HardSigmoid", "LeakyRelu"],
             activation_alpha=[0.2, 0.1], activation_beta=[0.5], h0=True)
    published()
