package model

import (
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/tensor"
)

// Value is an array of numbers: an element type, a shape, and contiguous elements
// in row-major order. It is small, like a slice: a copy shares shape and elements.
// The zero Value is absent. An empty shape is a single number.
type Value struct{ v graph.Value }

// Element is the set of Go's types of elements.
type Element interface {
	float32 | float64 | int64 | int32 | int8 | uint8 | bool
}

// Of returns a value over data, which it shares. It is a tensor.ErrShape if the
// shape does not have exactly the elements of data.
func Of[T Element](data []T, shape ...int) (Value, error) {
	v, err := graph.Of(data, shape...)
	return Value{v}, err
}

// FromDense returns a value that shares the elements of d.
func FromDense[F tensor.Float](d tensor.DenseOf[F]) (Value, error) {
	switch data := any(d.Data).(type) {
	case []float32:
		return Of(data, d.Shape...)
	case []float64:
		return Of(data, d.Shape...)
	}
	return Value{}, nil // F is one of the two
}

// Data returns the elements, which are shared; nil if they are not of type T.
func Data[T Element](v Value) []T { return graph.Data[T](v.v) }

// Dense returns a float32 value as a tensor that shares its elements; the zero
// Dense if it is of another type.
func (v Value) Dense() tensor.Dense {
	data := Data[float32](v)
	if data == nil && (v.v.Type != graph.F32 || v.v.Len() > 0) {
		return tensor.Dense{}
	}
	return tensor.Dense{Shape: v.v.Shape, Data: data}
}

// Type returns numpy's name of the element type: float32, float64, int64, int32,
// int8, uint8 or bool.
func (v Value) Type() string { return v.v.Type.String() }

// Shape returns the shape, which must not be changed.
func (v Value) Shape() []int { return v.v.Shape }

// IsZero reports whether v is absent.
func (v Value) IsZero() bool { return v.v.IsZero() }

// Clone returns a copy that shares nothing with v.
func (v Value) Clone() Value { return Value{v.v.Clone()} }

// String returns type and shape.
func (v Value) String() string { return v.v.String() }
