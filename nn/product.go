package nn

import (
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// edge is the number of columns of a full panel with one gate.
const edge = 4 * kernel.Lane

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
	last     []F // the last panel's columns, which may be wider than dst's
	zero     []F
	row      []F // a bias, padded
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
	cols := w.Len() * edge
	if init == nil {
		if len(p.zero) < cols {
			p.zero = make([]F, cols)
		}
		init, ldi = p.zero, 0
	} else if ldi == 0 && len(init) < cols {
		p.row = grow(p.row, cols)
		clear(p.row[copy(p.row, init):])
		init = p.row
	}
	if w.Units%kernel.Lane != 0 {
		p.last = grow(p.last, m*edge)
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
		p.part(lo, hi, 0, p.m)
	default:
		lo, hi := kernel.Share(p.m, w, n)
		p.part(0, panels, lo, hi)
	}
}

// part computes panels [p0,p1) of rows [r0,r1).
func (p *productOf[F]) part(p0, p1, r0, r1 int) {
	if p0 >= p1 || r0 >= r1 {
		return
	}
	panels, m := p.w.Len(), r1-r0
	whole := p1
	if p1 == panels && p.w.Units%kernel.Lane != 0 {
		whole--
	}
	a := kernel.Mat[F]{Data: p.a.Data[r0*p.a.Row:], Row: p.a.Row, Col: p.a.Col}
	if p0 < whole {
		kernel.Mul(p.w, p0, whole, kernel.Block[F]{Data: p.dst[r0*p.ldd+p0*edge:], Panel: edge, Row: p.ldd},
			kernel.Block[F]{Data: p.init[r0*p.ldi+p0*edge:], Panel: edge, Row: p.ldi}, nil, a, m)
	}
	if whole == p1 {
		return
	}
	// The last panel is padded to whole blocks, which may reach beyond the row.
	first := whole * edge
	width := p.w.Units - first
	last := p.last[r0*edge:]
	init := kernel.Block[F]{Data: p.init[min(first, len(p.init)):], Panel: edge}
	if p.ldi != 0 {
		for r := range m {
			row := last[r*edge : (r+1)*edge]
			clear(row[copy(row, p.init[(r0+r)*p.ldi+first:][:width]):])
		}
		init = kernel.Block[F]{Data: last, Panel: edge, Row: edge}
	}
	kernel.Mul(p.w, whole, p1, kernel.Block[F]{Data: last, Panel: edge, Row: edge}, init, nil, a, m)
	for r := range m {
		copy(p.dst[(r0+r)*p.ldd+first:][:width], last[r*edge:])
	}
}
