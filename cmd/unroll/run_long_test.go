package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// longSizes are those of the fresh layer of these tests; a part is of longPart256 steps.
var (
	longSizes   = []string{"run", "--mode", "LSTM", "--input-size", "8", "--hidden-size", "256", "--num-layers", "1"}
	longPart256 = longSteps(8, 256, 4*256)
	longRows    = longSteps(8, 2048)
)

// rowModel is a folder of a model whose steps are rows, longRows of them a part.
func rowModel(t *testing.T) string {
	t.Helper()
	m, err := nn.New(nn.Config{RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 8, HiddenSize: 16, NumLayers: 2}, OutFeatures: 2048})
	if err != nil {
		t.Fatal(err)
	}
	m.ResetParameters(rng.New(2))
	dir := filepath.Join(t.TempDir(), "model")
	if err := m.Save(dir, ""); err != nil {
		t.Fatal(err)
	}
	return dir
}

func arrayOf(t *testing.T, file, name string) tensor.Dense {
	t.Helper()
	var src interface {
		checkpoint.Source
		Close() error
	}
	var err error
	if strings.HasSuffix(file, ".safetensors") {
		src, err = safetensors.Open(file)
	} else {
		src, err = array.Open(file, array.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if name, err = array.Pick(src, name); err != nil {
		t.Fatal(err)
	}
	d, err := checkpoint.Float[float32](src, name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A sequence that goes through the layer in parts, from any file that can be read so,
// gives the bits, the files and the states of one that goes in one.
func TestRunOfALongSequenceHasTheBitsOfAShortOne(t *testing.T) {
	dir := t.TempDir()
	steps := 2*max(longPart256, longRows) + 37
	x, hx := tensor.New(steps, 8), tensor.New(1, 256)
	g := rng.New(3)
	rng.Randn(g, x.Data)
	rng.Randn(g, hx.Data)
	alone := checkpoint.Set{checkpoint.Of("input", x)}
	begun := append(alone, checkpoint.Of("hx", hx), checkpoint.Of("cx", hx))
	write := func(file string, set checkpoint.Set) string {
		file = filepath.Join(dir, file)
		err := error(nil)
		if strings.HasSuffix(file, ".safetensors") {
			err = safetensors.WriteFile(file, set, nil)
		} else {
			err = array.WriteFile(file, set, array.Options{})
		}
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	tail := func(name string, from checkpoint.Set) []string {
		return []string{"--states-in", write(name, from)}
	}
	for i, c := range []struct {
		in   string
		more []string
	}{
		{in: write("in.npy", alone)},
		{in: write("in.csv", alone)},
		{in: write("in.jsonl", alone)},
		{in: write("begun.npz", begun)},
		{in: write("begun.safetensors", begun)},
		{in: write("again.npy", alone), more: tail("hx.npz", begun[1:])},
		{in: write("steps.npy", alone), more: append(tail("hx.npz", begun[1:]), "--stream", "--workers", "1")},
		{in: write("steps.jsonl", alone), more: []string{"--stream"}},
		{in: write("wide.npy", alone), more: []string{"--dtype", "float64"}},
		{in: write("rounded.npy", alone), more: []string{"--precision", "int8"}},
	} {
		args := append(append(longSizes[:len(longSizes):len(longSizes)], c.in), c.more...)
		sameInParts(t, dir, args, longEndings[i%3], "output", "h_n", "c_n")
	}
	model := rowModel(t)
	for i, file := range []string{"in.npy", "in.csv", "in.jsonl"} {
		args := []string{"run", model, filepath.Join(dir, file), "--stream"}
		sameInParts(t, dir, args, longEndings[i], "output", "h_n", "c_n")
	}
}

// longEndings are those of files that are written a part at a time.
var longEndings = []string{".npy", ".csv", ".jsonl"}

// sameInParts compares what a command line writes into files of an ending with what it
// writes into a .npz, which holds all of it before.
func sameInParts(t *testing.T, dir string, args []string, ending string, names ...string) {
	t.Helper()
	whole, parts, states := filepath.Join(dir, "whole.npz"), filepath.Join(dir, "parts"), filepath.Join(dir, "states.npz")
	command(t, 0, append(args[:len(args):len(args)], "--output", whole)...)
	command(t, 0, append(args[:len(args):len(args)], "--output", parts+ending, "--states-out", states)...)
	for i, name := range names {
		file := parts + ending
		if i > 0 {
			file = parts + "." + name + ending
			got, want := arrayOf(t, states, name), arrayOf(t, whole, name)
			testkit.BitsDense(t, file+" states", got, want)
		}
		got, want := arrayOf(t, file, name), arrayOf(t, whole, name)
		testkit.Bits(t, args[len(args)-1]+" "+file, got.Data, want.Data)
		if i == 0 && !slices.Equal(got.Shape, want.Shape) {
			t.Errorf("%s: shape %v, want %v", file, got.Shape, want.Shape)
		}
	}
}

// What a long run takes does not grow with the sequence: a row of an array nothing, a row
// of text what the words of its numbers take, far below what its numbers would.
func TestRunOfALongSequenceTakesAsMuchForAnyLength(t *testing.T) {
	dir := t.TempDir()
	folder := rowModel(t)
	for _, c := range []struct {
		in, out string
		args    []string
		part    int // rows
		row     int // bytes of memory that a row may take
	}{
		{"in.npy", "out.npy", longSizes, longPart256, 40},
		{"in.npy", "out.csv", longSizes, longPart256, 40},
		{"in.npy", "out.jsonl", longSizes, longPart256, 40},
		{"in.csv", "out.npy", longSizes, longPart256, 60},
		{"in.jsonl", "out.npy", longSizes, longPart256, 400},
		{"in.npy", "out.npy", append(longSizes[:len(longSizes):len(longSizes)], "--stream"), longPart256, 40},
		{"in.npy", "out.npy", []string{"run", folder, "--stream"}, longRows, 40},
		{"in.csv", "out.jsonl", []string{"run", folder, "--stream"}, longRows, 400},
	} {
		taken := func(parts int) int {
			file := filepath.Join(dir, c.in)
			x := tensor.New(parts*c.part, 8)
			if err := array.WriteFile(file, checkpoint.Set{checkpoint.Of("input", x)}, array.Options{}); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			command(t, 0, append(c.args[:len(c.args):len(c.args)], file, "--output", filepath.Join(dir, c.out), "--workers", "1")...)
			runtime.ReadMemStats(&after)
			return int(after.TotalAlloc - before.TotalAlloc)
		}
		few, many := taken(3), taken(12)
		if row := (many - few) / (9 * c.part); row > c.row {
			t.Errorf("%q, %s to %s: a row takes %d bytes of memory, want at most %d, whatever number of rows there is", c.args, c.in, c.out, row, c.row)
		}
	}
}

// A fault in a later part is told with its place, and leaves no file.
func TestRunOfALongSequenceWithAFault(t *testing.T) {
	dir := t.TempDir()
	steps := longPart256 + 5
	row := strings.TrimSuffix(strings.Repeat("0.5,", 8), ",") + "\n"
	file, out := filepath.Join(dir, "in.csv"), filepath.Join(dir, "out.npy")
	bad := strings.Replace(row, "0.5", "half", 1)
	if err := os.WriteFile(file, []byte(strings.Repeat(row, steps)+bad), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr := command(t, 1, append(longSizes[:len(longSizes):len(longSizes)], file, "--output", out)...)
	if want := "line " + strconv.Itoa(steps+1) + ", column 1"; !strings.Contains(stderr, want) {
		t.Errorf("got %q, expected %q", stderr, want)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("the output is there")
	}
}
