"""Steps a sequence by kserve's clients: kserve_client.py HTTP GRPC MODEL; see triton.py.

kserve and tritonclient register the same messages, and so cannot be in one process.
"""
import asyncio
import json
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

http_addr, grpc_addr, model = sys.argv[1:4]
job = json.load(sys.stdin)
steps = [np.array(s, dtype=np.float32).reshape(job["shape"]) for s in job["steps"]]


def request(i, x, ident, binary):
    t = InferInput(job["input"], list(x.shape), "FP32")
    t.set_data_from_numpy(x, binary_data=binary)
    last = len(steps) - 1
    return InferRequest(model_name=model, request_id=str(i), infer_inputs=[t],
                        parameters={"sequence_id": ident, "sequence_start": i == 0, "sequence_end": i == last})


def hex_of(r):
    return r.outputs[0].as_numpy().astype(np.float32).tobytes().hex()


async def main():
    out = {}
    rest = InferenceRESTClient(RESTConfig(protocol="v2"))
    base = f"http://{http_addr}"
    assert await rest.is_server_live(base)
    assert await rest.is_server_ready(base)
    assert await rest.is_model_ready(base, model)
    for way, binary in (("kserve_rest_json", False), ("kserve_rest_binary", True)):
        got = []
        for i, x in enumerate(steps):
            r = await rest.infer(base, request(i, x, 77, binary), model_name=model)
            got.append(hex_of(r))
        out[way] = got
    grpc = InferenceGRPCClient(grpc_addr)
    assert await grpc.is_server_live() and await grpc.is_server_ready()
    assert await grpc.is_model_ready(model)
    for way, binary in (("kserve_grpc", False), ("kserve_grpc_raw", True)):
        got = []
        for i, x in enumerate(steps):
            got.append(hex_of(await grpc.infer(request(i, x, "k", binary))))
        out[way] = got
    json.dump(out, sys.stdout)


asyncio.run(main())
