#!/usr/bin/env bash
# Writes the licences of the crates into licences.md: bench/rust/licences.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
text=$(cargo metadata --format-version 1 --locked --filter-platform x86_64-unknown-linux-gnu | python3 ../py/crates.py)
printf '%s\n' "$text" >licences.md
