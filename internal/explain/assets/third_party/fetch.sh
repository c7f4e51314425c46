#!/usr/bin/env bash
# Fetches the npm packages' released files again and compares them.
set -euo pipefail
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd "$tmp" && npm pack --silent temml@0.13.5 uplot@1.6.32 && for f in *.tgz; do mkdir "${f%.tgz}" && tar xzf "$f" -C "${f%.tgz}"; done)
cmp "$tmp"/temml-0.13.5/package/dist/temml.min.js temml.min.js
cmp "$tmp"/uplot-1.6.32/package/dist/uPlot.iife.min.js uPlot.iife.min.js
cmp "$tmp"/uplot-1.6.32/package/dist/uPlot.min.css uPlot.min.css
