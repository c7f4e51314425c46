package main

import (
	"bytes"
	"context"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/tensor"
)

// Every golden layer and cell goes through the command as a bare state dict
// and a file with input, hx, cx and lengths. Only what names and shapes cannot
// tell is said by flags.
func TestRunGivesPyTorchsNumbersFromBareStateDicts(t *testing.T) {
	ran := 0
	ours, theirs := map[string]float64{}, map[string]float64{}
	testkit.Each(t, func(t *testing.T, g *testkit.File) {
		if g.Training {
			return // the command does not train
		}
		ran++
		if g.DType == "float64" {
			runGolden[float64](t, g, ours, theirs)
		} else {
			runGolden[float32](t, g, ours, theirs)
		}
	})
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		t.Logf("%s: largest error over largest value %.1e, PyTorch's %.1e", name, ours[name], theirs[name])
	}
	if ran < 60 {
		t.Errorf("%d cases, expected at least 60", ran)
	}
}

// runGolden compares one case, and raises the largest relative errors seen in
// ours and, of PyTorch against itself, theirs.
func runGolden[F tensor.Float](t *testing.T, g *testkit.File, ours, theirs map[string]float64) {
	dir := t.TempDir()
	var params, inputs checkpoint.Set
	for name, p := range testkit.Params[F](g, "param.") {
		params = append(params, checkpoint.Of("net.encoder."+name, p))
	}
	for _, name := range []string{"input", "hx", "cx"} {
		if !g.Has(name) {
			continue
		}
		v := testkit.As[F](g, name)
		if g.Kind == "cell" && name != "input" { // a layer's state has a dimension for layers
			v.Shape = append([]int{1}, v.Shape...)
		}
		inputs = append(inputs, checkpoint.Of(name, v))
	}
	if g.Packed != nil {
		lengths := make([]int64, g.BatchSize)
		for b, n := range g.Ints("lengths") {
			lengths[b] = int64(n)
		}
		inputs = append(inputs, checkpoint.OfInts("lengths", lengths, len(lengths)))
	}
	model, input := filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "input.safetensors")
	for name, set := range map[string]checkpoint.Set{model: params, input: inputs} {
		if err := safetensors.WriteFile(name, set, nil); err != nil {
			t.Fatal(err)
		}
	}

	args := []string{"run", model, input}
	if g.DType == "float64" {
		args = append(args, "--dtype", "float64")
	}
	if g.BatchFirst {
		args = append(args, "--batch-first")
	} else {
		args = append(args, "--time-first")
	}
	if g.Mode() == "RNN_RELU" {
		args = append(args, "--mode", "RNN_RELU")
	}
	whole := runTo(t, args, filepath.Join(dir, "whole.safetensors"))
	for _, name := range []string{"output", "h_n", "c_n"} {
		if _, ok := whole.Info(name); ok != g.Has(name) {
			t.Fatalf("%s: the command has it: %v, PyTorch: %v", name, ok, g.Has(name))
		}
		if !g.Has(name) {
			continue
		}
		got, err := checkpoint.Float[F](whole, name)
		if err != nil {
			t.Fatal(err)
		}
		want := g.Truth(name)
		if name == "output" && g.Packed != nil {
			got.Data, want.Data = real(got, g), real(want, g)
			got.Shape, want.Shape = []int{len(got.Data)}, []int{len(want.Data)}
		}
		if g.Kind == "cell" && name != "output" {
			got.Shape = want.Shape
		}
		testkit.CloseDense(t, name, got, want, testkit.GoldenTol[F](g, name))
		largest, off := 0.0, 0.0
		for i, w := range want.Data {
			largest, off = max(largest, math.Abs(w)), max(off, math.Abs(float64(got.Data[i])-w))
		}
		kind := g.DType + " " + name
		ours[kind], theirs[kind] = max(ours[kind], off/largest), max(theirs[kind], g.F32Error[name]/largest)
	}

	if g.Bidirectional || g.Packed != nil {
		return
	}
	steps := runTo(t, append(args, "--stream"), filepath.Join(dir, "steps.safetensors"))
	for _, name := range whole.Names() {
		a, err := checkpoint.Float[F](whole, name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := checkpoint.Float[F](steps, name)
		if err != nil {
			t.Fatal(err)
		}
		testkit.BitsDense(t, "--stream: "+name, b, a)
	}
}

// real returns the elements of an output that are no padding.
func real[F tensor.Float](y tensor.DenseOf[F], g *testkit.File) []F {
	var out []F
	steps, batch, width := y.Shape[0], y.Shape[1], y.Shape[2]
	if g.BatchFirst {
		steps, batch = batch, steps
	}
	for b, n := range g.Ints("lengths") {
		for t := range min(n, steps) {
			at := (t*batch + b) * width
			if g.BatchFirst {
				at = (b*steps + t) * width
			}
			out = append(out, y.Data[at:at+width]...)
		}
	}
	return out
}

// runTo runs the command with --output and returns what it wrote.
func runTo(t *testing.T, args []string, output string) *safetensors.File {
	t.Helper()
	var out, errs bytes.Buffer
	args = append(slices.Clone(args), "--output", output)
	if code := execute(context.Background(), args, nil, &out, &errs); code != codeOK || out.Len() > 0 {
		t.Fatalf("%v: exit code %d, %q on stdout, %s", args, code, out.String(), errs.String())
	}
	f, err := safetensors.Open(output)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
