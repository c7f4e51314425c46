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
	x, _ := r.input(l, chunk{t1: r.T, r1: r.N})
	r.outer(g.IH, k.dx, gh, x, s.In(l), w, n)
	r.outer(g.HH, k.dz, gh, k.prev, s.Out(), w, n)
	if s.P > 0 {
		r.outer(g.HR, k.dr, s.P, dir.full, s.H, w, n)
	}
	if g.BiasIH != nil {
		r.columnSums(g.BiasIH, k.dx, gh, w, n)
		r.columnSums(g.BiasHH, k.dz, gh, w, n)
	}
}

// outer adds to grad [rows,cols] the product of the transpose of left [N,rows]
// with right [N,cols].
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
	for i := range p.Len() {
		pc, from := p.Cols(i), i*p.UnitsPer()
		used := min(pc, cols-from)
		for g0 := lo; g0 < hi; g0 += rowTile {
			m := min(rowTile, hi-g0)
			kernel.Mul(p, i, i+1, kernel.Block[F]{Data: hand.z, Row: pc}, kernel.Block[F]{Data: r.zeros}, nil,
				kernel.Mat[F]{Data: left[g0:], Row: 1, Col: rows}, m)
			for j := range m {
				dst := grad[(g0+j)*cols+from : (g0+j)*cols+from+used]
				for c, v := range hand.z[j*pc : j*pc+used] {
					dst[c] += v
				}
			}
		}
	}
}

// columnSums adds to grad [cols] the sums of the columns of a [N,cols], rows in
// time order.
func (r *Run[F]) columnSums(grad, a []F, cols, w, n int) {
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
		for c, v := range sum {
			grad[c0+c] += v
		}
	}
}

// inputGrads writes, or for the second direction adds, the gradient of the
// input of layer l.
func (r *Run[F]) inputGrads(l, d, w, n int) {
	s, k, hand := r.Stack, &r.back, &r.hands[w]
	if l == 0 && k.DX.Data == nil {
		return
	}
	p, gh, in := k.w[l*s.D+d].ih, len(s.Cell.Gates())*s.H, s.In(l)
	lo, hi := kernel.Share(r.N, w, n)
	for i := range p.Len() {
		pc, from := p.Cols(i), i*p.UnitsPer()
		used := min(pc, in-from)
		for r0 := lo; r0 < hi; r0 += rowTile {
			m := min(rowTile, hi-r0)
			kernel.Mul(p, i, i+1, kernel.Block[F]{Data: hand.z, Row: pc}, kernel.Block[F]{Data: r.zeros}, nil,
				kernel.Mat[F]{Data: k.dx[r0*gh:], Row: gh, Col: 1}, m)
			for j := range m {
				z, dst := hand.z[j*pc:j*pc+used], k.below[(r0+j)*in+from:(r0+j)*in+from+used]
				if d == 0 {
					copy(dst, z)
					continue
				}
				for c, v := range z {
					dst[c] += v
				}
			}
		}
	}
}
