package nn_test

import (
	"errors"
	"math"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// Tied weights that differ in the file are no model of tied weights: they are
// refused, at whatever element, and the model stays as it was.
func TestTiedWeightsThatDiffer(t *testing.T) {
	cfg := nn.Config{NumEmbeddings: 5, EmbeddingDim: 4, OutFeatures: 5, TieWeights: true, RNN: unroll.Config{Mode: unroll.GRU, HiddenSize: 4}}
	m, err := nn.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.ResetParameters(rng.New(1))
	before := m.StateDict()["embedding.weight"].Clone()
	for _, at := range []int{0, 7, 19} {
		dict := map[string]tensor.Dense{}
		for n, v := range m.StateDict() {
			dict[n] = v.Clone()
		}
		for i := range dict["rnn.bias_ih_l0"].Data {
			dict["rnn.bias_ih_l0"].Data[i]++
		}
		dict["fc.weight"].Data[at] += .5
		if err := m.Load(dict); !errors.Is(err, unroll.ErrParams) {
			t.Errorf("element %d: %v", at, err)
		}
		testkit.BitsDense(t, "embedding.weight", m.StateDict()["embedding.weight"], before)
		if m.StateDict()["rnn.bias_ih_l0"].Data[0] == dict["rnn.bias_ih_l0"].Data[0] {
			t.Error("the biases of a refused file were taken")
		}
		delete(dict, "fc.weight") // which tied weights do not need
		dict["rnn.bias_ih_l0"].Data[0]--
		if err := m.Load(dict); err != nil {
			t.Error(err)
		}
		testkit.BitsDense(t, "fc.weight", m.StateDict()["fc.weight"], before)
	}
}

// With dropout drawn anew from one seed for every pass, the loss is a smooth
// function of the parameters, whose gradients go through the masks: that of the
// head and, in stacks, those between layers.
func TestGradientsThroughDropout(t *testing.T) {
	for name, cfg := range map[string]nn.Config{
		"all":  {OutFeatures: 3, HeadDropout: .5, RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 5}},
		"last": {OutFeatures: 3, HeadDropout: .4, Output: "last", RNN: unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, NumLayers: 2, Dropout: .3, Bidirectional: true}},
		"tied": {NumEmbeddings: 4, EmbeddingDim: 4, OutFeatures: 4, TieWeights: true, HeadDropout: .5, RNN: unroll.Config{Mode: unroll.RNNTanh, HiddenSize: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := nn.NewOf[float64](cfg)
			if err != nil {
				t.Fatal(err)
			}
			g := rng.New(1)
			m.ResetParameters(g)
			in := nn.InputOf[float64]{Tokens: []int{0, 1, 2, 3, 3, 1}, T: 3, B: 2}
			if cfg.NumEmbeddings == 0 {
				in = nn.InputOf[float64]{Features: random(g, 3, 2, 3)}
			}
			p := nn.PassOf[float64]{Model: m, Train: true}
			sum := func() (float64, tensor.DenseOf[float64]) {
				m.Update(func() {})
				p.Generator = rng.New(6)
				y, _, err := p.Forward(in, unroll.StateOf[float64]{})
				if err != nil {
					t.Fatal(err)
				}
				d, s := y.Clone(), 0.0
				for i, v := range y.Data {
					d.Data[i] = v + float64(i)
					s += v*v/2 + float64(i)*v
				}
				return s, d
			}
			_, d := sum()
			if err := p.Backward(d); err != nil {
				t.Fatal(err)
			}
			for _, q := range p.Params() {
				testkit.Gradient(t, q.Name, func() float64 { s, _ := sum(); return s }, q.Value.Data, q.Grad.Data)
			}
		})
	}
}

// A large logit is no overflow, wherever in its row it stands, and one that is no
// number makes the loss none.
func TestCrossEntropyOfLargeLogits(t *testing.T) {
	for at := range 3 {
		x, grad := tensor.NewOf[float64](1, 3), make([]float64, 3)
		x.Data[at] = 1000
		loss, err := (&nn.CrossEntropyOf[float64]{}).Loss(x, []int{at}, grad)
		if err != nil || loss != 0 {
			t.Errorf("place %d: %v, %v, want 0", at, loss, err)
		}
		loss, err = (&nn.CrossEntropyOf[float64]{}).Loss(x, []int{(at + 1) % 3}, grad)
		if err != nil || loss != 1000 || grad[at] != 1 || grad[(at+1)%3] != -1 {
			t.Errorf("place %d: %v, %v, gradient %v, want 1000", at, loss, err, grad)
		}
		x.Data[at] = math.NaN()
		if loss, err = (&nn.CrossEntropyOf[float64]{}).Loss(x, []int{0}, grad); err != nil || !math.IsNaN(loss) {
			t.Errorf("NaN at %d: %v, %v", at, loss, err)
		}
	}
}

// Without up every loss counts once.
func TestLossesOfEachElement(t *testing.T) {
	x, y := tensor.NewOf[float64](1, 2), tensor.NewOf[float64](1, 2)
	x.Data[0], x.Data[1] = 3, -1
	each, grad := make([]float64, 2), make([]float64, 2)
	if err := nn.MSEOf[float64](nn.Sum).Each(each, x, y, nil, grad); err != nil || each[0] != 9 || each[1] != 1 || grad[0] != 6 || grad[1] != -2 {
		t.Errorf("%v, %v, %v; want [9 1] and [6 -2]", each, grad, err)
	}
	var ce nn.CrossEntropyOf[float64]
	whole := make([]float64, 2)
	sum, err := (&nn.CrossEntropyOf[float64]{Reduction: nn.Sum}).Loss(x, []int{0}, whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := ce.Each(each[:1], x, []int{0}, nil, grad); err != nil || each[0] != sum || grad[0] != whole[0] || grad[1] != whole[1] {
		t.Errorf("%v, %v, %v; the sum is %v, %v", each, grad, err, sum, whole)
	}
}

// What dropout, embedding and linear layer take and refuse at the edge.
func TestEdges(t *testing.T) {
	for _, p := range []float64{0, 1} {
		if err := (&nn.Dropout{P: p}).Forward(nil, make([]float32, 2), make([]float32, 2)); err != nil {
			t.Errorf("dropout %v draws nothing and needs no generator: %v", p, err)
		}
	}
	for padding, want := range map[int]int{0: 0, 2: 2, -1: 2, -3: 0} {
		e, err := nn.NewEmbedding(3, 2, &padding)
		if err != nil || e.PaddingIdx != want {
			t.Errorf("padding_idx %d: %v, want %d", padding, err, want)
		}
	}
	for _, padding := range []int{3, -4} {
		if _, err := nn.NewEmbedding(3, 2, &padding); !errors.Is(err, nn.ErrConfig) {
			t.Errorf("padding_idx %d: %v", padding, err)
		}
	}
	for name, table := range map[string]tensor.Dense{"one dimension": tensor.New(3), "no data": {Shape: []int{3, 2}}} {
		if err := (&nn.Embedding{Weight: table, PaddingIdx: -1}).Forward(make([]float32, 3), []int{0}); !errors.Is(err, nn.ErrUsage) {
			t.Errorf("a table of %s: %v", name, err)
		}
	}
	l, err := nn.NewLinear(3, 2, true)
	if err != nil {
		t.Fatal(err)
	}
	good, out := tensor.New(4, 3), tensor.New(4, 2)
	gw, gb := tensor.New(2, 3), tensor.New(2)
	if _, err := l.Backward(good, out, gw, gb); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]tensor.Dense{"too wide": tensor.New(3, 4), "a number": tensor.New(), "short of data": {Shape: []int{4, 3}, Data: make([]float32, 11)}} {
		if _, err := l.Forward(bad); !errors.Is(err, nn.ErrShape) {
			t.Errorf("forward, %s: %v", name, err)
		}
		if _, err := l.Backward(bad, out, gw, gb); !errors.Is(err, nn.ErrShape) {
			t.Errorf("backward, x %s: %v", name, err)
		}
		if _, err := l.Backward(good, bad, gw, gb); !errors.Is(err, nn.ErrShape) {
			t.Errorf("backward, dy %s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"rows": second(l.Backward(good, tensor.New(3, 2), gw, gb)),
		"gw":   second(l.Backward(good, out, tensor.New(5), gb)),
		"gb":   second(l.Backward(good, out, gw, tensor.Dense{})),
	} {
		if !errors.Is(err, nn.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ tensor.Dense, err error) error { return err }

// Rows that count for nothing have no gradient, whatever stood in its memory: it
// may be the logits'.
func TestIgnoredRowsHaveNoGradient(t *testing.T) {
	for _, each := range []bool{false, true} {
		x := tensor.NewOf[float64](3, 2)
		for i := range x.Data {
			x.Data[i] = float64(i + 1)
		}
		var err error
		if l := (&nn.CrossEntropyOf[float64]{}); each {
			err = l.Each(nil, x, []int{0, -100, 1}, nil, x.Data)
		} else {
			_, err = l.Loss(x, []int{0, -100, 1}, x.Data)
		}
		if err != nil || x.Data[2] != 0 || x.Data[3] != 0 || x.Data[0] == 0 || x.Data[4] == 0 {
			t.Errorf("gradient %v, %v", x.Data, err)
		}
	}
}
