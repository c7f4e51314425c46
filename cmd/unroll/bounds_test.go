package main

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestNumbersHaveBounds: every flag that is a number has a row, which takes its default,
// and every row has a flag.
func TestNumbersHaveBounds(t *testing.T) {
	seen := map[string]bool{}
	everyCommand(newRootCmd(), func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			numbers := numbersIn(f)
			if numbers == nil {
				return
			}
			b, ok := boundOf(cmd, f.Name)
			if !ok {
				t.Errorf("%s --%s is a number without a row in bounds", cmd.CommandPath(), f.Name)
				return
			}
			seen[f.Name], seen[cmd.Name()+" "+f.Name] = true, true
			for _, v := range numbers {
				if !b.takes(v) && !(cmd.Name() == "bench" && f.Name == "hidden-size") { // 0: no shape is given
					t.Errorf("%s --%s: the default %v is not %s", cmd.CommandPath(), f.Name, v, b.want)
				}
			}
		})
	})
	for row := range bounds {
		if !seen[row] {
			t.Errorf("no flag %s", row)
		}
	}
}

// TestBoundsAtTheirBorders: what each kind of bound takes at its border, and does not
// beside it; none takes what is no number.
func TestBoundsAtTheirBorders(t *testing.T) {
	for row, c := range map[string]struct{ takes, refuses []float64 }{
		"temperature":   {[]float64{1e-9, 5}, []float64{0, -1}},
		"epochs":        {[]float64{1, 1e9}, []float64{0, 0.5}},
		"lr":            {[]float64{0, 1e-3}, []float64{-1e-9}},
		"dropout":       {[]float64{0, 1}, []float64{-1e-9, 1.01}},
		"factor":        {[]float64{0, 0.99}, []float64{-1e-9, 1}},
		"hidden":        {[]float64{1, 1 << 28}, []float64{0, 1<<28 + 1}},
		"hidden-size":   {[]float64{0, 1 << 28}, []float64{-1, 1<<28 + 1}},
		"layers":        {[]float64{1, 1 << 16}, []float64{0, 1<<16 + 1}},
		"workers":       {[]float64{0, 1}, []float64{-1, 0.5}},
		"serve rows":    {[]float64{0, 1, 4096}, []float64{-1, 4097}},
		"opset":         {[]float64{0, 7, 22}, []float64{1, 6, 23}},
		"step":          {[]float64{-1, 0}, []float64{-2}},
		"idle":          {[]float64{-1, 0, 1}, nil},
		"max-sequences": {[]float64{0, 1}, []float64{-1}},
	} {
		b := bounds[row]
		for _, v := range c.takes {
			if !b.takes(v) {
				t.Errorf("%s does not take %v, which is %s", row, v, b.want)
			}
		}
		for _, v := range append(c.refuses, math.NaN()) {
			if b.takes(v) && row != "idle" {
				t.Errorf("%s takes %v, which is not %s", row, v, b.want)
			}
		}
	}
}

// TestValuesOutOfRangeAreUsage: what a flag cannot be is told before anything is opened,
// computed or written, whatever else is wrong, and the exit code is 2.
func TestValuesOutOfRangeAreUsage(t *testing.T) {
	everyCommand(newRootCmd(), func(cmd *cobra.Command) {
		args := map[string][]string{
			"train": {"nothere", "--task", "text", "-o", "m"}, "eval": {"nothere", "nothere"}, "predict": {"nothere"},
			"convert": {"nothere", "out.onnx"}, "serve": {"nothere"}, "bench": {"nothere"},
		}[cmd.Name()]
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			b, ok := boundOf(cmd, f.Name)
			if !ok || numbersIn(f) == nil {
				return
			}
			for _, value := range []string{"-2", "NaN", "-1e300", "99999999999"} {
				v := value
				if f.Value.Type() == "duration" {
					v += "s"
				}
				if f.Value.Set(v) != nil || slices.ContainsFunc(numbersIn(f), b.takes) {
					continue
				}
				said := refused(t, codeUsage, append(slices.Concat([]string{cmd.Name()}, args), "--"+f.Name+"="+v)...)
				if want := "unroll: --" + f.Name + ": got "; !strings.HasPrefix(said, want) || !strings.Contains(said, ", expected "+b.want) {
					t.Errorf("unroll %s --%s=%s says %q", cmd.Name(), f.Name, v, said)
				}
			}
		})
	})
}

// TestStepsThatAreNotThereAreUsage: what only the run can tell is checked before the
// first letter is written, of a layer alone and of a whole model.
func TestStepsThatAreNotThereAreUsage(t *testing.T) {
	const bach, chorale = "../../examples/bach", "../../examples/bach/chorale.safetensors"
	for want, args := range map[string][]string{
		"--step: got 7, expected 0 to 4":               {"--step", "7"},
		"--layer: got 7, expected 0 to 1":              {"--layer", "7"},
		"--unit: got 4, expected 0 to 3":               {"--unit", "4"},
		"--sequence 1: the input is one sequence":      {"--sequence", "1"},
		"rnn: --step: got 999, expected 0 to 83":       {bach, chorale, "--step", "999"},
		"rnn: --layer: got 2, expected 0 to 1":         {bach, chorale, "--layer", "2"},
		"rnn: --unit: got 128, expected 0 to 127":      {bach, chorale, "--unit", "128"},
		"--as: got films, expected text, series, note": {"--as", "films", "--html", t.TempDir() + "/x.html"},
		"--sequence 3: the input is one text":          {"../../task/testdata/v0/text", "../../task/testdata/v0/text.txt", "--sequence", "3"},
	} {
		if said := refused(t, codeUsage, append([]string{"explain"}, args...)...); !strings.Contains(said, want) {
			t.Errorf("unroll explain %q says %q, want %q", args, said, want)
		}
	}
}

// TestPrefixOfAWholeModelIsUsage: there is nothing to choose from.
func TestPrefixOfAWholeModelIsUsage(t *testing.T) {
	for _, model := range []string{"../../examples/bach", "../../examples/names/model.onnx"} {
		for _, args := range [][]string{
			{"bench", model, "--runs", "1"},
			{"run", model, "nothere.csv"},
			{"run", model, "nothere.csv", "--group-by", "name"},
			{"serve", model, "--listen", "127.0.0.1:0", "--grpc", "none"},
		} {
			ended, end := context.WithCancel(t.Context())
			end() // or what serves would go on
			var out, said strings.Builder
			code := execute(ended, append(args, "--prefix", "x"), strings.NewReader(""), &out, &said)
			if code != codeUsage || !strings.Contains(said.String(), "holds a whole model") || !strings.Contains(said.String(), "--prefix") {
				t.Errorf("unroll %q --prefix x: exit code %d, %s", args, code, &said)
			}
		}
	}
}

// refused runs a command line that has to fail with a code and an empty stdout, and
// returns what it says.
func refused(t *testing.T, code int, args ...string) string {
	t.Helper()
	var out, said strings.Builder
	if got := execute(t.Context(), args, strings.NewReader(""), &out, &said); got != code || out.Len() > 0 {
		t.Errorf("unroll %q: exit code %d, want %d; stdout %.100q; %s", args, got, code, &out, &said)
	}
	return said.String()
}
