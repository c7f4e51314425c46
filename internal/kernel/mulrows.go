package kernel

import "unsafe"

// Scratch is the memory of MulRows and AddOuter for one goroutine. The zero value is ready.
type Scratch[F Float] struct {
	last  []F         // sums of a last panel that is not full
	width int         // its columns
	right []Panels[F] // of AddOuter
	left  []F         // of its transpose,
	sums  []F         // which stands here
	part  Panels[F]   // of MulColumns: some rows of a panel
	int8  Rows8
}

// MulRows is Mul for panels of one gate and row-major memory: the sum of row r
// and unit u starts from init(r)[u] and goes to dst(r)[u]; nothing beyond the
// units is touched. init may be dst, may have Row 0 (one row for all), and without
// Data is zeros.
func MulRows[F Float](w *Panels[F], p0, p1 int, dst, init, a Rows[F], m int, s *Scratch[F]) {
	mulRows(w, p0, p1, dst, init, left[F]{a.Data, a.Row, 1}, m, s)
}

// mulRows is MulRows for any left side.
func mulRows[F Float](w *Panels[F], p0, p1 int, dst, init Rows[F], a left[F], m int, s *Scratch[F]) {
	rowMajor(&w.Layout, p0, p1, dst, init, m, s, func(p0, p1 int, dst, init Block[F], r, m int) {
		mul(w, p0, p1, dst, init, nil, left[F]{a.Data[min(r*a.Row, len(a.Data)):], a.Row, a.Col}, m) // without steps there is no left side
	})
}

// MulRows8 is MulRows with weights of 8-bit integers, as Mul8 multiplies: the rows
// of a are quantised first. F is float32.
func MulRows8[F Float](w *Panels8, p0, p1 int, dst, init, a Rows[F], m int, s *Scratch[F]) {
	if m <= 0 || p0 >= p1 {
		return
	}
	Quantise(&s.int8, a, m, w.K)
	MulRowsOf8(w, p0, p1, dst, init, w.Shift, s.int8, m, s)
}

// MulRowsOf8 is MulRows8 for a left side that is integers already. Sums start from
// shift, which is laid out like w.Shift: with w.Shift a byte of 128 is zero, and with
// another one what it makes zero.
func MulRowsOf8[F Float](w *Panels8, p0, p1 int, dst, init Rows[F], shift []int32, a Rows8, m int, s *Scratch[F]) {
	rowMajor(&w.Layout, p0, p1, dst, init, m, s, func(p0, p1 int, dst, init Block[F], r, m int) {
		if init.Data == nil {
			init = Block[F]{Data: zeroRow[F]()}
		}
		mul8(w, p0, p1, block32(dst), block32(init), nil, shift, a.From(r), m, false)
	})
}

// rowMajor cuts a product into row-major memory into those of panel memory, each of
// m rows from row r on.
func rowMajor[F Float](w *Layout, p0, p1 int, dst, init Rows[F], m int, s *Scratch[F], mul func(p0, p1 int, dst, init Block[F], r, m int)) {
	const cols = 4 * Lane
	if m <= 0 || p0 >= p1 {
		return
	}
	whole := p1
	if p1 == w.Len() && w.Units%Lane != 0 {
		whole--
	}
	if p0 < whole {
		var start Block[F]
		if init.Data != nil {
			start = Block[F]{Data: init.Data[p0*cols:], Panel: cols, Row: init.Row}
		}
		mul(p0, whole, Block[F]{Data: dst.Data[p0*cols:], Panel: cols, Row: dst.Row}, start, 0, m)
	}
	if whole == p1 {
		return
	}
	// The last panel is padded to whole blocks, which may reach beyond the row.
	u := whole * cols
	width := w.Units - u
	if s.last = grow(s.last, limits.LastRows*cols); s.width != width {
		s.width = width
		clear(s.last) // sums of padding begin with what stands there
	}
	block := Block[F]{Data: s.last, Panel: cols, Row: cols}
	for r := 0; r < m; r += limits.LastRows {
		n := min(limits.LastRows, m-r)
		var start Block[F]
		if init.Data != nil {
			start = block
			copyRows(n, width, Rows[F]{s.last, cols}, Rows[F]{init.Data[r*init.Row+u:], init.Row})
		}
		mul(whole, p1, block, start, r, n)
		copyRows(n, width, Rows[F]{dst.Data[r*dst.Row+u:], dst.Row}, Rows[F]{s.last, cols})
	}
}

// zeros is a row of panel memory, of either element type.
var zeros [4 * Lane]float64

// zeroRow returns a row of zeros to start sums from.
func zeroRow[F Float]() []F {
	return unsafe.Slice((*F)(unsafe.Pointer(&zeros)), len(zeros))
}
