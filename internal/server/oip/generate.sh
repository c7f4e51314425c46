#!/usr/bin/env bash
# Writes the Go code of open_inference.proto into a folder, by default this one.
# PROTOC is a protoc; without it the one of Python's grpcio-tools is tried:
# python3 -m venv v && v/bin/pip install grpcio-tools==1.81.1, PROTOC_PYTHON=v/bin/python.
set -euo pipefail
cd "$(dirname "$0")"
out=$(realpath "${1:-.}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go build -o "$tmp/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
GOBIN=$tmp go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
protoc=(${PROTOC:-"${PROTOC_PYTHON:-python3}" -m grpc_tools.protoc})
PATH="$tmp:$PATH" "${protoc[@]}" -I . --go_out="$tmp" --go_opt=paths=source_relative \
  --go-grpc_out="$tmp" --go-grpc_opt=paths=source_relative open_inference.proto
sed -i -E '/^\/\/ [-\t ]*protoc[\t ]/d' "$tmp"/open_inference*.go # whose protoc it was
mv "$tmp"/open_inference*.go "$out/"
