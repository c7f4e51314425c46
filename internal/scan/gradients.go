package scan

import "github.com/unroll-ml/unroll/internal/kernel"

// weightGrads adds the gradients of the parameters of layer l, direction d:
// products over all of time, rows in time order.
func (r *Run[F]) weightGrads(l, d, w, n int) {
	s, k, dir := r.Stack, &r.back, &r.dirs[l*r.Stack.D+d]
	g, gh := &k.Grads[l*s.D+d], len(s.Cell.Gates())*s.H
	if g.IH == nil {
		return
	}
	x, _ := r.input(l, chunk{t1: r.T, r1: r.N}, &r.hands[w])
	r.outer(g.IH, k.dx, gh, x, s.In(l), w, n)
	r.outer(g.HH, k.dz, gh, k.prev, s.Out(), w, n)
	if s.P > 0 {
		r.outer(g.HR, k.dr, s.P, dir.full, s.H, w, n)
	}
	switch {
	case g.BiasIH == nil:
	case s.Cell.Apart():
		r.columnSums(k.dx, gh, w, n, g.BiasIH)
		r.columnSums(k.dz, gh, w, n, g.BiasHH)
	default: // both biases stand in the same sums
		r.columnSums(k.dx, gh, w, n, g.BiasIH, g.BiasHH)
	}
}

// outer adds to grad [rows,cols] the product of the transpose of left [N,rows]
// with right [N,cols]: each sum starts from what stands there.
func (r *Run[F]) outer(grad, left []F, rows int, right []F, cols, w, n int) {
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
		kernel.MulRows(p, 0, p.Len(), grad[lo*cols:], cols, grad[lo*cols:], cols,
			kernel.Mat[F]{Data: left[lo:], Row: 1, Col: rows}, hi-lo, &hand.rows)
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
		for row := range r.N {
			for c, v := range a[row*cols+c0 : row*cols+c0+len(sum)] {
				sum[c] += v
			}
		}
		for _, grad := range grads {
			for c, v := range sum {
				grad[c0+c] += v
			}
		}
	}
}

// inputGrads writes the gradient of the input of layer l; the sums of the second
// direction go on from those of the first.
func (r *Run[F]) inputGrads(l, d, w, n int) {
	s, k, hand := r.Stack, &r.back, &r.hands[w]
	if l == 0 && k.DX.Data == nil {
		return
	}
	p, gh, in := &k.w[l*s.D+d].ih, len(s.Cell.Gates())*s.H, s.In(l)
	lo, hi := kernel.Share(r.N, w, n)
	if lo >= hi {
		return
	}
	dst, init := k.below[lo*in:], []F(nil)
	if d == 1 {
		init = dst
	}
	kernel.MulRows(p, 0, p.Len(), dst, in, init, in, kernel.Mat[F]{Data: k.dx[lo*gh:], Row: gh, Col: 1}, hi-lo, &hand.rows)
}
