"""Writes golden.json: what pandas, scikit-learn, PyTorch and NumPy make of the
same data, for golden_test.go.

    python golden.py        # in this folder
"""
import io
import json

import numpy as np
import pandas as pd
import torch
from sklearn.preprocessing import StandardScaler

out = {}

# The times that follow a series: pandas.date_range of one frequency.
futures = []
ISO, DAY, MIN = "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y-%m-%d %H:%M"
for freq, start, fmt, n in [
    ("MS", "2022-11-01", DAY, 14), ("ME", "2023-11-30", DAY, 14), ("ME", "2022-12-31 06:00", MIN, 14), ("QS", "2021-01-01", DAY, 9),
    ("QE", "2021-03-31", DAY, 9), ("YS", "2010-01-01", DAY, 9), ("YE", "2011-12-31", DAY, 9), ("YS", "1996-01-01", "%Y", 9), ("D", "2024-02-20", "%Y%m%d", 9), ("ME", "2022-11-30", "%Y%m%d", 14), ("YE-FEB", "2017-02-28", DAY, 3), ("2MS", "2020-01-01", DAY, 9), ("MS", "2022-11-01", "%Y-%m", 14),
    ("B", "2024-02-05", DAY, 14), ("B", "2024-02-05", "%d.%m.%Y", 14), ("D", "2024-02-20", DAY, 9), ("W-MON", "2024-01-01", DAY, 9), ("W-SUN", "2024-01-07", DAY, 9),
    ("h", "2024-02-28 20:00", ISO, 26), ("30min", "2024-12-31 20:00", MIN, 9), ("15min", "2024-12-31 20:00", "%Y-%m-%dT%H:%M", 18), ("90s", "2024-12-31 23:50", ISO, 9),
    ("D", "2024-02-20", "%Y/%m/%d", 9), ("D", "2024-02-20", "%m/%d/%Y", 9), ("h", "2024-02-28 20:00", "%m/%d/%Y %I:%M %p", 30), ("h", "2024-02-28 20:00", "%d/%m/%Y %H:%M", 30),
    ("h", "2024-02-28 20:00", "%Y-%m-%dT%H:%M:%SZ", 9), ("h", "2024-02-28 20:00", "%Y-%m-%d %H:%M:%S+00:00", 9), ("h", "2024-02-28 20:00", "%Y-%m-%dT%H:%M:%S.000+0530", 9),
]:
    t = pd.date_range(start, periods=n + 5, freq=freq).strftime(fmt).tolist()
    futures.append({"name": f"{freq} {fmt}", "times": t[:n], "next": t[n:]})
out["futures"] = futures

# A forecaster's parts: scaling of the training rows alone, calendar, windows.
n, lags, horizon, season, va, te = 60, 5, 3, 4, 36, 50
g = np.random.default_rng(3)
frame = pd.DataFrame({"date": pd.date_range("2024-02-27 22:20", periods=n, freq="50min"), "a": np.round(g.normal(10, 3, n) + np.arange(n), 3), "b": np.round(g.normal(-2, 40, n), 2)})
x = frame[["a", "b"]].to_numpy()
scaler = StandardScaler().fit(x[:va])
z = scaler.transform(x)
d = frame["date"].dt
day, week = 2 * np.pi * (d.hour + d.minute / 60) / 24, 2 * np.pi * ((d.day_of_week + 1) % 7) / 7
features = np.column_stack([z, np.sin(day), np.cos(day), np.sin(week), np.cos(week)])
parts = {}
for name, first, end in [("train", max(lags, season), va), ("valid", va, te), ("test", te, n)]:
    at = range(first, end - horizon + 1)
    parts[name] = {
        "x": [features[i - lags:i].ravel().tolist() for i in at],
        "y": [z[i:i + horizon].ravel().tolist() for i in at],
        "season": [np.stack([z[i + h] - z[i - season + h % season] for h in range(horizon)]).ravel().tolist() for i in at],
    }
text = io.StringIO()
frame.to_csv(text, index=False)
out["forecast"] = {"csv": text.getvalue(), "lags": lags, "horizon": horizon, "season": season, "valid": te - va, "test": n - te, "mean": scaler.mean_.tolist(), "std": scaler.scale_.tolist(), "parts": parts}

# Parts drawn with torch.randperm, the test part first, then validation; numbers
# scaled over the steps of the training part.
items = [[[float(v) for v in np.round(g.normal(5 * (i % 2), 2, 2), 3)] for _ in range(1 + i % 4)] for i in range(25)]
draws = []
for seed in range(1, 7):
    p = torch.randperm(25, generator=torch.Generator().manual_seed(seed)).tolist()
    test, valid, train = p[:5], p[5:8], p[8:]
    if any(len({i % 2 for i in part}) < 2 for part in (test, valid, train)):
        continue  # the draw is repaired where a class is missing in a part
    s = StandardScaler().fit(np.concatenate([items[i] for i in train]))
    draws.append({"seed": seed, "train": train, "valid": valid, "test": test, "mean": s.mean_.tolist(), "std": s.scale_.tolist(), "scaled": [s.transform(np.array(i)).ravel().tolist() for i in items]})
out["classify"] = {"items": items, "valid": 0.15, "test": 0.2, "draws": draws}
json.dump(out, open("golden.json", "w"), indent=None, separators=(",", ":"))
