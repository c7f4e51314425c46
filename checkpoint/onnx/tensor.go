package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// elementTypes are TensorProto.DataType by number; an empty DType can be
// listed but not read.
var elementTypes = [...]struct {
	name string
	t    checkpoint.DType
}{
	1:  {"FLOAT", checkpoint.F32},
	2:  {"UINT8", checkpoint.U8},
	3:  {"INT8", checkpoint.I8},
	4:  {"UINT16", checkpoint.U16},
	5:  {"INT16", checkpoint.I16},
	6:  {"INT32", checkpoint.I32},
	7:  {"INT64", checkpoint.I64},
	8:  {"STRING", checkpoint.Unknown},
	9:  {"BOOL", checkpoint.Bool},
	10: {"FLOAT16", checkpoint.F16},
	11: {"DOUBLE", checkpoint.F64},
	12: {"UINT32", checkpoint.U32},
	13: {"UINT64", checkpoint.U64},
	14: {"COMPLEX64", checkpoint.Unknown},
	15: {"COMPLEX128", checkpoint.Unknown},
	16: {"BFLOAT16", checkpoint.BF16},
}

func elementType(n int64) (checkpoint.DType, string) {
	if n >= 1 && n < int64(len(elementTypes)) {
		return elementTypes[n].t, elementTypes[n].name
	}
	return checkpoint.Unknown, fmt.Sprintf("type %d", n)
}

// typeNumber is elementType's inverse.
func typeNumber(t checkpoint.DType) int64 {
	for i, e := range elementTypes {
		if e.t == t && t != checkpoint.Unknown {
			return int64(i)
		}
	}
	return 0
}

// stored is a tensor of the file: its data is in memory, in the open file, or in
// another one.
type stored struct {
	checkpoint.Tensor
	held     *held
	external *external
}

// external says where the data of a tensor lies in a file of its own.
type external struct {
	location       string
	offset, length int64 // length -1: not given
}

// tensorFields are the fields of a TensorProto.
type tensorFields struct {
	name               string
	dims, i32s, i64s   []int64
	u64s               []int64
	elem, location     int64
	f32s, f64s, raw    []byte
	hasRaw, hasStrings bool
	pairs              [][]byte
}

// parseTensor reads a TensorProto, whose numbers are held if h is not nil.
func parseTensor(b []byte, h *held) (*stored, error) {
	var f tensorFields
	err := walk(b, "tensor", f.read)
	if err != nil {
		return nil, &checkpoint.Error{Tensor: f.name, Reason: err.Error()}
	}
	return f.tensor(h)
}

// read takes one field.
func (f *tensorFields) read(v field) (err error) {
	const message = "tensor"
	switch v.num {
	case 1:
		err = v.ints(message, &f.dims)
		if err == nil && len(f.dims) > checkpoint.MaxRank {
			err = fmt.Errorf("tensor: more than %d dimensions", checkpoint.MaxRank)
		}
	case 2:
		err = v.int(message, &f.elem)
	case 3:
		err = fmt.Errorf("tensor: a tensor in segments is not read")
	case 4:
		err = v.fixed(message, 4, &f.f32s)
	case 5:
		err = v.ints(message, &f.i32s)
	case 6:
		f.hasStrings = true
	case 7:
		err = v.ints(message, &f.i64s)
	case 8:
		err = v.str(message, &f.name)
	case 9:
		f.raw, err = v.bytes(message)
		f.hasRaw = true
	case 10:
		err = v.fixed(message, 8, &f.f64s)
	case 11:
		err = v.ints(message, &f.u64s)
	case 13:
		var pair []byte
		pair, err = v.bytes(message)
		f.pairs = append(f.pairs, pair)
	case 14:
		err = v.int(message, &f.location)
	}
	return err
}

// tensor makes the tensor of the fields.
func (f *tensorFields) tensor(h *held) (*stored, error) {
	fail := func(format string, a ...any) (*stored, error) {
		return nil, &checkpoint.Error{Tensor: f.name, Reason: fmt.Sprintf(format, a...)}
	}
	shape := make([]int, len(f.dims))
	for i, d := range f.dims {
		if d < 0 || d > math.MaxInt {
			return fail("dimension %d is %d", i, d)
		}
		shape[i] = int(d)
	}
	t, typeName := elementType(f.elem)
	if t == checkpoint.Unknown {
		if f.elem == 0 && !f.hasStrings {
			return fail("it has no element type")
		}
		if _, err := tensor.Size(shape); err != nil {
			return fail("shape %v has more elements than can be counted", shape)
		}
		return &stored{Tensor: checkpoint.Tensor{Info: checkpoint.Info{Name: f.name, TypeName: typeName, Shape: shape}}}, nil
	}
	info, err := checkpoint.NewInfo(f.name, t, shape)
	if err != nil {
		return nil, err
	}
	s := &stored{Tensor: checkpoint.Tensor{Info: info}}
	switch f.location {
	case 0:
		if h != nil {
			return s, h.hold(s)
		}
		s.Data, err = f.data(t)
	case 1:
		if s.external, err = parseExternal(f.pairs); err == nil {
			return s, nil
		}
	default:
		return fail("data_location is %d, 0 (in the file) and 1 (external) are known", f.location)
	}
	if err != nil {
		return nil, &checkpoint.Error{Tensor: f.name, Reason: err.Error()}
	}
	if int64(len(s.Data)) != info.Bytes {
		return fail("shape %v of %s needs %d bytes, %d are there", shape, t, info.Bytes, len(s.Data))
	}
	return s, nil
}

// data returns the elements, from the field that a type has.
func (f *tensorFields) data(t checkpoint.DType) ([]byte, error) {
	switch {
	case f.hasRaw:
		return f.raw, nil
	case t == checkpoint.F32:
		return f.f32s, nil
	case t == checkpoint.F64:
		return f.f64s, nil
	case t == checkpoint.I64:
		return integers(f.i64s, t)
	case t == checkpoint.U64 || t == checkpoint.U32:
		return integers(f.u64s, t)
	}
	return integers(f.i32s, t) // halves too: their bits stand in int32_data
}

// integers lays out numbers of an integer field as elements of t.
func integers(v []int64, t checkpoint.DType) ([]byte, error) {
	size := t.Size()
	out := make([]byte, len(v)*size)
	for i, x := range v {
		b := out[i*size:]
		fits := true
		switch size {
		case 8:
			binary.LittleEndian.PutUint64(b, uint64(x))
		case 4:
			binary.LittleEndian.PutUint32(b, uint32(x))
			fits = t == checkpoint.U32 && x>>32 == 0 || t == checkpoint.I32 && x == int64(int32(x))
		case 2: // signed, unsigned and halves alike: 16 bits, perhaps sign-extended
			binary.LittleEndian.PutUint16(b, uint16(x))
			fits = x >= math.MinInt16 && x <= math.MaxUint16
		case 1:
			b[0] = byte(x)
			fits = x >= math.MinInt8 && x <= math.MaxUint8
		}
		if !fits {
			return nil, fmt.Errorf("element %d is %d, which does not fit %s", i, x, t)
		}
	}
	return out, nil
}

// parseExternal reads the entries of TensorProto.external_data.
func parseExternal(pairs [][]byte) (*external, error) {
	e := &external{length: -1}
	for _, p := range pairs {
		key, value, err := parsePair(p)
		if err != nil {
			return nil, err
		}
		switch key {
		case "location":
			e.location = value
		case "offset", "length":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("external_data: %s is %q, expected a number from 0", key, value)
			}
			if key == "offset" {
				e.offset = n
			} else {
				e.length = n
			}
		}
	}
	if e.location == "" {
		return nil, fmt.Errorf("external_data: there is no location")
	}
	return e, nil
}

// parsePair reads a StringStringEntryProto.
func parsePair(b []byte) (key, value string, err error) {
	err = walk(b, "entry", func(v field) error {
		switch v.num {
		case 1:
			return v.str("entry", &key)
		case 2:
			text, err := v.bytes("entry")
			value = string(text) // metadata may be longer than a name
			return err
		}
		return nil
	})
	return key, value, err
}
