package scan

import (
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// lane is one layer and direction of a run: its place, its weights, its memory
// and where its output goes.
type lane[F kernel.Float] struct {
	run       *Run[F]
	l, d, way int         // layer, direction, way through time
	w         *weights[F] // packed
	cell      cell.Cell[F]
	y         []F // the layer's output from the lane's part of row 0 on
	ldy       int // distance of its rows

	h0, c0 []F // initial state [B,H'], [B,H]
	h, c   []F // state before the chunk [B,H']; current cell state [B,H]
	next   []F // h after an open end
	sums   []F // [panel][rows][cols]: the input's sums; with Record the activated gates
	apart  []F // [panel][N][units]: recurrent part of the last gate, with Record
	cells  []F // [N,H] cell states, with Record
	full   []F // [B,H], with Record [N,H]: hidden states before the projection
	late   []F // likewise: what the late gate's recurrent weights multiply
}

// layer is the memory of one layer: its input where that must be gathered or
// masked, and its output, which stands in own or, of a direct run, where the
// caller wants it. The two must not be mixed up: own is written in packed order.
type layer[F kernel.Float] struct{ x, y, own []F }

// lane returns that of layer l, direction d.
func (r *Run[F]) lane(l, d int) *lane[F] { return &r.lanes[l*r.Stack.D+d] }

// index is the lane's place among states and parameters.
func (ln *lane[F]) index() int { return ln.l*ln.run.Stack.D + ln.d }

// kept returns where the rows of step t stand in memory that holds all of them
// with Record, and otherwise those of one step.
func (ln *lane[F]) kept(t int) int {
	if ln.run.Record {
		return ln.run.Off[t]
	}
	return 0
}

// prepare lays out the lane's memory for chunks of at most rows rows.
func (ln *lane[F]) prepare(rows int) {
	r, s := ln.run, ln.run.Stack
	n := r.B
	if r.Record {
		n = r.N
	}
	ln.ldy = s.D * s.Out()
	ln.layOutput()
	ln.sums = grow(ln.sums, ln.w.ih.Len()*rows*ln.w.ih.MaxCols())
	if s.Traits.CellState && r.Record {
		ln.cells = grow(ln.cells, r.N*s.H)
	}
	if s.Traits.Apart && r.Record {
		ln.apart = grow(ln.apart, ln.w.hh.Len()*r.N*ln.w.hh.UnitsPer())
	}
	if s.P > 0 {
		ln.full = grow(ln.full, n*s.H)
	}
	if s.Traits.Late {
		ln.late = grow(ln.late, n*s.H)
	}
}

// layOutput finds the lane's part of its layer's output.
func (ln *lane[F]) layOutput() {
	y := ln.run.layers[ln.l].y
	ln.y = y[min(ln.d*ln.run.Stack.Out(), len(y)):] // an empty batch has no rows
}

// start sets the state to the initial one.
func (ln *lane[F]) start() {
	r, s := ln.run, ln.run.Stack
	ln.h0 = r.initial(ln.h0, r.H0, ln.index(), s.Out())
	ln.h = append(ln.h[:0], ln.h0...)
	if s.Traits.CellState {
		ln.c0 = r.initial(ln.c0, r.C0, ln.index(), s.H)
		ln.c = append(ln.c[:0], ln.c0...)
	}
}

// states is where the states of all steps of a run or a chunk stand: of size
// numbers, rows ld apart, the first that of row base of N.
type states[F kernel.Float] struct {
	all               []F
	ld, base, size    int
	carried, starting []F // those before the chunk, and the initial ones
}

// hidden are the hidden states of the chunk whose first row in memory is base.
func (ln *lane[F]) hidden(base int) states[F] {
	return states[F]{ln.y, ln.ldy, base, ln.run.Stack.Out(), ln.h, ln.h0}
}

// before returns the states before step t, Sizes[t] rows, ld apart. Where they
// do not stand together they are gathered in scratch.
func (ln *lane[F]) before(t int, c chunk, scratch []F, st states[F]) ([]F, int) {
	b := &ln.run.Batch
	m, first, marked := b.Sizes[t], t == c.first(ln.way), b.marked(ln.way, t)
	tp := t - 1
	if ln.way == backwards {
		tp = t + 1
	}
	if !marked {
		if first {
			return st.carried, st.size
		}
		if b.Sizes[tp] >= m {
			return st.all[(b.Off[tp]-st.base)*st.ld:], st.ld
		}
	}
	for i := range m {
		src := st.carried[i*st.size:]
		switch k := b.at(ln.way, t, i); {
		case k&atInitial != 0:
			src = st.starting[i*st.size:]
		case k&atStart == 0 && !first && i < b.Sizes[tp]:
			src = st.all[(b.Off[tp]+i-st.base)*st.ld:]
		}
		copy(scratch[i*st.size:(i+1)*st.size], src)
	}
	return scratch, st.size
}

// resetCells puts the units [u0,u1) of cell states back to the initial ones
// where a boundary lies before step t.
func (ln *lane[F]) resetCells(t, u0, u1 int) {
	b, h := &ln.run.Batch, ln.run.Stack.H
	if ln.c == nil || !b.marked(ln.way, t) || u0 >= u1 {
		return
	}
	for i := range b.Sizes[t] {
		if b.at(ln.way, t, i)&atInitial != 0 {
			copy(ln.c[i*h+u0:i*h+u1], ln.c0[i*h+u0:i*h+u1])
		}
	}
}

// carry keeps the hidden states that the next chunk, or the caller, goes on
// from: for each sequence that of its last step in the chunk. A worker carries
// the units it computed, so it need not wait for others; with a projection,
// rows.
func (ln *lane[F]) carry(c chunk, sh share[F]) {
	r, b, s := ln.run, &ln.run.Batch, ln.run.Stack
	size, base, y := s.Out(), r.outBase(ln.l, c), ln.y
	u0, u1 := 0, size
	lo, hi := sh.sequences(b.Sizes[c.t0])
	if s.P > 0 {
		lo, hi = sh.of(hi)
	} else {
		u0, u1 = sh.units(&ln.w.hh, size)
	}
	if u0 >= u1 {
		return
	}
	t, to := c.last(ln.way), ln.h
	if r.openEnd(ln.l, t) {
		to = ln.next // others may still read h; finish exchanges them
	}
	if hi <= b.Sizes[t] && !b.marked(ln.way, t) { // all sequences go on to the last step
		copyRows(hi-lo, u1-u0, to[lo*size+u0:], size, y[(b.Off[t]+lo-base)*ln.ldy+u0:], ln.ldy)
		return
	}
	for i := lo; i < hi; i++ {
		for i >= b.Sizes[t] { // forwards: this sequence has ended before
			t--
		}
		if k := b.at(ln.way, t, i); k.blank() { // nothing has run since it began
			from := ln.h
			if k&atInitial != 0 {
				from = ln.h0
			}
			copy(to[i*size+u0:i*size+u1], from[i*size+u0:])
			continue
		}
		at := (b.Off[t] + i - base) * ln.ldy
		copy(to[i*size+u0:i*size+u1], y[at+u0:at+u1])
	}
}

// first and last return the chunk's first and last step on a way through time.
func (c chunk) first(way int) int {
	if way == backwards {
		return c.t1 - 1
	}
	return c.t0
}

func (c chunk) last(way int) int {
	if way == backwards {
		return c.t0
	}
	return c.t1 - 1
}

// step returns the chunk's i-th step on a way through time.
func (c chunk) step(way, i int) int {
	if way == backwards {
		return c.t1 - 1 - i
	}
	return c.t0 + i
}
