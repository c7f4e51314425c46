#!/usr/bin/env bash
# Fails if the code here is not what generate.sh makes of the proto. Needs a protoc
# (see generate.sh); says so where there is none.
set -euo pipefail
cd "$(dirname "$0")"
if [ -z "${PROTOC:-}" ] && ! "${PROTOC_PYTHON:-python3}" -c 'import grpc_tools' 2>/dev/null; then
  echo "not compared: there is no protoc (PROTOC names one, PROTOC_PYTHON a Python with grpcio-tools)"
  exit 0
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bash generate.sh "$tmp"
for f in open_inference.pb.go open_inference_grpc.pb.go; do
  diff -u "$f" "$tmp/$f"
done
