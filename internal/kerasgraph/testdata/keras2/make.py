"""Writes NAME.h5 for each case below, as Keras 2 saves it, and io.npz: NAME/in0, ... and
NAME/out0, ..., what Keras computes. Made with tf_keras 2.21 on TensorFlow 2.21:

    python internal/kerasgraph/testdata/keras2/make.py

CuDNNLSTM and CuDNNGRU run on graphics cards only: their files are those of LSTM and GRU
with the classes and the weights changed, and the numbers what LSTM and GRU compute that
load these weights, which Keras turns.
"""

import os
import re
import shutil

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import h5py  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras as keras  # noqa: E402

L = keras.layers
HERE = os.path.dirname(os.path.abspath(__file__))
G = np.random.default_rng(12)
arrays = {}


def x(*shape):
    return G.standard_normal(shape).astype("float32")


def record(name, model, inputs):
    for i, v in enumerate(inputs):
        arrays[f"{name}/in{i}"] = v
    y = model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
    for i, v in enumerate(tf.nest.flatten(y)):
        arrays[f"{name}/out{i}"] = v.numpy()


def path(name):
    return os.path.join(HERE, name + ".h5")


def save(name, model, *inputs):
    model.set_weights([np.abs(x(*w.shape)) + 0.1 if "variance" in w.name else x(*w.shape) * 0.5 for w in model.weights])
    record(name, model, inputs)
    model.save(path(name), include_optimizer=False)
    keras.backend.clear_session()


def cudnn(name, model, *inputs, classes=True):
    """Gives every LSTM and GRU weights of a CuDNN layer, and its class."""
    model.save(path(name), include_optimizer=False)
    with h5py.File(path(name), "r+") as f:

        def change(key, d):
            if not isinstance(d, h5py.Dataset):
                return
            v = x(*d.shape) * 0.5
            if key.endswith("bias:0") and re.search("lstm|gru", key):
                v = x(2 * d.shape[-1]) * 0.5
            todo.append((key, v))

        todo = []
        f["model_weights"].visititems(change)
        for key, v in todo:
            del f["model_weights"][key]
            f["model_weights"].create_dataset(key, data=v)
    weights = path(name) + ".h5"  # by its ending it is known
    shutil.copyfile(path(name), weights)
    if classes:
        with h5py.File(path(name), "r+") as f:
            f.attrs["model_config"] = re.sub(r'"class_name": "(LSTM|GRU)"', r'"class_name": "CuDNN\1"', f.attrs["model_config"])
    model.load_weights(weights)
    os.remove(weights)
    record(name, model, inputs)
    keras.backend.clear_session()


cudnn("cudnn_lstm", keras.Sequential([keras.Input((None, 3)), L.LSTM(4, return_sequences=True), L.LSTM(2, go_backwards=True), L.Dense(2)]), x(2, 5, 3))
cudnn("cudnn_gru", keras.Sequential([keras.Input((None, 3)), L.GRU(4, return_sequences=True), L.GRU(5)]), x(2, 5, 3))
cudnn("cudnn_both", keras.Sequential([keras.Input((5, 3)), L.Bidirectional(L.LSTM(3, return_sequences=True)), L.Bidirectional(L.GRU(2), merge_mode="sum")]), x(2, 5, 3))
cudnn("cudnn_weights", keras.Sequential([keras.Input((5, 3)), L.LSTM(3, return_sequences=True, recurrent_activation="sigmoid"), L.GRU(2)]), x(2, 5, 3), classes=False)

i = keras.Input((5, 4))
h = L.GRU(4, return_sequences=True)(i)
save("functions", keras.Model(i, [
    tf.expand_dims(h, 1), h[:, -1], h[:, ::2, None], h[:, :-1, 1:], tf.concat([h, h * 2.0], axis=1), tf.reduce_mean(h, 1, keepdims=True), tf.reduce_sum(h, axis=[1, 2]), tf.nn.softmax(h, axis=1),
    tf.reshape(h, (-1, 20)), tf.transpose(h, [0, 2, 1]), tf.matmul(h, h, transpose_b=True), tf.stack([h, h], 1), tf.squeeze(tf.expand_dims(h, 1), 1), tf.cast(h > 0, tf.float32), *tf.split(h, 2, axis=-1),
    *tf.split(h, [1, 3], axis=2), 1.0 - h, 2.0 / (h + 3.0), tf.math.l2_normalize(h, axis=-1), tf.tile(h, [1, 2, 1]), tf.repeat(h, 2, axis=1), tf.cast(tf.argmax(h, axis=-1), tf.float32), tf.clip_by_value(h, -0.1, 0.2),
    tf.where(h > 0, h, -h), tf.cumsum(h, axis=1, exclusive=True), tf.pad(h, [[0, 0], [1, 0], [0, 2]]), tf.nn.leaky_relu(h, alpha=0.1), tf.nn.gelu(h), tf.math.reduce_std(h, axis=1), tf.norm(h, axis=-1)]), x(2, 5, 4))
tokens = np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0], [2, 3, 4, 5, 6]], "int32")
i = keras.Input((None,), dtype="int32")
e = L.Embedding(7, 4, mask_zero=True)(i)
h = L.LSTM(4, return_sequences=True)(e)
a, s = L.MultiHeadAttention(2, 3)(h, e, return_attention_scores=True, use_causal_mask=True)
save("multihead", keras.Model(i, [L.GlobalAveragePooling1D()(a), s, L.Attention()([h, e], use_causal_mask=True)]), tokens)
save("convlstm", keras.Sequential([keras.Input((3, 6, 5, 2)), L.ConvLSTM2D(3, 3, padding="same", return_sequences=True, recurrent_activation="hard_sigmoid"), L.BatchNormalization(), L.ConvLSTM2D(2, 2, strides=2), L.Flatten(), L.Dense(2)]), x(2, 3, 6, 5, 2))
save("thresholded", keras.Sequential([L.Dense(4, batch_input_shape=(None, 3)), L.ThresholdedReLU(0.2), L.Dense(2, activation="swish")]), x(2, 3))
np.savez_compressed(os.path.join(HERE, "io.npz"), **arrays)
