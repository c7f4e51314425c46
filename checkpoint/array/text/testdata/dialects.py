"""Writes dialects.json: files as pandas writes them and the numbers pandas reads
from them, for TestPandasFilesReadAsPandasReadsThem.

    python dialects.py        # pandas 2 or later, in this folder
"""
import io
import json

import numpy as np
import pandas as pd

rng = np.random.default_rng(1)
x = np.round(rng.normal(scale=30, size=(6, 3)), 3)
wide = pd.DataFrame(x)
named = pd.DataFrame(x, columns=["load", "oil, raw", "temp"])
cases = []


def add(name, text, names=None, **read):
    d = pd.read_csv(io.StringIO(text), **read)
    cases.append({"name": name, "text": text, "names": names, "shape": list(d.shape), "data": d.to_numpy(float).ravel().tolist()})


add("to_csv(index=False): 0,1,2 are names", wide.to_csv(index=False), ["0", "1", "2"])
add("whole numbers below names that count", pd.DataFrame(np.arange(12).reshape(4, 3)).to_csv(index=False), ["0", "1", "2"])
add("to_csv with an index", wide.to_csv(), ["0", "1", "2"], index_col=0)
add("to_csv with an index, names", named.to_csv(), ["load", "oil, raw", "temp"], index_col=0)
add("to_csv with an index from 4 on", named.set_index(np.arange(4, 10)).to_csv(sep=";"), ["load", "oil, raw", "temp"], sep=";", index_col=0)
add("names", named.to_csv(index=False), ["load", "oil, raw", "temp"])
for sep in ";\t|":
    add(f"names, {sep!r}", named.to_csv(index=False, sep=sep), ["load", "oil, raw", "temp"], sep=sep)
    add(f"numbers, {sep!r}", wide.to_csv(index=False, header=False, sep=sep), sep=sep, header=None)
    add(f"decimal comma, {sep!r}", named.to_csv(index=False, sep=sep, decimal=","), ["load", "oil, raw", "temp"], sep=sep, decimal=",")
    add(f"decimal comma without names, {sep!r}", wide.to_csv(index=False, header=False, sep=sep, decimal=","), sep=sep, decimal=",", header=None)
add("decimal comma between commas", named.to_csv(index=False, decimal=","), ["load", "oil, raw", "temp"], decimal=",")
add("a comment", "# exported, 2024; by\thand\n#\n" + named.to_csv(index=False), ["load", "oil, raw", "temp"], comment="#")
add("a comment before numbers", "# a;b;c\n" + wide.to_csv(index=False, header=False), header=None, comment="#")
add("years are no names", "2019.5,2020,2021\n" + wide.to_csv(index=False, header=False), header=None)
add("sep=; above names", "sep=;\r\n" + named.to_csv(index=False, sep=";", decimal=","), ["load", "oil, raw", "temp"], sep=";", decimal=",", skiprows=1)
add("sep=, in quotes above numbers", '"sep=,"\n' + wide.to_csv(index=False, header=False), skiprows=1, header=None)
add("carriage returns alone", named.to_csv(index=False, lineterminator="\r"), ["load", "oil, raw", "temp"], lineterminator="\r")
json.dump(cases, open("dialects.json", "w"), indent=1)
