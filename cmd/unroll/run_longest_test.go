package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// TestLongestIsPadPackedsLength: of lengths 2, 4, 3 in 7 steps the output has 4, as
// pad_packed_sequence gives them, with the numbers that it has otherwise.
func TestLongestIsPadPackedsLength(t *testing.T) {
	const steps, batch, long = 7, 3, 4
	for _, batchFirst := range []bool{false, true} {
		shape, flag := []int{steps, batch, 3}, "--time-first"
		if batchFirst {
			shape, flag = []int{batch, steps, 3}, "--batch-first"
		}
		x := tensor.New(shape...)
		rng.Randn(rng.New(3), x.Data)
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := safetensors.WriteFile(path, checkpoint.Set{checkpoint.Of("input", x), checkpoint.OfInts("lengths", []int64{2, long, 3}, batch)}, nil); err != nil {
			t.Fatal(err)
		}
		type result struct {
			Shape []int
			Data  []float32
		}
		run := func(more ...string) (r struct{ Output, H_n result }) {
			out, _ := command(t, 0, append([]string{"run", path, flag, "--input-size", "3", "--hidden-size", "2", "--json"}, more...)...)
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatal(err)
			}
			return r
		}
		whole, cut := run(), run("--longest")
		want := result{Shape: []int{long, batch, 2}, Data: whole.Output.Data[:long*batch*2]}
		if batchFirst {
			want = result{Shape: []int{batch, long, 2}}
			for b := range batch {
				want.Data = append(want.Data, whole.Output.Data[b*steps*2:(b*steps+long)*2]...)
			}
		}
		if !slices.Equal(cut.Output.Shape, want.Shape) || !slices.Equal(cut.Output.Data, want.Data) || fmt.Sprint(cut.H_n) != fmt.Sprint(whole.H_n) {
			t.Errorf("%s: %v, want %v", flag, cut, want)
		}
	}
	command(t, codeUsage, "run", "--longest")
}
