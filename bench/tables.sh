#!/usr/bin/env bash
# Writes the tables of README.md and docs/kernels.md from measured rows: bench/tables.sh
# With --check fails if they differ, with --print only prints them. Needs python3 alone.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
results=${BENCH_OUT:-$here/results/peers.jsonl} grid=${BENCH_GRID:-$here/results/grid.jsonl}
PYTHONPATH=$here/py PYTHONDONTWRITEBYTECODE=1 exec python3 "$here/py/tables.py" "$@" "$results" "$grid" \
  "$here/../README.md" "$here/../docs/kernels.md"
