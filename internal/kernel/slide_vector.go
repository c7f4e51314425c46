//go:build (amd64 || arm64) && !purego

package kernel

import (
	"math"
	"unsafe"
)

// slideVector does what Slide does with vector instructions, and reports whether it
// did. A panel is multiplied with tiles of positions, whose sums stay in the
// second-level cache while slices of the panel, which stay in the first, go by.
func slideVector(w *Panels[float32], dst Lines, init []float32, a Lines, at Places, floor float32, lines, m int) bool {
	lv := level.Load()
	if lv == levelGo {
		return false
	}
	raceSlide(w, dst, init, a, at, lines, m)
	data := bytesOf(w.Data)
	for i := range w.Len() {
		cols := w.Cols(i)
		last := i*w.MaxCols() + cols - Lane
		g := mulArgs{
			w:        unsafe.Pointer(unsafe.SliceData(data.panel(&w.Layout, i))),
			depth:    w.K,
			dst:      unsafe.Pointer(&dst.Data[i*w.MaxCols()]),
			dstPanel: dst.Line * 4,
			dstRow:   dst.Row * 4,
			init:     unsafe.Pointer(&init[i*w.MaxCols()]),
			last:     unsafe.Pointer(&init[last]),
			a:        unsafe.Pointer(unsafe.SliceData(a.Data)),
			row:      a.Row * 4,
			at:       unsafe.Pointer(unsafe.SliceData(at.at)),
			line:     a.Line * 4,
			floor:    floor,
			width:    4,
			set:      &microLevelsA[lv],
		}
		g.tiles(lv, cols/Lane, lines, m)
	}
	return true
}

// tiles walks the positions tile by tile.
func (g *mulArgs) tiles(lv int32, nv, lines, m int) {
	depth := min(max(limits.Slice/(nv*Lane), 1)*3/2, max(g.depth, 1))
	most := max(min(4*limits.Slice/(nv*Lane), limits.Work/(max(depth, 1)*nv*Lane)), 1)
	parts := (m + most - 1) / most
	step := max(most/((m+parts-1)/parts), 1)
	for l := 0; l < lines; l += step {
		for i := range parts {
			lo, hi := m*i/parts, m*(i+1)/parts
			h := *g
			h.dst = unsafe.Add(g.dst, l*g.dstPanel+lo*g.dstRow)
			h.a = unsafe.Add(g.a, l*g.line+lo*g.row)
			h.tile(lv, nv, min(step, lines-l), hi-lo)
		}
	}
}

// tile walks a panel, slice by slice if it is long.
func (g *mulArgs) tile(lv int32, nv, lines, m int) {
	count, depth := 1, max(limits.Slice/(nv*Lane), 1)
	if g.depth > depth*3/2 {
		count = (g.depth + depth - 1) / depth
	}
	for j := range count {
		lo, hi := g.depth*j/count, g.depth*(j+1)/count
		h := *g
		h.depth, h.panels = hi-lo, lines
		h.w, h.at = unsafe.Add(g.w, lo*nv*Lane*4), unsafe.Add(g.at, lo*int(unsafe.Sizeof(0)))
		if j > 0 {
			h.init, h.initPanel, h.initRow = h.dst, g.dstPanel, g.dstRow
			h.last, h.lastPanel, h.lastRow = unsafe.Add(h.dst, (nv-1)*Lane*4), g.dstPanel, g.dstRow
		}
		if j < count-1 {
			h.floor = float32(math.Inf(-1))
		}
		h.prefetch, h.prefetchBy = h.depth*nv*Lane*4, 64
		h.blocks(nv, 1, m)
		slideRoutine(lv, &h)
	}
}
