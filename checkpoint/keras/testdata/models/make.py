"""Writes small models in the three forms of Keras, NAME.keras, NAME.h5 and
NAME.weights.h5, and NAME.json: the layers Keras says they have, with the SHA-256
of each weight. Made with Keras 3.15, h5py 3.16:

    KERAS_BACKEND=torch python checkpoint/keras/testdata/models/make.py
"""

import hashlib
import json
import os
import zipfile

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers as L  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
G = np.random.default_rng(3)


def sequential():
    return keras.Sequential(
        [
            keras.Input((None,), name="tokens"),
            L.Embedding(7, 3, mask_zero=True, name="embedding"),
            L.GRU(2, return_sequences=True, stateful=False, name="gru"),
            L.SimpleRNN(2, use_bias=False, name="simple"),
            L.Dropout(0.5, name="dropout"),
            L.Dense(2, activation="softmax", name="head"),
        ],
        name="sequential",
    )


def functional():
    a, b = keras.Input((4, 3), name="a"), keras.Input((4, 3), name="b")
    shared = L.LSTM(2, return_sequences=True, return_state=True, name="shared")
    y, h, c = shared(a)
    z, _, _ = shared(b, initial_state=[h, c])
    x = keras.Input((4, 2), name="inner_input")
    inner = L.BatchNormalization(name="norm", trainable=False)(L.Dense(2, name="inner_dense")(x))
    inner = L.TimeDistributed(L.Dense(2, name="td_dense"), name="td")(inner)
    inner = keras.Model(x, L.BatchNormalization(scale=False, name="norm2")(inner), name="inner")
    s = L.Add(name="add")([inner(y), inner(z)])
    s = L.Bidirectional(L.LSTM(2, name="bi_lstm"), merge_mode="ave", name="bi")(s)
    r = L.RNN(L.StackedRNNCells([L.GRUCell(2, name="c0"), L.LSTMCell(3, name="c1")], name="cells"), name="rnn")(y)
    out = L.Dense(1, name="out")(L.Concatenate(name="concat")([s, r]))
    return keras.Model({"a": a, "b": b}, [out, h], name="functional")


def leaves(layer, path, out):
    """Lists the layers that have weights of their own, and these."""
    inner = []
    if isinstance(layer, keras.Model):
        inner = layer.layers
    elif isinstance(layer, L.Bidirectional):
        inner = [layer.forward_layer, layer.backward_layer]
    elif isinstance(layer, L.TimeDistributed):
        inner = [layer.layer]
    elif isinstance(layer, L.StackedRNNCells):
        inner = layer.cells
    elif type(layer) is L.RNN:
        inner = [layer.cell]
    elif layer.weights:
        out[path] = {
            "class": type(layer).__name__,
            "weights": [[w.name, list(w.shape), hashlib.sha256(np.asarray(w).tobytes()).hexdigest()] for w in layer.weights],
        }
    for i in inner:
        leaves(i, f"{path}/{i.name}" if path else i.name, out)
    return out


def make(model):
    for w in model.weights:
        w.assign(G.standard_normal(w.shape).astype("float32"))
    path = os.path.join(HERE, model.name)
    model.save_weights(path + ".weights.h5")
    model.save(path + ".h5")
    model.save(path + ".keras")
    # Keras does not compress; the files here shall be small.
    with zipfile.ZipFile(path + ".keras") as z:
        parts = {n: z.read(n) for n in z.namelist()}
    with zipfile.ZipFile(path + ".keras", "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in parts.items():
            z.writestr(zipfile.ZipInfo(name), data, compress_type=zipfile.ZIP_DEFLATED)
    with open(path + ".json", "w") as f:
        json.dump(leaves(model, "", {}), f, indent=0)
        f.write("\n")


make(sequential())
make(functional())
