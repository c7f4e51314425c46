"""Writes what Keras's converter, tf2onnx, makes of recurrent models, and beside
each file what Keras computes. Needs tensorflow, keras, tf2onnx, numpy. Called
with the argument tf_keras (the package of that name) it does so for Keras 2, whose
GRUs tf2onnx knows."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
LEGACY = sys.argv[1:] == ["tf_keras"]
if LEGACY:
    import tf_keras as keras
    from tf_keras import layers as L
else:
    import keras
    from keras import layers as L
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf2onnx  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "operators"))
import make as base  # noqa: E402

rng = np.random.default_rng(5)
T, B, I, H = 5, 3, 3, 4


def save(name, *layers, tokens=0):
    model = keras.Sequential([keras.Input((T,), dtype="int32") if tokens else keras.Input((T, I)), *layers])
    for w in model.weights:
        w.assign(rng.standard_normal(w.shape).astype(np.float32) * 0.5)
    x = rng.integers(0, tokens, (B, T)).astype(np.int32) if tokens else rng.standard_normal((B, T, I)).astype(np.float32)
    spec = [tf.TensorSpec((None,) + x.shape[1:], x.dtype, name="x")]
    path = os.path.join(HERE, name + ".onnx")
    tf2onnx.convert.from_function(tf.function(lambda x: model(x), input_signature=spec), input_signature=spec, opset=15, output_path=path)
    if name.startswith("refused"):
        return
    out = onnx.load(path).graph.output[0].name
    base.save(os.path.join(HERE, name + ".safetensors"),
              {"set0.x": x.astype(np.int64) if tokens else x, "set0." + out: np.asarray(model(x))},
              {"origin": f"keras {keras.__version__}, tf2onnx {tf2onnx.__version__}"})


if LEGACY:
    save("keras2_gru_last", L.GRU(H), L.Dense(2))
    save("keras2_gru_bi_2layers", L.Bidirectional(L.GRU(H, return_sequences=True)), L.Bidirectional(L.GRU(H, return_sequences=True)), L.Dense(2))
    save("keras2_embedding_gru", L.Embedding(11, I), L.GRU(H, return_sequences=True), L.GRU(H), L.Dense(11), tokens=11)
    sys.exit()
save("keras_lstm", L.LSTM(H, return_sequences=True))
save("keras_lstm_last", L.LSTM(H), L.Dense(2))
save("keras_lstm_bi", L.Bidirectional(L.LSTM(H, return_sequences=True)), L.Dense(2))
save("keras_lstm_bi_last", L.Bidirectional(L.LSTM(H)), L.Dense(2))
save("keras_lstm_2layers", L.LSTM(H, return_sequences=True), L.LSTM(H, return_sequences=True), L.Dense(2))
save("keras_embedding_lstm", L.Embedding(11, I), L.LSTM(H, return_sequences=True), L.Dense(11), tokens=11)
save("refused_keras_gru_loop", L.GRU(H), L.Dense(2))
