package graph

import (
	"math"
	"slices"

	"github.com/unroll-ml/unroll/internal/fmath"
)

// Softmax and normalisations: sums in index order.

func normRows() []row {
	softmax := func(op string, since int64, flat bool, f32 func(*softmaxer, *args) error, f64 func(*softmaxer, *args) error) row {
		axes := otherAxes(-1)
		if flat {
			axes = leadingAxes(1)
		}
		return row{op: op, since: since, min: 1, max: 1, attrs: []string{"axis"}, plan: func(c *call) (kernel, error) {
			return planSoftmax(c, flat, f32, f64)
		}, axes: axes}
	}
	return []row{
		softmax("Softmax", 1, true, softmaxes[float32], softmaxes[float64]),
		softmax("Softmax", 13, false, softmaxes[float32], softmaxes[float64]),
		softmax("LogSoftmax", 1, true, logSoftmaxes[float32], logSoftmaxes[float64]),
		softmax("LogSoftmax", 13, false, logSoftmaxes[float32], logSoftmaxes[float64]),
		softmax("Hardmax", 1, true, hardmaxes[float32], hardmaxes[float64]),
		softmax("Hardmax", 13, false, hardmaxes[float32], hardmaxes[float64]),
		{op: "BatchNormalization", min: 5, max: 5, attrs: []string{"epsilon", "momentum", "spatial", "training_mode"}, plan: planBatchNorm, axes: channelAxes},
		{op: "LayerNormalization", min: 2, max: 3, attrs: []string{"axis", "epsilon", "stash_type"}, plan: planLayerNorm, axes: leadingAxes(-1)},
		{op: "RMSNormalization", min: 2, max: 2, attrs: []string{"axis", "epsilon", "stash_type"}, plan: planRMSNorm, axes: leadingAxes(-1)},
		{op: "InstanceNormalization", min: 3, max: 3, attrs: []string{"epsilon"}, plan: planInstanceNorm, axes: firstAxis},
		{op: "GroupNormalization", since: 18, min: 3, max: 3, attrs: []string{"epsilon", "num_groups", "stash_type"}, plan: planGroupNormByGroup, axes: firstAxis},
		{op: "GroupNormalization", since: 21, min: 3, max: 3, attrs: []string{"epsilon", "num_groups", "stash_type"}, plan: planGroupNorm, axes: firstAxis},
		{op: "LpNormalization", min: 1, max: 1, attrs: []string{"axis", "p"}, plan: planLpNorm, axes: otherAxes(-1)},
		{op: "LRN", min: 1, max: 1, attrs: []string{"alpha", "beta", "bias", "size"}, plan: expanded(planLRN)},
		{op: "MeanVarianceNormalization", min: 1, max: 1, attrs: []string{"axes"}, plan: planMeanVariance},
	}
}

// softmaxer is the axis: outer lines of n elements, inner apart.
type softmaxer struct{ n, inner int }

// planSoftmax: before version 13 all axes from axis on are one.
func planSoftmax(c *call, flat bool, f32, f64 func(*softmaxer, *args) error) (kernel, error) {
	shape := c.shape(0)
	def := int64(-1)
	if flat {
		def = 1
	}
	a := c.intAttr("axis", def)
	s := &softmaxer{inner: 1}
	if len(shape) == 0 && !flat {
		s.n = 1
	} else {
		if flat && a == int64(len(shape)) {
			a, s.n = 0, 1
		}
		axis, err := c.axis(a, max(len(shape), 1))
		if err != nil {
			return nil, err
		}
		switch {
		case s.n == 1:
		case flat:
			s.n = product(shape[axis:])
		default:
			s.n, s.inner = shape[axis], product(shape[axis+1:])
		}
	}
	if err := c.result(0, c.typ(0), shape...); err != nil {
		return nil, err
	}
	if err := c.memory(F64, s.n); err != nil {
		return nil, err
	}
	switch c.typ(0) {
	case F32:
		return func(a *args) error { return f32(s, a) }, nil
	case F64:
		return func(a *args) error { return f64(s, a) }, nil
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

// lines calls f for each line: where it begins.
func (s *softmaxer) lines(total int, f func(at int)) {
	for o := range total / s.n {
		f(o/s.inner*s.n*s.inner + o%s.inner)
	}
}

// softmaxes: the maximum is subtracted, the exponentials are rounded to the
// element's type, and their sum is taken in index order.
func softmaxes[T float](s *softmaxer, a *args) error {
	x, dst, e := data[T](a.in[0]), data[T](a.out[0]), data[float64](a.scratch[0])
	s.lines(len(x), func(at int) {
		m := extreme(maxOf1[T])(x[at:], s.n, s.inner)
		for i := range e {
			e[i] = float64(x[at+i*s.inner] - m)
		}
		expAll(e)
		var sum T
		for _, v := range e {
			sum += T(v)
		}
		for i, v := range e {
			dst[at+i*s.inner] = T(v) / sum
		}
	})
	return nil
}

func logSoftmaxes[T float](s *softmaxer, a *args) error {
	x, dst, e := data[T](a.in[0]), data[T](a.out[0]), data[float64](a.scratch[0])
	s.lines(len(x), func(at int) {
		m := extreme(maxOf1[T])(x[at:], s.n, s.inner)
		for i := range e {
			e[i] = float64(x[at+i*s.inner] - m)
		}
		expAll(e)
		var sum T
		for _, v := range e {
			sum += T(v)
		}
		l := T(fmath.Log(float64(sum)))
		for i := range e {
			dst[at+i*s.inner] = (x[at+i*s.inner] - m) - l
		}
	})
	return nil
}

// hardmaxes gives 1 at the first maximum, 0 elsewhere.
func hardmaxes[T float](s *softmaxer, a *args) error {
	x, dst := data[T](a.in[0]), data[T](a.out[0])
	clear(dst)
	s.lines(len(x), func(at int) {
		best := 0
		for i := range s.n {
			if x[at+i*s.inner] > x[at+best*s.inner] {
				best = i
			}
		}
		dst[at+best*s.inner] = 1
	})
	return nil
}

// planBatchNorm with the statistics of training:
// (x-mean) * (scale/sqrt(var+epsilon)) + bias, the last two as one.
func planBatchNorm(c *call) (kernel, error) {
	if c.intAttr("training_mode", 0) != 0 || c.intAttr("spatial", 1) != 1 {
		return nil, c.unsupported("in training mode, or not spatial")
	}
	shape := c.shape(0)
	channels := 1
	if len(shape) > 1 {
		channels = shape[1]
	}
	for i := 1; i < 5; i++ {
		if c.in[i].n != channels || c.typ(i) != c.typ(0) {
			return nil, c.fail("input %d is %s %v for %d channels", i, c.typ(i), c.shape(i), channels)
		}
	}
	if err := c.result(0, c.typ(0), shape...); err != nil {
		return nil, err
	}
	inner := 1
	if len(shape) > 2 {
		inner = product(shape[2:])
	}
	eps := float64(c.floatAttr("epsilon", 1e-5))
	switch c.typ(0) {
	case F32:
		return batchNorm(channels, inner, eps, fma32), nil
	case F64:
		return batchNorm(channels, inner, eps, math.FMA), nil
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

func batchNorm[T float](channels, inner int, eps float64, fma func(a, b, c T) T) kernel {
	return func(a *args) error {
		x, dst := data[T](a.in[0]), data[T](a.out[0])
		scale, bias, mean, variance := data[T](a.in[1]), data[T](a.in[2]), data[T](a.in[3]), data[T](a.in[4])
		for o := range len(x) / inner {
			ch := o % channels
			s := T(float64(scale[ch]) / math.Sqrt(float64(variance[ch])+eps))
			m, b := mean[ch], bias[ch]
			d := dst[o*inner : (o+1)*inner]
			for i, v := range x[o*inner : (o+1)*inner] {
				d[i] = fma(v-m, s, b)
			}
		}
		return nil
	}
}

// lineNorm normalises lines of n elements, group consecutive ones as one set of
// scales.
type lineNorm struct {
	n   int
	eps float64
	// rms leaves the mean alone.
	rms bool
	// scaleAt returns which scale and bias element i of line o has.
	scaleAt func(o, i int) int
	// byElement: element i of every line has scale and bias i.
	byElement bool
	// scaled: scale and bias are brought in for all lines at once, behind them.
	scaled bool
	// mean and inverse are where those go, -1: nowhere.
	mean, inverse int
}

// runLineNorm: the mean, then the variance as the mean of squared differences, both
// in index order; then (x-mean)*inverse*scale + bias, each product rounded.
func runLineNorm[T float](l *lineNorm, fma func(a, b, c T) T) kernel {
	return func(a *args) error {
		x := data[T](a.in[0])
		for o := range len(x) / l.n {
			line := x[o*l.n : (o+1)*l.n]
			var mean, squares T
			if !l.rms {
				mean = sumOf(line, l.n, 1) / T(l.n)
			}
			for _, v := range line {
				squares = fma(v-mean, v-mean, squares)
			}
			writeLine(l, a, o, mean, T(1/math.Sqrt(float64(squares/T(l.n))+l.eps)), fma)
		}
		return nil
	}
}

// runLineNorm32 is runLineNorm for float32. A sum waits for its last addition: four
// lines go side by side.
func runLineNorm32(l *lineNorm) kernel {
	return func(a *args) error {
		x, n := data[float32](a.in[0]), l.n
		for o := 0; o < len(x)/n; o += 4 {
			most := min(4, len(x)/n-o)
			var line [4][]float32 // the last again where there are fewer
			for i := range line {
				at := (o + min(i, most-1)) * n
				line[i] = x[at : at+n]
			}
			var mean [4]float32
			if !l.rms {
				mean = sumsOf4(line)
				for i := range mean {
					mean[i] /= float32(n)
				}
			}
			squares := squaresOf4(line, mean)
			for i := range most {
				writeLine(l, a, o+i, mean[i], float32(1/math.Sqrt(float64(squares[i]/float32(n))+l.eps)), fma32)
			}
		}
		if l.scaled && len(x) > 0 {
			scaleRows(data[float32](a.out[0]), data[float32](a.in[1]), data[float32](a.in[2]))
		}
		return nil
	}
}

func sumsOf4(line [4][]float32) [4]float32 {
	a, b, c, d := line[0], line[1], line[2], line[3]
	b, c, d = b[:len(a)], c[:len(a)], d[:len(a)]
	var s0, s1, s2, s3 float32
	for i := range a {
		s0, s1, s2, s3 = s0+a[i], s1+b[i], s2+c[i], s3+d[i]
	}
	return [4]float32{s0, s1, s2, s3}
}

// squaresOf4 returns the sums of squared differences from the means.
func squaresOf4(line [4][]float32, mean [4]float32) [4]float32 {
	a, b, c, d := line[0], line[1], line[2], line[3]
	b, c, d = b[:len(a)], c[:len(a)], d[:len(a)]
	m0, m1, m2, m3 := mean[0], mean[1], mean[2], mean[3]
	var s0, s1, s2, s3 float32
	for i := range a {
		v0, v1, v2, v3 := a[i]-m0, b[i]-m1, c[i]-m2, d[i]-m3
		s0, s1, s2, s3 = fma32(v0, v0, s0), fma32(v1, v1, s1), fma32(v2, v2, s2), fma32(v3, v3, s3)
	}
	return [4]float32{s0, s1, s2, s3}
}

// writeLine writes line o, and what else is wanted of it.
func writeLine[T float](l *lineNorm, a *args, o int, mean, inverse T, fma func(a, b, c T) T) {
	x, d := data[T](a.in[0])[o*l.n:(o+1)*l.n], data[T](a.out[0])[o*l.n:(o+1)*l.n]
	var scale, bias []T
	if v := absent(a.in, 1); v != nil {
		scale = data[T](v)
	}
	if v := absent(a.in, 2); v != nil {
		bias = data[T](v)
	}
	for i, v := range x {
		d[i] = T((v - mean) * inverse)
	}
	switch {
	case l.scaled:
	case scale != nil && bias != nil:
		for i, y := range d {
			k := l.scaleAt(o, i)
			d[i] = fma(y, scale[k], bias[k])
		}
	case scale != nil:
		for i := range d {
			d[i] *= scale[l.scaleAt(o, i)]
		}
	}
	if l.mean > 0 && absent(a.out, l.mean) != nil {
		data[T](a.out[l.mean])[o] = mean
	}
	if l.inverse > 0 && absent(a.out, l.inverse) != nil {
		data[T](a.out[l.inverse])[o] = inverse
	}
}

func (c *call) lineNorm(l *lineNorm) (kernel, error) {
	switch c.typ(0) {
	case F32:
		l.scaled = l.byElement && c.has(1) && c.has(2)
		return runLineNorm32(l), nil
	case F64:
		return runLineNorm(l, math.FMA), nil
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

// normAxes plans what Layer- and RMSNormalization share.
func (c *call) normAxes(rms bool) (*lineNorm, error) {
	shape := c.shape(0)
	if err := c.same(1); err != nil {
		return nil, err
	}
	axis, err := c.axis(c.intAttr("axis", -1), len(shape))
	if err != nil {
		return nil, err
	}
	n := product(shape[axis:])
	for i := 1; i < 3; i++ {
		if !c.has(i) {
			continue
		}
		s, err := c.broadcast(shape, c.shape(i))
		if err != nil || !slices.Equal(s, shape) || c.in[i].n != n && c.in[i].n != 1 {
			return nil, c.unsupported("with scale or bias of shape %v for axes %v", c.shape(i), shape[axis:])
		}
	}
	if c.has(2) && c.in[2].n != c.in[1].n {
		return nil, c.unsupported("with scale %v and bias %v", c.shape(1), c.shape(2))
	}
	whole := c.in[1].n == n
	l := &lineNorm{n: n, eps: float64(c.floatAttr("epsilon", 1e-5)), rms: rms, mean: 1, inverse: 2, byElement: whole, scaleAt: func(_, i int) int {
		if whole {
			return i
		}
		return 0
	}}
	if err := c.result(0, c.typ(0), shape...); err != nil {
		return nil, err
	}
	stat := slices.Clone(shape)
	for i := axis; i < len(stat); i++ {
		stat[i] = 1
	}
	for i := 1; i < 3; i++ {
		if c.wants(i) {
			if err := c.result(i, c.typ(0), stat...); err != nil {
				return nil, err
			}
		}
	}
	return l, nil
}

func planLayerNorm(c *call) (kernel, error) {
	l, err := c.normAxes(false)
	if err != nil {
		return nil, err
	}
	return c.lineNorm(l)
}

func planRMSNorm(c *call) (kernel, error) {
	l, err := c.normAxes(true)
	if err != nil {
		return nil, err
	}
	return c.lineNorm(l)
}

// channelNorm plans Instance- and GroupNormalization, whose scale and bias are by
// channel or, in version 18, by group.
func (c *call) channelNorm(groups int, byGroup bool) (kernel, error) {
	shape := c.shape(0)
	if len(shape) < 3 {
		return nil, c.fail("its input has shape %v, expected [N,C,...]", shape)
	}
	channels, inner := shape[1], product(shape[2:])
	if groups == 0 {
		groups = channels
	}
	if groups < 1 || channels%groups != 0 {
		return nil, c.fail("%d groups of %d channels", groups, channels)
	}
	scales, what := channels, "channels"
	if byGroup {
		scales, what = groups, "groups"
	}
	for i := 1; i < 3; i++ {
		if c.in[i].n != scales || c.typ(i) != c.typ(0) {
			return nil, c.fail("input %d is %s %v for %d %s", i, c.typ(i), c.shape(i), scales, what)
		}
	}
	each := channels / groups
	l := &lineNorm{n: each * inner, eps: float64(c.floatAttr("epsilon", 1e-5)), scaleAt: func(o, i int) int {
		if byGroup {
			return o % groups
		}
		return o%groups*each + i/inner
	}}
	if err := c.result(0, c.typ(0), shape...); err != nil {
		return nil, err
	}
	return c.lineNorm(l)
}

func planInstanceNorm(c *call) (kernel, error) { return c.channelNorm(0, false) }

func planGroupNorm(c *call) (kernel, error) { return c.groupNorm(false) }

func planGroupNormByGroup(c *call) (kernel, error) { return c.groupNorm(true) }

func (c *call) groupNorm(byGroup bool) (kernel, error) {
	g := c.intAttr("num_groups", 0)
	if g < 1 || g > math.MaxInt32 {
		return nil, c.fail("num_groups is %d", g)
	}
	return c.channelNorm(int(g), byGroup)
}

// planLpNorm divides lines by their norm; a line of zeros stays.
func planLpNorm(c *call) (kernel, error) {
	shape := c.shape(0)
	axis, err := c.axis(c.intAttr("axis", -1), len(shape))
	if err != nil {
		return nil, err
	}
	p := c.intAttr("p", 2)
	if p != 1 && p != 2 {
		return nil, c.unsupported("with p %d", p)
	}
	if err := c.is(0, F32, F64); err != nil {
		return nil, err
	}
	s := &softmaxer{shape[axis], product(shape[axis+1:])}
	if err := c.result(0, c.typ(0), shape...); err != nil {
		return nil, err
	}
	if c.typ(0) == F64 {
		return lpNorm(s, p, l1[float64], l2[float64]), nil
	}
	return lpNorm(s, p, l1[float32], l2[float32]), nil
}

func lpNorm[T float](s *softmaxer, p int64, one, two reducer[T]) kernel {
	return func(a *args) error {
		x, dst := data[T](a.in[0]), data[T](a.out[0])
		s.lines(len(x), func(at int) {
			norm := one
			if p == 2 {
				norm = two
			}
			n := norm(x[at:], s.n, s.inner)
			for i := range s.n {
				dst[at+i*s.inner] = x[at+i*s.inner] / n
				if n == 0 {
					dst[at+i*s.inner] = 0
				}
			}
		})
		return nil
	}
}

// planMeanVariance over axes [0,2,3] as its default has it.
func planMeanVariance(c *call) (kernel, error) {
	shape := c.shape(0)
	list := c.intsAttr("axes")
	if list == nil {
		list = []int64{0, 2, 3}
	}
	axes, err := c.axisList(list, len(shape))
	if err != nil {
		return nil, err
	}
	if err := c.is(0, F32); err != nil {
		return nil, err
	}
	if err := c.result(0, F32, shape...); err != nil {
		return nil, err
	}
	strides := stridesOf(shape)
	var kept, keptStrides, gone, goneStrides []int
	for i, d := range shape {
		if slices.Contains(axes, i) {
			gone, goneStrides = append(gone, d), append(goneStrides, strides[i])
		} else {
			kept, keptStrides = append(kept, d), append(keptStrides, strides[i])
		}
	}
	n := product(gone)
	return func(a *args) error {
		x, dst := data[float32](a.in[0]), data[float32](a.out[0])
		for o := range product(kept) {
			base := offset(o, kept, keptStrides)
			var sum, squares float32
			for i := range n {
				sum += x[base+offset(i, gone, goneStrides)]
			}
			mean := sum / float32(n)
			for i := range n {
				d := x[base+offset(i, gone, goneStrides)] - mean
				squares = fma32(d, d, squares)
			}
			deviation := float32(math.Sqrt(float64(squares/float32(n)))) + 1e-9
			for i := range n {
				at := base + offset(i, gone, goneStrides)
				dst[at] = (x[at] - mean) / deviation
			}
		}
		return nil
	}, nil
}

// planLRN divides by a power of a mean of squares over the channels around, as far as
// there are; those that are not count as zeros.
func planLRN(c *call, e *expander) error {
	shape := c.shape(0)
	size := c.intAttr("size", 0)
	if len(shape) < 2 || size < 1 || size > 1<<20 {
		return c.fail("size %d of a value %v, expected channels of 1 to 2^20 around", size, shape)
	}
	number := func(name string, def float32) *operand { return e.number(c.typ(0), float64(c.floatAttr(name, def))) }
	lines := e.reshape(e.op("Mul", nil, c.in[0], c.in[0]), shape[0], 1, shape[1], product(shape[2:]))
	mean := e.op("AveragePool", Attrs{"kernel_shape": []int64{size, 1}, "pads": []int64{(size - 1) / 2, 0, size / 2, 0}, "count_include_pad": int64(1)}, lines)
	mean = e.op("Add", nil, number("bias", 1), e.op("Mul", nil, number("alpha", 0.0001), mean))
	return e.give(e.op("Div", nil, c.in[0], e.op("Pow", nil, e.reshape(mean, shape...), number("beta", 0.75))))
}
