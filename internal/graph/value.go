package graph

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/unroll-ml/unroll/tensor"
)

// Type is the element type of a value.
type Type uint8

// Element types. The last six are types of inputs, outputs, constants and casts alone:
// their values are held as F32, I32 or I64 (see Held), so no Value has them.
const (
	None Type = iota
	F32
	F64
	I64
	I32
	I8
	U8
	Bool
	F16
	BF16
	I16
	U16
	U32
	U64
)

var typeNames = [...]string{None: "none", F32: "float32", F64: "float64", I64: "int64", I32: "int32", I8: "int8", U8: "uint8", Bool: "bool", F16: "float16", BF16: "bfloat16", I16: "int16", U16: "uint16", U32: "uint32", U64: "uint64"}

// String returns numpy's name of the type.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return typeNames[None]
}

// Held returns the type that values of t are held as. Of U64 the numbers below 2^63
// are held.
func (t Type) Held() Type {
	switch t {
	case F16, BF16:
		return F32
	case I16, U16:
		return I32
	case U32, U64:
		return I64
	}
	return t
}

// Given returns the type by which inputs and outputs of t are called: integers as they
// are held, halves as the file has them.
func (t Type) Given() Type {
	if t.isFloat() {
		return t
	}
	return t.Held()
}

// size returns the bytes of an element as it is held.
func (t Type) size() int {
	switch t.Held() {
	case F64, I64:
		return 8
	case F32, I32:
		return 4
	case I8, U8, Bool:
		return 1
	}
	return 0
}

func (t Type) isFloat() bool { return t.Held() == F32 || t == F64 }

// Element is the set of Go's types of elements.
type Element interface {
	float32 | float64 | int64 | int32 | int8 | uint8 | bool
}

// typeOf returns the type of T's values.
func typeOf[T Element]() Type {
	var x T
	switch any(x).(type) {
	case float32:
		return F32
	case float64:
		return F64
	case int64:
		return I64
	case int32:
		return I32
	case int8:
		return I8
	case uint8:
		return U8
	}
	return Bool
}

// Value is an array: element type, shape and contiguous row-major elements. A
// Value is small, like a slice: copying it shares shape and elements. The zero
// Value is absent. An empty shape is a single number; a 0 in a shape makes a
// Value without elements.
type Value struct {
	Type  Type
	Shape []int

	n  int
	p  unsafe.Pointer // to n elements; nil where n is 0
	as Type           // of a constant of a file, where that is held as Type
}

// Of returns a value over data, which it shares, of the given shape. It is a
// tensor.ErrShape if data does not have exactly the elements the shape needs.
func Of[T Element](data []T, shape ...int) (Value, error) {
	n, err := tensor.Size(shape)
	if err != nil {
		return Value{}, err
	}
	if n != len(data) {
		return Value{}, &tensor.ShapeError{Arg: "data", Got: slices.Clone(shape), Want: fmt.Sprintf("one of as many elements as there are: %d", len(data))}
	}
	v := Value{Type: typeOf[T](), Shape: slices.Clone(shape), n: n}
	if v.Shape == nil {
		v.Shape = []int{}
	}
	v.p = unsafe.Pointer(unsafe.SliceData(data))
	return v, nil
}

// Scalar returns a single number.
func Scalar[T Element](x T) Value {
	return must(Of([]T{x}))
}

// Vector returns a value of one dimension over data, which it shares.
func Vector[T Element](data ...T) Value {
	return must(Of(data, len(data)))
}

// must is for shapes that are right by construction.
func must(v Value, err error) Value {
	if err != nil {
		panic(err)
	}
	return v
}

// New returns a value of zeros. It is a tensor.ErrShape for a shape with
// negative dimensions or more elements than memory has addresses. It bounds
// nothing else: within a program Limits do.
func New(t Type, shape ...int) (Value, error) {
	n, err := elements(t, shape)
	if err != nil {
		return Value{}, err
	}
	v := Value{Type: t.Held(), Shape: slices.Clone(shape), n: n}
	if v.Shape == nil {
		v.Shape = []int{}
	}
	if n > 0 {
		words := make([]uint64, (n*t.size()+7)/8)
		v.p = unsafe.Pointer(&words[0])
	}
	return v, nil
}

// elements returns the number of elements of a shape whose bytes fit an int.
func elements(t Type, shape []int) (int, error) {
	n, err := tensor.Size(shape)
	if err == nil && (t.size() == 0 || n > math.MaxInt/8-1) {
		err = &tensor.ShapeError{Arg: "value of " + t.String(), Got: slices.Clone(shape), Want: "fewer bytes than an int counts"}
	}
	return n, err
}

// First returns the first of v's elements under a shape that has no more of them
// than v, shared.
func (v Value) First(shape ...int) (Value, error) {
	n, err := elements(v.Type, shape)
	if err == nil && n > v.n {
		err = &tensor.ShapeError{Arg: "value", Got: slices.Clone(shape), Want: fmt.Sprintf("at most the %d elements there are", v.n)}
	}
	if err != nil {
		return Value{}, err
	}
	return Value{Type: v.Type, Shape: append([]int{}, shape...), n: n, p: v.p}, nil
}

// stands returns the type that the value has in its file.
func (v *Value) stands() Type {
	if v.as != None {
		return v.as
	}
	return v.Type
}

// IsZero reports whether v is absent.
func (v Value) IsZero() bool { return v.Type == None }

// Len returns the number of elements.
func (v Value) Len() int { return v.n }

// Bytes returns the memory of the elements.
func (v Value) Bytes() int64 { return int64(v.n) * int64(v.Type.size()) }

// Clone returns a copy that shares nothing with v.
func (v Value) Clone() Value {
	if v.IsZero() {
		return v
	}
	c := must(New(v.Type, v.Shape...))
	c.copyFrom(&v)
	return c
}

// Data returns v's elements, which are shared; nil if they are not of T.
func Data[T Element](v Value) []T {
	if v.Type != typeOf[T]() || v.p == nil {
		return nil
	}
	return unsafe.Slice((*T)(v.p), v.n)
}

// data is Data within the package: the caller has checked the type.
func data[T Element](v *Value) []T { return unsafe.Slice((*T)(v.p), v.n) }

// bytes returns the memory of the elements.
func (v *Value) bytes() []byte {
	return unsafe.Slice((*byte)(v.p), v.n*v.Type.size())
}

// copyFrom copies the elements of a value of the same type and number.
func (v *Value) copyFrom(from *Value) { copy(v.bytes(), from.bytes()) }

// ints returns the elements of an integer or boolean value as int64.
func (v *Value) ints() ([]int64, error) {
	switch v.Type {
	case I64:
		return slices.Clone(data[int64](v)), nil
	case I32:
		return widen(data[int32](v)), nil
	case I8:
		return widen(data[int8](v)), nil
	case U8, Bool:
		return widen(unsafe.Slice((*uint8)(v.p), v.n)), nil
	}
	return nil, fmt.Errorf("it is %s, expected integers", v.Type)
}

func widen[T int32 | int8 | uint8](x []T) []int64 {
	out := make([]int64, len(x))
	for i, e := range x {
		out[i] = int64(e)
	}
	return out
}

// String returns type and shape.
func (v Value) String() string { return fmt.Sprintf("%s %v", v.Type, v.Shape) }
