// Package text reads and writes arrays of numbers as text: CSV, one matrix,
// and JSON Lines, one record of numbers or nested arrays a line.
//
// What ReadCSV and ReadJSONLines read is kept in memory, never more than a few times
// the text's size; Matrix, Rows and Lines hold a row. Errors tell file, line and column.
package text

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// bits returns the size of F for strconv, so that a float32 is rounded once.
func bits[F tensor.Float]() int {
	if _, ok := any(F(0)).(float64); ok {
		return 64
	}
	return 32
}

// elements formats a tensor's elements one by one: integers as integers,
// floats with the fewest digits that give the same number back when read at
// the stored precision.
func elements(t checkpoint.Tensor) (func(b []byte, i int) []byte, error) {
	if !t.DType.IsFloat() {
		v, _, err := checkpoint.IntsOf(t)
		return func(b []byte, i int) []byte { return strconv.AppendInt(b, v[i], 10) }, err
	}
	switch le := binary.LittleEndian; t.DType {
	case checkpoint.F32: // as they stand, without memory for all of them
		return func(b []byte, i int) []byte {
			return appendFloat(b, float64(math.Float32frombits(le.Uint32(t.Data[4*i:]))), 32)
		}, t.Check()
	case checkpoint.F64:
		return func(b []byte, i int) []byte {
			return appendFloat(b, math.Float64frombits(le.Uint64(t.Data[8*i:])), 64)
		}, t.Check()
	}
	d, err := checkpoint.FloatOf[float64](t)
	return func(b []byte, i int) []byte { return appendFloat(b, d.Data[i], 32) }, err
}

// appendFloat writes NaN and the infinities as Python's json module and CSV
// readers know them.
func appendFloat(b []byte, x float64, size int) []byte {
	switch {
	case math.IsNaN(x):
		return append(b, "NaN"...)
	case math.IsInf(x, 1):
		return append(b, "Infinity"...)
	case math.IsInf(x, -1):
		return append(b, "-Infinity"...)
	}
	return strconv.AppendFloat(b, x, 'g', -1, size)
}
