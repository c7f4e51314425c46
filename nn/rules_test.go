package nn_test

import (
	"errors"
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
