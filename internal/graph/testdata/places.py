#!/usr/bin/env python3
"""Writes places.zip: single nodes which a reading of ONNX's pages gets wrong in one
place, with ONNX Runtime's outputs, as node_tests.py writes them.

    python3 places.py places.zip

Made with onnx 1.23 and ONNX Runtime 1.32.
"""
import sys
import zipfile

import numpy as np
import onnxruntime as ort
from onnx import helper, numpy_helper

ort.set_default_logger_severity(4)
x = np.linspace(0.1, 3, 24, dtype=np.float32).reshape(2, 3, 4)
ints = lambda *a: np.array(a, np.int64)
cases = {
    # Over no axes the rest of a composite reduction is still done.
    **{"noop_" + op: (op, [x, ints()], dict(noop_with_empty_axes=1), 18) for op in ("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", "ReduceSum", "ReduceMax")},
    "noop_scalar_kept": ("ReduceSumSquare", [x, ints()], dict(noop_with_empty_axes=1, keepdims=0), 20),
    # The largest number of a type is the end of an axis backwards too.
    "slice_back_int64": ("Slice", [x, ints(2, -1), ints(2**63 - 1, 2**63 - 1), ints(1, 2), ints(-1, -3)], {}, 13),
    "slice_back_int32": ("Slice", [x, np.array([9], np.int32), np.array([2**31 - 1], np.int32), np.array([2], np.int32), np.array([-2], np.int32)], {}, 10),
}

with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
    for name, (op, inputs, attrs, opset) in cases.items():
        names = ["x%d" % i for i in range(len(inputs))]
        info = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in zip(names[:1], inputs)]
        graph = helper.make_graph([helper.make_node(op, names, ["y"], **attrs)], name, info, [helper.make_tensor_value_info("y", 1, None)], [numpy_helper.from_array(a, n) for n, a in zip(names[1:], inputs[1:])])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        y = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x0": x})[0]
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info("y", 1, y.shape))
        model.graph.initializer.extend([numpy_helper.from_array(x, "in.0"), numpy_helper.from_array(y, "out.0")])
        info = zipfile.ZipInfo(name + ".onnx", (1980, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        z.writestr(info, model.SerializeToString(deterministic=True))
