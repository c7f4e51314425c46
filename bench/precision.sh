#!/usr/bin/env bash
# Rounded weights beside those of PyTorch and ONNX Runtime, in one interleaved run with
# one thread: bench/precision.sh [repeats] [workload...]
# Needs a Python (BENCH_PYTHON) with torch, onnx, onnxruntime, numpy and safetensors.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=${BENCH_WORK:-${TMPDIR:-/tmp}/unroll-bench}/precision
mkdir -p "$work"
cd "$here/.."
go test -c -o "$work/unroll.test" .
go build -o "$work/unroll" ./cmd/unroll
PYTHONDONTWRITEBYTECODE=1 exec "${BENCH_PYTHON:-python3}" "$here/py/precision.py" "$work" "$@"
