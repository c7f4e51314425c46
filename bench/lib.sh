# Where things are, for run.sh and grid.sh: sets work, bin, py and ORT_LIB.
# here is the folder of this file.
work=${BENCH_WORK:-${TMPDIR:-/tmp}/unroll-bench}
bin=$work/bin data=$work/data
mkdir -p "$bin" "$data"

# A Python that has torch and onnx: that of setup.sh, or one that is installed.
find_python() {
  py=${BENCH_PYTHON:-}
  [ -n "$py" ] || for p in "$work/venv/bin/python" $(type -ap python3); do
    if [ -x "$p" ] && "$p" -c 'import torch, onnx' 2>/dev/null; then py=$p; break; fi
  done
  [ -n "$py" ] || { echo "no python3 with torch and onnx: run bench/setup.sh, or set BENCH_PYTHON" >&2; return 1; }
}

# ONNX Runtime's library, which its Python wheel has.
find_ort() {
  if [ -z "${ORT_LIB:-}" ]; then
    ORT_LIB=$("$py" -c 'import glob, os, importlib.util as u
d = u.find_spec("onnxruntime").submodule_search_locations[0]
print(*sorted(glob.glob(os.path.join(d, "capi", "libonnxruntime.so*")))[-1:])' 2>/dev/null || true)
  fi
  if [ -n "$ORT_LIB" ]; then export ORT_LIB; else echo "no ONNX Runtime library: set ORT_LIB (peer left out)" >&2; fi
}

# oneDNN: ONEDNN_ROOT, with include and lib, or what setup.sh laid down; the system's
# else, if it is version 3.
build_onednn() {
  local root=${ONEDNN_ROOT:-$work/onednn} flags=()
  [ -d "$root/lib" ] && flags=("-I$root/include" "-L$root/lib" "-Wl,-rpath,$root/lib")
  g++ -std=c++17 -O2 -fopenmp -o "$bin/onednn_worker" "$here/c/onednn_worker.cc" "${flags[@]}" -ldnnl ||
    echo "oneDNN peer: not built" >&2
}

build_go() {
  local p
  for p in "$@"; do
    (cd "$here/go" && go build -o "$bin/$p" "./cmd/$p") || echo "$p: not built" >&2
  done
}

build_rust() {
  if ! command -v cargo >/dev/null; then echo "no cargo: tract and candle left out" >&2; return; fi
  RUSTFLAGS="-C target-cpu=native" CARGO_TARGET_DIR=$work/rust \
    cargo build --quiet --release --locked --manifest-path "$here/rust/Cargo.toml" || { echo "tract, candle: not built" >&2; return; }
  cp "$work"/rust/release/{tract,candle}_worker "$bin/"
}

build_all() {
  gcc -O2 -mavx512f -mavx512vl -mamx-tile -mamx-bf16 -o "$bin/limits" "$here/c/limits.c" -lpthread || echo "limits: not built" >&2
  build_onednn
  build_go unroll_worker gonum_worker gomlx_worker spago_worker ort_worker
  build_rust
  PYTHONPATH=$here/py PYTHONDONTWRITEBYTECODE=1 "$py" "$here/py/gen.py" "$data"
}

build_grid() {
  build_go grid_worker ort_grid
  [ -x "$bin/onednn_worker" ] || build_onednn
}
