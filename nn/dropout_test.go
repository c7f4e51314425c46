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

// The noise is that of rng.Dropout (PyTorch's, golden/rng), the gradient goes
// through the same noise.
func TestDropout(t *testing.T) {
	x := []float32{1, -2, 3, 4, 0, 6, 7, 8}
	for _, p := range []float64{0, .3, 1} {
		noise := make([]float32, len(x))
		if err := rng.Dropout(rng.New(5), noise, p); err != nil {
			t.Fatal(err)
		}
		d := nn.Dropout{P: p}
		got, grad := make([]float32, len(x)), []float32{1, 1, 1, 1, 1, 1, 1, 1}
		if err := d.Forward(rng.New(5), got, x); err != nil {
			t.Fatal(err)
		}
		if err := d.Backward(grad); err != nil {
			t.Fatal(err)
		}
		testkit.Bits(t, "gradient", grad, noise)
		for i, v := range x {
			if got[i] != v*noise[i] {
				t.Errorf("p %v: element %d is %v, want %v", p, i, got[i], v*noise[i])
			}
		}
		same := append([]float32{}, x...)
		if err := d.Forward(rng.New(5), same, same); err != nil {
			t.Fatal(err)
		}
		testkit.Bits(t, "in place", same, got)
	}
	d := nn.Dropout{P: .5}
	if err := d.Backward(x); !errors.Is(err, nn.ErrUsage) {
		t.Errorf("Backward first: %v", err)
	}
	if err := d.Forward(nil, x, x); !errors.Is(err, nn.ErrUsage) {
		t.Errorf("no generator: %v", err)
	}
	if err := d.Forward(rng.New(1), x[:3], x); !errors.Is(err, nn.ErrShape) {
		t.Errorf("a short dst: %v", err)
	}
	for _, p := range []float64{-.1, 1.1, math.NaN()} {
		if err := (&nn.Dropout{P: p}).Forward(rng.New(1), x, x); !errors.Is(err, nn.ErrConfig) {
			t.Errorf("p %v: %v", p, err)
		}
	}
}

func gradients(t *testing.T, p *nn.Pass, in nn.Input) (all [][]float32) {
	t.Helper()
	y, _, err := p.Forward(in, unroll.State{})
	if err != nil {
		t.Fatal(err)
	}
	d := tensor.New(y.Shape...)
	for i := range d.Data {
		d.Data[i] = float32(i%7) - 3
	}
	p.Zero()
	if err := p.Backward(d); err != nil {
		t.Fatal(err)
	}
	for _, q := range p.Params() {
		all = append(all, q.Grad.Clone().Data)
	}
	return all
}

// What a pass did before, in evaluation mode or with another model, leaves no
// trace in its gradients.
func TestAPassBeginsAnew(t *testing.T) {
	for _, output := range []string{"all", "last"} {
		cfg := nn.Config{NumEmbeddings: 5, EmbeddingDim: 4, OutFeatures: 3, Output: output, HeadDropout: .5, RNN: unroll.Config{Mode: unroll.GRU, HiddenSize: 6, NumLayers: 2, Dropout: .3}}
		m, err := nn.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		m.ResetParameters(rng.New(1))
		in := nn.Input{Tokens: []int{0, 1, 2, 3, 4, 2}, T: 3, B: 2}
		want := gradients(t, &nn.Pass{Model: m, Train: true, Generator: rng.New(2)}, in)

		cfg.RNN.HiddenSize = 9
		other, _ := nn.New(cfg)
		other.ResetParameters(rng.New(4))
		p := nn.Pass{Model: other, Train: true, Generator: rng.New(3)}
		gradients(t, &p, in)
		p.Model, p.Train = m, false
		if _, _, err := p.Forward(in, unroll.State{}); err != nil {
			t.Fatal(err)
		}
		if err := p.Backward(tensor.New(3, 2, 3)); !errors.Is(err, nn.ErrUsage) {
			t.Errorf("Backward after an evaluation: %v", err)
		}
		p.Train, p.Generator = true, rng.New(2)
		for i, g := range gradients(t, &p, in) {
			testkit.Bits(t, output+": gradient of "+p.Params()[i].Name, g, want[i])
		}
		if _, _, err := p.Forward(in, unroll.State{}); err != nil {
			t.Fatal(err)
		}
		p.Model = other
		if err := p.Backward(tensor.New(3, 2, 3)); !errors.Is(err, nn.ErrUsage) {
			t.Errorf("Backward of another model: %v", err)
		}
	}
}

// Values that no constructor made are errors, not panics.
func TestZeroValuesAreRefused(t *testing.T) {
	x := tensor.New(2, 3)
	_, loss := new(nn.Pointwise).Loss(x, x, nil)
	_, linear := new(nn.Linear).Forward(tensor.New(2, 0))
	_, back := new(nn.Linear).Backward(tensor.New(2, 0), tensor.New(2, 0), tensor.Dense{}, tensor.Dense{})
	e, _ := nn.NewEmbedding(3, 1, nil)
	_, _, pass := (&nn.Pass{Model: new(nn.Model)}).Forward(nn.Input{Features: tensor.New(1, 1, 1)}, unroll.State{})
	for name, err := range map[string]error{
		"loss": loss, "linear": linear, "linear backward": back, "pass": pass,
		"embedding":          new(nn.Embedding).Forward(nil, nil),
		"embedding backward": new(nn.Embedding).Backward(nil, nil, nil),
		"row gradient":       e.Backward([]float32{1}, []int{0}, nil),
		"empty row gradient": e.Backward([]float32{1}, []int{0}, new(nn.RowGradOf[float32])),
	} {
		if !errors.Is(err, nn.ErrUsage) {
			t.Errorf("%s: %v, want an ErrUsage", name, err)
		}
	}
	p := nn.Pass{}
	p.Zero()
	if n := len(p.Params()); n != 0 {
		t.Errorf("%d parameters without a model", n)
	}
	if err := p.Backward(x); !errors.Is(err, nn.ErrUsage) {
		t.Errorf("Backward without a model: %v", err)
	}
	new(nn.RowGradOf[float32]).Zero()
}
