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
	does work // the running task

	w        *kernel.Panels[F]
	int8     *kernel.Panels8 // the numbers, where w is only their layout
	dst      kernel.Rows[F]
	init     kernel.Rows[F]
	a        kernel.Rows[F]
	m        int
	k, units int                 // sizes of an outer product
	scratch  []kernel.Scratch[F] // of each worker
	src      []F
	srcUnit  int
	srcRow   int
	byPanels bool
}

// work is a kind of task.
type work int

const (
	multiplies work = iota
	packs
	addsOuter
)

// packed fills w with src: unit u of row k is src[u*unit+k*row].
func (p *productOf[F]) packed(w *kernel.Panels[F], k, units int, src []F, unit, row int) {
	w.Resize(k, units, 1)
	p.w, p.src, p.srcUnit, p.srcRow, p.does = w, src, unit, row, packs
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
// fused multiply-adds in the order of k from init, as kernel.MulRows does.
func (p *productOf[F]) mul(dst, init kernel.Rows[F], w *kernel.Panels[F], a kernel.Rows[F], m int) {
	p.w, p.dst, p.init, p.a, p.m, p.does = w, dst, init, a, m, multiplies
	p.shared(w.Layout)
}

// addOuter adds to m rows of dst, of units columns, the sums over k rows of the products
// of a's columns with b's, as kernel.AddOuter does.
func (p *productOf[F]) addOuter(dst kernel.Rows[F], m, units int, a, b kernel.Rows[F], k int) {
	p.dst, p.init, p.a, p.m, p.k, p.units, p.does = dst, b, a, m, k, units, addsOuter
	p.shared(kernel.NewLayout(k, units, 1))
}

// shared runs a product with weights of a layout on the workers: each has rows or,
// where there are many or rows few, panels.
func (p *productOf[F]) shared(w kernel.Layout) {
	if p.m == 0 || w.Units == 0 {
		return
	}
	for len(p.scratch) < p.n || len(p.scratch) == 0 {
		p.scratch = append(p.scratch, kernel.Scratch[F]{})
	}
	p.byPanels = w.Len() >= 4*p.n || p.m < 2*p.n
	parts := p.m
	if p.byPanels {
		parts = w.Len()
	}
	p.run(parts, p.m*w.Units*max(w.K, 1)/16)
	p.dst.Data, p.init.Data, p.a.Data = nil, nil, nil
}

// Work is one worker's part.
func (p *productOf[F]) Work(w, n int) {
	var layout kernel.Layout
	if p.does == addsOuter {
		layout = kernel.NewLayout(p.k, p.units, 1)
	} else {
		layout = p.w.Layout
	}
	p0, p1, r0, r1 := 0, layout.Len(), 0, p.m
	if p.byPanels || p.does == packs {
		p0, p1 = kernel.Share(p1, w, n)
	} else {
		r0, r1 = kernel.Share(r1, w, n)
	}
	if p0 >= p1 {
		return
	}
	switch p.does {
	case packs:
		for i := p0; i < p1; i++ {
			p.w.PackPanel(i, p.src, 0, p.srcUnit, p.srcRow)
		}
	case addsOuter:
		u0, u1 := p0*layout.UnitsPer(), min(p1*layout.UnitsPer(), layout.Units)
		dst, a, b := p.dst.From(r0), p.a, p.init
		dst.Data, a.Data, b.Data = dst.Data[u0:], a.Data[r0:], b.Data[u0:]
		kernel.AddOuter(r1-r0, a, p.k, nil, &p.scratch[w], kernel.Outer[F]{Dst: dst, B: b, Units: u1 - u0})
	default:
		p.part(p0, p1, r0, r1, &p.scratch[w])
	}
}

// part computes panels [p0,p1) of rows [r0,r1).
func (p *productOf[F]) part(p0, p1, r0, r1 int, s *kernel.Scratch[F]) {
	if r0 >= r1 {
		return
	}
	dst, init, a := p.dst.From(r0), p.init.From(r0), p.a.From(r0)
	if p.int8 != nil {
		kernel.MulRows8(p.int8, p0, p1, dst, init, a, r1-r0, s)
		return
	}
	kernel.MulRows(p.w, p0, p1, dst, init, a, r1-r0, s)
}
