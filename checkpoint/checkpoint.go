// Package checkpoint holds what every reader and writer of named tensors
// shares: element types, the Source they read through, and the conversion of
// stored bytes to the engine's numbers. The formats themselves are the
// packages below it; none of them knows of layers.
//
// A tensor from a file is a Tensor: a name, an element type, a shape and
// little-endian bytes in row-major order, whatever the file's own layout was.
package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/tensor"
)

// Kinds of errors. What a reader returns is one of them, mostly as *Error.
var (
	// ErrFormat: the bytes are not a valid file of the format, or it holds
	// something this project refuses to read.
	ErrFormat = errors.New("checkpoint: damaged or unsupported file")
	// ErrMissing: the source has no tensor of that name.
	ErrMissing = errors.New("checkpoint: no such tensor")
	// ErrDType: the tensor's element type cannot become what was asked for.
	ErrDType = errors.New("checkpoint: wrong element type")
)

// Error says what is wrong with a file: which file, which tensor, where, and
// why. Empty parts are left out of the message.
type Error struct {
	File   string // path, or the format's name when there is no path
	Tensor string // tensor at fault, if one is
	Place  string // "header byte 120", "entry data.pkl", "line 4"
	Reason string // one sentence without full stop
	Err    error  // kind or cause; nil means ErrFormat
}

// Error returns one line: file, tensor, place, reason, with what is not
// printable escaped, since parts of it come from the file.
func (e *Error) Error() string {
	s := ""
	if e.File != "" {
		s = e.File + ": "
	}
	if e.Tensor != "" {
		name, cut := e.Tensor, ""
		if len(name) > 200 { // a damaged file may have a name of megabytes
			name, cut = name[:200], "…"
		}
		s += fmt.Sprintf("tensor %q%s: ", name, cut)
	}
	if e.Place != "" {
		s += e.Place + ": "
	}
	s += e.Reason
	if e.Reason == "" && e.Err != nil {
		s += e.Err.Error()
	}
	return Printable(s)
}

// Unwrap returns the kind or cause, ErrFormat when none was set.
func (e *Error) Unwrap() error {
	if e.Err == nil {
		return ErrFormat
	}
	return e.Err
}

// MaxRank is the largest number of dimensions a reader accepts, the same as
// PyTorch's.
const MaxRank = 64

// Single is the name of the one tensor of a file whose format has no names.
const Single = "array"

// Info describes a stored tensor without its data.
type Info struct {
	Name  string
	DType DType
	// TypeName is the file's own word for the element type, set where DType
	// is Unknown so that a listing can show it.
	TypeName string
	Shape    []int // not nil; empty for a single number
	Bytes    int64 // length of the data
	Offset   int64 // where the data begins in the file; 0 where that means nothing
}

// maxEmpty bounds the product of the dimensions that are not 0 in a tensor
// without elements: no byte of the file stands for them, and what is computed
// for each row of nothing is not nothing.
const maxEmpty = 1 << 20

// rowsOf is the product of the dimensions that are not 0, maxEmpty + 1 where it
// is beyond maxEmpty.
func rowsOf(shape []int) int {
	n := 1
	for _, d := range shape {
		if d == 0 {
			continue
		}
		if d > maxEmpty/n {
			return maxEmpty + 1
		}
		n *= d
	}
	return n
}

// NewInfo describes a tensor of a known element type. It is an ErrFormat if
// the type is Unknown, a dimension is negative, there are more than MaxRank
// dimensions, the size in bytes does not fit an int, or a tensor without
// elements claims more than 2^20 rows. It shares shape.
func NewInfo(name string, t DType, shape []int) (Info, error) {
	fail := func(format string, a ...any) (Info, error) {
		return Info{}, &Error{Tensor: name, Reason: fmt.Sprintf(format, a...)}
	}
	if t.Size() == 0 {
		return fail("its element type is not one that can be read")
	}
	if len(shape) > MaxRank {
		return fail("it has %d dimensions, at most %d are read", len(shape), MaxRank)
	}
	n, err := tensor.Size(shape)
	if err != nil {
		return fail("%v", err)
	}
	if n == 0 && rowsOf(shape) > maxEmpty {
		return fail("shape %v holds nothing, and its other dimensions make more than %d rows of it", shape, maxEmpty)
	}
	if n > math.MaxInt/t.Size() { // an int, on machines of 32 bits too
		return fail("shape %v of %s has more bytes than this machine counts", shape, t)
	}
	if shape == nil {
		shape = []int{}
	}
	return Info{Name: name, DType: t, Shape: shape, Bytes: int64(n) * int64(t.Size())}, nil
}

// Len returns the number of elements.
func (i Info) Len() int {
	n, err := tensor.Size(i.Shape)
	if err != nil {
		return 0
	}
	return n
}

// Type returns the name of the element type for a listing.
func (i Info) Type() string {
	if i.DType == Unknown && i.TypeName != "" {
		return i.TypeName
	}
	return i.DType.String()
}

// Tensor is a tensor as stored: Data holds the elements little-endian,
// contiguous, in row-major order (booleans: one byte, 0 or 1).
type Tensor struct {
	Info
	Data []byte
}

// Check reports whether type, shape and data belong together; it is an
// ErrFormat.
func (t Tensor) Check() error {
	i, err := NewInfo(t.Name, t.DType, t.Shape)
	if err != nil {
		return err
	}
	if i.Bytes != int64(len(t.Data)) || i.Bytes != t.Bytes {
		return &Error{Tensor: t.Name, Reason: fmt.Sprintf("shape %v of %s needs %d bytes, it has %d (and says %d)", t.Shape, t.DType, i.Bytes, len(t.Data), t.Bytes)}
	}
	return nil
}

// Source is a set of named tensors, read one at a time. Every format's reader
// is one, and so is Set. Methods may be called from several goroutines at
// once. A Source with a method Name() string, giving the file's name, has it
// in the errors of Float and Ints.
type Source interface {
	// Names returns the tensors' names in the file's order. The caller may
	// keep and change the slice.
	Names() []string
	// Info describes one tensor; false if there is none of that name.
	Info(name string) (Info, bool)
	// Tensor reads one tensor. The caller must not change Data, which may be
	// shared. It is an ErrMissing if there is none of that name, an ErrDType
	// if its element type is Unknown.
	Tensor(name string) (Tensor, error)
}

// Opener is a Source that can also hand out a tensor's bytes piece by piece,
// so that converting it needs no second copy in memory.
type Opener interface {
	Source
	// OpenTensor returns a reader over exactly the Info.Bytes bytes that
	// Tensor would return as Data.
	OpenTensor(name string) (Info, io.Reader, error)
}

// Quantized is a tensor as a quantized file stores it: integers q (I8, U8 or
// I32) that stand for the numbers (q - Zero) * Scale. With one scale the product
// is float32's; with one a channel it is float64's, rounded to float32. So
// PyTorch has it.
type Quantized struct {
	Tensor
	Scale []float64 // one, or one for each index of Axis
	Zero  []int64   // as many
	Axis  int       // -1: one scale for the whole tensor
}

// Quantizer is a Source that holds quantized tensors. Tensor returns them as
// numbers, F32; Quantized returns them as they are stored, and false for a tensor
// that is not quantized.
type Quantizer interface {
	Source
	Quantized(name string) (Quantized, bool, error)
}

// Missing is the error for a name a source does not hold.
func Missing(file, name string) error {
	return &Error{File: file, Tensor: name, Reason: "there is no tensor of this name", Err: ErrMissing}
}

// Set is a Source in memory, in its own order. Names must be unique; of
// equal names the first is found.
type Set []Tensor

// Names returns the names in order.
func (s Set) Names() []string {
	names := make([]string, len(s))
	for i, t := range s {
		names[i] = t.Name
	}
	return names
}

// Info describes the first tensor of that name.
func (s Set) Info(name string) (Info, bool) {
	if i := s.index(name); i >= 0 {
		return s[i].Info, true
	}
	return Info{}, false
}

// Tensor returns the first tensor of that name, sharing its data.
func (s Set) Tensor(name string) (Tensor, error) {
	if i := s.index(name); i >= 0 {
		return s[i], nil
	}
	return Tensor{}, Missing("", name)
}

func (s Set) index(name string) int {
	return slices.IndexFunc(s, func(t Tensor) bool { return t.Name == name })
}
