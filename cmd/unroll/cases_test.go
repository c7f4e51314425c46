package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// TestCases: files as people have them give the numbers that PyTorch and ONNX
// Runtime give for them, or are refused by what is wrong with them;
// testdata/cases/make.py says where they come from.
func TestCases(t *testing.T) {
	const dir = "testdata/cases"
	b, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Right, Said string
		Args              []string
	}
	if err := json.Unmarshal(b, &cases); err != nil || len(cases) < 25 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			args := []string{"run"}
			for _, a := range c.Args {
				if _, err := os.Stat(filepath.Join(dir, a)); err == nil {
					a = filepath.Join(dir, a)
				} else if !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
				args = append(args, a)
			}
			if c.Right == "" {
				var said strings.Builder
				if code := execute(t.Context(), args, strings.NewReader(""), &said, &said); code == 0 || !strings.Contains(said.String(), c.Said) {
					t.Errorf("exit code %d, %q; want it refused with %q", code, &said, c.Said)
				}
				return
			}
			got := filepath.Join(t.TempDir(), "got.safetensors")
			_, said := command(t, 0, append(args, "--output", got)...)
			if !strings.Contains(said, c.Said) {
				t.Errorf("said %q, want %q in it", said, c.Said)
			}
			sameTensors(t, got, filepath.Join(dir, c.Right))
		})
	}
}

// sameTensors compares two files of tensors by their names.
func sameTensors(t *testing.T, got, want string) {
	t.Helper()
	open := func(path string) *safetensors.File {
		f, err := safetensors.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	a, b := open(got), open(want)
	if x, y := slices.Sorted(slices.Values(a.Names())), slices.Sorted(slices.Values(b.Names())); !slices.Equal(x, y) {
		t.Fatalf("names %q, want %q", x, y)
	}
	for _, name := range b.Names() {
		x, err := checkpoint.Float[float32](a, name)
		y, err2 := checkpoint.Float[float32](b, name)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		testkit.CloseDense(t, name, x, y, testkit.Default[float32]())
	}
}
