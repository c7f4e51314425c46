#!/usr/bin/env bash
# Makes sentence.wav: a synthetic voice, so that nobody's recording is needed. Wants
# espeak-ng and sox (Debian has both). The bytes are those of espeak-ng 1.51.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
espeak-ng -v en-us -s 150 -w "$work/voice.wav" "The recurrent layer remembers."
sox -D "$work/voice.wav" -r 16000 -b 16 -c 1 sentence.wav pad 0.4 0.5
