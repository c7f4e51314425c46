package graph

import (
	"cmp"
	"slices"
)

// planUnique: how many different ones there are only the data shows, so they are found
// when it is planned.
func planUnique(c *call) (kernel, error) {
	v, err := c.need(0)
	if err != nil {
		return nil, err
	}
	shape, outer, n, inner := []int{v.n}, 1, v.n, 1
	axis := 0
	if a, ok := attr[int64](c, "axis"); ok {
		if axis, err = c.axis(a, len(v.Shape)); err != nil {
			return nil, err
		}
		shape = v.Shape
		outer, n, inner = product(shape[:axis]), shape[axis], product(shape[axis+1:])
	}
	var order func(i, k int) int
	switch v.Type {
	case F32:
		order = ordering(data[float32](v), outer, n, inner)
	case F64:
		order = ordering(data[float64](v), outer, n, inner)
	case I64:
		order = ordering(data[int64](v), outer, n, inner)
	case I32:
		order = ordering(data[int32](v), outer, n, inner)
	case I8:
		order = ordering(data[int8](v), outer, n, inner)
	default:
		order = ordering(rawData[uint8](v), outer, n, inner)
	}
	first, inverse, counts := different(n, order, c.intAttr("sorted", 1) != 0)
	out := must(New(v.Type, withDim(shape, axis, len(first))...))
	size := inner * v.Type.size()
	from, to := v.bytes(), out.bytes()
	for o := range outer {
		for i, at := range first {
			copy(to[(o*len(first)+i)*size:][:size], from[(o*n+int(at))*size:])
		}
	}
	for i, list := range []Value{out, Vector(first...), Vector(inverse...), Vector(counts...)} {
		if err := c.value(i, list, c.in[0].pure); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// ordering compares slices i and k of the axis of n.
func ordering[T number](x []T, outer, n, inner int) func(i, k int) int {
	return func(i, k int) int {
		for o := range outer {
			a, b := x[(o*n+i)*inner:][:inner], x[(o*n+k)*inner:][:inner]
			if c := slices.Compare(a, b); c != 0 {
				return c
			}
		}
		return 0
	}
}

// different returns of n items the first of each kind, to which kind each belongs, and
// how many a kind has: kinds in their order, or as they come.
func different(n int, order func(i, k int) int, inOrder bool) (first, inverse, counts []int64) {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	slices.SortStableFunc(items, order)
	inverse = make([]int64, n)
	for i, at := range items {
		if i == 0 || order(items[i-1], at) != 0 {
			first, counts = append(first, int64(at)), append(counts, 0)
		}
		inverse[at] = int64(len(first) - 1)
		counts[len(counts)-1]++
	}
	if inOrder {
		return first, inverse, counts
	}
	by := make([]int, len(first))
	for i := range by {
		by[i] = i
	}
	slices.SortFunc(by, func(i, k int) int { return cmp.Compare(first[i], first[k]) })
	place := make([]int64, len(by))
	at, many := make([]int64, len(by)), make([]int64, len(by))
	for i, k := range by {
		place[k], at[i], many[i] = int64(i), first[k], counts[k]
	}
	for i, k := range inverse {
		inverse[i] = place[k]
	}
	return at, inverse, many
}
