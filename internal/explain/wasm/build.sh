#!/usr/bin/env bash
# Builds the page's engine, internal/explain/assets/engine.wasm.gz, and copies
# the loader that belongs to this version of Go. Same source, same Go, same
# bytes.
set -euo pipefail
cd "$(dirname "$0")"
out=$(realpath "${1:-../assets}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
GOOS=js GOARCH=wasm GOFLAGS= go build -trimpath -buildvcs=false -ldflags "-s -w -buildid=" -o "$tmp/engine.wasm" .
gzip -9 -n -c "$tmp/engine.wasm" > "$out/engine.wasm.gz"
cp "$(go env GOROOT)/lib/wasm/wasm_exec.js" "$out/third_party/wasm_exec.js"
go env GOVERSION > "$out/engine.version"
