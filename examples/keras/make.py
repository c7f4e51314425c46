"""Trains the forecaster of this example and saves it, with what Keras says of it.

    python make.py        # Keras 3, any backend

The series is made here: a daily wave on a weekly one, and noise, by the hour.
"""
import json

import keras
import numpy as np

keras.utils.set_random_seed(7)
hours = np.arange(24 * 7 * 8)
rng = np.random.default_rng(7)
series = (20 + 5 * np.sin(2 * np.pi * hours / 24) + 3 * np.sin(2 * np.pi * hours / 168)
          + rng.normal(0, 0.3, hours.size)).astype(np.float32)
lags = 24
x = np.stack([series[i:i + lags] for i in range(series.size - lags)])[..., None]
y = series[lags:]
model = keras.Sequential([
    keras.Input((lags, 1), name="load"),
    keras.layers.Rescaling(1 / 5, offset=-4),
    keras.layers.GRU(8, return_sequences=True),
    keras.layers.Bidirectional(keras.layers.LSTM(8)),
    keras.layers.Dense(16, activation="relu"),
    keras.layers.Dense(1),
    keras.layers.Rescaling(5, offset=20),
])
model.compile(keras.optimizers.Adam(0.01), "mse")
model.fit(x[:-200], y[:-200], epochs=20, batch_size=256, verbose=0)
model.save("load.keras")
last = series[-lags:]
ahead, window = [], last.copy()
for _ in range(24):
    ahead.append(float(model.predict(window[None, :, None], verbose=0)[0, 0]))
    window = np.append(window[1:], np.float32(ahead[-1]))
json.dump({"last": last.tolist(), "ahead": ahead}, open("expect.json", "w"))
print("mse of the held-out part", float(np.mean((model.predict(x[-200:], verbose=0)[:, 0] - y[-200:]) ** 2)))
