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
// for rows r of m and units u; and, unless sums is nil, a(k)[r] to sums[r]. It walks
// so many steps at a time as stay in a cache for all blocks of rows and panels. A sum's
// walk ends with a part, and the next part goes on from what was stored: no bit depends
// on that, nor on which of the two sides is packed. No Dst may overlap a, a B or another
// Dst.
func AddOuter[F Float](m int, a Rows[F], n int, sums []F, s *Scratch[F], sides ...Outer[F]) {
	if m <= 0 || n <= 0 {
		return
	}
	for len(s.right) < max(len(sides), 1) {
		s.right = append(s.right, Panels[F]{})
	}
	if transposes(m, n, sides) {
		s.addTransposed(m, a, n, sums, sides)
	} else {
		s.addUpright(m, a, n, sums, sides)
	}
}

// addUpright is AddOuter with the right sides packed.
func (s *Scratch[F]) addUpright(m int, a Rows[F], n int, sums []F, sides []Outer[F]) {
	parts := (n + limits.OuterSteps - 1) / limits.OuterSteps
	for i := range parts {
		lo, hi := n*i/parts, n*(i+1)/parts
		for j := range sides {
			b := &sides[j].B
			s.right[j].Resize(hi-lo, sides[j].Units, 1)
			s.right[j].Pack(b.Data[lo*b.Row:], 0, 1, b.Row)
		}
		if sums != nil {
			AddColumns(hi-lo, m, sums, a.From(lo))
		}
		for j := range sides {
			w := &s.right[j]
			MulColumns(w, 0, w.Len(), sides[j].Dst, sides[j].Dst, a.From(lo), m, s)
		}
	}
}

// MulColumns is MulRows with the transpose of a on the left: row r of the left side is
// column r of a, whose rows are the inner dimension. Where that is much more than a cache
// holds, all panels go through as many of them as AddOuter walks at a time before the
// next ones.
func MulColumns[F Float](w *Panels[F], p0, p1 int, dst, init, a Rows[F], m int, s *Scratch[F]) {
	parts := 1
	if m > 0 && w.K > 4*limits.Left/m {
		parts = (w.K + limits.OuterSteps - 1) / limits.OuterSteps
	}
	if parts <= 1 {
		mulRows(w, p0, p1, dst, init, left[F]{a.Data, 1, a.Row}, m, s)
		return
	}
	part := &s.part
	for i := range parts {
		lo, hi := w.K*i/parts, w.K*(i+1)/parts
		for p := p0; p < p1; p++ {
			u := p * w.UnitsPer()
			part.Layout = NewLayout(hi-lo, min(w.Units-u, w.UnitsPer()), 1)
			part.Data = w.Panel(p)[lo*w.Cols(p) : hi*w.Cols(p)]
			to, from := Rows[F]{dst.Data[u:], dst.Row}, init
			if init.Data != nil {
				from.Data = init.Data[u:]
			}
			mulRows(part, 0, 1, to, from, left[F]{a.From(lo).Data, 1, a.Row}, m, s)
		}
		init = dst
	}
	part.Data = nil
}
