package scan

import "github.com/unroll-ml/unroll/internal/kernel"

// weightGrads adds the gradients of the lane's parameters: products over all of
// time, rows in time order.
func (ln *lane[F]) weightGrads(w, n int) {
	r, s, k := ln.run, ln.run.Stack, &ln.run.back
	g, gh, now := &k.Grads[ln.index()], s.Traits.Gates*s.H, s.nowGates()*s.H
	if g.IH == nil {
		return
	}
	x, _ := r.input(ln.l, r.all(), &r.hands[w])
	ih, hh := outer[F]{g.IH, x, s.In(ln.l)}, outer[F]{g.HH[:now*s.Out()], k.prev, s.Out()}
	switch {
	case s.Traits.Apart:
		r.addOuter(k.dx, gh, gh, w, n, g.BiasIH, nil, ih)
		r.addOuter(k.dz, gh, gh, w, n, g.BiasHH, nil, hh)
	case s.Traits.Late:
		r.addOuter(k.dx, gh, gh, w, n, g.BiasIH, g.BiasHH, ih)
		r.addOuter(k.dx, now, gh, w, n, nil, nil, hh)
		r.addOuter(k.dx[now:], s.H, gh, w, n, nil, nil, outer[F]{g.HH[now*s.Out():], ln.late, s.Out()})
	default: // both biases stand in the same sums
		r.addOuter(k.dx, gh, gh, w, n, g.BiasIH, g.BiasHH, ih, hh)
	}
	if s.P > 0 {
		r.addOuter(k.dr, s.P, s.P, w, n, nil, nil, outer[F]{g.HR, ln.full, s.H})
	}
	if s.Traits.PerUnit > 0 {
		ln.perUnitGrads(g.PerUnit, w, n)
	}
}

// outer is a gradient [rows,cols] and what is multiplied for it, [N,cols].
type outer[F kernel.Float] struct {
	grad, right []F
	cols        int
}

// addOuter adds to each gradient the product of the transpose of left [N,rows], whose
// rows are ld apart, with its right side: each sum starts from what stands there. The
// sums of left's columns, from zero on, are added to two biases, which may be nil. Each
// worker has rows of the gradients and packs all of the right sides for itself, which
// costs less than to meet the others.
func (r *Run[F]) addOuter(left []F, rows, ld, w, n int, bias, bias2 []F, sides ...outer[F]) {
	lo, hi := kernel.Share(rows, w, n)
	if lo >= hi {
		return
	}
	h := &r.hands[w]
	var to [2]kernel.Outer[F]
	for i, o := range sides {
		to[i] = kernel.Outer[F]{
			Dst: kernel.Rows[F]{Data: o.grad[lo*o.cols:], Row: o.cols},
			B:   kernel.Rows[F]{Data: o.right, Row: o.cols}, Units: o.cols,
		}
	}
	var sums []F
	if bias != nil {
		h.sums = grow(h.sums, hi-lo)
		sums = h.sums
		clear(sums)
	}
	kernel.AddOuter(hi-lo, kernel.Rows[F]{Data: left[lo:], Row: ld}, r.N, sums, &h.rows, to[:len(sides)]...)
	for _, b := range [2][]F{bias, bias2} {
		if b != nil {
			grad := kernel.Rows[F]{Data: b[lo:]}
			kernel.AddRows(1, hi-lo, grad, grad, kernel.Rows[F]{Data: sums})
		}
	}
}

// perUnitGrads adds the gradients of the parameters that a unit has for itself,
// rows in the order of steps.
func (ln *lane[F]) perUnitGrads(grad []F, w, n int) {
	r, s := ln.run, ln.run.Stack
	sh := share[F]{w, n, 0, 1, &r.hands[w]}
	lo, hi := sh.of(ln.w.hh.Len())
	for t := range r.T {
		var cp []F
		ldc := s.H
		if ln.c != nil && lo < hi {
			cp, ldc = ln.before(t, r.all(), sh.prev, ln.cellStates())
		}
		for p := lo; p < hi; p++ {
			st := ln.operandsBack(t, p, sh, nil, cp, ldc)
			ln.cell.PerUnitGrads(st, grad[p*ln.w.hh.UnitsPer():])
		}
	}
}

// inputGrads writes the gradient of the input of the layer; the sums of the
// second direction go on from those of the first.
func (ln *lane[F]) inputGrads(w, n int) {
	r, s, k, hand := ln.run, ln.run.Stack, &ln.run.back, &ln.run.hands[w]
	if ln.l == 0 && k.DX.Data == nil {
		return
	}
	p, gh, in := &k.w[ln.index()].ih, s.Traits.Gates*s.H, s.In(ln.l)
	lo, hi := kernel.Share(r.N, w, n)
	if lo >= hi {
		return
	}
	dst, init := kernel.Rows[F]{Data: k.below[lo*in:], Row: in}, kernel.Rows[F]{}
	if ln.d == 1 {
		init = dst
	}
	kernel.MulRows(p, 0, p.Len(), dst, init, kernel.Rows[F]{Data: k.dx[lo*gh:], Row: gh}, hi-lo, &hand.rows)
}
