package scan

import (
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Run is one goroutine's way of running a Stack: what to run, the memory for
// it, and the record. The caller sets the exported fields before Forward; the
// slices are read or written where they stand. Memory is kept between calls, so
// that a call of the same shape allocates nothing.
type Run[F kernel.Float] struct {
	Stack   *Stack[F]
	Workers int  // at least 1
	Record  bool // keep what Backward and the accessors read
	// Continue starts from the states that the last Forward or SetState left, in
	// packed order, instead of H0 and C0; the batch must be the same.
	Continue bool

	// The batch: Sizes[t] rows in step t, not rising; B is Sizes[0] or, for an
	// empty batch, 0. Perm[i] is the caller's place of sequence i; nil: i.
	T, B  int
	Sizes []int
	Perm  []int
	// Resets, by row of N, is true where the state starts anew: a boundary lies
	// between that step and the one before. The forward direction starts that
	// step, and the reverse direction the one before, from the initial state.
	Resets []bool
	// Masks[l], [N,D*H'], multiplies the output of layer l on its way to the
	// next; nil: all ones.
	Masks [][]F

	X      Strided[F] // input [T,B,I]
	Y      Strided[F] // output [T,B,D*H']
	H0, C0 []F        // initial states [L*D,B,H'], [L*D,B,H]; nil: zeros
	HN, CN []F        // final states likewise; nil: not wanted

	Off   []int // first row of step t, T+1 of them; Forward sets it
	N     int
	plan  []chunk
	way   int    // how workers share Forward
	reset []bool // whether a step has any reset row before it
	w     []weights[F]
	dirs  []direction[F] // l*D+d
	layer []layer[F]
	team  kernel.Team
	hands []hand[F] // one a worker
	back  backRun[F]
}

// Strided is a tensor of vectors by step and sequence: that of step t and the
// caller's sequence b starts at Data[t*Step+b*Seq].
type Strided[F kernel.Float] struct {
	Data      []F
	Step, Seq int
}

// chunk is a run of steps [t0,t1) and its rows [r0,r1). Where only chunks are
// kept, its rows stand slot rows from the beginning of the memory.
type chunk struct{ t0, t1, r0, r1, slot int }

// direction is the memory of one layer and direction.
type direction[F kernel.Float] struct {
	h0, c0 []F // initial state [B,H'], [B,H]
	h, c   []F // state before the chunk [B,H']; current cell state [B,H]
	next   []F // h after an open end
	sums   []F // [panel][rows][cols]: the input's sums; with Record the activated gates
	apart  []F // [panel][N][units]: recurrent part of the last gate, with Record
	cells  []F // [N,H] cell states, with Record
	full   []F // [B,H], with Record [N,H]: hidden states before the projection
}

// layer is the memory of one layer: its input where that must be gathered or
// masked, and its output, which stands in own or, of a direct run, where the
// caller wants it. The two must not be mixed up: own is written in packed order.
type layer[F kernel.Float] struct{ x, y, own []F }

// hand is a worker's own memory.
type hand[F kernel.Float] struct {
	z    []F // sums of a group of panels
	prev []F // a gathered state
	x    []F // the input of a small chunk
	step cell.Step[F]
	rows kernel.Scratch[F]
}

// The ways to share Forward.
const (
	byUnits = iota
	byLayers
	byDirections
)

// Forward runs the stack.
func (r *Run[F]) Forward() {
	r.prepare()
	if r.B == 0 {
		return
	}
	n := r.Workers
	if r.way == byDirections {
		n = 2
	}
	last := &r.dirs[len(r.dirs)-1]
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
	case r.Workers < 2 || r.w[0].hh.Gates*s.H*s.Out() > limits.AloneWeights:
	case s.D == 2:
		r.way = byDirections
	case s.L%r.Workers == 0 && !r.Record && r.N >= limits.WaveRows*limits.WaveChunks && r.B <= limits.WaveRows:
		r.way = byLayers
	}
}

type forwardTask[F kernel.Float] struct{ *Run[F] }

// Work is the share of worker w of n. There are three ways to share: the units
// of a layer, where a barrier ends each step; the layers, as a wavefront over
// chunks of time; and the two directions of a layer. The bits are the same.
func (t forwardTask[F]) Work(w, n int) {
	r, s := t.Run, t.Stack
	units, alone := share[F]{w, n, &r.hands[w]}, share[F]{0, 1, &r.hands[w]}
	switch {
	case r.way == byLayers:
		for k := range len(r.plan) + s.L - 1 {
			for l := w; l < s.L; l += n {
				if i := k - l; i >= 0 && i < len(r.plan) {
					r.gather(l, r.plan[i], alone)
					r.runChunk(l, 0, r.plan[i], alone)
				}
			}
			r.barrier(units)
		}
	case s.D == 1:
		// Chunk by chunk through all layers, so that a layer finds the output of
		// the one below in the cache.
		for _, c := range r.plan {
			for l := range s.L {
				if r.gather(l, c, units) {
					r.barrier(units)
				}
				r.runChunk(l, 0, c, units)
			}
		}
	default:
		all := chunk{t1: r.T, r1: r.N}
		for l := range s.L {
			if r.gather(l, all, units) {
				r.barrier(units)
			}
			if r.way == byDirections {
				r.runDirection(l, w, alone)
				r.barrier(units)
				continue
			}
			r.runDirection(l, 0, units)
			r.runDirection(l, 1, units)
		}
		if !r.direct() {
			r.scatter(all, units)
		}
	}
}

// runDirection runs all chunks of a layer in one of two directions. Workers meet
// between chunks: the first step of a chunk reads the states of all units that
// the one before carried, and each worker carries its own.
func (r *Run[F]) runDirection(l, d int, sh share[F]) {
	for i := range r.plan {
		if i > 0 {
			r.barrier(sh)
		}
		c := r.plan[i]
		if d == 1 {
			c = r.plan[len(r.plan)-1-i]
		}
		r.runChunk(l, d, c, sh)
	}
}

// prepare lays out memory and initial states.
func (r *Run[F]) prepare() {
	s := r.Stack
	r.w = s.packed(&r.team, r.Workers)
	r.Off = append(r.Off[:0], 0)
	for t := range r.T {
		r.Off = append(r.Off, r.Off[t]+r.Sizes[t])
	}
	r.N = r.Off[r.T]
	r.reset = r.reset[:0]
	for t := 0; r.Resets != nil && t < r.T; t++ {
		any := false
		for _, b := range r.Resets[r.Off[t]:r.Off[t+1]] {
			any = any || b
		}
		r.reset = append(r.reset, any)
	}
	r.chooseWay()
	r.planChunks()
	rows := 0
	for _, c := range r.plan {
		rows = max(rows, c.r1-c.r0)
	}
	whole, slots := r.whole(), 1
	if r.way == byLayers {
		// A layer writes one slot while the layer above reads the other.
		slots = 2
		for i := range r.plan {
			r.plan[i].slot = i % 2 * rows
		}
	}

	r.dirs = resize(r.dirs, s.L*s.D)
	for i := range r.dirs {
		d, w := &r.dirs[i], &r.w[i]
		if !r.Continue {
			r.start(d, i)
		}
		d.sums = grow(d.sums, w.ih.Len()*rows*w.ih.MaxCols())
		if s.Cell.HasCell() && r.Record {
			d.cells = grow(d.cells, r.N*s.H)
		}
		if s.Cell.Apart() && r.Record {
			d.apart = grow(d.apart, w.hh.Len()*r.N*w.hh.UnitsPer())
		}
		if s.P > 0 {
			d.full = grow(d.full, pick(r.Record, r.N, r.B)*s.H)
		}
	}
	r.layer = resize(r.layer, s.L)
	for l := range r.layer {
		y := &r.layer[l]
		switch {
		case l == s.L-1 && r.direct():
			y.y = r.Y.Data
		case whole:
			y.own = grow(y.own, r.N*s.D*s.Out())
			y.y = y.own
		default:
			y.own = grow(y.own, slots*rows*s.D*s.Out())
			y.y = y.own
		}
		if l == 0 || r.mask(l-1) != nil {
			y.x = grow(y.x, pick(whole, r.N, slots*rows)*s.In(l))
		}
	}
	r.hands = resize(r.hands, r.Workers)
	cols, group := 0, 0
	for i := range r.w {
		cols = max(cols, r.w[i].hh.MaxCols())
	}
	group = max(limits.GroupSums, min(r.B, limits.RowTile)*max(cols, 4*kernel.Lane))
	for i := range r.hands {
		r.hands[i].z = grow(r.hands[i].z, group)
		r.hands[i].prev = grow(r.hands[i].prev, r.B*max(s.H, s.Out()))
	}
}

// start sets the state of layer and direction i to the initial one.
func (r *Run[F]) start(d *direction[F], i int) {
	d.h0 = r.initial(d.h0, r.H0, i, r.Stack.Out())
	d.h = append(d.h[:0], d.h0...)
	if r.Stack.Cell.HasCell() {
		d.c0 = r.initial(d.c0, r.C0, i, r.Stack.H)
		d.c = append(d.c[:0], d.c0...)
	}
}

// SetState starts B sequences from H0 and C0 for the next Forward that
// continues.
func (r *Run[F]) SetState() {
	r.dirs = resize(r.dirs, r.Stack.L*r.Stack.D)
	for i := range r.dirs {
		r.start(&r.dirs[i], i)
	}
}

// State writes the current states to HN and CN.
func (r *Run[F]) State() { r.finish() }

// direct reports whether the output of the last layer can be computed where
// the caller wants it. A recorded run keeps its own, which the caller may not
// change before Backward.
func (r *Run[F]) direct() bool {
	w := r.Stack.D * r.Stack.Out()
	return !r.Record && r.Perm == nil && r.Y.Seq == w && (r.Y.Step == r.B*w || r.T == 1) && r.N == r.T*r.B
}

// whole reports whether inputs and outputs of all steps are kept, not only
// those of a chunk.
func (r *Run[F]) whole() bool { return r.Record || r.Stack.D == 2 }

// base returns the row of N at which the memory of a chunk's inputs starts.
func (r *Run[F]) base(c chunk) int { return pick(r.whole(), 0, c.r0-c.slot) }

// outBase is base for the outputs of layer l.
func (r *Run[F]) outBase(l int, c chunk) int {
	if l == r.Stack.L-1 && r.direct() {
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

// planChunks cuts time into chunks; a recorded run is one chunk, because it
// keeps the memory of all steps anyway.
func (r *Run[F]) planChunks() {
	s, limit := r.Stack, limits.ChunkRows
	switch weights := r.w[0].hh.Gates * s.H * (s.In(s.L-1) + s.Out()) * s.L * s.D; {
	case r.Record:
		limit = r.N
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
	for b := range r.B {
		kernel.FlushTo(dst[b*size:(b+1)*size], src[r.place(b)*size:(r.place(b)+1)*size])
	}
	return dst
}

// place returns the caller's place of sequence i.
func (r *Run[F]) place(i int) int {
	if r.Perm == nil {
		return i
	}
	return r.Perm[i]
}

// finish hands out the final states.
func (r *Run[F]) finish() {
	s := r.Stack
	for i := range r.dirs {
		d := &r.dirs[i]
		for b := range r.B {
			if r.HN != nil {
				copy(r.HN[(i*r.B+r.place(b))*s.Out():], d.h[b*s.Out():(b+1)*s.Out()])
			}
			if r.CN != nil {
				copy(r.CN[(i*r.B+r.place(b))*s.H:], d.c[b*s.H:(b+1)*s.H])
			}
		}
	}
}

func pick(c bool, a, b int) int {
	if c {
		return a
	}
	return b
}

// grow returns a slice of length n with undefined contents, reusing s.
func grow[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}

// resize returns a slice of length n that keeps the elements of s and with them
// their memory.
func resize[E any](s []E, n int) []E {
	if cap(s) < n {
		s = append(s[:cap(s)], make([]E, n-cap(s))...)
	}
	return s[:n]
}

// Zero sets the current states of the given sequences, in packed order, to
// zeros.
func (r *Run[F]) Zero(sequences []int) {
	for i := range r.dirs {
		d := &r.dirs[i]
		for _, b := range sequences {
			clear(d.h[b*r.Stack.Out() : (b+1)*r.Stack.Out()])
			if d.c != nil {
				clear(d.c[b*r.Stack.H : (b+1)*r.Stack.H])
			}
		}
	}
}
