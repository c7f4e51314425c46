# Runs a model by the engine that it is of: ENGINE PATH IN.npz OUT.npz SETTINGS.
# Inputs are i0, i1, ... of IN.npz; outputs become o0, o1, ... of OUT.npz.
import json, os, sys
import numpy

engine, path, given, out, settings = sys.argv[1:6]
arrays = dict(numpy.load(given))


def inputs():
    return [arrays["i%d" % i] for i in range(len(arrays))]


def onnxruntime():
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    s = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return s.run(None, {i.name: x for i, x in zip(s.get_inputs(), inputs())}), ort.__version__


def keras():
    if "KERAS_BACKEND" not in os.environ:
        import importlib.util

        for name in ["torch", "jax", "tensorflow"]:
            if importlib.util.find_spec(name):
                os.environ["KERAS_BACKEND"] = name
                break
    import keras

    m = keras.models.load_model(path, compile=False)
    x = inputs()
    y = m(x if len(x) > 1 else x[0], training=False)
    if isinstance(y, dict):
        y = list(y.values())
    y = y if isinstance(y, (list, tuple)) else [y]
    return [keras.ops.convert_to_numpy(v) for v in y], keras.__version__


def torch():
    import torch

    s = json.loads(settings)
    args = dict(num_layers=s["layers"], bias=s["bias"], batch_first=s["batch_first"], bidirectional=s["bidirectional"])
    if s["kind"] == "RNN":
        args["nonlinearity"] = s["nonlinearity"]
    if s["proj"]:
        args["proj_size"] = s["proj"]
    rnn = getattr(torch.nn, s["kind"])(s["input"], s["hidden"], **args)
    tensors = {k: torch.from_numpy(v) for k, v in arrays.items() if k != "x"}
    rnn.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("rnn.")})
    x = torch.from_numpy(arrays["x"])
    with torch.no_grad():
        if "embedding.weight" in tensors:
            x = torch.nn.functional.embedding(x, tensors["embedding.weight"])
        y, state = rnn(x)
        states = list(state) if isinstance(state, tuple) else [state]
        if "fc.weight" in tensors:
            if s["last"]:
                d = 2 if s["bidirectional"] else 1
                y = torch.cat(list(states[0][-d:]), dim=-1)
            y = torch.nn.functional.linear(y, tensors["fc.weight"], tensors.get("fc.bias"))
    return [v.numpy() for v in [y] + states], torch.__version__


results, version = {"onnxruntime": onnxruntime, "keras": keras, "torch": torch}[engine]()
numpy.savez(out, **{"o%d" % i: v for i, v in enumerate(results)})
print(version)
