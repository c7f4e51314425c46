package hdf5

import (
	"errors"
	"fmt"
	"io"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Magic is what an HDF5 file begins with.
const Magic = "\x89HDF\r\n\x1a\n"

// File is an open HDF5 file. It does not change, and its methods may be called
// from several goroutines at once.
type File struct {
	name      string
	r         io.ReaderAt
	size      int64
	close     func() error
	base      int64 // addresses count from here
	offsets   int   // bytes of an address
	lengths   int   // bytes of a length
	unchecked bool  // sums are not compared: for the fuzzer

	objects  map[string]*object
	datasets []string
	skipped  []string
	promised int64 // bytes of all datasets together
}

// fail is an error about an object of this file; at is a file offset, or
// negative where none says anything.
func (f *File) fail(path string, at int64, format string, args ...any) error {
	e := &checkpoint.Error{File: f.name, Tensor: path, Reason: fmt.Sprintf(format, args...)}
	if at >= 0 {
		e.Place = fmt.Sprintf("byte %d", at)
	}
	return e
}

// readAt fills p from the file.
func (f *File) readAt(path string, p []byte, at int64) error {
	n, err := f.r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return f.fail(path, at, "reading %d bytes failed: %v", len(p), err)
}
