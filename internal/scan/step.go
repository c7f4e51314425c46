package scan

import (
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// step computes step t of a lane for the panels of a worker.
func (ln *lane[F]) step(t int, c chunk, sh share[F]) {
	r, s, hh := ln.run, ln.run.Stack, &ln.w.hh
	base, size, m := r.outBase(ln.l, c), s.Out(), r.Sizes[t]
	prev, ldp := ln.before(t, c, sh.prev, ln.hidden(base))
	skips, u0, u1 := r.Skips != nil && r.marked(ln.way, t), 0, 0
	if skips || ln.c != nil {
		u0, u1 = sh.units(hh, s.H)
		ln.resetCells(t, u0, u1)
	}
	if skips {
		ln.keepCells(t, u0, u1, sh)
	}
	ln.gates(t, c, base, sh, prev, ldp)
	if s.Traits.Late {
		r.barrier(sh)
		ln.lateGate(t, c, base, sh, prev, ldp)
	}
	if skips {
		ln.restoreCells(t, u0, u1, sh)
	}
	if lo, hi := sh.sequences(m); r.Record && ln.c != nil && u0 < u1 {
		copyRows(hi-lo, u1-u0, ln.cells[(r.Off[t]+lo)*s.H+u0:], s.H, ln.c[lo*s.H+u0:], s.H)
	}
	if s.P > 0 {
		r.barrier(sh)
		ln.project(t, base, sh)
		u0, u1 = sh.units(&ln.w.hr, size)
	}
	if skips {
		ln.repeat(t, base, u0, u1, prev, ldp)
	}
	if !r.openEnd(ln.l, t) {
		r.barrier(sh)
	}
}

// gates multiplies the states before step t with the recurrent weights of a
// worker's panels and turns the sums into new states, tile by tile of rows and
// group by group of panels.
func (ln *lane[F]) gates(t int, c chunk, base int, sh share[F], prev []F, ldp int) {
	r, hh := ln.run, &ln.w.hh
	lo, hi := sh.of(hh.Len())
	rows, cols, inCols := c.rows, hh.MaxCols(), ln.w.ih.MaxCols()
	row0 := r.Off[t] - c.from
	from, to := sh.sequences(r.Sizes[t])
	if lo >= hi || from >= to {
		return
	}
	tile := min(to-from, limits.RowTile)
	group := max(1, limits.GroupSums/(tile*cols))
	a := hh.left(kernel.Rows[F]{Data: prev, Row: ldp}.From(from), to-from, sh.hand)
	for p := lo; p < hi; p += group {
		q := min(p+group, hi)
		var tail []F
		if ln.w.tail != nil {
			tail = ln.w.tail[p*hh.UnitsPer():]
		}
		for m0 := from; m0 < to; m0 += tile {
			mt := min(tile, to-m0)
			hh.mul(p, q,
				kernel.Block[F]{Data: sh.z, Panel: mt * cols, Row: cols},
				kernel.Block[F]{Data: ln.sums[(p*rows+row0+m0)*inCols:], Panel: rows * inCols, Row: inCols}, tail,
				a, m0-from, mt)
			ln.newStates(ln.block(t, c, base, p, q, m0, mt), sh.hand, prev, ldp)
		}
	}
}

// block is a part of a step: panels [p,q) and m rows from the step's row m0 on.
// Its rows stand from row of N on; sums is that in the sums of a panel, which
// has rows of them, out that in the output, and kept that where all steps or one
// are kept.
type block struct{ p, q, m0, m, sums, rows, out, kept int }

func (ln *lane[F]) block(t int, c chunk, base, p, q, m0, m int) block {
	row := ln.run.Off[t] + m0
	return block{p, q, m0, m, row - c.from, c.rows, row - base, ln.kept(t) + m0}
}

// newStates runs the cell over a block whose sums stand in the hand's z.
func (ln *lane[F]) newStates(b block, hand *hand[F], prev []F, ldp int) {
	s, hh, st := ln.run.Stack, &ln.w.hh, &hand.step
	per, cols := hh.UnitsPer(), hh.MaxCols()
	for i := b.p; i < b.q; {
		st.Z.Data, st.Z.Row = hand.z[(i-b.p)*b.m*cols:], cols
		ln.operands(st, b, i, per, prev, ldp)
		whole := min(b.q, s.H/per) - i
		if b.m > 1 || whole < 2 || s.Traits.Late {
			ln.cell.Forward(st)
			i++
			continue
		}
		// One sequence: the panels stand one after another like rows.
		st.M, st.X.Row, st.Apart.Row = whole, b.rows*ln.w.ih.MaxCols(), b.rows*per
		st.HPrev.Row, st.H.Row, st.C.Row, st.PerUnit.Row = per, per, per, per
		ln.cell.Forward(st)
		i += whole
	}
}

// operands points a step's operands at panel i, of per units, of a block: all
// but Z.
func (ln *lane[F]) operands(st *cell.Step[F], b block, i, per int, prev []F, ldp int) {
	s, cols, u := ln.run.Stack, ln.w.ih.MaxCols(), i*per
	st.M, st.N, st.Gate, st.Record = b.m, min(per, s.H-u), s.H, ln.run.Record
	st.X.Data, st.X.Row = ln.sums[(i*b.rows+b.sums)*cols:], cols
	if ln.apart != nil && st.Record {
		st.Apart.Data, st.Apart.Row = ln.apart[(i*b.rows+b.sums)*per:], per
	}
	if s.P == 0 {
		st.HPrev.Data, st.HPrev.Row = prev[b.m0*ldp+u:], ldp
		st.H.Data, st.H.Row = ln.y[b.out*ln.ldy+u:], ln.ldy
	} else {
		st.H.Data, st.H.Row = ln.full[b.kept*s.H+u:], s.H
	}
	if ln.c != nil {
		st.C.Data, st.C.Row = ln.c[b.m0*s.H+u:], s.H
	}
	if s.Traits.Late {
		st.Late.Data, st.Late.Row = ln.late[b.kept*s.H+u:], s.H
	}
	if s.Traits.PerUnit > 0 {
		st.PerUnit.Data, st.PerUnit.Row = s.Params[ln.index()].PerUnit[u:], 0
	}
}

// lateGate multiplies what the late gate takes instead of the state, and ends
// the step of the cell.
func (ln *lane[F]) lateGate(t int, c chunk, base int, sh share[F], prev []F, ldp int) {
	r, s, w := ln.run, ln.run.Stack, &ln.w.late
	lo, hi := sh.of(w.Len())
	rows, cols, inCols := c.rows, w.MaxCols(), ln.w.ih.MaxCols()
	if lo >= hi {
		return
	}
	a := w.left(kernel.Rows[F]{Data: ln.late[ln.kept(t)*s.H:], Row: s.H}, r.Sizes[t], sh.hand)
	for i := lo; i < hi; i++ {
		for m0 := 0; m0 < r.Sizes[t]; m0 += limits.RowTile {
			m := min(limits.RowTile, r.Sizes[t]-m0)
			at := (i*rows + r.Off[t] - c.from + m0) * inCols
			w.mul(i, i+1, kernel.Block[F]{Data: sh.z, Row: cols},
				kernel.Block[F]{Data: ln.sums[at+(s.Traits.Gates-1)*kernel.Lane:], Row: inCols}, nil,
				a, m0, m)
			st := &sh.hand.step
			st.Z.Data, st.Z.Row = sh.z, cols
			ln.operands(st, ln.block(t, c, base, i, i+1, m0, m), i, w.UnitsPer(), prev, ldp)
			ln.cell.ForwardLate(st)
		}
	}
}

// project computes a worker's share of h' = W_hr h of a step.
func (ln *lane[F]) project(t, base int, sh share[F]) {
	r, s, hr := ln.run, ln.run.Stack, &ln.w.hr
	lo, hi := sh.of(hr.Len())
	if lo >= hi {
		return
	}
	a := hr.left(kernel.Rows[F]{Data: ln.full[ln.kept(t)*s.H:], Row: s.H}, r.Sizes[t], sh.hand)
	for p := lo; p < hi; p++ {
		cols, u := hr.Cols(p), p*hr.UnitsPer()
		for m0 := 0; m0 < r.Sizes[t]; m0 += limits.RowTile {
			m := min(limits.RowTile, r.Sizes[t]-m0)
			hr.mul(p, p+1, kernel.Block[F]{Data: sh.z, Row: cols}, kernel.Block[F]{}, nil, a, m0, m)
			kernel.FlushRows(m, min(cols, s.P-u),
				kernel.Rows[F]{Data: ln.y[(r.Off[t]+m0-base)*ln.ldy+u:], Row: ln.ldy}, kernel.Rows[F]{Data: sh.z, Row: cols})
		}
	}
}

// openEnd reports whether no barrier ends step t of layer l, because it is the
// very last one and the workers meet at the end of the run anyway.
func (r *Run[F]) openEnd(l, t int) bool {
	return t == r.T-1 && l == r.Stack.L-1 && r.byChunks() && r.Stack.P == 0 && r.direct
}

// A masked row runs like the others, and then what it changed is put back.

// keepCells saves the units [u0,u1) of the cell states of masked rows.
func (ln *lane[F]) keepCells(t, u0, u1 int, sh share[F]) {
	ln.eachMasked(t, func(i int, _ mark) {
		if h := ln.run.Stack.H; ln.c != nil && u0 < u1 {
			copy(sh.kept[i*h+u0:i*h+u1], ln.c[i*h+u0:])
		}
	})
}

func (ln *lane[F]) restoreCells(t, u0, u1 int, sh share[F]) {
	ln.eachMasked(t, func(i int, _ mark) {
		if h := ln.run.Stack.H; ln.c != nil && u0 < u1 {
			copy(ln.c[i*h+u0:i*h+u1], sh.kept[i*h+u0:])
		}
	})
}

// repeat writes the units [u0,u1) of the output of masked rows: that of the step
// before, zeros before the first that runs.
func (ln *lane[F]) repeat(t, base, u0, u1 int, prev []F, ldp int) {
	ln.eachMasked(t, func(i int, k mark) {
		if u0 >= u1 {
			return
		}
		at := (ln.run.Off[t] + i - base) * ln.ldy
		if y := ln.y[at+u0 : at+u1]; k.blank() {
			clear(y)
		} else {
			copy(y, prev[i*ldp+u0:])
		}
	})
}

// eachMasked calls f for the masked rows of step t.
func (ln *lane[F]) eachMasked(t int, f func(i int, k mark)) {
	b := &ln.run.Batch
	for i := range b.Sizes[t] {
		if k := b.at(ln.way, t, i); k&masked != 0 {
			f(i, k)
		}
	}
}
