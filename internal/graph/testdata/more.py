#!/usr/bin/env python3
"""Writes more.zip: graphs of a node or a few, of operators that models have around
their layers: losses, pictures sampled by a grid, windows added up, different values,
scikit-learn's pipelines, integers of 16 bits and more, optional values, nodes out of
order, and what ONNX Runtime's optimiser makes of a transformer. Inputs and the outputs
that ONNX Runtime gives are constants in.0, ... and out.0, ... that the graph does not
use, as node_tests.py has them.

    python3 more.py more.zip

Made with ONNX Runtime 1.32, onnx 1.23.
"""
import sys
import zipfile

import numpy as np
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as H
from onnx import numpy_helper

ort.set_default_logger_severity(4)
rng = np.random.default_rng(5)
zip_ = zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED)
ML, MS = "ai.onnx.ml", "com.microsoft"
N = H.make_node


def f(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def ints(most, *shape):
    return rng.integers(0, most, shape)


def save(name, nodes, feeds, outputs, constants={}, opset=20):
    """A graph of nodes: feeds are its inputs, outputs their names and types."""
    def port(n, t):
        return H.make_tensor_value_info(n, t, None)
    graph = H.make_graph(nodes, "g", [port(n, H.np_dtype_to_tensor_dtype(v.dtype)) for n, v in feeds.items()],
                         [port(n, t) for n, t in outputs], [numpy_helper.from_array(v, n) for n, v in constants.items()])
    model = H.make_model(graph, ir_version=10, opset_imports=[H.make_opsetid("", opset), H.make_opsetid(ML, 3), H.make_opsetid(MS, 1)])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for kind, values in (("in", feeds.values()), ("out", session.run(None, feeds))):
        for i, v in enumerate(values):
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(v), "%s.%d" % (kind, i)))
    info = zipfile.ZipInfo(name + ".onnx", (1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    zip_.writestr(info, model.SerializeToString(deterministic=True))


def op(name, op_, *inputs, domain="", types=(T.FLOAT,), constants={}, opset=20, **attributes):
    """A graph of one node."""
    feeds = {"x%d" % i: v for i, v in enumerate(inputs)}
    outputs = [("y%d" % i, t) for i, t in enumerate(types)]
    save(name, [N(op_, list(feeds) + list(constants), [n for n, _ in outputs], domain=domain, **attributes)], feeds, outputs, constants, opset)


for size in (1, 3, 5):
    op("lrn_%d" % size, "LRN", f(2, 7, 3, 4), size=size, alpha=.02, beta=.6, bias=1.5)
for how in ("mean", "sum", "none"):
    for weighted in (0, 1):
        for more in ({}, {"ignore_index": 2}):
            tail = "%s_%d_%d" % (how, weighted, len(more))
            inputs = [f(3, 5, 4), ints(5, 3, 4)] + [f(5) ** 2] * weighted
            op("nll_" + tail, "NegativeLogLikelihoodLoss", *inputs, reduction=how, **more)
            op("cross_entropy_" + tail, "SoftmaxCrossEntropyLoss", *inputs, types=[T.FLOAT] * 2, reduction=how, **more)
op("cross_entropy_below_zero", "SoftmaxCrossEntropyLoss", f(3, 5), np.array([0, -100, 2]), ignore_index=-100)
four = [T.INT64] * 4
for order in (0, 1):
    op("unique_%d" % order, "Unique", ints(5, 12).astype(np.float32), types=[T.FLOAT] + four[1:], sorted=order)
    op("unique_rows_%d" % order, "Unique", ints(2, 4, 2, 2), types=four, axis=0, sorted=order)
    op("unique_columns_%d" % order, "Unique", ints(2, 2, 5), types=four, axis=-1, sorted=order)
op("col2im", "Col2Im", f(2, 18, 12), np.array([5, 5]), np.array([2, 3]))
op("col2im_padded", "Col2Im", f(2, 12, 16), np.array([6, 6]), np.array([2, 2]), strides=[2, 2], pads=[1, 1, 1, 1])
op("col2im_overlap", "Col2Im", f(1, 10, 4), np.array([1, 12]), np.array([1, 5]), strides=[1, 2])
op("col2im_dilated", "Col2Im", f(1, 8, 9), np.array([5, 5]), np.array([2, 2]), dilations=[2, 2])
for mode in ("linear", "nearest", "cubic"):
    for pad in ("zeros", "border", "reflection"):
        for corners in (0, 1):
            tail = "%s_%s_%d" % (mode, pad, corners)
            op("grid_" + tail, "GridSample", f(2, 3, 5, 6), f(2, 4, 7, 2) * 1.3, mode=mode, padding_mode=pad, align_corners=corners)
            if mode != "cubic":
                op("grid3_" + tail, "GridSample", f(2, 2, 3, 4, 5), f(2, 2, 3, 4, 3), mode=mode, padding_mode=pad, align_corners=corners)
op("grid_16", "GridSample", f(2, 3, 5, 6), f(2, 4, 7, 2), mode="bilinear", opset=16)
for corners in (0, 1):
    op("affine_%d" % corners, "AffineGrid", f(2, 2, 3), np.array([2, 3, 4, 5]), align_corners=corners)
    op("affine3_%d" % corners, "AffineGrid", f(2, 3, 4), np.array([2, 3, 4, 5, 3]), align_corners=corners)
for n in (8, 9):
    op("dft_back_%d" % n, "DFT", f(2, 5, 2), np.array(n), np.array(1), inverse=1, onesided=1)
op("dft_back", "DFT", f(2, 5, 3, 2), inverse=1, onesided=1, axis=1, opset=17)
for p in (1, 2, 3):
    op("global_lp_%d" % p, "GlobalLpPool", f(2, 3, 4, 5), p=p)

op("scaler", "Scaler", f(3, 4), domain=ML, offset=f(4).tolist(), scale=f(4).tolist())
op("scaler_of_integers", "Scaler", ints(9, 3, 4), domain=ML, offset=[1.], scale=[.5])
for norm in ("MAX", "L1", "L2"):
    op("normalizer_" + norm, "Normalizer", np.concatenate([f(3, 4), np.zeros((1, 4), np.float32)]), domain=ML, norm=norm)
holes = f(3, 4)
holes[0, 1] = np.nan
op("imputer", "Imputer", holes, domain=ML, imputed_value_floats=f(4).tolist(), replaced_value_float=float("nan"))
op("imputer_of_integers", "Imputer", ints(3, 3, 4), domain=ML, types=[T.INT64], imputed_value_int64s=[9], replaced_value_int64=1)
op("binarizer", "Binarizer", f(3, 4), domain=ML, threshold=.2)
op("extractor", "ArrayFeatureExtractor", f(3, 4), np.array([2, 0]), domain=ML)
op("vectorizer", "FeatureVectorizer", f(3, 2), f(3, 3), domain=ML, inputdimensions=[2, 3])
op("label_encoder", "LabelEncoder", ints(6, 3, 4), domain=ML, keys_int64s=[1, 3, 5], values_floats=[.1, .3, .5], default_float=-2.)
op("label_encoder_of_floats", "LabelEncoder", np.array([1, np.nan, 2], np.float32), domain=ML, types=[T.INT64], keys_floats=[1., 2.], values_int64s=[7, 8], default_int64=3)
op("one_hot_encoder", "OneHotEncoder", ints(6, 3, 2), domain=ML, cats_int64s=[1, 3, 5])
op("linear_regressor", "LinearRegressor", f(3, 4), domain=ML, coefficients=f(8).tolist(), intercepts=f(2).tolist(), targets=2)
two = dict(domain=ML, types=[T.INT64, T.FLOAT])
for post in ("NONE", "LOGISTIC", "SOFTMAX"):
    op("classifier_3_" + post, "LinearClassifier", f(5, 4), coefficients=f(12).tolist(), intercepts=f(3).tolist(), classlabels_ints=[4, 7, 9], post_transform=post, multi_class=int(post == "SOFTMAX"), **two)
    op("classifier_2_" + post, "LinearClassifier", f(5, 4), coefficients=f(8).tolist(), intercepts=f(2).tolist(), classlabels_ints=[4, 7], post_transform=post, **two)
    if post != "SOFTMAX":
        op("classifier_1_" + post, "LinearClassifier", f(5, 4), coefficients=f(4).tolist(), intercepts=f(1).tolist(), classlabels_ints=[4, 7], post_transform=post, **two)

op("from_int16", "Cast", (f(3, 4) * 9000).astype(np.int16), to=T.FLOAT)
op("from_uint16", "Cast", ints(65535, 3, 4).astype(np.uint16), to=T.FLOAT)
op("from_uint32", "Cast", ints(1 << 32, 5).astype(np.uint32), to=T.FLOAT)
op("from_uint64", "Cast", ints(1 << 40, 5).astype(np.uint64), to=T.INT64, types=[T.INT64])
for to in (T.INT16, T.UINT16, T.UINT32):
    through = [N("Cast", ["x"], ["y"], to=to), N("Cast", ["y"], ["z"], to=T.INT64)]
    save("to_%d" % to, through, {"x": rng.integers(-(1 << 40), 1 << 40, 9)}, [("z", T.INT64)])
op("uint16_turned", "Transpose", ints(65535, 3, 4).astype(np.uint16), types=[T.UINT16], perm=[1, 0])
for zero in (np.array(100, np.uint16), np.array(-30, np.int16)):
    both = [N("QuantizeLinear", ["x", "s", "z"], ["q"]), N("DequantizeLinear", ["q", "s", "z"], ["y"])]
    outputs = [("y", T.FLOAT), ("q", H.np_dtype_to_tensor_dtype(zero.dtype))]
    save("quantised_%s" % zero.dtype, both, {"x": f(4, 5) * 40}, outputs, {"s": np.array(.001, np.float32), "z": zero}, opset=21)
halved = [N("CastLike", ["x", "h"], ["a"]), N("Cast", ["a"], ["y"], to=T.FLOAT)]
save("like_halves", halved, {"x": f(4, 5)}, [("y", T.FLOAT)], {"h": np.array(1, np.float16)})

# Nodes that stand before what they read, or what their bodies do.
late = [N("Relu", ["b"], ["y"]), N("Add", ["a", "a"], ["b"]), N("Neg", ["x"], ["a"])]
save("out_of_order", late, {"x": f(3)}, [("y", T.FLOAT)])
port = H.make_tensor_value_info("o", T.FLOAT, None)
then = H.make_graph([N("Add", ["a", "a"], ["m"]), N("Relu", ["m"], ["o"])], "then", [], [port])
other = H.make_graph([N("Neg", ["a"], ["o"])], "else", [], [port])
late = [N("If", ["c"], ["y"], then_branch=then, else_branch=other), N("Neg", ["x"], ["a"])]
save("out_of_order_for_a_body", late, {"x": f(3), "c": np.array(True)}, [("y", T.FLOAT)])
some = [N("Optional", ["x"], ["o"]), N("OptionalHasElement", ["o"], ["has"]), N("OptionalGetElement", ["o"], ["v"]), N("Relu", ["v"], ["y"])]
save("optional", some, {"x": f(3)}, [("y", T.FLOAT), ("has", T.BOOL)], opset=18)

masks = {"none": [], "mask": [np.array([[1] * 5, [1, 1, 1, 0, 0]], np.int32)], "lengths": [np.array([5, 3], np.int32)]}
for kind, mask in masks.items():
    for causal in (0, 1):
        op("attention_%s_%d" % (kind, causal), "Attention", f(2, 5, 6), f(6, 18) * .3, f(18), *mask, domain=MS, num_heads=2, unidirectional=causal)
op("multi_head_attention", "MultiHeadAttention", f(2, 4, 6), f(2, 5, 6), f(2, 5, 6), f(18), domain=MS, num_heads=2)
tokens = [ints(10, 2, 5).astype(np.int32), ints(2, 2, 5).astype(np.int32)]
tables = [f(10, 6), f(8, 6), f(2, 6), f(6), f(6)]
op("embed_norm", "EmbedLayerNormalization", *tokens, *tables, masks["mask"][0], domain=MS, types=[T.FLOAT, T.INT32], epsilon=1e-5)
alone = N("EmbedLayerNormalization", ["i", "", "w", "p", "", "g", "b"], ["y", "m"], domain=MS, epsilon=1e-5)
save("embed_norm_alone", [alone], {"i": tokens[0]}, [("y", T.FLOAT), ("m", T.INT32)], dict(zip("wpgb", [tables[0], tables[1], *tables[3:]])))
zip_.close()
print(len(zip_.namelist()), "graphs")
