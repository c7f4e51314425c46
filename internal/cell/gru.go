package cell

import "github.com/unroll-ml/unroll/internal/kernel"

// GRU is the cell of torch.nn.GRU:
//
//	r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)    z likewise
//	n = tanh(W_in x + b_in + r*(W_hn h + b_hn))
//	h' = (1-z)*n + z*h, computed as n + z*(h-n)
type GRU[F kernel.Float] struct{ plain[F] }

var gatesGRU = []string{"r", "z", "n"}

// Gates returns r z n.
func (GRU[F]) Gates() []string { return gatesGRU }

// Traits returns what a walk over time must know.
func (GRU[F]) Traits() Traits {
	return Traits{Gates: 3, Apart: true, Activations: true}
}

// Chain is kernel.GRUChain.
func (GRU[F]) Chain() kernel.ChainOp { return kernel.GRUChain }

// Forward is kernel.GRUForward.
func (GRU[F]) Forward(s *Step[F]) {
	var rec []F
	if s.Record {
		rec = s.X.Data
	}
	kernel.GRUForward(s.M, s.N, s.Z.Data, s.Z.Row, s.X.Data, s.X.Row, s.HPrev.Data, s.HPrev.Row,
		s.H.Data, s.H.Row, rec, s.X.Row, s.Apart.Data, s.Apart.Row)
}

// Backward is kernel.GRUBackward.
func (GRU[F]) Backward(s *Step[F]) {
	kernel.GRUBackward(s.M, s.N, s.X.Data, s.X.Row, s.Apart.Data, s.Apart.Row, s.HPrev.Data, s.HPrev.Row,
		s.DH.Data, s.DH.Row, s.DH.Data, s.DH.Row, s.DX.Data, s.DZ.Data, s.DX.Row, s.Units)
}
