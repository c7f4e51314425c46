// Package torchfile reads the files of torch.save, .pt and .pth, as data, and
// writes a state_dict as one.
//
// Such a file is a Python pickle, a program for a small machine that can name
// and call any Python function, and beside it the numbers of the tensors. This
// package runs the program on a machine of its own which knows no functions:
// it builds tuples, lists and dictionaries, interprets the few calls by which
// PyTorch describes tensors, and keeps objects of any other class, and calls of
// any other function, as their name and what they were given. Nothing in a file
// is executed. Names of Python's library that could do harm refuse the file.
//
// Read are the zip format of PyTorch 1.6 and later and the pickle stream
// before it: state_dicts, checkpoints with dictionaries in dictionaries,
// optimizer state, and whole modules, of which the tensors and
// hyper-parameters are read; quantized tensors and packed parameters; the
// parameters of programs (torch.jit.save, torch.export.save); pickles of arrays
// and tensors that torch.save did not write. A tensor's name is its path: keys
// joined by "/", positions in lists as numbers. docs/formats/torch.md draws the
// format and lists what is refused.
//
// Opening reads the pickle and the zip directory but no tensor; tensors are
// read when asked for, a piece at a time. For any bytes whatever, an open File
// keeps at most 4 MiB and 12 times the file's size in memory and Open allocates
// at most 8 MiB and 40 times it in all; reading every tensor of it once takes at
// most 4 MiB a tensor and 128 times the file's size more, and both end in time
// proportional to that. Errors are *checkpoint.Error.
package torchfile

import (
	"bytes"
	"errors"
	"io"

	"github.com/unroll-ml/unroll/checkpoint"
)

// File is an open checkpoint. It does not change, and its methods may be
// called from several goroutines at once.
type File struct {
	name    string
	r       io.ReaderAt
	size    int64
	close   func() error
	root    any   // what the pickle held
	pickle  int64 // its length
	held    int64 // bytes of memory it takes, about
	tensors []named
	index   map[string]int
	modules []*Module
	program bool
	inner   bool // it lies in another one
}

type named struct {
	name string
	*stored
}

var _ checkpoint.Opener = (*File)(nil)

// Open opens the file at path. Close releases it. What is wrong with the bytes
// is a checkpoint.ErrFormat.
func Open(path string) (*File, error) {
	in, err := checkpoint.OpenInput(path)
	if err != nil {
		return nil, err
	}
	f, err := New(in, in.Size, path)
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
	if err := f.parse(); err != nil {
		return nil, err
	}
	f.index = make(map[string]int)
	if err := f.newWalk(nil).visit(f.root, "", 0); err != nil {
		return nil, err
	}
	return f, nil
}

// parse reads the pickle of whatever kind of file this is.
func (f *File) parse() error {
	var head [512]byte
	n, err := f.r.ReadAt(head[:min(f.size, int64(len(head)))], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return f.fail("byte 0", "reading failed: %v", err)
	}
	switch h := head[:n]; {
	case bytes.HasPrefix(h, []byte("PK\x03\x04")):
		f.root, f.pickle, err = f.readZip()
	case len(h) > 0 && h[0] == 0x80, bytes.HasPrefix(h, []byte("L"+magic.String()+"L")), textPickle.Match(h): // protocols 2 and later, 0 and 1
		f.root, f.pickle, err = f.readLegacy()
	case n >= 262 && string(h[257:262]) == "ustar":
		return f.fail("byte 257", "this is a tar file, PyTorch's format before 0.2; load and save it again with any later PyTorch")
	case f.size == 0:
		return f.fail("", "the file is empty")
	default:
		return f.fail("byte 0", "it begins with % x, neither a zip file nor a pickle: this is not a file of torch.save", h[:min(n, 4)])
	}
	return err
}

// Program reports whether the file is a program: of torch.jit.save, or of
// torch.export.save. Its parameters are read by name; its code is not run.
func (f *File) Program() bool { return f.program }

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

// Info describes one tensor; false if there is none of that name.
func (f *File) Info(name string) (checkpoint.Info, bool) {
	i, ok := f.index[name]
	if !ok {
		return checkpoint.Info{}, false
	}
	return f.tensors[i].info(name), true
}

func (t *stored) info(name string) checkpoint.Info {
	info := checkpoint.Info{Name: name, DType: t.dtype.dtype, Shape: append([]int{}, t.shape...), Bytes: t.bytes()}
	switch {
	case t.quant != nil:
		info.DType = checkpoint.F32
		return info
	case info.DType == checkpoint.Unknown:
		info.TypeName = t.dtype.name
	}
	if t.rec.file && t.contiguous() {
		info.Offset = t.rec.off + t.offset*t.dtype.size
	}
	return info
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
	if t.contiguous() && !swap && t.dtype.dtype != checkpoint.Bool && t.quant == nil {
		return info, io.NewSectionReader(t.rec.r, t.rec.off+t.offset*t.dtype.size, info.Bytes), nil
	}
	data, err := t.gather(swap)
	if err == nil && t.quant != nil {
		data, err = t.dequantize(data)
	}
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
