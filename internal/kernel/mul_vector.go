//go:build (amd64 || arm64) && !purego

package kernel

import "unsafe"

// mulArgs are the arguments of one call of assembly; distances are bytes. The
// assembly moves w, dst, init and last on, to the last panel it does, and counts
// panels down.
type mulArgs struct {
	w           unsafe.Pointer // k row 0 of the first panel
	panel       int            // from panel to panel
	depth       int
	dst         unsafe.Pointer
	dstPanel    int
	dstRow      int
	init        unsafe.Pointer // all columns but the last vector
	initPanel   int
	initRow     int
	last        unsafe.Pointer // the last vector of 16 columns, or the last gate of a folded panel
	lastPanel   int
	lastRow     int
	a           unsafe.Pointer
	row, col    int
	panels      int     // how often a microkernel set walks: panels, or groups of panels side by side
	kernel      uintptr // the microkernel of the big blocks of rows
	big         int     // number of big blocks of rows
	bigBytes    int     // rows of a big block times row
	kernelSmall uintptr
	small       int
	smallBytes  int
	prefetch    int // from the weights in use to the line to prefetch
	prefetchBy  int // added to prefetch from block to block

	at    unsafe.Pointer // of a sliding product: where its numbers are
	line  int            // and how far its lines lie apart
	floor float32        // and what its results are at least

	width  int         // bytes of a weight
	lastAt int         // bytes from a row of init or dst to what last is of it
	set    *microLevel // the microkernels
}

// A microkernel multiplies so many rows with one panel, or with panels side by
// side, of so many vectors of Lane.
const (
	microSides = 4 // of whole panels three
	microRows  = 8
	microVecs  = 4
)

// micros are the addresses of the microkernels of a level by panels side by side,
// rows and vectors, each less one, and 0 where the registers do not suffice. The
// generated files hold them; a smaller number of rows or panels always has one.
type micros [microSides][microRows][microVecs]uintptr

// microLevel is the microkernels of a level, the most rows of one of so many
// vectors, and the most panels that one of so many rows and vectors walks side by
// side: with few rows there are too few sums to hide the latency of one.
type microLevel struct {
	kernels *micros
	maxRows [microVecs + 1]int
	sides   [microRows + 1][microVecs + 1]int
}

// packed is packed weights of any width: the bytes of all panels.
type packed struct {
	data  []byte
	width int // bytes of a weight
}

// panel returns the bytes of panel i.
func (w packed) panel(l *Layout, i int) []byte {
	full := l.K * l.Blocks * l.Gates * Lane * w.width
	return w.data[i*full : i*full+l.K*l.Cols(i)*w.width]
}

func bytesOf[E any](x []E) packed {
	width := int(unsafe.Sizeof(*new(E)))
	return packed{unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*width), width}
}

func newMicroLevel(k *micros) microLevel {
	l := microLevel{kernels: k}
	for side := range microSides {
		for rows := range microRows {
			for vecs := range microVecs {
				if k[side][rows][vecs] != 0 {
					l.maxRows[vecs+1] = max(l.maxRows[vecs+1], rows+1)
					l.sides[rows+1][vecs+1] = side + 1
				}
			}
		}
	}
	return l
}

// mulVector does what mul does on panels [p0, p1) with vector instructions, and
// reports whether it did.
func mulVector(w *Panels[float32], p0, p1 int, f *factors) bool {
	return mulPacked(&w.Layout, bytesOf(w.Data), p0, p1, f)
}

// mul16Vector is mulVector for mul16.
func mul16Vector(w *Panels16, p0, p1 int, f *factors) bool {
	return mulPacked(&w.Layout, bytesOf(w.Data), p0, p1, f)
}

// mulPacked is mulVector for weights of any width.
func mulPacked(w *Layout, data packed, p0, p1 int, f *factors) bool {
	lv := level.Load()
	cols := w.Cols(p0)
	if lv == levelGo || cols > 4*Lane {
		return false
	}
	set := &microLevels[lv]
	if data.width == 2 {
		set = &microLevelsH[lv]
	}
	if set.kernels == nil {
		return false
	}
	if w.Cols(p1-1) != cols || w.folds(p0) {
		mulNarrow(w, data, p0, p1, lv, set, f)
		return true
	}
	raceMul(w, data, p0, p1, f.dst, f.init, f.tail, f.a, f.m)
	nv := cols / Lane
	var g mulArgs
	g.of(w, data, p0, (nv-1)*Lane*4, set, f)
	if f.tail != nil && w.Gates == 1 { // every column is of a last gate
		g.init, g.initPanel, g.initRow = g.last, g.lastPanel, 0
		g.last = unsafe.Add(g.last, (nv-1)*Lane*4)
	}
	g.run(lv, p1-p0, nv, f.m)
	return true
}

// mulNarrow is mulPacked where the last panel is narrower than the others, or folded.
func mulNarrow(w *Layout, data packed, p0, p1 int, lv int32, set *microLevel, f *factors) {
	folded, n := w.folds(p1-1), p1-1-p0
	if folded {
		n -= foldLevels[lv][w.Gates-3].beside(w, n, f.m, set)
	}
	rest := *f
	if n > 0 {
		mulPacked(w, data, p0, p0+n, f)
		rest = f.from(w, n)
	}
	if folded {
		mulFoldedVector(w, data, p0+n, p1, lv, &rest)
	} else {
		mulPacked(w, data, p0+n, p1, &rest)
	}
}

// from returns the factors of the panels from the n-th on.
func (f *factors) from(w *Layout, n int) factors {
	rest := *f
	if rest.tail != nil {
		rest.tail = rest.tail[n*w.Blocks*Lane:]
	}
	rest.dst.Data, rest.init.Data = rest.dst.Data[n*rest.dst.Panel:], rest.init.Data[n*rest.init.Panel:]
	return rest
}

// of sets the arguments to those of the panels from p0 on, as wide as that, whose last
// vector or gate stands lastAt bytes from the begin of a row of sums.
func (g *mulArgs) of(w *Layout, data packed, p0, lastAt int, set *microLevel, f *factors) {
	g.w = unsafe.Pointer(unsafe.SliceData(data.panel(w, p0)))
	g.panel = w.K * w.Cols(p0) * data.width
	g.width, g.lastAt, g.set, g.depth = data.width, lastAt, set, w.K
	g.dst = unsafe.Pointer(unsafe.SliceData(f.dst.Data))
	g.dstPanel, g.dstRow = f.dst.Panel*4, f.dst.Row*4
	g.init = unsafe.Pointer(unsafe.SliceData(f.init.Data))
	g.initPanel, g.initRow = f.init.Panel*4, f.init.Row*4
	g.a = unsafe.Pointer(unsafe.SliceData(f.a.Data))
	g.row, g.col = f.a.Row*4, f.a.Col*4
	if f.tail == nil {
		g.last, g.lastPanel, g.lastRow = unsafe.Add(g.init, lastAt), g.initPanel, g.initRow
	} else {
		g.last, g.lastPanel = unsafe.Pointer(unsafe.SliceData(f.tail)), w.Blocks*Lane*4
	}
}

// run walks n panels of nv vectors with m rows: parts of the rows outside,
// panels within, and slices along k inside a panel if blocks of rows share it.
// Where a sum is stored and loaded again, its bits stay.
func (g *mulArgs) run(lv int32, n, nv, m int) {
	most := g.set.maxRows[nv]
	if m <= most && g.depth*nv*Lane*m <= limits.Work {
		g.panelsOf(lv, n, nv, m)
		return
	}
	part := max(limits.Left/max(g.depth, 1)/most, 4) * most
	parts := (m + part - 1) / part
	for i := range parts {
		lo, hi := m*i/parts, m*(i+1)/parts
		h := *g
		h.dst = unsafe.Add(g.dst, lo*g.dstRow)
		h.init = unsafe.Add(g.init, lo*g.initRow)
		h.last = unsafe.Add(g.last, lo*g.lastRow)
		h.a = unsafe.Add(g.a, lo*g.row)
		h.slices(lv, n, nv, hi-lo)
	}
}

// slices walks the panels slice by slice if they are long, else all at once.
func (g *mulArgs) slices(lv int32, n, nv, m int) {
	depth := max(limits.Slice/(nv*Lane), 1)
	if g.depth <= depth*3/2 {
		g.panelsOf(lv, n, nv, m)
		return
	}
	count := (g.depth + depth - 1) / depth
	for i := range n {
		for j := range count {
			lo, hi := g.depth*j/count, g.depth*(j+1)/count
			h := *g
			h.depth = hi - lo
			h.w = unsafe.Add(g.w, i*g.panel+lo*nv*Lane*g.width)
			h.a = unsafe.Add(g.a, lo*g.col)
			h.dst = unsafe.Add(g.dst, i*g.dstPanel)
			h.init, h.last = unsafe.Add(g.init, i*g.initPanel), unsafe.Add(g.last, i*g.lastPanel)
			if j > 0 {
				h.init, h.initRow = h.dst, g.dstRow
				h.last, h.lastRow = unsafe.Add(h.dst, g.lastAt), g.dstRow
			}
			h.panelsOf(lv, 1, nv, m)
		}
	}
}

// panelsOf walks n panels with m rows, in calls of bounded work.
func (g *mulArgs) panelsOf(lv int32, n, nv, m int) {
	g.prefetch, g.prefetchBy = g.depth*nv*Lane*g.width, 64
	side, l := 1, g.set
	if m <= l.maxRows[nv] {
		side = l.sides[m][nv]
	}
	most := max(limits.Work/(max(g.depth, 1)*nv*Lane*m), 1)
	for ; side > 0; side-- {
		for k := n / side; k > 0; {
			now := min(k, max(most/side, 1))
			g.panels = now
			g.rows(lv, nv, side, m)
			k -= now
			if n -= now * side; n > 0 {
				g.next()
			}
		}
	}
}

// next moves on from the last panel that the assembly did. There is another
// one: a pointer beyond the end of its memory must not stand where the garbage
// collector sees it.
func (g *mulArgs) next() {
	g.w = unsafe.Add(g.w, g.panel)
	g.dst = unsafe.Add(g.dst, g.dstPanel)
	g.init = unsafe.Add(g.init, g.initPanel)
	g.last = unsafe.Add(g.last, g.lastPanel)
}

// rows sets the blocks of rows and calls the assembly.
func (g *mulArgs) rows(lv int32, nv, side, m int) {
	g.blocks(nv, side, m)
	mulRoutine(lv, g)
}

// blocks sets the blocks of rows.
func (g *mulArgs) blocks(nv, side, m int) {
	l := g.set
	most := l.maxRows[nv]
	blocks := (m + most - 1) / most
	rows := (m + blocks - 1) / blocks
	g.big = m - blocks*(rows-1)
	g.small = blocks - g.big
	g.bigBytes = rows * g.row
	g.smallBytes = g.bigBytes - g.row
	g.kernel = l.kernels[side-1][rows-1][nv-1]
	g.kernelSmall = l.kernels[side-1][max(rows-2, 0)][nv-1]
}
