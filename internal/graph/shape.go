package graph

import (
	"math"
	"slices"
)

// Operators that look at shapes, or arrange elements anew.

func shapeRows() []row {
	return []row{
		{op: "Shape", min: 1, max: 1, attrs: []string{"start", "end"}, plan: planShape},
		{op: "Size", min: 1, max: 1, plan: func(c *call) (kernel, error) {
			return nil, c.value(0, Scalar(int64(c.in[0].n)), c.in[0].pure)
		}},
		{op: "Identity", min: 1, max: 1, plan: planIdentity, axes: broadcastAxes},
		{op: "Dropout", min: 1, max: 3, attrs: []string{"ratio", "seed"}, plan: planDropout, axes: broadcastAxes},
		{op: "Reshape", min: 2, max: 2, attrs: []string{"allowzero"}, plan: planReshape},
		{op: "Flatten", min: 1, max: 1, attrs: []string{"axis"}, plan: planFlatten},
		{op: "Squeeze", min: 1, max: 2, attrs: []string{"axes"}, plan: planSqueeze},
		{op: "Unsqueeze", min: 1, max: 2, attrs: []string{"axes"}, plan: planUnsqueeze},
		{op: "Transpose", min: 1, max: 1, attrs: []string{"perm"}, plan: planTranspose, axes: transposeAxes},
		{op: "Expand", min: 2, max: 2, plan: planExpand, axes: expandAxes},
		{op: "Tile", min: 2, max: 2, plan: planTile, axes: sizeKept},
		{op: "Concat", min: 1, max: -1, attrs: []string{"axis"}, plan: planConcat, axes: concatAxes},
		{op: "Split", min: 1, max: 2, attrs: []string{"axis", "split", "num_outputs"}, plan: planSplit, axes: otherAxes(0)},
		{op: "Slice", min: 1, max: 5, attrs: []string{"starts", "ends", "axes"}, plan: planSlice, axes: sliceAxes},
		{op: "Pad", min: 1, max: 4, attrs: []string{"mode", "pads", "value"}, plan: planPad, axes: padAxes},
		{op: "Constant", attrs: []string{"value", "value_float", "value_floats", "value_int", "value_ints"}, plan: planConstant},
		{op: "ConstantOfShape", min: 1, max: 1, attrs: []string{"value"}, plan: planConstantOfShape},
		{op: "Range", min: 3, max: 3, plan: planRange},
		{op: "EyeLike", min: 1, max: 1, attrs: []string{"dtype", "k"}, plan: planEyeLike},
		{op: "ReverseSequence", min: 2, max: 2, attrs: []string{"batch_axis", "time_axis"}, plan: planReverseSequence},
		{op: "DepthToSpace", min: 1, max: 1, attrs: []string{"blocksize", "mode"}, plan: planDepthToSpace, axes: firstAxis},
		{op: "SpaceToDepth", min: 1, max: 1, attrs: []string{"blocksize", "mode"}, plan: planSpaceToDepth, axes: firstAxis},
	}
}

func sizes(shape []int) Value {
	v := make([]int64, len(shape))
	for i, d := range shape {
		v[i] = int64(d)
	}
	return Vector(v...)
}

func planShape(c *call) (kernel, error) {
	shape := c.shape(0)
	rank := int64(len(shape))
	bound := func(i int64) int64 {
		if i < 0 {
			i += rank
		}
		return min(max(i, 0), rank)
	}
	lo, hi := bound(c.intAttr("start", 0)), bound(c.intAttr("end", math.MaxInt64))
	return nil, c.value(0, sizes(shape[lo:max(lo, hi)]), c.in[0].pure)
}

func planIdentity(c *call) (kernel, error) {
	if c.in[0].list != nil {
		return nil, c.become(0, c.in[0])
	}
	return nil, c.view(0, 0, c.shape(0)...)
}

// planDropout: a network that runs drops nothing.
func planDropout(c *call) (kernel, error) {
	if c.has(2) {
		training, err := c.needInts(2)
		if err != nil {
			return nil, err
		}
		if len(training) != 1 || training[0] != 0 {
			return nil, c.unsupported("in training mode")
		}
	}
	if err := c.view(0, 0, c.shape(0)...); err != nil || !c.wants(1) {
		return nil, err
	}
	return func(a *args) error {
		fill(data[bool](a.out[1]), true)
		return nil
	}, c.result(1, Bool, c.shape(0)...)
}

func planReshape(c *call) (kernel, error) {
	list, err := c.needInts(1)
	if err != nil {
		return nil, err
	}
	if len(c.shape(1)) != 1 {
		return nil, c.fail("its shape has shape %v, expected one dimension", c.shape(1))
	}
	zero := c.intAttr("allowzero", 0) != 0
	shape, rest, n := make([]int, len(list)), -1, 1
	for i, d := range list {
		switch {
		case d == -1 && rest < 0:
			rest = i
			shape[i] = 1
			continue
		case d == 0 && !zero:
			if i >= len(c.shape(0)) {
				return nil, c.fail("shape %v copies dimension %d of %v, which has none", list, i, c.shape(0))
			}
			shape[i] = c.shape(0)[i]
		case d < 0 || d > math.MaxInt32*int64(1<<16):
			return nil, c.fail("shape %v", list)
		default:
			shape[i] = int(d)
		}
		if shape[i] > 0 && n > math.MaxInt/shape[i] {
			return nil, c.fail("shape %v has more elements than an int counts", list)
		}
		n *= shape[i]
	}
	if rest >= 0 {
		if n == 0 || c.in[0].n%n != 0 {
			return nil, c.fail("shape %v does not divide the %d elements of %v", list, c.in[0].n, c.shape(0))
		}
		shape[rest] = c.in[0].n / n
	}
	return nil, c.view(0, 0, shape...)
}

func planFlatten(c *call) (kernel, error) {
	shape := c.shape(0)
	a := c.intAttr("axis", 1)
	if a < 0 {
		a += int64(len(shape))
	}
	if a < 0 || a > int64(len(shape)) {
		return nil, c.fail("axis %d of %d dimensions", a, len(shape))
	}
	return nil, c.view(0, 0, product(shape[:a]), product(shape[a:]))
}

func planSqueeze(c *call) (kernel, error) {
	list, err := c.intsOf("axes", 1)
	if err != nil {
		return nil, err
	}
	axes, err := c.axisList(list, len(c.shape(0)))
	if err != nil {
		return nil, err
	}
	shape := []int{}
	for i, d := range c.shape(0) {
		gone := slices.Contains(axes, i)
		if gone && d != 1 {
			return nil, c.fail("axis %d of %v is not 1", i, c.shape(0))
		}
		if !gone && (list != nil || d != 1) {
			shape = append(shape, d)
		}
	}
	return nil, c.view(0, 0, shape...)
}

func planUnsqueeze(c *call) (kernel, error) {
	list, err := c.intsOf("axes", 1)
	if err != nil {
		return nil, err
	}
	if len(list) > maxRank {
		return nil, c.fail("it adds %d axes", len(list))
	}
	rank := len(c.shape(0)) + len(list)
	axes, err := c.axisList(list, rank)
	if err != nil {
		return nil, err
	}
	shape, from := make([]int, rank), c.shape(0)
	for i := range shape {
		if slices.Contains(axes, i) {
			shape[i] = 1
			continue
		}
		shape[i], from = from[0], from[1:]
	}
	return nil, c.view(0, 0, shape...)
}

// perm returns the order of a Transpose.
func (c *call) perm() ([]int, error) {
	rank := len(c.shape(0))
	list := c.intsAttr("perm")
	if list == nil {
		for i := range rank {
			list = append(list, int64(rank-1-i))
		}
	}
	if len(list) != rank {
		return nil, c.fail("perm %v of %d dimensions", list, rank)
	}
	return c.axisList(list, rank)
}

func planTranspose(c *call) (kernel, error) {
	perm, err := c.perm()
	if err != nil {
		return nil, err
	}
	from := stridesOf(c.shape(0))
	shape, strides := make([]int, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		shape[i], strides[i] = c.shape(0)[p], from[p]
	}
	return c.planMove(0, shape, strides, 0)
}

func transposeAxes(c *call, in []int) ([]int, bool) {
	perm, err := c.perm()
	if in[0] < 0 || err != nil {
		return []int{-1}, err == nil
	}
	return []int{slices.Index(perm, in[0])}, true
}

// shapeInput reads a shape from an input.
func (c *call) shapeInput(i int) ([]int, error) {
	list, err := c.needInts(i)
	if err != nil {
		return nil, err
	}
	shape := make([]int, len(list))
	for k, d := range list {
		if d < 0 || d > math.MaxInt {
			return nil, c.fail("input %d is the shape %v", i, list)
		}
		shape[k] = int(d)
	}
	if len(shape) > maxRank {
		return nil, c.unsupported("a shape of %d dimensions; at most %d are run", len(shape), maxRank)
	}
	return shape, nil
}

func planExpand(c *call) (kernel, error) {
	to, err := c.shapeInput(1)
	if err != nil {
		return nil, err
	}
	shape, err := c.broadcast(c.shape(0), to)
	if err != nil {
		return nil, err
	}
	strides, from := make([]int, len(shape)), stridesOf(c.shape(0))
	for i := range shape {
		if at := i - len(shape) + len(from); at >= 0 && c.shape(0)[at] != 1 {
			strides[i] = from[at]
		}
	}
	return c.planMove(0, shape, strides, 0)
}

func planTile(c *call) (kernel, error) {
	repeats, err := c.shapeInput(1)
	if err != nil {
		return nil, err
	}
	from := c.shape(0)
	if len(repeats) != len(from) {
		return nil, c.fail("%d repeats for %d dimensions", len(repeats), len(from))
	}
	strides := stridesOf(from)
	shape := make([]int, len(from))
	var wide, steps []int // each dimension as repeats and itself
	for i, d := range from {
		if d > 0 && repeats[i] > math.MaxInt/d {
			return nil, c.fail("repeats %v of %v overflow", repeats, from)
		}
		shape[i] = d * repeats[i]
		wide, steps = append(wide, repeats[i], d), append(steps, 0, strides[i])
	}
	if err := c.result(0, c.typ(0), shape...); err != nil {
		return nil, err
	}
	return newMover(wide, steps, 0).kernel(c.typ(0), 0), nil
}

func planConcat(c *call) (kernel, error) {
	first := -1
	for i := range c.in {
		if !c.has(i) {
			return nil, c.fail("input %d is absent", i)
		}
	}
	rank := len(c.shape(0))
	if _, ok := c.Attrs["axis"]; !ok {
		return nil, c.fail("there is no axis")
	}
	axis, err := c.axis(c.intAttr("axis", 0), rank)
	if err != nil {
		return nil, err
	}
	if err := c.same(1); err != nil {
		return nil, err
	}
	total := 0
	for i := range c.in {
		s := c.shape(i)
		if len(s) != rank {
			return nil, c.fail("input %d has shape %v, input 0 %v", i, s, c.shape(0))
		}
		for d := range s {
			if d != axis && s[d] != c.shape(0)[d] {
				return nil, c.fail("input %d has shape %v, input 0 %v: they differ beside axis %d", i, s, c.shape(0), axis)
			}
		}
		if total > math.MaxInt-s[axis] {
			return nil, c.fail("the sizes along axis %d overflow", axis)
		}
		total += s[axis]
		if s[axis] > 0 && first < 0 {
			first = i
		}
	}
	if first >= 0 && c.shape(first)[axis] == total {
		return nil, c.view(0, first, c.shape(first)...)
	}
	if err := c.result(0, c.typ(0), withDim(c.shape(0), axis, total)...); err != nil {
		return nil, err
	}
	outer, inner := product(c.shape(0)[:axis]), product(c.shape(0)[axis+1:])*c.typ(0).size()
	runs := make([]int, len(c.in))
	for i := range c.in {
		runs[i] = c.shape(i)[axis] * inner
	}
	return func(a *args) error {
		concatenate(a.out[0].bytes(), total*inner, a.in, runs, outer)
		return nil
	}, nil
}

func planSplit(c *call) (kernel, error) {
	shape := c.shape(0)
	axis, err := c.axis(c.intAttr("axis", 0), len(shape))
	if err != nil {
		return nil, err
	}
	list, err := c.intsOf("split", 1)
	if err != nil {
		return nil, err
	}
	n := shape[axis]
	if list == nil {
		k := int64(len(c.Outputs))
		if num := c.intAttr("num_outputs", k); num != k {
			return nil, c.fail("num_outputs is %d, it has %d", num, k)
		}
		each := (n + int(k) - 1) / int(k)
		for i := range int(k) {
			list = append(list, int64(max(0, min(each, n-i*each))))
		}
	}
	if len(list) < len(c.Outputs) {
		return nil, c.fail("%d sizes for %d outputs", len(list), len(c.Outputs))
	}
	total := int64(0)
	for _, d := range list {
		if d < 0 || d > int64(n)-total {
			return nil, c.fail("sizes %v of axis %d, which has %d", list, axis, n)
		}
		total += d
	}
	if total != int64(n) {
		return nil, c.fail("sizes %v of axis %d, which has %d", list, axis, n)
	}
	for i := range c.Outputs {
		if err := c.result(i, c.typ(0), withDim(shape, axis, int(list[i]))...); err != nil {
			return nil, err
		}
	}
	outer, inner := product(shape[:axis]), product(shape[axis+1:])*c.typ(0).size()
	return func(a *args) error {
		src, at := a.in[0].bytes(), 0
		for i, out := range a.out {
			run := int(list[i]) * inner
			dst := out.bytes()
			for o := range outer {
				copy(dst[o*run:(o+1)*run], src[o*n*inner+at:])
			}
			at += run
		}
		return nil
	}, nil
}

// ranges returns the ranges of a Slice for each dimension: first element, number
// and step.
func (c *call) ranges() (first, count, step []int, err error) {
	shape := c.shape(0)
	rank := len(shape)
	var lists [4][]int64
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		if lists[i], err = c.intsOf(name, 1+i); err != nil {
			return nil, nil, nil, err
		}
	}
	starts, ends := lists[0], lists[1]
	if len(starts) != len(ends) || len(starts) > rank {
		return nil, nil, nil, c.fail("%d starts and %d ends for %d dimensions", len(starts), len(ends), rank)
	}
	if lists[2] == nil {
		for i := range starts {
			lists[2] = append(lists[2], int64(i))
		}
	}
	axes, err := c.axisList(lists[2], rank)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(axes) != len(starts) || lists[3] != nil && len(lists[3]) != len(starts) {
		return nil, nil, nil, c.fail("%d starts, %d axes and %d steps", len(starts), len(axes), len(lists[3]))
	}
	first, step = make([]int, rank), make([]int, rank)
	count = slices.Clone(shape)
	for i := range step {
		step[i] = 1
	}
	for k, a := range axes {
		by, n := int64(1), int64(shape[a])
		if lists[3] != nil {
			by = lists[3][k]
		}
		if by == 0 {
			return nil, nil, nil, c.fail("a step is 0")
		}
		from, to := starts[k], ends[k]
		if by < 0 && (to == math.MaxInt32 || to == math.MaxInt64) {
			to = math.MinInt64 // "to the end" backwards too, as ONNX Runtime takes it
		}
		if from < 0 {
			from = max(from, -n-1) + n
		}
		if to < 0 {
			to = max(to, -n-1) + n
		}
		if by > 0 {
			from, to, by = min(max(from, 0), n), min(max(to, 0), n), min(by, n+1)
			count[a] = int(max(0, (to-from+by-1)/by))
		} else {
			from, to, by = min(max(from, 0), n-1), min(max(to, -1), n-1), max(by, -n-1)
			count[a] = int(max(0, (from-to-by-1)/-by))
		}
		if from == to {
			count[a] = 0
		}
		first[a], step[a] = int(from), int(by)
	}
	return first, count, step, nil
}

func planSlice(c *call) (kernel, error) {
	first, count, step, err := c.ranges()
	if err != nil {
		return nil, err
	}
	strides, base := stridesOf(c.shape(0)), 0
	for i := range strides {
		base += first[i] * strides[i]
		strides[i] *= step[i]
	}
	if product(count) == 0 {
		base = 0
	}
	return c.planMove(0, count, strides, base)
}

// planConstant gives the attribute.
func planConstant(c *call) (kernel, error) {
	for name, a := range c.Attrs {
		var v Value
		switch a := a.(type) {
		case Value:
			v = a
		case float32:
			v = Scalar(a)
		case int64:
			v = Scalar(a)
		case int:
			v = Scalar(int64(a))
		case []float32:
			v = Vector(a...)
		case []int64:
			v = Vector(a...)
		default:
			return nil, c.unsupported("of attribute %q", name)
		}
		return nil, c.value(0, v, true)
	}
	return nil, c.fail("it has no value")
}

func planConstantOfShape(c *call) (kernel, error) {
	shape, err := c.shapeInput(0)
	if err != nil {
		return nil, err
	}
	v, ok := attr[Value](c, "value")
	if !ok {
		v = Vector(float32(0))
	}
	if v.n != 1 {
		return nil, c.fail("its value has shape %v, expected one element", v.Shape)
	}
	strides := make([]int, len(shape))
	m := newMover(shape, strides, 0)
	if err := c.result(0, v.Type, shape...); err != nil {
		return nil, err
	}
	switch v.Type.size() {
	case 8:
		return filling[int64](m, v), nil
	case 4:
		return filling[int32](m, v), nil
	}
	return filling[uint8](m, v), nil
}

func filling[T int64 | int32 | uint8](_ *mover, v Value) kernel {
	return func(a *args) error {
		fill(rawData[T](a.out[0]), rawData[T](&v)[0])
		return nil
	}
}

// planRange needs its numbers when it is planned.
func planRange(c *call) (kernel, error) {
	if err := c.same(1); err != nil {
		return nil, err
	}
	var v [3]float64
	for i := range v {
		x, err := c.needFloat(i)
		if err != nil {
			return nil, err
		}
		v[i] = x
	}
	count := math.Ceil((v[1] - v[0]) / v[2])
	if v[2] == 0 || count != count || count > 1<<53 {
		return nil, c.fail("from %g to %g by %g has no count of steps", v[0], v[1], v[2])
	}
	n := int(max(count, 0))
	if err := c.result(0, c.typ(0), n); err != nil {
		return nil, err
	}
	switch c.typ(0) {
	case F32:
		return ramp[float32](), nil
	case F64:
		return ramp[float64](), nil
	case I64:
		return ramp[int64](), nil
	case I32:
		return ramp[int32](), nil
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

func ramp[T number]() kernel {
	return func(a *args) error {
		x, by := data[T](a.in[0])[0], data[T](a.in[2])[0]
		dst := data[T](a.out[0])
		for i := range dst {
			step := T(i) * by
			dst[i] = x + T(step)
		}
		return nil
	}
}

func planEyeLike(c *call) (kernel, error) {
	shape := c.shape(0)
	t, ok := onnxTypes[c.intAttr("dtype", 0)]
	if !ok {
		t = c.typ(0)
	}
	if len(shape) != 2 {
		return nil, c.fail("its input has shape %v, expected two dimensions", shape)
	}
	one := must(New(t, 1))
	convert(&one, ptr(Vector(int64(1))))
	k, size := c.intAttr("k", 0), t.size()
	return func(a *args) error {
		out := a.out[0].bytes()
		clear(out)
		for r := range shape[0] {
			if col := int64(r) + k; col >= 0 && col < int64(shape[1]) {
				copy(out[(r*shape[1]+int(col))*size:], one.bytes())
			}
		}
		return nil
	}, c.result(0, t, shape...)
}

func ptr(v Value) *Value { return &v }

func planReverseSequence(c *call) (kernel, error) {
	shape := c.shape(0)
	batch, time := c.intAttr("batch_axis", 1), c.intAttr("time_axis", 0)
	if len(shape) < 2 || batch+time != 1 || batch*time != 0 {
		return nil, c.fail("batch axis %d and time axis %d of %v, expected 0 and 1", batch, time, shape)
	}
	if err := c.is(1, I64); err != nil {
		return nil, err
	}
	B, T := shape[batch], shape[time]
	if c.in[1].n != B {
		return nil, c.fail("%d lengths for %d sequences", c.in[1].n, B)
	}
	size := product(shape[2:]) * c.typ(0).size()
	at := func(b, t int) int {
		if time == 0 {
			return (t*B + b) * size
		}
		return (b*T + t) * size
	}
	return func(a *args) error {
		src, dst := a.in[0].bytes(), a.out[0].bytes()
		for b, n := range data[int64](a.in[1]) {
			if n < 0 || n > int64(T) {
				return c.fail("length %d of %d steps", n, T)
			}
			for t := range T {
				from := t
				if t < int(n) {
					from = int(n) - 1 - t
				}
				copy(dst[at(b, t):at(b, t)+size], src[at(b, from):])
			}
		}
		return nil
	}, c.result(0, c.typ(0), shape...)
}

func planDepthToSpace(c *call) (kernel, error) {
	s, b := c.shape(0), int(c.intAttr("blocksize", 0))
	if len(s) != 4 || b < 1 || b > 1<<15 || s[1]%(b*b) != 0 {
		return nil, c.fail("blocks of %d in %v", b, s)
	}
	k := stridesOf(s)
	d := s[1] / (b * b)
	block, depth := [2]int{b * d * k[1], d * k[1]}, k[1] // DCR: [b,b,d]
	if c.strAttr("mode", "DCR") == "CRD" {
		block, depth = [2]int{b * k[1], k[1]}, b*b*k[1]
	}
	wide := []int{s[0], d, s[2], b, s[3], b}
	if err := c.result(0, c.typ(0), s[0], d, s[2]*b, s[3]*b); err != nil {
		return nil, err
	}
	return newMover(wide, []int{k[0], depth, k[2], block[0], k[3], block[1]}, 0).kernel(c.typ(0), 0), nil
}

func planSpaceToDepth(c *call) (kernel, error) {
	s, b := c.shape(0), int(c.intAttr("blocksize", 0))
	if len(s) != 4 || b < 1 || b > 1<<15 || s[2]%b != 0 || s[3]%b != 0 {
		return nil, c.fail("blocks of %d in %v", b, s)
	}
	k := stridesOf(s)
	wide, steps := []int{s[0], b, b, s[1], s[2] / b, s[3] / b}, []int{k[0], k[2], k[3], k[1], b * k[2], b * k[3]}
	if c.strAttr("mode", "DCR") == "CRD" {
		wide, steps = []int{s[0], s[1], b, b, s[2] / b, s[3] / b}, []int{k[0], k[1], k[2], k[3], b * k[2], b * k[3]}
	}
	if err := c.result(0, c.typ(0), s[0], s[1]*b*b, s[2]/b, s[3]/b); err != nil {
		return nil, err
	}
	return newMover(wide, steps, 0).kernel(c.typ(0), 0), nil
}
