//go:build (amd64 || arm64) && !purego

package kernel

import "unsafe"

// mul8Args are the arguments of one call of assembly; distances are bytes. The
// assembly moves w, scale, shift, dst, init and last on, to the last panel it
// does, and counts panels down.
type mul8Args struct {
	w            unsafe.Pointer // the first panel
	panel        int
	groups       int // of four k
	scale, shift unsafe.Pointer
	own          unsafe.Pointer // the weights' own shift
	cols         int            // of scale and shift, from panel to panel
	dst          unsafe.Pointer
	dstPanel     int
	dstRow       int
	init         unsafe.Pointer // all columns but the last vector
	initPanel    int
	initRow      int
	last         unsafe.Pointer // the last vector of 16 columns
	lastPanel    int
	lastRow      int
	a            unsafe.Pointer
	row          int
	steps        unsafe.Pointer // of the first row
	stepsRow     int            // from row to row; 0: the same for each block of rows
	raw          int            // not 0: store sums
	panels       int
	ahead        int     // what a block of rows prefetches of the next panel, beyond its own place
	kernel       uintptr // the microkernel of the big blocks of rows
	big          int     // number of big blocks of rows
	bigBytes     int     // rows of a big block times row
	bigSteps     int     // rows of a big block times stepsRow
	kernelSmall  uintptr
	small        int
	smallBytes   int
	smallSteps   int
}

// micros8 are the microkernels of a level by rows and vectors, each less one, and
// 0 where the registers do not suffice.
type micros8 [microRows][microVecs]uintptr

// mul8Vector does what mul8 does with vector instructions, and reports whether it
// did.
func mul8Vector(w *Panels8, p0, p1 int, dst, init Block[float32], tail []float32, shift []int32, a Rows8, m int, raw bool) bool {
	lv := level.Load()
	cols := w.Cols(p0)
	if lv == levelGo || cols > 4*Lane {
		return false
	}
	micros := micros8Of(lv)
	if micros == nil {
		return false
	}
	if w.Cols(p1-1) != cols { // the last panel is narrower
		n := p1 - 1 - p0
		mul8Vector(w, p0, p1-1, dst, init, tail, shift, a, m, raw)
		if tail != nil {
			tail = tail[n*w.Blocks*Lane:]
		}
		dst.Data, init.Data = dst.Data[n*dst.Panel:], init.Data[n*init.Panel:]
		mul8Vector(w, p1-1, p1, dst, init, tail, shift, a, m, raw)
		return true
	}
	raceMul8(w, p0, p1, dst, init, tail, shift, a, m, raw)
	nv, row := cols/Lane, p0*w.MaxCols()
	g := mul8Args{
		w:         unsafe.Pointer(unsafe.SliceData(w.Data[p0*w.Groups()*group8*w.MaxCols():])),
		panel:     w.Groups() * group8 * cols,
		groups:    w.Groups(),
		scale:     unsafe.Pointer(&w.Scale[row]),
		shift:     unsafe.Pointer(&shift[row]),
		own:       unsafe.Pointer(&w.Shift[row]),
		cols:      w.MaxCols() * 4,
		dst:       unsafe.Pointer(unsafe.SliceData(dst.Data)),
		dstPanel:  dst.Panel * 4,
		dstRow:    dst.Row * 4,
		init:      unsafe.Pointer(unsafe.SliceData(init.Data)),
		initPanel: init.Panel * 4,
		initRow:   init.Row * 4,
		a:         unsafe.Pointer(unsafe.SliceData(a.Data)),
		row:       a.Row,
		steps:     unsafe.Pointer(&one),
		ahead:     w.Groups() * group8 * cols, // the routine counts on from it
	}
	if a.Steps != nil {
		g.steps, g.stepsRow = unsafe.Pointer(unsafe.SliceData(a.Steps)), int(unsafe.Sizeof(Steps{}))
	}
	if raw {
		g.raw = 1
	}
	if tail == nil {
		g.last, g.lastPanel, g.lastRow = unsafe.Add(g.init, (nv-1)*Lane*4), g.initPanel, g.initRow
	} else {
		g.last, g.lastPanel = unsafe.Pointer(unsafe.SliceData(tail)), w.Blocks*Lane*4
		if w.Gates == 1 { // every column is of a last gate
			g.init, g.initPanel, g.initRow = g.last, g.lastPanel, 0
			g.last = unsafe.Add(g.last, (nv-1)*Lane*4)
		}
	}
	g.run(micros, p1-p0, nv, m)
	return true
}

// run walks n panels of nv vectors with m rows: parts of the rows, which stay in
// the second-level cache, outside, and panels within, in calls of bounded work.
func (g *mul8Args) run(micros *micros8, n, nv, m int) {
	if m <= microRows && micros[m-1][nv-1] != 0 && n*m*max(g.groups*group8, 1)*nv*Lane <= limits.Work {
		// One block of rows in one call, as in a step of a stream.
		g.panels, g.big, g.small = n, 1, 0
		g.bigBytes, g.bigSteps, g.kernel = m*g.row, m*g.stepsRow, micros[m-1][nv-1]
		mul8Routine(micros, g)
		return
	}
	most := microRows
	for micros[most-1][nv-1] == 0 {
		most--
	}
	depth := max(g.groups*group8, 1)
	part := max(4*limits.Left/depth/most, 1) * most
	part = min(part, max(limits.Work/(depth*nv*Lane)/most, 1)*most)
	parts := (m + part - 1) / part
	for i := range parts {
		lo, hi := m*i/parts, m*(i+1)/parts
		h := *g
		h.dst = unsafe.Add(g.dst, lo*g.dstRow)
		h.init = unsafe.Add(g.init, lo*g.initRow)
		h.last = unsafe.Add(g.last, lo*g.lastRow)
		h.a = unsafe.Add(g.a, lo*g.row)
		h.steps = unsafe.Add(g.steps, lo*g.stepsRow)
		h.rows(micros, most, nv, hi-lo)
		h.panelsOf(micros, n, max(limits.Work/(depth*nv*Lane*(hi-lo)), 1))
	}
}

// rows sets the blocks of rows.
func (g *mul8Args) rows(micros *micros8, most, nv, m int) {
	blocks := (m + most - 1) / most
	rows := (m + blocks - 1) / blocks
	g.big = m - blocks*(rows-1)
	g.small = blocks - g.big
	g.bigBytes, g.bigSteps = rows*g.row, rows*g.stepsRow
	g.smallBytes, g.smallSteps = g.bigBytes-g.row, g.bigSteps-g.stepsRow
	g.kernel = micros[rows-1][nv-1]
	g.kernelSmall = micros[max(rows-2, 0)][nv-1]
}

// panelsOf walks n panels, at most so many a call. Between calls the pointers are
// at the last panel done: one beyond the end of its memory must not stand where
// the garbage collector sees it.
func (g *mul8Args) panelsOf(micros *micros8, n, most int) {
	for {
		now := min(n, most)
		g.panels = now
		mul8Routine(micros, g)
		if n -= now; n == 0 {
			return
		}
		g.w = unsafe.Add(g.w, g.panel)
		g.scale, g.shift, g.own = unsafe.Add(g.scale, g.cols), unsafe.Add(g.shift, g.cols), unsafe.Add(g.own, g.cols)
		g.dst = unsafe.Add(g.dst, g.dstPanel)
		g.init, g.last = unsafe.Add(g.init, g.initPanel), unsafe.Add(g.last, g.lastPanel)
	}
}

// boundsBlocks returns the largest bits of the first numbers of x, as unsigned and as
// signed integers (0 at least), and how many it looked at.
func boundsBlocks(x []float32) (least uint32, most int32, n int) {
	n = min(len(x), limits.Blocks*Lane) / Lane
	lv := level.Load()
	if lv == levelGo || n == 0 {
		return 0, 0, 0
	}
	least, most = boundsRoutine(lv, &x[0], n)
	raceRange(x[:n*Lane], reads)
	return least, most, n * Lane
}

// quantiseBlocks does the loop of quantiseRow for the first numbers and returns
// how many it did.
func quantiseBlocks(dst []uint8, src []float32, times float32, zero int32) int {
	n := min(len(src), limits.Blocks*Lane) / Lane
	lv := level.Load()
	if lv == levelGo || n == 0 {
		return 0
	}
	quantiseRoutine(lv, &dst[0], &src[0], n, times, zero)
	raceRange(src[:n*Lane], reads)
	raceRange(dst[:n*Lane], writes)
	return n * Lane
}
