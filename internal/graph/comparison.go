package graph

import "math"

// Operators that compare, and those of truth values.

func comparisonRows() []row {
	return []row{
		comparisonRow("Equal", equal[float32], equal[float64], equal[int64], equal[int32], equal[int8], equal[uint8]),
		comparisonRow("Greater", greater[float32], greater[float64], greater[int64], greater[int32], greater[int8], greater[uint8]),
		comparisonRow("GreaterOrEqual", greaterEqual[float32], greaterEqual[float64], greaterEqual[int64], greaterEqual[int32], greaterEqual[int8], greaterEqual[uint8]),
		comparisonRow("Less", less[float32], less[float64], less[int64], less[int32], less[int8], less[uint8]),
		comparisonRow("LessOrEqual", lessEqual[float32], lessEqual[float64], lessEqual[int64], lessEqual[int32], lessEqual[int8], lessEqual[uint8]),
		truthRow("And", func(x, y bool) bool { return x && y }),
		truthRow("Or", func(x, y bool) bool { return x || y }),
		truthRow("Xor", func(x, y bool) bool { return x != y }),
		{op: "Not", min: 1, max: 1, axes: broadcastAxes, plan: func(c *call) (kernel, error) {
			if err := c.is(0, Bool); err != nil {
				return nil, err
			}
			return mapping(c, func(dst, x []bool) {
				for i, v := range x {
					dst[i] = !v
				}
			})
		}},
		testRow("IsNaN", nil, func(c *call) func(float64) bool { return math.IsNaN }),
		testRow("IsInf", []string{"detect_negative", "detect_positive"}, func(c *call) func(float64) bool {
			low, high := c.intAttr("detect_negative", 1) != 0, c.intAttr("detect_positive", 1) != 0
			return func(x float64) bool { return low && math.IsInf(x, -1) || high && math.IsInf(x, 1) }
		}),
	}
}

func testRow(op string, attrs []string, f func(c *call) func(float64) bool) row {
	return row{op: op, min: 1, max: 1, attrs: attrs, axes: broadcastAxes, plan: func(c *call) (kernel, error) {
		test := f(c)
		switch c.typ(0) {
		case F32:
			return mapping(c, func(dst []bool, x []float32) {
				for i, v := range x {
					dst[i] = test(float64(v))
				}
			})
		case F64:
			return mapping(c, func(dst []bool, x []float64) {
				for i, v := range x {
					dst[i] = test(v)
				}
			})
		}
		return nil, c.unsupported("of %s", c.typ(0))
	}}
}

func truthRow(op string, f func(x, y bool) bool) row {
	return row{op: op, min: 2, max: 2, axes: broadcastAxes, plan: func(c *call) (kernel, error) {
		if err := c.is(0, Bool); err != nil {
			return nil, err
		}
		if err := c.same(1); err != nil {
			return nil, err
		}
		return planPair(c, compared(f))
	}}
}

func comparisonRow(op string, f32 func(x, y float32) bool, f64 func(x, y float64) bool, i64 func(x, y int64) bool, i32 func(x, y int32) bool, i8 func(x, y int8) bool, u8 func(x, y uint8) bool) row {
	return row{op: op, min: 2, max: 2, axes: broadcastAxes, plan: func(c *call) (kernel, error) {
		if err := c.same(1); err != nil {
			return nil, err
		}
		switch c.typ(0) {
		case F32:
			return planPair(c, compared(f32))
		case F64:
			return planPair(c, compared(f64))
		case I64:
			return planPair(c, compared(i64))
		case I32:
			return planPair(c, compared(i32))
		case I8:
			return planPair(c, compared(i8))
		case U8:
			return planPair(c, compared(u8))
		}
		if op == "Equal" {
			return planPair(c, compared(func(x, y bool) bool { return x == y }))
		}
		return nil, c.unsupported("of %s", c.typ(0))
	}}
}

func compared[T Element](f func(x, y T) bool) pairwise[T, bool] {
	return func(dst []bool, a, b []T) error {
		pairs(dst, a, b, f)
		return nil
	}
}

func equal[T number](x, y T) bool        { return x == y }
func greater[T number](x, y T) bool      { return x > y }
func greaterEqual[T number](x, y T) bool { return x >= y }
func less[T number](x, y T) bool         { return x < y }
func lessEqual[T number](x, y T) bool    { return x <= y }
