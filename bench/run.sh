#!/usr/bin/env bash
# Builds the peer programs and measures them: bench/run.sh [workload...|cold|limits]
# or only builds them and makes their data:   bench/run.sh build
# Settings (environment): see README.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=${BENCH_WORK:-${TMPDIR:-/tmp}/unroll-bench}
bin=$work/bin data=$work/data
mkdir -p "$bin" "$data"

# A Python that has torch and onnx.
py=${BENCH_PYTHON:-}
if [ -z "$py" ]; then
  for p in $(type -ap python3) /usr/bin/python3; do
    if "$p" -c 'import torch, onnx' 2>/dev/null; then py=$p; break; fi
  done
fi
[ -n "$py" ] || { echo "no python3 with torch and onnx; set BENCH_PYTHON" >&2; exit 1; }

# The ONNX Runtime library.
if [ -z "${ORT_LIB:-}" ]; then
  shopt -s nullglob
  for f in "$work"/ort/node_modules/onnxruntime-node/bin/napi-v*/linux/x64/libonnxruntime.so* \
           /usr/local/lib/libonnxruntime.so* /usr/lib/*/libonnxruntime.so*; do
    ORT_LIB=$(readlink -f "$f"); break
  done
  shopt -u nullglob
fi
if [ -n "${ORT_LIB:-}" ]; then export ORT_LIB; else echo "no ONNX Runtime library: set ORT_LIB (peer left out)" >&2; fi

# An OpenMP build of OpenBLAS, for a torch whose two thread pools do not fight.
if [ -z "${BENCH_OMP_BLAS:-}" ]; then
  for d in "$work"/openblas-openmp/usr/lib/*/openblas-openmp; do
    [ -e "$d/libblas.so.3" ] && export BENCH_OMP_BLAS=$d
  done
fi

if [ -z "${BENCH_NO_BUILD:-}" ]; then
  gcc -O2 -mavx512f -mavx512vl -mamx-tile -mamx-bf16 -o "$bin/limits" "$here/c/limits.c" -lopenblas -lpthread ||
    echo "limits: not built" >&2
  g++ -O2 -fopenmp -o "$bin/onednn_worker" "$here/c/onednn_worker.cc" -ldnnl || echo "oneDNN peer: not built" >&2
  for p in unroll gonum gomlx spago ort; do
    (cd "$here/go" && go build -o "$bin/${p}_worker" "./cmd/${p}_worker") || echo "$p peer: not built" >&2
  done
  PYTHONPATH=$here/py PYTHONDONTWRITEBYTECODE=1 "$py" "$here/py/gen.py" "$data"
fi

if [ "${1:-}" = build ]; then
  echo "programs: $(cd "$bin" && echo *)" "data: $data"
  exit 0
fi

out=${BENCH_OUT:-$work/results.jsonl}
[ -n "${BENCH_APPEND:-}" ] || : >"$out"
PYTHONPATH=$here/py PYTHONDONTWRITEBYTECODE=1 exec "$py" "$here/py/bench.py" --data "$data" --bin "$bin" --out "$out" \
  --lock "${BENCH_LOCK-${TMPDIR:-/tmp}/bench.lock}" --peers "${BENCH_PEERS:-}" --threads "${BENCH_THREADS:-1,2}" "$@"
