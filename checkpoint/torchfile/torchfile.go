// Package torchfile reads the files of torch.save, .pt and .pth, as data, and
// writes a state_dict as one.
//
// Such a file is a Python pickle, a program for a small machine that can name
// and call any Python function, and beside it the numbers of the tensors. This
// package runs the program on a machine of its own which knows no functions:
// it builds tuples, lists and dictionaries, interprets the few calls by which
// PyTorch describes tensors, keeps objects of any other class as what they
// were given, and refuses the rest by name. Nothing in a file is executed.
//
// Read are the zip format of PyTorch 1.6 and later and the pickle stream
// before it: state_dicts, checkpoints with dictionaries in dictionaries,
// optimizer state, and whole modules, of which the tensors and
// hyper-parameters are read. A tensor's name is its path: keys joined by "/",
// positions in lists as numbers. docs/formats/torch.md draws the format and
// lists what is refused.
//
// Opening reads the pickle and the zip directory but no tensor; tensors are
// read when asked for, a piece at a time. For any bytes whatever, Open
// allocates at most 1 MiB and 384 times the file's size in all, reading every
// tensor of it once at most 4 MiB a tensor and 128 times the file's size more,
// and both end in time proportional to that. Errors are *checkpoint.Error.
package torchfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

// File is an open checkpoint. It does not change, and its methods may be
// called from several goroutines at once.
type File struct {
	name    string
	r       io.ReaderAt
	size    int64
	close   func() error
	tensors []named
	index   map[string]int
	values  [][]Value // in chunks
}

type named struct {
	name string
	*stored
}

var _ checkpoint.Opener = (*File)(nil)

// Open opens the file at path. Close releases it. What is wrong with the bytes
// is a checkpoint.ErrFormat.
func Open(path string) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, &checkpoint.Error{File: path, Reason: "it cannot be opened: " + err.Error(), Err: err}
	}
	info, err := in.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &checkpoint.Error{File: path, Reason: "it is not a regular file"}
	}
	var f *File
	if err == nil {
		f, err = New(in, info.Size(), path)
	}
	if err != nil {
		_ = in.Close() // it was only read
		return nil, err
	}
	f.close = in.Close
	return f, nil
}

// New reads a checkpoint of size bytes from r, which must stay readable and
// unchanged as long as the File is used. name stands for the file in errors.
func New(r io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{name: name, r: r, size: size}
	var head [512]byte
	n, err := r.ReadAt(head[:min(size, int64(len(head)))], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, f.fail("byte 0", "reading failed: %v", err)
	}
	var root any
	var pickle int64
	switch h := head[:n]; {
	case bytes.HasPrefix(h, []byte("PK\x03\x04")):
		root, pickle, err = f.readZip()
	case len(h) > 0 && h[0] == 0x80, bytes.HasPrefix(h, []byte("L"+magic.String()+"L")): // protocols 2 and later, 0 and 1
		root, pickle, err = f.readLegacy()
	case n >= 262 && string(h[257:262]) == "ustar":
		return nil, f.fail("byte 257", "this is a tar file, PyTorch's format before 0.2; load and save it again with any later PyTorch")
	case size == 0:
		return nil, f.fail("", "the file is empty")
	default:
		return nil, f.fail("byte 0", "it begins with % x, neither a zip file nor a pickle: this is not a file of torch.save", h[:min(n, 4)])
	}
	if err != nil {
		return nil, err
	}
	if err := f.walk(root, pickle); err != nil {
		return nil, err
	}
	return f, nil
}

// Close closes the file that Open opened.
func (f *File) Close() error {
	if f.close == nil {
		return nil
	}
	return f.close()
}

// Names returns the tensors' paths in the file's order. A tensor saved by
// itself is called "tensor"; a module's tensors have the names of its
// state_dict, after the module's own path and a "/".
func (f *File) Names() []string {
	names := make([]string, len(f.tensors))
	for i, t := range f.tensors {
		names[i] = t.name
	}
	return names
}

// Values returns what the file holds besides tensors, in the file's order:
// plain values, and objects with their class. Empty containers leave no trace.
// The caller may keep and change the slice, not what *big.Int and []byte in it
// point to.
func (f *File) Values() []Value { return slices.Concat(f.values...) }

// Info describes one tensor; false if there is none of that name.
func (f *File) Info(name string) (checkpoint.Info, bool) {
	i, ok := f.index[name]
	if !ok {
		return checkpoint.Info{}, false
	}
	t := f.tensors[i]
	info := checkpoint.Info{Name: name, DType: t.dtype.dtype, Shape: slices.Clone(t.shape), Bytes: t.bytes()}
	if info.DType == checkpoint.Unknown {
		info.TypeName = t.dtype.name
	}
	if t.rec.file && t.contiguous() {
		info.Offset = t.rec.off + t.offset*t.dtype.size
	}
	return info, true
}

// Tensor reads one tensor whole; Data is the caller's own.
func (f *File) Tensor(name string) (checkpoint.Tensor, error) {
	info, r, err := f.OpenTensor(name)
	if err != nil {
		return checkpoint.Tensor{}, err
	}
	if b, ok := r.(*gathered); ok {
		return checkpoint.Tensor{Info: info, Data: b.data}, nil
	}
	data := make([]byte, info.Bytes)
	if _, err := io.ReadFull(r, data); err != nil {
		return checkpoint.Tensor{}, f.tensorError(name, err)
	}
	return checkpoint.Tensor{Info: info, Data: data}, nil
}

// OpenTensor returns a reader over one tensor's elements, little-endian and in
// row-major order whatever the file's layout is. A tensor that lies so in the
// file is read from it piecewise; any other is put in order in memory first.
func (f *File) OpenTensor(name string) (checkpoint.Info, io.Reader, error) {
	info, ok := f.Info(name)
	if !ok {
		return info, nil, checkpoint.Missing(f.name, name)
	}
	if info.DType == checkpoint.Unknown {
		return info, nil, &checkpoint.Error{File: f.name, Tensor: name, Reason: "elements of type " + info.TypeName + " are not read", Err: checkpoint.ErrDType}
	}
	t := f.tensors[f.index[name]]
	swap := t.rec.big && t.dtype.size > 1
	if t.contiguous() && !swap && t.dtype.dtype != checkpoint.Bool {
		return info, io.NewSectionReader(t.rec.r, t.rec.off+t.offset*t.dtype.size, info.Bytes), nil
	}
	data, err := t.gather(swap)
	if err != nil {
		return info, nil, f.tensorError(name, err)
	}
	return info, &gathered{data: data, Reader: bytes.NewReader(data)}, nil
}

type gathered struct {
	data []byte
	*bytes.Reader
}

func (f *File) tensorError(name string, err error) error {
	return &checkpoint.Error{File: f.name, Tensor: name, Reason: "reading its storage failed: " + err.Error(), Err: err}
}
