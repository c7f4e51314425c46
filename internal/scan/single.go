package scan

import "github.com/unroll-ml/unroll/internal/kernel"

// plain reports whether the run is one sequence of which nothing is recorded,
// masked, begun anew or projected.
func (ln *lane[F]) plain() bool {
	r := ln.run
	return r.B == 1 && !r.Record && r.Stack.P == 0 && !r.anywhere()
}

// single walks all steps of a chunk of one sequence, and reports whether it did. It
// does what step does; a step of one row is so short that to ask at each what stays
// the same takes 7 of 100 parts of it at 256 units.
func (ln *lane[F]) single(c chunk, sh share[F]) bool {
	r, s, hh := ln.run, ln.run.Stack, &ln.w.hh
	lo, hi := sh.of(hh.Len())
	cols, inCols, per := hh.MaxCols(), ln.w.ih.MaxCols(), hh.UnitsPer()
	if !ln.plain() || s.Traits.Late || hh.precision != Full || (hi-lo)*cols > limits.GroupSums {
		return false
	}
	var tail []F
	if ln.w.tail != nil {
		tail = ln.w.tail[min(lo*per, len(ln.w.tail)):]
	}
	rows, base, z := c.rows, r.outBase(ln.l, c), kernel.Block[F]{Data: sh.z, Panel: cols, Row: cols}
	whole := max(0, min(hi, s.H/per)-lo) // panels with all their units
	prev := ln.h
	for i := range c.t1 - c.t0 {
		t := c.step(ln.way, i)
		y := ln.y[(r.Off[t]-base)*ln.ldy:]
		if lo < hi {
			at := (lo*rows + r.Off[t] - c.from) * inCols
			kernel.Mul(&hh.Panels, lo, hi, z, kernel.Block[F]{Data: ln.sums[at:], Panel: rows * inCols, Row: inCols}, tail, kernel.Rows[F]{Data: prev}, 1)
			x := kernel.Rows[F]{Data: ln.sums[at:], Row: rows * inCols}
			if whole > 0 {
				ln.panels(sh.hand, lo, lo, whole, x, prev, y)
			}
			if lo+whole < hi {
				ln.panels(sh.hand, lo, lo+whole, 1, x.From(whole), prev, y)
			}
		}
		prev = y
		if !r.openEnd(ln.l, t) {
			r.barrier(sh)
		}
	}
	return true
}

// panels runs the cell over m panels from p on, which stand one after another like
// rows: x are their sums of the input, and those of both in the hand's z, where the
// first panel is lo.
func (ln *lane[F]) panels(h *hand[F], lo, p, m int, x kernel.Rows[F], prev, y []F) {
	s, hh, st := ln.run.Stack, &ln.w.hh, &h.step
	cols, per := hh.MaxCols(), hh.UnitsPer()
	u := p * per
	st.M, st.N, st.Gate, st.Record = m, min(per, s.H-u), s.H, false
	st.Z.Data, st.Z.Row, st.X = h.z[(p-lo)*cols:], cols, x
	st.HPrev.Data, st.HPrev.Row = prev[u:], per
	st.H.Data, st.H.Row = y[u:], per
	if ln.c != nil {
		st.C.Data, st.C.Row = ln.c[u:], per
	}
	if s.Traits.PerUnit > 0 {
		st.PerUnit.Data, st.PerUnit.Row = s.Params[ln.index()].PerUnit[u:], per
	}
	ln.cell.Forward(st)
}
