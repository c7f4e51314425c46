package graph

import (
	"github.com/unroll-ml/unroll/internal/fmath"
)

// Functions of angles, and what stands beside them, for which plain loops do.

func trigonometry() []floatFunction {
	return []floatFunction{
		{op: "Sin", wide: plain(fmath.Sin)},
		{op: "Cos", wide: plain(fmath.Cos)},
		{op: "Tan", wide: plain(fmath.Tan)},
		{op: "Asin", wide: plain(fmath.Asin)},
		{op: "Acos", wide: plain(fmath.Acos)},
		{op: "Atan", wide: plain(fmath.Atan)},
		{op: "Sinh", wide: plain(fmath.Sinh)},
		{op: "Cosh", wide: plain(fmath.Cosh)},
		{op: "Asinh", wide: plain(fmath.Asinh)},
		{op: "Acosh", wide: plain(fmath.Acosh)},
		{op: "Atanh", wide: plain(fmath.Atanh)},
		{op: "Swish", attrs: []string{"alpha"}, wide: func(c *call) func(float64) float64 {
			alpha := float64(c.floatAttr("alpha", 1))
			return func(x float64) float64 { return float64(x * sigmoid64(float64(alpha*x))) }
		}},
		{op: "Shrink", attrs: []string{"bias", "lambd"}, wide: func(c *call) func(float64) float64 {
			bias, most := float64(c.floatAttr("bias", 0)), float64(c.floatAttr("lambd", 0.5))
			return func(x float64) float64 {
				switch {
				case x < -most:
					return x + bias
				case x > most:
					return x - bias
				}
				return 0
			}
		}},
	}
}

// bits are the rows of operators on the bits of integers.
func bitRows() []row {
	shift := row{op: "BitShift", min: 2, max: 2, attrs: []string{"direction"}, axes: broadcastAxes, plan: func(c *call) (kernel, error) {
		left := func(x, y uint8) uint8 { return x << y }
		switch c.strAttr("direction", "") {
		case "LEFT":
		case "RIGHT":
			left = func(x, y uint8) uint8 { return x >> y }
		default:
			return nil, c.fail("direction is %q, expected LEFT or RIGHT", c.strAttr("direction", ""))
		}
		return planBinary(c, binaryForms{u8: func(dst, a, b []uint8) error { pairs(dst, a, b, left); return nil }})
	}}
	return []row{
		shift,
		binaryRow("BitwiseAnd", forms(nil, nil, bitwise(func(x, y int64) int64 { return x & y }), bitwise(func(x, y int32) int32 { return x & y }), bitwise(func(x, y int8) int8 { return x & y }), bitwise(func(x, y uint8) uint8 { return x & y }))),
		binaryRow("BitwiseOr", forms(nil, nil, bitwise(func(x, y int64) int64 { return x | y }), bitwise(func(x, y int32) int32 { return x | y }), bitwise(func(x, y int8) int8 { return x | y }), bitwise(func(x, y uint8) uint8 { return x | y }))),
		binaryRow("BitwiseXor", forms(nil, nil, bitwise(func(x, y int64) int64 { return x ^ y }), bitwise(func(x, y int32) int32 { return x ^ y }), bitwise(func(x, y int8) int8 { return x ^ y }), bitwise(func(x, y uint8) uint8 { return x ^ y }))),
		{op: "BitwiseNot", min: 1, max: 1, axes: broadcastAxes, plan: func(c *call) (kernel, error) {
			return unary(c, unaryForms{i64: over(func(x int64) int64 { return ^x }), i32: over(func(x int32) int32 { return ^x }), i8: over(func(x int8) int8 { return ^x }), u8: over(func(x uint8) uint8 { return ^x })})
		}},
	}
}

func bitwise[T number](f func(x, y T) T) pairwise[T, T] {
	return func(dst, a, b []T) error { pairs(dst, a, b, f); return nil }
}
