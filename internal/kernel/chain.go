package kernel

import "fmt"

// ChainOp names a cell whose steps Chain can walk.
type ChainOp int

// The cells that have chains.
const (
	NoChain ChainOp = iota
	TanhChain
	ReLUChain
	LSTMChain
	GRUChain
)

// Steps are rows of memory by step: that of step t starts at
// Data[First+t*By]; By may be negative.
type Steps[F Float] struct {
	Data      []F
	First, By int
}

func (s Steps[F]) check(steps, size int) {
	last := s.First + (steps-1)*s.By
	if s.First < 0 || last < 0 || max(s.First, last)+size > len(s.Data) {
		panic(fmt.Sprintf("kernel: %d steps from %d by %d of %d in a slice of %d", steps, s.First, s.By, size, len(s.Data)))
	}
}

// CanChain reports whether Chain walks a cell of so many units in one go at the
// level in use.
func CanChain[F Float](op ChainOp, units int) bool {
	return op != NoChain && isFloat32[F]() && canChain(units)
}

// Chain walks the steps of one sequence through a cell whose units fit into one
// vector:
//
//	for t := range steps:
//		z := Mul of h with w, starting from sums(t), the last gate from tail where not nil
//		h, c = the cell's Forward of z (and sums(t), for a GRU)
//		y(t) = h
//
// h starts from h0; c is changed in place. It is for calls that CanChain allows,
// and exists because a step of a small layer takes less time than the calls of
// Mul and Forward.
func Chain[F Float](op ChainOp, steps int, w *Panels[F], tail []F, sums Steps[F], h0, c []F, y Steps[F]) {
	if steps == 0 {
		return
	}
	chain(op, steps, as32(w), slice32(tail), Steps[float32]{slice32(sums.Data), sums.First, sums.By},
		slice32(h0), slice32(c), Steps[float32]{slice32(y.Data), y.First, y.By})
}
