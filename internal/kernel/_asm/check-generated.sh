#!/bin/sh
# Regenerates the assembler files of package kernel in a temporary place and
# fails if the committed ones differ.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go run . -out "$tmp"
status=0
for f in ../*_amd64.s ../*_arm64.s; do
	[ -e "$tmp/$(basename "$f")" ] || { echo "$f has no generator"; status=1; }
done
for f in "$tmp"/*.s; do
	diff -u "../$(basename "$f")" "$f" || status=1
done
[ $status = 0 ] || echo "run 'go generate ./internal/kernel' and commit the result" >&2
exit $status
