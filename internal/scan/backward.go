package scan

import "github.com/unroll-ml/unroll/internal/kernel"

// Back is what Backward reads and writes. Nil gradients of results count as
// zeros; nil destinations are not wanted.
type Back[F kernel.Float] struct {
	DY       Strided[F]  // gradient of the output [T,B,D*H']; Data nil: zeros
	DHN, DCN []F         // of the final states [L*D,B,H'], [L*D,B,H]
	DX       Strided[F]  // receives that of the input [T,B,I]
	DH0, DC0 []F         // receive those of the initial states
	Grads    []Params[F] // added to, laid out as Stack.Params
}

// backRun is the memory of Backward.
type backRun[F kernel.Float] struct {
	Back[F]
	w      []transposed[F]
	dy     []F // [N,D*H'] gradient of the current layer's output
	below  []F // [N,I of the layer] that of its input
	dx, dz []F // [N,G*H] of the input's and the recurrent sums; the same unless Apart
	apart  []F
	dr     []F // [N,P] of the projected states
	dfull  []F // [B,H] of the states before the projection
	prev   []F // [N,H'] the states before each step
	carry  []F // [B,H'] gradient of the state carried to an earlier step
	dc     []F // [B,H] of the cell state
	dh0    []F // [B,H'] gathered gradient of the initial state
	dc0    []F
	right  kernel.Panels[F] // a right-hand side packed for a weight gradient
}

// Backward runs the last recorded Forward backwards. Its sums have stated
// orders, whatever the number of workers: gradients of weights are chains over
// the rows in time order that start from Grads; those of biases start from zero
// and are added to Grads; gradients of states and inputs are chains over the
// gates in parameter order.
func (r *Run[F]) Backward(b Back[F]) {
	k := &r.back
	k.Back = b
	r.prepareBack()
	if r.B > 0 {
		r.team.Run(backwardTask[F]{r}, r.Workers)
	}
}

type backwardTask[F kernel.Float] struct{ *Run[F] }

func (r *Run[F]) prepareBack() {
	s, k := r.Stack, &r.back
	k.w = s.packedBack(&r.team, r.Workers)
	gh, in := len(s.Cell.Gates())*s.H, 0
	for l := range s.L {
		in = max(in, s.In(l))
	}
	k.dy = grow(k.dy, r.N*s.D*s.Out())
	k.below = grow(k.below, r.N*in)
	k.dx = grow(k.dx, r.N*gh)
	k.dz = k.dx
	if s.Cell.Apart() {
		k.apart = grow(k.apart, r.N*gh)
		k.dz = k.apart
	}
	if s.P > 0 {
		k.dr = grow(k.dr, r.N*s.P)
		k.dfull = grow(k.dfull, r.B*s.H)
	}
	k.prev = grow(k.prev, r.N*s.Out())
	k.carry, k.dh0 = grow(k.carry, r.B*s.Out()), grow(k.dh0, r.B*s.Out())
	if s.Cell.HasCell() {
		k.dc, k.dc0 = grow(k.dc, r.B*s.H), grow(k.dc0, r.B*s.H)
	}
	for i := range r.hands {
		r.hands[i].z = grow(r.hands[i].z, max(limits.GroupSums, limits.RowTile*4*kernel.Lane))
	}
}

// Work is the share of worker w of n.
func (task backwardTask[F]) Work(w, n int) {
	r := task.Run
	s := r.Stack
	r.takeDY(w, n)
	for l := s.L - 1; l >= 0; l-- {
		for d := range s.D {
			r.startBack(l, d, w, n)
			r.team.Barrier()
			for i := range r.T {
				t := r.T - 1 - i
				if d == 1 {
					t = i
				}
				r.stepBack(l, d, t, w, n)
			}
			r.giveInitial(l, d, w, n)
			r.weightGrads(l, d, w, n)
			r.inputGrads(l, d, w, n)
			r.team.Barrier()
		}
		if l > 0 {
			r.passDown(l, w, n)
		} else {
			r.giveDX(w, n)
		}
		r.team.Barrier()
	}
}

// takeDY gathers the caller's gradient of the output in packed order.
func (r *Run[F]) takeDY(w, n int) {
	k, width := &r.back, r.Stack.D*r.Stack.Out()
	lo, hi := kernel.Share(r.N, w, n)
	t := 0
	for row := lo; row < hi; row++ {
		for row >= r.Off[t+1] {
			t++
		}
		dst := k.dy[row*width : (row+1)*width]
		if k.DY.Data == nil {
			clear(dst)
			continue
		}
		at := t*k.DY.Step + r.place(row-r.Off[t])*k.DY.Seq
		copy(dst, k.DY.Data[at:at+width])
	}
}

// giveDX hands out the gradient of the input.
func (r *Run[F]) giveDX(w, n int) {
	k, in := &r.back, r.Stack.I
	if k.DX.Data == nil {
		return
	}
	lo, hi := kernel.Share(r.N, w, n)
	t := 0
	for row := lo; row < hi; row++ {
		for row >= r.Off[t+1] {
			t++
		}
		at := t*k.DX.Step + r.place(row-r.Off[t])*k.DX.Seq
		copy(k.DX.Data[at:at+in], k.below[row*in:(row+1)*in])
	}
}

// passDown turns the gradient of layer l's input into that of the output of
// the layer below, through the dropout between them.
func (r *Run[F]) passDown(l, w, n int) {
	k, width := &r.back, r.Stack.In(l)
	lo, hi := kernel.Share(r.N, w, n)
	src, dst := k.below[lo*width:hi*width], k.dy[lo*width:hi*width]
	mask := r.mask(l - 1)
	if mask == nil {
		copy(dst, src)
		return
	}
	mask = mask[lo*width : hi*width]
	for i, v := range src {
		dst[i] = v * mask[i]
	}
}

// startBack sets the gradients of the final states, and lists the state before
// each step for the gradient of the recurrent weights.
func (r *Run[F]) startBack(l, d, w, n int) {
	s, k, dir := r.Stack, &r.back, &r.dirs[l*r.Stack.D+d]
	size := s.Out()
	lo, hi := kernel.Share(r.B, w, n)
	r.takeState(k.carry, k.DHN, l*s.D+d, size, lo, hi)
	clear(k.dh0[lo*size : hi*size])
	if dir.c != nil {
		r.takeState(k.dc, k.DCN, l*s.D+d, s.H, lo, hi)
		clear(k.dc0[lo*s.H : hi*s.H])
	}
	all, c := r.layer[l].y[d*size:], chunk{t1: r.T, r1: r.N}
	t0, t1 := kernel.Share(r.T, w, n)
	for t := t0; t < t1; t++ {
		prev, ld := r.before(d, t, c, r.hands[w].prev, all, s.D*size, 0, dir.h0, dir.h0, size)
		for i := range r.Sizes[t] {
			copy(k.prev[(r.Off[t]+i)*size:(r.Off[t]+i+1)*size], prev[i*ld:i*ld+size])
		}
	}
}

// takeState copies rows [lo,hi) of a state's gradient to packed order.
func (r *Run[F]) takeState(dst, src []F, i, size, lo, hi int) {
	for b := lo; b < hi; b++ {
		row := dst[b*size : (b+1)*size]
		if src == nil {
			clear(row)
			continue
		}
		copy(row, src[(i*r.B+r.place(b))*size:])
	}
}

// giveInitial hands out the gradients of the initial states.
func (r *Run[F]) giveInitial(l, d, w, n int) {
	s, k := r.Stack, &r.back
	lo, hi := kernel.Share(r.B, w, n)
	for b := lo; b < hi; b++ {
		at := (l*s.D+d)*r.B + r.place(b)
		if k.DH0 != nil {
			copy(k.DH0[at*s.Out():(at+1)*s.Out()], k.dh0[b*s.Out():])
		}
		if k.DC0 != nil && s.Cell.HasCell() {
			copy(k.DC0[at*s.H:(at+1)*s.H], k.dc0[b*s.H:])
		}
	}
}

// stepBack runs step t of layer l, direction d backwards.
func (r *Run[F]) stepBack(l, d, t, w, n int) {
	s, k, hand := r.Stack, &r.back, &r.hands[w]
	dir, wt := &r.dirs[l*s.D+d], &k.w[l*s.D+d]
	fw := &r.w[l*s.D+d].hh
	m, size, gh := r.Sizes[t], s.Out(), len(s.Cell.Gates())*s.H
	row, width := r.Off[t], s.D*size

	// The gradient of the new state: what the output got, and what came back.
	dh := k.carry
	if s.P > 0 {
		dh = k.dfull
		lo, hi := kernel.Share(s.P, w, n)
		for i := range m {
			for u := lo; u < hi; u++ {
				v := k.carry[i*s.P+u] + k.dy[(row+i)*width+d*s.P+u]
				k.carry[i*s.P+u], k.dr[(row+i)*s.P+u] = v, v
			}
		}
		r.team.Barrier()
	}
	plo, phi := kernel.Share(fw.Len(), w, n)
	u0, u1 := plo*fw.UnitsPer(), min(phi*fw.UnitsPer(), s.H)
	switch {
	case u0 >= u1:
	case s.P > 0:
		r.mulRows(dh, s.H, u0, u1, &wt.hr, k.dr[row*s.P:], s.P, m, hand, false)
	default:
		for i := range m {
			dst, src := dh[i*s.H+u0:i*s.H+u1], k.dy[(row+i)*width+d*s.H+u0:]
			for j := range dst {
				dst[j] += src[j]
			}
		}
	}
	var cp []F
	ldc := s.H
	if dir.c != nil {
		cp, ldc = r.before(d, t, chunk{t1: r.T, r1: r.N}, hand.prev, dir.cells, s.H, 0, dir.c0, dir.c0, s.H)
	}
	st, cols := &hand.step, fw.MaxCols()
	for p := plo; p < phi; p++ {
		u := p * fw.UnitsPer()
		st.M, st.N, st.Gate = m, min(fw.UnitsPer(), s.H-u), s.H
		st.X.Data, st.X.Row = dir.sums[(p*r.N+row)*cols:], cols
		st.DH.Data, st.DH.Row = dh[u:], s.H
		st.DX.Data, st.DX.Row = k.dx[row*gh+u:], gh
		st.DZ.Data, st.DZ.Row = k.dz[row*gh+u:], gh
		if s.P == 0 {
			st.H.Data, st.H.Row = r.layer[l].y[row*width+d*size+u:], width
			st.HPrev.Data, st.HPrev.Row = k.prev[row*size+u:], size
		}
		if dir.apart != nil {
			st.Apart.Data, st.Apart.Row = dir.apart[(p*r.N+row)*fw.UnitsPer():], fw.UnitsPer()
		}
		if dir.c != nil {
			st.C.Data, st.C.Row = dir.cells[row*s.H+u:], s.H
			st.CPrev.Data, st.CPrev.Row = cp[u:], ldc
			st.DC.Data, st.DC.Row = k.dc[u:], s.H
		}
		s.Cell.Backward(st)
	}
	if dir.c != nil {
		r.toInitial(k.dc, k.dc0, d, t, s.H, u0, u1)
	}
	r.team.Barrier()

	// The gradient of the state before the step.
	lo, hi := kernel.Share(wt.hh.Len(), w, n)
	u0, u1 = lo*wt.hh.UnitsPer(), min(hi*wt.hh.UnitsPer(), size)
	if u0 < u1 {
		r.mulRows(k.carry, size, u0, u1, &wt.hh, k.dz[row*gh:], gh, m, hand, s.P == 0)
		r.toInitial(k.carry, k.dh0, d, t, size, u0, u1)
	}
	r.team.Barrier()
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
				kernel.Mat[F]{Data: a[m0*lda:], Row: lda, Col: 1}, mt)
			for j := range mt {
				z, out := hand.z[j*cols+lo-from:j*cols+hi-from], dst[(m0+j)*ld+lo:(m0+j)*ld+hi]
				if add {
					for c := range out {
						z[c] += out[c]
					}
				}
				kernel.FlushTo(out, z)
			}
		}
	}
}

// toInitial moves the gradient of the units [u0,u1) of the state before step t
// to that of the initial state, for the sequences that started from it there.
func (r *Run[F]) toInitial(carry, initial []F, d, t, size, u0, u1 int) {
	bound := t + d // the step a reset before step t is marked at
	for i := range r.Sizes[t] {
		start := t == 0
		if d == 1 {
			start = t == r.T-1 || i >= r.Sizes[t+1]
		}
		if !start && !(len(r.reset) > 0 && r.reset[bound] && r.Resets[r.Off[bound]+i]) {
			if d == 0 && len(r.reset) == 0 {
				return // nobody starts in mid-sequence
			}
			continue
		}
		from, to := carry[i*size+u0:i*size+u1], initial[i*size+u0:i*size+u1]
		for j, v := range from {
			to[j] += v
			from[j] = 0
		}
	}
}
