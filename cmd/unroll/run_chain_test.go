package main

import (
	"path/filepath"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// Chains and a saved nn.Sequential through the command give what torch gave.
// internal/chain/testdata has the files and the scripts that made them.
func TestRunGivesTorchsNumbersOfChains(t *testing.T) {
	const dir = "../../internal/chain/testdata/"
	tmp := t.TempDir()
	numbers, err := safetensors.Open(dir + "pickled.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer numbers.Close()
	tensor := func(name, as string) checkpoint.Tensor {
		v, err := numbers.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		v.Name = as
		return v
	}
	input := filepath.Join(tmp, "input.safetensors")
	if err := safetensors.WriteFile(input, checkpoint.Set{tensor("sequential.in0", "x")}, nil); err != nil {
		t.Fatal(err)
	}
	want, err := checkpoint.FloatOf[float32](tensor("sequential.out0", "output"))
	if err != nil {
		t.Fatal(err)
	}
	got := runTo(t, []string{"run", dir + "sequential.pt", input}, filepath.Join(tmp, "got.safetensors"))
	out, err := checkpoint.Float[float32](got, got.Names()[0])
	if err != nil {
		t.Fatal(err)
	}
	testkit.CloseDense(t, "a saved nn.Sequential", out, want, testkit.Default[float32]())
}

// A chain over the modules of a state dict is the model whose folder the file came
// from, whole and step by step, with its states under their names.
func TestAChainIsItsFolder(t *testing.T) {
	const bach = "../../examples/bach"
	tmp := t.TempDir()
	x := bach + "/chorale.safetensors"
	want := runTo(t, []string{"run", bach, x}, filepath.Join(tmp, "want.safetensors"))
	chain := []string{"run", bach + "/model.pt", x, "--chain", "rnn | head", "--time-first"}
	var whole []float32
	for name, flags := range map[string][]string{"in steps": {"--stream"}, "whole, with states": {"--states"}, "whole": nil} {
		args := chain
		if name != "in steps" { // a line of three dimensions
			args = append([]string{"run", bach + "/model.pt", batchOfOne(t, x, filepath.Join(tmp, "x.safetensors"))}, chain[3:]...)
		}
		got := runTo(t, append(args, flags...), filepath.Join(tmp, "got.safetensors"))
		names := map[string]string{"output": "output"}
		if flags != nil {
			names["h_n.rnn"], names["c_n.rnn"] = "h_n", "c_n"
		}
		if len(got.Names()) != len(names) {
			t.Errorf("%s: outputs %q", name, got.Names())
		}
		for out, of := range names {
			g, err := checkpoint.Float[float32](got, out)
			if err != nil {
				t.Fatal(err)
			}
			w, err := checkpoint.Float[float32](want, of)
			if err != nil {
				t.Fatal(err)
			}
			if out != "output" {
				testkit.Bits(t, name+" "+out, g.Data, w.Data)
				continue
			}
			// A folder's head adds its products to the bias, a line's its bias to them.
			testkit.Close(t, name+" "+out, g.Data, w.Data, testkit.Default[float32]())
			if whole == nil {
				whole = g.Data
			}
			testkit.Bits(t, name+" "+out, g.Data, whole)
		}
	}
}

// batchOfOne writes the input of a file with an axis for one sequence, second.
func batchOfOne(t *testing.T, file, to string) string {
	t.Helper()
	src, err := safetensors.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	v, err := src.Tensor("input")
	if err != nil {
		t.Fatal(err)
	}
	v.Shape = []int{v.Shape[0], 1, v.Shape[1]}
	if err := safetensors.WriteFile(to, checkpoint.Set{v}, nil); err != nil {
		t.Fatal(err)
	}
	return to
}
