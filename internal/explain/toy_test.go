package explain

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// toyKind is a cell that nothing but this test knows: a minimal gated unit
// (Zhou et al., 2016), whose second gate is late,
//
//	f = sigmoid(W_if x + b_if + W_hf h + b_hf)
//	n = tanh(W_in x + b_in + W_hn (f*h) + b_hn)
//	h' = (1-f)*h + f*n
var toyKind = cell.Kind{
	Name: "TOY", Class: "Toy",
	Gates:     []cell.Gate{{Name: "f"}, {Name: "n", Function: 1, Late: "{f} * {h-}"}},
	Traits:    cell.Traits{Gates: 2, Activations: true, Late: true},
	Functions: []string{"Sigmoid", "Tanh"},
	States:    []cell.Formula{{Left: "h", Right: "(1 - {f}) * {h-} + {f} * {n}"}},
	Single:    func(*cell.Kind, cell.Settings) cell.Cell[float32] { return toy[float32]{} },
	Double:    func(*cell.Kind, cell.Settings) cell.Cell[float64] { return toy[float64]{} },
}

// toy is its arithmetic, in plain Go.
type toy[F kernel.Float] struct{}

func (toy[F]) Traits() cell.Traits {
	return cell.Traits{Gates: 2, Activations: true, Late: true}
}
func (toy[F]) Chain() kernel.ChainOp           { return kernel.NoChain }
func (toy[F]) PerUnitGrads(*cell.Step[F], []F) {}

func (toy[F]) Forward(s *cell.Step[F]) {
	for r := range s.M {
		for j, z := range s.Z.At(r, s.N) {
			f := F(1 / (1 + math.Exp(-float64(z))))
			s.X.At(r, s.N)[j] = f
			s.Late.At(r, s.N)[j] = f * s.HPrev.At(r, s.N)[j]
		}
	}
}

func (toy[F]) ForwardLate(s *cell.Step[F]) {
	for r := range s.M {
		x := s.X.At(r, kernel.Lane+s.N)
		for j, z := range s.Z.At(r, s.N) {
			f, n := x[j], F(math.Tanh(float64(z)))
			x[kernel.Lane+j] = n
			s.H.At(r, s.N)[j] = F((1-f)*s.HPrev.At(r, s.N)[j]) + F(f*n)
		}
	}
}

func (toy[F]) Backward(s *cell.Step[F]) {
	for r := range s.M {
		x, dx := s.X.At(r, kernel.Lane+s.N), s.DX.At(r, s.Gate+s.N)
		for j, d := range s.DH.At(r, s.N) {
			f, n := x[j], x[kernel.Lane+j]
			dx[s.Gate+j] = d * f * (1 - n*n)
			s.DH.At(r, s.N)[j] = d * (1 - f)
			dx[j] = d * (n - s.HPrev.At(r, s.N)[j]) // of f; BackwardLate adds the rest
		}
	}
}

func (toy[F]) BackwardLate(s *cell.Step[F]) {
	for r := range s.M {
		hp, dx := s.HPrev.At(r, s.N), s.DX.At(r, s.N)
		for j, f := range s.X.At(r, s.N) {
			late := s.Late.At(r, s.N)[j]
			dx[j] = (dx[j] + late*hp[j]) * f * (1 - f)
			s.DH.At(r, s.N)[j] += late * f
		}
	}
}

// toyTrace registers the toy for a test and runs a layer of it.
func toyTrace(t *testing.T, cfg unroll.Config) *Trace {
	t.Helper()
	row, undo := cell.Register(&toyKind)
	t.Cleanup(undo)
	cfg.Mode = unroll.Mode(row)
	return traceOf(t, cfg, 5)
}

var toyConfigs = []unroll.Config{
	{InputSize: 3, HiddenSize: 4, NumLayers: 2},
	{InputSize: 2, HiddenSize: 17, NumLayers: 2, Bidirectional: true, NoBias: true},
}

// A cell that stands in the table and nowhere else is explained: each number is
// spelled out to the bits of the record, and the formulas are those of its Kind.
func TestToyCellIsSpelledOut(t *testing.T) {
	for _, cfg := range toyConfigs {
		tr := toyTrace(t, cfg)
		every(t, tr)
		var text, latex bytes.Buffer
		if err := tr.Text(&text, all()); err != nil {
			t.Fatal(err)
		}
		opt := all()
		opt.LaTeX = true
		if err := tr.Text(&latex, opt); err != nil {
			t.Fatal(err)
		}
		u, err := tr.Unit(0, 0, 2, 1, false)
		if err != nil {
			t.Fatal(err)
		}
		f, n := u.Gates[0].Value, u.Gates[1].Value
		for _, want := range []string{
			"TOY, input_size",
			"f[1] = sigmoid(", "n[1] = tanh(",
			fmt.Sprintf("(1-f)·h + f·n = (1 - %s)·%s + %s·%s = %s\n", f.Short(), signed(u.HPrev), f.Short(), signed(n), u.H),
			"The hand-written loop",
		} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%v: the text lacks %q:\n%s", cfg, want, text.String())
			}
		}
		for _, want := range []string{`(1 - f) \odot h_`, ` + f \odot n`, `\bigl(f \odot h_`, `(1 - f)\,h + f\,n = (1 - ` + f.Short() + `)`} {
			if !strings.Contains(latex.String(), want) {
				t.Errorf("%v: the LaTeX lacks %q:\n%s", cfg, want, latex.String())
			}
		}
		if strings.Contains(text.String(), "!!") || strings.ContainsAny(text.String(), `\{}`) {
			t.Errorf("%v: %s", cfg, text.String())
		}
	}
}

// Its derivatives are slopes, and what a page asks of it is answered.
func TestToyCellIsAsked(t *testing.T) {
	tr := toyTrace(t, toyConfigs[0])
	slopes(t, tr)
	s := session(t, tr, false)
	for k, name := range []string{"f", "n"} {
		want, err := tr.Gate(1, 0, 0, 5, name)
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(t, s, "values", map[string]any{"what": name, "lane": 1}, nil); differ(got, want.Data) > 0 {
			t.Errorf("gate %s differs", name)
		}
		if got := ask(t, s, "openness", map[string]any{"layer": 1, "from": 0, "to": 5}, nil); len(got) != 10 || math.Abs(float64(got[5*k]-mean(want.Data[:4]))) > 1e-6 {
			t.Errorf("means of gate %s: %v", name, got)
		}
	}
	about := s.about().(map[string]any)
	if got := fmt.Sprint(about["gates"], about["cell"], about["bounded"]); got != "[f n] false true" {
		t.Errorf("the page is told %s", got)
	}
}

func mean(v []float32) float32 {
	sum := float32(0)
	for _, x := range v {
		sum += x
	}
	return sum / float32(len(v))
}
