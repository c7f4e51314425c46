package graph

import (
	"math"
	"slices"

	"github.com/unroll-ml/unroll/internal/fmath"
)

// Poolings: over the places of a window in index order.

func poolRows() []row {
	attrs := append([]string{"ceil_mode", "storage_order", "count_include_pad", "p"}, windowAttrs...)
	return []row{
		{op: "MaxPool", min: 1, max: 1, attrs: attrs, plan: planMaxPool, axes: maxPoolAxes},
		{op: "AveragePool", min: 1, max: 1, attrs: attrs, plan: planAveragePool, axes: firstAxis},
		{op: "LpPool", min: 1, max: 1, attrs: attrs, plan: planLpPool, axes: firstAxis},
		{op: "GlobalLpPool", min: 1, max: 1, attrs: []string{"p"}, plan: expanded(func(c *call, e *expander) error {
			shape := c.shape(0)
			if len(shape) < 3 {
				return c.fail("a value %v has no axes to pool", shape)
			}
			flat := e.reshape(c.in[0], shape[0], shape[1], 1, product(shape[2:]))
			y := e.op("LpPool", Attrs{"kernel_shape": []int64{1, int64(product(shape[2:]))}, "p": c.intAttr("p", 2)}, flat)
			return e.give(e.reshape(y, append(slices.Clone(shape[:2]), slices.Repeat([]int{1}, len(shape)-2)...)...))
		})},
		{op: "GlobalAveragePool", min: 1, max: 1, plan: globalPool(meanOf[float32], meanOf[float64]), axes: firstAxis},
		{op: "GlobalMaxPool", min: 1, max: 1, plan: globalPool(extreme(maxOf1[float32]), extreme(maxOf1[float64])), axes: firstAxis},
	}
}

// maxPoolAxes: where the maxima lay is counted over the whole input.
func maxPoolAxes(c *call, in []int) ([]int, bool) {
	if c.wants(1) {
		return nil, false
	}
	return firstAxis(c, in)
}

func globalPool(f32 reducer[float32], f64 reducer[float64]) func(*call) (kernel, error) {
	return func(c *call) (kernel, error) {
		shape := c.shape(0)
		if len(shape) < 3 {
			return nil, c.fail("its input has shape %v, expected [N,C,...]", shape)
		}
		axes := make([]int, 0, len(shape)-2)
		for i := 2; i < len(shape); i++ {
			axes = append(axes, i)
		}
		switch c.typ(0) {
		case F32:
			return planReduce(c, axes, true, f32)
		case F64:
			return planReduce(c, axes, true, f64)
		}
		return nil, c.unsupported("of %s", c.typ(0))
	}
}

// pool reads a pooling's window and makes output 0.
func (c *call) pool() (*window, *slide, error) {
	x := c.shape(0)
	if len(x) < 3 {
		return nil, nil, c.fail("its input has shape %v, expected [N,C,...]", x)
	}
	ceil := c.intAttr("ceil_mode", 0) != 0
	s, err := c.slide(x[2:], nil, ceil, false)
	if err != nil {
		return nil, nil, err
	}
	out, err := c.outputs(s, x[2:], ceil)
	if err != nil {
		return nil, nil, err
	}
	if err := c.result(0, c.typ(0), append([]int{x[0], x[1]}, out...)...); err != nil {
		return nil, nil, err
	}
	w, err := c.window(s, x[2:], out)
	if err == nil {
		c.work = macs(x[0], x[1], w.positions(), w.taps())
	}
	return w, s, err
}

func planMaxPool(c *call) (kernel, error) {
	w, _, err := c.pool()
	if err != nil {
		return nil, err
	}
	byColumn := c.intAttr("storage_order", 0) != 0
	if c.wants(1) {
		if err := c.result(1, I64, c.out[0].shape...); err != nil {
			return nil, err
		}
	}
	if byColumn && c.wants(1) && w.rank != 2 {
		return nil, c.unsupported("storage_order 1 with %d spatial axes", w.rank)
	}
	switch c.typ(0) {
	case F32:
		if !c.wants(1) {
			if w.in[0] == 1 && w.kernel[0] == 1 && w.out[0] == 1 {
				c.last = lastOnly(maxPoolLast(w, c.shape(0)[0], c.shape(0)[1]))
			}
			return maxPool32(c, w)
		}
		return maxPool[float32](w, byColumn), nil
	case F64:
		return maxPool[float64](w, byColumn), nil
	case I8:
		return maxPool[int8](w, byColumn), nil
	case U8:
		return maxPool[uint8](w, byColumn), nil
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

// each calls f with where, in a plane, each place of position p's window lies
// that is inside.
func (w *window) each(p int, f func(at int)) {
	ow, oh, od := p%w.out[2], p/w.out[2]%w.out[1], p/(w.out[2]*w.out[1])
	for kd := range w.kernel[0] {
		d := w.from[0][kd*w.out[0]+od]
		if d < 0 {
			continue
		}
		for kh := range w.kernel[1] {
			h := w.from[1][kh*w.out[1]+oh]
			if h < 0 {
				continue
			}
			for kw := range w.kernel[2] {
				if x := w.from[2][kw*w.out[2]+ow]; x >= 0 {
					f((d*w.in[1]+h)*w.in[2] + x)
				}
			}
		}
	}
}

// lines calls f, for each line of the output and each tap of the window that
// meets the input, with the line of the input and where each place of the output's
// line comes from in it; taps come in index order.
func lines[T Element](w *window, dst, plane []T, f func(dst, line []T, from []int)) {
	n := w.out[2]
	for o := range w.out[0] * w.out[1] {
		od, oh := o/w.out[1], o%w.out[1]
		to := dst[o*n : (o+1)*n]
		for kd := range w.kernel[0] {
			d := w.from[0][kd*w.out[0]+od]
			if d < 0 {
				continue
			}
			for kh := range w.kernel[1] {
				h := w.from[1][kh*w.out[1]+oh]
				if h < 0 {
					continue
				}
				line := plane[(d*w.in[1]+h)*w.in[2]:][:w.in[2]]
				for kw := range w.kernel[2] {
					f(to, line, w.from[2][kw*n:(kw+1)*n])
				}
			}
		}
	}
}

func maxLine[T number](dst, line []T, from []int) {
	from = from[:len(dst)]
	for i, at := range from {
		if at >= 0 {
			if v := line[at]; !(v <= dst[i]) && dst[i] == dst[i] {
				dst[i] = v
			}
		}
	}
}

// maxPool32 is maxPool of float32 without places. Maxima are taken in index order:
// it says which of two zeros stays. What a place of the window sees is brought
// together for a whole plane, so that no branch depends on data: what is larger is
// as good as random.
func maxPool32(c *call, w *window) (kernel, error) {
	p, plane, step := w.positions(), w.plane(), w.lineStep()
	if err := c.memory(F32, p); err != nil {
		return nil, err
	}
	return func(a *args) error {
		x, dst, seen := data[float32](a.in[0]), data[float32](a.out[0]), data[float32](a.scratch[0])
		for i := range len(dst) / p {
			best, from := dst[i*p:(i+1)*p], x[i*plane:(i+1)*plane]
			if step > 0 { // the places of a kernel of one column are whole lines
				moveRows(best, from, w.out[1], w.out[2], step)
				for kh := 1; kh < w.kernel[1]; kh++ {
					largerRows(best, from[kh*w.in[2]:], w.out[1], w.out[2], step)
				}
				continue
			}
			w.see(best, from, 0)
			for tap := 1; tap < w.taps(); tap++ {
				w.see(seen, from, tap)
				largerTo(best, seen)
			}
		}
		return nil
	}, nil
}

// lineStep returns how far the lines of an input lie apart that a kernel of one
// column goes over; 0 where it has more, is dilated, or reaches outside.
func (w *window) lineStep() int {
	if w.kernel[0] != 1 || w.kernel[2] != 1 || w.in[0] != 1 || w.out[2] != w.in[2] || w.out[1] < 1 || w.out[2] < 1 {
		return 0
	}
	step := w.kernel[1]
	if w.out[1] > 1 {
		step = w.from[1][1] - w.from[1][0]
	}
	for kh := range w.kernel[1] {
		for o := range w.out[1] {
			if w.from[1][kh*w.out[1]+o] != o*step+kh {
				return 0
			}
		}
	}
	for o, at := range w.from[2] {
		if o != at {
			return 0
		}
	}
	return step * w.in[2]
}

// moveRows copies m rows of n numbers that lie step apart.
func moveRows(dst, x []float32, m, n, step int) {
	for r := range m {
		copy(dst[r*n:(r+1)*n], x[r*step:])
	}
}

// see writes what a place of the window sees of a plane at each position, negative
// infinity outside.
func (w *window) see(dst, plane []float32, tap int) {
	kd, kh, kw := tap/(w.kernel[1]*w.kernel[2]), tap/w.kernel[2]%w.kernel[1], tap%w.kernel[2]
	n := w.out[2]
	from := w.from[2][kw*n : (kw+1)*n]
	lo, hi := 0, n // what lies inside
	for lo < hi && from[lo] < 0 {
		lo++
	}
	for hi > lo && from[hi-1] < 0 {
		hi--
	}
	outside := float32(math.Inf(-1))
	for o := range w.out[0] * w.out[1] {
		to := dst[o*n : (o+1)*n]
		d, h := w.from[0][kd*w.out[0]+o/w.out[1]], w.from[1][kh*w.out[1]+o%w.out[1]]
		if d < 0 || h < 0 || lo == hi {
			fill(to, outside)
			continue
		}
		fill(to[:lo], outside)
		fill(to[hi:], outside)
		line := plane[(d*w.in[1]+h)*w.in[2]:][:w.in[2]][from[lo]:]
		if w.steady || hi-lo == 1 {
			copy(to[lo:hi], line)
		} else {
			gather(to[lo:hi], line, from[lo+1]-from[lo])
		}
	}
}

// gather takes every step-th element.
func gather(dst, x []float32, step int) {
	for i, at := 0, 0; i < len(dst) && at < len(x); i, at = i+1, at+step {
		dst[i] = x[at]
	}
}

func addLine[T number](dst, line []T, from []int) {
	from = from[:len(dst)]
	for i, at := range from {
		if at >= 0 {
			dst[i] += line[at]
		}
	}
}

func maxPool[T number](w *window, byColumn bool) kernel {
	p, plane := w.positions(), w.plane()
	return func(a *args) error {
		x, dst := data[T](a.in[0]), data[T](a.out[0])
		var where []int64
		if len(a.out) > 1 && a.out[1] != nil {
			where = data[int64](a.out[1])
		}
		if where == nil {
			fill(dst, lowest[T]())
			for i := range len(dst) / p {
				lines(w, dst[i*p:(i+1)*p], x[i*plane:(i+1)*plane], maxLine[T])
			}
			return nil
		}
		for i := range dst {
			part, best := x[i/p*plane:(i/p+1)*plane], -1
			w.each(i%p, func(at int) {
				if v := part[at]; best < 0 || v > part[best] || v != v && part[best] == part[best] {
					best = at
				}
			})
			if best < 0 {
				dst[i] = lowest[T]()
				continue
			}
			dst[i] = part[best]
			if byColumn {
				best = best%w.in[2]*w.in[1] + best/w.in[2]
			}
			where[i] = int64(i/p*plane + best)
		}
		return nil
	}
}

// lowest stands for the maximum of a window that lies in the padding.
func lowest[T number]() T {
	var v any
	switch any(T(0)).(type) {
	case float32:
		v = float32(math.Inf(-1))
	case float64:
		v = math.Inf(-1)
	case int8:
		v = int8(math.MinInt8)
	case uint8:
		v = uint8(0)
	case int32:
		v = int32(math.MinInt32)
	default:
		v = int64(math.MinInt64)
	}
	return v.(T)
}

func planAveragePool(c *call) (kernel, error) {
	w, s, err := c.pool()
	if err != nil {
		return nil, err
	}
	// What a sum is divided by: the places inside, or with count_include_pad those
	// in the padding too, but not those beyond it that ceil_mode adds.
	padded := c.intAttr("count_include_pad", 0) != 0
	counts := make([]int, w.positions())
	for p := range counts {
		w.each(p, func(int) { counts[p]++ })
	}
	if padded {
		over := s.within(w)
		for p := range counts {
			ow, oh, od := p%w.out[2], p/w.out[2]%w.out[1], p/(w.out[2]*w.out[1])
			counts[p] = over[0][od] * over[1][oh] * over[2][ow]
		}
	}
	switch c.typ(0) {
	case F32:
		return averagePool[float32](w, counts), nil
	case F64:
		return averagePool[float64](w, counts), nil
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

// within counts, for each axis and output, the places of the window that lie in
// the input or its padding.
func (s *slide) within(w *window) (over [3][]int) {
	lead := 3 - w.rank
	for a := range 3 {
		over[a] = make([]int, w.out[a])
		for o := range w.out[a] {
			if a < lead {
				over[a][o] = 1
				continue
			}
			i := a - lead
			for k := range s.kernel[i] {
				if at := o*s.stride[i] - s.before[i] + k*s.dilation[i]; at < w.in[a]+s.after[i] {
					over[a][o]++
				}
			}
		}
	}
	return over
}

func averagePool[T float](w *window, counts []int) kernel {
	p, plane := w.positions(), w.plane()
	return func(a *args) error {
		x, dst := data[T](a.in[0]), data[T](a.out[0])
		clear(dst)
		for i := range len(dst) / p {
			lines(w, dst[i*p:(i+1)*p], x[i*plane:(i+1)*plane], addLine[T])
			for j, n := range counts {
				dst[i*p+j] /= T(n)
			}
		}
		return nil
	}
}

// planLpPool: the p-th root of the sum of p-th powers.
func planLpPool(c *call) (kernel, error) {
	w, _, err := c.pool()
	if err != nil {
		return nil, err
	}
	power := c.intAttr("p", 2)
	if power < 1 || power > 1000 {
		return nil, c.fail("p is %d", power)
	}
	if err := c.is(0, F32); err != nil {
		return nil, err
	}
	p, plane := w.positions(), w.plane()
	return func(a *args) error {
		x, dst := data[float32](a.in[0]), data[float32](a.out[0])
		for i := range dst {
			part := x[i/p*plane : (i/p+1)*plane]
			var sum float64
			w.each(i%p, func(at int) { sum += fmath.Pow(math.Abs(float64(part[at])), float64(power)) })
			dst[i] = float32(fmath.Pow(sum, 1/float64(power)))
		}
		return nil
	}, nil
}
