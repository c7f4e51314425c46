# Writes the .npy and .npz files beside it with numpy, and expect.json with
# what a reader must find. Run: python3 make.py (made with numpy 2.4.6)
import json, io
import numpy as np
from numpy.lib import format as f

expect = {}

def put(name, a, version=None):
    with open(name, "wb") as w:
        f.write_array(w, a, version=version)
    expect[name] = {"array": describe(a)}

def describe(a):
    return {"type": a.dtype.newbyteorder("<").str[1:], "shape": list(a.shape),
            "data": [float(x) for x in np.ascontiguousarray(a).reshape(-1)]}

ramp = np.arange(24).reshape(2, 3, 4)
for order in "<>":
    for t in "f8 f4 f2 i8 i4 i2 u8 u4 u2".split():
        put(f"{'le' if order == '<' else 'be'}-{t}.npy", (ramp * 3 - (20 if t[0] != "u" else 0)).astype(order + t))
put("i1.npy", (ramp - 9).astype("i1"))
put("u1.npy", (ramp * 10).astype("u1"))
put("bool.npy", ramp % 3 == 0)
put("fortran-f4.npy", np.asfortranarray(ramp.astype("<f4") / 4))
put("fortran-be-f8.npy", np.asfortranarray(ramp.astype(">f8") / 4))
put("fortran-matrix.npy", np.asfortranarray(np.arange(6, dtype="<f8").reshape(2, 3)))
put("scalar.npy", np.array(2.5))
put("vector.npy", np.array([1.5, -2], "<f4"))
put("empty.npy", np.zeros((0, 3), "<f4"))
put("version2.npy", np.array([[1.5]], "<f4"), (2, 0))
put("version3.npy", np.array([[1.5]], "<f4"), (3, 0))

arrays = {"input": ramp.astype("<f4") / 8, "lengths": np.array([3, 1]), "odd/name π": np.asfortranarray(np.eye(3))}
for name, save in (("stored.npz", np.savez), ("deflated.npz", np.savez_compressed)):
    save(name, **arrays)
    expect[name] = {k: describe(v) for k, v in arrays.items()}

f.write_array(open("refused-structured.npy", "wb"), np.zeros(2, [("a", "<f4"), ("b", "<i2")]))
f.write_array(open("refused-complex.npy", "wb"), np.zeros(2, "<c8"))
f.write_array(open("refused-string.npy", "wb"), np.array(["ab", "c"]))
f.write_array(open("refused-object.npy", "wb"), np.array([{}, None], dtype=object))
json.dump(expect, open("expect.json", "w"), indent=0, sort_keys=True)
