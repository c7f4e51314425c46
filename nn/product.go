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
	dst      []F
	ldd      int
	init     []F
	ldi      int
	a        kernel.Mat[F]
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
	p.team.Run(p, min(n, parts))
}

// mul computes dst[r][u] = init[r][u] + sum over k of a(r,k)*w(k,u), a chain of
// fused multiply-adds in the order of k from init. ldi 0 makes init one row for
// all; init nil means zeros. dst is [m, ldd] with ldd at least w.Units; init
// may be dst.
func (p *productOf[F]) mul(dst []F, ldd int, init []F, ldi int, w *kernel.Panels[F], a kernel.Mat[F], m int) {
	if m == 0 || w.Units == 0 {
		return
	}
	for len(p.scratch) < p.n || len(p.scratch) == 0 {
		p.scratch = append(p.scratch, kernel.Scratch[F]{})
	}
	p.w, p.dst, p.ldd, p.init, p.ldi, p.a, p.m, p.pack = w, dst, ldd, init, ldi, a, m, false
	p.byPanels = w.Len() >= 4*p.n || m < 2*p.n
	parts := m
	if p.byPanels {
		parts = w.Len()
	}
	p.run(parts, m*w.Units*max(w.K, 1)/16)
	p.dst, p.init, p.a.Data = nil, nil, nil
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
	var init []F
	if p.init != nil {
		init = p.init[r0*p.ldi:]
	}
	kernel.MulRows(p.w, p0, p1, p.dst[r0*p.ldd:], p.ldd, init, p.ldi,
		kernel.Mat[F]{Data: p.a.Data[r0*p.a.Row:], Row: p.a.Row, Col: p.a.Col}, r1-r0, s)
}
