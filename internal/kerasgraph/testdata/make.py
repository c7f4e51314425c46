"""Writes NAME.keras for each case below, compressed, and io.npz: NAME/in0, ... and
NAME/out0, ..., what Keras computes. Made with Keras 3.15 on PyTorch 2.15:

    KERAS_BACKEND=torch python internal/kerasgraph/testdata/make.py [NAME...]

With names, only the cases whose names begin with one are made; the others stay.
"""

import glob
import os
import sys
import tempfile
import zipfile

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers as L  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
G = np.random.default_rng(11)
arrays = {}


def save(name, model, *inputs, y=None, version=None):
    if sys.argv[1:] and not any(name.startswith(n) for n in sys.argv[1:]):
        return
    for w in model.weights:
        v = G.standard_normal(w.shape).astype("float32") * 0.5
        if "variance" in w.path:
            v = np.abs(v) + 0.1
        if str(w.dtype).startswith("float"):
            w.assign(v)
    for layer in model._flatten_layers():
        if isinstance(layer, L.Normalization):
            layer.finalize_state()
    if y is not None:
        y = y(model, *inputs)
    else:
        y = model([np.asarray(x) for x in inputs] if len(inputs) > 1 else np.asarray(inputs[0]), training=False)
    for i, x in enumerate(inputs):
        arrays[f"{name}/in{i}"] = x
    for i, x in enumerate(keras.tree.flatten(y)):
        arrays[f"{name}/out{i}"] = keras.ops.convert_to_numpy(x)
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "m.keras")
        model.save(path)
        with zipfile.ZipFile(path) as z, zipfile.ZipFile(os.path.join(HERE, name + ".keras"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
            for n in z.namelist():
                data = z.read(n)
                if version and n == "metadata.json":
                    data = data.replace(keras.__version__.encode(), version.encode())
                out.writestr(zipfile.ZipInfo(n), data, compress_type=zipfile.ZIP_DEFLATED, compresslevel=9)
    keras.backend.clear_session()


def x(*shape):
    return G.standard_normal(shape).astype("float32")


def one(name, shape, *layers, batch=2, dynamic=False):
    """A Sequential of layers on one random input."""
    said = (None,) + shape[1:] if dynamic else shape
    save(name, keras.Sequential([keras.Input(said), *layers]), x(batch, *shape))


# Activations, as a layer and by name.
for a in ["elu", "relu", "selu", "softplus", "softsign", "tanh", "sigmoid", "exponential", "hard_sigmoid", "linear", "swish", "gelu", "mish",
          "leaky_relu", "relu6", "log_softmax", "softmax", "hard_silu", "celu", "log_sigmoid", "hard_tanh", "tanh_shrink"]:
    one("act_" + a, (6,), L.Activation(a))
one("relu", (4,), L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2))
one("relu_max", (4,), L.ReLU(max_value=0.5))
one("leaky", (4,), L.LeakyReLU(negative_slope=0.15))
one("prelu", (3, 4), L.PReLU(shared_axes=[1]))
one("elu", (4,), L.ELU(alpha=0.7))
one("softmax_axis", (3, 4), L.Softmax(axis=1))
one("dense_layer_activation", (3,), L.Dense(4, activation=L.LeakyReLU(negative_slope=0.2)))
one("dense3", (3, 4), L.Dense(2, use_bias=False, activation="tanh"))

# Shapes.
one("flatten", (3, 4), L.Flatten())
one("flatten_first", (2, 3, 4), L.Flatten(data_format="channels_first"))
one("reshape", (12,), L.Reshape((-1, 4)), L.Permute((2, 1)))
one("permute3", (2, 3, 4), L.Permute((3, 1, 2)))
one("repeat", (3,), L.RepeatVector(4))
one("td_dense", (5, 3), L.TimeDistributed(L.Dense(2, activation="relu")), dynamic=True)
one("td_conv", (4, 6, 3), L.TimeDistributed(L.Conv1D(2, 3)), L.TimeDistributed(L.Flatten()), L.LSTM(2))
one("td_lstm", (3, 4, 2), L.TimeDistributed(L.LSTM(3)), dynamic=True)
one("dropouts", (5, 3), L.Dropout(0.5), L.SpatialDropout1D(0.5), L.GaussianNoise(1.0), L.GaussianDropout(0.5), L.AlphaDropout(0.5), L.ActivityRegularization(0.1), L.Identity())

# Normalisations.
one("batchnorm", (5, 3), L.BatchNormalization())
one("batchnorm_axis1", (3, 4, 5), L.BatchNormalization(axis=1, scale=False, epsilon=0.1))
one("batchnorm_nocenter", (3,), L.BatchNormalization(center=False))
one("layernorm", (4, 3), L.LayerNormalization())
one("layernorm_axes", (4, 3), L.LayerNormalization(axis=[1, 2], center=False))
# Keras on PyTorch cannot do this one: in numpy, as keras.ops.layer_normalization says.
save("layernorm_axis1", keras.Sequential([keras.Input((4, 3)), L.LayerNormalization(axis=1, scale=False, epsilon=0.01)]), x(2, 4, 3),
     y=lambda m, v: (v - v.mean(1, keepdims=True)) / np.sqrt(v.var(1, keepdims=True) + 0.01) + np.asarray(m.weights[0])[:, None])
one("normalization", (4, 3), L.Normalization())
one("normalization_given", (3,), L.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 0.25]))
one("normalization_none", (4, 3), L.Normalization(axis=None))
one("normalization_invert", (3,), L.Normalization(invert=True))
one("rescaling", (4,), L.Rescaling(1 / 3.0, offset=-1.0))
one("rescaling_list", (4, 3), L.Rescaling([1.0, 2.0, 3.0], offset=[0.1, 0.2, 0.3]))

# Convolutions and poolings.
one("conv1d", (9, 4), L.Conv1D(6, 3, strides=2, groups=2, activation="relu"))
one("conv1d_same", (9, 3), L.Conv1D(2, 4, padding="same", strides=2))
one("conv1d_causal", (9, 3), L.Conv1D(2, 3, padding="causal", dilation_rate=2), dynamic=True)
one("conv1d_dilated", (9, 3), L.Conv1D(2, 3, padding="same", dilation_rate=2, use_bias=False))
one("conv1d_first", (3, 9), L.Conv1D(2, 3, data_format="channels_first"))
one("conv2d", (7, 6, 2), L.Conv2D(3, (3, 2), strides=(2, 1), padding="same"))
one("conv2d_first", (2, 7, 6), L.Conv2D(3, 3, data_format="channels_first", activation="elu"))
one("depthwise1d", (7, 3), L.DepthwiseConv1D(3, depth_multiplier=2, padding="same"))
one("depthwise2d", (6, 5, 3), L.DepthwiseConv2D((2, 3), depth_multiplier=2))
one("maxpool1d", (9, 3), L.MaxPooling1D(2))
one("maxpool1d_same", (9, 3), L.MaxPooling1D(3, strides=2, padding="same"), dynamic=True)
one("avgpool1d_same", (9, 3), L.AveragePooling1D(3, strides=2, padding="same"))
one("avgpool1d_first", (3, 9), L.AveragePooling1D(2, data_format="channels_first"))
one("maxpool2d", (6, 5, 2), L.MaxPooling2D((2, 3), strides=(1, 2)))
one("avgpool2d_same", (7, 5, 2), L.AveragePooling2D(2, padding="same"))
one("gap1d", (5, 3), L.GlobalAveragePooling1D(keepdims=True))
one("gmp1d_first", (3, 5), L.GlobalMaxPooling1D(data_format="channels_first"))
one("gap2d", (5, 4, 3), L.GlobalAveragePooling2D())
one("gmp2d_first", (3, 5, 4), L.GlobalMaxPooling2D(data_format="channels_first", keepdims=True))
one("upsampling1d", (4, 3), L.UpSampling1D(3), dynamic=True)
one("upsampling2d", (3, 2, 2), L.UpSampling2D((2, 3)))
one("zeropadding1d", (4, 3), L.ZeroPadding1D((1, 2)))
one("zeropadding2d", (3, 4, 2), L.ZeroPadding2D(((1, 0), (2, 3))))
one("zeropadding2d_pair", (3, 4, 2), L.ZeroPadding2D((1, 2)))
one("cropping1d", (6, 3), L.Cropping1D((1, 2)), dynamic=True)
one("cropping2d", (6, 5, 2), L.Cropping2D(((1, 0), (2, 1))))


# Merges.
def two(name, layer, a, b):
    ia, ib = keras.Input(a), keras.Input(b)
    save(name, keras.Model([ia, ib], layer([ia, ib])), x(2, *a), x(2, *b))


for layer in [L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum]:
    two(layer.__name__.lower(), layer(), (4, 3), (4, 3))
two("add_ranks", L.Add(), (4, 3), (3,))
two("concat_axis1", L.Concatenate(axis=1), (4, 3), (2, 3))
two("dot22", L.Dot(axes=1), (3,), (3,))
two("dot33", L.Dot(axes=(2, 2)), (4, 3), (5, 3))
two("dot33_mixed", L.Dot(axes=(1, 2)), (4, 3), (5, 4))
two("dot32", L.Dot(axes=(2, 1)), (4, 3), (3,))
two("dot_normalize", L.Dot(axes=-1, normalize=True), (4, 3), (5, 3))

# Recurrent layers.
for kind in ["LSTM", "GRU", "SimpleRNN"]:
    K, n = getattr(L, kind), kind.lower()
    one(n, (5, 3), K(4), dynamic=True)
    one(n + "_nobias_seq", (5, 3), K(4, use_bias=False, return_sequences=True))
    one(n + "_back", (5, 3), K(4, go_backwards=True))
    one(n + "_back_seq", (5, 3), K(4, go_backwards=True, return_sequences=True))
    for mode in ["concat", "sum", "mul", "ave", None]:
        one(f"bi_{n}_{mode}", (5, 3), L.Bidirectional(K(2, return_sequences=True), merge_mode=mode))
    one(f"bi_{n}_last", (5, 3), L.Bidirectional(K(2)))
    one(n + "_state", (5, 3), K(2, return_sequences=True, return_state=True))
    one(f"bi_{n}_state", (5, 3), L.Bidirectional(K(2, return_state=True)))
one("lstm_relu", (5, 3), L.LSTM(3, activation="relu", recurrent_activation="hard_sigmoid"))
one("lstm_linear", (5, 3), L.LSTM(3, activation="linear", recurrent_activation="softsign", return_sequences=True))
one("lstm_stateful_dropout", (5, 3), L.LSTM(3, dropout=0.3, recurrent_dropout=0.3))
one("gru_reset_before", (5, 3), L.GRU(3, reset_after=False, return_sequences=True))
one("gru_softplus", (5, 3), L.GRU(3, activation="elu", recurrent_activation="hard_sigmoid"))
one("simplernn_relu", (5, 3), L.SimpleRNN(3, activation="relu"))
one("bi_two_layers", (5, 3), L.Bidirectional(L.LSTM(2, return_sequences=True), backward_layer=L.GRU(3, return_sequences=True, go_backwards=True)))
one("rnn_lstm_cell", (5, 3), L.RNN(L.LSTMCell(3), return_sequences=True))
one("rnn_gru_cell_back", (5, 3), L.RNN(L.GRUCell(3, reset_after=False), go_backwards=True))
one("rnn_stacked", (5, 3), L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2), L.SimpleRNNCell(4)]), return_sequences=True, return_state=True))

ia, ib = keras.Input((4, 3)), keras.Input((5, 3))
_, h, c = L.LSTM(2, return_state=True)(ia)
save("seq2seq", keras.Model([ia, ib], L.LSTM(2, return_sequences=True)(ib, initial_state=[h, c])), x(2, 4, 3), x(2, 5, 3))
ia = keras.Input((4, 3))
y, fh, fc, bh, bc = L.Bidirectional(L.LSTM(2, return_state=True, return_sequences=True))(ia)
save("bi_initial", keras.Model(ia, L.Bidirectional(L.LSTM(2))(y, initial_state=[fh, fc, bh, bc])), x(2, 4, 3))
shared = L.GRU(2, return_sequences=True)
ia, ib = keras.Input((4, 3)), keras.Input((4, 3))
inner = keras.Sequential([keras.Input((4, 2)), L.Dense(2, activation="tanh"), L.LSTM(3)])
save("shared_nested", keras.Model([ia, ib], L.Concatenate()([inner(shared(ia)), inner(shared(ib))])), x(2, 4, 3), x(2, 4, 3))

save("lstm_stateful", keras.Sequential([keras.Input(batch_shape=(2, 5, 3)), L.LSTM(3, stateful=True)]), x(2, 5, 3))

# Masks: steps masked at the front, in the middle, at the end, and all of them.
tokens = np.array([[1, 2, 3, 4, 5], [0, 0, 3, 0, 5], [1, 0, 0, 4, 0], [0, 0, 0, 0, 0], [6, 0, 0, 0, 0]], "int32")


def masked(name, *layers, **settings):
    save("mask_" + name, keras.Sequential([keras.Input((settings.get("steps"),), dtype="int32"), L.Embedding(7, 3, mask_zero=True), *layers]), tokens)


for kind in ["LSTM", "GRU", "SimpleRNN"]:
    K, n = getattr(L, kind), kind.lower()
    masked(n, K(2))
    masked(n + "_seq", K(2, return_sequences=True), steps=5)
    masked(n + "_zero", K(2, return_sequences=True, zero_output_for_mask=True))
    masked(n + "_zero_last", K(2, zero_output_for_mask=True))
    masked(n + "_back", K(2, go_backwards=True, return_sequences=True))
    masked(n + "_stack", K(2, return_sequences=True), L.Dropout(0.1), L.LayerNormalization(), L.Dense(3, activation="tanh"), K(2, return_state=True))
    masked("bi_" + n, L.Bidirectional(K(2, return_sequences=True)), L.Bidirectional(K(2)))
masked("lstm_back_last", L.LSTM(2, go_backwards=True, zero_output_for_mask=True))
masked("bi_none", L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode=None))
masked("bi_state", L.Bidirectional(L.LSTM(2, return_state=True)))
masked("td", L.TimeDistributed(L.Dense(2)), L.GRU(2))
masked("conv_drops_it", L.Conv1D(2, 2), L.GRU(2))
masked("pool_drops_it", L.MaxPooling1D(2), L.GRU(2))
masked("stacked", L.RNN(L.StackedRNNCells([L.LSTMCell(2), L.GRUCell(3)]), return_sequences=True, return_state=True))
some = np.delete(tokens, 3, 0)
save("mask_gap", keras.Sequential([keras.Input((None,), dtype="int32"), L.Embedding(7, 3, mask_zero=True), L.LSTM(2, return_sequences=True), L.GlobalAveragePooling1D()]), some)
v = x(3, 5, 2)
v[0, 3:] = 0
v[1, 1] = 0
v[2, :2] = 0
save("mask_masking", keras.Sequential([keras.Input((None, 2)), L.Masking(), L.LSTM(2, return_sequences=True), L.LSTM(2)]), v)
w = np.where(v == 0, np.float32(-1), v)
save("mask_value", keras.Sequential([keras.Input((5, 2)), L.Masking(mask_value=-1.0), L.TimeDistributed(L.Dense(3)), L.Bidirectional(L.GRU(2))]), w)
# Functional: masks that are joined, of which Keras 3 writes the operations.
i = keras.Input((None,), dtype="int32")
e = L.Embedding(7, 3, mask_zero=True)(i)
y = L.LSTM(3, return_sequences=True)(e)
z = L.Add()([e, y])
z = L.Concatenate()([z, y])
z = L.Bidirectional(L.GRU(2, return_sequences=True))(z)
save("mask_functional", keras.Model(i, [L.LSTM(2)(z), z]), tokens)
i, j = keras.Input((5,), dtype="int32"), keras.Input((5, 2))
e = L.Embedding(7, 2, mask_zero=True)(i)
z = L.Concatenate(axis=1)([e, L.Masking()(j)])
save("mask_concat_time", keras.Model([i, j], L.LSTM(2, return_sequences=True)(z)), tokens[:3], v)
i, j = keras.Input((5,), dtype="int32"), keras.Input((5, 2))
save("mask_concat_ones", keras.Model([i, j], L.LSTM(2, return_sequences=True)(L.Concatenate()([L.Embedding(7, 3, mask_zero=True)(i), j]))), tokens, x(len(tokens), 5, 2))
i, j = keras.Input((5,), dtype="int32"), keras.Input((4, 3))
_, h, c = L.LSTM(2, return_state=True)(j)
d = L.LSTM(2, return_sequences=True, return_state=True)(L.Embedding(7, 3, mask_zero=True)(i), initial_state=[h, c])
save("mask_initial", keras.Model([i, j], d), tokens, x(5, 4, 3))
i, j, k = keras.Input((5,), dtype="int32"), keras.Input((4, 3)), keras.Input((4, 3))
said = keras.ops.not_equal(i, 0)
e = L.Embedding(7, 3, mask_zero=True)(i)
_, h, c = L.LSTM(2, return_state=True)(j)
_, u, v = L.LSTM(2, return_state=True)(k)
d = L.LSTM(2, return_sequences=True, return_state=True)(e, initial_state=[h, c], mask=said)
b = L.Bidirectional(L.LSTM(2, return_state=True))(e, initial_state=[h, c, u, v], mask=said)
save("mask_initial_said", keras.Model([i, j, k], [*d, *b]), tokens, x(5, 4, 3), x(5, 4, 3))
i = keras.Input((5, 3))
save("operators", keras.Model(i, (i * 2.0 + L.LSTM(3, return_sequences=True)(i)) / 4.0 - i), x(2, 5, 3))
# Types meet as Keras has them meet: whole numbers beside real ones are real.
K = keras.ops
i = keras.Input((5,), dtype="int32")
save("operators_whole", keras.Model(i, [i * 0.5, (i + 2) * 1.0, i / 2, i / (i * i + 1), K.maximum(i, 0.5), K.mean(i, axis=1), K.cast(i, "float32") * 3]), np.arange(-4, 6, dtype="int32").reshape(2, 5))
i = keras.Input((5, 3))
save("operators_where", keras.Model(i, [K.where(i > 0, i, 0.1 * i), K.where(i <= 0.5, 0.0, i), K.where(K.logical_not(i < 0), 1.0, 0.5), K.cast(K.equal(K.cast(i * 3, "int32"), 1), "float32"), K.clip(i, -0.1, 0.2), K.zeros_like(i) + i, K.ones_like(i) + i, K.convert_to_tensor(i) * 2]), x(2, 5, 3))


# What was otherwise in Keras 2: hard_sigmoid, and masked steps in a Bidirectional
# before TensorFlow's.
def old_sigmoid(model, v):
    twin = keras.Sequential([keras.Input((5, 3)), L.LSTM(3, recurrent_activation=lambda z: keras.ops.clip(0.2 * z + 0.5, 0, 1))])
    twin.set_weights(model.get_weights())
    return twin(v)


def repeats(model, v):
    for layer in model.layers[1:]:
        layer.forward_layer.zero_output_for_mask = layer.backward_layer.zero_output_for_mask = False
    return model(v)


save("old_hard_sigmoid", keras.Sequential([keras.Input((5, 3)), L.LSTM(3, recurrent_activation="hard_sigmoid")]), x(2, 5, 3), y=old_sigmoid, version="2.6.0")
save("old_mask_bi", keras.Sequential([keras.Input((None,), dtype="int32"), L.Embedding(7, 3, mask_zero=True), L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="sum")]),
     tokens, y=repeats, version="2.1.4")

# Activations in cells beside those of ONNX's operators.
for f in ["selu", "exponential", "celu", "relu6", "hard_tanh", "log_sigmoid", "squareplus", "swish", "gelu", "mish", "tanh_shrink", "hard_shrink", "soft_shrink", "sparse_sigmoid", "hard_silu"]:
    one(f"cell_{f}", (5, 3), L.LSTM(3, activation=f, return_sequences=True), L.GRU(2, activation=f), batch=2)
one("cell_recurrent", (5, 3), L.LSTM(3, recurrent_activation="hard_silu", return_sequences=True), L.Bidirectional(L.GRU(2, recurrent_activation="softsign", activation="swish")))
one("cell_layer", (5, 3), L.LSTM(3, activation=L.LeakyReLU(negative_slope=0.1), return_sequences=True), L.SimpleRNN(2, activation=L.ReLU(max_value=1.0)))
masked("cell_swish", L.Bidirectional(L.LSTM(2, activation="swish", return_sequences=True)), L.GRU(2, activation="gelu"))
# Layers around recurrent ones, and operations of Functional models.
one("conv1d_transpose", (6, 3), L.Conv1DTranspose(2, 4, strides=2, padding="same", activation="relu"), L.Conv1DTranspose(3, 2, strides=3), L.Conv1DTranspose(2, 3, dilation_rate=2))
one("conv2d_transpose", (4, 5, 2), L.Conv2DTranspose(3, 3, strides=2, padding="same"), L.Conv2DTranspose(2, (2, 3), strides=(1, 2)))
one("separable1d", (9, 3), L.SeparableConv1D(4, 3, padding="same", depth_multiplier=2, activation="relu"), L.SeparableConv1D(2, 2, strides=2))
one("separable2d", (6, 5, 2), L.SeparableConv2D(3, 3, use_bias=False))
one("groupnorm", (5, 6), L.GroupNormalization(3), L.GroupNormalization(-1, scale=False))
one("unitnorm_rms", (5, 6), L.UnitNormalization(), L.RMSNormalization())
i = keras.Input((None,), dtype="int32")
e = L.Embedding(7, 4, mask_zero=True)(i)
h = L.GRU(4, return_sequences=True)(e)
save("attention", keras.Model(i, [L.Attention()([h, e]), L.Attention(use_scale=True)([e, h, e]), L.AdditiveAttention()([h, e])]), tokens)
i = keras.Input((5, 4))
h = L.GRU(4, return_sequences=True)(i)
o = keras.ops
save("functional", keras.Model(i, [
    h[:, -1], h[:, 1:3, ::2], h[..., 0], h[:, None, ::2], o.mean(h, axis=1), o.sum(h, axis=[1, 2], keepdims=True), o.max(h, axis=-1), o.squeeze(o.expand_dims(h, 1), 1), o.reshape(h, (-1, 20)),
    o.transpose(h, (0, 2, 1)), o.matmul(h, o.transpose(h, (0, 2, 1))), o.stack([h, h], axis=2), o.einsum("bti,bti->bt", h, h), o.softmax(h, axis=1), o.gelu(h), o.leaky_relu(h),
    o.sigmoid(h) + o.exp(h) - o.sqrt(o.abs(h)) * o.tanh(h), o.relu(h) / 2.0, o.maximum(h, 0.1), o.square(h), o.flip(h, axis=1)]), x(2, 5, 4))

# Attention of several heads, and sums over letters.
i = keras.Input((None,), dtype="int32")
e = L.Embedding(7, 4, mask_zero=True)(i)
h = L.GRU(4, return_sequences=True)(L.Embedding(7, 4, mask_zero=True)(i))
a, w = L.MultiHeadAttention(2, 3, value_dim=2, output_shape=5, use_gate=True)(h, e, return_attention_scores=True)
save("multihead", keras.Model(i, [a, w]), tokens)
i = keras.Input((None,), dtype="int32")
e = L.Embedding(7, 4, mask_zero=True)(i)
save("multihead_mean", keras.Model(i, L.GlobalAveragePooling1D()(L.MultiHeadAttention(2, 3)(e, e, use_causal_mask=True))), np.array([[1, 2, 3, 0, 0], [4, 0, 0, 5, 0]], "int32"))
i = keras.Input((5, 4))
save("multihead_window", keras.Model(i, L.MultiHeadAttention(1, 2, use_bias=False, sliding_window=2)(i, i)), x(2, 5, 4))
i = keras.Input((3, 2, 4))
save("multihead_axes", keras.Model(i, [L.MultiHeadAttention(2, 3, attention_axes=(1,))(i, i), L.MultiHeadAttention(2, 3, attention_axes=(1, 2), output_shape=(2, 3))(i, i), L.MultiHeadAttention(1, 3)(i, i)]), x(2, 3, 2, 4))
i = keras.Input((5, 4))
save("grouped_query", keras.Model(i, [L.GroupQueryAttention(3, 4, 2)(i, i), L.GroupQueryAttention(2, 2, 1, use_gate=True)(i, i, use_causal_mask=True)]), x(2, 5, 4))
save("attention_calls", keras.Model(i, [*L.Attention(score_mode="concat", use_scale=True)([i, i], return_attention_scores=True), L.AdditiveAttention()([i, i], use_causal_mask=True)]), x(2, 5, 4))
save("einsum_dense", keras.Model(i, [L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="d")(i), L.EinsumDense("...x,xy->...y", 5, bias_axes="y", activation="relu")(i), L.EinsumDense("abc,bd->adc", (3, 4))(i)]), x(2, 5, 4))

# Pictures that move.
one("convlstm1d", (4, 6, 2), L.ConvLSTM1D(3, 2, return_sequences=True, strides=2), L.ConvLSTM1D(2, 3, padding="same", go_backwards=True, return_sequences=True, activation="relu"), dynamic=True)
one("convlstm2d", (3, 5, 6, 2), L.ConvLSTM2D(3, 3, padding="same", dilation_rate=2, return_sequences=True, recurrent_activation="hard_sigmoid"), L.ConvLSTM2D(2, (2, 3), use_bias=False))
one("convlstm2d_first", (3, 2, 5, 6), L.ConvLSTM2D(3, 3, data_format="channels_first", return_sequences=True))
i = keras.Input((3, 5, 4, 1))
save("convlstm2d_state", keras.Model(i, L.ConvLSTM2D(2, 2, return_state=True)(i)), x(2, 3, 5, 4, 1))
one("three_axes", (4, 5, 6, 2), L.Conv3D(3, (2, 1, 3), padding="same", strides=(1, 2, 1)), L.MaxPooling3D((1, 2, 2), padding="same"), L.UpSampling3D((1, 2, 1)), L.ZeroPadding3D(1), L.AveragePooling3D(2), L.Conv3DTranspose(2, 2, strides=2), L.Cropping3D(((1, 0), (0, 1), (1, 1))))
one("three_axes_global", (2, 2, 3, 2), L.SpatialDropout3D(0.5), L.GlobalAveragePooling3D(keepdims=True), L.GlobalMaxPooling3D())

# What else there is of activations, and of operations.
for a in ["squareplus", "soft_shrink", "sparse_plus", "glu", "sparse_sigmoid", "hard_shrink", "sparsemax", "hard_swish", "silu"]:
    one("act_" + a, (3, 6), L.Activation(a))
i = keras.Input((5, 4))
h = L.GRU(4, return_sequences=True)(i)
f = [o.argmax(h, axis=1), o.argmin(h, axis=-1, keepdims=True)]
save("arrays", keras.Model(i, [o.cast(v, "float32") for v in f] + [
    *o.split(h, 2, axis=-1), *o.split(h, [1, 3], axis=1), *o.unstack(h, axis=2), o.repeat(h, 2, axis=1), o.tile(h, (1, 2, 3)), o.cumsum(h, axis=1), o.norm(h, axis=-1), o.norm(h, axis=1, ord=1), o.norm(h, axis=(1, 2)), o.var(h, axis=1), o.std(h, axis=(1, 2), keepdims=True),
    o.swapaxes(h, 1, -1), o.moveaxis(h, 1, -1), o.one_hot(f[1][..., 0], 4), o.prod(h, axis=-1), o.amax(h, axis=1), o.logsumexp(h, axis=-1), o.normalize(h, axis=-1), o.pad(h, ((0, 0), (1, 2), (0, 1)), mode="reflect"), o.pad(h, ((0, 0), (1, 0), (0, 0)), constant_values=2.0), o.take(h, 1, axis=1)]), x(2, 5, 4))
save("functions", keras.Model(i, [
    o.elu(h, alpha=0.5), o.celu(h, alpha=0.5), o.glu(h), o.hard_shrink(h, threshold=0.2), o.soft_shrink(h, threshold=0.1), o.threshold(h, 0.1, -1.0), o.squareplus(h, b=1), o.sparsemax(h * 3), o.log1p(o.abs(h)), o.expm1(h), o.log2(o.abs(h) + 1), o.log10(o.abs(h) + 1), o.rsqrt(o.abs(h) + 1),
    o.round(h * 3), o.sign(h), o.arctan(h), o.tan(h), o.hard_tanh(h * 3), o.tanh_shrink(h), o.sparse_plus(h * 3), o.sparse_sigmoid(h * 3), keras.activations.relu(h, max_value=0.3, negative_slope=0.2, threshold=0.1), o.cast(o.logical_xor(h > 0, h > 0.1), "float32"), o.stop_gradient(h) * 2]), x(2, 5, 4))

# What prepares inputs.
ids = np.array([[0, 2, 2], [4, 1, 0]], "int32")
i = keras.Input((3,), dtype="int32")
save("category_encoding", keras.Model(i, [L.CategoryEncoding(5, output_mode="multi_hot")(i), L.CategoryEncoding(5, output_mode="count")(i)]), ids)
i = keras.Input((3,))
d = L.Discretization(bin_boundaries=[-1.0, 0.0, 0.5])
save("discretization", keras.Model(i, [L.Embedding(4, 2)(d(i)), L.Discretization(bin_boundaries=[-1.0, 0.0], output_mode="count")(i)]), np.array([[-1.0, 0.0, 0.7], [-3.0, 0.5, 0.2]], "float32"))
one("resizing", (4, 5, 2), L.Resizing(7, 3), L.UpSampling2D(2, interpolation="bilinear"))
one("spectral", (4,), L.SpectralNormalization(L.Dense(3, activation="tanh")), L.Dense(2))

if sys.argv[1:]:
    with np.load(os.path.join(HERE, "io.npz")) as before:
        made = {k.split("/")[0] for k in arrays}
        arrays = {**{k: v for k, v in before.items() if k.split("/")[0] not in made}, **arrays}
np.savez_compressed(os.path.join(HERE, "io.npz"), **arrays)
have = {os.path.basename(p)[:-6] for p in glob.glob(os.path.join(HERE, "*.keras"))}
want = {k.split("/")[0] for k in arrays}
assert have == want, have ^ want
