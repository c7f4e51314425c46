package graph

import "slices"

// mover copies elements that lie by strides into a contiguous output.
type mover struct {
	dims, strides []int
	base          int // where the first element lies
}

// newMover makes the loops over an output of that shape, whose step along
// dimension i is strides[i] elements of the input, as few as there can be.
func newMover(out, strides []int, base int) *mover {
	m := &mover{base: base}
	for i, n := range out {
		if n == 1 {
			continue
		}
		if k := len(m.dims) - 1; k >= 0 && m.strides[k] == strides[i]*n {
			m.dims[k] *= n
			m.strides[k] = strides[i]
			continue
		}
		m.dims, m.strides = append(m.dims, n), append(m.strides, strides[i])
	}
	if len(m.dims) == 0 {
		m.dims, m.strides = []int{1}, []int{1}
	}
	return m
}

// plain reports whether the output is the input's elements as they stand.
func (m *mover) plain(n int) bool {
	return m.base == 0 && len(m.dims) == 1 && (m.strides[0] == 1 || m.dims[0] == 1) && m.dims[0] == n
}

// kernel returns what moves input in to output 0, elements of type t.
func (m *mover) kernel(t Type, in int) kernel {
	switch t.size() {
	case 8:
		return moving[int64](m, in)
	case 4:
		return moving[int32](m, in)
	}
	return moving[uint8](m, in)
}

// moving moves elements as integers of their size.
func moving[T int64 | int32 | uint8](m *mover, in int) kernel {
	return func(a *args) error {
		move(m, rawData[T](a.out[0]), rawData[T](a.in[in]))
		return nil
	}
}

func move[T Element](m *mover, dst, src []T) {
	last := len(m.dims) - 1
	n, s := m.dims[last], m.strides[last]
	var index [2 * maxRank]int
	at := m.base
	for d := 0; d < len(dst); d += n {
		run := dst[d : d+n]
		switch s {
		case 1:
			copy(run, src[at:at+n])
		case 0:
			fill(run, src[at])
		default:
			for i, k := 0, at; i < n; i, k = i+1, k+s {
				run[i] = src[k]
			}
		}
		for i := last - 1; i >= 0; i-- {
			index[i]++
			at += m.strides[i]
			if index[i] < m.dims[i] {
				break
			}
			index[i] = 0
			at -= m.strides[i] * m.dims[i]
		}
	}
}

// planMove makes output 0, of that shape, of input in's elements by strides; a
// view, where nothing moves.
func (c *call) planMove(in int, shape, strides []int, base int) (kernel, error) {
	m := newMover(shape, strides, base)
	if n := c.in[in].n; product(shape) == n && (n == 0 || m.plain(n)) {
		return nil, c.view(0, in, shape...)
	}
	return m.kernel(c.typ(in), in), c.result(0, c.typ(in), shape...)
}

// join copies parts beside each other along an axis: part i has a run of
// runs[i] bytes, one after another in each of outer rows.
func concatenate(dst []byte, row int, parts []*Value, runs []int, outer int) {
	at := 0
	for i, p := range parts {
		n := runs[i]
		src := p.bytes()
		for o := range outer {
			copy(dst[o*row+at:o*row+at+n], src[o*n:])
		}
		at += n
	}
}

// withDim returns a copy of shape with dimension i replaced.
func withDim(shape []int, i, n int) []int {
	s := slices.Clone(shape)
	s[i] = n
	return s
}
