package scan

import (
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// stepBack runs a worker's share of step t of a lane backwards.
func (ln *lane[F]) stepBack(t int, fw share[F]) {
	r, s, k, hand := ln.run, ln.run.Stack, &ln.run.back, fw.hand
	wt := &k.w[ln.index()]
	from, to := fw.sequences(r.Sizes[t])
	m, gh, row := to-from, s.Traits.Gates*s.H, r.Off[t]+from
	skips := r.Skips != nil && r.marked(ln.way, t)

	dh := k.carry
	if s.P > 0 {
		dh = k.dfull
		ln.takeProjected(t, fw)
		r.barrier(fw)
	}
	u0, u1 := fw.units(&ln.w.hh, s.H)
	switch {
	case u0 >= u1:
	case s.P > 0:
		r.mulRows(dh, s.H, u0, u1, &wt.hr, k.dr[row*s.P:], s.P, m, hand, false)
	default:
		ln.addOutput(t, u0, u1, from, to)
	}
	if skips {
		ln.keepGradients(t, u0, u1, dh, hand)
	}
	ln.cellBack(t, fw, dh)
	if s.Traits.Late && u0 < u1 {
		r.barrier(fw) // dx of the late gate, of all units
		r.mulRows(k.dlate, s.H, u0, u1, &wt.late, k.dx[row*gh+s.nowGates()*s.H:], gh, m, hand, false)
		ln.lateBack(t, fw, dh)
	} else if s.Traits.Late {
		r.barrier(fw)
	}
	if skips {
		ln.clearDirect(t, u0, u1)
		ln.restoreGradients(t, u0, u1, dh, hand)
	}
	if ln.c != nil {
		ln.toInitial(k.dc, k.dc0, t, s.H, u0, u1, from, to)
	}
	r.barrier(fw)

	// The gradient of the state before the step.
	if u0, u1 = fw.units(&wt.hh, s.Out()); u0 < u1 {
		if skips && s.P > 0 {
			ln.keepCarry(t, u0, u1, hand)
		}
		r.mulRows(k.carry[from*s.Out():], s.Out(), u0, u1, &wt.hh, k.dz[row*gh:], gh, m, hand, s.P == 0 && (skips || !s.Traits.Indirect))
		if skips && s.P > 0 {
			ln.restoreCarry(t, u0, u1, hand)
		}
		ln.toInitial(k.carry, k.dh0, t, s.Out(), u0, u1, from, to)
	}
	r.barrier(fw)
}

// addOutput adds the gradient of the output of step t to that of the new state,
// units [u0,u1) of rows [from,to). A blank row's output is zero whatever the state is.
func (ln *lane[F]) addOutput(t, u0, u1, from, to int) {
	r, k, h := ln.run, &ln.run.back, ln.run.Stack.H
	add := func(i, n int) {
		to := kernel.Rows[F]{Data: k.carry[i*h+u0:], Row: h}
		kernel.AddRows(n, u1-u0, to, to, kernel.Rows[F]{Data: k.dy[(r.Off[t]+i)*ln.ldy+ln.d*h+u0:], Row: ln.ldy})
	}
	if !r.marked(ln.way, t) {
		add(from, to-from)
		return
	}
	for i := from; i < to; i++ {
		if !r.at(ln.way, t, i).blank() {
			add(i, 1)
		}
	}
}

// takeProjected is addOutput with a projection, shared by projected units; it
// also keeps the sum for the gradient of weight_hr. A masked row computed
// nothing, so nothing of it goes there.
func (ln *lane[F]) takeProjected(t int, sh share[F]) {
	r, k, p := ln.run, &ln.run.back, ln.run.Stack.P
	lo, hi := sh.of(p)
	for i := range r.Sizes[t] {
		row := r.Off[t] + i
		m := r.at(ln.way, t, i)
		for u := lo; u < hi; u++ {
			v := k.carry[i*p+u]
			if !m.blank() {
				v += k.dy[row*ln.ldy+ln.d*p+u]
			}
			k.carry[i*p+u], k.dr[row*p+u] = v, v
			if m&masked != 0 {
				k.dr[row*p+u] = 0
			}
		}
	}
}

// cellBack runs the cell's step backwards for the panels of a worker.
func (ln *lane[F]) cellBack(t int, sh share[F], dh []F) {
	s := ln.run.Stack
	lo, hi := sh.of(ln.w.hh.Len())
	if lo >= hi {
		return
	}
	var cp []F
	ldc := s.H
	if ln.c != nil {
		cp, ldc = ln.before(t, ln.run.all(), sh.prev, ln.cellStates())
	}
	for p := lo; p < hi; p++ {
		ln.cell.Backward(ln.operandsBack(t, p, sh, dh, cp, ldc))
	}
}

func (ln *lane[F]) cellStates() states[F] {
	h := ln.run.Stack.H
	return states[F]{ln.cells, h, 0, h, ln.c0, ln.c0}
}

// lateBack ends it where there is a late gate.
func (ln *lane[F]) lateBack(t int, sh share[F], dh []F) {
	lo, hi := sh.of(ln.w.hh.Len())
	for p := lo; p < hi; p++ {
		ln.cell.BackwardLate(ln.operandsBack(t, p, sh, dh, nil, 0))
	}
}

// operandsBack points a step's operands at panel p of a worker's rows of step t.
func (ln *lane[F]) operandsBack(t, p int, sh share[F], dh, cp []F, ldc int) *cell.Step[F] {
	r, s, k, hh := ln.run, ln.run.Stack, &ln.run.back, &ln.w.hh
	from, to := sh.sequences(r.Sizes[t])
	row, gh, size, u := r.Off[t]+from, s.Traits.Gates*s.H, s.Out(), p*hh.UnitsPer()
	st := &sh.step
	st.M, st.N, st.Gate = to-from, min(hh.UnitsPer(), s.H-u), s.H
	st.X.Data, st.X.Row = ln.sums[(p*r.N+row)*ln.w.ih.MaxCols():], ln.w.ih.MaxCols()
	if dh != nil {
		st.DH.Data, st.DH.Row = dh[from*s.H+u:], s.H
	}
	st.DX.Data, st.DX.Row = k.dx[row*gh+u:], gh
	st.DZ.Data, st.DZ.Row = k.dz[row*gh+u:], gh
	if s.P == 0 {
		st.H.Data, st.H.Row = ln.y[row*ln.ldy+u:], ln.ldy
		st.HPrev.Data, st.HPrev.Row = k.prev[row*size+u:], size
	}
	if ln.apart != nil {
		st.Apart.Data, st.Apart.Row = ln.apart[(p*r.N+row)*hh.UnitsPer():], hh.UnitsPer()
	}
	if ln.c != nil {
		st.C.Data, st.C.Row = ln.cells[row*s.H+u:], s.H
		st.DC.Data, st.DC.Row = k.dc[from*s.H+u:], s.H
		if cp != nil {
			st.CPrev.Data, st.CPrev.Row = cp[from*ldc+u:], ldc
		}
	}
	if s.Traits.Late {
		st.Late.Data, st.Late.Row = k.dlate[from*s.H+u:], s.H
	}
	if s.Traits.PerUnit > 0 {
		st.PerUnit.Data, st.PerUnit.Row = s.Params[ln.index()].PerUnit[u:], 0
	}
	return st
}

// toInitial moves the gradient of the units [u0,u1) of rows [lo,hi) of the state before
// step t to that of the initial state, for the sequences that started from it there.
func (ln *lane[F]) toInitial(carry, initial []F, t, size, u0, u1, lo, hi int) {
	b := &ln.run.Batch
	if ln.way == forwards && t > 0 && !b.anywhere() {
		return // nobody starts in mid-sequence
	}
	for i := lo; i < hi; i++ {
		if !b.anew(ln.way, t, i) {
			continue
		}
		from, to := carry[i*size+u0:i*size+u1], initial[i*size+u0:i*size+u1]
		for j, v := range from {
			to[j] += v
			from[j] = 0
		}
	}
}

// A masked row's gradients pass by its step: what the step made of them is put
// back, and its sums get none.

// keepGradients saves those of the new states of masked rows.
func (ln *lane[F]) keepGradients(t, u0, u1 int, dh []F, hand *hand[F]) {
	r, h := ln.run, ln.run.Stack.H
	ln.eachMasked(t, func(i int, _ mark) {
		if u0 < u1 {
			copy(hand.kept[i*h+u0:i*h+u1], dh[i*h+u0:])
			if ln.c != nil {
				copy(hand.kept[(r.B+i)*h+u0:(r.B+i)*h+u1], r.back.dc[i*h+u0:])
			}
		}
	})
}

// clearDirect makes the direct part of the gradient of the old states zero where the
// cell leaves that to its caller and masked rows have one.
func (ln *lane[F]) clearDirect(t, u0, u1 int) {
	r, h := ln.run, ln.run.Stack.H
	if !r.Stack.Traits.Indirect || r.Stack.P > 0 || u0 >= u1 {
		return
	}
	for i := range r.Sizes[t] {
		clear(r.back.carry[i*h+u0 : i*h+u1])
	}
}

func (ln *lane[F]) restoreGradients(t, u0, u1 int, dh []F, hand *hand[F]) {
	r, k, h := ln.run, &ln.run.back, ln.run.Stack.H
	gh := r.Stack.Traits.Gates * h
	ln.eachMasked(t, func(i int, _ mark) {
		if u0 >= u1 {
			return
		}
		copy(dh[i*h+u0:i*h+u1], hand.kept[i*h+u0:])
		if ln.c != nil {
			copy(k.dc[i*h+u0:i*h+u1], hand.kept[(r.B+i)*h+u0:])
		}
		for g := (r.Off[t] + i) * gh; g < (r.Off[t]+i+1)*gh; g += h {
			clear(k.dx[g+u0 : g+u1])
			clear(k.dz[g+u0 : g+u1])
		}
	})
}

// keepCarry and restoreCarry do so for the projected states.
func (ln *lane[F]) keepCarry(t, u0, u1 int, hand *hand[F]) {
	p, carry := ln.run.Stack.P, ln.run.back.carry
	ln.eachMasked(t, func(i int, _ mark) { copy(hand.kept[i*p+u0:i*p+u1], carry[i*p+u0:]) })
}

func (ln *lane[F]) restoreCarry(t, u0, u1 int, hand *hand[F]) {
	p, carry := ln.run.Stack.P, ln.run.back.carry
	ln.eachMasked(t, func(i int, _ mark) { copy(carry[i*p+u0:i*p+u1], hand.kept[i*p+u0:]) })
}

// mulRows writes the product of m rows with the units [u0,u1) of panels to
// dst, ld wide, flushed; with add it adds what stands there before flushing.
func (r *Run[F]) mulRows(dst []F, ld, u0, u1 int, p *kernel.Panels[F], a []F, lda, m int, hand *hand[F], add bool) {
	for i := u0 / p.UnitsPer(); i*p.UnitsPer() < u1; i++ {
		cols, from := p.Cols(i), i*p.UnitsPer()
		lo, hi := max(u0, from), min(u1, from+cols)
		for m0 := 0; m0 < m; m0 += limits.RowTile {
			mt := min(limits.RowTile, m-m0)
			kernel.Mul(p, i, i+1, kernel.Block[F]{Data: hand.z, Row: cols}, kernel.Block[F]{}, nil,
				kernel.Rows[F]{Data: a[m0*lda:], Row: lda}, mt)
			z, out := kernel.Rows[F]{Data: hand.z[lo-from:], Row: cols}, kernel.Rows[F]{Data: dst[m0*ld+lo:], Row: ld}
			if add {
				kernel.AddFlushRows(mt, hi-lo, out, z, out)
			} else {
				kernel.FlushRows(mt, hi-lo, out, z)
			}
		}
	}
}
