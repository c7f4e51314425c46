#!/usr/bin/env python3
"""Writes the node tests of the ONNX project (package onnx, generators in
onnx.backend.test.case.node) into one zip: for each case of an operator named on
standard input a model, with the case's numbers as constants in.0, in.1, ... and
out.0, ... that the graph does not use.

    go run ./internal/graph/testdata/operators.go | python3 node_tests.py nodes.zip

Cases of element types that unroll has no values of, and those of more than 16 KiB
of numbers, are left out; the counts are printed.
"""
import collections
import sys
import warnings
import zipfile

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

warnings.filterwarnings("ignore")
TYPES = {1, 2, 3, 6, 7, 9, 10, 11, 16}
MOST = 16 << 10

wanted = set(sys.stdin.read().split())
left_out = collections.Counter()
kept = 0


def name(node):
    return node.domain + "." + node.op_type if node.domain else node.op_type


def tensor(x, label):
    return numpy_helper.from_array(np.asarray(x), label)


with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
    for case in sorted(collect_testcases(None), key=lambda c: c.name):
        model = case.model
        if model is None or not all(name(n) in wanted for n in model.graph.node):
            continue
        if model.functions:
            left_out["functions"] += 1
            continue
        values = list(model.graph.input) + list(model.graph.output)
        if not all(v.type.WhichOneof("value") == "tensor_type" and v.type.tensor_type.elem_type in TYPES for v in values):
            left_out["element types, sequences, optionals"] += 1
            continue
        inputs, outputs = case.data_sets[0]
        arrays = [np.asarray(x) for x in list(inputs) + list(outputs)]
        if any(a.dtype == object or a.dtype.kind in "USO" for a in arrays) or sum(a.nbytes for a in arrays) > MOST:
            left_out["size or strings"] += 1
            continue
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        for kind, list_ in (("in", inputs), ("out", outputs)):
            for i, x in enumerate(list_):
                t = numpy_helper.from_array(np.asarray(x), "%s.%d" % (kind, i)) if not isinstance(x, onnx.TensorProto) else x
                t.name = "%s.%d" % (kind, i)
                copy.graph.initializer.append(t)
        info = zipfile.ZipInfo(case.name + ".onnx", (1980, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        z.writestr(info, copy.SerializeToString(deterministic=True))
        kept += 1
print(kept, "cases,", "left out:", dict(left_out), file=sys.stderr)
