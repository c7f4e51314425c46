package kernel

// ChainOp names a cell whose steps Chain can walk.
type ChainOp int

// The cells that have chains. Behind each stands the one for units of two vectors,
// which is for Chain to choose.
const (
	NoChain ChainOp = iota
	TanhChain
	TanhChain2
	ReLUChain
	ReLUChain2
	LSTMChain
	LSTMChain2
	GRUChain
	GRUChain2
	numChains
)

// chainOps say what each cell has: gates, a cell state, a last gate that stays
// apart.
var chainOps = [numChains]struct {
	name       string
	gates      int
	cell, tail bool
}{
	TanhChain: {name: "TanhChain", gates: 1},
	ReLUChain: {name: "ReLUChain", gates: 1},
	LSTMChain: {name: "LSTMChain", gates: 4, cell: true},
	GRUChain:  {name: "GRUChain", gates: 3, tail: true},
}

// Walk is what Chain works on: steps of one sequence through one panel.
type Walk[F Float] struct {
	Steps int
	Back  bool // from the last row to the first
	W     *Panels[F]
	Tail  []F     // where the last gate starts; nil: from Sums, like the others
	Sums  Rows[F] // of each step, panel memory
	Panel int     // distance of the panels of Sums
	H0, C []F     // the state before; C is changed in place
	Y     Rows[F] // receives h of each step
}

// CanChain reports whether Chain walks a cell of so many units in one go at the
// level in use.
func CanChain[F Float](op ChainOp, units int) bool {
	return isFloat32[F]() && canChain(op, units)
}

// Chain walks the steps of one sequence through a cell whose units fit into one
// vector, or two:
//
//	for t := range w.Steps (backwards if w.Back):
//		z := Mul of h with w.W, starting from w.Sums(t), the last gate from w.Tail where not nil
//		h, c = the cell's Forward of z (and w.Sums(t), for a GRU)
//		w.Y(t) = h
//
// It is for calls that CanChain allows, and exists because a step of a small
// layer takes less time than the calls of Mul and Fused.
func Chain[F Float](op ChainOp, w *Walk[F]) {
	if w.Steps > 0 {
		chain(op, walk32(w))
	}
}
