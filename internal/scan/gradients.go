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
	r.outer(g.IH, k.dx, gh, gh, x, s.In(ln.l), w, n)
	r.outer(g.HH[:now*s.Out()], k.dz, now, gh, k.prev, s.Out(), w, n)
	if s.Traits.Late {
		r.outer(g.HH[now*s.Out():], k.dz[now:], s.H, gh, ln.late, s.Out(), w, n)
	}
	if s.P > 0 {
		r.outer(g.HR, k.dr, s.P, s.P, ln.full, s.H, w, n)
	}
	if s.Traits.PerUnit > 0 {
		ln.perUnitGrads(g.PerUnit, w, n)
	}
	switch {
	case g.BiasIH == nil:
	case s.Traits.Apart:
		r.columnSums(k.dx, gh, w, n, g.BiasIH)
		r.columnSums(k.dz, gh, w, n, g.BiasHH)
	default: // both biases stand in the same sums
		r.columnSums(k.dx, gh, w, n, g.BiasIH, g.BiasHH)
	}
}

// outer adds to grad [rows,cols] the product of the transpose of left [N,rows],
// whose rows are ld apart, with right [N,cols]: each sum starts from what stands
// there.
func (r *Run[F]) outer(grad, left []F, rows, ld int, right []F, cols, w, n int) {
	p, hand := &r.back.right, &r.hands[w]
	r.team.Barrier()
	if w == 0 {
		p.Resize(r.N, cols, 1)
	}
	r.team.Barrier()
	lo, hi := kernel.Share(p.Len(), w, n)
	for i := lo; i < hi; i++ {
		p.PackPanel(i, right, 0, 1, cols)
	}
	r.team.Barrier()
	lo, hi = kernel.Share(rows, w, n)
	if lo < hi {
		to := kernel.Rows[F]{Data: grad[lo*cols:], Row: cols}
		kernel.MulColumns(p, 0, p.Len(), to, to, kernel.Rows[F]{Data: left[lo:], Row: ld}, hi-lo, &hand.rows)
	}
}

// columnSums adds to each of grads [cols] the sums of the columns of a [N,cols],
// rows in time order.
func (r *Run[F]) columnSums(a []F, cols, w, n int, grads ...[]F) {
	z := r.hands[w].z
	lo, hi := kernel.Share(cols, w, n)
	for c0 := lo; c0 < hi; c0 += len(z) {
		sum := z[:min(len(z), hi-c0)]
		clear(sum)
		kernel.AddColumns(r.N, len(sum), sum, kernel.Rows[F]{Data: a[c0:], Row: cols})
		for _, grad := range grads {
			to := kernel.Rows[F]{Data: grad[c0:]}
			kernel.AddRows(1, len(sum), to, to, kernel.Rows[F]{Data: sum})
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
			st := ln.operandsBack(t, p, sh.hand, nil, cp, ldc)
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
