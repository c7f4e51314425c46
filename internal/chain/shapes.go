package chain

import (
	"math"
	"slices"

	"github.com/unroll-ml/unroll/internal/graph"
)

func shapes() []function {
	rest := func(name string) param { return param{name: name, need: true, rest: true} }
	return []function{
		one("transpose", func(c *call, v *value) (*value, error) {
			a, err := c.dim(v, "dim0")
			if err != nil {
				return nil, err
			}
			b, err := c.dim(v, "dim1")
			if err != nil {
				return nil, err
			}
			perm := identityPerm(v.rank())
			perm[a], perm[b] = b, a
			return c.transposed(v, perm), nil
		}, need("dim0"), need("dim1")),
		one("permute", func(c *call, v *value) (*value, error) {
			perm, err := c.axes(v, "dims")
			if err != nil {
				return nil, err
			}
			if len(perm) != v.rank() {
				return nil, c.fail("permute to %s of an input of %d dimensions: %s", literal(c.args["dims"]), v.rank(), dims(v.dims))
			}
			return c.transposed(v, perm), nil
		}, rest("dims")),
		one("t", func(c *call, v *value) (*value, error) {
			if v.rank() != 2 {
				return nil, c.fail("t turns two dimensions around, its input has %d: %s", v.rank(), dims(v.dims))
			}
			return c.transposed(v, []int{1, 0}), nil
		}),
		one("reshape", reshape, rest("shape")),
		one("flatten", flatten, opt("start_dim", int64(0)), opt("end_dim", int64(-1))),
		one("unflatten", unflatten, need("dim"), rest("sizes")),
		one("squeeze", squeeze, param{name: "dim", rest: true}),
		one("unsqueeze", func(c *call, v *value) (*value, error) {
			d, err := c.int("dim")
			if err != nil {
				return nil, err
			}
			axis, err := c.axisOf(d, v.rank()+1)
			if err != nil {
				return nil, err
			}
			return c.unsqueezed(v, axis), nil
		}, need("dim")),
		one("select", func(c *call, v *value) (*value, error) {
			axis, err := c.dim(v, "dim")
			if err != nil {
				return nil, err
			}
			i, err := c.int("index")
			if err != nil {
				return nil, err
			}
			if n := v.dims[axis]; n >= 0 && (i >= n || i < -n) {
				return nil, c.fail("index %d of a dimension of size %d", i, n)
			}
			return c.picked(v, axis, int64(i)), nil
		}, need("dim"), need("index")),
		one("narrow", narrow, need("dim"), need("start"), need("length")),
		one("flip", func(c *call, v *value) (*value, error) {
			axes, err := c.axes(v, "dims")
			if err != nil {
				return nil, err
			}
			for _, a := range axes {
				v = c.shaped(v, v.dims, v.time, "Slice", nil, c.vector(-1), c.vector(math.MinInt64), c.vector(int64(a)), c.vector(-1))
			}
			return v, nil
		}, rest("dims")),
		one("pad", pad, need("pad"), opt("mode", "constant"), opt("value", nil)),
	}
}

func identityPerm(n int) []int {
	perm := make([]int, n)
	for i := range perm {
		perm[i] = i
	}
	return perm
}

// count is the product of sizes, -1 where one is not known.
func count(sizes []int) int {
	n := 1
	for _, d := range sizes {
		if d < 0 {
			return -1
		}
		if d > 0 && n > math.MaxInt32/d {
			return -1
		}
		n *= d
	}
	return n
}

// reshape to sizes, of which one may be -1.
func reshape(c *call, v *value) (*value, error) {
	list, err := c.wholes("shape")
	if err != nil {
		return nil, err
	}
	out, rest, known := make([]int, len(list)), -1, 1
	for i, d := range list {
		switch {
		case d == -1 && rest < 0:
			rest, out[i] = i, -1
			continue
		case d < 0:
			return nil, c.wrong("shape", "sizes, one of them perhaps -1")
		}
		out[i] = int(d)
		known = count([]int{known, int(d)})
	}
	have := count(v.dims)
	switch {
	case have < 0 || known < 0:
	case rest < 0 && have != known, rest >= 0 && (known == 0 || have%known != 0):
		return nil, c.fail("%s of %s, which has %d elements, to %s", c.what, dims(v.dims), have, literal(c.args["shape"]))
	case rest >= 0:
		out[rest] = have / known
	}
	return c.shaped(v, out, -1, "Reshape", graph.Attrs{"allowzero": int64(1)}, c.vector(list...)), nil
}

// flatten joins the dimensions from start to end.
func flatten(c *call, v *value) (*value, error) {
	if v.rank() == 0 {
		return c.shaped(v, []int{1}, -1, "Reshape", nil, c.vector(1)), nil
	}
	a, err := c.dim(v, "start_dim")
	if err != nil {
		return nil, err
	}
	b, err := c.dim(v, "end_dim")
	if err != nil {
		return nil, err
	}
	if b < a {
		return nil, c.fail("flatten from dim %d to %d", a, b)
	}
	joined := count(v.dims[a : b+1])
	out := slices.Concat(v.dims[:a], []int{joined}, v.dims[b+1:])
	time := v.time
	switch {
	case time > b:
		time -= b - a
	case time >= a && a < b:
		time = -1
	}
	return c.joined(v, a, b, out, time), nil
}

// joined reshapes so that axes a to b are one: those before are copied, those
// behind, where they are not known, are read when the program runs.
func (c *call) joined(v *value, a, b int, out []int, time int) *value {
	if a == b {
		return c.unary(v, "Identity", nil)
	}
	list := make([]int64, 0, len(out)) // 0 copies the size at that place
	for range a {
		list = append(list, 0)
	}
	list = append(list, -1)
	if b == v.rank()-1 {
		return c.shaped(v, out, time, "Reshape", nil, c.vector(list...))
	}
	behind := c.g.Op("Shape", graph.Attrs{"start": int64(b + 1)}, v.id)
	return c.shaped(v, out, time, "Reshape", nil, c.g.Op("Concat", graph.Attrs{"axis": int64(0)}, c.vector(list...), behind))
}

// unflatten makes several dimensions of one.
func unflatten(c *call, v *value) (*value, error) {
	axis, err := c.dim(v, "dim")
	if err != nil {
		return nil, err
	}
	list, err := c.wholes("sizes")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, c.wrong("sizes", "at least one size")
	}
	sizes, rest, known := make([]int, len(list)), -1, 1
	for i, d := range list {
		switch {
		case d == -1 && rest < 0:
			rest, sizes[i] = i, -1
			continue
		case d < 1:
			return nil, c.wrong("sizes", "sizes of at least 1, one of them perhaps -1")
		}
		sizes[i] = int(d)
		known = count([]int{known, int(d)})
	}
	if n := v.dims[axis]; n >= 0 && known > 0 {
		if rest < 0 && n != known || n%known != 0 {
			return nil, c.fail("unflatten of dim %d, which is %d, to %s", axis, n, literal(c.args["sizes"]))
		}
		if rest >= 0 {
			sizes[rest] = n / known
		}
	}
	out := slices.Concat(v.dims[:axis], sizes, v.dims[axis+1:])
	time := v.time
	switch {
	case time > axis:
		time += len(sizes) - 1
	case time == axis && len(sizes) > 1:
		time = -1
	}
	before := c.g.Op("Shape", graph.Attrs{"start": int64(0), "end": int64(axis)}, v.id)
	behind := c.g.Op("Shape", graph.Attrs{"start": int64(axis + 1)}, v.id)
	to := c.g.Op("Concat", graph.Attrs{"axis": int64(0)}, before, c.vector(list...), behind)
	return c.shaped(v, out, time, "Reshape", graph.Attrs{"allowzero": int64(1)}, to), nil
}

// squeeze takes away dimensions of size 1. One that is known to be another is
// left, as torch does; one that is not known is taken to be 1, and the run checks
// that it is.
func squeeze(c *call, v *value) (*value, error) {
	var axes []int
	if c.args["dim"] == nil {
		for i, d := range v.dims {
			if d < 0 {
				return nil, c.fail("squeeze without dim takes away what is 1, and the sizes are not known here: %s; say which, as in squeeze(%d)", dims(v.dims), i)
			}
			axes = append(axes, i)
		}
	} else {
		var err error
		if axes, err = c.axes(v, "dim"); err != nil {
			return nil, err
		}
	}
	slices.Sort(axes)
	slices.Reverse(axes)
	for _, a := range axes {
		if d := v.dims[a]; d == 1 || d < 0 {
			v = c.squeezed(v, a)
		}
	}
	return v, nil
}

func narrow(c *call, v *value) (*value, error) {
	axis, err := c.dim(v, "dim")
	if err != nil {
		return nil, err
	}
	start, err := c.int("start")
	if err != nil {
		return nil, err
	}
	n, err := c.int("length")
	if err != nil {
		return nil, err
	}
	have := v.dims[axis]
	if have >= 0 && (start < -have || start > have || start+n > have) || n < 0 {
		return nil, c.fail("narrow from %d over %d of a dimension of size %d", start, n, have)
	}
	end := int64(start + n)
	if start < 0 && end >= 0 {
		end = math.MaxInt64
	}
	out := c.sliced(v, axis, int64(start), end, 1)
	if out.dims[axis] < 0 {
		out.dims[axis] = n
	}
	return out, nil
}

// pad: two numbers for each dimension, from the last one on.
func pad(c *call, v *value) (*value, error) {
	list, err := c.wholes("pad")
	if err != nil {
		return nil, err
	}
	how, err := c.str("mode")
	if err != nil {
		return nil, err
	}
	mode, ok := map[string]string{"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[how]
	if !ok {
		return nil, c.wrong("mode", "'constant', 'reflect', 'replicate' or 'circular'")
	}
	if len(list)%2 != 0 || len(list) > 2*v.rank() {
		return nil, c.wrong("pad", "two numbers for each of the last dimensions")
	}
	if mode != "constant" && len(list) != 2*(v.rank()-2) && len(list) != 2*(v.rank()-1) {
		return nil, c.fail("pad: mode '%s' is of all dimensions but the first two, or but the first, as in torch; its input is %s", how, dims(v.dims))
	}
	r := v.rank()
	pads, out := make([]int64, 2*r), slices.Clone(v.dims)
	for i := 0; i < len(list); i += 2 {
		a := r - 1 - i/2
		pads[a], pads[r+a] = list[i], list[i+1]
		if out[a] >= 0 {
			if out[a] += int(list[i] + list[i+1]); out[a] < 0 {
				return nil, c.fail("pad of %s by %s leaves less than nothing", dims(v.dims), literal(c.args["pad"]))
			}
		}
	}
	inputs := []string{c.vector(pads...)}
	if c.args["value"] != nil {
		x, err := c.float("value")
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, c.scalar(v.typ, x))
	}
	return c.shaped(v, out, v.time, "Pad", graph.Attrs{"mode": mode}, inputs...), nil
}
