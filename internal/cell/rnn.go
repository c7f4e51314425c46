package cell

import "github.com/unroll-ml/unroll/internal/kernel"

// Tanh is the cell of torch.nn.RNN with nonlinearity "tanh":
//
//	h' = tanh(W_ih x + b_ih + W_hh h + b_hh)
type Tanh[F kernel.Float] struct{ plain[F] }

var gatesTanh = []string{"h"}

// Gates returns the single gate, which is the hidden state itself.
func (Tanh[F]) Gates() []string { return gatesTanh }

// Traits returns what a walk over time must know.
func (Tanh[F]) Traits() Traits {
	return Traits{Gates: 1}
}

// Chain is kernel.TanhChain.
func (Tanh[F]) Chain() kernel.ChainOp { return kernel.TanhChain }

// Forward is kernel.TanhForward.
func (Tanh[F]) Forward(s *Step[F]) {
	kernel.TanhForward(s.M, s.N, s.Z.Data, s.Z.Row, s.H.Data, s.H.Row)
}

// Backward is kernel.TanhBackward; nothing of h goes past the sums.
func (Tanh[F]) Backward(s *Step[F]) {
	kernel.TanhBackward(s.M, s.N, s.H.Data, s.H.Row, s.DH.Data, s.DH.Row, s.DX.Data, s.DX.Row)
	zero(s)
}

// ReLU is the cell of torch.nn.RNN with nonlinearity "relu":
//
//	h' = max(0, W_ih x + b_ih + W_hh h + b_hh)
type ReLU[F kernel.Float] struct{ Tanh[F] }

// Chain is kernel.ReLUChain.
func (ReLU[F]) Chain() kernel.ChainOp { return kernel.ReLUChain }

// Forward is kernel.ReLUForward.
func (ReLU[F]) Forward(s *Step[F]) {
	kernel.ReLUForward(s.M, s.N, s.Z.Data, s.Z.Row, s.H.Data, s.H.Row)
}

// Backward is kernel.ReLUBackward.
func (ReLU[F]) Backward(s *Step[F]) {
	kernel.ReLUBackward(s.M, s.N, s.H.Data, s.H.Row, s.DH.Data, s.DH.Row, s.DX.Data, s.DX.Row)
	zero(s)
}

// zero says that no gradient reaches the old h past the sums.
func zero[F kernel.Float](s *Step[F]) {
	for r := range s.M {
		clear(s.DH.Data[r*s.DH.Row : r*s.DH.Row+s.N])
	}
}
