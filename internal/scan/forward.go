package scan

import (
	"iter"

	"github.com/unroll-ml/unroll/internal/kernel"
)

// share is who does a piece of work: worker w of n, with a worker's memory. A worker
// has its panels of all sequences or, alone (n is 1), all panels of its part of them.
type share[F kernel.Float] struct {
	w, n        int
	part, parts int
	*hand[F]
}

// sequences returns the worker's rows [lo, hi) of a step of m.
func (sh share[F]) sequences(m int) (lo, hi int) { return kernel.Share(m, sh.part, sh.parts) }

// of returns the worker's part [lo, hi) of count things.
func (sh share[F]) of(count int) (lo, hi int) { return kernel.Share(count, sh.w, sh.n) }

// cut is how weights of any form are cut into panels.
type cut interface {
	Len() int
	UnitsPer() int
}

// barrier waits for the others who share the work.
func (r *Run[F]) barrier(sh share[F]) {
	if sh.n > 1 {
		r.team.Barrier()
	}
}

// units returns the worker's units [lo, hi) of panels of size units in all.
func (sh share[F]) units(p cut, size int) (lo, hi int) {
	lo, hi = sh.of(p.Len())
	return lo * p.UnitsPer(), min(hi*p.UnitsPer(), size)
}

// chunk is a worker's share of a lane over one chunk of time. Panels own their
// hidden units, and a worker owns panels: its projections, its gates and its
// part of c need no other worker. What all share, the input rows and the hidden
// states of the step before, is separated by barriers.
func (ln *lane[F]) chunk(c chunk, sh share[F]) {
	r, ih := ln.run, &ln.w.ih
	lo, hi := sh.of(ih.Len())
	switch {
	case lo >= hi:
	case sh.parts == 1:
		ln.inputSums(c, sh, lo, hi, c.r0, c.r1)
	case len(ih.Data) > limits.AloneWeights && c.t1-c.t0 > 1:
		// A panel stays in the cache while the steps go by.
		for p := lo; p < hi; p++ {
			ln.inputSumsOf(c, sh, p, p+1)
		}
	default:
		ln.inputSumsOf(c, sh, lo, hi)
	}
	if !ln.chain(c, sh) && !ln.single(c, sh) {
		for i := range c.t1 - c.t0 {
			ln.step(c.step(ln.way, i), c, sh)
		}
	}
	ln.carry(c, sh)
	if ln.l == r.Stack.L-1 && r.byChunks() && !r.direct {
		r.scatter(c, sh)
	}
}

// inputSums multiplies rows [r0,r1) of a chunk's input with panels [lo,hi).
func (ln *lane[F]) inputSums(c chunk, sh share[F], lo, hi, r0, r1 int) {
	r, ih := ln.run, &ln.w.ih
	x, base := r.input(ln.l, c, sh.hand)
	cols, in, m := ih.MaxCols(), r.Stack.In(ln.l), r1-r0
	ih.mul(lo, hi,
		kernel.Block[F]{Data: ln.sums[(lo*c.rows+r0-c.from)*cols:], Panel: c.rows * cols, Row: cols},
		kernel.Block[F]{Data: ln.w.bias[lo*cols:], Panel: cols}, nil,
		ih.left(kernel.Rows[F]{Data: x[(r0-base)*in:], Row: in}, m, sh.hand), 0, m)
}

// inputSumsOf is inputSums for a worker's sequences of each step.
func (ln *lane[F]) inputSumsOf(c chunk, sh share[F], lo, hi int) {
	for from, to := range ln.run.own(c, sh) {
		ln.inputSums(c, sh, lo, hi, from, to)
	}
}

// chain walks all steps of a chunk in one call, where a kernel can: one sequence
// through a small layer.
func (ln *lane[F]) chain(c chunk, sh share[F]) bool {
	r, s, op := ln.run, ln.run.Stack, ln.cell.Chain()
	if !ln.plain() || ln.w.hh.precision != Full || !kernel.CanChain[F](op, s.H) {
		return false
	}
	if ln.w.hh.Len() > 1 {
		r.barrier(sh) // the sums of all panels
	}
	if lo, hi := sh.of(1); lo < hi { // who owns the last panel has its sums
		kernel.Chain(op, &kernel.Walk[F]{
			Steps: c.t1 - c.t0, Back: ln.way == backwards, W: &ln.w.hh.Panels, Tail: ln.w.tail,
			Sums: kernel.Rows[F]{Data: ln.sums, Row: ln.w.hh.MaxCols()}, Panel: c.rows * ln.w.hh.MaxCols(),
			H0: ln.h, C: ln.c,
			Y: kernel.Rows[F]{Data: ln.y[(c.r0-r.outBase(ln.l, c))*ln.ldy:], Row: ln.ldy},
		})
	}
	r.barrier(sh)
	return true
}

// input returns the rows that layer l reads in a chunk and the row of N that
// stands first.
func (r *Run[F]) input(l int, c chunk, h *hand[F]) (x []F, base int) {
	switch {
	case l > 0 && r.mask(l-1) == nil:
		return r.layers[l-1].y, r.outBase(l-1, c)
	case l == 0 && r.ownInput(c):
		return h.x, c.r0
	}
	return r.layers[l].x, r.base(c)
}

// gather fills a worker's share of the input rows of a chunk where they do not
// stand ready: the caller's input, flushed, and outputs that a dropout mask
// multiplies. It reports whether the workers must meet before they read them.
func (r *Run[F]) gather(l int, c chunk, sh share[F]) bool {
	if l > 0 && r.mask(l-1) == nil {
		return false
	}
	x, base, in := r.layers[l].x, r.base(c), r.Stack.In(l)
	if sh.parts > 1 {
		for lo, hi := range r.own(c, sh) {
			r.take(x, base, lo, hi)
		}
		return false
	}
	lo, hi := sh.of(c.r1 - c.r0)
	lo, hi = lo+c.r0, hi+c.r0
	if l > 0 {
		mask, below, from := r.mask(l-1), r.layers[l-1].y, r.outBase(l-1, c)
		for i := lo * in; i < hi*in; i++ {
			x[i-base*in] = below[i-from*in] * mask[i]
		}
		return true
	}
	own := r.ownInput(c)
	if own {
		// So little that each worker takes all of it, to memory of its own.
		sh.x, lo, hi = grow(sh.x, (c.r1-c.r0)*in), c.r0, c.r1
		x, base = sh.x, c.r0
	}
	r.take(x, base, lo, hi)
	return !own
}

// take copies rows [lo,hi) of the caller's input, flushed, to memory whose first row
// is base.
func (r *Run[F]) take(x []F, base, lo, hi int) {
	in := r.Stack.I
	if r.X.inOrder(&r.Batch, in) {
		kernel.FlushTo(x[(lo-base)*in:(hi-base)*in], r.X.Data[lo*in:hi*in])
		return
	}
	for row, t := range r.rows(lo, hi) {
		kernel.FlushTo(x[(row-base)*in:(row-base+1)*in], r.X.vector(&r.Batch, row, t, in))
	}
}

// own ranges over a chunk's rows [from,to) that are of a worker's sequences: those of
// all steps at once if it has all sequences.
func (r *Run[F]) own(c chunk, sh share[F]) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		if sh.parts == 1 {
			yield(c.r0, c.r1)
			return
		}
		for t := c.t0; t < c.t1; t++ {
			lo, hi := sh.sequences(r.Sizes[t])
			if lo < hi && !yield(r.Off[t]+lo, r.Off[t]+hi) {
				return
			}
		}
	}
}

// ownInput reports whether each worker gathers a chunk of the first layer's
// input by itself, which saves a barrier. Another one must stand between two
// chunks of a layer: the steps of another layer have it.
func (r *Run[F]) ownInput(c chunk) bool {
	return !r.whole() && r.way == byUnits && (c.r1-c.r0)*r.Stack.I <= limits.OwnInputs && (r.Stack.L > 1 || len(r.plan) == 1)
}

// scatter writes a worker's share of a chunk of the output to where the caller wants
// it.
func (r *Run[F]) scatter(c chunk, sh share[F]) {
	if sh.parts > 1 {
		for lo, hi := range r.own(c, sh) {
			r.give(c, lo, hi)
		}
		return
	}
	lo, hi := sh.of(c.r1 - c.r0)
	r.give(c, lo+c.r0, hi+c.r0)
}

// give writes rows [lo,hi).
func (r *Run[F]) give(c chunk, lo, hi int) {
	y, base, width := r.layers[r.Stack.L-1].y, r.base(c), r.Stack.D*r.Stack.Out()
	if r.Y.inOrder(&r.Batch, width) {
		copy(r.Y.Data[lo*width:hi*width], y[(lo-base)*width:])
		return
	}
	for row, t := range r.rows(lo, hi) {
		copy(r.Y.vector(&r.Batch, row, t, width), y[(row-base)*width:(row-base+1)*width])
	}
}
