"""Writes NAME.npz, Keras's weights as docs/formats/keras.md says to save them,
and NAME.expect.npz: x [B,T,I] and what the layer NAME computes, y [B,T,D*H].
Needs tensorflow, keras and numpy."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers as L  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(7)
T, B, I, H = 5, 3, 3, 4


def save(name, layer):
    model = keras.Sequential([keras.Input((T, I)), layer])
    for w in model.weights:
        w.assign(rng.standard_normal(w.shape).astype(np.float32) * 0.5)
    x = rng.standard_normal((B, T, I)).astype(np.float32)
    np.savez(os.path.join(HERE, name + ".npz"), **{w.path: w.numpy() for w in model.weights})
    np.savez(os.path.join(HERE, name + ".expect.npz"), x=x, y=np.asarray(model(x)))


for kind in ["LSTM", "GRU", "SimpleRNN"]:
    save(kind.lower(), getattr(L, kind)(H, return_sequences=True))
    save(kind.lower() + "_bi", L.Bidirectional(getattr(L, kind)(H, return_sequences=True)))
save("simplernn_relu", L.SimpleRNN(H, activation="relu", return_sequences=True))
save("lstm_nobias", L.LSTM(H, use_bias=False, return_sequences=True))
save("gru_reset_before", L.GRU(H, reset_after=False, return_sequences=True))
save("gru_reset_before_bi", L.Bidirectional(L.GRU(H, reset_after=False, return_sequences=True)))
