package kernel

import "unsafe"

// RowsScratch is the length of the scratch memory of MulRows.
const RowsScratch = rowsTile * 4 * Lane

const rowsTile = 64

// MulRows is Mul for panels of one gate and row-major memory: the sum of row r
// and unit u starts from init[r*ldi+u] and goes to dst[r*ldd+u]; nothing beyond
// the units is touched. init may be dst; ldi 0 makes it one row for all, and a
// nil init is zeros. scratch has RowsScratch elements.
func MulRows[F Float](w *Panels[F], p0, p1 int, dst []F, ldd int, init []F, ldi int, a Mat[F], m int, scratch []F) {
	const cols = 4 * Lane
	if m <= 0 || p0 >= p1 {
		return
	}
	if init == nil {
		ldi = 0
	}
	from := func(r, p int) Block[F] {
		if init == nil {
			return Block[F]{}
		}
		return Block[F]{Data: init[r*ldi+p*cols:], Panel: cols, Row: ldi}
	}
	whole := p1
	if p1 == w.Len() && w.Units%Lane != 0 {
		whole--
	}
	if p0 < whole {
		Mul(w, p0, whole, Block[F]{Data: dst[p0*cols:], Panel: cols, Row: ldd}, from(0, p0), nil, a, m)
	}
	if whole == p1 {
		return
	}
	// The last panel is padded to whole blocks, which may reach beyond the row.
	u := whole * cols
	width := w.Units - u
	for r := 0; r < m; r += rowsTile {
		n := min(rowsTile, m-r)
		var start Block[F]
		if init != nil {
			start = Block[F]{Data: scratch, Panel: cols, Row: cols}
			for i := range n {
				row := scratch[i*cols : (i+1)*cols]
				clear(row[copy(row, init[(r+i)*ldi+u:][:width]):])
			}
		}
		Mul(w, whole, p1, Block[F]{Data: scratch, Panel: cols, Row: cols}, start, nil, Mat[F]{Data: a.Data[r*a.Row:], Row: a.Row, Col: a.Col}, n)
		for i := range n {
			copy(dst[(r+i)*ldd+u:(r+i)*ldd+w.Units], scratch[i*cols:])
		}
	}
}

// zeros is a row of panel memory, of either element type.
var zeros [4 * Lane]float64

// zeroRow returns a row of zeros to start sums from.
func zeroRow[F Float]() []F {
	return unsafe.Slice((*F)(unsafe.Pointer(&zeros)), len(zeros))
}
