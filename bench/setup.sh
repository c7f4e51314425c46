#!/usr/bin/env bash
# Fetches the peers into $BENCH_WORK: a Python environment and oneDNN's library.
#   bench/setup.sh            oneDNN of the PyPI wheels
#   bench/setup.sh SOURCE     oneDNN built from a checkout of its source (10 minutes)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
wheels=2023.2.0 # the last with OpenMP, as PyTorch's and the source's default: oneDNN 3.2

if [ -z "${BENCH_PYTHON:-}" ] && [ ! -x "$work/venv/bin/python" ]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet -r "$here/requirements.txt"
fi

if [ $# -gt 0 ]; then
  cmake -S "$1" -B "$work/onednn-build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$work/onednn" \
    -DCMAKE_INSTALL_LIBDIR=lib -DONEDNN_CPU_RUNTIME=OMP -DONEDNN_GPU_RUNTIME=NONE -DONEDNN_BUILD_GRAPH=OFF \
    -DONEDNN_BUILD_TESTS=OFF -DONEDNN_BUILD_EXAMPLES=OFF -DONEDNN_BUILD_DOC=OFF -DONEDNN_ENABLE_PRIMITIVE="RNN;REORDER"
  cmake --build "$work/onednn-build" -j "$(nproc)"
  cmake --install "$work/onednn-build"
elif [ ! -d "$work/onednn/lib" ]; then
  dir=$(mktemp -d)
  trap 'rm -rf "$dir"' EXIT
  python3 -m pip download --quiet --no-deps -d "$dir" "onednn-cpu-gomp==$wheels" "onednn-devel-cpu-gomp==$wheels"
  for w in "$dir"/*.whl; do python3 -m zipfile -e "$w" "$dir/x"; done
  mkdir -p "$work/onednn"
  cp -r "$dir"/x/*.data/data/* "$work/onednn/"
fi
