package kernel

// Outer is the right-hand side B [n,Units] of a product whose left side is the
// transpose of another matrix of n rows, and where that is added.
type Outer[F Float] struct {
	Dst   Rows[F]
	B     Rows[F]
	Units int
}

// AddOuter adds to m rows of each Dst the sums over n of the products of a's columns
// with B's, which is what the gradient of a weight is:
//
//	for k := range n { Dst(r)[u] = FMA(a(k)[r], Flush(B(k)[u]), Dst(r)[u]) }
//
// for rows r of m and units u; and, unless sums is nil, a(k)[r] to sums[r]. Both sides are copied part by part: steps along k lie
// whole rows apart, where no prefetcher follows and few lines of the first cache can
// hold them, and each panel and each block of rows would take them again. A sum's walk
// ends with a part, and the next part goes on from what was stored: no bit depends on
// that.
func AddOuter[F Float](m int, a Rows[F], n int, sums []F, s *Scratch[F], sides ...Outer[F]) {
	if m <= 0 || n <= 0 {
		return
	}
	for len(s.right) < len(sides) {
		s.right = append(s.right, Panels[F]{})
	}
	parts := (n + limits.OuterSteps - 1) / limits.OuterSteps
	for i := range parts {
		lo, hi := n*i/parts, n*(i+1)/parts
		for j := range sides {
			b := &sides[j].B
			s.right[j].Resize(hi-lo, sides[j].Units, 1)
			s.right[j].Pack(b.Data[lo*b.Row:], 0, 1, b.Row)
		}
		eachColumns(hi-lo, m, a.From(lo), s, func(r, q int, columns Rows[F]) {
			if sums != nil {
				AddColumns(hi-lo, q-r, sums[r:], columns)
			}
			for j := range sides {
				w, to := &s.right[j], sides[j].Dst.From(r)
				mulRows(w, 0, w.Len(), to, to, left[F]{columns.Data, 1, columns.Row}, q-r, s)
			}
		})
	}
}

// MulColumns is MulRows with the transpose of a on the left: row r of the left side is
// column r of a, whose rows are the inner dimension.
func MulColumns[F Float](w *Panels[F], p0, p1 int, dst, init, a Rows[F], m int, s *Scratch[F]) {
	eachColumns(w.K, m, a, s, func(r, q int, columns Rows[F]) {
		mulRows(w, p0, p1, dst.From(r), init.From(r), left[F]{columns.Data, 1, columns.Row}, q-r, s)
	})
}

// eachColumns calls f for parts of the m columns of a, which has n rows: with columns
// [r,q), copied together where they are many.
func eachColumns[F Float](n, m int, a Rows[F], s *Scratch[F], f func(r, q int, columns Rows[F])) {
	if n < limits.ColumnsSteps || m < limits.ColumnsRows {
		f(0, m, a)
		return
	}
	part := min(m, max(limits.Columns/n, 8))
	parts := (m + part - 1) / part
	for i := range parts {
		r, q := m*i/parts, m*(i+1)/parts
		s.left = grow(s.left, (q-r)*n)
		columns := Rows[F]{s.left, q - r}
		copyRows(n, q-r, columns, Rows[F]{a.Data[r:], a.Row})
		f(r, q, columns)
	}
}
