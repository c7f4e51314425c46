"""Steps a sequence by every way of Triton's client: triton.py HTTP GRPC MODEL.

Standard input is {"input": NAME, "output": NAME, "shape": [...], "steps": [[numbers]]};
standard output is {way: [hex of the float32 of each step]}.
"""
import json
import queue
import sys

import numpy as np
import tritonclient.grpc as tg
import tritonclient.http as th

http_addr, grpc_addr, model = sys.argv[1:4]
job = json.load(sys.stdin)
steps = [np.array(s, dtype=np.float32).reshape(job["shape"]) for s in job["steps"]]
out = {}


def flags(i):
    return {"sequence_start": i == 0, "sequence_end": i == len(steps) - 1}


h = th.InferenceServerClient(http_addr)
assert h.is_server_live() and h.is_server_ready() and h.is_model_ready(model)
meta = h.get_model_metadata(model)
assert meta["name"] == model and any(t["name"] == job["input"] for t in meta["inputs"]), meta
assert "sequence(string_id)" in h.get_server_metadata()["extensions"]
for way, binary, ident in (("http_json", False, 7), ("http_binary", True, "a string")):
    got = []
    for i, x in enumerate(steps):
        t = th.InferInput(job["input"], x.shape, "FP32")
        t.set_data_from_numpy(x, binary_data=binary)
        want = [th.InferRequestedOutput(job["output"], binary_data=binary)]
        r = h.infer(model, [t], outputs=want, sequence_id=ident, request_id=str(i), **flags(i))
        assert r.get_response()["id"] == str(i)
        got.append(r.as_numpy(job["output"]).tobytes().hex())
    out[way] = got

g = tg.InferenceServerClient(grpc_addr)
assert g.is_server_live() and g.is_server_ready() and g.is_model_ready(model)
assert g.get_model_metadata(model).name == model


def tensor(x):
    t = tg.InferInput(job["input"], x.shape, "FP32")
    t.set_data_from_numpy(x)
    return t


got = []
for i, x in enumerate(steps):
    r = g.infer(model, [tensor(x)], sequence_id=2**63 - 1, **flags(i))
    got.append(r.as_numpy(job["output"]).tobytes().hex())
out["grpc"] = got

answers = queue.Queue()
g.start_stream(callback=lambda result, error: answers.put((result, error)))
for i, x in enumerate(steps):
    g.async_stream_infer(model, [tensor(x)], sequence_id="s", request_id=str(i), **flags(i))
got = []
for i in range(len(steps)):
    r, error = answers.get(timeout=60)
    assert error is None, error
    assert r.get_response().id == str(i)
    got.append(r.as_numpy(job["output"]).tobytes().hex())
out["async_stream_infer"] = got

# Two hundred sequences on one stream, ten steps each, side by side.
for i in range(10):
    for k in range(200):
        g.async_stream_infer(model, [tensor(steps[i])], sequence_id=1000 + k, sequence_start=i == 0)
many = []
for i in range(10):
    for k in range(200):
        r, error = answers.get(timeout=60)
        assert error is None, error
        many.append(r.as_numpy(job["output"]).tobytes().hex())
    assert len(set(many[-200:])) == 1, i
out["many"] = many[::200]
g.async_stream_infer(model, [tensor(steps[0])], sequence_id=5, request_id="bad")
r, error = answers.get(timeout=60)
assert error is not None and "never started" in str(error), error
g.stop_stream()

# What is wrong is an error, never an empty answer.
for call in (
    lambda: h.infer(model, [th.InferInput(job["input"], [1], "FP32").set_data_from_numpy(np.zeros(1, np.float32))], sequence_id=9, sequence_start=True),
    lambda: h.infer("nobody", [th.InferInput(job["input"], [1], "FP32").set_data_from_numpy(np.zeros(1, np.float32))]),
    lambda: g.infer(model, [tensor(steps[0])], sequence_id=12345),
):
    try:
        call()
    except Exception as e:  # noqa: BLE001, of two libraries
        assert str(e), e
    else:
        raise AssertionError("no error")
json.dump(out, sys.stdout)
