"""JAX peer: a lax.scan over time under jit, layer by layer, and its gradient."""
import os

import protocol

_, _, THREADS, _ = protocol.arguments()
if THREADS == 1:  # XLA sizes its pool by the processors it may use
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402

SGD_RATE = 1e-3


def lstm(sums, h, c):
    i, f, g, o = jnp.split(sums, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru(x, u, h):
    (xr, xz, xn), (ur, uz, un) = jnp.split(x, 3, axis=-1), jnp.split(u, 3, axis=-1)
    z = jax.nn.sigmoid(xz + uz)
    return (1 - z) * jnp.tanh(xn + jax.nn.sigmoid(xr + ur) * un) + z * h


def layer(kind, weights, x, h, c, backwards):
    w_ih, w_hh, b_ih, b_hh = weights
    inputs = x @ w_ih + b_ih + (0 if kind == "gru" else b_hh)

    def step(state, xt):
        h, c = state
        if kind == "lstm":
            h, c = lstm(xt + h @ w_hh, h, c)
        elif kind == "gru":
            h = gru(xt, h @ w_hh + b_hh, h)
        else:
            h = jnp.tanh(xt + h @ w_hh)
        return (h, c), h
    (h, c), y = lax.scan(step, (h, c), inputs, reverse=backwards)
    return y, h, c


def stack(w, weights, x, h0, c0):
    d, hs, cs = 2 if w.bidir else 1, [], []
    for n in range(w.L):
        ys = []
        for j in range(d):
            y, h, c = layer(w.kind, weights[n][j], x, h0[n * d + j], c0[n * d + j], j == 1)
            ys.append(y)
            hs.append(h)
            cs.append(c)
        x = ys[0] if d == 1 else jnp.concatenate(ys, -1)
    return x, jnp.stack(hs), jnp.stack(cs)


def parameters(w, t):
    d, gates = 2 if w.bidir else 1, {"rnn": 1, "gru": 3, "lstm": 4}[w.kind]

    def of(n, j):
        i = w.I if n == 0 else w.H * d
        return (jnp.array(t[f"w_ih.{n}.{j}"].reshape(gates * w.H, i).T.copy()),
                jnp.array(t[f"w_hh.{n}.{j}"].reshape(gates * w.H, w.H).T.copy()),
                jnp.array(t[f"b_ih.{n}.{j}"]), jnp.array(t[f"b_hh.{n}.{j}"]))
    return [[of(n, j) for j in range(d)] for n in range(w.L)]


def training(w, t, weights, x, h0, c0):
    dy = jnp.array(t["dy"].reshape(w.T, w.B, -1))

    def loss(weights, x):
        return jnp.sum(stack(w, weights, x, h0, c0)[0] * dy)

    @jax.jit
    def step(weights, x):
        grads, dx = jax.grad(loss, argnums=(0, 1))(weights, x)
        return jax.tree.map(lambda p, g: p - SGD_RATE * g, weights, grads), dx
    want, box = t["dx"].reshape(x.shape), [weights]
    dx = np.array(step(weights, x)[1])

    def call():
        box[0], dx = step(box[0], x)
        jax.block_until_ready((box[0], dx))
    return call, float(np.abs(dx - want).max() / np.abs(want).max())


def forward(w, t, weights, x, h0, c0):
    f = jax.jit(lambda weights, x, h0, c0: stack(w, weights, x, h0, c0))
    y, box = np.array(f(weights, x, h0, c0)[0]), [h0, c0]

    def call():
        out = jax.block_until_ready(f(weights, x, *box))
        if w.carry:
            box[:] = out[1:]
    return call, float(np.abs(y - t["y"].reshape(y.shape)).max())


def main(w, data, name, threads, variant):
    t, d = protocol.tensors(data, name), 2 if w.bidir else 1
    h0 = jnp.array(t["h0"].reshape(w.L * d, w.B, w.H))
    c0 = jnp.array(t["c0"].reshape(h0.shape)) if w.kind == "lstm" else jnp.zeros_like(h0)
    x = jnp.array(t["x"].reshape(w.T, w.B, w.I))
    call, err = (training if w.mode == "train" else forward)(w, t, parameters(w, t), x, h0, c0)
    call()
    protocol.serve(call, err, jax.__version__)


protocol.run(main)
