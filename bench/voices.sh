#!/usr/bin/env bash
# What rounded weights cost resemblyzer's model of voices: bench/voices.sh pretrained.pt
# Needs a Python (BENCH_PYTHON) with torch and numpy.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=${BENCH_WORK:-${TMPDIR:-/tmp}/unroll-bench}/voices
mkdir -p "$work"
go build -C "$here/.." -o "$work/unroll" ./cmd/unroll
PYTHONDONTWRITEBYTECODE=1 exec "${BENCH_PYTHON:-python3}" "$here/py/voices.py" "$work" "$1"
