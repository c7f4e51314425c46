package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/tensor"
)

// Float reads a tensor as elements of type F. Every stored type but Unknown
// is taken: halves and bfloat16 are widened exactly, F64 to float32 and
// integers beyond the mantissa round to nearest, ties to even; a boolean is 0
// or 1. F32 to float32 and F64 to float64 keep their bits. The result is the
// caller's own. An Opener is read piecewise.
func Float[F tensor.Float](src Source, name string) (tensor.DenseOf[F], error) {
	info, r, err := open(src, name)
	if err != nil {
		return tensor.DenseOf[F]{}, located(src, err)
	}
	d, err := floats[F](info, r)
	return d, located(src, err)
}

// FloatInto reads a tensor as Float does into dst, which must have as many elements,
// and takes no memory but a piece of 64 KiB; F32 as float32 and F64 as float64 are read
// into dst itself. It is an ErrFormat for another number of elements. After an error
// dst holds anything.
func FloatInto[F tensor.Float](src Source, name string, dst []F) error {
	info, r, err := open(src, name)
	if err == nil {
		err = readable(info)
	}
	if err == nil && info.Len() != len(dst) {
		err = &Error{Tensor: name, Reason: fmt.Sprintf("shape %v has %d elements, expected %d", info.Shape, info.Len(), len(dst))}
	}
	if err == nil {
		err = floatsInto(dst, info, r)
	}
	return located(src, err)
}

// FloatOf converts one tensor as Float does.
func FloatOf[F tensor.Float](t Tensor) (tensor.DenseOf[F], error) {
	if err := t.Check(); err != nil {
		return tensor.DenseOf[F]{}, err
	}
	return floats[F](t.Info, bytes.NewReader(t.Data))
}

// Ints reads a tensor of integers or booleans and returns its elements in
// row-major order and its shape, both the caller's own. It is an ErrDType if
// the tensor holds floating-point numbers or an integer beyond int64.
func Ints(src Source, name string) (values []int64, shape []int, err error) {
	info, r, err := open(src, name)
	if err != nil {
		return nil, nil, located(src, err)
	}
	values, shape, err = ints(info, r)
	return values, shape, located(src, err)
}

// IntsOf converts one tensor as Ints does.
func IntsOf(t Tensor) (values []int64, shape []int, err error) {
	if err := t.Check(); err != nil {
		return nil, nil, err
	}
	return ints(t.Info, bytes.NewReader(t.Data))
}

// located adds the file's name to an error that lacks it, if src knows it.
func located(src Source, err error) error {
	n, named := src.(interface{ Name() string })
	if e := (*Error)(nil); named && errors.As(err, &e) && e.File == "" {
		with := *e
		with.File = n.Name()
		return &with
	}
	return err
}

func open(src Source, name string) (Info, io.Reader, error) {
	if o, ok := src.(Opener); ok {
		return o.OpenTensor(name)
	}
	t, err := src.Tensor(name)
	if err != nil {
		return Info{}, nil, err
	}
	if err := t.Check(); err != nil {
		return Info{}, nil, err
	}
	return t.Info, bytes.NewReader(t.Data), nil
}

// pieceBytes is how much of a tensor is read at a time: a multiple of every
// element size, and small against any cache.
const pieceBytes = 1 << 16

// directBytes is how much is asked of a file at a time where nothing is converted: a
// reader may check or unpack what it hands out.
const directBytes = 1 << 20

// pieces reads info's bytes in pieces and gives each to f with the index of
// its first element.
func pieces(info Info, r io.Reader, f func(first int, b []byte)) error {
	size := info.DType.Size()
	buf := make([]byte, min(pieceBytes, info.Bytes))
	for done := int64(0); done < info.Bytes; {
		b := buf[:min(int64(len(buf)), info.Bytes-done)]
		if err := fill(info, r, b, done); err != nil {
			return err
		}
		f(int(done)/size, b)
		done += int64(len(b))
	}
	return nil
}

func floats[F tensor.Float](info Info, r io.Reader) (tensor.DenseOf[F], error) {
	if err := readable(info); err != nil { // before memory is taken for it
		return tensor.DenseOf[F]{}, err
	}
	d := tensor.DenseOf[F]{Shape: append([]int{}, info.Shape...), Data: make([]F, info.Len())}
	if err := floatsInto(d.Data, info, r); err != nil {
		return tensor.DenseOf[F]{}, err
	}
	return d, nil
}

// readable refuses elements that are no numbers.
func readable(info Info) error {
	if info.DType.Size() == 0 {
		return &Error{Tensor: info.Name, Reason: fmt.Sprintf("element type %s cannot be read as numbers", info.Type()), Err: ErrDType}
	}
	return nil
}

// floatsInto reads info's elements, as many as dst has. Where the file has them as
// memory has, they are read into dst.
func floatsInto[F tensor.Float](dst []F, info Info, r io.Reader) error {
	if b := sameBytes(dst, info.DType); b != nil {
		for done := 0; done < len(b); done += directBytes {
			if err := fill(info, r, b[done:min(done+directBytes, len(b))], int64(done)); err != nil {
				return err
			}
		}
		return nil
	}
	return pieces(info, r, func(first int, b []byte) { decode(dst[first:], b, info.DType) })
}

// fill reads the bytes of b, which are info's from byte done on.
func fill(info Info, r io.Reader, b []byte, done int64) error {
	if _, err := io.ReadFull(r, b); err != nil {
		return &Error{Tensor: info.Name, Place: fmt.Sprintf("byte %d of %d of its data", done, info.Bytes), Reason: "reading failed: " + err.Error(), Err: err}
	}
	return nil
}

func ints(info Info, r io.Reader) ([]int64, []int, error) {
	if info.DType.Size() == 0 || info.DType.IsFloat() {
		return nil, nil, &Error{Tensor: info.Name, Reason: fmt.Sprintf("element type is %s, expected integers", info.Type()), Err: ErrDType}
	}
	v := make([]int64, info.Len())
	tooLarge := -1
	err := pieces(info, r, func(first int, b []byte) {
		decodeInts(v[first:], b, info.DType)
		if info.DType == U64 && tooLarge < 0 {
			if i := slices.IndexFunc(v[first:first+len(b)/8], func(x int64) bool { return x < 0 }); i >= 0 {
				tooLarge = first + i
			}
		}
	})
	if err == nil && tooLarge >= 0 {
		err = &Error{Tensor: info.Name, Place: fmt.Sprintf("element %d", tooLarge), Reason: fmt.Sprintf("%d does not fit an int64", uint64(v[tooLarge])), Err: ErrDType}
	}
	if err != nil {
		return nil, nil, err
	}
	return v, append([]int{}, info.Shape...), nil
}

// decode writes the elements of b, as many as it holds, to dst.
func decode[F tensor.Float](dst []F, b []byte, t DType) {
	le := binary.LittleEndian
	switch t {
	case F64:
		for i := range len(b) / 8 {
			dst[i] = F(math.Float64frombits(le.Uint64(b[8*i:])))
		}
	case F32:
		for i := range len(b) / 4 {
			dst[i] = F(math.Float32frombits(le.Uint32(b[4*i:])))
		}
	case F16:
		for i := range len(b) / 2 {
			dst[i] = F(Float16(le.Uint16(b[2*i:])))
		}
	case BF16:
		for i := range len(b) / 2 {
			dst[i] = F(BFloat16(le.Uint16(b[2*i:])))
		}
	case U64:
		for i := range len(b) / 8 {
			dst[i] = F(le.Uint64(b[8*i:]))
		}
	default:
		var v [512]int64
		size := t.Size()
		for len(b) > 0 {
			n := min(len(b)/size, len(v))
			decodeInts(v[:n], b[:n*size], t)
			for i, x := range v[:n] {
				dst[i] = F(x)
			}
			dst, b = dst[n:], b[n*size:]
		}
	}
}

// decodeInts is decode for integers and booleans; a U64 beyond int64 comes
// out negative.
func decodeInts(dst []int64, b []byte, t DType) {
	le := binary.LittleEndian
	for i := range len(b) / t.Size() {
		switch t {
		case I64, U64:
			dst[i] = int64(le.Uint64(b[8*i:]))
		case I32:
			dst[i] = int64(int32(le.Uint32(b[4*i:])))
		case U32:
			dst[i] = int64(le.Uint32(b[4*i:]))
		case I16:
			dst[i] = int64(int16(le.Uint16(b[2*i:])))
		case U16:
			dst[i] = int64(le.Uint16(b[2*i:]))
		case I8:
			dst[i] = int64(int8(b[i]))
		case U8:
			dst[i] = int64(b[i])
		case Bool:
			dst[i] = 0
			if b[i] != 0 {
				dst[i] = 1
			}
		}
	}
}

// Of makes a tensor to be written, F32 or F64 as F is. The bytes are a copy.
func Of[F tensor.Float](name string, d tensor.DenseOf[F]) Tensor {
	return as(name, TypeOf[F](), d)
}

// As makes a tensor of one of the types F64, F32, F16, BF16, rounding to
// nearest, ties to even. It is an ErrDType for any other type and a
// tensor.ErrShape if d's shape and data do not belong together.
func As[F tensor.Float](name string, t DType, d tensor.DenseOf[F]) (Tensor, error) {
	if !t.IsFloat() {
		return Tensor{}, &Error{Tensor: name, Reason: fmt.Sprintf("floating-point numbers cannot be written as %s; F64, F32, F16 and BF16 can", t), Err: ErrDType}
	}
	if err := d.Check(name); err != nil {
		return Tensor{}, err
	}
	return as(name, t, d), nil
}

func as[F tensor.Float](name string, t DType, d tensor.DenseOf[F]) Tensor {
	le := binary.LittleEndian
	b := make([]byte, len(d.Data)*t.Size())
	switch t {
	case F64:
		for i, x := range d.Data {
			le.PutUint64(b[8*i:], math.Float64bits(float64(x)))
		}
	case F32:
		for i, x := range d.Data {
			le.PutUint32(b[4*i:], math.Float32bits(float32(x)))
		}
	case F16:
		for i, x := range d.Data {
			le.PutUint16(b[2*i:], narrow(float64(x), 5))
		}
	case BF16:
		for i, x := range d.Data {
			le.PutUint16(b[2*i:], narrow(float64(x), 8))
		}
	}
	return Tensor{Info{Name: name, DType: t, Shape: append([]int{}, d.Shape...), Bytes: int64(len(b))}, b}
}

// OfInts makes an I64 tensor to be written; the bytes are a copy. No shape
// means one dimension of len(v). Check tells if values and shape do not
// belong together.
func OfInts(name string, v []int64, shape ...int) Tensor {
	b := make([]byte, 8*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint64(b[8*i:], uint64(x))
	}
	if len(shape) == 0 {
		shape = []int{len(v)}
	}
	return Tensor{Info{Name: name, DType: I64, Shape: append([]int{}, shape...), Bytes: int64(len(b))}, b}
}
