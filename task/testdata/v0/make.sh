#!/bin/sh
# Writes the model folders of this directory, and beside each what the command
# answered, with an unroll of commit 8e7336a, the last one before package task:
#     sh make.sh /path/to/unroll
# The tests of package task and of the command hold today's against them.
set -e
U=${1:?path of an unroll of commit 8e7336a}
python3 - <<'PY'
import math, random
r = random.Random(1)
open("names.csv", "w").write("text,label\n" + "".join(f"{w}{i % 7},{l}\n" for i in range(20) for w, l in [("ana", "x"), ("bob", "y")]))
open("steps.jsonl", "w").write("".join('{"v":[%s],"label":"%s"}\n' % (",".join(str(b + r.randint(0, 3)) for _ in range(2 + i % 3)), l) for i in range(15) for b, l in [(1, "low"), (6, "high")]))
open("tags.conll", "w").write("".join(f"{d} D\n{n} N\n\n" for d in ["the", "a", "this"] for n in ["cat", "dog", "bird", "cow", "pig"]))
open("rolls.json", "w").write('{"dim":60,"train":[[[1,2],[3],[1,2]],[[0],[1]],[[2],[3],[],[59]]],"valid":[[[1],[2]]],"test":[[[1],[2],[3]]]}\n')
open("poem.txt", "w").write("to be, or not to be: that is the question.\n" * 30)
rows = [(f"2024-01-{1 + i // 24:02d} {i % 24:02d}:00", 10 + 3 * math.sin(i / 4), 1230000 + 50 * math.cos(i / 4)) for i in range(120)]
open("hours.csv", "w").write("when,a,b\n" + "".join(f"{t},{a:.3f},{b:.2f}\n" for t, a, b in rows))
PY
small="--hidden 6 --embedding 4 --batch 4 --lr 2e-2 --epochs 3 --valid .2 --test .2"
$U train names.csv --task classify -o classify $small --seed 5
$U train steps.jsonl --task classify --level number --text-column v -o number $small
$U train tags.conll --task tag -o tag $small --bidirectional
$U train rolls.json --task music -o music $small
$U train poem.txt --task text -o text $small --window 20 --level word
$U train hours.csv --task forecast -o forecast $small --lags 12 --horizon 3 --season 24 --target b --target a --base season --loss huber
for m in classify number tag music text forecast; do rm $m/checkpoint.safetensors; done
# A run that was stopped after two of its three epochs.
$U train names.csv --task classify -o stopped $small --seed 5 --epochs 2
rm stopped/README.md
$U predict classify --json 'ana3' > classify.json
$U predict number --json '7 8 7' > number.json
$U predict tag --json 'the cat sat' > tag.json
$U predict music rolls.json -o music.mid --length 20
$U predict text --prompt 'to be' --length 30 > text.txt
$U predict forecast --json hours.csv > forecast.json
for m in classify:names.csv number:steps.jsonl tag:tags.conll music:rolls.json text:poem.txt forecast:hours.csv; do
	$U eval ${m%%:*} ${m##*:} > ${m%%:*}.eval
done
