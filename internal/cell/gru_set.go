package cell

import "github.com/unroll-ml/unroll/internal/kernel"

// gruSet is the GRU with other functions or a clip: ONNX's operator GRU with
// linear_before_reset 1 (https://onnx.ai/onnx/operators/onnx__GRU.html).
type gruSet[F kernel.Float] struct {
	plain[F]
	noChain
	kind *Kind
	f, g activation[F]
}

// newGRUSet returns it, or with ResetBefore a gruBefore.
func newGRUSet[F kernel.Float](k *Kind, s Settings) Cell[F] {
	c := gruSet[F]{kind: k, f: function[F](k, s, 0), g: function[F](k, s, 1)}
	if s.ResetBefore {
		return &gruBefore[F]{c}
	}
	return &c
}

func (c *gruSet[F]) Traits() Traits { return c.kind.Traits }

// Forward works in Z, and in X where the record is.
func (c *gruSet[F]) Forward(s *Step[F]) {
	const lane = kernel.Lane
	n := lanes(s.Z, 2)
	c.f.pair(s.M, s.N, s.Z)
	if s.Record {
		for r := range s.M {
			copy(s.Apart.At(r, s.N), n.At(r, s.N))
		}
	}
	kernel.FMARows(s.M, s.N, n, s.Z, n, lanes(s.X, 2))
	c.g.apply(s.M, s.N, n)
	if s.Record {
		for r := range s.M {
			copy(s.X.At(r, 3*lane), s.Z.At(r, 3*lane))
		}
	}
	kernel.GRUStateRows(s.M, s.N, lanes(s.Z, 1), n, s.HPrev, s.H)
}

// Backward is that of GRU with the slopes of the functions.
func (c *gruSet[F]) Backward(s *Step[F]) {
	const lane = kernel.Lane
	gate := s.Gate
	for r := range s.M {
		rec, nh, hp, dh := s.X.At(r, 3*lane), s.Apart.At(r, s.N), s.HPrev.At(r, s.N), s.DH.At(r, s.N)
		dx, dz := s.DX.At(r, 2*gate+s.N), s.DZ.At(r, 2*gate+s.N)
		for j, d := range dh {
			reset, u, cand := rec[j], rec[lane+j], rec[2*lane+j]
			dn := F(F(d*(1-u)) * c.g.back(cand))
			dr := kernel.Flush(F(F(dn*nh[j]) * c.f.back(reset)))
			du := kernel.Flush(F(F(d*(hp[j]-cand)) * c.f.back(u)))
			dx[j], dx[gate+j], dx[2*gate+j] = dr, du, kernel.Flush(dn)
			dz[j], dz[gate+j], dz[2*gate+j] = dr, du, kernel.Flush(F(dn*reset))
			dh[j] = kernel.Flush(F(d * u))
		}
	}
}

// gruBefore is the GRU that resets the state before its product with the
// recurrent weights, as its first publication has it (Cho et al., 2014):
//
//	n = g(W_in x + b_in + W_hn (r*h) + b_hn)
type gruBefore[F kernel.Float] struct{ gruSet[F] }

func (c *gruBefore[F]) Traits() Traits {
	t := c.kind.Traits
	t.Apart, t.Late = false, true
	return t
}

// Forward writes r and z to X, and r*h to Late.
func (c *gruBefore[F]) Forward(s *Step[F]) {
	const lane = kernel.Lane
	c.f.pair(s.M, s.N, s.Z)
	for r := range s.M {
		z, x := s.Z.At(r, lane+s.N), s.X.At(r, lane+s.N)
		copy(x[:s.N], z)
		copy(x[lane:], z[lane:])
	}
	kernel.TimesRows(s.M, s.N, s.Late, s.Z, s.HPrev)
}

// ForwardLate turns the sums Z of n into the new state.
func (c *gruBefore[F]) ForwardLate(s *Step[F]) {
	c.g.apply(s.M, s.N, s.Z)
	n := lanes(s.X, 2)
	for r := range s.M {
		copy(n.At(r, s.N), s.Z.At(r, s.N))
	}
	kernel.GRUStateRows(s.M, s.N, lanes(s.X, 1), s.Z, s.HPrev, s.H)
}

// Backward writes the gradients of the sums of z and n, and of h what goes past
// the sums.
func (c *gruBefore[F]) Backward(s *Step[F]) {
	const lane = kernel.Lane
	gate := s.Gate
	for r := range s.M {
		rec, hp, dh, dx := s.X.At(r, 3*lane), s.HPrev.At(r, s.N), s.DH.At(r, s.N), s.DX.At(r, 2*gate+s.N)
		for j, d := range dh {
			u, cand := rec[lane+j], rec[2*lane+j]
			dx[gate+j] = kernel.Flush(F(F(d*(hp[j]-cand)) * c.f.back(u)))
			dx[2*gate+j] = kernel.Flush(F(F(d*(1-u)) * c.g.back(cand)))
			dh[j] = kernel.Flush(F(d * u))
		}
	}
}

// BackwardLate takes the gradient of r*h from Late to that of r's sum and of h.
func (c *gruBefore[F]) BackwardLate(s *Step[F]) {
	for r := range s.M {
		rec, hp, dh := s.X.At(r, s.N), s.HPrev.At(r, s.N), s.DH.At(r, s.N)
		late, dx := s.Late.At(r, s.N), s.DX.At(r, s.N)
		for j, reset := range rec {
			dx[j] = kernel.Flush(F(F(late[j]*hp[j]) * c.f.back(reset)))
			dh[j] = kernel.Flush(kernel.FMA(late[j], reset, dh[j]))
		}
	}
}
