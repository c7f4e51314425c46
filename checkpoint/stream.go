package checkpoint

import (
	"io"

	"github.com/unroll-ml/unroll/tensor"
)

// Floats reads the elements of one tensor in order, as Float converts them, a few at a
// time. It is for one goroutine at a time.
type Floats[F tensor.Float] struct {
	Info Info

	src  Source
	r    io.Reader
	left int // elements
}

// OpenFloats begins to read a tensor. Errors are those of Float.
func OpenFloats[F tensor.Float](src Source, name string) (*Floats[F], error) {
	info, r, err := open(src, name)
	if err == nil {
		err = readable(info)
	}
	if err != nil {
		return nil, located(src, err)
	}
	return &Floats[F]{Info: info, src: src, r: r, left: info.Len()}, nil
}

// Read reads the next elements into dst and returns how many: less than dst has only
// at the end, and io.EOF where none is left. Other errors are those of Float.
func (f *Floats[F]) Read(dst []F) (int, error) {
	n := min(len(dst), f.left)
	if n == 0 && len(dst) > 0 {
		return 0, io.EOF
	}
	part := f.Info
	part.Bytes = int64(n) * int64(part.DType.Size())
	if err := floatsInto(dst[:n], part, f.r); err != nil {
		return 0, located(f.src, err)
	}
	f.left -= n
	return n, nil
}

// AppendFloats appends v to b as a file has them: F32 or F64, little-endian.
func AppendFloats[F tensor.Float](b []byte, v []F) []byte {
	t := TypeOf[F]()
	if same := sameBytes(v, t); same != nil {
		return append(b, same...)
	}
	return append(b, as("", t, tensor.DenseOf[F]{Shape: []int{len(v)}, Data: v}).Data...)
}

// TypeOf is the element type of F, F32 or F64.
func TypeOf[F tensor.Float]() DType {
	if _, ok := any(F(0)).(float64); ok {
		return F64
	}
	return F32
}
