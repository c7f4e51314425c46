#!/usr/bin/env bash
# Makes the pages of the gallery: docs/gallery/make.sh FOLDER
# It builds unroll of these sources, trains two small models (3 s) and writes one
# HTML file a page, each below 8 MB. The same sources give the same bytes.
# SILERO_VAD=silero_vad_16k_sequence.onnx adds the page of a model that is not part of
# this project (docs/gallery.md says where it is) on sentence.wav.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
silero=${SILERO_VAD:+$(realpath "$SILERO_VAD")}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/unroll" ./cmd/unroll
unroll() { "$work/unroll" "$@" 2>"$work/log" >"$work/out" || { cat "$work/log"; return 1; }; }

# Sentences in which the word after tells what a word is: "the can fell", "they can fly".
tagged() {
  local noun verb
  for noun in can run light watch fly; do
    for verb in fell broke shone stopped; do
      printf 'the D\n%s N\n%s V\n\na D\nnew A\n%s N\n%s V\n\n' "$noun" "$verb" "$noun" "$verb"
    done
    for verb in we they you birds; do
      printf '%s P\n%s V\n\n%s P\n%s V\nthe D\n%s N\n\n%s P\ncan M\n%s V\n\n' "$verb" "$noun" "$verb" "$noun" "$noun" "$verb" "$noun"
    done
    printf 'light A\n%s N\nfell V\n\nlight V\nthe D\n%s N\n\nwatch V\nthe D\n%s N\n\nwatch N\nstopped V\n\n' "$noun" "$noun" "$noun"
  done
}

unroll explain --html "$out/example.html"
unroll explain examples/bach examples/bach/chorale.safetensors --limit 64 --html "$out/bach.html"
unroll train examples/names/data --task classify -o "$work/names" \
  --hidden 64 --embedding 32 --batch 64 --epochs 3 --lr 4e-3 --test 0.2 --seed 1
unroll explain "$work/names" --text Papadopoulos --html "$out/names.html"
tagged >"$work/words.conll"
unroll train "$work/words.conll" --task tag -o "$work/tagger" --bidirectional \
  --hidden 16 --embedding 8 --batch 8 --epochs 12 --lr 2e-2 --seed 1
unroll explain "$work/tagger" --text "light the new light" --html "$out/tagger.html"

pages=(example bach names tagger)
if [ -n "$silero" ]; then
  go run ./examples/vad -frames "$work/frames.npy" docs/gallery/sentence.wav
  unroll explain "$silero" --input input="$work/frames.npy" --html "$out/silero.html"
  pages+=(silero)
fi

for page in "${pages[@]}"; do
  size=$(wc -c <"$out/$page.html")
  echo "$page.html $size bytes"
  [ "$size" -lt 8000000 ] || { echo "$page.html is larger than 8 MB"; exit 1; }
done
