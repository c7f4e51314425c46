// Package hdf5 reads HDF5 files as far as Keras and h5py write them: groups,
// attributes and datasets of numbers and strings. It writes nothing, follows
// no link out of the file and runs no filter that it does not know.
//
// Opening walks the whole tree of groups and reads every attribute, but no
// dataset; datasets are read when asked for. A dataset's name is its path
// without the slash in front: "model_weights/lstm/lstm/kernel:0". The root
// group's path is "".
//
// Whatever the bytes, opening and reading every dataset once allocates at most 10
// MiB and 1,088 times the file's size in all, because limits.go bounds what a file
// may ask for, and ends in time proportional to that. Errors are *checkpoint.Error and name the path within
// the file and the byte. docs/formats/hdf5.md lists what is read and refused;
// byte layouts are those of the HDF5 File Format Specification, version 3.
package hdf5

import (
	"io"
	"os"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

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

// New reads a file of size bytes from r, which must stay readable and
// unchanged as long as the File is used. name stands for the file in errors.
func New(r io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{name: name, r: r, size: size}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) open() error {
	rd := f.reader("")
	root, err := rd.superblock()
	if err != nil {
		return err
	}
	return rd.walk(root)
}

// Close closes the file that Open opened.
func (f *File) Close() error {
	if f.close == nil {
		return nil
	}
	return f.close()
}

// Name returns the file's name, as errors give it.
func (f *File) Name() string { return f.name }

// Names returns the paths of all datasets, those of a group in its order. The
// caller may keep and change the slice.
func (f *File) Names() []string { return slices.Clone(f.datasets) }

// Skipped returns the paths of links that are not followed: soft links and
// links into other files.
func (f *File) Skipped() []string { return slices.Clone(f.skipped) }

// Children returns the names of what is in the group at path, in creation
// order where the file has it, otherwise by name; false if there is no such
// group. The caller must not change the slice.
func (f *File) Children(path string) ([]string, bool) {
	o := f.objects[path]
	if o == nil || !o.group {
		return nil, false
	}
	return o.children, true
}

// Attributes returns the attributes of the group or dataset at path. The
// caller must not change the slice.
func (f *File) Attributes(path string) []Attribute {
	if o := f.objects[path]; o != nil {
		return o.attributes
	}
	return nil
}

// Attribute returns one attribute of the group or dataset at path; false if
// there is none of that name.
func (f *File) Attribute(path, name string) (Attribute, bool) {
	for _, a := range f.Attributes(path) {
		if a.Name == name {
			return a, true
		}
	}
	return Attribute{}, false
}

// Info describes one dataset; false if there is none at that path.
func (f *File) Info(path string) (checkpoint.Info, bool) {
	o := f.objects[path]
	if o == nil || o.data == nil {
		return checkpoint.Info{}, false
	}
	info := o.data.info
	info.Name, info.Shape = path, slices.Clone(info.Shape)
	return info, true
}

// Tensor reads one dataset whole; Data is the caller's own.
func (f *File) Tensor(path string) (checkpoint.Tensor, error) {
	info, err := f.readable(path)
	if err != nil {
		return checkpoint.Tensor{}, err
	}
	d := f.objects[path].data
	raw, err := f.reader(path).raw(d)
	if err != nil {
		return checkpoint.Tensor{}, err
	}
	if err := d.kind.littleEndian(raw); err != nil {
		return checkpoint.Tensor{}, f.fail(path, -1, "%v", err)
	}
	return checkpoint.Tensor{Info: info, Data: raw}, nil
}

// OpenTensor returns a reader over one dataset's elements, little-endian and in
// row-major order. A dataset that lies so in the file is read from it
// piecewise; any other is put in order in memory first.
func (f *File) OpenTensor(path string) (checkpoint.Info, io.Reader, error) {
	info, err := f.readable(path)
	if err != nil {
		return info, nil, err
	}
	if info.Offset > 0 && !f.objects[path].data.kind.changes() {
		return info, io.NewSectionReader(f.r, info.Offset, info.Bytes), nil
	}
	t, err := f.Tensor(path)
	if err != nil {
		return info, nil, err
	}
	return info, &whole{data: t.Data}, nil
}

// Strings reads a dataset of strings, in row-major order. It is an ErrDType if
// its elements are none.
func (f *File) Strings(path string) ([]string, error) {
	info, ok := f.Info(path)
	if !ok {
		return nil, checkpoint.Missing(f.name, path)
	}
	d := f.objects[path].data
	if !d.kind.text() {
		return nil, &checkpoint.Error{File: f.name, Tensor: path, Reason: "its elements are " + info.Type() + ", expected strings", Err: checkpoint.ErrDType}
	}
	r := f.reader(path)
	raw, err := r.raw(d)
	if err != nil {
		return nil, err
	}
	return r.strings(d.kind, raw, d.count)
}

func (f *File) readable(path string) (checkpoint.Info, error) {
	info, ok := f.Info(path)
	if !ok {
		return info, checkpoint.Missing(f.name, path)
	}
	if info.DType == checkpoint.Unknown {
		return info, &checkpoint.Error{File: f.name, Tensor: path, Reason: "elements of type " + info.TypeName + " are not read as numbers", Err: checkpoint.ErrDType}
	}
	return info, nil
}

// whole is a reader over bytes in memory.
type whole struct{ data []byte }

// Read reads as io.Reader says.
func (w *whole) Read(p []byte) (int, error) {
	if len(w.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, w.data)
	w.data = w.data[n:]
	return n, nil
}
