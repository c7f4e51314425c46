#!/usr/bin/env bash
# Prints PyTorch's time over ours on a grid of small shapes, forward and a training
# step:   bench/grid.sh [--modes LSTM,GRU] [--threads 1] [--inputs 1] [--help]
# Needs Go and a Python with torch (BENCH_PYTHON).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
(cd "$here/go" && go build -o "$bin/grid_worker" ./cmd/grid_worker)
PYTHONDONTWRITEBYTECODE=1 "${BENCH_PYTHON:-python3}" "$here/py/grid.py" --worker "$bin/grid_worker" "$@"
