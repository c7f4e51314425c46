package train

import (
	"fmt"
	"testing"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// Workers share clipping and every optimiser's step, of gradients that are sparse
// too, and change no bit.
func TestSharedStepsGiveTheSameBits(t *testing.T) {
	defer func(n int) { shareLeast = n }(shareLeast)
	shareLeast = 1
	defer kernel.RunExactly(kernel.RunExactly(true))
	sgd, heavy := NewSGD(0.1), NewSGD(0.1)
	heavy.Momentum = 0.9
	for _, alg := range []Algorithm{sgd, heavy, NewAdam(0.1), NewAdamW(0.1), NewRMSprop(0.1), NewAdagrad(0.1)} {
		run := func(workers int) (all [][]float32, norms []float64) {
			g := rng.New(5)
			params := []nn.Param{
				{Name: "table", Value: tensor.New(9, 7), Grad: tensor.New(9, 7), Sparse: true, Rows: []int{4, 0, 8}},
				{Name: "weight", Value: tensor.New(41, 5), Grad: tensor.New(41, 5)},
				{Name: "bias", Value: tensor.New(3), Grad: tensor.New(3)},
			}
			o, err := NewOptimizer(alg)
			if err != nil {
				t.Fatal(err)
			}
			o.Workers = workers
			clip := NormClip{Workers: workers}
			for _, p := range params {
				rng.Randn(g, p.Value.Data)
			}
			for range 3 {
				for _, p := range params {
					if !p.Sparse {
						rng.Randn(g, p.Grad.Data)
						continue
					}
					for _, r := range p.Rows {
						rng.Randn(g, p.Grad.Data[7*r:7*r+7])
					}
				}
				norm, err := clip.Clip(params, 1)
				if err != nil {
					t.Fatal(err)
				}
				norms = append(norms, norm)
				if err := o.Step(params); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range params {
				all = append(all, p.Value.Data, p.Grad.Data)
			}
			return all, norms
		}
		want, norms := run(1)
		for _, n := range []int{2, 5} {
			got, gotNorms := run(n)
			for i := range want {
				testkit.Bits(t, fmt.Sprintf("%s, %d workers, tensor %d", alg.Name(), n, i), got[i], want[i])
			}
			for i, v := range norms {
				if gotNorms[i] != v {
					t.Errorf("%s, %d workers: norm %v, want %v", alg.Name(), n, gotNorms[i], v)
				}
			}
		}
	}
}

// BenchmarkOptimizerStep is a step of each default on the parameters of a word
// model's layer, which no cache holds.
func BenchmarkOptimizerStep(b *testing.B) {
	for _, alg := range []Algorithm{NewSGD(1e-3), NewAdam(1e-3)} {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprint(alg.Name(), "/", workers), func(b *testing.B) {
				params := []nn.Param{{Name: "weight", Value: tensor.New(2600, 2600), Grad: tensor.New(2600, 2600)}}
				rng.Randn(rng.New(1), params[0].Grad.Data)
				o, err := NewOptimizer(alg)
				if err != nil {
					b.Fatal(err)
				}
				o.Workers = workers
				for b.Loop() {
					if err := o.Step(params); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
