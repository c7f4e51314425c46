# Writes one table in the forms that people's tools give it, and what it holds.
#     python3 forms.py FOLDER [ROWS]      every form that is here
#     python3 forms.py --few FOLDER       the files beside this one
# Made with pyarrow 26.0.1 and polars 2.1.0. forms.json holds each column's values as
# decimal text.
import datetime as dt, json, os, sys
from decimal import Decimal, getcontext
import pyarrow as pa, pyarrow.parquet as pq

getcontext().prec = 100
few = sys.argv[1] == "--few"
folder = sys.argv[2] if few else sys.argv[1]
n = 60 if few else int(sys.argv[2]) if len(sys.argv) > 2 else 1000
group = n * 2 // 5
R = range(n)
big = lambda i: (i * 2654435761) % 2**32  # scattered
day, second = dt.date(1969, 12, 1), dt.datetime(1999, 12, 31, 23, 59, 59, 123000)
moment = lambda i: second + dt.timedelta(hours=7 * i, microseconds=1000 * i)
micro = lambda i: (moment(i) - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
dec = lambda i, digits, scale: Decimal((-1) ** i * (big(i) * big(i + 1) * big(i + 2) * big(i + 3) % 10**digits)).scaleb(-scale)
columns = {  # name: type, values, what they are as numbers (None: themselves)
    "i8": (pa.int8(), [i % 256 - 128 for i in R], None), "i16": (pa.int16(), [big(i) % 65536 - 32768 for i in R], None),
    "i32": (pa.int32(), [big(i) - 2**31 for i in R], None), "i64": (pa.int64(), [(-1) ** i * big(i) * 2**20 for i in R], None),
    "u8": (pa.uint8(), [i % 256 for i in R], None), "u16": (pa.uint16(), [big(i) % 65536 for i in R], None),
    "u32": (pa.uint32(), [big(i) for i in R], None), "u64": (pa.uint64(), [2**64 - 2048 * (big(i) + 1) for i in R], None),
    "same": (pa.int64(), [7 for i in R], None), "f32": (pa.float32(), [big(i) % 4096 / 64 for i in R], None),
    "f64": (pa.float64(), [big(i) / 3 for i in R], None), "b": (pa.bool_(), [i % 3 == 0 for i in R], [int(i % 3 == 0) for i in R]),
    "d9": (pa.decimal128(9, 2), [dec(i, 9, 2) for i in R], None), "d18": (pa.decimal128(18, 4), [dec(i, 18, 4) for i in R], None),
    "d38": (pa.decimal128(38, 10), [dec(i, 38, 10) for i in R], None),
    "date": (pa.date32(), [day + dt.timedelta(days=i) for i in R], [i - 31 for i in R]),
    "ms": (pa.timestamp("ms"), [moment(i) for i in R], [micro(i) // 1000 for i in R]),
    "us": (pa.timestamp("us", "UTC"), [moment(i) for i in R], [micro(i) for i in R]),
    "ns": (pa.timestamp("ns"), [moment(i) for i in R], [micro(i) * 1000 for i in R]),
    "s": (pa.string(), ["" if i % 7 == 0 else f"key {i // 9} é" for i in R], None),
    "long": (pa.large_string(), ["x" * (i % 90) + str(i % 5) for i in R], None),
    "list": (pa.list_(pa.float32()), [[i, 1] for i in R], None), "record": (pa.struct({"a": pa.int32()}), [{"a": i} for i in R], None),
}
half = {"f16": (pa.float16(), [i / 8 - 3 for i in R], None)}  # not of polars
wide = {"d76": (pa.decimal256(76, 30), [dec(i, 38, 30).scaleb(30) + Decimal(i).scaleb(-30) for i in R], None)}
everything = columns | half | wide
table = lambda cols: pa.table({k: pa.array(v, t) for k, (t, v, _) in cols.items()})
text = lambda v: v if isinstance(v, str) else format(v, "f") if isinstance(v, Decimal) else repr(v)
json.dump({k: [text(x) for x in (as_ or v)] for k, (t, v, as_) in everything.items() if k not in ("list", "record")},
          open(os.path.join(folder, "forms.json"), "w"), indent=0, ensure_ascii=False)

ints, strings = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "same", "date", "ms", "us", "ns"], ["s", "long"]
encodings = {
    "plain": {}, "dict": {"use_dictionary": True},
    "delta": {"column_encoding": dict.fromkeys(ints, "DELTA_BINARY_PACKED") | {"s": "DELTA_LENGTH_BYTE_ARRAY", "long": "DELTA_BYTE_ARRAY", "d9": "DELTA_BYTE_ARRAY", "b": "RLE"}},
    "split": {"column_encoding": dict.fromkeys(ints + ["f32", "f64", "f16", "d9", "d38"], "BYTE_STREAM_SPLIT") | {"s": "DELTA_BYTE_ARRAY", "long": "DELTA_LENGTH_BYTE_ARRAY"}},
}
forms = [(c, v, e, {}) for c in ("none", "snappy", "gzip", "zstd", "lz4", "brotli") for v in ("1.0", "2.0") for e in encodings]
forms += [("zstd", "1.0", e, {"use_deprecated_int96_timestamps": True}) for e in ("plain", "dict")]
forms += [("zstd", "2.0", e, {"store_decimal_as_integer": True}) for e in ("plain", "dict")]
if few:
    forms = [("lz4", "1.0", "plain", {}), ("brotli", "2.0", "delta", {}), ("zstd", "2.0", "split", {}),
             ("zstd", "1.0", "dict", {"use_deprecated_int96_timestamps": True}), ("gzip", "1.0", "plain", {"store_decimal_as_integer": True})]
for codec, version, e, more in forms:
    name = "-".join(["pyarrow", codec, "v" + version[0], e] + list(more)) + ".parquet"
    pq.write_table(table(everything), os.path.join(folder, name), compression=codec, data_page_version=version, row_group_size=group, data_page_size=500, write_statistics=not few,
                   **({"use_dictionary": False} | encodings[e] | more))

import polars as pl
for codec in ("zstd",) if few else ("zstd", "lz4", "brotli", "snappy", "gzip", "uncompressed"):
    for size in [group] if few else [group, None]:
        pl.from_arrow(table(columns)).write_parquet(os.path.join(folder, f"polars-{codec}-{size}.parquet"), compression=codec, row_group_size=size, statistics=not few)
