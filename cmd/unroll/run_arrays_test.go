package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/tensor"
)

// One input in every format of arrays, as a file and as standard input, gives
// the same output, and that output is the same in every format.
func TestRunReadsAndWritesEveryFormatOfArrays(t *testing.T) {
	dir := t.TempDir()
	x := tensor.DenseOf[float32]{Shape: []int{4, 3}, Data: []float32{.1, -.2, .3, 1, 2, -3, 0, .5, 1e-3, -7, .25, 4}}
	var want tensor.Dense
	for i, f := range array.Formats {
		in := filepath.Join(dir, "in."+string(f))
		if err := array.WriteFile(in, checkpoint.Set{checkpoint.Of(checkpoint.Single, x)}, array.Options{}); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, "out."+string(f))
		command(t, 0, "run", "--input-size", "3", "--hidden-size", "4", "--num-layers", "1", in, "--output", out)
		b, err := os.ReadFile(in)
		if err != nil {
			t.Fatal(err)
		}
		stdout, _ := commandWith(t, 0, string(b), "run", "--input-size", "3", "--hidden-size", "4", "--num-layers", "1", "-")
		direct, _ := command(t, 0, "run", "--input-size", "3", "--hidden-size", "4", "--num-layers", "1", in)
		if stdout != direct {
			t.Errorf("%s from standard input gives another output", f)
		}
		src, err := array.Open(out, array.Options{})
		if err != nil {
			t.Fatal(err)
		}
		name, err := array.Pick(src, "output")
		if err != nil {
			t.Fatal(err)
		}
		got, err := checkpoint.Float[float32](src, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
		if i == 0 {
			want = got
		}
		testkit.BitsDense(t, string(f), got, want)
		if hn := strings.TrimSuffix(out, "."+string(f)) + ".h_n." + string(f); f != array.NPZ {
			if _, err := os.Stat(hn); err != nil {
				t.Errorf("%s: h_n is not there: %v", f, err)
			}
		}
	}
}
