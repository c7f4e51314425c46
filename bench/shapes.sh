#!/usr/bin/env bash
# Measures shapes beside each other and prints them as a Markdown table of
# GFLOP/s, one worker: bench/shapes.sh [steps [runs]]   (needs Go only)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
steps=${1:-50} runs=${2:-3}
sizes=(7 16 33 64 100 128 200 256 513)
batches=(1 2 3 8 100)
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/unroll" ./cmd/unroll

echo "T=$steps, I=H, one layer, one worker: GFLOP/s"
for mode in RNN_TANH GRU LSTM LSTM/2; do
  echo
  printf '| %s H |' "$mode"
  printf ' B=%s |' "${batches[@]}"
  printf '\n|---%s\n' "$(printf '|---%.0s' "${batches[@]}")|"
  for h in "${sizes[@]}"; do
    printf '| %s |' "$h"
    for b in "${batches[@]}"; do
      proj=()
      [ "${mode#*/}" = "$mode" ] || proj=(--proj-size $((h / 2)))
      "$bin/unroll" bench --mode "${mode%/*}" "${proj[@]}" --input-size "$h" --hidden-size "$h" --steps "$steps" \
        --batch "$b" --workers 1 --runs "$runs" --json | sed -E 's/.*"gflops":([0-9.]+).*/\1/' | LC_ALL=C xargs printf ' %.1f |'
    done
    echo
  done
done
