package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// longSizes are those of the fresh layer of these tests; a part is of longSteps steps.
var (
	longSizes  = []string{"run", "--mode", "LSTM", "--input-size", "8", "--hidden-size", "256", "--num-layers", "1"}
	longConfig = unroll.Config{Mode: unroll.LSTM, InputSize: 8, HiddenSize: 256}
)

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
	steps := 2*longSteps(longConfig) + 37
	x, hx := tensor.New(steps, 8), tensor.New(1, 256)
	g := rng.New(3)
	rng.Randn(g, x.Data)
	rng.Randn(g, hx.Data)
	states := filepath.Join(dir, "states.npz")
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
	for _, c := range []struct {
		in   string
		more []string
	}{
		{in: write("in.npy", alone)},
		{in: write("in.csv", alone)},
		{in: write("begun.npz", begun)},
		{in: write("begun.safetensors", begun)},
		{in: write("again.npy", alone), more: []string{"--states-in", write("hx.npz", begun[1:])}},
		{in: write("wide.npy", alone), more: []string{"--dtype", "float64"}},
		{in: write("rounded.npy", alone), more: []string{"--precision", "int8"}},
	} {
		args := append(append(longSizes[:len(longSizes):len(longSizes)], c.in), c.more...)
		whole, parts := filepath.Join(dir, "whole.npz"), filepath.Join(dir, "parts.npy")
		command(t, 0, append(args, "--output", whole)...)
		command(t, 0, append(args, "--output", parts, "--states-out", states)...)
		for name, file := range map[string]string{"output": parts, "h_n": filepath.Join(dir, "parts.h_n.npy"), "c_n": filepath.Join(dir, "parts.c_n.npy")} {
			testkit.BitsDense(t, c.in+" "+name, arrayOf(t, file, name), arrayOf(t, whole, name))
		}
		testkit.BitsDense(t, c.in+" states", arrayOf(t, states, "c_n"), arrayOf(t, whole, "c_n"))
	}
}

// What a long run takes does not grow with the sequence.
func TestRunOfALongSequenceTakesAsMuchForAnyLength(t *testing.T) {
	dir := t.TempDir()
	taken := func(parts int) uint64 {
		file := filepath.Join(dir, "in.npy")
		x := tensor.New(parts*longSteps(longConfig), 8)
		if err := array.WriteFile(file, checkpoint.Set{checkpoint.Of("input", x)}, array.Options{}); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		command(t, 0, append(longSizes[:len(longSizes):len(longSizes)], file, "--output", filepath.Join(dir, "out.npy"), "--workers", "1")...)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	few, many := taken(3), taken(12)
	each := uint64(longSteps(longConfig) * (8 + 256) * 4)
	if many > few+each/4 {
		t.Errorf("3 parts took %d bytes of memory, 12 took %d; a part's numbers are %d", few, many, each)
	}
}

// A fault in a later part is told with its place, and leaves no file.
func TestRunOfALongSequenceWithAFault(t *testing.T) {
	dir := t.TempDir()
	steps := longSteps(longConfig) + 5
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
