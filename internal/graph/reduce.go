package graph

import (
	"math"
	"slices"

	"github.com/unroll-ml/unroll/internal/fmath"
)

// Reductions: sums and their like over axes, in index order.

func reduceRows() []row {
	reduce := func(op string, plan func(*call) (kernel, error)) row {
		return row{op: op, min: 1, max: 2, attrs: []string{"axes", "keepdims", "noop_with_empty_axes"}, plan: plan, axes: reduceAxes}
	}
	return []row{
		reduce("ReduceSum", reduction(sumOf[float32], sumOf[float64], sumOf[int64], sumOf[int32])),
		reduce("ReduceMean", reduction(meanOf[float32], meanOf[float64], meanOfInts[int64], meanOfInts[int32])),
		reduce("ReduceMax", extremes(true)),
		reduce("ReduceMin", extremes(false)),
		reduce("ReduceProd", reduction(productOf[float32], productOf[float64], productOf[int64], productOf[int32])),
		reduce("ReduceL1", reduction(l1[float32], l1[float64], l1[int64], l1[int32])),
		reduce("ReduceL2", reduction(l2[float32], l2[float64], nil, nil)),
		reduce("ReduceSumSquare", reduction(squares32, squares64, squaresInt[int64], squaresInt[int32])),
		reduce("ReduceLogSum", reduction(logSum[float32], logSum[float64], nil, nil)),
		reduce("ReduceLogSumExp", reduction(logSumExp[float32], logSumExp[float64], nil, nil)),
		{op: "ArgMax", min: 1, max: 1, attrs: []string{"axis", "keepdims", "select_last_index"}, plan: argExtreme(true), axes: argAxes},
		{op: "ArgMin", min: 1, max: 1, attrs: []string{"axis", "keepdims", "select_last_index"}, plan: argExtreme(false), axes: argAxes},
	}
}

// reducer computes one result from n elements, step apart.
type reducer[T Element] func(x []T, n, step int) T

// reduction plans a reduction over one or more axes. The elements of a result are
// visited in index order; where the axes do not lie beside each other they are
// brought together first.
func reduction(f32 reducer[float32], f64 reducer[float64], i64 reducer[int64], i32 reducer[int32]) func(*call) (kernel, error) {
	return func(c *call) (kernel, error) {
		axes, keep, err := reducedAxes(c)
		if err != nil {
			return nil, err
		}
		switch t := c.typ(0); {
		case t == F32:
			return planReduce(c, axes, keep, f32)
		case t == F64:
			return planReduce(c, axes, keep, f64)
		case t == I64 && i64 != nil:
			return planReduce(c, axes, keep, i64)
		case t == I32 && i32 != nil:
			return planReduce(c, axes, keep, i32)
		}
		return nil, c.unsupported("of %s", c.typ(0))
	}
}

// extremes plans ReduceMax or ReduceMin, of 8-bit numbers and truth values too.
func extremes(largest bool) func(*call) (kernel, error) {
	return func(c *call) (kernel, error) {
		if t := c.typ(0); t.size() > 1 {
			if largest {
				return reduction(extreme(maxOf1[float32]), extreme(maxOf1[float64]), extreme(maxOf1[int64]), extreme(maxOf1[int32]))(c)
			}
			return reduction(extreme(minOf1[float32]), extreme(minOf1[float64]), extreme(minOf1[int64]), extreme(minOf1[int32]))(c)
		}
		axes, keep, err := reducedAxes(c)
		if err != nil {
			return nil, err
		}
		signed, most := c.typ(0) == I8, uint8(math.MaxUint8)
		if c.typ(0) == Bool {
			most = 1
		}
		// Signed numbers are compared as unsigned ones with the first bit turned.
		turn := uint8(0)
		if signed {
			turn = 1 << 7
		}
		return planReduce(c, axes, keep, func(x []uint8, n, step int) uint8 {
			best := uint8(0)
			if !largest {
				best = most
			}
			for i := range n {
				if v := x[i*step] ^ turn; largest == (v > best) && v != best {
					best = v
				}
			}
			return best ^ turn
		})
	}
}

// reducedAxes returns the axes, sorted. Over none of them each element is a result
// of itself alone: ReduceSumSquare is its square then, ReduceLogSum its logarithm.
func reducedAxes(c *call) (axes []int, keep bool, err error) {
	rank := len(c.shape(0))
	list, err := c.intsOf("axes", 1)
	if err != nil {
		return nil, false, err
	}
	keep = c.intAttr("keepdims", 1) != 0
	if len(list) == 0 {
		if c.intAttr("noop_with_empty_axes", 0) != 0 {
			return []int{}, keep, nil
		}
		for i := range rank {
			list = append(list, int64(i))
		}
	}
	axes, err = c.axisList(list, rank)
	slices.Sort(axes)
	if axes == nil {
		axes = []int{}
	}
	return axes, keep, err
}

// reducedShape is shape with the axes left out, or 1.
func reducedShape(shape, axes []int, keep bool) (out []int) {
	out = []int{}
	for i, d := range shape {
		switch {
		case !slices.Contains(axes, i):
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return out
}

func planReduce[T Element](c *call, axes []int, keep bool, f reducer[T]) (kernel, error) {
	shape := c.shape(0)
	if err := c.result(0, c.typ(0), reducedShape(shape, axes, keep)...); err != nil {
		return nil, err
	}
	c.work = int64(c.in[0].n)
	strides := stridesOf(shape)
	// The axes as one run, if they are one.
	n, step := 1, 1
	for k, a := range axes {
		if k > 0 && a != axes[k-1]+1 {
			return planScatteredReduce(c, axes, f)
		}
		n *= shape[a]
		step = strides[a]
	}
	outer, inner := c.in[0].n, step
	if len(axes) == 0 {
		inner = 1
	}
	if n*inner > 0 {
		outer /= n * inner
	} else {
		outer = c.out[0].n / max(inner, 1)
	}
	return func(a *args) error {
		x, dst := rawData[T](a.in[0]), rawData[T](a.out[0])
		for o := range outer {
			for i := range inner {
				dst[o*inner+i] = f(x[min(o*n*inner+i, len(x)):], n, inner)
			}
		}
		return nil
	}, nil
}

// planScatteredReduce gathers the elements of each result first.
func planScatteredReduce[T Element](c *call, axes []int, f reducer[T]) (kernel, error) {
	shape, strides := c.shape(0), stridesOf(c.shape(0))
	var kept, keptStrides, gone, goneStrides []int
	for i, d := range shape {
		if slices.Contains(axes, i) {
			gone, goneStrides = append(gone, d), append(goneStrides, strides[i])
		} else {
			kept, keptStrides = append(kept, d), append(keptStrides, strides[i])
		}
	}
	n := product(gone)
	if err := c.memory(c.typ(0), n); err != nil {
		return nil, err
	}
	return func(a *args) error {
		x, dst, part := rawData[T](a.in[0]), rawData[T](a.out[0]), rawData[T](a.scratch[0])
		for o := range dst {
			base := offset(o, kept, keptStrides)
			for i := range part {
				part[i] = x[base+offset(i, gone, goneStrides)]
			}
			dst[o] = f(part, n, 1)
		}
		return nil
	}, nil
}

// offset returns where element i of a shape lies by strides.
func offset(i int, shape, strides []int) int {
	at := 0
	for k := len(shape) - 1; k >= 0; k-- {
		at += i % shape[k] * strides[k]
		i /= shape[k]
	}
	return at
}

func sumOf[T number](x []T, n, step int) T {
	var s T
	for i := range n {
		s += x[i*step]
	}
	return s
}

func meanOf[T float](x []T, n, step int) T { return sumOf(x, n, step) / T(n) }

func meanOfInts[T int64 | int32](x []T, n, step int) T {
	if n == 0 {
		return 0
	}
	return sumOf(x, n, step) / T(n)
}

func productOf[T number](x []T, n, step int) T {
	p := T(1)
	for i := range n {
		p *= x[i*step]
	}
	return p
}

func maxOf1[T number](x, y T) T { return max(x, y) }
func minOf1[T number](x, y T) T { return min(x, y) }

// extreme starts from the first element. Of none there is no extreme: the
// smallest (largest) number of the type stands for it, as ONNX has it.
func extreme[T number](f func(x, y T) T) reducer[T] {
	return func(x []T, n, step int) T {
		if n == 0 {
			return noExtreme[T](f(0, 1) == 1)
		}
		m := x[0]
		for i := 1; i < n; i++ {
			m = f(m, x[i*step])
		}
		return m
	}
}

func noExtreme[T number](largest bool) T {
	var v any
	switch any(T(0)).(type) {
	case float32:
		v = float32(math.Inf(1))
	case float64:
		v = math.Inf(1)
	case int64:
		v = int64(math.MaxInt64)
		if largest {
			v = int64(math.MinInt64)
		}
		return v.(T)
	default:
		v = int32(math.MaxInt32)
		if largest {
			v = int32(math.MinInt32)
		}
		return v.(T)
	}
	x := v.(T)
	if largest {
		return -x
	}
	return x
}

func l1[T number](x []T, n, step int) T {
	var s T
	for i := range n {
		s += abs(x[i*step])
	}
	return s
}

func l2[T float](x []T, n, step int) T {
	return T(math.Sqrt(float64(squaresOf(x, n, step))))
}

func squaresOf[T float](x []T, n, step int) T {
	switch x := any(x).(type) {
	case []float32:
		return T(squares32(x, n, step))
	case []float64:
		return T(squares64(x, n, step))
	}
	return 0
}

func squares32(x []float32, n, step int) float32 {
	var s float32
	for i := range n {
		s = fma32(x[i*step], x[i*step], s)
	}
	return s
}

func squares64(x []float64, n, step int) float64 {
	var s float64
	for i := range n {
		s = math.FMA(x[i*step], x[i*step], s)
	}
	return s
}

func squaresInt[T int64 | int32](x []T, n, step int) T {
	var s T
	for i := range n {
		s += x[i*step] * x[i*step]
	}
	return s
}

func logSum[T float](x []T, n, step int) T { return T(fmath.Log(float64(sumOf(x, n, step)))) }

// logSumExp subtracts the maximum first.
func logSumExp[T float](x []T, n, step int) T {
	m := extreme(maxOf1[T])(x, n, step)
	if math.IsInf(float64(m), 0) {
		return m
	}
	var s float64
	for i := range n {
		s += fmath.Exp(float64(x[i*step]) - float64(m))
	}
	return T(fmath.Log(s) + float64(m))
}

// argExtreme gives the index of the largest or smallest element, the first of
// equal ones; NaN counts as the most extreme.
func argExtreme(largest bool) func(*call) (kernel, error) {
	return func(c *call) (kernel, error) {
		axis, err := c.axis(c.intAttr("axis", 0), len(c.shape(0)))
		if err != nil {
			return nil, err
		}
		last := c.intAttr("select_last_index", 0) != 0
		n := c.shape(0)[axis]
		if n == 0 {
			return nil, c.fail("axis %d of %v has no elements to choose from", axis, c.shape(0))
		}
		if err := c.result(0, I64, reducedShape(c.shape(0), []int{axis}, c.intAttr("keepdims", 1) != 0)...); err != nil {
			return nil, err
		}
		inner := product(c.shape(0)[axis+1:])
		switch c.typ(0) {
		case F32:
			return arg[float32](n, inner, largest, last), nil
		case F64:
			return arg[float64](n, inner, largest, last), nil
		case I64:
			return arg[int64](n, inner, largest, last), nil
		case I32:
			return arg[int32](n, inner, largest, last), nil
		case I8:
			return arg[int8](n, inner, largest, last), nil
		case U8:
			return arg[uint8](n, inner, largest, last), nil
		}
		return nil, c.unsupported("of %s", c.typ(0))
	}
}

func arg[T number](n, inner int, largest, last bool) kernel {
	return func(a *args) error {
		x := data[T](a.in[0])
		for i, dst := 0, data[int64](a.out[0]); i < len(dst); i++ {
			at := i/inner*n*inner + i%inner
			best := 0
			for k := 1; k < n; k++ {
				v, b := x[at+k*inner], x[at+best*inner]
				if v > b == largest && v != b && v == v && b == b || v == b && last || v != v && b == b {
					best = k
				}
			}
			dst[i] = int64(best)
		}
		return nil
	}
}

// reduceAxes: an axis that is not reduced is independent.
func reduceAxes(c *call, in []int) ([]int, bool) {
	axes, keep, err := reducedAxes(c)
	if err != nil || in[0] < 0 {
		return []int{in[0]}, err == nil
	}
	return []int{leftOut(in[0], axes, keep)}, !slices.Contains(axes, in[0])
}

func argAxes(c *call, in []int) ([]int, bool) {
	axis, _ := c.axis(c.intAttr("axis", 0), len(c.shape(0)))
	if in[0] < 0 {
		return []int{-1}, true
	}
	return []int{leftOut(in[0], []int{axis}, c.intAttr("keepdims", 1) != 0)}, in[0] != axis
}

// leftOut is where axis a goes when axes are left out.
func leftOut(a int, axes []int, keep bool) int {
	out := a
	for _, x := range axes {
		if x < a && !keep {
			out--
		}
	}
	return out
}
