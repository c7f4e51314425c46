package cell

import "github.com/unroll-ml/unroll/internal/kernel"

var lstmKind = Kind{
	Name: "LSTM", Class: "LSTM",
	Gates: []Gate{
		{Name: "i", Peephole: "{c-}"},
		{Name: "f", Coupled: "1 - {i}", Peephole: "{c-}"},
		{Name: "g", Function: 1},
		{Name: "o", Peephole: "{c}"},
	},
	Traits:    Traits{Gates: 4, CellState: true, Activations: true, Indirect: true},
	Projects:  true,
	Functions: []string{"Sigmoid", "Tanh", "Tanh"},
	Takes:     Takes{InputForget: true, Peepholes: true},
	States:    []Formula{{"c", "{f} * {c-} + {i} * {g}"}, {"h", "{o} * [2]({c})"}},
	ONNX:      Outside{"LSTM", []int{0, 3, 1, 2}},
	Keras:     Outside{"LSTM", []int{0, 1, 2, 3}},
	Single:    makeLSTM[float32], Double: makeLSTM[float64],
}

func makeLSTM[F kernel.Float](k *Kind, s Settings) Cell[F] {
	if s == (Settings{}) {
		return LSTM[F]{}
	}
	return newLSTMSet[F](k, s)
}

// LSTM is the cell of torch.nn.LSTM:
//
//	i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)    f, o likewise
//	g = tanh(W_ig x + b_ig + W_hg h + b_hg)
//	c' = f*c + i*g
//	h' = o*tanh(c')
type LSTM[F kernel.Float] struct{ plain[F] }

// Traits returns what a walk over time must know.
func (LSTM[F]) Traits() Traits { return lstmKind.Traits }

// Chain is kernel.LSTMChain.
func (LSTM[F]) Chain() kernel.ChainOp { return kernel.LSTMChain }

// Forward turns the sums Z = (i f g o) into the new states, in place in C:
//
//	i, f, o = sigmoid; g = tanh
//	c = flush(fma(f, c, i*g))
//	h = flush(o*tanh(c))
//
// With Record, X receives i f g o after activation; it may be Z.
func (LSTM[F]) Forward(s *Step[F]) {
	if kernel.Fused(kernel.LSTMForward, s.Gates, s.Z, s.C, s.H, s.X) {
		return
	}
	const lane = kernel.Lane
	for r := range s.M {
		z, c, h := s.Z.At(r, 4*lane), s.C.At(r, s.N), s.H.At(r, s.N)
		for j := range c {
			i, f := kernel.Sigmoid(z[j]), kernel.Sigmoid(z[lane+j])
			g, o := kernel.Tanh(z[2*lane+j]), kernel.Sigmoid(z[3*lane+j])
			if s.Record {
				rec := s.X.At(r, 4*lane)
				rec[j], rec[lane+j], rec[2*lane+j], rec[3*lane+j] = i, f, g, o
			}
			c[j] = kernel.Flush(kernel.FMA(f, c[j], F(i*g)))
			h[j] = kernel.Flush(F(o * kernel.Tanh(c[j])))
		}
	}
}

// Backward is the derivative of Forward: from the gates X, the states C and
// CPrev, and the gradients DH and DC it writes those of the four sums to DX and
// that of CPrev in place of DC; nothing of h goes past the sums. Every product
// rounds once, left to right, and 1-t*t once, as fma(-t, t, 1):
//
//	t  = tanh(c)
//	dc = fma(dh*o, 1-t*t, dc)
//	dz = (dc*g)*(i*(1-i)), (dc*cp)*(f*(1-f)), (dc*i)*(1-g*g), (dh*t)*(o*(1-o))
//	dcp = dc*f
func (LSTM[F]) Backward(s *Step[F]) {
	if kernel.Fused(kernel.LSTMBackward, s.Gates, s.X, s.C, s.CPrev, s.DH, s.DC, s.DX) {
		return
	}
	const lane = kernel.Lane
	gate := s.Gate
	for r := range s.M {
		rec, c, cp, dh := s.X.At(r, 4*lane), s.C.At(r, s.N), s.CPrev.At(r, s.N), s.DH.At(r, s.N)
		dc, dz := s.DC.At(r, s.N), s.DX.At(r, 3*gate+s.N)
		for j := range c {
			i, f, g, o := rec[j], rec[lane+j], rec[2*lane+j], rec[3*lane+j]
			t := kernel.Tanh(c[j])
			d := kernel.FMA(F(dh[j]*o), kernel.FMA(-t, t, 1), dc[j])
			dz[j] = kernel.Flush(F(F(d*g) * F(i*(1-i))))
			dz[gate+j] = kernel.Flush(F(F(d*cp[j]) * F(f*(1-f))))
			dz[2*gate+j] = kernel.Flush(F(F(d*i) * kernel.FMA(-g, g, 1)))
			dz[3*gate+j] = kernel.Flush(F(F(dh[j]*t) * F(o*(1-o))))
			dc[j] = kernel.Flush(F(d * f))
		}
	}
}
