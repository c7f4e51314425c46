package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/tensor"
)

// dense is a value of floating-point numbers as a tensor, which shares them.
func dense[F float32 | float64](v model.Value) (tensor.DenseOf[F], error) {
	d := tensor.DenseOf[F]{Shape: append([]int{}, v.Shape()...), Data: model.Data[F](v)}
	return d, d.Check("output")
}

// integersText prints a value that is no floating-point number.
func integersText(v model.Value) string {
	switch v.Type() {
	case "int64":
		return tensor.FormatIntegers(model.Data[int64](v), v.Shape())
	case "int32":
		return tensor.FormatIntegers(model.Data[int32](v), v.Shape())
	case "int8":
		return tensor.FormatIntegers(model.Data[int8](v), v.Shape())
	case "uint8":
		return tensor.FormatIntegers(model.Data[uint8](v), v.Shape())
	}
	return tensor.FormatIntegers(model.Data[bool](v), v.Shape())
}

// integerTexts are the elements as JSON has them.
func integerTexts(v model.Value) []string {
	switch v.Type() {
	case "int64":
		return texts(model.Data[int64](v))
	case "int32":
		return texts(model.Data[int32](v))
	case "int8":
		return texts(model.Data[int8](v))
	case "uint8":
		return texts(model.Data[uint8](v))
	}
	return texts(model.Data[bool](v))
}

func texts[T tensor.Integer](list []T) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = fmt.Sprint(x)
	}
	return out
}

// bytesOf are the elements of an integer type as files hold them.
func bytesOf(v model.Value) (b []byte) {
	for _, x := range model.Data[int64](v) {
		b = binary.LittleEndian.AppendUint64(b, uint64(x))
	}
	for _, x := range model.Data[int32](v) {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	for _, x := range model.Data[int8](v) {
		b = append(b, byte(x))
	}
	for _, x := range model.Data[bool](v) {
		b = append(b, map[bool]byte{true: 1}[x])
	}
	return append(b, model.Data[uint8](v)...)
}

// valueOf reads a tensor as the type that an input wants. Floating-point numbers
// are rounded to float32 as PyTorch's .float() does; whole ones become integers,
// and anything else that would be lost is refused with its place.
func valueOf(src checkpoint.Source, name, want string) (model.Value, error) {
	switch want {
	case "float32", "float16", "bfloat16":
		return floats[float32](src, name)
	case "float64":
		return floats[float64](src, name)
	}
	d, shape, err := wholes(src, name)
	if err != nil {
		return model.Value{}, err
	}
	return integersOf(d, shape, want, name)
}

// floats reads floating-point numbers; integers must be held exactly.
func floats[F float32 | float64](src checkpoint.Source, name string) (model.Value, error) {
	d, err := checkpoint.Float[F](src, name)
	if err != nil {
		return model.Value{}, err
	}
	if ints, _, err := checkpoint.Ints(src, name); err == nil {
		for i, v := range ints {
			if f := float64(d.Data[i]); f >= math.MaxInt64 || int64(f) != v {
				return model.Value{}, fmt.Errorf("%q[%s] is %d, which is no number of %T; the nearest is %.0f", name, at(i, d.Shape), v, d.Data[i], f)
			}
		}
	}
	return model.FromDense(d)
}

// wholes reads integers, or floating-point numbers that are whole.
func wholes(src checkpoint.Source, name string) ([]int64, []int, error) {
	if v, shape, err := checkpoint.Ints(src, name); err == nil {
		return v, shape, nil
	}
	d, err := checkpoint.Float[float64](src, name)
	if err != nil {
		return nil, nil, err
	}
	out := make([]int64, len(d.Data))
	for i, v := range d.Data {
		if v != math.Trunc(v) || math.Abs(v) >= 1<<63 { // NaN too
			return nil, nil, fmt.Errorf("%q[%s] is %v, expected a whole number", name, at(i, d.Shape), v)
		}
		out[i] = int64(v)
	}
	return out, d.Shape, nil
}

// at is where element i stands in a shape.
func at(i int, shape []int) string {
	place := make([]string, len(shape))
	for k := len(shape) - 1; k >= 0; k-- {
		place[k] = fmt.Sprint(i % shape[k])
		i /= shape[k]
	}
	return strings.Join(place, ",")
}

// integersOf makes a value of a type of integers.
func integersOf(v []int64, shape []int, want, name string) (model.Value, error) {
	switch want {
	case "int64":
		return model.Of(v, shape...)
	case "int32":
		return narrow[int32](v, shape, name)
	case "int8":
		return narrow[int8](v, shape, name)
	case "uint8":
		return narrow[uint8](v, shape, name)
	}
	out := make([]bool, len(v))
	for i, x := range v {
		if x != 0 && x != 1 {
			return model.Value{}, fmt.Errorf("%q[%s] is %d, expected 0 or 1 for a bool", name, at(i, shape), x)
		}
		out[i] = x == 1
	}
	return model.Of(out, shape...)
}

func narrow[T int32 | int8 | uint8](v []int64, shape []int, name string) (model.Value, error) {
	out := make([]T, len(v))
	for i, x := range v {
		if out[i] = T(x); int64(out[i]) != x {
			return model.Value{}, fmt.Errorf("%q[%s] is %d, which %T does not hold", name, at(i, shape), x, out[i])
		}
	}
	return model.Of(out, shape...)
}
