package explain

import (
	"bytes"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/cell"
)

// variants are settings of cells beyond torch.nn, with what the text and the
// LaTeX of them must say.
var variants = []struct {
	cfg         unroll.Config
	text, latex []string
}{
	{unroll.Config{Mode: unroll.RNNTanh, InputSize: 3, HiddenSize: 4, NumLayers: 2, Variant: unroll.Variant{Reverse: true}}, []string{
		"reverse: from the last step to the first", "its first column",
	}, nil},
	{unroll.Config{Mode: unroll.RNNTanh, InputSize: 3, HiddenSize: 4, Variant: unroll.Variant{Activations: [3]unroll.Activation{{Name: "LeakyRelu", Alpha: 0.25}}}}, []string{
		"leakyrelu(W_ih", "leakyrelu(x) = x where x ≥ 0, else 0.25·x",
	}, []string{`\operatorname{LeakyReLU}(x) &= x\text{ where }x \ge 0\text{, else }0.25\,x`}},
	{unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 17, NumLayers: 2, Bidirectional: true, Variant: unroll.Variant{
		Activations: [3]unroll.Activation{{Name: "HardSigmoid", Alpha: 0.2, Beta: 0.5}, {Name: "Softsign"}, {Name: "Elu", Alpha: 1}}, ReverseActivations: [3]unroll.Activation{{}, {}, {Name: "Relu"}},
	}}, []string{
		"o · elu(c_", "hardsigmoid(x) = max(0, min(1, 0.2·x + 0.5))", "o·elu(c)", "o·relu(c)", "g = softsign(W_ig", "g = tanh(W_ig",
	}, nil},
	{unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 5, Variant: unroll.Variant{Peepholes: true, Clip: 0.3}}, []string{
		"sigmoid(clip(W_ii", " + p_i^1 · c_init^1)", " + p_o^1 · c_0^1)", "clip(x) = max(-0.3, min(0.3, x))", "sigmoid(clip(",
	}, []string{`\operatorname{clip}\bigl(`, `p_{o}\,c_{0}^{1}`}},
	{unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 6, ProjSize: 2, Variant: unroll.Variant{Peepholes: true, InputForget: true}}, []string{
		"f = 1 - i\n", "h_0^1 = W_hr^1 (o · tanh(c_0^1))",
	}, nil},
	{unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, Variant: unroll.Variant{InputForget: true}}, []string{
		"f = 1 - i\n", "f[0] = 1 - i = 1 - ",
	}, []string{`f[0] &= 1 - i = 1 - `}},
	{unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 18, NumLayers: 2, Variant: unroll.Variant{ResetBefore: true}}, []string{
		"W_hn^1 (r · h_init^1)",
	}, []string{`W_{hn}\,(r\,h)`, `W_{hn}^{1} \bigl(r \odot h_{\text{init}}^{1}\bigr)`}},
	{unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, NoBias: true, Variant: unroll.Variant{Reverse: true, Activations: [3]unroll.Activation{{Name: "HardSigmoid", Alpha: 0.2, Beta: 0.5}}, Clip: 2}}, []string{
		"r·(", "hardsigmoid(clip(",
	}, nil},
}

// every checks that each number of a trace, spelled out, arrives at the record's
// bits, and that each gate is its function of its sum.
func every(t *testing.T, tr *Trace) {
	t.Helper()
	for l := range tr.cfg.NumLayers {
		for d := range tr.cfg.Directions() {
			for s := range tr.Steps() {
				for u := range tr.cfg.HiddenSize {
					unit, err := tr.Unit(l, d, s, u, true)
					if err != nil || !unit.Same {
						t.Fatalf("%v layer %d direction %d step %d unit %d: %v, spelled out %v, record %v", tr.cfg, l, d, s, u, err, unit.H, unit.Record)
					}
					for k, g := range unit.Gates {
						fn := tr.cells[d].gates[k].fn
						pre := float32(g.Pre)
						if g.Clip > 0 {
							pre = max(-float32(g.Clip), min(float32(g.Clip), pre))
						}
						// The toy has functions of its own, which differ in the last digits.
						if v := float32(g.Value); g.Coupled == "" && (v-fn.At(pre) > 1e-6 || fn.At(pre)-v > 1e-6) {
							t.Fatalf("%v gate %s: %s(%v) is %v, the record has %v", tr.cfg, g.Name, fn.Name, pre, fn.At(pre), v)
						}
					}
				}
			}
		}
	}
}

// Settings beyond torch.nn are spelled out to the record's bits too, and said.
func TestVariantsAreSpelledOut(t *testing.T) {
	for _, v := range variants {
		tr := traceOf(t, v.cfg, 5)
		every(t, tr)
		y, sn, err := tr.Layer.Forward(tr.X, tr.S0)
		if err != nil {
			t.Fatal(err)
		}
		if differ(y.Data, tr.Output().Data)+differ(sn.H.Data, tr.HN().Data) > 0 {
			t.Errorf("%v: the trace is not the layer's run", v.cfg)
		}
		for _, latex := range []bool{false, true} {
			var b bytes.Buffer
			opt, wants := all(), v.text
			if opt.LaTeX = latex; latex {
				wants = v.latex
			}
			if err := tr.Text(&b, opt); err != nil {
				t.Fatal(err)
			}
			for _, want := range wants {
				if !strings.Contains(b.String(), want) {
					t.Errorf("%v: latex %v lacks %q:\n%s", v.cfg, latex, want, b.String())
				}
			}
			if strings.Contains(b.String(), "!!") || !latex && strings.ContainsAny(b.String(), `\{}`) {
				t.Errorf("%v:\n%s", v.cfg, b.String())
			}
		}
		slopes(t, tr)
	}
}

// A formula that cannot be read, or names what is not there, is an error in words.
func TestFormulasAreChecked(t *testing.T) {
	for _, c := range []struct{ right, want string }{
		{"{q} * {h-}", "there is no q"},
		{"{f} * ", "expected 1, {, [ or ("},
		{"(1 - {f}", "expected )"},
		{"{f", "a name and }"},
		{"[7]({f})", "a place"},
		{"{f} {n}", "an end"},
		{"{c-}", "there is no c-"},
	} {
		k := toyKind
		k.States = []cell.Formula{{Left: "h", Right: c.right}}
		row, undo := cell.Register(&k)
		_, err := newCellText(unroll.Config{Mode: unroll.Mode(row), InputSize: 1, HiddenSize: 1})
		undo()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, expected %q", c.right, err, c.want)
		}
	}
}
