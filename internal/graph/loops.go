package graph

import "slices"

// broadcast returns the shape that shapes are brought to by numpy's rule: aligned
// at their last dimensions, a size of 1 meets any other.
func (c *call) broadcast(shapes ...[]int) ([]int, error) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	out := make([]int, rank)
	for i := range out {
		out[i] = 1
		for _, s := range shapes {
			d := 1
			if at := i - rank + len(s); at >= 0 {
				d = s[at]
			}
			switch {
			case d == out[i] || d == 1:
			case out[i] == 1:
				out[i] = d
			default:
				return nil, c.fail("shapes %v cannot be brought to one: sizes %d and %d meet", shapes, out[i], d)
			}
		}
	}
	return out, nil
}

// loops walks the elements of an output together with those of up to three
// operands, each with a stride for every dimension: as few nested loops as the
// strides allow, the innermost of them a run in which an operand's elements stand
// beside each other, or are one and the same.
type loops struct {
	dims    []int // outer loops
	run     int   // elements of the inner one
	strides [3][]int
	inner   [3]int // 1, or 0: one element for the whole run
}

// newLoops returns the loops of an output of that shape over operands that are
// broadcast to it.
func newLoops(out []int, operands ...[]int) *loops {
	strides := make([][]int, len(operands))
	for k, s := range operands {
		strides[k] = make([]int, len(out))
		step := 1
		for i := len(out) - 1; i >= 0; i-- {
			at := i - len(out) + len(s)
			if at < 0 {
				break
			}
			if s[at] != 1 {
				strides[k][i] = step
			}
			step *= s[at]
		}
	}
	return stridedLoops(out, strides)
}

// stridedLoops is newLoops for operands given by their strides. The last
// dimension's are 0 or 1 where the run is to be longer than one element.
func stridedLoops(out []int, strides [][]int) *loops {
	l := &loops{run: 1}
	var dims []int
	s := make([][]int, len(strides))
	for i, n := range out {
		if n == 1 {
			continue
		}
		// A dimension joins the one before if it goes on where that one steps.
		if k := len(dims) - 1; k >= 0 {
			joins := true
			for j := range strides {
				joins = joins && s[j][k] == strides[j][i]*n
			}
			if joins {
				dims[k] *= n
				for j := range strides {
					s[j][k] = strides[j][i]
				}
				continue
			}
		}
		dims = append(dims, n)
		for j := range strides {
			s[j] = append(s[j], strides[j][i])
		}
	}
	k := len(dims) - 1
	inner := k >= 0
	for j := range strides {
		inner = inner && s[j][k] <= 1
	}
	if inner {
		l.run, dims = dims[k], dims[:k]
		for j := range strides {
			l.inner[j] = s[j][k]
		}
	}
	l.dims = dims
	for j := range strides {
		l.strides[j] = s[j][:len(dims)]
	}
	return l
}

// count returns how many runs there are.
func (l *loops) count() int {
	n := 1
	for _, d := range l.dims {
		n *= d
	}
	return n
}

// cursor is a place in loops: how far the operands have come.
type cursor struct {
	at    [3]int
	index [maxRank]int
}

// next moves to the next run.
func (l *loops) next(c *cursor) {
	for i := len(l.dims) - 1; i >= 0; i-- {
		c.index[i]++
		for j := range c.at {
			if l.strides[j] != nil {
				c.at[j] += l.strides[j][i]
			}
		}
		if c.index[i] < l.dims[i] {
			return
		}
		c.index[i] = 0
		for j := range c.at {
			if l.strides[j] != nil {
				c.at[j] -= l.strides[j][i] * l.dims[i]
			}
		}
	}
}

// slice returns operand j's part of the current run: one element or the run.
func part[T Element](l *loops, c *cursor, j int, x []T) []T {
	if l.inner[j] == 0 {
		return x[c.at[j] : c.at[j]+1]
	}
	return x[c.at[j] : c.at[j]+l.run]
}

// stridesOf returns the row-major strides of a shape.
func stridesOf(shape []int) []int {
	s := make([]int, len(shape))
	step := 1
	for i, n := range slices.Backward(shape) {
		s[i] = step
		step *= n
	}
	return s
}

// product returns the number of elements of dimensions.
func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
