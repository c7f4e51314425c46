package cell

import "github.com/unroll-ml/unroll/internal/kernel"

var gruKind = Kind{
	Name: "GRU", Class: "GRU",
	Gates:     []Gate{{Name: "r"}, {Name: "z"}, {Name: "n", Function: 1, Apart: "{r}", Late: "{r} * {h-}"}},
	Traits:    Traits{Gates: 3, Apart: true, Activations: true},
	Functions: []string{"Sigmoid", "Tanh"},
	Takes:     Takes{ResetBefore: true},
	States:    []Formula{{"h", "(1 - {z}) * {n} + {z} * {h-}"}},
	ONNX:      Outside{"GRU", []int{1, 0, 2}},
	Keras:     Outside{"GRU", []int{1, 0, 2}},
	Single:    makeGRU[float32], Double: makeGRU[float64],
}

func makeGRU[F kernel.Float](k *Kind, s Settings) Cell[F] {
	if s == (Settings{}) {
		return GRU[F]{}
	}
	return newGRUSet[F](k, s)
}

// GRU is the cell of torch.nn.GRU:
//
//	r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)    z likewise
//	n = tanh(W_in x + b_in + r*(W_hn h + b_hn))
//	h' = (1-z)*n + z*h, computed as n + z*(h-n)
type GRU[F kernel.Float] struct{ plain[F] }

// Traits returns what a walk over time must know.
func (GRU[F]) Traits() Traits { return gruKind.Traits }

// Chain is kernel.GRUChain.
func (GRU[F]) Chain() kernel.ChainOp { return kernel.GRUChain }

// Forward turns the sums Z = (r z n, where n is the recurrent part alone) and
// the input's part of n, the third gate of X, into the new state:
//
//	r, z = sigmoid; n = tanh(fma(r, Z_n, X_n))
//	h = flush(fma(z, hp-n, n))
//
// HPrev may be H. With Record, X receives r z n after activation and Apart the
// recurrent part of n.
func (GRU[F]) Forward(s *Step[F]) {
	if kernel.Fused(kernel.GRUForward, s.Gates, s.Z, s.X, s.HPrev, s.H, s.X, s.Apart) {
		return
	}
	const lane = kernel.Lane
	for r := range s.M {
		z, x, hp, h := s.Z.At(r, 3*lane), s.X.At(r, 3*lane), s.HPrev.At(r, s.N), s.H.At(r, s.N)
		for j := range h {
			reset, update := kernel.Sigmoid(z[j]), kernel.Sigmoid(z[lane+j])
			cand := kernel.Tanh(kernel.FMA(reset, z[2*lane+j], x[2*lane+j]))
			if s.Record {
				s.Apart.At(r, s.N)[j] = z[2*lane+j]
				x[j], x[lane+j], x[2*lane+j] = reset, update, cand
			}
			h[j] = kernel.Flush(kernel.FMA(update, hp[j]-cand, cand))
		}
	}
}

// Backward is the derivative of Forward. It writes the gradients of the sums r, z
// and the input's part of n to DX, those of r, z and the recurrent part of n to
// DZ, and what of the gradient of HPrev goes past the sums in place of DH:
//
//	dn = (dh*(1-z))*(1-n*n);      dnh = dn*r
//	dr = (dn*Apart)*(r*(1-r));    dz = (dh*(hp-n))*(z*(1-z));  dhp = dh*z
func (GRU[F]) Backward(s *Step[F]) {
	if kernel.Fused(kernel.GRUBackward, s.Gates, s.X, s.Apart, s.HPrev, s.DH, s.DH, s.DX, s.DZ) {
		return
	}
	const lane = kernel.Lane
	gate := s.Gate
	for r := range s.M {
		rec, nh, hp, dh := s.X.At(r, 3*lane), s.Apart.At(r, s.N), s.HPrev.At(r, s.N), s.DH.At(r, s.N)
		dx, dz := s.DX.At(r, 2*gate+s.N), s.DZ.At(r, 2*gate+s.N)
		for j := range dh {
			reset, u, cand := rec[j], rec[lane+j], rec[2*lane+j]
			d := dh[j]
			dn := F(F(d*(1-u)) * kernel.FMA(-cand, cand, 1))
			dr := kernel.Flush(F(F(dn*nh[j]) * F(reset*(1-reset))))
			du := kernel.Flush(F(F(d*(hp[j]-cand)) * F(u*(1-u))))
			dx[j], dx[gate+j], dx[2*gate+j] = dr, du, kernel.Flush(dn)
			dz[j], dz[gate+j], dz[2*gate+j] = dr, du, kernel.Flush(F(dn*reset))
			dh[j] = kernel.Flush(F(d * u))
		}
	}
}
