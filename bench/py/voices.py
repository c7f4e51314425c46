"""What rounded weights cost a model of voices: bench/voices.sh WORK FILE

FILE is pretrained.pt of the Python package resemblyzer 0.1.4 (Apache 2.0 licence). 8 synthetic
speakers, each a pitch and a size of the throat, say 6 things of 160 frames. The model's
vectors come from PyTorch in float32 and from unroll in each precision; of those it prints
the distance, and how often the nearest mean of the other 5 things is the speaker's.
"""

import subprocess
import sys

import numpy
import torch

RATE, FRAMES, SPEAKERS, THINGS = 16000, 160, 8, 6
CHAIN = "lstm | h_last | linear | relu | normalize(dim=1)"


def filters():
    """40 triangles in mel of Slaney's form, each of area one, over 201 bins."""
    def mel(hz):
        return hz * 3 / 200 if hz < 1000 else 15 + numpy.log(hz / 1000) * 27 / numpy.log(6.4)

    def hz(m):
        return m * 200 / 3 if m < 15 else 1000 * numpy.exp((m - 15) * numpy.log(6.4) / 27)

    edges = numpy.array([hz(m) for m in numpy.linspace(0, mel(RATE / 2), 42)])
    bins = numpy.linspace(0, RATE / 2, 201)
    up = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return numpy.maximum(0, numpy.minimum(up, down)) * (2 / (edges[2:] - edges[:-2]))[:, None]


def voice(speaker, thing):
    """Pulses of a gliding pitch through three resonances that change with the vowel."""
    g = numpy.random.default_rng([speaker, thing])
    pitch, throat = 85 + 22 * speaker, 0.85 + 0.05 * ((speaker * 3) % 8)
    n = RATE * 16 // 10
    t = numpy.arange(n) / RATE
    f = pitch * (1 + 0.1 * numpy.sin(2 * numpy.pi * g.uniform(0.5, 2) * t + g.uniform(0, 6)))
    phase = numpy.cumsum(f / RATE)
    x = (numpy.diff(numpy.floor(phase), prepend=0) > 0).astype(float) + g.normal(0, 0.003, n)
    vowels = [(730, 1090, 2440), (270, 2290, 3010), (530, 1840, 2480), (570, 840, 2410), (300, 870, 2240)]
    order = g.permutation(5)
    for k in range(3):
        y = numpy.zeros(n + 2)
        r = numpy.exp(-numpy.pi * 90 / RATE)
        for i in range(n):
            w = vowels[order[int(t[i] * 5) % 5]][k] * throat
            y[i] = x[i] + 2 * r * numpy.cos(2 * numpy.pi * w / RATE) * y[i - 1] - r * r * y[i - 2]
        x = y[:n] * 0.1
    return x * (10 ** (-30 / 20) / numpy.sqrt(numpy.mean(x**2)))


def spectrum(x):
    s = torch.stft(torch.tensor(x), 400, 160, window=torch.hann_window(400, dtype=torch.float64), return_complex=True)
    return (filters() @ (s.abs() ** 2).numpy()).T[:FRAMES].astype(numpy.float32)


def net(path, x):
    p = torch.load(path, map_location="cpu", weights_only=False)["model_state"]
    lstm, linear = torch.nn.LSTM(40, 256, 3, batch_first=True), torch.nn.Linear(256, 256)
    lstm.load_state_dict({k[5:]: v for k, v in p.items() if k.startswith("lstm.")})
    linear.load_state_dict({k[7:]: v for k, v in p.items() if k.startswith("linear.")})
    with torch.no_grad():
        y = torch.relu(linear(lstm(torch.tensor(x))[1][0][-1]))
        return (y / y.norm(dim=1, keepdim=True)).numpy()


def right(y):
    """How many things are nearest to the mean of their speaker's other things."""
    all_ = y.reshape(SPEAKERS, THINGS, -1)
    count = 0
    for s in range(SPEAKERS):
        for k in range(THINGS):
            means = [numpy.delete(v, k, 0).mean(0) if i == s else v.mean(0) for i, v in enumerate(all_)]
            count += int(numpy.argmax([m @ all_[s, k] / numpy.linalg.norm(m) for m in means])) == s
    return count


def main():
    work, path = sys.argv[1:3]
    x = numpy.stack([spectrum(voice(s, k)) for s in range(SPEAKERS) for k in range(THINGS)])
    numpy.save(work + "/voices.npy", x)
    full = net(path, x)
    print(f"PyTorch: {right(full)} of {len(x)} right")
    for name, flags in [
        ("float32", []), ("int8", ["--precision", "int8"]),
        ("int8 but for the first layer", ["--precision", "int8", "--keep", "lstm.l0"]),
        ("int8 of all but the LSTM", ["--precision", "int8", "--keep", "lstm"]),
        ("bfloat16", ["--precision", "bfloat16"]),
    ]:
        out = work + "/vectors.npz"
        subprocess.run([work + "/unroll", "run", path, work + "/voices.npy", "--prefix", "model_state/", "--batch-first",
                        "--chain", CHAIN, "--output", out] + flags, check=True, stdout=subprocess.DEVNULL)
        y = next(iter(numpy.load(out).values()))
        cos = 1 - (y * full).sum(1)
        print(f"{name}: largest error {abs(y - full).max():.2g}, mean {abs(y - full).mean():.2g}; "
              f"1 - cosine at most {cos.max():.2g}; similarities move by at most {abs(y @ y.T - full @ full.T).max():.2g}; "
              f"{right(y)} of {len(x)} right")


main()
