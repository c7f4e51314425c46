package nn

import (
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// productOf multiplies rows with packed panels into row-major memory, on some
// workers. It is scratch of one goroutine. Workers split outputs, never sums.
type productOf[F tensor.Float] struct {
	team kernel.Team
	n    int
	pack bool // the running task is packing

	w        *kernel.Panels[F]
	int8     *kernel.Panels8 // the numbers, where w is only their layout
	dst      kernel.Rows[F]
	init     kernel.Rows[F]
	a        kernel.Rows[F]
	columns  bool // the left side is the transpose of a
	m        int
	scratch  []kernel.Scratch[F] // of each worker
	src      []F
	srcUnit  int
	srcRow   int
	byPanels bool
}

// packed fills w with src: unit u of row k is src[u*unit+k*row].
func (p *productOf[F]) packed(w *kernel.Panels[F], k, units int, src []F, unit, row int) {
	w.Resize(k, units, 1)
	p.w, p.src, p.srcUnit, p.srcRow, p.pack = w, src, unit, row, true
	p.run(w.Len(), k*units)
	p.src = nil
}

// run shares the task among the workers, if it is worth waking them.
func (p *productOf[F]) run(parts, work int) {
	n := max(p.n, 1)
	if work < 1<<18 {
		n = 1
	}
	p.team.Run(p, p.team.Workers(min(n, parts)))
}

// mul computes dst[r][u] = init[r][u] + sum over k of a(r,k)*w(k,u), a chain of
// fused multiply-adds in the order of k from init, as kernel.MulRows does; with
// columns a(r,k) is a[k][r], as for kernel.MulColumns.
func (p *productOf[F]) mul(dst, init kernel.Rows[F], w *kernel.Panels[F], a kernel.Rows[F], columns bool, m int) {
	if m == 0 || w.Units == 0 {
		return
	}
	for len(p.scratch) < p.n || len(p.scratch) == 0 {
		p.scratch = append(p.scratch, kernel.Scratch[F]{})
	}
	p.w, p.dst, p.init, p.a, p.columns, p.m, p.pack = w, dst, init, a, columns, m, false
	p.byPanels = w.Len() >= 4*p.n || m < 2*p.n
	parts := m
	if p.byPanels {
		parts = w.Len()
	}
	p.run(parts, m*w.Units*max(w.K, 1)/16)
	p.dst.Data, p.init.Data, p.a.Data = nil, nil, nil
}

// Work is one worker's part.
func (p *productOf[F]) Work(w, n int) {
	panels := p.w.Len()
	switch {
	case p.pack:
		lo, hi := kernel.Share(panels, w, n)
		for i := lo; i < hi; i++ {
			p.w.PackPanel(i, p.src, 0, p.srcUnit, p.srcRow)
		}
	case p.byPanels:
		lo, hi := kernel.Share(panels, w, n)
		p.part(lo, hi, 0, p.m, &p.scratch[w])
	default:
		lo, hi := kernel.Share(p.m, w, n)
		p.part(0, panels, lo, hi, &p.scratch[w])
	}
}

// part computes panels [p0,p1) of rows [r0,r1).
func (p *productOf[F]) part(p0, p1, r0, r1 int, s *kernel.Scratch[F]) {
	if r0 >= r1 {
		return
	}
	dst, init, a := p.dst.From(r0), p.init.From(r0), p.a
	if p.columns {
		a.Data = a.Data[r0:]
		kernel.MulColumns(p.w, p0, p1, dst, init, a, r1-r0, s)
		return
	}
	if p.int8 != nil {
		kernel.MulRows8(p.int8, p0, p1, dst, init, a.From(r0), r1-r0, s)
		return
	}
	kernel.MulRows(p.w, p0, p1, dst, init, a.From(r0), r1-r0, s)
}
