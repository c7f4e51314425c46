package kernel

// transposes reports whether AddOuter computes the transpose of what it adds to: a is
// packed, and the right sides stand on the left. What is packed is filled up to whole
// vectors, which costs less for many columns of a than for a few units of each side (an
// LSTM of 50 units: 13 vectors times 100 rows, or 200 rows times 8 vectors). It counts
// multiply-adds of vectors, and what limits.Moves says for each vector that is moved: the
// sums there and back, and more of a is packed; or each last panel of sums, in and out.
func transposes[F Float](m, n int, sides []Outer[F]) bool {
	vectors := func(n int) int64 { return int64(Pad(n) / Lane) }
	rows, steps, moves := int64(m), int64(n), int64(limits.Moves)
	upright, across := int64(0), vectors(m)*steps*moves
	for i := range sides {
		units := sides[i].Units
		upright += rows * vectors(units) * steps
		if units%Lane != 0 {
			upright += rows * vectors(units%(4*Lane)) * moves
		}
		across += int64(units) * vectors(m) * (steps + 2*moves)
	}
	return across < upright
}

// addTransposed is AddOuter by way of the transpose of what it adds to. Its parts are as
// long as the slices of a panel, so that sums are stored no more often and what is
// packed is near when it is used.
func (s *Scratch[F]) addTransposed(m int, a Rows[F], n int, sums []F, sides []Outer[F]) {
	size, row := 0, Pad(m)
	for i := range sides {
		size += sides[i].Units * row
	}
	s.sums = grow(s.sums, size)
	at := s.sums
	for i := range sides {
		o := &sides[i]
		transposeRows(m, o.Units, Rows[F]{at, row}, o.Dst)
		clearRows(o.Units, row-m, at[min(m, len(at)):], row)
		at = at[o.Units*row:]
	}
	most := max(min(limits.OuterSteps, limits.Slice/(4*Lane)), 1)
	parts := (n + most - 1) / most
	for i := range parts {
		lo, hi := n*i/parts, n*(i+1)/parts
		s.addPart(m, a.From(lo), lo, hi-lo, sums, sides)
	}
	at = s.sums
	for i := range sides {
		o := &sides[i]
		transposeRows(o.Units, m, o.Dst, Rows[F]{at, row})
		at = at[o.Units*row:]
	}
}

// addPart adds n steps, from step lo of the right sides and the first of a on, to s.sums.
func (s *Scratch[F]) addPart(m int, a Rows[F], lo, n int, sums []F, sides []Outer[F]) {
	w := &s.right[0]
	w.Resize(n, m, 1)
	for i := range w.Len() {
		w.copyPanel(i, a)
		if sums != nil { // while the panel is in the first-level cache
			u := i * w.UnitsPer()
			AddColumns(n, min(m-u, w.UnitsPer()), sums[u:], Rows[F]{w.Panel(i), w.Cols(i)})
		}
	}
	dst := Block[F]{Data: s.sums, Panel: w.UnitsPer(), Row: Pad(m)}
	for i := range sides {
		o := &sides[i]
		s.left = grow(s.left, n*o.Units)
		flushed(n, o.Units, s.left, o.B.From(lo))
		mul(w, 0, w.Len(), dst, dst, nil, left[F]{s.left, 1, o.Units}, o.Units)
		dst.Data = dst.Data[o.Units*dst.Row:]
	}
}

// flushed writes Flush of m rows of n units to dst, one after another.
func flushed[F Float](m, n int, dst []F, src Rows[F]) {
	if src.Row == n && m*n%Lane == 0 { // rows of one vector, for which routines are made
		m, n, src.Row = m*n/Lane, Lane, Lane
	}
	FlushRows(m, n, Rows[F]{dst, n}, src)
}

// transposeRows writes the transpose of m rows of n units to dst.
func transposeRows[F Float](m, n int, dst, src Rows[F]) {
	done := 0
	for done < m && m >= Lane && isFloat32[F]() {
		r := min(done, m-Lane) // the last block overlaps the one before it
		if transposeFrom(0, n, slice32(dst.Data[r:]), dst.Row, slice32(src.Data[r*src.Row:]), src.Row) == 0 {
			break
		}
		done = r + Lane
	}
	for r := done; r < m; r++ {
		for u, x := range src.At(r, n) {
			dst.Data[u*dst.Row+r] = x
		}
	}
}
