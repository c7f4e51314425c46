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
	"sync"
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

	forward  packedSet[F, weights[F]]
	backward packedSet[F, transposed[F]]
}

// packedSet is a packed copy of the parameters. A new version is packed into the
// memory of the one before, which nobody may use any more when parameters
// change.
type packedSet[F kernel.Float, W any] struct {
	ready   atomic.Uint64 // version of all, plus 1
	packing sync.Mutex
	all     []W
	jobs    packJobs[F]
}

// get returns the copy of a version; the first call for it packs, on a team.
// lay sizes the copy of layer and direction i and says what to pack.
func (p *packedSet[F, W]) get(version uint64, n int, team *kernel.Team, workers int, lay func(i int, w *W, jobs *packJobs[F])) []W {
	if p.ready.Load() == version+1 {
		return p.all
	}
	p.packing.Lock()
	defer p.packing.Unlock()
	if p.ready.Load() != version+1 {
		p.all, p.jobs = resize(p.all, n), p.jobs[:0]
		for i := range p.all {
			lay(i, &p.all[i], &p.jobs)
		}
		team.Run(&p.jobs, workers)
		p.ready.Store(version + 1)
	}
	return p.all
}

// packJobs are parameters to pack, each as Panels.Pack takes it.
type packJobs[F kernel.Float] []packJob[F]

type packJob[F kernel.Float] struct {
	to              *kernel.Panels[F]
	from            []F
	gate, unit, row int
}

// add sizes panels and puts them on the list.
func (j *packJobs[F]) add(to *kernel.Panels[F], k, units, gates int, from []F, gate, unit, row int) {
	to.Resize(k, units, gates)
	*j = append(*j, packJob[F]{to, from, gate, unit, row})
}

// Work packs worker w's share of n.
func (j *packJobs[F]) Work(w, n int) {
	for _, job := range *j {
		lo, hi := kernel.Share(job.to.Len(), w, n)
		for i := lo; i < hi; i++ {
			job.to.PackPanel(i, job.from, job.gate, job.unit, job.row)
		}
	}
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
	ih, hh, hr kernel.Panels[F]
	bias       []F // where the input's sums start, a row of ih's panel memory
	tail       []F // where the last gate's recurrent part starts, if it stays apart
	sum        []F // scratch of packBias
}

// transposed are the packed parameters that gradients flow back through.
type transposed[F kernel.Float] struct{ ih, hh, hr kernel.Panels[F] }

// packed returns the packed parameters, packing them on the first call.
func (s *Stack[F]) packed(team *kernel.Team, workers int) []weights[F] {
	return s.forward.get(s.Version.Load(), s.L*s.D, team, workers, func(i int, w *weights[F], jobs *packJobs[F]) {
		in, p, g := s.In(i/s.D), &s.Params[i], len(s.Cell.Gates())
		jobs.add(&w.ih, in, s.H, g, p.IH, s.H*in, in, 1)
		jobs.add(&w.hh, s.Out(), s.H, g, p.HH, s.H*s.Out(), s.Out(), 1)
		if s.P > 0 {
			jobs.add(&w.hr, s.H, s.P, 1, p.HR, 0, s.H, 1)
		}
		w.packBias(p, s.H, g, s.Cell.Apart())
	})
}

// packBias lays out the biases: sums start from b_ih + b_hh, rounded once,
// except those of a last gate whose recurrent part stays apart: its input's
// part starts from b_ih and its recurrent part from b_hh.
func (w *weights[F]) packBias(p *Params[F], h, g int, apart bool) {
	w.bias = grow(w.bias, w.ih.Len()*w.ih.MaxCols())
	clear(w.bias)
	if apart {
		w.tail = grow(w.tail, w.hh.Len()*w.hh.UnitsPer())
		clear(w.tail)
	}
	if p.BiasIH == nil {
		return
	}
	w.sum = grow(w.sum, g*h)
	sum := w.sum
	for i := range sum {
		if sum[i] = p.BiasIH[i] + p.BiasHH[i]; apart && i >= (g-1)*h {
			sum[i] = p.BiasIH[i]
			w.tail[i-(g-1)*h] = p.BiasHH[i]
		}
	}
	w.ih.PackRow(w.bias, sum, h)
}

// packedBack returns the transposed parameters, packing them on the first call.
func (s *Stack[F]) packedBack(team *kernel.Team, workers int) []transposed[F] {
	return s.backward.get(s.Version.Load(), s.L*s.D, team, workers, func(i int, w *transposed[F], jobs *packJobs[F]) {
		in, p, gh := s.In(i/s.D), &s.Params[i], len(s.Cell.Gates())*s.H
		jobs.add(&w.ih, gh, in, 1, p.IH, 0, 1, in)
		jobs.add(&w.hh, gh, s.Out(), 1, p.HH, 0, 1, s.Out())
		if s.P > 0 {
			jobs.add(&w.hr, s.P, s.H, 1, p.HR, 0, 1, s.H)
		}
	})
}
