package npy

import (
	"fmt"
	"io"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Write writes one tensor as a .npy file, version 1, little-endian, C order.
// BF16 has no place in the format and is an ErrDType; make it F32 with
// checkpoint.As.
func Write(w io.Writer, t checkpoint.Tensor) error {
	if err := writeHeader(w, t); err != nil {
		return err
	}
	_, err := w.Write(t.Data)
	return err
}

func writeHeader(w io.Writer, t checkpoint.Tensor) error {
	if err := t.Check(); err != nil {
		return err
	}
	return WriteHeader(w, t.Info)
}

// HeaderBytes is how long a header of two dimensions is, whatever these are.
const HeaderBytes = 128

// WriteHeader writes what stands before the numbers of a file; the caller writes
// those, little-endian in C order. Errors are those of Write.
func WriteHeader(w io.Writer, t checkpoint.Info) error {
	descr := ""
	for letters, d := range types {
		if d == t.DType {
			descr = "<" + letters
		}
	}
	if descr == "" {
		return &checkpoint.Error{Tensor: t.Name, Reason: fmt.Sprintf("a .npy file has no element type %s; convert it to F32", t.DType), Err: checkpoint.ErrDType}
	}
	if t.DType.Size() == 1 {
		descr = "|" + descr[1:]
	}
	shape := ""
	for _, d := range t.Shape {
		shape += fmt.Sprintf("%d, ", d)
	}
	if len(t.Shape) == 1 { // Python's tuple of one
		shape = shape[:len(shape)-1]
	} else {
		shape = strings.TrimSuffix(shape, ", ")
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape)
	// Padded so that the data begins at a multiple of 64.
	text += strings.Repeat(" ", 63-(10+len(text))%64) + "\n"
	head := append([]byte(magic), 1, 0, byte(len(text)), byte(len(text)>>8))
	_, err := w.Write(append(head, text...))
	return err
}
