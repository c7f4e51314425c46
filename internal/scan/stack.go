// Package scan walks a cell over time: direction, stacked layers, lengths,
// resets, projection and dropout, forward and backward. It knows no cell by
// name and no layer's parameters by theirs.
//
// Letters: T steps, B sequences, N rows in all (the sum of the lengths), I
// inputs of a layer, H units, P projection, H' size of a hidden state (P where
// there is one, else H), G gates, L layers, D directions.
//
// Sequences are packed: sorted by falling length, step t has Sizes[t] rows, and
// the rows of all steps stand one after another, so that row i of step t is row
// Off[t]+i of N. Without lengths that is simply [T,B].
package scan

import (
	"sync/atomic"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Stack is a stack of layers: sizes, a cell, and the parameters, which it
// shares with the caller and never writes. It may be used by many goroutines
// while the parameters do not change.
type Stack[F kernel.Float] struct {
	Cell          cell.Cell[F]
	I, H, P, L, D int
	Params        []Params[F] // of layer l, direction d at l*D+d
	// Version is raised by whoever changes the parameters; stacks that share
	// parameters share it. Packed copies of another version are made anew.
	Version *atomic.Uint64

	forward  atomic.Pointer[packedSet[weights[F]]]
	backward atomic.Pointer[packedSet[transposed[F]]]
}

type packedSet[W any] struct {
	version uint64
	all     []W
}

// Params are the parameters of one layer and direction, row-major as PyTorch
// holds them. Biases are nil for a layer without, HR for one without projection.
type Params[F kernel.Float] struct {
	IH, HH         []F // [G*H,I], [G*H,H']
	BiasIH, BiasHH []F // [G*H]
	HR             []F // [P,H]
}

// Out returns H', the size of a hidden state.
func (s *Stack[F]) Out() int {
	if s.P > 0 {
		return s.P
	}
	return s.H
}

// In returns the number of inputs of layer l.
func (s *Stack[F]) In(l int) int {
	if l == 0 {
		return s.I
	}
	return s.D * s.Out()
}

// weights are the packed parameters of one layer and direction.
type weights[F kernel.Float] struct {
	ih, hh, hr *kernel.Panels[F]
	bias       []F // where the input's sums start, a row of ih's panel memory
	tail       []F // where the last gate's recurrent part starts, if it stays apart
}

// transposed are the packed parameters that gradients flow back through.
type transposed[F kernel.Float] struct{ ih, hh, hr *kernel.Panels[F] }

// packed returns the packed parameters, packing them on the first call. Two
// goroutines may both pack; they get the same numbers, and one copy stays.
func (s *Stack[F]) packed() []weights[F] {
	version := s.Version.Load()
	if p := s.forward.Load(); p != nil && p.version == version {
		return p.all
	}
	all := make([]weights[F], s.L*s.D)
	g := len(s.Cell.Gates())
	for i := range all {
		in, p, w := s.In(i/s.D), &s.Params[i], &all[i]
		w.ih = kernel.NewPanels[F](in, s.H, g)
		w.ih.Pack(p.IH, s.H*in, in, 1)
		w.hh = kernel.NewPanels[F](s.Out(), s.H, g)
		w.hh.Pack(p.HH, s.H*s.Out(), s.Out(), 1)
		if s.P > 0 {
			w.hr = kernel.NewPanels[F](s.H, s.P, 1)
			w.hr.Pack(p.HR, 0, s.H, 1)
		}
		w.packBias(p, s.H, g, s.Cell.Apart())
	}
	s.forward.Store(&packedSet[weights[F]]{version, all})
	return all
}

// packBias lays out the biases: sums start from b_ih + b_hh, rounded once,
// except those of a last gate whose recurrent part stays apart: its input's
// part starts from b_ih and its recurrent part from b_hh.
func (w *weights[F]) packBias(p *Params[F], h, g int, apart bool) {
	w.bias = make([]F, w.ih.Len()*w.ih.MaxCols())
	if apart {
		w.tail = make([]F, w.hh.Len()*w.hh.UnitsPer())
	}
	if p.BiasIH == nil {
		return
	}
	sum := make([]F, g*h)
	for i := range sum {
		if sum[i] = p.BiasIH[i] + p.BiasHH[i]; apart && i >= (g-1)*h {
			sum[i] = p.BiasIH[i]
			w.tail[i-(g-1)*h] = p.BiasHH[i]
		}
	}
	w.ih.PackRow(w.bias, sum, h)
}

// packedBack returns the transposed parameters, packing them on the first call.
func (s *Stack[F]) packedBack() []transposed[F] {
	version := s.Version.Load()
	if p := s.backward.Load(); p != nil && p.version == version {
		return p.all
	}
	all := make([]transposed[F], s.L*s.D)
	g := len(s.Cell.Gates())
	for i := range all {
		in, p, w := s.In(i/s.D), &s.Params[i], &all[i]
		w.ih = kernel.NewPanels[F](g*s.H, in, 1)
		w.ih.Pack(p.IH, 0, 1, in)
		w.hh = kernel.NewPanels[F](g*s.H, s.Out(), 1)
		w.hh.Pack(p.HH, 0, 1, s.Out())
		if s.P > 0 {
			w.hr = kernel.NewPanels[F](s.P, s.H, 1)
			w.hr.Pack(p.HR, 0, 1, s.H)
		}
	}
	s.backward.Store(&packedSet[transposed[F]]{version, all})
	return all
}
