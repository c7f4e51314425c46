package scan

import "iter"

// Batch is what a run goes over: T steps of B sequences, packed. The caller sets
// the exported fields but Off and N, which prepare derives.
type Batch struct {
	T, B int
	// Even says that each step has B rows. Sizes is then made here.
	Even bool
	// Sizes[t] is the number of rows in step t, not rising; B is Sizes[0] or,
	// for an empty batch, 0.
	Sizes []int
	// Perm[i] is the caller's place of sequence i; nil: i.
	Perm []int
	// Resets, by row of N, is true where the state starts anew: a boundary lies
	// between that step and the one before. The forward direction starts that
	// step, and the reverse direction the one before, from the initial state.
	Resets []bool
	// Skips, by row of N, is true for a masked step: it keeps the state and
	// repeats the output before it, zeros before the first.
	Skips []bool

	Off   []int // first row of step t, T+1 of them
	N     int   // rows in all
	evens []int // Sizes of an even batch

	// Where there are resets or skips: what is special about each row, and
	// whether a step has such a row, for either way through time.
	marks [2][]mark
	steps [2][]bool
}

// mark says where the state before a row comes from, if not from the step
// before, and whether the row is masked.
type mark uint8

const (
	atInitial mark = 1 << iota // from the initial state: nothing has run since a boundary
	atStart                    // from where the run started: nothing has run at all
	masked
)

// The ways through time.
const (
	forwards = iota
	backwards
)

// blank reports whether a row is a masked one before the first that runs.
func (m mark) blank() bool { return m&masked != 0 && m&(atInitial|atStart) != 0 }

// prepare lays out the rows; ways says which ways through time are gone.
func (b *Batch) prepare(ways [2]bool) {
	if b.Even {
		b.evens = b.evens[:0]
		for range b.T {
			b.evens = append(b.evens, b.B)
		}
		b.Sizes = b.evens
	}
	b.Off = append(b.Off[:0], 0)
	for t := range b.T {
		b.Off = append(b.Off, b.Off[t]+b.Sizes[t])
	}
	b.N = b.Off[b.T]
	for way, gone := range ways {
		b.marks[way], b.steps[way] = b.marks[way][:0], b.steps[way][:0]
		if gone && (b.Resets != nil || b.Skips != nil) {
			b.mark(way)
		}
	}
}

// mark notes what is special about each row on the way through time.
func (b *Batch) mark(way int) {
	b.marks[way], b.steps[way] = grow(b.marks[way], b.N), grow(b.steps[way], b.T)
	marks := b.marks[way]
	for k := range b.T {
		t, bound := k, k // the step that a boundary before step t is marked at
		if way == backwards {
			t = b.T - 1 - k
			bound = t + 1
		}
		any := false
		for i := range b.Sizes[t] {
			row := b.Off[t] + i
			m := mark(0)
			before, ok := b.before(way, t, i)
			switch {
			case !ok:
				m = atStart
			case marks[before].blank():
				m = marks[before] &^ masked
			}
			if b.Resets != nil && bound < b.T && i < b.Sizes[bound] && b.Resets[b.Off[bound]+i] {
				m = atInitial
			}
			if b.Skips != nil && b.Skips[row] {
				m |= masked
			}
			marks[row] = m
			any = any || m != 0 && (ok || m != atStart)
		}
		b.steps[way][t] = any
	}
}

// before returns the row of sequence i in the step before t, if it has one.
func (b *Batch) before(way, t, i int) (row int, ok bool) {
	if way == forwards {
		if t == 0 {
			return 0, false
		}
		return b.Off[t-1] + i, true
	}
	if t == b.T-1 || i >= b.Sizes[t+1] {
		return 0, false
	}
	return b.Off[t+1] + i, true
}

// marked reports whether step t has a row with a mark.
func (b *Batch) marked(way, t int) bool { return len(b.steps[way]) > 0 && b.steps[way][t] }

// at returns the mark of sequence i in step t.
func (b *Batch) at(way, t, i int) mark {
	if len(b.marks[way]) == 0 {
		return 0
	}
	return b.marks[way][b.Off[t]+i]
}

// anew reports whether the state before step t of sequence i is the one that
// the sequence, or a part of it behind a boundary, began with.
func (b *Batch) anew(way, t, i int) bool {
	if _, ok := b.before(way, t, i); !ok {
		return true
	}
	return b.at(way, t, i)&(atInitial|atStart) != 0
}

// anywhere reports whether a sequence may begin anew in a step other than its
// first.
func (b *Batch) anywhere() bool { return b.Resets != nil || b.Skips != nil }

// place returns the caller's place of sequence i.
func (b *Batch) place(i int) int {
	if b.Perm == nil {
		return i
	}
	return b.Perm[i]
}

// rows ranges over rows [lo,hi) of N with the step of each.
func (b *Batch) rows(lo, hi int) iter.Seq2[int, int] {
	return func(yield func(row, t int) bool) {
		t := 0
		for row := lo; row < hi; row++ {
			for row >= b.Off[t+1] {
				t++
			}
			if !yield(row, t) {
				return
			}
		}
	}
}

// Strided is a tensor of vectors by step and sequence: that of step t and the
// caller's sequence b starts at Data[t*Step+b*Seq].
type Strided[F any] struct {
	Data      []F
	Step, Seq int
}

// inOrder reports whether the vectors, of size elements, stand one after another in
// packed order, so that those of rows [lo,hi) are Data[lo*size:hi*size].
func (s Strided[F]) inOrder(b *Batch, size int) bool {
	return b.Perm == nil && b.N == b.T*b.B && (s.Seq == size || b.B == 1) && (s.Step == b.B*size || b.T == 1)
}

// vector returns the vector of size elements of a row in step t.
func (s Strided[F]) vector(b *Batch, row, t, size int) []F {
	at := t*s.Step + b.place(row-b.Off[t])*s.Seq
	return s.Data[at : at+size]
}
