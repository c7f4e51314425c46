package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// TestConvertToInt8TellsWhatItCosts: a folder of rounded weights is written, opens, is
// measured by eval as the report says, and names its parts.
func TestConvertToInt8TellsWhatItCosts(t *testing.T) {
	for _, c := range []struct{ model, data, measure, says string }{
		{"classify", "names.csv", "accuracy", "fc alone"},
		{"text", "poem.txt", "perplexity", "steps 10 to 65"},
		{"forecast", "hours.csv", "MSE", "rnn.l0 alone"},
	} {
		t.Run(c.model, func(t *testing.T) {
			folder, data := "../../task/testdata/v0/"+c.model, "../../task/testdata/v0/"+c.data
			out := filepath.Join(t.TempDir(), "low")
			said, _ := command(t, 0, "convert", folder, out, "--to", "int8", "--calibrate", data)
			for _, want := range []string{"error of outputs", "largest", c.says, c.measure, "float32: ", "int8: "} {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
			low, full := lineOf(said, "int8: "), lineOf(said, "float32: ")
			if low == "" || strings.TrimPrefix(low, "int8") == strings.TrimPrefix(full, "float32") {
				t.Errorf("rounding changed nothing:\n%s", said)
			}
			loss := strings.Fields(low)[3]
			measured, _ := command(t, 0, "eval", out, data, "--json")
			if !strings.Contains(measured, `"loss":`+loss[:5]) {
				t.Errorf("eval gives\n%s\nand the report %s", measured, low)
			}
			if seen, _ := command(t, 0, "inspect", out); !strings.Contains(seen, "int8") {
				t.Errorf("inspect does not say int8:\n%s", seen)
			}
		})
	}
}

func lineOf(text, begin string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, begin) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// TestConvertKeepsParts: what --keep names is float32, and the file says so.
func TestConvertKeepsParts(t *testing.T) {
	out := filepath.Join(t.TempDir(), "low")
	said, _ := command(t, 0, "convert", "../../task/testdata/v0/classify", out, "--to", "bfloat16", "--keep", "fc,embedding")
	for _, want := range []string{"embedding float32\n", "rnn.l0 bfloat16\n", "fc float32\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}

// TestRunInInt8: layers, models of ONNX and model folders run with rounded weights,
// and give other numbers than with their own.
func TestRunInInt8(t *testing.T) {
	graph := filepath.Join(t.TempDir(), "bach.onnx")
	command(t, 0, "convert", "../../examples/bach", graph)
	x, input := tensor.New(4, 2, 88), filepath.Join(t.TempDir(), "x.safetensors")
	rng.Randn(rng.New(1), x.Data)
	if err := safetensors.WriteFile(input, checkpoint.Set{checkpoint.Of("input", x)}, nil); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"a fresh layer": {"run", "--mode", "LSTM", "--input-size", "3", "--hidden-size", "8", "--num-layers", "2", "--json"},
		"a graph":       {"run", graph, input, "--json"},
		"a folder":      {"run", "../../examples/bach", "../../examples/bach/chorale.safetensors", "--json"},
	} {
		t.Run(name, func(t *testing.T) {
			full, _ := command(t, 0, args...)
			seen := map[string]bool{full: true}
			for _, p := range []string{"int8", "bfloat16"} {
				low, _ := command(t, 0, append(args, "--precision", p)...)
				if seen[low] || len(low) < len(full)/2 {
					t.Errorf("%s: the same numbers, or none", p)
				}
				seen[low] = true
			}
		})
	}
}

// TestBenchTellsThePrecision of what it timed, which is that of the flags.
func TestBenchTellsThePrecision(t *testing.T) {
	for _, args := range [][]string{{"--json"}, {"--stream", "--json"}} {
		args = append([]string{"bench", "../../examples/bach", "--runs", "1", "--precision", "int8", "--keep", "fc"}, args...)
		if said, _ := command(t, 0, args...); !strings.Contains(said, `"weights":"int8"`) {
			t.Errorf("%v: %s", args, said)
		}
	}
	if said, _ := command(t, 0, "bench", "../../examples/bach", "--runs", "1", "--precision", "bfloat16"); !strings.Contains(said, "bfloat16 weights") {
		t.Error(said)
	}
}

// TestLayerOfARoundedFolderStaysRounded: --recurrent runs it as the folder was saved.
func TestLayerOfARoundedFolderStaysRounded(t *testing.T) {
	bach, chorale, low := "../../examples/bach", "../../examples/bach/chorale.safetensors", filepath.Join(t.TempDir(), "low")
	command(t, 0, "convert", bach, low, "--to", "int8")
	want, _ := command(t, 0, "run", "--recurrent", bach, chorale, "--precision", "int8", "--json")
	if got, _ := command(t, 0, "run", "--recurrent", low, chorale, "--json"); got != want {
		t.Error("the layer of the rounded folder gives other numbers than the layer rounded as it runs")
	}
}

// TestConvertSaysThatPrecisionIsLost where a format holds float32 alone.
func TestConvertSaysThatPrecisionIsLost(t *testing.T) {
	dir := t.TempDir()
	low := filepath.Join(dir, "low")
	command(t, 0, "convert", "../../examples/bach", low, "--to", "int8")
	for to, lost := range map[string]bool{"a.onnx": true, "a.safetensors": true, "folder": false} {
		if _, errs := command(t, 0, "convert", low, filepath.Join(dir, to)); strings.Contains(errs, "precision of the weights") != lost {
			t.Errorf("to %s: %s", to, errs)
		}
	}
}

// TestPartsOfAChainAreItsModules: --keep names them as the line does, and a name that
// keeps nothing is refused.
func TestPartsOfAChainAreItsModules(t *testing.T) {
	x, input := tensor.New(4, 2, 88), filepath.Join(t.TempDir(), "x.safetensors")
	rng.Randn(rng.New(1), x.Data)
	if err := safetensors.WriteFile(input, checkpoint.Set{checkpoint.Of("input", x)}, nil); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "../../examples/bach/model.pt", input, "--chain", "rnn | head", "--time-first", "--json"}
	full, _ := command(t, 0, args...)
	seen := map[string]bool{full: true}
	for _, keep := range []string{"", "rnn", "head"} {
		more := []string{"--precision", "int8"}
		if keep != "" {
			more = append(more, "--keep", keep)
		}
		said, _ := command(t, 0, append(args, more...)...)
		if seen[said] {
			t.Errorf("--keep %q gives numbers that were there", keep)
		}
		seen[said] = true
	}
	if said, _ := command(t, 0, append(args, "--precision", "int8", "--keep", "rnn,head")...); said != full {
		t.Error("with both parts kept it is not float32")
	}
	if _, errs := command(t, 2, append(args, "--precision", "int8", "--keep", "fc")...); !strings.Contains(errs, `--keep: got "fc"`) || !strings.Contains(errs, "rnn, head") {
		t.Error(errs)
	}
}

// TestPrecisionFlagsThatCannotBeMeant are told apart from failures.
func TestPrecisionFlagsThatCannotBeMeant(t *testing.T) {
	layer := []string{"run", "--input-size", "3", "--hidden-size", "4"}
	for _, c := range []struct {
		code int
		args []string
		says string
	}{
		{2, append(layer, "--precision", "int4"), `"int4"`},
		{2, append(layer, "--keep", "0"), "--precision"},
		{2, append(layer, "--precision", "int8", "--keep", "fc"), "layers 0 to 1"},
		{2, append(layer, "--precision", "int8", "--dtype", "float64"), "float64"},
		{2, []string{"convert", "../../examples/bach", filepath.Join(t.TempDir(), "x.onnx"), "--keep", "fc"}, "--to int8"},
		{2, []string{"bench", "W0", "--precision", "int8"}, "for a MODEL"},
		{2, []string{"bench", "../../examples/bach", "--precision", "int4"}, `"int4"`},
		{2, []string{"bench", "../../examples/bach", "--precision", "int8", "--keep", "rnn.l7"}, "rnn.l0"},
		{1, []string{"convert", "../../checkpoint/onnx/testdata/golden/lstm.onnx", filepath.Join(t.TempDir(), "x"), "--to", "int8"}, "--precision int8"},
		{2, []string{"convert", "../../task/testdata/v0/classify", filepath.Join(t.TempDir(), "x"), "--to", "int8", "--keep", "rnn.l7"}, "rnn.l0"},
	} {
		if _, errs := command(t, c.code, c.args...); !strings.Contains(errs, c.says) {
			t.Errorf("%v: %s", c.args, errs)
		}
	}
}

// TestConvertToAnInt8File: an ONNX file of integers, smaller than the float one, gives in
// int8 what the folder of rounded weights gives; the report is the folder's; what an
// ONNX file cannot be is refused.
func TestConvertToAnInt8File(t *testing.T) {
	model, data := "../../task/testdata/v0/classify", "../../task/testdata/v0/names.csv"
	dir := t.TempDir()
	folder, file, full := filepath.Join(dir, "low"), filepath.Join(dir, "low.onnx"), filepath.Join(dir, "full.onnx")
	report, _ := command(t, 0, "convert", model, folder, "--to", "int8", "--calibrate", data)
	said, _ := command(t, 0, "convert", model, file, "--to", "int8", "--calibrate", data)
	for _, begin := range []string{"all ", "fc alone", "float32: ", "int8: "} {
		if want := lineOf(report, begin); want == "" || lineOf(said, begin) != want {
			t.Errorf("%q: the folder's report has %q, the file's %q", begin, want, lineOf(said, begin))
		}
	}
	bach, chorale := "../../examples/bach", "../../examples/bach/chorale.safetensors"
	command(t, 0, "convert", bach, full)
	command(t, 0, "convert", bach, folder+"2", "--to", "int8")
	command(t, 0, "convert", bach, file, "--to", "int8")
	sizes := make([]int64, 2)
	for i, name := range []string{file, full} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		sizes[i] = info.Size()
	}
	if sizes[0] > sizes[1]*27/100 {
		t.Errorf("%d bytes of %d", sizes[0], sizes[1])
	}
	want, _ := command(t, 0, "run", folder+"2", chorale, "--json")
	if got, _ := command(t, 0, "run", file, chorale, "--json", "--precision", "int8"); got != want {
		t.Errorf("the folder gives\n%.300s\nthe file\n%.300s", want, got)
	}
	for _, c := range []struct {
		says string
		args []string
	}{
		{"an ONNX file holds int8", []string{model, full, "--to", "bfloat16"}},
		{"calibrate", []string{model, folder, "--to", "int8", "--verify"}},
		{"measures a model folder", []string{"../../examples/names/model.onnx", full, "--to", "int8", "--calibrate", data}},
	} {
		if _, said := command(t, 2, append([]string{"convert"}, c.args...)...); !strings.Contains(said, c.says) {
			t.Errorf("%v: %s", c.args, said)
		}
	}
}

// TestDriftNamesStepsThatAre: a window of the report ends where its outputs end.
func TestDriftNamesStepsThatAre(t *testing.T) {
	d := drift{windows: map[int]*window{}}
	for step := range 12 {
		d.add(step, float64(step))
	}
	d.add(99, 1)
	for k, want := range []string{"steps 1 to 9\t8\t4", "steps 10 to 12\t11\t10", "step 100\t1\t1"} {
		if got := d.windows[k].String(); got != want {
			t.Errorf("window %d is %q, expected %q", k, got, want)
		}
	}
}
