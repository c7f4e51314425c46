"""Writes the HDF5 files of this folder and, beside each, NAME.json: what h5py
reads from it. Made with h5py 3.16 (HDF5 2.0):

    python checkpoint/hdf5/testdata/make.py
"""

import hashlib
import json
import os

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
G = np.random.default_rng(7)

NAMES = {
    "f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16",
    "i1": "I8", "u8": "U64", "u4": "U32", "u2": "U16", "u1": "U8", "b1": "BOOL",
}


def text(v):
    return v.decode() if isinstance(v, bytes) else str(v)


def value(v, h5type=None):
    """What an array of h5py should be: its type, shape, and bytes or texts."""
    if isinstance(v, h5py.Empty):
        v = np.zeros([0], v.dtype)
    v = np.asarray(v)
    out = {"shape": list(v.shape)}
    if v.dtype.kind in "SUO":
        return out | {"type": "string", "strings": [text(x) for x in v.reshape(-1)]}
    name = NAMES.get(v.dtype.str[1:])
    if v.dtype.kind == "V" and h5type == "bfloat16":
        name = "BF16"
    if name is None:
        return out | {"type": ""}
    b = v.astype(v.dtype.newbyteorder("<")).tobytes()
    return out | {"type": name, "bytes": b.hex() if len(b) <= 64 else hashlib.sha256(b).hexdigest()}


def describe(path):
    out = {"datasets": {}, "attributes": {}, "children": {}}

    def visit(name, o):
        out["attributes"][name] = {k: value(o.attrs[k]) for k in o.attrs if not isinstance(o.attrs[k], h5py.Reference)}
        if isinstance(o, h5py.Dataset):
            out["datasets"][name] = value(o[()], o.attrs.get("dtype"))
        elif isinstance(o, h5py.Group):
            out["children"][name] = sorted(k for k in o if o.get(k, getlink=True, getclass=True) is h5py.HardLink)
            for k in out["children"][name]:
                visit(f"{name}/{k}" if name else k, o[k])

    with h5py.File(path, "r") as f:
        visit("", f)
    with open(path[:-3] + ".json", "w") as f:
        json.dump(out, f, indent=0, sort_keys=True)
        f.write("\n")


def types(f):
    for t in ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"]:
        for order in "<>":
            a = (G.standard_normal((2, 3)) * 50).astype(order + t) if t[0] != "u" else G.integers(0, 200, (2, 3)).astype(order + t)
            f[f"numbers/{'le' if order == '<' else 'be'}_{t}"] = a
            f.attrs[f"{order}{t}"] = a[0]
    f["bool"] = np.array([[True, False], [False, True]])
    f.attrs["bool"] = True
    f.create_dataset("enum", data=np.array([1, 2, 1], "i2"), dtype=h5py.enum_dtype({"RED": 1, "GREEN": 2, "BLUE": 42}, basetype="i2"))
    f["scalar"] = np.float32(3.5)
    f["empty"] = np.zeros((3, 0, 2), "f4")
    f["null"] = h5py.Empty("f4")
    f.attrs["null"] = h5py.Empty("S1")
    d = f.create_dataset("array_type", (2, 2), np.dtype((">i4", (3,))))
    d[...] = np.arange(12).reshape(2, 2, 3)
    f["compound"] = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    f["complex"] = np.array([1 + 2j], "c8")
    f["fixed"] = np.array([b"one", b"three", b""])
    f["variable"] = np.array(["eins", "zwölf", "", "x" * 300], dtype=h5py.string_dtype())
    f["utf8_fixed"] = np.array(["naïve".encode()], dtype=h5py.string_dtype("utf-8", 12))
    f["nothing_written"] = np.zeros(1, "f4")
    f.create_dataset("never_written", (4, 2), "f4", fillvalue=2.5)
    d = f.create_dataset("bfloat16", data=np.array([0x3F80, 0xC040, 0x7F80], "<u2").view("V2"))
    d.attrs["dtype"] = "bfloat16"
    d = compact(f)
    d.attrs["text"] = "ein Text"
    d.attrs["bytes"] = np.bytes_(b"fixed")
    d.attrs["list"] = ["a", "bc", ""]
    d.attrs["fixed_list"] = np.array([b"kernel:0", b"bias:0"])
    d.attrs["none"] = np.array([], "f8")
    d.attrs["reference"] = f["scalar"].ref
    f["named_type"] = np.dtype("f4")
    f.create_dataset("of_named_type", data=[1.0, 2.0], dtype=f["named_type"])


def compact(f):
    p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    p.set_layout(h5py.h5d.COMPACT)
    s = h5py.h5s.create_simple((5,))
    d = h5py.Dataset(h5py.h5d.create(f.id, b"compact", h5py.h5t.IEEE_F64LE, s, p))
    d[...] = np.arange(5.0)
    return d


def chunks(f):
    a = G.integers(0, 9, (7, 10)).astype("f4")
    f.create_dataset("plain", data=a, chunks=(3, 4))
    f.create_dataset("deflate", data=a, chunks=(3, 4), compression="gzip")
    f.create_dataset("all", data=a, chunks=(3, 4), compression="gzip", shuffle=True, fletcher32=True)
    f.create_dataset("shuffle", data=a, chunks=(7, 10), shuffle=True)
    f.create_dataset("fletcher", data=np.arange(15, dtype="u1"), chunks=(5,), fletcher32=True)
    f.create_dataset("lzf", data=np.tile(a, (3, 3)), chunks=(16, 16), compression="lzf")
    f.create_dataset("single", data=a, chunks=(7, 10))
    f.create_dataset("single_deflate", data=a, chunks=(7, 10), compression="gzip")
    f.create_dataset("big", data=a.astype(">f8"), chunks=(2, 10), compression="gzip", shuffle=True)
    f.create_dataset("grows", data=a, chunks=(2, 3), maxshape=(None, 10))
    f.create_dataset("grows_deflate", data=a, chunks=(2, 3), maxshape=(None, 10), compression="gzip")
    f.create_dataset("grows_second", data=a, chunks=(2, 3), maxshape=(8, None))
    f.create_dataset("grows_both", data=a, chunks=(2, 3), maxshape=(None, None))
    f.create_dataset("grows_both_deflate", data=a, chunks=(2, 3), maxshape=(None, None), compression="gzip")
    f.create_dataset("within", data=a, chunks=(2, 3), maxshape=(20, 30))
    f.create_dataset("cube", data=G.integers(0, 9, (3, 4, 5)).astype("i2"), chunks=(2, 2, 2))
    d = f.create_dataset("holes", (20, 6), "i4", chunks=(4, 3), fillvalue=-7, compression="gzip")
    d[5, 2] = 1
    d[18, 5] = 2
    d = f.create_dataset("untouched", (20, 6), "i4", chunks=(4, 3), fillvalue=-7)
    d = f.create_dataset("shrunk", data=a, chunks=(2, 3), maxshape=(None, None))
    d.resize((4, 5))
    f.create_dataset("text", data=np.array([b"ab", b"cde", b"f"]), chunks=(2,))
    p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    p.set_chunk((3, 4))
    p.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    d = h5py.Dataset(h5py.h5d.create(f.id, b"early", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((7, 10)), p))
    d[...] = a


def many(f):
    """Indexes of several levels and pages: chunks of one number, mostly holes."""
    d = f.create_dataset("pages", (3000,), "i2", chunks=(1,))
    d[3] = 3
    d[2500] = 4
    d = f.create_dataset("grows", (70000,), "i1", chunks=(1,), maxshape=(None,))
    for i in [0, 3, 5, 30, 200, 1500, 40000, 69999]:
        d[i] = i % 100 + 1
    d = f.create_dataset("both", (60, 40), "i1", chunks=(1, 1), maxshape=(None, None))
    d[:, 7] = np.arange(60)


def groups(f):
    for i in range(150):
        f[f"many/{i}"] = np.int8(i % 100)
    g = f.create_group("ordered", track_order=True)
    for n in ["z", "a", "m"]:
        g[n] = np.int8(len(n))
    g = f.create_group("ordered_many", track_order=True)
    for i in range(20):
        g[f"k{19 - i:02}"] = np.int8(i)
    for i in range(30):
        f["many"].attrs[f"attribute {i}"] = np.full(i, i, "i4")
    f["many"].attrs["large"] = np.arange(1500, dtype="i4")
    f["deep/er/and/deeper"] = np.float64(1)
    f["soft"] = h5py.SoftLink("/deep/er")
    f["outside"] = h5py.ExternalLink("other.h5", "/x")
    f["hard"] = f["deep/er/and/deeper"]
    f["grüße"] = np.int8(3)


def large(f):
    """Attributes beyond 64 KB, which only the newer kind of storage has."""
    f.create_dataset("x", data=[1, 2]).attrs["large"] = np.arange(66000) % 7 == 1


def make(name, fill, **settings):
    path = os.path.join(HERE, name + ".h5")
    with h5py.File(path, "w", **settings) as f:
        fill(f)
    describe(path)


for libver in ["earliest", "latest"]:
    for fill in [types, chunks, many, groups]:
        make(f"{fill.__name__}.{libver}", fill, libver=libver)
make("large.latest", large, libver="latest")
make("v108", groups, libver=("v108", "v108"))
make("userblock.earliest", chunks, libver="earliest", userblock_size=512)
make("userblock.latest", types, libver="latest", userblock_size=1024)
