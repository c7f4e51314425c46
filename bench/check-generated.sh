#!/usr/bin/env bash
# Fails if the tables of the pages are not those of the committed rows.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 0; }
env -u BENCH_OUT -u BENCH_GRID ./tables.sh --check
