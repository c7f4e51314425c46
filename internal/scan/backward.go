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
	dy     []F    // [N,D*H'] gradient of the current layer's output; the caller's where it stands in order
	below  []F    // [N,I of the layer] that of its input
	own    [2][]F // memory of the two
	dx, dz []F    // [N,G*H] of the input's and the recurrent sums; the same unless Apart
	dlate  []F    // [B,H] of what the late gate takes
	apart  []F
	dr     []F // [N,P] of the projected states
	dfull  []F // [B,H] of the states before the projection
	prev   []F // [N,H'] the states before each step
	carry  []F // [B,H'] gradient of the state carried to an earlier step
	dc     []F // [B,H] of the cell state
	dh0    []F // [B,H'] gathered gradient of the initial state
	dc0    []F
}

// Backward runs the last recorded Forward backwards. Its sums have stated
// orders, whatever the number of workers: gradients of weights are chains over
// the rows in time order that start from Grads; those of biases start from zero
// and are added to Grads; gradients of states and inputs are chains over the
// gates in parameter order.
func (r *Run[F]) Backward(b Back[F]) {
	r.back.Back = b
	r.timed(true, (*Run[F]).backward)
	r.back.Back = Back[F]{} // nothing of the caller's is kept
}

func (r *Run[F]) backward() {
	r.prepareBack()
	if r.B > 0 {
		r.team.Run(backwardTask[F]{r}, r.workers)
	}
	r.back.dy = nil // it may be the caller's
}

type backwardTask[F kernel.Float] struct{ *Run[F] }

func (r *Run[F]) prepareBack() {
	s, k := r.Stack, &r.back
	k.w = s.packedBack(&r.team, r.workers)
	gh := s.Traits.Gates * s.H
	width := s.D * s.Out()
	last := s.L % 2 // what ends as below, of the first layer, has its inputs' gradients
	k.own[last] = grow(k.own[last], r.N*max(s.I, width))
	k.own[1-last] = grow(k.own[1-last], r.N*width)
	k.dy, k.below = k.own[0], k.own[1]
	if k.DY.Data != nil && k.DY.inOrder(&r.Batch, width) {
		k.dy = k.DY.Data
	}
	k.dx = grow(k.dx, r.N*gh)
	k.dz = k.dx
	if s.Traits.Apart {
		k.apart = grow(k.apart, r.N*gh)
		k.dz = k.apart
	}
	if s.P > 0 {
		k.dr = grow(k.dr, r.N*s.P)
		k.dfull = grow(k.dfull, r.B*s.H)
	}
	k.prev = grow(k.prev, r.N*s.Out())
	k.carry, k.dh0 = grow(k.carry, r.B*s.Out()), grow(k.dh0, r.B*s.Out())
	if s.Traits.CellState {
		k.dc, k.dc0 = grow(k.dc, r.B*s.H), grow(k.dc0, r.B*s.H)
	}
	if s.Traits.Late {
		k.dlate = grow(k.dlate, r.B*s.H)
	}
	for i := range r.hands {
		h := &r.hands[i]
		h.z = grow(h.z, max(len(h.z), limits.GroupSums, limits.RowTile*4*kernel.Lane))
	}
}

// Work is the share of worker w of n.
func (task backwardTask[F]) Work(w, n int) {
	r := task.Run
	s, steps := r.Stack, share[F]{w, n, 0, 1, &r.hands[w]}
	if r.stepsBackAlone() {
		steps = share[F]{0, 1, w, n, &r.hands[w]}
	}
	r.takeDY(w, n)
	for l := s.L - 1; l >= 0; l-- {
		for d := range s.D {
			ln := r.lane(l, d)
			ln.startBack(w, n)
			r.team.Barrier()
			for i := range r.T {
				ln.stepBack(r.all().step(ln.way, r.T-1-i), steps)
			}
			if steps.parts > 1 {
				r.team.Barrier() // the gradients of weights sum over all sequences
			}
			ln.giveInitial(w, n)
			ln.weightGrads(w, n)
			ln.inputGrads(w, n)
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

// stepsBackAlone reports whether each worker walks its own sequences back through all
// steps, and meets nobody until the end of a layer.
func (r *Run[F]) stepsBackAlone() bool {
	return r.workers > 1 && r.Even && r.Perm == nil && !r.anywhere() && r.manySequences()
}

// all is all of time as one chunk.
func (r *Run[F]) all() chunk { return chunk{t1: r.T, r1: r.N} }

// takeDY gathers the caller's gradient of the output in packed order.
func (r *Run[F]) takeDY(w, n int) {
	k, width := &r.back, r.Stack.D*r.Stack.Out()
	lo, hi := kernel.Share(r.N, w, n)
	if k.DY.Data == nil {
		clear(k.dy[lo*width : hi*width])
		return
	}
	if k.DY.inOrder(&r.Batch, width) {
		return // it is read where it stands
	}
	for row, t := range r.rows(lo, hi) {
		copy(k.dy[row*width:(row+1)*width], k.DY.vector(&r.Batch, row, t, width))
	}
}

// giveDX hands out the gradient of the input.
func (r *Run[F]) giveDX(w, n int) {
	k, in := &r.back, r.Stack.I
	if k.DX.Data == nil {
		return
	}
	lo, hi := kernel.Share(r.N, w, n)
	if k.DX.inOrder(&r.Batch, in) {
		copy(k.DX.Data[lo*in:hi*in], k.below[lo*in:])
		return
	}
	for row, t := range r.rows(lo, hi) {
		copy(k.DX.vector(&r.Batch, row, t, in), k.below[row*in:(row+1)*in])
	}
}

// passDown turns the gradient of layer l's input into that of the output of
// the layer below, through the dropout between them.
func (r *Run[F]) passDown(l, w, n int) {
	k, width := &r.back, r.Stack.In(l)
	lo, hi := kernel.Share(r.N, w, n)
	if mask := r.mask(l - 1); mask != nil {
		x := k.below[lo*width : hi*width]
		mask = mask[lo*width : hi*width]
		for i, v := range x {
			x[i] = v * mask[i]
		}
	}
	r.team.Barrier() // nobody reads dy any more
	if w == 0 {
		k.dy = k.below
		if k.below = k.own[0]; &k.dy[0] == &k.own[0][0] {
			k.below = k.own[1]
		}
	}
}

// startBack sets the gradients of the final states, and lists the state before
// each step for the gradient of the recurrent weights.
func (ln *lane[F]) startBack(w, n int) {
	r, s, k := ln.run, ln.run.Stack, &ln.run.back
	size := s.Out()
	lo, hi := kernel.Share(r.B, w, n)
	r.takeState(k.carry, k.DHN, ln.index(), size, lo, hi)
	clear(k.dh0[lo*size : hi*size])
	if ln.c != nil {
		r.takeState(k.dc, k.DCN, ln.index(), s.H, lo, hi)
		clear(k.dc0[lo*s.H : hi*s.H])
	}
	st := ln.hidden(0)
	st.carried = ln.h0
	t0, t1 := kernel.Share(r.T, w, n)
	for t := t0; t < t1; t++ {
		prev, ld := ln.before(t, r.all(), r.hands[w].prev, st)
		copyRows(r.Sizes[t], size, k.prev[r.Off[t]*size:], size, prev, ld)
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
func (ln *lane[F]) giveInitial(w, n int) {
	r, s, k := ln.run, ln.run.Stack, &ln.run.back
	lo, hi := kernel.Share(r.B, w, n)
	for b := lo; b < hi; b++ {
		at := ln.index()*r.B + r.place(b)
		if k.DH0 != nil {
			copy(k.DH0[at*s.Out():(at+1)*s.Out()], k.dh0[b*s.Out():])
		}
		if k.DC0 != nil && s.Traits.CellState {
			copy(k.DC0[at*s.H:(at+1)*s.H], k.dc0[b*s.H:])
		}
	}
}
