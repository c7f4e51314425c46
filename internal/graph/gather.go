package graph

import (
	"fmt"
	"math"
	"slices"
)

// Operators whose indices are data.

func gatherRows() []row {
	scatter := []string{"axis", "reduction"}
	return []row{
		{op: "Gather", min: 2, max: 2, attrs: []string{"axis"}, plan: planGather, axes: gatherAxes},
		{op: "GatherElements", min: 2, max: 2, attrs: []string{"axis"}, plan: planGatherElements},
		{op: "GatherND", min: 2, max: 2, attrs: []string{"batch_dims"}, plan: planGatherND, axes: gatherNDAxes},
		{op: "ScatterND", min: 3, max: 3, attrs: []string{"reduction"}, plan: planScatterND},
		{op: "ScatterElements", min: 3, max: 3, attrs: scatter, plan: planScatterElements},
		{op: "Scatter", min: 3, max: 3, attrs: scatter, plan: planScatterElements},
		{op: "OneHot", min: 3, max: 3, attrs: []string{"axis"}, plan: planOneHot},
		{op: "TopK", min: 1, max: 2, attrs: []string{"axis", "largest", "sorted", "k"}, plan: planTopK, axes: otherAxes(-1)},
		{op: "NonZero", min: 1, max: 1, plan: planNonZero},
		{op: "Unique", since: 11, min: 1, max: 1, attrs: []string{"axis", "sorted"}, plan: planUnique},
		{op: "CumSum", min: 2, max: 2, attrs: []string{"exclusive", "reverse"}, plan: planCumSum, axes: cumSumAxes},
		{op: "Compress", min: 2, max: 2, attrs: []string{"axis"}, plan: expanded(planCompress)},
		{op: "Trilu", min: 1, max: 2, attrs: []string{"upper"}, plan: planTrilu},
	}
}

// index reads element i of an input of int64 or int32.
func index(v *Value, i int) int64 {
	if v.Type == I64 {
		return data[int64](v)[i]
	}
	return int64(data[int32](v)[i])
}

// within brings an index of -n..n-1 to 0..n-1.
func within(k int64, n int) (int, error) {
	if k < -int64(n) || k >= int64(n) {
		return 0, fmt.Errorf("index %d of %d, expected %d to %d", k, n, -n, n-1)
	}
	if k < 0 {
		k += int64(n)
	}
	return int(k), nil
}

func planGather(c *call) (kernel, error) {
	shape := c.shape(0)
	axis, err := c.axis(c.intAttr("axis", 0), len(shape))
	if err != nil {
		return nil, err
	}
	if err := c.is(1, I64, I32); err != nil {
		return nil, err
	}
	strict := c.pl.p.graph.FromZero && c.known(1) == nil
	n, k := shape[axis], c.in[1].n
	outer, run := product(shape[:axis]), product(shape[axis+1:])*c.typ(0).size()
	out := slices.Concat(shape[:axis], c.shape(1), shape[axis+1:])
	return func(a *args) error {
		dst, src := a.out[0].bytes(), a.in[0].bytes()
		for i := range k {
			at, err := within(index(a.in[1], i), n)
			if strict && index(a.in[1], i) < 0 {
				err = fmt.Errorf("index %d of %d, expected 0 to %d", index(a.in[1], i), n, n-1)
			}
			if err != nil {
				return err
			}
			for o := range outer {
				copy(dst[(o*k+i)*run:(o*k+i+1)*run], src[(o*n+at)*run:])
			}
		}
		return nil
	}, c.result(0, c.typ(0), out...)
}

func planGatherElements(c *call) (kernel, error) {
	shape, to := c.shape(0), c.shape(1)
	axis, err := c.axis(c.intAttr("axis", 0), len(shape))
	if err != nil {
		return nil, err
	}
	if err := c.is(1, I64, I32); err != nil {
		return nil, err
	}
	if err := c.elementsFit(axis, shape, to); err != nil {
		return nil, err
	}
	strides, size := stridesOf(shape), c.typ(0).size()
	return func(a *args) error {
		dst, src := a.out[0].bytes(), a.in[0].bytes()
		for i := range a.in[1].n {
			at, err := elementAt(a.in[1], i, to, strides, axis, shape[axis])
			if err != nil {
				return err
			}
			copy(dst[i*size:(i+1)*size], src[at*size:])
		}
		return nil
	}, c.result(0, c.typ(0), to...)
}

func (c *call) elementsFit(axis int, shape, to []int) error {
	if len(shape) != len(to) {
		return c.fail("indices of shape %v for %v", to, shape)
	}
	for d := range to {
		if d != axis && to[d] > shape[d] {
			return c.fail("indices of shape %v for %v", to, shape)
		}
	}
	return nil
}

// elementAt is where index i of an array of indices of shape to points, along
// axis of an array with those strides.
func elementAt(v *Value, i int, to, strides []int, axis, n int) (int, error) {
	k, err := within(index(v, i), n)
	at := k * strides[axis]
	for d := len(to) - 1; d >= 0; d-- {
		if d != axis {
			at += i % to[d] * strides[d]
		}
		i /= to[d]
	}
	return at, err
}

// planScatterElements writes single elements over a copy of its input.
func planScatterElements(c *call) (kernel, error) {
	shape, to := c.shape(0), c.shape(1)
	axis, err := c.axis(c.intAttr("axis", 0), len(shape))
	if err != nil {
		return nil, err
	}
	if err := c.is(1, I64, I32); err != nil {
		return nil, err
	}
	if err := c.elementsFit(axis, shape, to); err != nil {
		return nil, err
	}
	if !slices.Equal(to, c.shape(2)) || c.typ(2) != c.typ(0) {
		return nil, c.fail("updates are %s %v, indices %v", c.typ(2), c.shape(2), to)
	}
	put, err := c.reduction()
	if err != nil {
		return nil, err
	}
	strides := stridesOf(shape)
	return func(a *args) error {
		a.out[0].copyFrom(a.in[0])
		for i := range a.in[1].n {
			at, err := elementAt(a.in[1], i, to, strides, axis, shape[axis])
			if err != nil {
				return err
			}
			put(a.out[0], a.in[2], at, i, 1)
		}
		return nil
	}, c.result(0, c.typ(0), shape...)
}

// reduction returns what puts n elements of src into dst: a copy, a sum or their
// like.
func (c *call) reduction() (func(dst, src *Value, to, from, n int), error) {
	how := c.strAttr("reduction", "none")
	if how == "none" {
		size := c.typ(0).size()
		return func(dst, src *Value, to, from, n int) {
			copy(dst.bytes()[to*size:(to+n)*size], src.bytes()[from*size:])
		}, nil
	}
	switch c.typ(0) {
	case F32:
		return combining[float32](c, how)
	case F64:
		return combining[float64](c, how)
	case I64:
		return combining[int64](c, how)
	case I32:
		return combining[int32](c, how)
	}
	return nil, c.unsupported("reduction %q of %s", how, c.typ(0))
}

func combining[T number](c *call, how string) (func(dst, src *Value, to, from, n int), error) {
	f, ok := map[string]pairwise[T, T]{"add": add[T], "mul": mul[T], "max": maxOf[T], "min": minOf[T]}[how]
	if !ok {
		return nil, c.unsupported("reduction %q", how)
	}
	return func(dst, src *Value, to, from, n int) {
		d := data[T](dst)[to : to+n]
		_ = f(d, d, data[T](src)[from:from+n])
	}, nil
}

// tuples says how indices of GatherND and ScatterND point: the last dimension
// has k coordinates, each tuple names a run of elements.
type tuples struct {
	k, run  int
	dims    []int // of the coordinates
	strides []int
}

func (c *call) tuples(shape, indices []int) (*tuples, error) {
	if len(indices) == 0 || indices[len(indices)-1] > len(shape) {
		return nil, c.fail("indices of shape %v for %v", indices, shape)
	}
	if err := c.is(1, I64, I32); err != nil {
		return nil, err
	}
	k := indices[len(indices)-1]
	return &tuples{k: k, run: product(shape[k:]), dims: shape[:k], strides: stridesOf(shape)[:k]}, nil
}

// at is where tuple i points.
func (t *tuples) at(v *Value, i int) (int, error) {
	at := 0
	for d := range t.k {
		x, err := within(index(v, i*t.k+d), t.dims[d])
		if err != nil {
			return 0, err
		}
		at += x * t.strides[d]
	}
	return at, nil
}

func planGatherND(c *call) (kernel, error) {
	shape, indices := c.shape(0), c.shape(1)
	b := int(c.intAttr("batch_dims", 0))
	if b < 0 || b >= len(indices) || b > len(shape) || !slices.Equal(shape[:b], indices[:b]) {
		return nil, c.fail("%d batch dimensions of %v and %v", b, shape, indices)
	}
	t, err := c.tuples(shape[b:], indices[b:])
	if err != nil {
		return nil, err
	}
	batches, size := product(shape[:b]), c.typ(0).size()
	each, stride := product(indices[b:len(indices)-1]), product(shape[b:])
	out := slices.Concat(indices[:len(indices)-1], shape[b+t.k:])
	return func(a *args) error {
		dst, src := a.out[0].bytes(), a.in[0].bytes()
		for i := range batches * each {
			at, err := t.at(a.in[1], i)
			if err != nil {
				return err
			}
			at += i / each * stride
			copy(dst[i*t.run*size:(i+1)*t.run*size], src[at*size:])
		}
		return nil
	}, c.result(0, c.typ(0), out...)
}

func planScatterND(c *call) (kernel, error) {
	shape, indices := c.shape(0), c.shape(1)
	t, err := c.tuples(shape, indices)
	if err != nil {
		return nil, err
	}
	want := slices.Concat(indices[:len(indices)-1], shape[t.k:])
	if !slices.Equal(want, c.shape(2)) || c.typ(2) != c.typ(0) {
		return nil, c.fail("updates are %s %v, expected %s %v", c.typ(2), c.shape(2), c.typ(0), want)
	}
	put, err := c.reduction()
	if err != nil {
		return nil, err
	}
	n := product(indices[:len(indices)-1])
	return func(a *args) error {
		a.out[0].copyFrom(a.in[0])
		for i := range n {
			at, err := t.at(a.in[1], i)
			if err != nil {
				return err
			}
			put(a.out[0], a.in[2], at, i*t.run, t.run)
		}
		return nil
	}, c.result(0, c.typ(0), shape...)
}

func planOneHot(c *call) (kernel, error) {
	depth, err := c.needFloat(1)
	if err != nil {
		return nil, err
	}
	if depth < 0 || depth > math.MaxInt32 {
		return nil, c.fail("depth %g", depth)
	}
	if c.in[2].n != 2 {
		return nil, c.fail("values of shape %v, expected off and on", c.shape(2))
	}
	shape := c.shape(0)
	axis, err := c.axis(c.intAttr("axis", -1), len(shape)+1)
	if err != nil {
		return nil, err
	}
	n, size, inner := int(depth), c.typ(2).size(), product(shape[axis:])
	if err := c.memory(I64, c.in[0].n); err != nil {
		return nil, err
	}
	return func(a *args) error {
		convert(a.scratch[0], a.in[0])
		dst, values := a.out[0].bytes(), a.in[2].bytes()
		for i := range a.out[0].n {
			copy(dst[i*size:(i+1)*size], values[:size])
		}
		for i, k := range data[int64](a.scratch[0]) {
			if k < 0 {
				k += int64(n)
			}
			if k >= 0 && k < int64(n) {
				at := (i/inner*n+int(k))*inner + i%inner
				copy(dst[at*size:(at+1)*size], values[size:])
			}
		}
		return nil
	}, c.result(0, c.typ(2), slices.Insert(slices.Clone(shape), axis, n)...)
}

// planTopK gives the k largest or smallest, sorted, of equal ones the first.
func planTopK(c *call) (kernel, error) {
	shape := c.shape(0)
	axis, err := c.axis(c.intAttr("axis", -1), len(shape))
	if err != nil {
		return nil, err
	}
	list := []int64{c.intAttr("k", 0)}
	if c.has(1) {
		if list, err = c.needInts(1); err != nil {
			return nil, err
		}
	}
	if len(list) != 1 || list[0] < 0 || list[0] > int64(shape[axis]) {
		return nil, c.fail("k is %v of %d", list, shape[axis])
	}
	k, n, inner := int(list[0]), shape[axis], product(shape[axis+1:])
	largest := c.intAttr("largest", 1) != 0
	out := withDim(shape, axis, k)
	if err := c.result(0, c.typ(0), out...); err != nil {
		return nil, err
	}
	if err := c.result(1, I64, out...); err != nil {
		return nil, err
	}
	if err := c.memory(I64, n); err != nil {
		return nil, err
	}
	switch c.typ(0) {
	case F32:
		return topK[float32](k, n, inner, largest), nil
	case F64:
		return topK[float64](k, n, inner, largest), nil
	case I64:
		return topK[int64](k, n, inner, largest), nil
	case I32:
		return topK[int32](k, n, inner, largest), nil
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

func topK[T number](k, n, inner int, largest bool) kernel {
	return func(a *args) error {
		x, order := data[T](a.in[0]), data[int64](a.scratch[0])
		values, indices := data[T](a.out[0]), data[int64](a.out[1])
		for o := range a.in[0].n / n {
			base := o/inner*n*inner + o%inner
			for i := range order {
				order[i] = int64(i)
			}
			slices.SortFunc(order, func(i, j int64) int {
				p, q := x[base+int(i)*inner], x[base+int(j)*inner]
				switch {
				case p == q || p != p && q != q:
					return int(i - j)
				case q != q || p == p && p > q:
					if (q != q) == (!largest) || q == q && largest {
						return -1
					}
					return 1
				}
				if (p != p) == (!largest) && p != p || p == p && !largest {
					return -1
				}
				return 1
			})
			to := o/inner*k*inner + o%inner
			for i := range k {
				values[to+i*inner], indices[to+i*inner] = x[base+int(order[i])*inner], order[i]
			}
		}
		return nil
	}
}

// planNonZero: how many there are only the data shows, so it is computed when
// planned.
func planNonZero(c *call) (kernel, error) {
	v, err := c.need(0)
	if err != nil {
		return nil, err
	}
	truth := must(New(Bool, v.Shape...))
	convert(&truth, v)
	var at []int
	for i, x := range data[bool](&truth) {
		if x {
			at = append(at, i)
		}
	}
	rank := len(v.Shape)
	out := must(New(I64, max(rank, 0), len(at)))
	strides := stridesOf(v.Shape)
	for k, i := range at {
		for d := range rank {
			data[int64](&out)[d*len(at)+k] = int64(i / strides[d] % v.Shape[d])
		}
	}
	return nil, c.value(0, out, c.in[0].pure)
}

func planCumSum(c *call) (kernel, error) {
	list, err := c.needInts(1)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, c.fail("axis %v", list)
	}
	axis, err := c.axis(list[0], len(c.shape(0)))
	if err != nil {
		return nil, err
	}
	if err := c.result(0, c.typ(0), c.shape(0)...); err != nil {
		return nil, err
	}
	n, inner := c.shape(0)[axis], product(c.shape(0)[axis+1:])
	exclusive, reverse := c.intAttr("exclusive", 0) != 0, c.intAttr("reverse", 0) != 0
	switch c.typ(0) {
	case F32:
		return cumSum[float32](n, inner, exclusive, reverse), nil
	case F64:
		return cumSum[float64](n, inner, exclusive, reverse), nil
	case I64:
		return cumSum[int64](n, inner, exclusive, reverse), nil
	case I32:
		return cumSum[int32](n, inner, exclusive, reverse), nil
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

func cumSum[T number](n, inner int, exclusive, reverse bool) kernel {
	return func(a *args) error {
		x, dst := data[T](a.in[0]), data[T](a.out[0])
		for o := range len(x) / n {
			at, step := o/inner*n*inner+o%inner, inner
			if reverse {
				at, step = at+(n-1)*inner, -inner
			}
			var sum T
			for range n {
				v := x[at]
				if exclusive {
					dst[at] = sum
				}
				sum += v
				if !exclusive {
					dst[at] = sum
				}
				at += step
			}
		}
		return nil
	}
}

func planTrilu(c *call) (kernel, error) {
	shape := c.shape(0)
	if len(shape) < 2 {
		return nil, c.fail("its input has shape %v, expected two dimensions or more", shape)
	}
	k := int64(0)
	if c.has(1) {
		list, err := c.needInts(1)
		if err != nil {
			return nil, err
		}
		if len(list) != 1 {
			return nil, c.fail("k is %v", list)
		}
		k = list[0]
	}
	rows, cols, size := shape[len(shape)-2], shape[len(shape)-1], c.typ(0).size()
	upper := c.intAttr("upper", 1) != 0
	return func(a *args) error {
		a.out[0].copyFrom(a.in[0])
		out := a.out[0].bytes()
		for i := range a.out[0].n {
			above := int64(i%cols) - int64(i/cols%rows)
			if upper && above < k || !upper && above > k {
				clear(out[i*size : (i+1)*size])
			}
		}
		return nil
	}, c.result(0, c.typ(0), shape...)
}

// planCompress takes the elements along an axis, or of all, where a condition holds.
func planCompress(c *call, e *expander) error {
	condition, err := c.needInts(1)
	if err != nil {
		return err
	}
	x, axis, n := c.in[0], 0, c.in[0].n
	if _, ok := c.Attrs["axis"]; ok {
		if axis, err = c.axis(c.intAttr("axis", 0), len(c.shape(0))); err != nil {
			return err
		}
		n = c.shape(0)[axis]
	} else {
		x = e.reshape(x, n)
	}
	var taken []int64
	for i, yes := range condition[:min(n, len(condition))] {
		if yes != 0 {
			taken = append(taken, int64(i))
		}
	}
	return e.give(e.op("Gather", Attrs{"axis": int64(axis)}, x, e.ints(taken...)))
}
