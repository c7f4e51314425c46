// Package npy reads and writes numpy's files: .npy, one array, and .npz, a
// zip archive of them
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
//
// Versions 1 to 3, floats of 2, 4 and 8 bytes, integers of 1 to 8 bytes and
// booleans are read, in either byte order; Fortran order is transposed.
// Structured types, strings, complex numbers and pickled objects are refused.
// Headers are checked against the file's size before anything is allocated.
package npy

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

// File is an opened .npy file, a checkpoint.Opener with one tensor,
// checkpoint.Single.
// Its methods may be called from several goroutines at once, Close only after
// them.
type File struct {
	name   string
	closer io.Closer
	header header
	data   *io.SectionReader
}

// Open opens a .npy file and reads its header. Errors name the path.
func Open(path string) (*File, error) {
	in, err := checkpoint.OpenInput(path)
	if err != nil {
		return nil, err
	}
	a, err := newFile(path, in, in.Size)
	if err != nil {
		_ = in.Close() // it was only read
		return nil, err
	}
	a.closer = in
	return a, nil
}

// NewReader reads the header of a .npy file of size bytes held by r, which
// must stay valid as long as the File is used.
func NewReader(r io.ReaderAt, size int64) (*File, error) { return newFile("npy", r, size) }

func newFile(name string, r io.ReaderAt, size int64) (*File, error) {
	h, at, err := readHeader(io.NewSectionReader(r, 0, size), checkpoint.Single)
	if err == nil {
		err = checkEnd(h, size-at)
	}
	if err != nil {
		return nil, in(name, "", err)
	}
	h.Offset = at
	return &File{name: name, header: h, data: io.NewSectionReader(r, at, h.Bytes)}, nil
}

// in puts the file's name, and the tensor's, into an error that lacks them.
func in(file, tensor string, err error) error {
	e := (*checkpoint.Error)(nil)
	if !errors.As(err, &e) {
		return &checkpoint.Error{File: file, Tensor: tensor, Reason: "reading failed: " + err.Error(), Err: cause(err)}
	}
	with := *e
	with.File, with.Tensor = file, tensor
	return &with
}

// readHeader reads a header from the beginning of a file and returns it and
// where the data begins.
func readHeader(r io.Reader, name string) (h header, at int64, err error) {
	var first [12]byte
	n, err := io.ReadFull(r, first[:])
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return h, 0, err
	}
	start, length, err := prefix(first[:n])
	if err != nil {
		return h, 0, err
	}
	text := make([]byte, start+length-min(n, start+length))
	if _, err := io.ReadFull(r, text); err != nil {
		return h, 0, &checkpoint.Error{Place: "header", Reason: "the file ends inside the header"}
	}
	// Version 1 has its text from byte 10: two bytes of it are read already.
	text = append(slices.Clone(first[start:min(n, start+length)]), text...)
	h, err = parse(name, string(text))
	return h, int64(start + length), err
}

// checkEnd compares what the header asks for with what follows it.
func checkEnd(h header, rest int64) error {
	if rest == h.Bytes {
		return nil
	}
	reason := "the file is cut off"
	if rest > h.Bytes {
		reason = "something else follows the array"
	}
	return &checkpoint.Error{Place: "data", Reason: fmt.Sprintf("shape %v of %s needs %d bytes, %d follow the header; %s", h.Shape, h.DType, h.Bytes, rest, reason)}
}

// Close closes the file if Open opened it.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Name returns the path, or "npy" after NewReader.
func (f *File) Name() string { return f.name }

// Names returns Single.
func (f *File) Names() []string { return []string{checkpoint.Single} }

// Info describes the array. The shape is shared and must not be changed.
func (f *File) Info(name string) (checkpoint.Info, bool) {
	if name != checkpoint.Single {
		return checkpoint.Info{}, false
	}
	return f.header.Info, true
}

// Tensor reads the array into memory of its own; where it is in Fortran order,
// twice its size is needed while it is transposed.
func (f *File) Tensor(name string) (checkpoint.Tensor, error) {
	if name != checkpoint.Single {
		return checkpoint.Tensor{}, checkpoint.Missing(f.name, name)
	}
	t, err := f.header.read(io.NewSectionReader(f.data, 0, f.header.Bytes))
	if err != nil {
		return checkpoint.Tensor{}, in(f.name, "", err)
	}
	return t, nil
}

// OpenTensor returns a reader over the array's elements; only a little-endian
// array in C order is read piecewise.
func (f *File) OpenTensor(name string) (checkpoint.Info, io.Reader, error) {
	if name == checkpoint.Single && !f.header.big && !f.header.fortran {
		return f.header.Info, io.NewSectionReader(f.data, 0, f.header.Bytes), nil
	}
	t, err := f.Tensor(name)
	return t.Info, bytes.NewReader(t.Data), err
}

// cause is nil, which makes an ErrFormat, for errors that the bytes are to blame
// for and not the disk.
func cause(err error) error {
	corrupt := flate.CorruptInputError(0)
	if errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) {
		return nil
	}
	return err
}

// read reads the data and turns it little-endian and row-major.
func (h header) read(r io.Reader) (checkpoint.Tensor, error) {
	b := make([]byte, h.Bytes)
	if _, err := io.ReadFull(r, b); err != nil {
		return checkpoint.Tensor{}, &checkpoint.Error{Place: "data", Reason: "reading failed: " + err.Error(), Err: cause(err)}
	}
	size := h.DType.Size()
	if h.big {
		for i := 0; i < len(b); i += size {
			slices.Reverse(b[i : i+size])
		}
	}
	if h.fortran {
		b = rowMajor(b, h.Shape, size)
	}
	return checkpoint.Tensor{Info: h.Info, Data: b}, nil
}

// rowMajor returns the elements of b, stored with the first index running
// fastest, with the last one running fastest.
func rowMajor(b []byte, shape []int, size int) []byte {
	strides := make([]int, len(shape)) // in b, in bytes
	step := size
	for i, d := range shape {
		strides[i] = step
		step *= d
	}
	out := make([]byte, len(b))
	index := make([]int, len(shape))
	from := 0
	for to := 0; to < len(out); to += size {
		copy(out[to:to+size], b[from:])
		for i := len(shape) - 1; i >= 0; i-- {
			from += strides[i]
			if index[i]++; index[i] < shape[i] {
				break
			}
			from -= index[i] * strides[i]
			index[i] = 0
		}
	}
	return out
}
