package server

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/unroll-ml/unroll/model"
)

// datatype is the protocol's name of an element type.
type datatype struct {
	name string // the protocol's
	kind string // model's
	size int    // bytes
}

var datatypes = []datatype{
	{"FP32", "float32", 4},
	{"FP64", "float64", 8},
	{"INT64", "int64", 8},
	{"INT32", "int32", 4},
	{"INT8", "int8", 1},
	{"UINT8", "uint8", 1},
	{"BOOL", "bool", 1},
}

// datatypeOf returns the protocol's name of a model's type.
func datatypeOf(kind string) string {
	for _, d := range datatypes {
		if d.kind == kind {
			return d.name
		}
	}
	return kind
}

func datatypeNamed(name string) (datatype, bool) {
	for _, d := range datatypes {
		if d.name == name {
			return d, true
		}
	}
	return datatype{}, false
}

// tensor is a value under its name.
type tensor struct {
	name  string
	value model.Value
}

// maxDims bounds the dimensions of a tensor.
const maxDims = 8

// elements returns the number of elements of a shape, which is at most most.
func elements(name string, shape []int64, most int64) (int, []int, *failure) {
	if len(shape) > maxDims {
		return 0, nil, failf(badRequest, "input %.80q has %d dimensions, expected at most %d", name, len(shape), maxDims)
	}
	n, dims := int64(1), make([]int, len(shape))
	for i, d := range shape {
		if d < 0 || d > math.MaxInt32 {
			return 0, nil, failf(badRequest, "input %.80q has the shape %v, expected dimensions of 0 to %d", name, shape, math.MaxInt32)
		}
		if n *= d; n > most { // d is below 2^31 and n was at most most, below 2^31
			return 0, nil, failf(tooLarge, "input %.80q has the shape %v, more than %d elements", name, shape, most)
		}
		dims[i] = int(d)
	}
	return int(n), dims, nil
}

// fromBytes reads a tensor of little-endian elements, which b must hold exactly.
func fromBytes(name, typ string, shape []int64, b []byte) (model.Value, *failure) {
	d, ok := datatypeNamed(typ)
	if !ok {
		return model.Value{}, failf(badRequest, "input %.80q has the datatype %.40q, expected FP32, FP64, INT64, INT32, INT8, UINT8 or BOOL", name, typ)
	}
	n, dims, f := elements(name, shape, math.MaxInt32)
	if f != nil {
		return model.Value{}, f
	}
	if len(b) != n*d.size {
		return model.Value{}, failf(badRequest, "input %.80q has %d bytes, expected %d for %s %v", name, len(b), n*d.size, typ, shape)
	}
	switch d.kind {
	case "float32":
		return read(b, n, dims, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })
	case "float64":
		return read(b, n, dims, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) })
	case "int64":
		return read(b, n, dims, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) })
	case "int32":
		return read(b, n, dims, func(b []byte) int32 { return int32(binary.LittleEndian.Uint32(b)) })
	case "int8":
		return read(b, n, dims, func(b []byte) int8 { return int8(b[0]) })
	case "uint8":
		return valueOf(b, dims)
	}
	for _, v := range b {
		if v > 1 {
			return model.Value{}, failf(badRequest, "input %.80q of BOOL has the byte %d, expected 0 or 1", name, v)
		}
	}
	return read(b, n, dims, func(b []byte) bool { return b[0] == 1 })
}

// read returns n elements of bytes, whose memory it shares where it can: the
// request is ours, and nobody writes to it.
func read[T model.Element](b []byte, n int, dims []int, get func([]byte) T) (model.Value, *failure) {
	size := int(unsafe.Sizeof(*new(T)))
	if p := unsafe.Pointer(unsafe.SliceData(b)); littleEndian && uintptr(p)%uintptr(size) == 0 {
		return valueOf(unsafe.Slice((*T)(p), n), dims)
	}
	data := make([]T, n)
	for i := range data {
		data[i] = get(b[i*size:])
	}
	return valueOf(data, dims)
}

// littleEndian says that numbers lie in memory as the protocol has them.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

func valueOf[T model.Element](data []T, dims []int) (model.Value, *failure) {
	v, err := model.Of(data, dims...)
	if err != nil {
		return v, failed(err)
	}
	return v, nil
}

// appendBytes writes a value's elements as little-endian bytes.
func appendBytes(b []byte, v model.Value) []byte {
	switch v.Type() {
	case "float32":
		return appendAll(b, model.Data[float32](v), func(b []byte, x float32) []byte {
			return binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		})
	case "float64":
		return appendAll(b, model.Data[float64](v), func(b []byte, x float64) []byte {
			return binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		})
	case "int64":
		return appendAll(b, model.Data[int64](v), func(b []byte, x int64) []byte { return binary.LittleEndian.AppendUint64(b, uint64(x)) })
	case "int32":
		return appendAll(b, model.Data[int32](v), func(b []byte, x int32) []byte { return binary.LittleEndian.AppendUint32(b, uint32(x)) })
	case "int8":
		return appendAll(b, model.Data[int8](v), func(b []byte, x int8) []byte { return append(b, byte(x)) })
	case "uint8":
		return append(b, model.Data[uint8](v)...)
	case "bool":
		return appendAll(b, model.Data[bool](v), func(b []byte, x bool) []byte {
			if x {
				return append(b, 1)
			}
			return append(b, 0)
		})
	}
	return b
}

func appendAll[T model.Element](b []byte, data []T, one func([]byte, T) []byte) []byte {
	if littleEndian {
		return append(b, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(*new(T))))...)
	}
	for _, x := range data {
		b = one(b, x)
	}
	return b
}

// rawBytes is a value as little-endian bytes, whose memory it may share: then nobody
// may write to the value while they are used.
func rawBytes(v model.Value, share bool) []byte {
	if data := model.Data[float32](v); share && littleEndian && len(data) > 0 {
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), 4*len(data))
	}
	return appendBytes(make([]byte, 0, byteLen(v)), v)
}

// byteLen is how many bytes appendBytes writes.
func byteLen(v model.Value) int {
	n := 1
	for _, d := range v.Shape() {
		n *= d
	}
	for _, d := range datatypes {
		if d.kind == v.Type() {
			return n * d.size
		}
	}
	return 0
}

// byteStrings reads n elements of BYTES: each has its length, 4 bytes, before it.
func byteStrings(name string, b []byte, n int) ([]string, *failure) {
	all := make([]string, 0, min(n, len(b)/4))
	text := string(b) // of which each is a part: one memory, not one for each
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, failf(badRequest, "input %.80q of BYTES ends within a length", name)
		}
		size := uint64(binary.LittleEndian.Uint32(b))
		if size > uint64(len(b)-4) {
			return nil, failf(badRequest, "input %.80q of BYTES has an element of %d bytes, and %d are left", name, size, len(b)-4)
		}
		all = append(all, text[4:4+size])
		b, text = b[4+size:], text[4+size:]
	}
	if len(all) != n {
		return nil, failf(badRequest, "input %.80q has %d elements, expected %s", name, len(all), fmt.Sprint(n))
	}
	return all, nil
}
