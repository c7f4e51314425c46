package scan

import "github.com/unroll-ml/unroll/internal/kernel"

// share is who does a piece of work: worker w of n, with a worker's memory.
type share[F kernel.Float] struct {
	w, n int
	*hand[F]
}

// of returns the worker's part [lo, hi) of count things.
func (sh share[F]) of(count int) (lo, hi int) { return kernel.Share(count, sh.w, sh.n) }

// barrier waits for the others who share the work.
func (r *Run[F]) barrier(sh share[F]) {
	if sh.n > 1 {
		r.team.Barrier()
	}
}

// runChunk is a worker's share of layer l, direction d over one chunk of time.
// Panels own their hidden units, and a worker owns panels: its projections, its
// gates and its part of c need no other worker. What all share, the input rows
// and the hidden states of the step before, is separated by barriers.
func (r *Run[F]) runChunk(l, d int, c chunk, sh share[F]) {
	s := r.Stack
	wt, dir := &r.w[l*s.D+d], &r.dirs[l*s.D+d]
	lo, hi := sh.of(wt.ih.Len())
	x, base := r.input(l, c, sh.hand)
	rows, cols, in := c.r1-c.r0, wt.ih.MaxCols(), s.In(l)
	if lo < hi {
		kernel.Mul(&wt.ih, lo, hi,
			kernel.Block[F]{Data: dir.sums[lo*rows*cols:], Panel: rows * cols, Row: cols},
			kernel.Block[F]{Data: wt.bias[lo*cols:], Panel: cols}, nil,
			kernel.Mat[F]{Data: x[(c.r0-base)*in:], Row: in, Col: 1}, rows)
	}
	if !r.chain(l, d, c, sh) {
		for i := range c.t1 - c.t0 {
			t := c.t0 + i
			if d == 1 {
				t = c.t1 - 1 - i
			}
			r.step(l, d, t, c, sh)
		}
	}
	r.carry(l, d, c, sh)
	if l == s.L-1 && s.D == 1 && !r.direct() {
		r.scatter(c, sh)
	}
}

// chain walks all steps of a chunk in one call, where a kernel can: one sequence
// through a small layer.
func (r *Run[F]) chain(l, d int, c chunk, sh share[F]) bool {
	s, op := r.Stack, r.Stack.Cell.Chain()
	if r.B > 1 || r.Record || s.P > 0 || len(r.reset) > 0 || !kernel.CanChain[F](op, s.H) {
		return false
	}
	if lo, hi := sh.of(1); lo < hi { // who owns the only panel has its sums
		wt, dir, cols, n := &r.w[l*s.D+d], &r.dirs[l*s.D+d], r.w[l*s.D+d].hh.MaxCols(), c.t1-c.t0
		sums := kernel.Steps[F]{Data: dir.sums, By: cols}
		y := kernel.Steps[F]{Data: r.layer[l].y, First: (c.r0-r.outBase(l, c))*s.D*s.H + d*s.H, By: s.D * s.H}
		if d == 1 {
			sums.First, y.First = (n-1)*sums.By, y.First+(n-1)*y.By
			sums.By, y.By = -sums.By, -y.By
		}
		kernel.Chain(op, n, &wt.hh, wt.tail, sums, dir.h, dir.c, y)
	}
	r.barrier(sh)
	return true
}

// input returns the rows that layer l reads in a chunk and the row of N that
// stands first.
func (r *Run[F]) input(l int, c chunk, h *hand[F]) (x []F, base int) {
	switch {
	case l > 0 && r.mask(l-1) == nil:
		return r.layer[l-1].y, r.outBase(l-1, c)
	case l == 0 && r.ownInput(c):
		return h.x, c.r0
	}
	return r.layer[l].x, r.base(c)
}

// gather fills a worker's share of the input rows of a chunk where they do not
// stand ready: the caller's input, flushed, and outputs that a dropout mask
// multiplies. It reports whether the workers must meet before they read them.
func (r *Run[F]) gather(l int, c chunk, sh share[F]) bool {
	if l > 0 && r.mask(l-1) == nil {
		return false
	}
	x, base, in := r.layer[l].x, r.base(c), r.Stack.In(l)
	lo, hi := sh.of(c.r1 - c.r0)
	lo, hi = lo+c.r0, hi+c.r0
	if l > 0 {
		mask, below, from := r.mask(l-1), r.layer[l-1].y, r.outBase(l-1, c)
		for i := lo * in; i < hi*in; i++ {
			x[i-base*in] = below[i-from*in] * mask[i]
		}
		return true
	}
	own := r.ownInput(c)
	if own {
		// So little that each worker takes all of it, to memory of its own.
		sh.x, lo, hi = grow(sh.x, (c.r1-c.r0)*in), c.r0, c.r1
		x, base = sh.x, c.r0
	}
	t := c.t0
	for row := lo; row < hi; row++ {
		for row >= r.Off[t+1] {
			t++
		}
		at := t*r.X.Step + r.place(row-r.Off[t])*r.X.Seq
		kernel.FlushTo(x[(row-base)*in:(row-base+1)*in], r.X.Data[at:at+in])
	}
	return !own
}

// ownInput reports whether each worker gathers a chunk of the first layer's
// input by itself, which saves a barrier. Another one must stand between two
// chunks of a layer: the steps of another layer have it.
func (r *Run[F]) ownInput(c chunk) bool {
	return !r.whole() && r.way == byUnits && (c.r1-c.r0)*r.Stack.I <= limits.OwnInputs && (r.Stack.L > 1 || len(r.plan) == 1)
}

// step computes step t of layer l, direction d for the panels of a worker.
func (r *Run[F]) step(l, d, t int, c chunk, sh share[F]) {
	s, hand, base := r.Stack, sh.hand, r.outBase(l, c)
	wt, dir, out := &r.w[l*s.D+d], &r.dirs[l*s.D+d], &r.layer[l]
	hh, size, m := &wt.hh, s.Out(), r.Sizes[t]
	lo, hi := sh.of(hh.Len())
	prev, ldp := r.before(d, t, c, hand.prev, out.y[d*size:], s.D*size, base, dir.h, dir.h0, size)
	if dir.c != nil {
		r.resetCells(dir, d, t, lo*hh.UnitsPer(), min(hi*hh.UnitsPer(), s.H))
	}
	rows, cols := c.r1-c.r0, hh.MaxCols()
	row0 := r.Off[t] - c.r0
	st := &hand.step
	st.Record = r.Record
	tile := min(m, limits.RowTile)
	group := max(1, limits.GroupSums/(tile*cols))
	for p := lo; p < hi; p += group {
		q := min(p+group, hi)
		var tail []F
		if wt.tail != nil {
			tail = wt.tail[p*hh.UnitsPer():]
		}
		for m0 := 0; m0 < m; m0 += tile {
			mt := min(tile, m-m0)
			kernel.Mul(hh, p, q,
				kernel.Block[F]{Data: hand.z, Panel: mt * cols, Row: cols},
				kernel.Block[F]{Data: dir.sums[(p*rows+row0+m0)*cols:], Panel: rows * cols, Row: cols}, tail,
				kernel.Mat[F]{Data: prev[m0*ldp:], Row: ldp, Col: 1}, mt)
			for i := p; i < q; {
				u := i * hh.UnitsPer()
				st.M, st.N = mt, min(hh.UnitsPer(), s.H-u)
				st.Z.Data, st.Z.Row = hand.z[(i-p)*mt*cols:], cols
				st.X.Data, st.X.Row = dir.sums[(i*rows+row0+m0)*cols:], cols
				if dir.apart != nil && r.Record {
					st.Apart.Data, st.Apart.Row = dir.apart[(i*rows+row0+m0)*hh.UnitsPer():], hh.UnitsPer()
				}
				if s.P == 0 {
					st.HPrev.Data, st.HPrev.Row = prev[m0*ldp+u:], ldp
					st.H.Data, st.H.Row = out.y[(r.Off[t]+m0-base)*s.D*size+d*size+u:], s.D*size
				} else {
					st.H.Data, st.H.Row = dir.full[(r.fullRow(t)+m0)*s.H+u:], s.H
				}
				if dir.c != nil {
					st.C.Data, st.C.Row = dir.c[m0*s.H+u:], s.H
				}
				whole := min(q, s.H/hh.UnitsPer()) - i
				if mt > 1 || whole < 2 {
					s.Cell.Forward(st)
					i++
					continue
				}
				// One sequence: the panels stand one after another like rows.
				st.M, st.X.Row, st.Apart.Row = whole, rows*cols, rows*hh.UnitsPer()
				st.HPrev.Row, st.H.Row, st.C.Row = hh.UnitsPer(), hh.UnitsPer(), hh.UnitsPer()
				s.Cell.Forward(st)
				i += whole
			}
		}
	}
	if r.Record && dir.c != nil {
		for i := range m {
			u0, u1 := lo*hh.UnitsPer(), min(hi*hh.UnitsPer(), s.H)
			copy(dir.cells[(r.Off[t]+i)*s.H+u0:(r.Off[t]+i)*s.H+u1], dir.c[i*s.H+u0:])
		}
	}
	if s.P > 0 {
		r.barrier(sh)
		r.project(l, d, t, base, sh)
	}
	if !r.openEnd(l, t) {
		r.barrier(sh)
	}
}

// openEnd reports whether no barrier ends step t of layer l, because it is the
// very last one and the workers meet at the end of the run anyway.
func (r *Run[F]) openEnd(l, t int) bool {
	return t == r.T-1 && l == r.Stack.L-1 && r.Stack.D == 1 && r.Stack.P == 0 && r.direct()
}

// fullRow returns where the unprojected hidden states of step t stand.
func (r *Run[F]) fullRow(t int) int { return pick(r.Record, r.Off[t], 0) }

// project computes a worker's share of h' = W_hr h of a step.
func (r *Run[F]) project(l, d, t, base int, sh share[F]) {
	s, hand := r.Stack, sh.hand
	hr, dir, out := &r.w[l*s.D+d].hr, &r.dirs[l*s.D+d], &r.layer[l]
	lo, hi := sh.of(hr.Len())
	for p := lo; p < hi; p++ {
		cols, u := hr.Cols(p), p*hr.UnitsPer()
		for m0 := 0; m0 < r.Sizes[t]; m0 += limits.RowTile {
			m := min(limits.RowTile, r.Sizes[t]-m0)
			kernel.Mul(hr, p, p+1, kernel.Block[F]{Data: hand.z, Row: cols}, kernel.Block[F]{}, nil,
				kernel.Mat[F]{Data: dir.full[(r.fullRow(t)+m0)*s.H:], Row: s.H, Col: 1}, m)
			for i := range m {
				at := (r.Off[t]+m0+i-base)*s.D*s.P + d*s.P + u
				kernel.FlushTo(out.y[at:at+min(cols, s.P-u)], hand.z[i*cols:i*cols+min(cols, s.P-u)])
			}
		}
	}
}

// before returns the state before step t of a direction: Sizes[t] rows, ld
// apart. all holds the states of all steps (row of N minus base, ld wide),
// carried those before the chunk, and initial the first ones; size is that of
// a state. Where they do not stand together they are gathered in scratch.
func (r *Run[F]) before(d, t int, c chunk, scratch, all []F, ld, base int, carried, initial []F, size int) ([]F, int) {
	m, tp, first := r.Sizes[t], t-1, t == c.t0
	bound := t // the step that a reset before step t is marked at
	if d == 1 {
		tp, first, bound = t+1, t == c.t1-1, t+1
	}
	reset := len(r.reset) > 0 && bound < r.T && r.reset[bound]
	if !reset {
		if first {
			return carried, size
		}
		if r.Sizes[tp] >= m {
			return all[(r.Off[tp]-base)*ld:], ld
		}
	}
	for i := range m {
		src := carried[i*size:]
		switch {
		case reset && i < r.Sizes[bound] && r.Resets[r.Off[bound]+i]:
			src = initial[i*size:]
		case !first && i < r.Sizes[tp]:
			src = all[(r.Off[tp]+i-base)*ld:]
		}
		copy(scratch[i*size:(i+1)*size], src)
	}
	return scratch, size
}

// resetCells puts the units [u0,u1) of cell states back to the initial ones
// where a reset lies before step t.
func (r *Run[F]) resetCells(dir *direction[F], d, t, u0, u1 int) {
	h, bound := r.Stack.H, t+d
	if len(r.reset) == 0 || bound >= r.T || !r.reset[bound] || u0 >= u1 {
		return
	}
	for i := range min(r.Sizes[t], r.Sizes[bound]) {
		if r.Resets[r.Off[bound]+i] {
			copy(dir.c[i*h+u0:i*h+u1], dir.c0[i*h+u0:i*h+u1])
		}
	}
}

// carry keeps the hidden states that the next chunk, or the caller, goes on
// from: for each sequence that of its last step in the chunk. A worker carries
// the units it computed, so it need not wait for others; with a projection,
// rows.
func (r *Run[F]) carry(l, d int, c chunk, sh share[F]) {
	s, hh := r.Stack, &r.w[l*r.Stack.D+d].hh
	size, y, base, dir := s.Out(), r.layer[l].y, r.outBase(l, c), &r.dirs[l*s.D+d]
	lo, hi, u0, u1 := 0, r.Sizes[c.t0], 0, size
	if s.P > 0 {
		lo, hi = sh.of(hi)
	} else {
		u0, u1 = sh.of(hh.Len())
		u0, u1 = u0*hh.UnitsPer(), min(u1*hh.UnitsPer(), size)
	}
	if u0 >= u1 {
		return
	}
	t, to := c.t0, dir.h
	if d == 0 {
		t = c.t1 - 1
	}
	if r.openEnd(l, t) {
		to = dir.next // others may still read dir.h; finish exchanges them
	}
	for i := lo; i < hi; i++ {
		for i >= r.Sizes[t] { // forward: this sequence has ended before
			t--
		}
		at := (r.Off[t]+i-base)*s.D*size + d*size
		copy(to[i*size+u0:i*size+u1], y[at+u0:at+u1])
	}
}

// scatter writes a chunk of the output to where the caller wants it.
func (r *Run[F]) scatter(c chunk, sh share[F]) {
	y, base, width := r.layer[r.Stack.L-1].y, r.base(c), r.Stack.D*r.Stack.Out()
	lo, hi := sh.of(c.r1 - c.r0)
	t := c.t0
	for row := lo + c.r0; row < hi+c.r0; row++ {
		for row >= r.Off[t+1] {
			t++
		}
		at := t*r.Y.Step + r.place(row-r.Off[t])*r.Y.Seq
		copy(r.Y.Data[at:at+width], y[(row-base)*width:(row-base+1)*width])
	}
}
