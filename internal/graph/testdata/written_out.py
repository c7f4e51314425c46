#!/usr/bin/env python3
"""What ONNX Runtime 1.32 gives of the layers that exporters write out as a loop or
step by step: refused_*.safetensors here, of checkpoint/onnx/testdata/exporters.

    cd internal/graph/testdata && python3 written_out.py
"""
import numpy as np
import onnxruntime
from safetensors.numpy import save_file

g = np.random.default_rng(0)
for name in ("refused_keras_gru_loop", "refused_torch_rnn_unrolled"):
    s = onnxruntime.InferenceSession("../../../checkpoint/onnx/testdata/exporters/%s.onnx" % name)
    feed = {i.name: g.standard_normal([d if isinstance(d, int) else 3 for d in i.shape]).astype(np.float32) for i in s.get_inputs()}
    tensors = {"in." + k: v for k, v in feed.items()}
    tensors.update({"out." + o.name: v for o, v in zip(s.get_outputs(), s.run(None, feed))})
    save_file(tensors, name + ".safetensors")
