package scan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// drawBatch draws sizes that do not rise, resets and masks.
func drawBatch(r *rand.Rand) *Batch {
	b := &Batch{T: 1 + r.IntN(7), B: 1 + r.IntN(4)}
	n := b.B
	for t := range b.T {
		if t > 0 {
			n -= r.IntN(2)
		}
		b.Sizes = append(b.Sizes, max(n, 1))
		n = max(n, 1)
	}
	rows := 0
	for _, n := range b.Sizes {
		rows += n
	}
	flags := func() []bool {
		f := make([]bool, rows)
		for i := range f {
			f[i] = r.IntN(3) == 0
		}
		return f
	}
	if r.IntN(2) == 0 {
		b.Resets = flags()
	}
	if r.IntN(2) == 0 {
		b.Skips = flags()
	}
	return b
}

// The marks of rows are what walking each sequence by itself says: whether the
// state before a step is the one it started from, the initial one, or that of
// the step before, and whether the step is masked.
func TestMarksAreTheWalkOfEachSequence(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		b := drawBatch(r)
		b.prepare([2]bool{true, true})
		for way := range 2 {
			special := make([]bool, b.T)
			for i := range b.B {
				length := 0
				for length < b.T && b.Sizes[length] > i {
					length++
				}
				from := atStart // what the state comes from; 0: the step before
				for k := range length {
					at, bound := k, k
					if way == backwards {
						at = length - 1 - k
						bound = at + 1
					}
					row := b.Off[at] + i
					if b.Resets != nil && bound < b.T && i < b.Sizes[bound] && b.Resets[b.Off[bound]+i] {
						from = atInitial
					}
					want, skip := from, b.Skips != nil && b.Skips[row]
					if skip {
						want |= masked
					} else {
						from = 0
					}
					if got := b.at(way, at, i); got != want && (b.Resets != nil || b.Skips != nil) {
						t.Fatalf("%+v, way %d, step %d of sequence %d: mark %b, want %b", b, way, at, i, got, want)
					}
					if got, want := b.anew(way, at, i), want&(atStart|atInitial) != 0; got != want {
						t.Fatalf("%+v, way %d, step %d of sequence %d begins anew: %v, want %v", b, way, at, i, got, want)
					}
					special[at] = special[at] || want&(atInitial|masked) != 0 || want&atStart != 0 && k > 0
				}
			}
			for at, want := range special {
				if b.anywhere() && b.marked(way, at) != want {
					t.Fatalf("%+v, way %d: step %d is marked %v, want %v", b, way, at, b.marked(way, at), want)
				}
			}
		}
	}
}

// rows ranges over rows with the step of each, from any row on.
func TestRowsKnowTheirSteps(t *testing.T) {
	b := &Batch{T: 4, B: 3, Sizes: []int{3, 2, 2, 1}}
	b.prepare([2]bool{true, false})
	steps := []int{0, 0, 0, 1, 1, 2, 2, 3}
	for lo := range 8 {
		for hi := lo; hi <= 8; hi++ {
			var got []int
			for row, step := range b.rows(lo, hi) {
				if row != lo+len(got) {
					t.Fatalf("row %d after %v", row, got)
				}
				got = append(got, step)
			}
			if !slices.Equal(got, steps[lo:hi]) {
				t.Errorf("rows %d to %d have steps %v, want %v", lo, hi, got, steps[lo:hi])
			}
		}
	}
	if n := testing.AllocsPerRun(10, func() {
		for row := range b.rows(0, 8) {
			_ = row
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A vector of a strided tensor is that of the caller's sequence, whatever the
// order of the packed ones.
func TestVectorsFollowTheOrderOfTheCaller(t *testing.T) {
	b := &Batch{T: 2, B: 3, Sizes: []int{3, 3}, Perm: []int{2, 0, 1}}
	b.prepare([2]bool{true, false})
	x := Strided[float32]{Data: make([]float32, 12), Step: 2, Seq: 4} // [B,T,2]
	for i := range x.Data {
		x.Data[i] = float32(i)
	}
	var got []float32
	for row, step := range b.rows(0, 6) {
		got = append(got, x.vector(b, row, step, 2)...)
	}
	if want := "[8 9 0 1 4 5 10 11 2 3 6 7]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
