#!/usr/bin/env bash
# The committed engine is what its sources give with the Go that built it.
set -euo pipefail
cd "$(dirname "$0")"
if [ "$(go env GOVERSION)" != "$(cat ../assets/engine.version)" ]; then
  echo "skipped: engine.wasm.gz was built with $(cat ../assets/engine.version), this is $(go env GOVERSION)"
  exit 0
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/third_party"
./build.sh "$tmp"
cmp <(gunzip -c "$tmp/engine.wasm.gz") <(gunzip -c ../assets/engine.wasm.gz) || {
  echo "internal/explain/assets/engine.wasm.gz is older than its sources; run internal/explain/wasm/build.sh"
  exit 1
}
