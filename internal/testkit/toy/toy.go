// Package toy is a cell that nobody ships: a Kind as a new cell would bring it,
// in one file, for tests of what a new cell needs elsewhere, which is nothing.
// Only tests import it.
package toy

import (
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Kind is the minimal gated unit of Zhou et al. (2016,
// https://arxiv.org/abs/1603.09420):
//
//	f = sigmoid(W_if x + b_if + W_hf h + b_hf)
//	n = tanh(W_in x + b_in + W_hn (f*h) + b_hn)
//	h' = (1-f)*h + f*n
var Kind = cell.Kind{
	Name: "MGU", Class: "MGU",
	Gates:     []cell.Gate{{Name: "f", Function: 0}, {Name: "n", Function: 1, Late: "{f} * {h-}"}},
	Traits:    cell.Traits{Gates: 2, Activations: true, Late: true},
	Functions: []string{"Sigmoid", "Tanh"},
	States:    []cell.Formula{{Left: "h", Right: "(1 - {f}) * {h-} + {f} * {n}"}},
	Single:    func(*cell.Kind, cell.Settings) cell.Cell[float32] { return mgu[float32]{} },
	Double:    func(*cell.Kind, cell.Settings) cell.Cell[float64] { return mgu[float64]{} },
}

type mgu[F kernel.Float] struct{}

func (mgu[F]) Traits() cell.Traits             { return Kind.Traits }
func (mgu[F]) Chain() kernel.ChainOp           { return kernel.NoChain }
func (mgu[F]) PerUnitGrads(*cell.Step[F], []F) {}

func (mgu[F]) Forward(s *cell.Step[F]) {
	for r := range s.M {
		z, x, hp, late := s.Z.At(r, s.N), s.X.At(r, s.N), s.HPrev.At(r, s.N), s.Late.At(r, s.N)
		for j := range z {
			x[j] = kernel.Sigmoid(z[j])
			late[j] = kernel.Flush(F(x[j] * hp[j]))
		}
	}
}

func (mgu[F]) ForwardLate(s *cell.Step[F]) {
	const lane = kernel.Lane
	for r := range s.M {
		z, x, hp, h := s.Z.At(r, s.N), s.X.At(r, 2*lane), s.HPrev.At(r, s.N), s.H.At(r, s.N)
		for j := range z {
			x[lane+j] = kernel.Tanh(z[j])
			h[j] = kernel.Flush(kernel.FMA(x[j], x[lane+j]-hp[j], hp[j]))
		}
	}
}

func (mgu[F]) Backward(s *cell.Step[F]) {
	const lane = kernel.Lane
	gate := s.Gate
	for r := range s.M {
		x, dh, dx := s.X.At(r, 2*lane), s.DH.At(r, s.N), s.DX.At(r, gate+s.N)
		for j, d := range dh {
			f, n := x[j], x[lane+j]
			dx[gate+j] = kernel.Flush(F(F(d*f) * kernel.FMA(-n, n, 1)))
			dx[j] = d // until BackwardLate, which also needs it
			dh[j] = kernel.Flush(F(d * (1 - f)))
		}
	}
}

func (mgu[F]) BackwardLate(s *cell.Step[F]) {
	const lane = kernel.Lane
	for r := range s.M {
		x, hp, dh, dx, late := s.X.At(r, 2*lane), s.HPrev.At(r, s.N), s.DH.At(r, s.N), s.DX.At(r, s.N), s.Late.At(r, s.N)
		for j, d := range dx {
			f, n := x[j], x[lane+j]
			df := kernel.FMA(late[j], hp[j], F(d*(n-hp[j])))
			dx[j] = kernel.Flush(F(df * F(f*(1-f))))
			dh[j] = kernel.Flush(kernel.FMA(late[j], f, dh[j]))
		}
	}
}
