package cell

import "github.com/unroll-ml/unroll/internal/kernel"

// rnnSet is the RNN with settings:
//
//	h' = f(clip(W_ih x + b_ih + W_hh h + b_hh))
type rnnSet[F kernel.Float] struct {
	plain[F]
	noChain
	kind *Kind
	f    activation[F]
}

func newRNNSet[F kernel.Float](k *Kind, s Settings) Cell[F] {
	return &rnnSet[F]{kind: k, f: function[F](k, s, 0)}
}

func (c *rnnSet[F]) Traits() Traits { return c.kind.Traits }

// Forward is h = flush(f(Z)).
func (c *rnnSet[F]) Forward(s *Step[F]) {
	c.f.apply(s.M, s.N, s.Z)
	kernel.FlushRows(s.M, s.N, s.H, s.Z)
}

// Backward is dz = dh*f'.
func (c *rnnSet[F]) Backward(s *Step[F]) {
	for r := range s.M {
		dh, dz := s.DH.At(r, s.N), s.DX.At(r, s.N)
		for j, h := range s.H.At(r, s.N) {
			dz[j] = kernel.Flush(F(dh[j] * c.f.back(h)))
		}
	}
}
