#!/bin/sh
# Predicts with llvm-mca (LLVM 19) how many cycles the inner loops of the products
# on arm64 take, beside the least that their fused multiply-adds allow: a prediction
# of a model of the processor, not a measurement.
#
#	sh mca.sh [file...]
set -eu
cd "$(dirname "$0")"
mca=$(command -v llvm-mca-19 || command -v llvm-mca) || { echo "llvm-mca is needed (Debian: llvm-19)" >&2; exit 1; }
[ $# -gt 0 ] || set -- ../mul_arm64.s
tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
printf '%-22s %6s %28s %28s\n' loop fmla 'neoverse-n1 cycles (ratio)' 'neoverse-v2 cycles (ratio)'
for file in "$@"; do
	# A loop is what stands from a label k... to the branch back to it.
	awk '/^TEXT /{split($2,a,"<"); name=a[1]} /^k[0-9]*:/{sub(":","",$1); loop=$1; next} loop!=""{sub(/.*\/\/ /,""); if ($0 ~ /^b\./) {loop=""} else print name "." loop "\t" $0}' "$file" >"$tmp"
	for loop in $(cut -f1 "$tmp" | uniq); do
		code=$(awk -F'\t' -v l="$loop" '$1==l{print $2}' "$tmp")
		fmla=$(printf '%s\n' "$code" | grep -cE '^(fmla|sdot) ')
		line=$(printf '%-22s %6d' "$loop" "$fmla")
		for cpu in neoverse-n1:2 neoverse-v2:4; do # multiply-adds a cycle
			cycles=$(printf '%s\n' "$code" | "$mca" -mtriple=aarch64 -mcpu="${cpu%:*}" -iterations=1000 2>/dev/null | awk '/Total Cycles/{print $3/1000}')
			line="$line $(awk -v c="$cycles" -v f="$fmla" -v p="${cpu#*:}" 'BEGIN{printf "%18.2f (%.2f)   ", c, c*p/f}')"
		done
		printf '%s\n' "$line"
	done
done
