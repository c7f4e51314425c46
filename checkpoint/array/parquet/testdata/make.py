# Writes the files beside it. Run: python3 make.py (made with pyarrow 26.0.1)
import pyarrow as pa, pyarrow.parquet as pq
n = 300
t = pa.table({"f": pa.array([i / 8 for i in range(n)], pa.float32()), "d": pa.array([-i / 3 for i in range(n)], pa.float64()),
              "i": pa.array([i % 7 - 3 for i in range(n)], pa.int32()), "u": pa.array([2**64 - 2048 * (i + 1) for i in range(n)], pa.uint64()),
              "b": pa.array([i % 2 == 0 for i in range(n)], pa.bool_()), "s": pa.array([str(i) for i in range(n)]),
              "null": pa.array([None if i == 4 else i for i in range(n)], pa.float32())})
for c in ("none", "snappy", "gzip", "zstd"):
    for v in ("1.0", "2.0"):
        pq.write_table(t, f"{c}-v{v[0]}.parquet", compression=c, data_page_version=v, row_group_size=128)
