package kernel

import "unsafe"

// Scratch is the memory of MulRows for one goroutine. The zero value is ready.
type Scratch[F Float] struct {
	last []F // sums of a last panel that is not full
	left []F // rows of a transposed left side, one after another
}

const (
	rowsTile = 64
	// leftLimit bounds the elements of a transposed left side that are copied
	// together: as many stay in the second-level cache.
	leftLimit = 64 << 10
)

// MulRows is Mul for panels of one gate and row-major memory: the sum of row r
// and unit u starts from init[r*ldi+u] and goes to dst[r*ldd+u]; nothing beyond
// the units is touched. init may be dst; ldi 0 makes it one row for all, and a
// nil init is zeros.
func MulRows[F Float](w *Panels[F], p0, p1 int, dst []F, ldd int, init []F, ldi int, a Mat[F], m int, s *Scratch[F]) {
	if a.Row != 1 || a.Col == 1 || p1-p0 < 4 || m < 8 {
		mulRows(w, p0, p1, dst, ldd, init, ldi, a, m, s)
		return
	}
	// Steps along k of a transposed left side lie far from each other, and each
	// panel would take them again: part by part they are brought together.
	part := min(m, max(leftLimit/max(w.K, 1), 8))
	parts := (m + part - 1) / part
	for i := range parts {
		lo, hi := m*i/parts, m*(i+1)/parts
		n := hi - lo
		s.left = grow(s.left, n*w.K)
		for k := range w.K {
			copy(s.left[k*n:(k+1)*n], a.Data[lo+k*a.Col:])
		}
		from := init
		if init != nil {
			from = init[lo*ldi:]
		}
		mulRows(w, p0, p1, dst[lo*ldd:], ldd, from, ldi, Mat[F]{Data: s.left, Row: 1, Col: n}, n, s)
	}
}

// mulRows is MulRows with the left side as it stands.
func mulRows[F Float](w *Panels[F], p0, p1 int, dst []F, ldd int, init []F, ldi int, a Mat[F], m int, s *Scratch[F]) {
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
	s.last = grow(s.last, rowsTile*cols)
	scratch := s.last
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
