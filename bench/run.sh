#!/usr/bin/env bash
# Builds the peers and measures them: bench/run.sh [--repeats 7] [workload...|cold|limits]
# or only builds them and makes their data: bench/run.sh build
# Settings (environment) and options: README.md, bench/run.sh --help.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
find_python && find_ort
[ -n "${BENCH_NO_BUILD:-}" ] || build_all

if [ "${1:-}" = build ]; then
  build_grid
  echo "programs: $(cd "$bin" && echo *)" "data: $data"
  exit 0
fi

out=${BENCH_OUT:-$work/results.jsonl}
mkdir -p "$(dirname "$out")"
[ -n "${BENCH_APPEND:-}" ] || : >"$out"
PYTHONPATH=$here/py PYTHONDONTWRITEBYTECODE=1 exec "$py" "$here/py/bench.py" --data "$data" --bin "$bin" --out "$out" \
  --lock "${BENCH_LOCK-${TMPDIR:-/tmp}/bench.lock}" --peers "${BENCH_PEERS:-}" --threads "${BENCH_THREADS:-1,2}" "$@"
