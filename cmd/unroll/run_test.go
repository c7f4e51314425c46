package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
)

// Three chorales through the model PyTorch trained, from its folder, its
// safetensors file and its .pt file; the numbers are PyTorch's, the tolerance
// is torch.testing.assert_close's for float32.
func TestRunGivesPyTorchsNumbersOnChorales(t *testing.T) {
	const dir = "../../examples/bach"
	want, err := safetensors.Open(dir + "/expect.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	for _, model := range []string{dir, dir + "/model.safetensors", dir + "/model.pt"} {
		for _, piece := range []string{"0.", "1.", "2."} {
			x, err := checkpoint.Float[float32](want, piece+"input")
			if err != nil {
				t.Fatal(err)
			}
			var stdin, stderr bytes.Buffer
			if err := safetensors.Write(&stdin, checkpoint.Set{checkpoint.Of("input", x)}, nil); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "out.safetensors")
			if code := execute(context.Background(), []string{"run", model, "-", "--recurrent", "--output", out}, &stdin, &stderr, &stderr); code != codeOK {
				t.Fatalf("exit code %d: %s", code, stderr.String())
			}
			got, err := safetensors.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"output", "h_n", "c_n"} {
				g, err := checkpoint.Float[float32](got, name)
				if err != nil {
					t.Fatal(err)
				}
				w, err := checkpoint.Float[float32](want, piece+name)
				if err != nil {
					t.Fatal(err)
				}
				testkit.CloseDense(t, model+" "+piece+name, g, w, testkit.Default[float32]())
			}
			got.Close()
		}
	}
}

// Step by step and as a whole give the same text, which has every bit.
func TestRunStreamEqualsRun(t *testing.T) {
	for _, line := range []string{
		"run --json",
		"run --json --mode LSTM --input-size 5 --hidden-size 7 --num-layers 3 --seed 4",
		"run --json --mode LSTM --input-size 5 --hidden-size 7 --proj-size 2",
		"run --json --mode GRU --hidden-size 33 --dtype float64",
	} {
		var whole, steps, stderr bytes.Buffer
		args := strings.Fields(line)
		if code := execute(context.Background(), args, nil, &whole, &stderr); code != codeOK {
			t.Fatalf("%s: %s", line, stderr.String())
		}
		if code := execute(context.Background(), append(args, "--stream"), nil, &steps, &stderr); code != codeOK {
			t.Fatalf("%s --stream: %s", line, stderr.String())
		}
		if whole.String() != steps.String() || whole.Len() < 50 {
			t.Errorf("%s: whole\n%s\nstep by step\n%s", line, whole.String(), steps.String())
		}
	}
}

// A model folder is the layer of its weights file, with every digit that file
// has, and --batch-first counts for it too.
func TestRunOfAFolderIsRunOfItsWeights(t *testing.T) {
	const bach = "../../examples/bach"
	dir := t.TempDir()
	src, err := safetensors.Open(bach + "/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var weights checkpoint.Set
	for _, name := range src.Names() {
		w, err := checkpoint.Float[float64](src, name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range w.Data {
			w.Data[i] *= 1 + 1e-11 // beyond float32
		}
		weights = append(weights, checkpoint.Of(name, w))
	}
	x, err := safetensors.Open(bach + "/chorale.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	input, err := checkpoint.Float[float32](x, "input")
	if err != nil {
		t.Fatal(err)
	}
	input.Shape = []int{1, input.Shape[0], input.Shape[1]} // [B,T,I]
	config, err := os.ReadFile(bach + "/config.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.WriteFile(dir+"/config.json", config, 0o600),
		safetensors.WriteFile(dir+"/model.safetensors", weights, nil),
		safetensors.WriteFile(dir+"/x.safetensors", checkpoint.Set{checkpoint.Of("input", input)}, nil),
	); err != nil {
		t.Fatal(err)
	}
	flags := []string{dir + "/x.safetensors", "--recurrent", "--json", "--batch-first", "--dtype", "float64"}
	folder, _ := command(t, codeOK, append([]string{"run", dir}, flags...)...)
	file, _ := command(t, codeOK, append([]string{"run", dir + "/model.safetensors"}, flags...)...)
	if !strings.HasPrefix(folder, `{"output":{"shape":[1,84,128],`) {
		t.Errorf("the folder gave %.60s", folder)
	}
	if folder != file {
		t.Errorf("the folder gave %.200s, its weights %.200s", folder, file)
	}
}

// The trace is the run itself: its states end in h_n and c_n, the top layer's
// are the output, and the gates of each step make the states that stand there.
func TestRunTraceIsTheRun(t *testing.T) {
	text, _ := command(t, codeOK, strings.Fields("run --mode LSTM --input-size 3 --hidden-size 5 --num-layers 2 --dtype float64 --trace --json")...)
	var got map[string]struct {
		Shape []int
		Data  []float64
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	const steps, h, layers = 5, 5, 2
	if len(got) != 3+layers*6 {
		t.Errorf("%d tensors, expected output, h_n, c_n, and for each layer hidden, cell and four gates", len(got))
	}
	tol := testkit.Tol{Abs: 1e-14}
	for l := range layers {
		of := func(name string) []float64 {
			v := got[fmt.Sprintf("%s_l%d", name, l)]
			if !slices.Equal(v.Shape, []int{steps, h}) {
				t.Fatalf("%s of layer %d has shape %v", name, l, v.Shape)
			}
			return v.Data
		}
		hidden, cell := of("hidden"), of("cell")
		i, f, g, o := of("gate_i"), of("gate_f"), of("gate_g"), of("gate_o")
		var wantC, wantH []float64
		for k := range hidden {
			before := 0.0
			if k >= h {
				before = cell[k-h]
			}
			wantC = append(wantC, f[k]*before+i[k]*g[k])
			wantH = append(wantH, o[k]*math.Tanh(cell[k]))
		}
		testkit.Close(t, "c", cell, wantC, tol)
		testkit.Close(t, "h", hidden, wantH, tol)
		testkit.Bits(t, "h_n", got["h_n"].Data[l*h:(l+1)*h], hidden[(steps-1)*h:])
		testkit.Bits(t, "c_n", got["c_n"].Data[l*h:(l+1)*h], cell[(steps-1)*h:])
		if l == layers-1 {
			testkit.Bits(t, "output", got["output"].Data, hidden)
		}
	}
}

// --prefix chooses among the layers of a file; without it the line lists them.
func TestRunPrefixChoosesALayer(t *testing.T) {
	dir := t.TempDir()
	var both checkpoint.Set
	for prefix, mode := range map[string]unroll.Mode{"enc.": unroll.GRU, "dec.rnn.": unroll.LSTM} {
		layer, err := unroll.New(unroll.Config{Mode: mode, InputSize: 3, HiddenSize: 4})
		if err != nil {
			t.Fatal(err)
		}
		layer.ResetParameters(rng.New(5))
		var alone checkpoint.Set
		for _, p := range layer.Params() {
			alone = append(alone, checkpoint.Of(p.Name, p.Value))
			both = append(both, checkpoint.Of(prefix+p.Name, p.Value))
		}
		if err := safetensors.WriteFile(filepath.Join(dir, mode.String()+".safetensors"), alone, nil); err != nil {
			t.Fatal(err)
		}
	}
	model, input := filepath.Join(dir, "both.safetensors"), filepath.Join(dir, "x.csv")
	if err := errors.Join(safetensors.WriteFile(model, both, nil), os.WriteFile(input, []byte("1,2,3\n-1,0,.5\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for prefix, mode := range map[string]string{"enc": "GRU", "dec.rnn.": "LSTM"} {
		got, _ := command(t, codeOK, "run", model, input, "--prefix", prefix)
		want, _ := command(t, codeOK, "run", filepath.Join(dir, mode+".safetensors"), input)
		if got != want || !strings.HasPrefix(got, mode+"(3, 4)\n") {
			t.Errorf("--prefix %s printed\n%s\nwant\n%s", prefix, got, want)
		}
	}
	for code, args := range map[int][]string{codeFailure: nil, codeUsage: {"--prefix", "rnn"}} {
		_, errs := command(t, code, append([]string{"run", model, input}, args...)...)
		if !strings.Contains(errs, `"enc" (GRU)`) || !strings.Contains(errs, `"dec.rnn" (LSTM)`) {
			t.Errorf("%v: %q does not list the layers", args, errs)
		}
	}
}
