package graph

import (
	"errors"
	"math"

	"github.com/unroll-ml/unroll/internal/fmath"
)

// Operators that work element by element and give numbers. Their operands are
// broadcast as numpy does.

type float interface{ float32 | float64 }

type number interface {
	float32 | float64 | int64 | int32 | int8 | uint8
}

func elementwiseRows() []row {
	rows := []row{
		binaryRow("Add", forms(addFloats, add[float64], add[int64], add[int32], add[int8], add[uint8])),
		binaryRow("Sub", forms(sub[float32], sub[float64], sub[int64], sub[int32], sub[int8], sub[uint8])),
		binaryRow("Mul", forms(mulFloats, mul[float64], mul[int64], mul[int32], mul[int8], mul[uint8])),
		binaryRow("Div", forms(div[float32], div[float64], divInt[int64], divInt[int32], divInt[int8], divInt[uint8])),
		variadicRow("Max", forms(maxOf[float32], maxOf[float64], maxOf[int64], maxOf[int32], maxOf[int8], maxOf[uint8])),
		variadicRow("Min", forms(minOf[float32], minOf[float64], minOf[int64], minOf[int32], minOf[int8], minOf[uint8])),
		variadicRow("Sum", forms(addFloats, add[float64], nil, nil, nil, nil)),
		{op: "Mean", min: 1, max: -1, plan: expanded(func(c *call, e *expander) error {
			sum := e.op("Sum", nil, c.in...)
			return e.give(e.op("Div", nil, sum, e.number(c.typ(0), float64(len(c.in)))))
		})},
		{op: "Mod", min: 2, max: 2, attrs: []string{"fmod"}, plan: planMod, axes: broadcastAxes},
		{op: "Pow", min: 2, max: 2, plan: planPow, axes: broadcastAxes},
		binaryRow("PRelu", forms(prelu[float32], prelu[float64], prelu[int64], prelu[int32], nil, nil)),
		{op: "Clip", min: 1, max: 3, attrs: []string{"min", "max"}, plan: planClip, axes: broadcastAxes},
		{op: "Where", min: 3, max: 3, plan: planWhere, axes: broadcastAxes},
		{op: "Cast", min: 1, max: 1, attrs: []string{"to", "saturate", "round_mode"}, plan: planCast, axes: broadcastAxes},
		{op: "CastLike", min: 2, max: 2, attrs: []string{"saturate", "round_mode"}, plan: planCastLike, axes: broadcastAxes},
	}
	for _, f := range append(floatFunctions(), trigonometry()...) {
		rows = append(rows, row{op: f.op, min: 1, max: 1, attrs: f.attrs, plan: f.plan, axes: broadcastAxes})
	}
	return append(rows,
		row{op: "Neg", min: 1, max: 1, axes: broadcastAxes, plan: func(c *call) (kernel, error) {
			return unary(c, unaryForms{f32: over(neg[float32]), f64: over(neg[float64]), i64: over(neg[int64]), i32: over(neg[int32]), i8: over(neg[int8])})
		}},
		row{op: "Abs", min: 1, max: 1, axes: broadcastAxes, plan: func(c *call) (kernel, error) {
			return unary(c, unaryForms{f32: over(abs[float32]), f64: over(abs[float64]), i64: over(abs[int64]), i32: over(abs[int32]), i8: over(abs[int8]), u8: over(same[uint8])})
		}},
		row{op: "Sign", min: 1, max: 1, axes: broadcastAxes, plan: func(c *call) (kernel, error) {
			return unary(c, unaryForms{f32: over(sign[float32]), f64: over(sign[float64]), i64: over(sign[int64]), i32: over(sign[int32]), i8: over(sign[int8]), u8: over(sign[uint8])})
		}},
		row{op: "Relu", min: 1, max: 1, axes: broadcastAxes, plan: func(c *call) (kernel, error) {
			run, err := unary(c, unaryForms{f32: relu32, f64: relu[float64], i64: relu[int64], i32: relu[int32], i8: relu[int8]})
			if c.ew != nil {
				c.ew.relu = true
			}
			return run, err
		}},
	)
}

// pairwise computes dst from a and b, of which one may be a single element that
// stands for all.
type pairwise[T, R Element] func(dst []R, a, b []T) error

type binaryForms struct {
	f32 pairwise[float32, float32]
	f64 pairwise[float64, float64]
	i64 pairwise[int64, int64]
	i32 pairwise[int32, int32]
	i8  pairwise[int8, int8]
	u8  pairwise[uint8, uint8]
}

func forms(f32 pairwise[float32, float32], f64 pairwise[float64, float64], i64 pairwise[int64, int64], i32 pairwise[int32, int32], i8 pairwise[int8, int8], u8 pairwise[uint8, uint8]) binaryForms {
	return binaryForms{f32, f64, i64, i32, i8, u8}
}

func binaryRow(op string, f binaryForms) row {
	return row{op: op, min: 2, max: 2, axes: broadcastAxes, plan: func(c *call) (kernel, error) { return planBinary(c, f) }}
}

// addedRow returns which operand of an Add of float32 is a row that is added to
// every row of the other, -1: neither.
func (c *call) addedRow() int {
	if c.Op != "Add" || c.typ(0) != F32 {
		return -1
	}
	for i := range 2 {
		row, x := c.shape(i), c.shape(1-i)
		n := c.in[i].n
		if len(row) > 0 && len(x) >= len(row) && n > 1 && row[len(row)-1] == n && x[len(x)-1] == n && c.in[1-i].n > n {
			return i
		}
	}
	return -1
}

func planBinary(c *call, f binaryForms) (kernel, error) {
	if err := c.same(1); err != nil {
		return nil, err
	}
	if i := c.addedRow(); i >= 0 {
		return func(a *args) error {
			addToRows(data[float32](a.out[0]), data[float32](a.in[1-i]), data[float32](a.in[i]))
			return nil
		}, c.result(0, F32, c.shape(1-i)...)
	}
	switch t := c.typ(0); {
	case t == F32 && f.f32 != nil:
		return planPair(c, f.f32)
	case t == F64 && f.f64 != nil:
		return planPair(c, f.f64)
	case t == I64 && f.i64 != nil:
		return planPair(c, f.i64)
	case t == I32 && f.i32 != nil:
		return planPair(c, f.i32)
	case t == I8 && f.i8 != nil:
		return planPair(c, f.i8)
	case t == U8 && f.u8 != nil:
		return planPair(c, f.u8)
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

// planPair plans f over two operands.
func planPair[T, R Element](c *call, f pairwise[T, R]) (kernel, error) {
	shape, err := c.broadcast(c.shape(0), c.shape(1))
	if err != nil {
		return nil, err
	}
	if err := c.result(0, typeOf[R](), shape...); err != nil {
		return nil, err
	}
	n := c.out[0].n
	if g, ok := any(f).(pairwise[float32, float32]); ok && (c.in[0].n == n || c.in[0].n == 1) && (c.in[1].n == n || c.in[1].n == 1) {
		c.ew = &pointwise{binary: g}
	}
	l := newLoops(shape, c.shape(0), c.shape(1))
	runs := l.count()
	return func(a *args) error {
		dst, x, y := data[R](a.out[0]), data[T](a.in[0]), data[T](a.in[1])
		if len(dst) == 0 {
			return nil
		}
		var at cursor
		for i := range runs {
			if err := f(dst[i*l.run:(i+1)*l.run], part(l, &at, 0, x), part(l, &at, 1, y)); err != nil {
				return err
			}
			l.next(&at)
		}
		return nil
	}, nil
}

// variadicRow is for operators of any number of operands, taken from the left.
func variadicRow(op string, f binaryForms) row {
	return row{op: op, min: 1, max: -1, axes: broadcastAxes, plan: func(c *call) (kernel, error) {
		if err := c.same(1); err != nil {
			return nil, err
		}
		switch t := c.typ(0); {
		case len(c.in) == 1:
			return nil, c.view(0, 0, c.shape(0)...)
		case len(c.in) == 2:
			return planBinary(c, f)
		case t == F32 && f.f32 != nil:
			return planChain(c, f.f32)
		case t == F64 && f.f64 != nil:
			return planChain(c, f.f64)
		case t == I64 && f.i64 != nil:
			return planChain(c, f.i64)
		case t == I32 && f.i32 != nil:
			return planChain(c, f.i32)
		case t == I8 && f.i8 != nil:
			return planChain(c, f.i8)
		case t == U8 && f.u8 != nil:
			return planChain(c, f.u8)
		}
		return nil, c.unsupported("of %s", c.typ(0))
	}}
}

// planChain plans f over three and more operands: f(f(a, b), c) and so on.
func planChain[T Element](c *call, f pairwise[T, T]) (kernel, error) {
	var shapes [][]int
	for i := range c.in {
		if !c.has(i) {
			return nil, c.fail("input %d is absent", i)
		}
		shapes = append(shapes, c.shape(i))
	}
	shape, err := c.broadcast(shapes...)
	if err != nil {
		return nil, err
	}
	if err := c.result(0, typeOf[T](), shape...); err != nil {
		return nil, err
	}
	first := newLoops(shape, shapes[0], shapes[1])
	rest := make([]*loops, len(shapes)-2)
	for i := range rest {
		rest[i] = newLoops(shape, shape, shapes[i+2])
	}
	return func(a *args) error {
		dst := data[T](a.out[0])
		if len(dst) == 0 {
			return nil
		}
		walk := func(l *loops, x, y []T) error {
			var at cursor
			for i := range l.count() {
				if err := f(dst[i*l.run:(i+1)*l.run], part(l, &at, 0, x), part(l, &at, 1, y)); err != nil {
					return err
				}
				l.next(&at)
			}
			return nil
		}
		err := walk(first, data[T](a.in[0]), data[T](a.in[1]))
		for i, l := range rest {
			if err == nil {
				err = walk(l, dst, data[T](a.in[i+2]))
			}
		}
		return err
	}, nil
}

// addFloats is add for float32.
func addFloats(dst, a, b []float32) error {
	if len(a) == len(dst) && len(b) == len(dst) {
		add32(dst, a, b)
		return nil
	}
	return add(dst, a, b)
}

func add[T number](dst, a, b []T) error {
	switch {
	case len(a) == len(dst) && len(b) == len(dst):
		for i := range dst {
			dst[i] = a[i] + b[i]
		}
	case len(a) == len(dst):
		for i, y := 0, b[0]; i < len(dst); i++ {
			dst[i] = a[i] + y
		}
	case len(b) == len(dst):
		for i, x := 0, a[0]; i < len(dst); i++ {
			dst[i] = x + b[i]
		}
	default:
		fill(dst, a[0]+b[0])
	}
	return nil
}

// mulFloats is mul for float32.
func mulFloats(dst, a, b []float32) error {
	if len(a) == len(dst) && len(b) == len(dst) {
		mul32(dst, a, b)
		return nil
	}
	return mul(dst, a, b)
}

func mul[T number](dst, a, b []T) error {
	switch {
	case len(a) == len(dst) && len(b) == len(dst):
		for i := range dst {
			dst[i] = a[i] * b[i]
		}
	case len(a) == len(dst):
		for i, y := 0, b[0]; i < len(dst); i++ {
			dst[i] = a[i] * y
		}
	case len(b) == len(dst):
		for i, x := 0, a[0]; i < len(dst); i++ {
			dst[i] = x * b[i]
		}
	default:
		fill(dst, a[0]*b[0])
	}
	return nil
}

func fill[T Element | uint32](dst []T, x T) {
	const few = 32
	n := min(len(dst), few)
	for i := range dst[:n] {
		dst[i] = x
	}
	for n < len(dst) { // what is there, again
		n += copy(dst[n:], dst[:n])
	}
}

// pairs is the loop of those that are not written out.
func pairs[T, R Element](dst []R, a, b []T, f func(x, y T) R) {
	sa, sb := min(len(a)-1, 1), min(len(b)-1, 1)
	for i := range dst {
		dst[i] = f(a[i*sa], b[i*sb])
	}
}

func sub[T number](dst, a, b []T) error {
	switch {
	case len(a) == len(dst) && len(b) == len(dst):
		for i := range dst {
			dst[i] = a[i] - b[i]
		}
	case len(a) == len(dst):
		for i, y := 0, b[0]; i < len(dst); i++ {
			dst[i] = a[i] - y
		}
	case len(b) == len(dst):
		for i, x := 0, a[0]; i < len(dst); i++ {
			dst[i] = x - b[i]
		}
	default:
		fill(dst, a[0]-b[0])
	}
	return nil
}

func div[T float](dst, a, b []T) error {
	switch {
	case len(a) == len(dst) && len(b) == len(dst):
		for i := range dst {
			dst[i] = a[i] / b[i]
		}
	case len(a) == len(dst):
		for i, y := 0, b[0]; i < len(dst); i++ {
			dst[i] = a[i] / y
		}
	case len(b) == len(dst):
		for i, x := 0, a[0]; i < len(dst); i++ {
			dst[i] = x / b[i]
		}
	default:
		fill(dst, a[0]/b[0])
	}
	return nil
}

var errDivision = errors.New("a division of integers by zero")

// divInt truncates, as C does.
func divInt[T int64 | int32 | int8 | uint8](dst, a, b []T) error {
	for _, y := range b {
		if y == 0 {
			return errDivision
		}
	}
	pairs(dst, a, b, func(x, y T) T { return x / y })
	return nil
}

// maxOf and minOf give NaN where one is.
func maxOf[T number](dst, a, b []T) error {
	pairs(dst, a, b, func(x, y T) T { return max(x, y) })
	return nil
}

func minOf[T number](dst, a, b []T) error {
	pairs(dst, a, b, func(x, y T) T { return min(x, y) })
	return nil
}

func prelu[T number](dst, a, b []T) error {
	pairs(dst, a, b, func(x, y T) T {
		if x < 0 {
			return x * y
		}
		return x
	})
	return nil
}

func neg[T number](x T) T  { return -x }
func same[T number](x T) T { return x }

func abs[T number](x T) T {
	if x < 0 {
		return -x
	}
	return x + 0 // -0 becomes 0
}

func sign[T number](x T) T {
	switch {
	case x > 0:
		return 1
	case x == 0:
		return 0
	case x != x:
		return x
	}
	var one T = 1
	return -one
}

func relu[T number](dst, x []T) {
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		dst[i] = v
	}
}

type unaryForms struct {
	f32 func(dst, x []float32)
	f64 func(dst, x []float64)
	i64 func(dst, x []int64)
	i32 func(dst, x []int32)
	i8  func(dst, x []int8)
	u8  func(dst, x []uint8)
}

// over makes the loop of a function of one number.
func over[T Element](f func(T) T) func(dst, x []T) {
	return func(dst, x []T) {
		for i, v := range x {
			dst[i] = f(v)
		}
	}
}

func unary(c *call, f unaryForms) (kernel, error) {
	switch t := c.typ(0); {
	case t == F32 && f.f32 != nil:
		c.ew = &pointwise{unary: f.f32}
		return mapping(c, f.f32)
	case t == F64 && f.f64 != nil:
		return mapping(c, f.f64)
	case t == I64 && f.i64 != nil:
		return mapping(c, f.i64)
	case t == I32 && f.i32 != nil:
		return mapping(c, f.i32)
	case t == I8 && f.i8 != nil:
		return mapping(c, f.i8)
	case t == U8 && f.u8 != nil:
		return mapping(c, f.u8)
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

// mapping plans f from input 0 to an output of its shape.
func mapping[T, R Element](c *call, f func(dst []R, x []T)) (kernel, error) {
	return func(a *args) error {
		f(data[R](a.out[0]), data[T](a.in[0]))
		return nil
	}, c.result(0, typeOf[R](), c.shape(0)...)
}

func planMod(c *call) (kernel, error) {
	if err := c.same(1); err != nil {
		return nil, err
	}
	fmod := c.intAttr("fmod", 0) == 1
	switch c.typ(0) {
	case F32, F64:
		mod := math.Mod
		if !fmod {
			mod = floorMod
		}
		return planBinary(c, binaryForms{
			f32: func(dst, a, b []float32) error {
				pairs(dst, a, b, func(x, y float32) float32 { return float32(mod(float64(x), float64(y))) })
				return nil
			},
			f64: func(dst, a, b []float64) error { pairs(dst, a, b, mod); return nil },
		})
	}
	return planBinary(c, binaryForms{i64: modInt[int64](fmod), i32: modInt[int32](fmod), i8: modInt[int8](fmod), u8: modInt[uint8](fmod)})
}

// floorMod has the sign of the divisor.
func floorMod(x, y float64) float64 {
	m := math.Mod(x, y)
	switch {
	case m == 0:
		return math.Copysign(0, y)
	case (m < 0) != (y < 0):
		return m + y
	}
	return m
}

// modInt has the sign of the divisor, or of the dividend with fmod.
func modInt[T int64 | int32 | int8 | uint8](fmod bool) pairwise[T, T] {
	return func(dst, a, b []T) error {
		for _, y := range b {
			if y == 0 {
				return errDivision
			}
		}
		pairs(dst, a, b, func(x, y T) T {
			m := x % y
			if !fmod && m != 0 && (m < 0) != (y < 0) {
				m += y
			}
			return m
		})
		return nil
	}
}

// planPow lets the exponent have another type than the base.
func planPow(c *call) (kernel, error) {
	power := func(x, y float64) float64 { return fmath.Pow(x, y) }
	switch [2]Type{c.typ(0), c.typ(1)} {
	case [2]Type{F32, F32}:
		return planPair(c, pairwise[float32, float32](func(dst, a, b []float32) error {
			if len(b) == 1 && len(a) == len(dst) && b[0] == 2 {
				for i, x := range a {
					dst[i] = x * x
				}
				return nil
			}
			pairs(dst, a, b, func(x, y float32) float32 { return float32(power(float64(x), float64(y))) })
			return nil
		}))
	case [2]Type{F64, F64}:
		return planPair(c, pairwise[float64, float64](func(dst, a, b []float64) error { pairs(dst, a, b, power); return nil }))
	case [2]Type{I64, I64}:
		return planPair(c, powInt[int64])
	case [2]Type{I32, I32}:
		return planPair(c, powInt[int32])
	}
	return planMixedPow(c)
}

func powInt[T int64 | int32](dst, a, b []T) error {
	pairs(dst, a, b, func(x, y T) T {
		if y < 0 {
			return T(fmath.Pow(float64(x), float64(y)))
		}
		r := T(1)
		for ; y > 0; y >>= 1 {
			if y&1 == 1 {
				r *= x
			}
			x *= x
		}
		return r
	})
	return nil
}

// planMixedPow brings both to float64, which holds what they hold but integers
// beyond 2^53.
func planMixedPow(c *call) (kernel, error) {
	shape, err := c.broadcast(c.shape(0), c.shape(1))
	if err != nil {
		return nil, err
	}
	for i := range 2 {
		if err := c.is(i, F32, F64, I64, I32); err != nil {
			return nil, err
		}
		if err := c.memory(F64, c.in[i].n); err != nil {
			return nil, err
		}
	}
	if err := c.memory(F64, product(shape)); err != nil {
		return nil, err
	}
	l := newLoops(shape, c.shape(0), c.shape(1))
	return func(a *args) error {
		x, y, z := data[float64](a.scratch[0]), data[float64](a.scratch[1]), data[float64](a.scratch[2])
		convert(a.scratch[0], a.in[0])
		convert(a.scratch[1], a.in[1])
		if len(z) == 0 {
			return nil
		}
		var at cursor
		for i := range l.count() {
			pairs(z[i*l.run:(i+1)*l.run], part(l, &at, 0, x), part(l, &at, 1, y), fmath.Pow)
			l.next(&at)
		}
		convert(a.out[0], a.scratch[2])
		return nil
	}, c.result(0, c.typ(0), shape...)
}

// planClip: bounds are attributes before version 11, then inputs.
func planClip(c *call) (kernel, error) {
	if err := c.same(1); err != nil {
		return nil, err
	}
	if err := c.result(0, c.typ(0), c.shape(0)...); err != nil {
		return nil, err
	}
	lo, hi := float32(math.Inf(-1)), float32(math.Inf(1))
	lo, hi = c.floatAttr("min", lo), c.floatAttr("max", hi)
	for i := 1; i < len(c.in); i++ {
		if c.has(i) && c.in[i].n != 1 {
			return nil, c.fail("input %d has shape %v, expected a single number", i, c.shape(i))
		}
	}
	switch c.typ(0) {
	case F32:
		return clip(lo, hi), nil
	case F64:
		return clip(float64(lo), float64(hi)), nil
	case I64:
		return clip[int64](math.MinInt64, math.MaxInt64), nil
	case I32:
		return clip[int32](math.MinInt32, math.MaxInt32), nil
	case I8:
		return clip[int8](math.MinInt8, math.MaxInt8), nil
	case U8:
		return clip[uint8](0, math.MaxUint8), nil
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

func clip[T number](lo, hi T) kernel {
	return func(a *args) error {
		lo, hi := lo, hi
		if len(a.in) > 1 && a.in[1] != nil {
			lo = data[T](a.in[1])[0]
		}
		if len(a.in) > 2 && a.in[2] != nil {
			hi = data[T](a.in[2])[0]
		}
		dst := data[T](a.out[0])
		for i, x := range data[T](a.in[0]) {
			if x < lo {
				x = lo
			}
			if x > hi {
				x = hi
			}
			dst[i] = x
		}
		return nil
	}
}

func planWhere(c *call) (kernel, error) {
	if err := c.is(0, Bool); err != nil {
		return nil, err
	}
	if c.typ(1) != c.typ(2) {
		return nil, c.fail("its values are %s and %s, expected one type", c.typ(1), c.typ(2))
	}
	shape, err := c.broadcast(c.shape(0), c.shape(1), c.shape(2))
	if err != nil {
		return nil, err
	}
	if err := c.result(0, c.typ(1), shape...); err != nil {
		return nil, err
	}
	l := newLoops(shape, c.shape(0), c.shape(1), c.shape(2))
	switch c.typ(1).size() {
	case 8:
		return where[int64](l), nil
	case 4:
		return where[int32](l), nil
	}
	return where[uint8](l), nil
}

// where moves elements as integers of their size.
func where[T int64 | int32 | uint8](l *loops) kernel {
	return func(a *args) error {
		test := rawData[uint8](a.in[0])
		dst, x, y := rawData[T](a.out[0]), rawData[T](a.in[1]), rawData[T](a.in[2])
		if len(dst) == 0 {
			return nil
		}
		var at cursor
		for i := range l.count() {
			d := dst[i*l.run : (i+1)*l.run]
			for j := range d {
				d[j] = y[at.at[2]+j*l.inner[2]]
				if test[at.at[0]+j*l.inner[0]] != 0 {
					d[j] = x[at.at[1]+j*l.inner[1]]
				}
			}
			l.next(&at)
		}
		return nil
	}
}
