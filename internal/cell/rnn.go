package cell

import "github.com/unroll-ml/unroll/internal/kernel"

var tanhKind = Kind{
	Name: "RNN_TANH", Class: "RNN",
	Gates:     []Gate{{Name: "h"}},
	Traits:    Traits{Gates: 1, Indirect: true},
	Functions: []string{"Tanh"},
	ONNX:      Outside{"RNN", []int{0}},
	Keras:     Outside{"SimpleRNN", []int{0}},
	Single:    makeTanh[float32], Double: makeTanh[float64],
}

func makeTanh[F kernel.Float](k *Kind, s Settings) Cell[F] {
	if s == (Settings{}) {
		return Tanh[F]{}
	}
	return newRNNSet[F](k, s)
}

// Tanh is the cell of torch.nn.RNN with nonlinearity "tanh":
//
//	h' = tanh(W_ih x + b_ih + W_hh h + b_hh)
type Tanh[F kernel.Float] struct{ plain[F] }

// Traits returns what a walk over time must know.
func (Tanh[F]) Traits() Traits { return tanhKind.Traits }

// Chain is kernel.TanhChain.
func (Tanh[F]) Chain() kernel.ChainOp { return kernel.TanhChain }

// Forward is h = flush(tanh(Z)).
func (Tanh[F]) Forward(s *Step[F]) {
	if kernel.Fused(kernel.TanhForward, s.Gates, s.Z, s.H) {
		return
	}
	for r := range s.M {
		h := s.H.At(r, s.N)
		for j, z := range s.Z.At(r, s.N) {
			h[j] = kernel.Flush(kernel.Tanh(z))
		}
	}
}

// Backward is dz = dh*(1-h*h); nothing of h goes past the sums.
func (Tanh[F]) Backward(s *Step[F]) {
	if kernel.Fused(kernel.TanhBackward, s.Gates, s.H, s.DH, s.DX) {
		return
	}
	for r := range s.M {
		dh, dz := s.DH.At(r, s.N), s.DX.At(r, s.N)
		for j, h := range s.H.At(r, s.N) {
			dz[j] = kernel.Flush(F(dh[j] * kernel.FMA(-h, h, 1)))
		}
	}
}

var reluKind = Kind{
	Name: "RNN_RELU", Class: "RNN", Options: "nonlinearity=relu",
	Gates:     []Gate{{Name: "h"}},
	Traits:    Traits{Gates: 1, Indirect: true},
	Functions: []string{"Relu"},
	ONNX:      Outside{"RNN", []int{0}},
	Keras:     Outside{"SimpleRNN", []int{0}},
	Single:    makeReLU[float32], Double: makeReLU[float64],
}

func makeReLU[F kernel.Float](k *Kind, s Settings) Cell[F] {
	if s == (Settings{}) {
		return ReLU[F]{}
	}
	return newRNNSet[F](k, s)
}

// ReLU is the cell of torch.nn.RNN with nonlinearity "relu":
//
//	h' = max(0, W_ih x + b_ih + W_hh h + b_hh)
type ReLU[F kernel.Float] struct{ Tanh[F] }

// Chain is kernel.ReLUChain.
func (ReLU[F]) Chain() kernel.ChainOp { return kernel.ReLUChain }

// Forward is h = flush(relu(Z)).
func (ReLU[F]) Forward(s *Step[F]) {
	if kernel.Fused(kernel.ReLUForward, s.Gates, s.Z, s.H) {
		return
	}
	for r := range s.M {
		h := s.H.At(r, s.N)
		for j, z := range s.Z.At(r, s.N) {
			h[j] = kernel.Flush(kernel.ReLU(z))
		}
	}
}

// Backward is dz = 0 where h is at most zero, else dh; for a NaN too, as PyTorch
// does. Nothing of h goes past the sums.
func (ReLU[F]) Backward(s *Step[F]) {
	if kernel.Fused(kernel.ReLUBackward, s.Gates, s.H, s.DH, s.DX) {
		return
	}
	for r := range s.M {
		dh, dz := s.DH.At(r, s.N), s.DX.At(r, s.N)
		for j, h := range s.H.At(r, s.N) {
			dz[j] = 0
			if !(h <= 0) {
				dz[j] = kernel.Flush(dh[j])
			}
		}
	}
}
