package unroll

import "math/bits"

// fallingLengths orders the places in order so that lengths fall, equal lengths as
// torch.sort(lengths, descending=True) leaves them, which pack_padded_sequence
// calls: to which sequences dropout masks go depends on it. That sort is not
// stable from 17 elements on. It is std::sort of the C++ library that PyTorch is
// built with, libstdc++: Musser's introsort ("Introspective sorting and selection
// algorithms", 1997) with the median of three, pieces of at most 16 left to an
// insertion sort at the end, and a heap sort where the pieces do not shrink.
// testdata/order.json has what PyTorch 2.15 gives.
func fallingLengths(order, lengths []int) {
	s := lengthOrder{order, lengths}
	n := len(order)
	if n < 2 {
		return
	}
	s.intro(0, n, 2*(bits.Len(uint(n))-1))
	s.insertion(0, min(n, sortPiece))
	for i := sortPiece; i < n; i++ {
		s.insert(i)
	}
}

// sortPiece is the length of what insertion sort is left with.
const sortPiece = 16

type lengthOrder struct{ order, lengths []int }

// before compares two places: a longer sequence comes first.
func (s lengthOrder) before(a, b int) bool { return s.lengths[a] > s.lengths[b] }

func (s lengthOrder) at(i, j int) bool { return s.before(s.order[i], s.order[j]) }

func (s lengthOrder) swap(i, j int) { s.order[i], s.order[j] = s.order[j], s.order[i] }

// intro partitions [first,last) until pieces are short, the right one first.
func (s lengthOrder) intro(first, last, depth int) {
	for last-first > sortPiece {
		if depth == 0 {
			s.heap(s.order[first:last])
			return
		}
		depth--
		cut := s.partition(first, last)
		s.intro(cut, last, depth)
		last = cut
	}
}

// partition puts the median of three at first and returns where the elements
// that are not before it begin.
func (s lengthOrder) partition(first, last int) int {
	s.median(first, first+1, first+(last-first)/2, last-1)
	pivot := first
	for lo, hi := first+1, last; ; lo++ {
		for s.at(lo, pivot) {
			lo++
		}
		for hi--; s.at(pivot, hi); {
			hi--
		}
		if lo >= hi {
			return lo
		}
		s.swap(lo, hi)
	}
}

// median exchanges the element at to with the median of those at a, b and c.
func (s lengthOrder) median(to, a, b, c int) {
	switch {
	case s.at(a, b) && s.at(b, c):
		s.swap(to, b)
	case s.at(a, b) && s.at(a, c):
		s.swap(to, c)
	case s.at(a, b):
		s.swap(to, a)
	case s.at(a, c):
		s.swap(to, a)
	case s.at(b, c):
		s.swap(to, c)
	default:
		s.swap(to, b)
	}
}

func (s lengthOrder) insertion(first, last int) {
	for i := first + 1; i < last; i++ {
		if v := s.order[i]; s.before(v, s.order[first]) {
			copy(s.order[first+1:i+1], s.order[first:i])
			s.order[first] = v
			continue
		}
		s.insert(i)
	}
}

// insert moves the element at i down to those that are not behind it; there is
// one.
func (s lengthOrder) insert(i int) {
	v := s.order[i]
	for ; s.before(v, s.order[i-1]); i-- {
		s.order[i] = s.order[i-1]
	}
	s.order[i] = v
}

// heap is the heap sort of std::partial_sort over a whole range.
func (s lengthOrder) heap(h []int) {
	for i := (len(h) - 2) / 2; i >= 0; i-- {
		s.sift(h, i, h[i])
	}
	for n := len(h) - 1; n > 0; n-- {
		v := h[n]
		h[n] = h[0]
		s.sift(h[:n], 0, v)
	}
}

// sift lets a hole at top sink to the bottom of a heap and v rise from there.
func (s lengthOrder) sift(h []int, top, v int) {
	hole, n := top, len(h)
	child := top
	for child < (n-1)/2 {
		child = 2 * (child + 1)
		if s.before(h[child], h[child-1]) {
			child--
		}
		h[hole] = h[child]
		hole = child
	}
	if n%2 == 0 && child == (n-2)/2 {
		child = 2 * (child + 1)
		h[hole] = h[child-1]
		hole = child - 1
	}
	for parent := (hole - 1) / 2; hole > top && s.before(h[parent], v); parent = (hole - 1) / 2 {
		h[hole] = h[parent]
		hole = parent
	}
	h[hole] = v
}
