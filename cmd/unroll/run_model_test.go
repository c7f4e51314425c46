package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// Whole ONNX models, of which the files beside hold inputs and what ONNX Runtime
// gave, run by names through the command; every form of input gives the same.
func TestRunGivesONNXRuntimesNumbersOfWholeModels(t *testing.T) {
	const dir = "../../checkpoint/onnx/testdata/exporters/"
	files, err := filepath.Glob(dir + "*.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, numbers := range files {
		model := strings.TrimSuffix(numbers, ".safetensors") + ".onnx"
		t.Run(filepath.Base(model), func(t *testing.T) {
			src, err := safetensors.Open(numbers)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			tmp := t.TempDir()
			var inputs checkpoint.Set
			byName := []string{"run", model}
			for _, in := range ports(t, model, "input") {
				v, err := src.Tensor("set0." + in)
				if err != nil {
					t.Fatal(err)
				}
				v.Name = in
				inputs = append(inputs, v)
				file := filepath.Join(tmp, fmt.Sprint(len(inputs))+".safetensors")
				if err := safetensors.WriteFile(file, checkpoint.Set{v}, nil); err != nil {
					t.Fatal(err)
				}
				byName = append(byName, "--input", in+"="+file)
			}
			all := filepath.Join(tmp, "all.safetensors")
			if err := safetensors.WriteFile(all, inputs, nil); err != nil {
				t.Fatal(err)
			}
			got := runTo(t, []string{"run", model, all}, filepath.Join(tmp, "got.safetensors"))
			again := runTo(t, byName, filepath.Join(tmp, "again.safetensors"))
			for _, out := range ports(t, model, "output") {
				g, err := checkpoint.Float[float32](got, out)
				if err != nil {
					t.Fatal(err)
				}
				w, err := checkpoint.Float[float32](src, "set0."+out)
				if err != nil {
					t.Fatal(err)
				}
				testkit.CloseDense(t, out, g, w, testkit.Default[float32]())
				a, err := checkpoint.Float[float32](again, out)
				if err != nil {
					t.Fatal(err)
				}
				testkit.BitsDense(t, out, a, g)
			}
			ran++
		})
	}
	if ran < 15 {
		t.Errorf("%d models, expected at least 15", ran)
	}
}

// ports are the names that inspect shows.
func ports(t *testing.T, model, kind string) (names []string) {
	t.Helper()
	text, _ := command(t, codeOK, "inspect", model)
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == kind {
			names = append(names, f[1])
		}
	}
	return names
}

// A run in two chunks, the second from the file that the first wrote, ends as the
// run of the whole: of a bare layer, of a folder and of an ONNX file.
func TestWhatRunWroteIsTheNextChunksState(t *testing.T) {
	const bach, onnx = "../../examples/bach", "../../checkpoint/onnx/testdata/exporters/torch_lstm_states"
	for _, c := range []struct {
		name, model, numbers, input, at, state string
		flags                                  []string
	}{
		{"bare", bach + "/model.pt", bach + "/chorale.safetensors", "input", "input", "h_n c_n", []string{"--time-first"}},
		{"folder", bach, bach + "/chorale.safetensors", "input", "input", "h_n c_n", nil},
		{"onnx", onnx + ".onnx", onnx + ".safetensors", "set0.x", "x", "getitem_1 getitem_2", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, err := safetensors.Open(c.numbers)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			x, err := checkpoint.Float[float32](src, c.input)
			if err != nil {
				t.Fatal(err)
			}
			tmp := t.TempDir()
			run := func(name string, from, to int, state checkpoint.Source) *safetensors.File {
				part, step := x, len(x.Data)/x.Shape[0]
				part.Shape = append([]int{to - from}, x.Shape[1:]...)
				part.Data = x.Data[from*step : to*step]
				set := checkpoint.Set{checkpoint.Of(c.at, part)}
				for _, s := range strings.Fields(c.state) {
					if state == nil {
						break
					}
					v, err := state.Tensor(s)
					if err != nil {
						t.Fatal(err)
					}
					set = append(set, v)
				}
				in := filepath.Join(tmp, name+".in.safetensors")
				if err := safetensors.WriteFile(in, set, nil); err != nil {
					t.Fatal(err)
				}
				return runTo(t, append([]string{"run", c.model, in}, c.flags...), filepath.Join(tmp, name+".safetensors"))
			}
			n := x.Shape[0]
			whole := run("whole", 0, n, nil)
			second := run("second", n/2, n, run("first", 0, n/2, nil))
			for _, name := range strings.Fields(c.state) {
				w, err := checkpoint.Float[float32](whole, name)
				if err != nil {
					t.Fatal(err)
				}
				g, err := checkpoint.Float[float32](second, name)
				if err != nil {
					t.Fatal(err)
				}
				testkit.BitsDense(t, name, g, w)
			}
		})
	}
}

// A Keras model runs whole from its file alone, and its layer alone on demand.
func TestRunOfAKerasFile(t *testing.T) {
	const file = "../../checkpoint/keras/testdata/models/sequential.keras"
	tokens := filepath.Join(t.TempDir(), "t.csv")
	if err := os.WriteFile(tokens, []byte("1,2,3,0\n4,5,6,0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := command(t, codeOK, "run", file, tokens, "--json")
	if !strings.HasPrefix(out, `{"head":{"shape":[2,2],"data":[`) {
		t.Errorf("got %.80s", out)
	}
	_, errs := command(t, codeFailure, "run", file, tokens, "--recurrent")
	if !strings.Contains(errs, "it has 2 recurrent layers; --prefix takes one of ") || !strings.Contains(errs, "(GRU(3, 2))") {
		t.Errorf("got %s", errs)
	}
}
