//go:build race && (amd64 || arm64) && !purego

package kernel

import (
	"runtime"
	"unsafe"
)

// The race detector does not see what assembly reads and writes: it is told
// before each call. These functions are empty without it.

func raceRange[E any](x []E, a access) {
	if len(x) == 0 {
		return
	}
	p, n := unsafe.Pointer(unsafe.SliceData(x)), len(x)*int(unsafe.Sizeof(x[0]))
	if a&reads != 0 {
		runtime.RaceReadRange(p, n)
	}
	if a&writes != 0 {
		runtime.RaceWriteRange(p, n)
	}
}

// raceRows is raceRange for the first n elements of m rows.
func raceRows(x Rows[float32], m, n int, a access) {
	for r := 0; r < m && n > 0; r++ {
		raceRange(x.At(r, n), a)
	}
}

// raceFused tells of an operand of a fused operation.
func raceFused(o *operand, g *Gates, x Rows[float32]) {
	for gate := range o.gates {
		raceRows(Rows[float32]{x.Data[gate*g.Gate:], x.Row}, g.M, o.width(g.N), o.access)
	}
}

// raceMul tells of panels [p0, p1), equally wide, of a product.
func raceMul(w *Layout, data packed, p0, p1 int, dst, init Block[float32], tail []float32, a left[float32], m int) {
	cols, gates := w.Cols(p0), 1
	started := cols // columns that start from init
	if tail != nil {
		started -= Lane * w.blocks(p0)
		raceRange(tail[:((p1-1-p0)*w.Blocks+w.blocks(p1-1))*Lane], reads)
	}
	if w.folds(p0) { // of each gate only the units that there is room for
		cols, started, gates = w.Fold, w.Fold, w.Gates
	}
	for i := range p1 - p0 {
		raceRange(data.panel(w, p0+i), reads)
		for g := range gates {
			if gates == 1 || tail == nil || g < gates-1 {
				raceRows(Rows[float32]{init.Data[i*init.Panel+g*Lane:], init.Row}, m, started, reads)
			}
			raceRows(Rows[float32]{dst.Data[i*dst.Panel+g*Lane:], dst.Row}, m, cols, writes)
		}
	}
	if a.Col == 1 {
		raceRows(Rows[float32]{a.Data, a.Row}, m, w.K, reads)
	} else { // Row is 1: a transposed left side
		raceRows(Rows[float32]{a.Data, a.Col}, w.K, m, reads)
	}
}

// raceMul8 tells of panels [p0, p1), equally wide, of a product of integers.
func raceMul8(w *Panels8, p0, p1 int, dst, init Block[float32], tail []float32, shift []int32, a Rows8, m int, raw bool) {
	cols := w.Cols(p0)
	started := cols // columns that start from init
	switch {
	case raw:
		started = 0
	case tail != nil:
		started -= Lane * w.blocks(p0)
		raceRange(tail[:((p1-1-p0)*w.Blocks+w.blocks(p1-1))*Lane], reads)
	}
	for i := range p1 - p0 {
		at := (p0 + i) * w.MaxCols()
		raceRange(w.Panel(p0+i), reads)
		raceRange(shift[at:at+cols], reads)
		if !raw {
			raceRange(w.Scale[at:at+cols], reads)
		}
		raceRows(Rows[float32]{init.Data[i*init.Panel:], init.Row}, m, started, reads)
		raceRows(Rows[float32]{dst.Data[i*dst.Panel:], dst.Row}, m, cols, writes)
	}
	if a.Steps != nil {
		raceRange(a.Steps[:m], reads)
	}
	for r := range m {
		raceRange(a.Data[r*a.Row:r*a.Row+w.Groups()*group8], reads)
	}
}

// raceSlide tells of what Slide reads and writes.
func raceSlide(w *Panels[float32], dst Lines, init []float32, a Lines, at Places, lines, m int) {
	width := Pad(w.Units)
	raceRange(w.Data[:w.K*width], reads)
	raceRange(init[:width], reads)
	raceRange(at.at, reads)
	for l := range lines {
		for r := range m {
			raceRange(a.at(l, r, at.most), reads)
			raceRange(dst.at(l, r, width), writes)
		}
	}
}
