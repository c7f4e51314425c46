package torchfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// numpyNames are NumPy's codes of element types in PyTorch's words.
var numpyNames = map[string]string{
	"f8": "float64", "f4": "float32", "f2": "float16",
	"i8": "int64", "i4": "int32", "i2": "int16", "i1": "int8",
	"u8": "uint64", "u4": "uint32", "u2": "uint16", "u1": "uint8", "b1": "bool",
}

// isNumpy reports whether an object is one of numpy's arrays or numbers.
func isNumpy(o *object) bool {
	return o.class.module == "numpy" && (o.class.name == "ndarray" || o.class.name == "scalar")
}

// numpyDType returns the element type and byte order of a numpy.dtype object,
// made with its code ("f4") and given a state whose second part is the order;
// false for types that are not plain numbers.
func numpyDType(v any) (d dtype, big, ok bool) {
	o, isObject := v.(*object)
	if !isObject || o.class.String() != "numpy.dtype" || len(o.args) == 0 {
		return dtype{}, false, false
	}
	code, _ := o.args[0].(string)
	name := numpyNames[strings.TrimLeft(code, "<|=")]
	if state, isTuple := o.state.(*tuple); isTuple && len(state.items) > 1 {
		big = state.items[1] == ">"
	}
	return dtypes[name], big, name != ""
}

// numpyScalar returns the number of numpy's scalar(dtype, bytes); false if it
// is none.
func numpyScalar(o *object) (any, bool) {
	if o.class.String() != "numpy.scalar" || len(o.args) != 2 {
		return nil, false
	}
	d, big, ok := numpyDType(o.args[0])
	b, ok2 := o.args[1].(pyBytes)
	if !ok || !ok2 || int64(len(b)) != d.size {
		return nil, false
	}
	raw := make([]byte, 8)
	for i := range len(b) {
		if big {
			raw[i] = b[len(b)-1-i]
		} else {
			raw[i] = b[i]
		}
	}
	u := binary.LittleEndian.Uint64(raw)
	switch d.dtype {
	case checkpoint.F64:
		return math.Float64frombits(u), true
	case checkpoint.F32:
		return float64(math.Float32frombits(uint32(u))), true
	case checkpoint.F16:
		return float64(checkpoint.Float16(uint16(u))), true
	case checkpoint.I64:
		return int64(u), true
	case checkpoint.I32:
		return int64(int32(u)), true
	case checkpoint.I16:
		return int64(int16(u)), true
	case checkpoint.I8:
		return int64(int8(u)), true
	case checkpoint.U8, checkpoint.U16, checkpoint.U32:
		return int64(u), true
	case checkpoint.U64:
		if u > math.MaxInt64 {
			return nil, false
		}
		return int64(u), true
	case checkpoint.Bool:
		return u != 0, true
	}
	return nil, false
}

// numpyBuffer is how protocol 5 writes an array: bytes, dtype, shape, and "C" or
// "F" for the order. It becomes the object that older protocols write.
func numpyBuffer(_ *machine, args []any) (any, error) {
	if len(args) != 4 {
		return nil, errArgs
	}
	state := &tuple{[]any{int64(1), args[2], args[1], args[3] == "F", args[0]}}
	return &object{class: &global{"numpy", "ndarray"}, state: state}, nil
}

// numpyArray returns the tensor that an array's state (version, shape, dtype,
// Fortran order, bytes) describes; nil without an error if its elements are
// not plain numbers.
func numpyArray(o *object) (*stored, error) {
	state, ok := o.state.(*tuple)
	if o.class.String() != "numpy.ndarray" || !ok || len(state.items) != 5 {
		return nil, nil
	}
	size, ok := asInts(state.items[1])
	d, big, ok2 := numpyDType(state.items[2])
	fortran, ok3 := state.items[3].(bool)
	data, ok4 := state.items[4].(pyBytes)
	if !ok || !ok2 || !ok3 || !ok4 || len(size) > checkpoint.MaxRank {
		return nil, nil
	}
	t := &stored{dtype: d, shape: make([]int, len(size)), stride: make([]int64, len(size))}
	for i, n := range size {
		t.shape[i] = int(n)
		if int64(t.shape[i]) != n {
			return nil, fmt.Errorf("size %d of dimension %d is beyond this machine's integers", n, i)
		}
	}
	numel, err := tensor.Size(t.shape)
	if err != nil {
		return nil, err
	}
	t.numel = int64(numel)
	if t.numel > math.MaxInt64/d.size || t.bytes() != int64(len(data)) {
		return nil, fmt.Errorf("a numpy array of shape %v and type %s does not need the %d bytes it has", t.shape, d.name, len(data))
	}
	if t.numel > 0 {
		next := int64(1)
		for i := range size {
			if !fortran {
				i = len(size) - 1 - i
			}
			t.stride[i] = next
			next *= size[i]
		}
	}
	t.rec = &record{key: "numpy", r: strings.NewReader(string(data)), size: int64(len(data)), big: big}
	return t, nil
}
