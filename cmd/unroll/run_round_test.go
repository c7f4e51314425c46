package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// TestNumbersOfTextAreRoundedOnce: 1 + 2^-24 + 2^-80 is nearest to 1 + 2^-23 of the
// float32, and to 1 + 2^-24 of the float64, of which the nearest float32 is 1. A run, a
// long run, and a stream of lines or of a file read the first.
func TestNumbersOfTextAreRoundedOnce(t *testing.T) {
	const number = "1.00000005960464477539062500000000000000000000000083"
	dir := t.TempDir()
	row := strings.TrimSuffix(strings.Repeat(number+",", 8), ",")
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	want := write("want.csv", strings.TrimSuffix(strings.Repeat("1.00000011920928955078125,", 8), ",")+"\n")
	short, long := row+"\n", strings.Repeat(row+"\n", max(longPart256, longRows)+1)
	given := []string{write("short.csv", short), write("long.csv", long), write("short.jsonl", inBrackets(short)), write("long.jsonl", inBrackets(long))}
	for name, args := range map[string][]string{
		"layer": longSizes, "layer, steps": append(longSizes[:len(longSizes):len(longSizes)], "--stream"),
		"model": {"run", rowModel(t)}, "model, steps": {"run", rowModel(t), "--stream"},
	} {
		first := func(file string) []float32 {
			got := filepath.Join(dir, "got.npy")
			command(t, 0, append(args[:len(args):len(args)], file, "--output", got)...)
			d := arrayOf(t, got, "output")
			return d.Data[:d.Shape[1]]
		}
		y := first(want)
		for _, file := range given {
			testkit.Bits(t, name+" "+filepath.Base(file), first(file), y)
		}
	}
}

// TestATableBesideIntegersIsRoundedOnce: an input of integers, which --set gives, does not
// let a table of float32 take the way by float64.
func TestATableBesideIntegersIsRoundedOnce(t *testing.T) {
	var b graph.Builder
	x, k := b.Input("x", graph.F32, graph.Dim{Size: 1}, graph.Dim{Size: 1}), b.Input("k", graph.I64)
	b.Output("y", graph.F32, b.Op("Mul", nil, x, b.Op("Cast", graph.Attrs{"to": int64(1)}, k)))
	dir := t.TempDir()
	model, table, got := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "x.csv"), filepath.Join(dir, "y.npy")
	f, err := os.Create(model)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := graph.WriteONNX(f, b.Graph()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(table, []byte("1.00000005960464477539062500000000000000000000000083\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, 0, "run", model, table, "--set", "k=1", "--output", got)
	testkit.Bits(t, "y", arrayOf(t, got, "y").Data, []float32{1.00000011920928955078125})
}

func inBrackets(rows string) string {
	return "[" + strings.ReplaceAll(strings.TrimSpace(rows), "\n", "]\n[") + "]\n"
}
