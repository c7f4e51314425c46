#!/usr/bin/env python3
"""Writes functions.onnx, whose nodes are local functions: one that calls another
twice, an attribute handed on, one left at its default, a body that uses a
function's names; and what ONNX Runtime gives.

    python3 make.py     # onnx 1.22, onnxruntime 1.32
"""
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

op17, own = helper.make_opsetid("", 17), helper.make_opsetid("own", 1)


def ref(node, name, to, kind):
    a = onnx.AttributeProto(name=name, type=kind, ref_attr_name=to)
    node.attribute.append(a)
    return node


leaky = helper.make_function("own", "Leaky", ["x"], ["y"], [
    ref(helper.make_node("LeakyRelu", ["x"], ["t"]), "alpha", "slope", onnx.AttributeProto.FLOAT),
    helper.make_node("Add", ["t", "t"], ["y"]),
], [op17], attribute_protos=[helper.make_attribute("slope", 0.5)])

side = lambda op: helper.make_graph([helper.make_node(op, ["t"], ["o"])], "side", [], [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)])
outer = helper.make_function("own", "Outer", ["x", "c"], ["y", "t"], [
    ref(helper.make_node("Leaky", ["x"], ["u"], domain="own"), "slope", "s", onnx.AttributeProto.FLOAT),
    helper.make_node("Leaky", ["u"], ["t"], domain="own"),
    helper.make_node("If", ["c"], ["y"], then_branch=side("Neg"), else_branch=side("Abs")),
], [op17, own], ["s"])

graph = helper.make_graph([
    helper.make_node("Outer", ["x", "yes"], ["a", ""], domain="own", s=0.25),
    helper.make_node("Outer", ["a", "no"], ["b", "c"], domain="own", s=4.0),
    helper.make_node("Concat", ["a", "b", "c"], ["y"], axis=0),
], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [9])],
    [numpy_helper.from_array(np.array(v), n) for n, v in (("yes", True), ("no", False))])
model = helper.make_model(graph, opset_imports=[op17, own], functions=[leaky, outer], ir_version=9)
onnx.checker.check_model(model)
onnx.save(model, "functions.onnx")
x = np.array([-1, 2, -3], np.float32)
y, = onnxruntime.InferenceSession("functions.onnx").run(None, {"x": x})
save_file({"in.x": x, "out.y": y}, "functions.safetensors")
print(y)
