"""Runs models with ONNX Runtime: python3 ort.py MODEL...; see ort.js."""

import json
import struct
import sys

import numpy as np
import onnxruntime as ort

print("ONNX Runtime " + ort.__version__)
for path in sys.argv[1:]:
    f = open(path + ".in.safetensors", "rb").read()
    n = struct.unpack("<Q", f[:8])[0]
    feed = {}
    for k, v in json.loads(f[8:8 + n]).items():
        if k != "__metadata__":
            a, b = v["data_offsets"]
            feed[k] = np.frombuffer(f[8 + n + a:8 + n + b], {"F32": "<f4", "I64": "<i8"}[v["dtype"]]).reshape(v["shape"])
    s = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [o.name for o in s.get_outputs()]
    head, data = {"__metadata__": {"config": "{}"}}, b""
    for name, a in zip(names, s.run(names, feed)):
        raw = np.ascontiguousarray(a, "<f4").tobytes()
        head[name] = {"dtype": "F32", "shape": list(a.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    h = json.dumps(head).encode()
    open(path + ".out.safetensors", "wb").write(struct.pack("<Q", len(h)) + h + data)
