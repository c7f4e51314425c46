package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/tensor"
)

// TestFlagsOfOtherTasksAreRefused: predict has flags that only some tasks have a use
// for.
func TestFlagsOfOtherTasksAreRefused(t *testing.T) {
	dir := t.TempDir()
	values := map[string]string{"text": "", "json": ""}
	for flag, tasks := range predictFlags {
		value, isBool := values[flag]
		if !isBool {
			value = map[string]string{"prompt": "a", "output": filepath.Join(dir, "x.mid")}[flag]
			if value == "" {
				value = "1"
			}
		}
		for _, name := range []string{"classify", "forecast", "music", "tag", "text"} {
			line := []string{"predict", "../../task/testdata/v0/" + name, "a", "--" + flag}
			if !isBool {
				line = append(line, value)
			}
			var said strings.Builder
			code := execute(t.Context(), line, strings.NewReader(""), &said, &said)
			refused := strings.Contains(said.String(), "--"+flag+" is for "+strings.Join(tasks, ", "))
			mine := false
			for _, of := range tasks {
				mine = mine || of == name
			}
			if refused == mine || refused && code != codeUsage {
				t.Errorf("%q: %d, %s", line, code, &said)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "x.mid")); err == nil {
		t.Log("music was composed") // of what it was asked for
	}
}

// TestSequencesThatAreNotThere: explain takes no other sequence than the one asked
// for, and no length that is none.
func TestSequencesThatAreNotThere(t *testing.T) {
	dir := t.TempDir()
	layer, one, batch := filepath.Join(dir, "layer.safetensors"), filepath.Join(dir, "x.npy"), filepath.Join(dir, "b.npz")
	loneLayer(t, layer, "")
	if err := array.WriteFile(one, checkpoint.Set{checkpoint.Of("input", tensor.New(5, 3))}, array.Options{}); err != nil {
		t.Fatal(err)
	}
	refused := func(want string, args ...string) {
		t.Helper()
		var said strings.Builder
		line := append([]string{"explain", layer}, args...)
		if code := execute(t.Context(), line, strings.NewReader(""), &said, &said); code == 0 || !strings.Contains(said.String(), want) {
			t.Errorf("%q: %d, %.200s, want %s", line, code, &said, want)
		}
	}
	refused("--sequence 1: the input is one sequence, [5 3]", one, "--sequence", "1")
	for want, lengths := range map[string][]int64{
		"it holds 1 lengths, expected one for each of the 2 sequences": {5},
		"lengths[1]: got 0, expected 1 to 5":                           {5, 0},
		"lengths[1]: got -1, expected 1 to 5":                          {5, -1},
		"lengths[1]: got 6, expected 1 to 5":                           {5, 6},
	} {
		set := checkpoint.Set{checkpoint.Of("input", tensor.New(5, 2, 3)), checkpoint.OfInts("lengths", lengths)}
		if err := array.WriteFile(batch, set, array.Options{}); err != nil {
			t.Fatal(err)
		}
		refused(want, batch, "--time-first", "--sequence", "1")
	}
	command(t, 0, "explain", layer, one, "--sequence", "0")
}
