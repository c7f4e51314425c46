package explain

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// exampleTrace is the page's example: manual_seed(0), randn(5, 3), RNN(3, 4,
// num_layers=2).
func exampleTrace(t testing.TB) *Trace {
	t.Helper()
	layer, x, err := Example(2)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := NewTrace(layer, x, unroll.State{})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Run(nil); err != nil {
		t.Fatal(err)
	}
	return tr
}

func all() TextOptions { return TextOptions{Step: -1, Layer: -1, Unit: -1} }

// The numbers are PyTorch's for this seed.
func TestTextOfTheExample(t *testing.T) {
	var b bytes.Buffer
	if err := exampleTrace(t).Text(&b, all()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"x_0 = [1.5410, -0.2934, -2.1788]",
		"h_0^2 = tanh(W_ih^2 h_0^1 + b_ih^2 + W_hh^2 h_init^2 + b_hh^2)",
		"h_1^2 = tanh(W_ih^2 h_1^1 + b_ih^2 + W_hh^2 h_0^2 + b_hh^2)",
		"layer 2 (l1)\n",
		"h_0^2 = [-0.3164, 0.3568, -0.3453, -0.9212]",
		"output[4] = [0.1340, 0.1614, 0.1837, -0.6358]",
		"h_n[1]    = [0.1340, 0.1614, 0.1837, -0.6358]",
		"4 of 4 numbers are the same, bit for bit",
		"step 0, layer 1: mat1 and mat2 shapes cannot be multiplied (1x3 and 4x4)",
		"changes 0 of the 20 numbers",
		"16 of the 20 numbers of output are wrong",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q", want)
		}
	}
	if strings.Contains(b.String(), "!!") {
		t.Error("a number differs from the record")
	}
}

func TestTextNarrowed(t *testing.T) {
	tr := exampleTrace(t)
	var b bytes.Buffer
	if err := tr.Text(&b, TextOptions{Step: 2, Layer: 1, Unit: 3}); err != nil {
		t.Fatal(err)
	}
	s := b.String()
	if !strings.Contains(s, "Processing x_2") || strings.Contains(s, "layer 1") || strings.Contains(s, "Processing x_1") || strings.Contains(s, "[2] =") {
		t.Errorf("got\n%s", s)
	}
	for _, bad := range []TextOptions{{Step: 5, Layer: -1, Unit: -1}, {Step: -1, Layer: 2, Unit: -1}, {Step: -1, Layer: -1, Unit: 4}, {Step: -2}} {
		if err := tr.Text(&b, bad); !errors.Is(err, unroll.ErrUsage) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestTextShowsCharacters(t *testing.T) {
	var b bytes.Buffer
	opt := all()
	opt.Labels = []string{"a", " ", "\n", "extraordinary", "b"}
	if err := exampleTrace(t).Text(&b, opt); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n                     a        ␣        ⏎ extraor…        b\n", `Processing x_3 "extraordinary" ===`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
}

func TestTextOfEveryCell(t *testing.T) {
	for _, cfg := range configs() {
		tr := traceOf(t, cfg, 4)
		for _, latex := range []bool{false, true} {
			var b bytes.Buffer
			opt := all()
			opt.LaTeX, opt.Color = latex, !latex
			if err := tr.Text(&b, opt); err != nil {
				t.Fatal(err)
			}
			s := b.String()
			if strings.Contains(s, "!!") || strings.Contains(s, "%!") || !latex && strings.ContainsAny(s, `\{}`) {
				t.Errorf("%v:\n%s", cfg, s)
			}
			if latex && strings.Count(s, "{") != strings.Count(s, "}") {
				t.Errorf("%v: braces do not match", cfg)
			}
		}
	}
}

func TestTextOfALongRunIsShort(t *testing.T) {
	layer, err := unroll.New(unroll.Config{InputSize: 30, HiddenSize: 40})
	if err != nil {
		t.Fatal(err)
	}
	layer.ResetParameters(rng.New(1))
	tr, err := NewTrace(layer, tensor.New(500, 30), unroll.State{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tr.Text(&b, all()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n > 260 || !strings.Contains(b.String(), "steps left out") || !strings.Contains(b.String(), "units left out") {
		t.Errorf("%d lines", n)
	}
	for _, line := range strings.Split(b.String(), "\n")[:30] {
		if n := len([]rune(line)); n > 130 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// Text of one step computes what leads to it, not the run, and the same numbers.
func TestTextOfOneStepComputesNoMore(t *testing.T) {
	const steps, lanes = 100 * longest, 3
	for _, c := range []struct {
		cfg         unroll.Config
		step, layer int
		want        int // steps of lanes, beside one of each cell that is written
	}{
		{unroll.Config{Mode: unroll.LSTM}, 0, 0, 1},
		{unroll.Config{Mode: unroll.LSTM}, 2*longest + 5, 1, 2 * (2*longest + 6)},
		{unroll.Config{Mode: unroll.LSTM}, longest - 1, -1, lanes * longest},
		{unroll.Config{Mode: unroll.LSTM}, longest, -1, lanes * (longest + 1)},
		{unroll.Config{Mode: unroll.GRU, Variant: unroll.Variant{Reverse: true}}, steps - longest - 5, 1, 2 * (longest + 5)},
		{unroll.Config{Bidirectional: true}, 7, 0, steps + 1}, // each direction as far as the step
	} {
		c.cfg.InputSize, c.cfg.HiddenSize, c.cfg.NumLayers = 2, 3, lanes
		whole := traceOf(t, c.cfg, steps)
		part, err := NewTrace(whole.Layer, whole.X, whole.S0)
		if err != nil {
			t.Fatal(err)
		}
		opt := TextOptions{Step: c.step, Layer: c.layer, Unit: -1}
		var want, got bytes.Buffer
		if err := whole.Text(&want, opt); err != nil {
			t.Fatal(err)
		}
		if err := part.Text(&got, opt); err != nil {
			t.Fatal(err)
		}
		if got.String() != want.String() {
			t.Errorf("%v, step %d: the text is\n%s\nof the whole run\n%s", c.cfg, c.step, got.String(), want.String())
		}
		cells := c.cfg.Directions()
		if c.layer < 0 {
			cells *= lanes
		}
		if n := part.computed; n != c.want+cells {
			t.Errorf("%v, step %d of layer %d: %d steps of lanes were computed, expected %d", c.cfg, c.step, c.layer, n, c.want+cells)
		}
	}
}

// Text of all of a run computes it once, each cell that it writes once more, the chain
// where there is one, and the loops that it tells of.
func TestTextComputesWhatItTells(t *testing.T) {
	const cells = mostSteps - 1
	for _, c := range []struct {
		cfg         unroll.Config
		steps, want int
	}{
		{unroll.Config{InputSize: 3, HiddenSize: 3}, 40, 40 + cells + 2*40},
		{unroll.Config{InputSize: 3, HiddenSize: 3, NumLayers: 2}, 40, 2 * (40 + cells + 40 + 3*40)},
		{unroll.Config{InputSize: 3, HiddenSize: 4, NumLayers: 2}, 40, 2*(40+cells+40+2*40) + 1}, // the first loop stops
		{unroll.Config{InputSize: 3, HiddenSize: 3, NumLayers: 2}, mostRepeated + 50, 2*(mostRepeated+50+cells) + 2*4*mostRepeated},
		{unroll.Config{InputSize: 6, HiddenSize: 3, NumLayers: 2, Bidirectional: true}, 40, 4 * (40 + cells + 40 + 3*40)},
	} {
		ran := traceOf(t, c.cfg, c.steps)
		tr, err := NewTrace(ran.Layer, ran.X, ran.S0)
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Text(io.Discard, all()); err != nil {
			t.Fatal(err)
		}
		if tr.computed != c.want {
			t.Errorf("%v, %d steps: %d steps of lanes were computed, expected %d", c.cfg, c.steps, tr.computed, c.want)
		}
	}
}

// Of a long run the loops are tried on its first steps, and the text says so.
func TestTextTriesLoopsOnTheFirstSteps(t *testing.T) {
	var b bytes.Buffer
	if err := traceOf(t, unroll.Config{InputSize: 4, HiddenSize: 4, NumLayers: 2}, mostRepeated+1).Text(&b, all()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"takes its first 1000 steps", "Of the last output 4000 of 4000 numbers", "4000 of the 4000 numbers of output", "output[1000] = ["} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String()[max(0, b.Len()-3000):])
		}
	}
}

// Of a large layer fewer steps: what the text repeats costs no more than a bound.
func TestTextRepeatsNoMoreThanAFewStepsOfALargeLayer(t *testing.T) {
	cfg := unroll.Config{Mode: unroll.LSTM, InputSize: 8, HiddenSize: 512}
	want := repeatedWork / (2048 * (8 + 512))
	tr := traceOf(t, cfg, want+20)
	var b bytes.Buffer
	if err := tr.Text(&b, all()); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprintf("takes its first %d steps", want), fmt.Sprintf("of the %d numbers of output", 512*want)} {
		if !strings.Contains(b.String(), s) {
			t.Errorf("the text lacks %q:\n%s", s, b.String()[max(0, b.Len()-3000):])
		}
	}
}
