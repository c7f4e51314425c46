#!/usr/bin/env bash
# Takes the pictures of the documentation anew: docs/images/make.sh
# The page's are taken by its tests in a headless Chromium, the terminal's by
# tools/picture from the sessions beside this file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
EXPLAIN_SHOTS=$work go test ./internal/explain -count 1 \
  -run 'TestPageShowsTheEnginesNumbers|TestPageLesson|TestPageOnAPhone|TestPagePrints|TestPageOfAWholeModel'
for name in grid cell-light cell-dark lesson phone print whole; do
  cp "$work/$name.png" "docs/images/explain-$name.png"
done
for session in docs/images/*.session; do
  go run -C tools ./picture "../$session"
done
