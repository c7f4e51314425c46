package scan

import (
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Run is one goroutine's way of running a Stack: what to run, the memory for
// it, and the record. The caller sets the exported fields before Forward; the
// slices are read or written where they stand. Memory is kept between calls, so
// that a call of the same shape allocates nothing. A Run must not be copied
// after its first Forward.
type Run[F kernel.Float] struct {
	Stack   *Stack[F]
	Workers int  // the most that share the work, at least 1
	Record  bool // keep what Backward and the accessors read
	// Continue starts from the states that the last Forward or SetState left, in
	// packed order, instead of H0 and C0; the batch must be the same.
	Continue bool

	Batch
	// Masks[l], [N,D*H'], multiplies the output of layer l on its way to the
	// next; nil: all ones.
	Masks [][]F

	X      Strided[F] // input [T,B,I]
	Y      Strided[F] // output [T,B,D*H']
	H0, C0 []F        // initial states [L*D,B,H'], [L*D,B,H]; nil: zeros
	HN, CN []F        // final states likewise; nil: not wanted

	laid  layout[F]
	kind  [2]callKind // of the last Forward and Backward that could be shared
	paces [2]*kernel.Pace
	// direct reports whether the output of the last layer is computed where the
	// caller wants it. A recorded run keeps its own, which the caller may not change
	// before Backward.
	direct bool
	plan   []chunk
	// workers is how many share the running call; a result does not depend on it.
	workers int
	way     int // how workers share Forward
	lanes   []lane[F]
	layers  []layer[F]
	team    kernel.Team
	hands   []hand[F] // one a worker
	back    backRun[F]
}

// chunk is a run of steps [t0,t1) and its rows [r0,r1). Where only chunks are
// kept, its rows stand slot rows from the beginning of the memory. The input's sums
// of each panel are so many rows, the first that of row from.
type chunk struct{ t0, t1, r0, r1, slot, from, rows int }

// hand is a worker's own memory.
type hand[F kernel.Float] struct {
	z    []F // sums of a group of panels
	prev []F // a gathered state
	kept []F // what masked rows keep through a step
	x    []F // the input of a small chunk
	sums []F // of columns
	step cell.Step[F]
	rows kernel.Scratch[F]
	int8 kernel.Rows8 // a left side as integers
}

// The ways to share Forward.
const (
	byUnits = iota
	byLayers
	byDirections
	bySequences
)

// Forward runs the stack.
func (r *Run[F]) Forward() { r.timed(false, (*Run[F]).forward) }

func (r *Run[F]) forward() {
	r.prepare()
	if r.B == 0 {
		return
	}
	n := r.workers
	if r.way == byDirections {
		n = 2
	}
	last := &r.lanes[len(r.lanes)-1]
	last.next = grow(last.next, len(last.h))
	r.team.Run(forwardTask[F]{r}, n)
	if r.openEnd(r.Stack.L-1, r.T-1) {
		last.h, last.next = last.next, last.h
	}
	r.finish()
}

// chooseWay decides how workers share Forward.
func (r *Run[F]) chooseWay() {
	s := r.Stack
	r.way = byUnits
	switch {
	case r.workers < 2:
	case s.D == 2 && r.workers == 2 && r.B >= limits.AloneRows:
		r.way = byDirections
	case r.sharesSequences():
		r.way = bySequences
	case s.Traits.Gates*s.H*s.Out() > limits.AloneWeights:
	case s.D == 2:
		r.way = byDirections
	case s.L%r.workers == 0 && !r.Record && !s.Reverse && r.N >= limits.WaveRows*limits.WaveChunks && r.B <= limits.WaveRows:
		r.way = byLayers
	}
}

// sharesSequences reports whether each worker has its own sequences.
func (r *Run[F]) sharesSequences() bool { return r.alike() && r.manySequences() }

// manySequences reports whether there are enough sequences for each worker. It
// reads all weights, twice as many bytes as half of the units have: where they do not
// stay in a cache, more rows must make up for it, and fewer do where they stay in the
// worker's own from step to step.
func (r *Run[F]) manySequences() bool {
	s, rows := r.Stack, limits.AloneRows
	if s.P > 0 || s.Traits.Late {
		return false
	}
	switch recurrent := s.Traits.Gates * s.H * s.Out(); {
	case recurrent+s.Traits.Gates*s.H*s.In(s.L-1) > limits.ManyWeights:
		rows *= 4
	case r.T > 1 && recurrent <= limits.AloneWeights:
		rows = max(1, rows/2)
	}
	return r.B >= r.workers*rows
}

type forwardTask[F kernel.Float] struct{ *Run[F] }

// Work is the share of worker w of n. There are four ways to share: the units
// of a layer, where a barrier ends each step; the layers, as a wavefront over
// chunks of time; the two directions of a layer; and the sequences, which need
// nobody else's. The bits are the same.
func (t forwardTask[F]) Work(w, n int) {
	r := t.Run
	units, alone := share[F]{w, n, 0, 1, &r.hands[w]}, share[F]{0, 1, 0, 1, &r.hands[w]}
	if r.way == bySequences {
		units = share[F]{0, 1, w, n, &r.hands[w]}
	}
	switch {
	case r.way == byLayers:
		r.walkWave(units, alone)
	case r.byChunks():
		r.walkChunks(units)
	default:
		r.walkLayers(w, units, alone)
	}
}

// byChunks reports whether each chunk of time goes through all layers before the
// next one begins. A direction that goes back through time needs all of the
// layer below first.
func (r *Run[F]) byChunks() bool { return r.Stack.D == 1 && !r.Stack.Reverse }

// walkWave runs chunk i of layer l beside chunk i-1 of layer l+1.
func (r *Run[F]) walkWave(units, alone share[F]) {
	layers := r.Stack.L
	for k := range len(r.plan) + layers - 1 {
		for l := units.w; l < layers; l += units.n {
			if i := k - l; i >= 0 && i < len(r.plan) {
				r.gather(l, r.plan[i], alone)
				r.lane(l, 0).chunk(r.plan[i], alone)
			}
		}
		r.barrier(units)
	}
}

// walkChunks goes chunk by chunk through all layers, so that a layer finds the
// output of the one below in the cache.
func (r *Run[F]) walkChunks(units share[F]) {
	for _, c := range r.plan {
		for l := range r.Stack.L {
			if r.gather(l, c, units) {
				r.barrier(units)
			}
			r.lane(l, 0).chunk(c, units)
		}
	}
}

// walkLayers runs all of time through one layer after the other.
func (r *Run[F]) walkLayers(w int, units, alone share[F]) {
	all := chunk{t1: r.T, r1: r.N}
	for l := range r.Stack.L {
		if r.gather(l, all, units) {
			r.barrier(units)
		}
		if r.way == byDirections {
			r.lane(l, w).walk(alone)
			r.barrier(units)
			continue
		}
		for d := range r.Stack.D {
			r.lane(l, d).walk(units)
		}
	}
	if !r.direct {
		r.scatter(all, units)
	}
}

// walk runs all chunks of a lane. Workers meet between chunks: the first step of
// a chunk reads the states of all units that the one before carried, and each
// worker carries its own.
func (ln *lane[F]) walk(sh share[F]) {
	plan := ln.run.plan
	for i := range plan {
		if i > 0 {
			ln.run.barrier(sh)
		}
		if ln.way == backwards {
			i = len(plan) - 1 - i
		}
		ln.chunk(plan[i], sh)
	}
}

// layout is what the memory of a run depends on, where all of its steps are alike.
type layout[F kernel.Float] struct {
	stack         *Stack[F]
	t, b          int
	workers, most int
	record        bool
	step, seq     int // of the output
	limits        int // their version
}

// prepare lays out memory and initial states. A call like the one before finds all
// in place but the states and where the output goes.
func (r *Run[F]) prepare() {
	s := r.Stack
	w := s.packed(&r.team, r.workers)
	now := layout[F]{s, r.T, r.B, r.workers, r.Workers, r.Record, r.Y.Step, r.Y.Seq, limitsVersion}
	switch {
	case !r.alike():
		r.laid = layout[F]{}
		r.lay(w)
	case r.laid == now:
		r.layOutput()
	default:
		r.laid = now
		r.lay(w)
	}
	if r.Continue {
		return
	}
	for i := range r.lanes {
		r.lanes[i].start()
	}
}

// alike reports whether all steps are: no sequence has a length, a reset, a mask or
// dropout.
func (r *Run[F]) alike() bool { return r.Even && r.Perm == nil && r.Masks == nil && !r.anywhere() }

// layOutput takes the caller's memory for the output.
func (r *Run[F]) layOutput() {
	if !r.direct {
		return
	}
	s := r.Stack
	r.layers[s.L-1].y = r.Y.Data
	for d := range s.D {
		r.lane(s.L-1, d).layOutput()
	}
}

// lay lays out all memory.
func (r *Run[F]) lay(w []weights[F]) {
	s := r.Stack
	r.Batch.prepare([2]bool{!s.Reverse, s.Reverse || s.D == 2})
	r.direct = !r.Record && r.Y.inOrder(&r.Batch, s.D*s.Out())
	r.chooseWay()
	r.planChunks()
	rows := 0
	for _, c := range r.plan {
		rows = max(rows, c.rows)
	}
	slots := 1
	if r.way == byLayers {
		// A layer writes one slot while the layer above reads the other.
		slots = 2
		for i := range r.plan {
			r.plan[i].slot = i % 2 * rows
		}
	}
	r.prepareLayers(slots * rows)
	r.layLanes()
	for i := range r.lanes {
		ln := &r.lanes[i]
		ln.w = &w[i]
		ln.prepare(rows)
	}
	r.prepareHands(w)
}

// layLanes tells each lane its place.
func (r *Run[F]) layLanes() {
	s := r.Stack
	r.lanes = extend(r.lanes, s.L*s.D)
	for i := range r.lanes {
		ln := &r.lanes[i]
		ln.run, ln.l, ln.d, ln.way, ln.cell = r, i/s.D, i%s.D, forwards, s.Cells[i%s.D]
		if ln.d == 1 || s.Reverse {
			ln.way = backwards
		}
	}
}

// prepareLayers lays out inputs and outputs of the layers, of rows rows where
// only chunks are kept.
func (r *Run[F]) prepareLayers(rows int) {
	s := r.Stack
	if r.whole() {
		rows = r.N
	}
	r.layers = extend(r.layers, s.L)
	for l := range r.layers {
		y := &r.layers[l]
		if l == s.L-1 && r.direct {
			y.y = r.Y.Data
		} else {
			y.own = grow(y.own, rows*s.D*s.Out())
			y.y = y.own
		}
		if l == 0 || r.mask(l-1) != nil {
			y.x = grow(y.x, rows*s.In(l))
		}
	}
}

func (r *Run[F]) prepareHands(w []weights[F]) {
	s, tile := r.Stack, min(r.B, limits.RowTile)
	// A group of panels has GroupSums sums, unless one panel has more or all of
	// them have less, as those of a small layer's stream do.
	sums := tile * 4 * kernel.Lane
	for i := range w {
		cols := tile * w[i].hh.MaxCols()
		sums = max(sums, cols, min(limits.GroupSums, w[i].hh.Len()*cols))
	}
	r.hands = extend(r.hands, r.Workers)
	for i := range r.hands {
		h := &r.hands[i]
		h.z = grow(h.z, sums)
		if r.T > 1 || r.Record || r.anywhere() { // the only step follows what is carried
			h.prev = grow(h.prev, r.B*max(s.H, s.Out()))
		}
		if r.Skips != nil {
			h.kept = grow(h.kept, 2*r.B*max(s.H, s.Out()))
		}
	}
}

// SetState starts B sequences from H0 and C0 for the next Forward that
// continues.
func (r *Run[F]) SetState() {
	r.layLanes()
	for i := range r.lanes {
		r.lanes[i].start()
	}
}

// State writes the current states to HN and CN.
func (r *Run[F]) State() { r.finish() }

// whole reports whether inputs and outputs of all steps are kept, not only
// those of a chunk.
func (r *Run[F]) whole() bool { return r.Record || !r.byChunks() }

// base returns the row of N at which the memory of a chunk's inputs starts.
func (r *Run[F]) base(c chunk) int {
	if r.whole() {
		return 0
	}
	return c.r0 - c.slot
}

// outBase is base for the outputs of layer l.
func (r *Run[F]) outBase(l int, c chunk) int {
	if l == r.Stack.L-1 && r.direct {
		return 0
	}
	return r.base(c)
}

func (r *Run[F]) mask(l int) []F {
	if r.Masks == nil {
		return nil
	}
	return r.Masks[l]
}

// planChunks cuts time into chunks, whose sums of the input are still in a cache when
// the steps take them. A recorded run keeps the sums of all of them.
func (r *Run[F]) planChunks() {
	s, limit := r.Stack, limits.ChunkRows
	switch weights := s.Traits.Gates * s.H * (s.In(s.L-1) + s.Out()) * s.L * s.D; {
	case r.way == byLayers:
		limit = limits.WaveRows
	case weights > limits.ManyWeights:
		limit = limits.ManyRows
	}
	r.plan = r.plan[:0]
	for t := 0; t < r.T; {
		c := chunk{t0: t, r0: r.Off[t]}
		for t++; t < r.T && r.Off[t+1]-c.r0 <= limit; t++ {
		}
		c.t1, c.r1 = t, r.Off[t]
		c.from, c.rows = c.r0, c.r1-c.r0
		if r.Record {
			c.from, c.rows = 0, r.N
		}
		r.plan = append(r.plan, c)
	}
}

// initial copies the initial state of layer and direction i to packed order.
func (r *Run[F]) initial(dst, src []F, i, size int) []F {
	dst = grow(dst, r.B*size)
	if src == nil {
		clear(dst)
		return dst
	}
	src = src[i*r.B*size : (i+1)*r.B*size]
	if r.Perm == nil {
		kernel.FlushTo(dst, src)
		return dst
	}
	for b := range r.B {
		kernel.FlushTo(dst[b*size:(b+1)*size], src[r.place(b)*size:(r.place(b)+1)*size])
	}
	return dst
}

// finish hands out the final states.
func (r *Run[F]) finish() {
	s := r.Stack
	for i := range r.lanes {
		ln := &r.lanes[i]
		if r.Perm == nil {
			if r.HN != nil {
				copy(r.HN[i*r.B*s.Out():], ln.h[:r.B*s.Out()])
			}
			if r.CN != nil {
				copy(r.CN[i*r.B*s.H:], ln.c[:r.B*s.H])
			}
			continue
		}
		for b := range r.B {
			if r.HN != nil {
				copy(r.HN[(i*r.B+r.place(b))*s.Out():], ln.h[b*s.Out():(b+1)*s.Out()])
			}
			if r.CN != nil {
				copy(r.CN[(i*r.B+r.place(b))*s.H:], ln.c[b*s.H:(b+1)*s.H])
			}
		}
	}
}

// copyRows copies m rows of n numbers, ldd apart, from rows lds apart.
func copyRows[F kernel.Float](m, n int, dst []F, ldd int, src []F, lds int) {
	if n == ldd && n == lds {
		copy(dst[:m*n], src)
		return
	}
	for i := range m {
		copy(dst[i*ldd:i*ldd+n], src[i*lds:])
	}
}

// grow returns a slice of length n with undefined contents, reusing s.
func grow[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}

// extend returns a slice of length n that keeps the elements of s and with them
// their memory.
func extend[E any](s []E, n int) []E {
	if cap(s) < n {
		s = append(s[:cap(s)], make([]E, n-cap(s))...)
	}
	return s[:n]
}

// Zero sets the current states of the given sequences, in packed order, to
// zeros.
func (r *Run[F]) Zero(sequences []int) {
	for i := range r.lanes {
		ln := &r.lanes[i]
		for _, b := range sequences {
			clear(ln.h[b*r.Stack.Out() : (b+1)*r.Stack.Out()])
			if ln.c != nil {
				clear(ln.c[b*r.Stack.H : (b+1)*r.Stack.H])
			}
		}
	}
}
