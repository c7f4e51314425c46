package graph

import "slices"

// alignment of values in a frame: a cache line.
const alignment = 64

// place gives every value of the plan its offset in a frame: a value's memory is
// free for others after the last step that reads it, through a view too.
func (pn *plan) place(pl *planner) error {
	for _, o := range pn.values {
		o.first, o.last = -1, -1
	}
	use := func(o *operand, i int) {
		if o != nil && o.known == nil {
			o.base().last = i
		}
	}
	for i, s := range pn.steps {
		for _, list := range [][]*operand{s.in, s.out, s.scratch} {
			for _, o := range list {
				use(o, i)
			}
		}
		for _, list := range [][]*operand{s.out, s.scratch} {
			for _, o := range list {
				if o != nil && o.base().first < 0 {
					o.base().first = i
				}
			}
		}
	}
	for _, o := range pn.outputs {
		use(o, len(pn.steps))
	}
	ends := make([][]*operand, len(pn.steps)+1)
	for _, o := range pn.values {
		if o.root == nil && o.input == 0 && o.first >= 0 {
			ends[o.last] = append(ends[o.last], o)
		}
	}
	var h heap
	for i, s := range pn.steps {
		for _, list := range [][]*operand{s.out, s.scratch} {
			for _, o := range list {
				if o != nil && o.root == nil && o.known == nil && o.first == i {
					o.offset = int(h.take(o.bytes()))
				}
			}
		}
		if h.size+pl.bytes > pl.p.limits.Memory {
			return at(s.n.Node, limitError("bytes or more for all values together", h.size+pl.bytes, pl.p.limits.Memory, "Memory"))
		}
		for _, o := range ends[i] {
			h.give(int64(o.offset), o.bytes())
		}
	}
	pn.arena = h.size
	return nil
}

// bytes returns an operand's memory, rounded up to the alignment.
func (o *operand) bytes() int64 {
	return (int64(o.n)*int64(o.typ.size()) + alignment - 1) / alignment * alignment
}

// heap deals out ranges of one memory.
type heap struct {
	size int64
	free []span // by offset, none beside another
}

type span struct{ at, n int64 }

// take returns the offset of n bytes: the smallest range that holds them, or the
// end.
func (h *heap) take(n int64) int64 {
	if n == 0 {
		return 0
	}
	best := -1
	for i, s := range h.free {
		if s.n >= n && (best < 0 || s.n < h.free[best].n) {
			best = i
		}
	}
	if best < 0 {
		at := h.size
		if k := len(h.free); k > 0 && h.free[k-1].at+h.free[k-1].n == h.size {
			at = h.free[k-1].at
			h.free = h.free[:k-1]
		}
		h.size = at + n
		return at
	}
	s := &h.free[best]
	at := s.at
	s.at, s.n = s.at+n, s.n-n
	if s.n == 0 {
		h.free = slices.Delete(h.free, best, best+1)
	}
	return at
}

// give returns a range that take gave.
func (h *heap) give(at, n int64) {
	if n == 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(h.free, at, func(s span, at int64) int {
		switch {
		case s.at < at:
			return -1
		case s.at > at:
			return 1
		}
		return 0
	})
	h.free = slices.Insert(h.free, i, span{at, n})
	if i+1 < len(h.free) && at+n == h.free[i+1].at {
		h.free[i].n += h.free[i+1].n
		h.free = slices.Delete(h.free, i+1, i+2)
	}
	if i > 0 && h.free[i-1].at+h.free[i-1].n == at {
		h.free[i-1].n += h.free[i].n
		h.free = slices.Delete(h.free, i, i+1)
	}
}
