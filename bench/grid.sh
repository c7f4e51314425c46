#!/usr/bin/env bash
# Measures a grid of small shapes beside PyTorch, oneDNN and ONNX Runtime, forward and a
# training step:   bench/grid.sh [--modes LSTM,GRU] [--threads 1] [--inputs 1] [--help]
# Rows go to $BENCH_GRID; bench/tables.sh makes tables of them. Settings: README.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
find_python && find_ort
[ -n "${BENCH_NO_BUILD:-}" ] || build_grid
mkdir -p "$work/models" "$(dirname "${BENCH_GRID:-$work/grid.jsonl}")"
PYTHONPATH=$here/py PYTHONDONTWRITEBYTECODE=1 exec "$py" "$here/py/grid.py" --bin "$bin" --models "$work/models" \
  --out "${BENCH_GRID:-$work/grid.jsonl}" "$@"
