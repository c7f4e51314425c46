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
	Cells         []cell.Cell[F] // of each direction
	Traits        cell.Traits    // of all of them
	I, H, P, L, D int
	Reverse       bool        // the only direction goes back through time
	Params        []Params[F] // of layer l, direction d at l*D+d
	Precisions    []Precision // of each layer; nil: Full
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
		p.all, p.jobs = extend(p.all, n), p.jobs[:0]
		for i := range p.all {
			lay(i, &p.all[i], &p.jobs)
		}
		team.Run(&p.jobs, workers)
		p.ready.Store(version + 1)
	}
	return p.all
}

// panels is what can be packed panel by panel.
type panels[F kernel.Float] interface {
	Len() int
	PackPanel(i int, w []F, gate, unit, row int)
}

// packJobs are parameters to pack, each as Panels.Pack takes it.
type packJobs[F kernel.Float] []packJob[F]

type packJob[F kernel.Float] struct {
	to              panels[F]
	from            []F
	gate, unit, row int
}

// add sizes panels and puts them on the list.
func (j *packJobs[F]) add(to *kernel.Panels[F], k, units, gates int, from []F, gate, unit, row int) {
	to.Resize(k, units, gates)
	j.put(to, from, gate, unit, row)
}

func (j *packJobs[F]) put(to panels[F], from []F, gate, unit, row int) {
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
	PerUnit        []F // [Traits.PerUnit*H]
}

// Out returns H', the size of a hidden state.
func (s *Stack[F]) Out() int {
	if s.P > 0 {
		return s.P
	}
	return s.H
}

// Width returns D*H', the size of an output.
func (s *Stack[F]) Width() int { return s.D * s.Out() }

// precision returns the form of the weights of layer l.
func (s *Stack[F]) precision(l int) Precision {
	if s.Precisions == nil {
		return Full
	}
	return s.Precisions[l]
}

// nowGates returns the number of gates whose recurrent weights multiply the
// state: all but a late one.
func (s *Stack[F]) nowGates() int {
	if s.Traits.Late {
		return s.Traits.Gates - 1
	}
	return s.Traits.Gates
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
	ih, hh, hr product[F]
	late       product[F] // of the late gate, which hh then lacks
	bias       []F        // where the input's sums start, a row of ih's panel memory
	tail       []F        // where the last gate's recurrent part starts, if it stays apart
	sum        []F        // scratch of packBias
}

// transposed are the packed parameters that gradients flow back through.
type transposed[F kernel.Float] struct{ ih, hh, hr, late kernel.Panels[F] }

// packed returns the packed parameters, packing them on the first call.
func (s *Stack[F]) packed(team *kernel.Team, workers int) []weights[F] {
	return s.forward.get(s.Version.Load(), s.L*s.D, team, workers, func(i int, w *weights[F], jobs *packJobs[F]) {
		in, p, g, out := s.In(i/s.D), &s.Params[i], s.Traits.Gates, s.Out()
		// With a late gate all panels have the same units, so that a worker owns all
		// of a unit.
		narrow, precision := s.Traits.Late, s.precision(i/s.D)
		add := func(to *product[F], k, units, gates int, from []F, gate int, narrow bool) {
			to.lay(precision, k, units, gates, narrow)
			jobs.put(to, from, gate, k, 1)
		}
		add(&w.ih, in, s.H, g, p.IH, s.H*in, narrow)
		add(&w.hh, out, s.H, s.nowGates(), p.HH, s.H*out, narrow)
		if s.Traits.Late {
			add(&w.late, out, s.H, 1, p.HH[(g-1)*s.H*out:], 0, narrow)
		}
		if s.P > 0 {
			add(&w.hr, s.H, s.P, 1, p.HR, 0, false)
		}
		w.packBias(p, s.H, g, s.Traits.Apart)
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
		in, p, gh, now := s.In(i/s.D), &s.Params[i], s.Traits.Gates*s.H, s.nowGates()*s.H
		jobs.add(&w.ih, gh, in, 1, p.IH, 0, 1, in)
		jobs.add(&w.hh, now, s.Out(), 1, p.HH, 0, 1, s.Out())
		if s.Traits.Late {
			jobs.add(&w.late, s.H, s.Out(), 1, p.HH[now*s.Out():], 0, 1, s.Out())
		}
		if s.P > 0 {
			jobs.add(&w.hr, s.P, s.H, 1, p.HR, 0, 1, s.H)
		}
	})
}
