// Package safetensors reads and writes the safetensors format
// (https://github.com/huggingface/safetensors#format): an unsigned 64-bit
// little-endian header length, a JSON header, and the tensors' bytes.
//
// Opening reads the header and nothing else; tensors are read when asked for,
// piece by piece. The header is bounded by MaxHeader and by the file's own
// size before anything is allocated, and refused where the format's reference
// refuses it: duplicate keys, offsets that overlap, leave holes, leave the
// file or contradict shape and type.
package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// MaxHeader is the largest header accepted, in bytes, as the format's
// reference has it.
const MaxHeader = 100_000_000

// File is an opened safetensors file, a checkpoint.Opener. Its methods may be
// called from several goroutines at once, Close only after them.
type File struct {
	name   string
	r      io.ReaderAt
	closer io.Closer
	meta   map[string]string
	names  []string
	infos  map[string]checkpoint.Info
}

// Open opens a file and reads its header. Errors name the path.
func Open(path string) (*File, error) {
	in, err := checkpoint.OpenInput(path)
	if err != nil {
		return nil, err
	}
	s, err := newFile(path, in, in.Size)
	if err != nil {
		_ = in.Close() // it was only read
		return nil, err
	}
	s.closer = in
	return s, nil
}

// NewReader reads the header of a safetensors file of size bytes held by r,
// which must stay valid as long as the File is used.
func NewReader(r io.ReaderAt, size int64) (*File, error) {
	return newFile("safetensors", r, size)
}

// NewNamed is NewReader with a name for errors.
func NewNamed(r io.ReaderAt, size int64, name string) (*File, error) { return newFile(name, r, size) }

func newFile(name string, r io.ReaderAt, size int64) (*File, error) {
	fail := func(place, format string, a ...any) (*File, error) {
		return nil, &checkpoint.Error{File: name, Place: place, Reason: fmt.Sprintf(format, a...)}
	}
	if size < 8 {
		return fail("header length", "the file has %d bytes, a safetensors file has at least 8", size)
	}
	var b [8]byte
	if _, err := readAt(r, b[:], 0); err != nil {
		return nil, &checkpoint.Error{File: name, Place: "header length", Reason: "reading failed: " + err.Error(), Err: err}
	}
	n := binary.LittleEndian.Uint64(b[:])
	if n > uint64(size-8) {
		return fail("header length", "it says %d bytes, the file has %d after it; this is no safetensors file, or it is cut off", n, size-8)
	}
	if n > MaxHeader {
		return fail("header length", "it says %d bytes, at most %d are read", n, MaxHeader)
	}
	header := make([]byte, n)
	if _, err := readAt(r, header, 8); err != nil {
		return nil, &checkpoint.Error{File: name, Place: "header", Reason: "reading failed: " + err.Error(), Err: err}
	}
	f := &File{name: name, r: r}
	if err := f.parse(header, size-8-int64(n)); err != nil {
		return nil, err
	}
	return f, nil
}

// readAt is r.ReadAt without its leave to return io.EOF along with all bytes.
func readAt(r io.ReaderAt, b []byte, off int64) (int, error) {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close closes the file if Open opened it.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Name returns the path, or "safetensors" after NewReader.
func (f *File) Name() string { return f.name }

// Metadata returns a copy of the header's __metadata__, nil if it has none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.meta) }

// Names returns the tensors' names in the header's order, as a new slice.
func (f *File) Names() []string { return append([]string{}, f.names...) }

// Info describes a tensor; false if there is none of that name. The shape is
// shared and must not be changed. A type this package does not read has DType
// Unknown and its name in TypeName.
func (f *File) Info(name string) (checkpoint.Info, bool) {
	i, ok := f.infos[name]
	return i, ok
}

// Tensor reads a whole tensor into memory of its own.
func (f *File) Tensor(name string) (checkpoint.Tensor, error) {
	i, err := f.find(name)
	if err != nil {
		return checkpoint.Tensor{}, err
	}
	b := make([]byte, i.Bytes)
	if _, err := readAt(f.r, b, i.Offset); err != nil {
		return checkpoint.Tensor{}, &checkpoint.Error{File: f.name, Tensor: name, Reason: "reading failed: " + err.Error(), Err: err}
	}
	return checkpoint.Tensor{Info: i, Data: b}, nil
}

// OpenTensor returns a reader over a tensor's bytes.
func (f *File) OpenTensor(name string) (checkpoint.Info, io.Reader, error) {
	i, err := f.find(name)
	if err != nil {
		return checkpoint.Info{}, nil, err
	}
	return i, io.NewSectionReader(f.r, i.Offset, i.Bytes), nil
}

func (f *File) find(name string) (checkpoint.Info, error) {
	i, ok := f.infos[name]
	if !ok {
		return i, checkpoint.Missing(f.name, name)
	}
	if i.DType == checkpoint.Unknown {
		return i, &checkpoint.Error{File: f.name, Tensor: name, Reason: fmt.Sprintf("element type %s is not one that can be read", i.TypeName), Err: checkpoint.ErrDType}
	}
	return i, nil
}

// Read reads a tensor as numbers of type F, converting as checkpoint.Float
// does: exactly where F can hold the stored numbers, else rounding to nearest.
func Read[F tensor.Float](f *File, name string) (tensor.DenseOf[F], error) {
	return checkpoint.Float[F](f, name)
}

// ReadInts reads a tensor of integers or booleans; see checkpoint.Ints.
func ReadInts(f *File, name string) (values []int64, shape []int, err error) {
	return checkpoint.Ints(f, name)
}
