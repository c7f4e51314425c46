// Package tensor holds the one data type that crosses every border of the
// project: a shape and a contiguous row-major slice of float32 or float64.
//
// A tensor is a small value, like a slice: copying it shares the data. Nothing
// here locks; whoever shares the data between goroutines keeps it unchanged.
package tensor

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Float is the set of element types the engine computes with.
type Float interface{ float32 | float64 }

// DenseOf is a tensor of element type F: Data holds the elements in row-major
// order, the last index running fastest.
//
// The zero value (nil Shape) is the absent tensor: no initial state, say. A
// tensor with an empty, non-nil Shape is a single number; one with a zero in
// its Shape has no elements and is valid.
type DenseOf[F Float] struct {
	Shape []int
	Data  []F
}

// Dense is a tensor of float32, the default element type.
type Dense = DenseOf[float32]

// ErrShape is the kind of every error about shapes.
var ErrShape = errors.New("tensor: wrong shape")

// ShapeError tells what shape an argument had and which one it should have
// had. It is an ErrShape.
type ShapeError struct {
	Arg  string // the argument or tensor at fault
	Got  []int
	Want string // what was expected, in words or as a shape
}

// Error returns one line: the argument, what came, what was expected.
func (e *ShapeError) Error() string {
	return fmt.Sprintf("%s has shape %v, expected %s", e.Arg, e.Got, e.Want)
}

// Unwrap returns ErrShape.
func (e *ShapeError) Unwrap() error { return ErrShape }

// New returns a float32 tensor of zeros. See NewOf.
func New(shape ...int) Dense { return NewOf[float32](shape...) }

// NewOf returns a tensor of zeros with a copy of the given shape. A shape that
// Size refuses (a negative dimension, a product beyond int) gives a tensor
// without data, which Check refuses.
func NewOf[F Float](shape ...int) DenseOf[F] {
	d := DenseOf[F]{Shape: append(make([]int, 0, len(shape)), shape...)}
	if n, err := Size(shape); err == nil {
		d.Data = make([]F, n)
	}
	return d
}

// Of returns a tensor over data, which it shares, with a copy of shape. It is
// an ErrShape if data does not have exactly the elements the shape needs.
func Of[F Float](data []F, shape ...int) (DenseOf[F], error) {
	d := DenseOf[F]{Shape: append(make([]int, 0, len(shape)), shape...), Data: data}
	return d, d.Check("data")
}

// Size returns the number of elements of a shape: the product of its
// dimensions, 1 for the empty shape. It is an ErrShape if a dimension is
// negative or the product does not fit an int.
func Size(shape []int) (int, error) {
	n, empty := 1, slices.Contains(shape, 0)
	for _, d := range shape {
		if d < 0 {
			return 0, &ShapeError{Arg: "tensor", Got: slices.Clone(shape), Want: "dimensions of at least 0"}
		}
		if !empty && d > math.MaxInt/n {
			return 0, &ShapeError{Arg: "tensor", Got: slices.Clone(shape), Want: "a product of dimensions that fits an int"}
		}
		n *= d
	}
	return n, nil
}

// Check reports whether shape and data belong together; arg names the tensor
// in the error, which is an ErrShape.
func (d DenseOf[F]) Check(arg string) error {
	n, err := Size(d.Shape)
	if err != nil {
		return fmt.Errorf("%s: %w", arg, err)
	}
	if n != len(d.Data) || d.Shape == nil && d.Data != nil {
		return &ShapeError{Arg: arg, Got: slices.Clone(d.Shape), Want: fmt.Sprintf("one of as many elements as it has data: %d", len(d.Data))}
	}
	return nil
}

// IsZero reports whether d is the absent tensor, which has no shape at all.
func (d DenseOf[F]) IsZero() bool { return d.Shape == nil }

// Rank returns the number of dimensions.
func (d DenseOf[F]) Rank() int { return len(d.Shape) }

// Clone returns a copy that shares nothing with d.
func (d DenseOf[F]) Clone() DenseOf[F] {
	return DenseOf[F]{Shape: slices.Clone(d.Shape), Data: slices.Clone(d.Data)}
}

// Reshape returns the same data under another shape. It is an ErrShape if the
// shape has another number of elements.
func (d DenseOf[F]) Reshape(shape ...int) (DenseOf[F], error) {
	n, err := Size(shape)
	if err != nil {
		return DenseOf[F]{}, err
	}
	if n != len(d.Data) {
		return DenseOf[F]{}, &ShapeError{Arg: "tensor", Got: slices.Clone(d.Shape), Want: fmt.Sprintf("as many elements as %v", shape)}
	}
	return DenseOf[F]{Shape: append(make([]int, 0, len(shape)), shape...), Data: d.Data}, nil
}

// Convert returns the elements as type G; float64 to float32 rounds to
// nearest, ties to even. The result shares nothing with d.
func Convert[G, F Float](d DenseOf[F]) DenseOf[G] {
	out := DenseOf[G]{Shape: slices.Clone(d.Shape), Data: make([]G, len(d.Data))}
	for i, v := range d.Data {
		out.Data[i] = G(v)
	}
	return out
}
