package cell

import "github.com/unroll-ml/unroll/internal/kernel"

// LSTM is the cell of torch.nn.LSTM:
//
//	i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)    f, o likewise
//	g = tanh(W_ig x + b_ig + W_hg h + b_hg)
//	c' = f*c + i*g
//	h' = o*tanh(c')
type LSTM[F kernel.Float] struct{ plain[F] }

var gatesLSTM = []string{"i", "f", "g", "o"}

// Gates returns i f g o.
func (LSTM[F]) Gates() []string { return gatesLSTM }

// Traits returns what a walk over time must know.
func (LSTM[F]) Traits() Traits {
	return Traits{Gates: 4, CellState: true, Activations: true}
}

// Chain is kernel.LSTMChain.
func (LSTM[F]) Chain() kernel.ChainOp { return kernel.LSTMChain }

// Forward is kernel.LSTMForward.
func (LSTM[F]) Forward(s *Step[F]) {
	var rec []F
	if s.Record {
		rec = s.X.Data
	}
	kernel.LSTMForward(s.M, s.N, s.Z.Data, s.Z.Row, s.C.Data, s.C.Row, s.H.Data, s.H.Row, rec, s.X.Row)
}

// Backward is kernel.LSTMBackward; nothing of h goes past the sums.
func (LSTM[F]) Backward(s *Step[F]) {
	kernel.LSTMBackward(s.M, s.N, s.X.Data, s.X.Row, s.C.Data, s.C.Row, s.CPrev.Data, s.CPrev.Row,
		s.DH.Data, s.DH.Row, s.DC.Data, s.DC.Row, s.DX.Data, s.DX.Row, s.Units)
	zero(s)
}
