// Package cell holds the cells, one file each: a Kind, which says all there is
// to know of it, and the arithmetic of one step, what happens between the sums
// of a step and its new state, forward and backward. It knows nothing of time.
//
// A cell's loops are the definition of its results: one order of operations,
// each rounded once. Where the level in use has a fused routine (kernel.Fused),
// that runs instead, with the same bits; a cell without one needs nothing of
// package kernel but its activations.
//
// Letters: B rows, H units, G gates.
package cell

import "github.com/unroll-ml/unroll/internal/kernel"

// Cell is the arithmetic of one kind of cell.
type Cell[F kernel.Float] interface {
	// Traits says what a walk over time must know of the cell.
	Traits() Traits
	// Chain names the kernel that walks several steps of this cell by itself,
	// NoChain if there is none.
	Chain() kernel.ChainOp
	// Forward turns the sums of a panel into its new state; with a late gate,
	// into the activations of the others and into what that gate's recurrent
	// weights multiply.
	Forward(s *Step[F])
	// Backward turns the gradient of the new state into those of the sums and
	// of what of the old state the cell uses directly; with a late gate, as far
	// as they are known without it.
	Backward(s *Step[F])
	// ForwardLate turns the sums of a late gate into the new state.
	ForwardLate(s *Step[F])
	// BackwardLate adds what the gradient of Step.Late tells.
	BackwardLate(s *Step[F])
	// PerUnitGrads adds the gradients of the parameters that a unit has for
	// itself, from DX and the states, to grad, laid out as Step.PerUnit.
	PerUnitGrads(s *Step[F], grad []F)
}

// Traits are the facts about a cell that decide how it is walked over time.
type Traits struct {
	Gates     int  // their number
	CellState bool // a cell state c beside h
	// Apart: the recurrent part of the last gate, with its bias, stays apart
	// from the input's part, because the cell uses it by itself.
	Apart bool
	// Activations: backward needs the activated gates of the record; otherwise
	// the outputs alone suffice.
	Activations bool
	// Late: the recurrent weights of the last gate multiply not h but what the
	// cell makes of it with the other gates.
	Late bool
	// Indirect: the old h matters through the sums alone. Backward leaves DH as it
	// is.
	Indirect bool
	// PerUnit is how many parameters each unit has for itself.
	PerUnit int
}

// noLate are the methods of a cell without a late gate.
type noLate[F kernel.Float] struct{}

func (noLate[F]) ForwardLate(*Step[F])  {}
func (noLate[F]) BackwardLate(*Step[F]) {}

// plain are those of a cell that has no parameters of single units either.
type plain[F kernel.Float] struct{ noLate[F] }

func (plain[F]) PerUnitGrads(*Step[F], []F) {}

// noChain is the method of a cell that no kernel walks by itself.
type noChain struct{}

func (noChain) Chain() kernel.ChainOp { return kernel.NoChain }

// Step is the memory of one panel in one step: M rows by N units. The panel's
// sums and gates are laid out as kernel.Mul leaves them, gates kernel.Lane apart.
// With Record, Forward also writes what only a record needs. The gates of the
// gradients DX and DZ stand Gate elements apart.
type Step[F kernel.Float] struct {
	kernel.Gates

	// Forward.
	Z     kernel.Rows[F] // the sums of all gates (of the recurrent part where Apart)
	X     kernel.Rows[F] // the input's sums, read where Apart; receives the activated gates if Record
	Apart kernel.Rows[F] // receives the last gate's recurrent part if Record, where Apart
	HPrev kernel.Rows[F] // h before the step
	C     kernel.Rows[F] // forward: c before the step, then after it; backward: after it
	H     kernel.Rows[F] // h after the step
	Late  kernel.Rows[F] // receives what the late gate's weights multiply; backward: its gradient
	// PerUnit is the parameters of single units, number g of unit j at
	// [g*Gate+j]; its Row is the distance of panels where M counts those.
	PerUnit kernel.Rows[F]

	// Backward, beside X (the activated gates), Apart, HPrev, C and H.
	CPrev  kernel.Rows[F] // c before the step
	DH     kernel.Rows[F] // gradient of h; becomes the direct part of that of h before the step, unless Indirect
	DC     kernel.Rows[F] // gradient of c after the step; becomes that of c before it
	DX, DZ kernel.Rows[F] // receive the gradients of the input's and the recurrent sums; DZ is DX unless Apart
}
