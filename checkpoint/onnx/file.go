package onnx

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"

	"github.com/unroll-ml/unroll/checkpoint"
)

const maxRank = checkpoint.MaxRank

// File is an ONNX file: its graph, and a checkpoint.Source over its
// initializers in the file's order. It does not change after Open or Parse and
// may be used by many goroutines at once, Close only after them. Tensors of a file
// that was parsed share its bytes; large ones of a file that was opened are read when
// they are asked for, each time anew.
type File struct {
	IR                        int64            // version of the format itself
	Opset                     int64            // version of the default domain's operators
	Opsets                    map[string]int64 // versions by domain, "" for the default one
	Producer, ProducerVersion string
	Graph                     Graph
	Functions                 []Function

	name    string
	dir     string   // folder of external data; empty: none is read
	own     *os.File // that large constants lie in; nil: none do
	meta    map[string]string
	tensors []*stored
	index   map[string]int
}

// Open reads a file but for the numbers of large constants, which are read when a
// tensor is asked for, as is data that lies in files of its own (model.onnx.data), in
// the file's folder; a location outside that folder is refused.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	file, err := openFile(f, path)
	if err != nil || file.own == nil {
		_ = f.Close() // it was only read
	}
	return file, err
}

func openFile(f *os.File, path string) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	fail := func(format string, a ...any) (*File, error) {
		return nil, &checkpoint.Error{File: path, Reason: fmt.Sprintf(format, a...)}
	}
	if !info.Mode().IsRegular() {
		return fail("it is not a regular file")
	}
	if info.Size() > maxFile {
		return fail("it has %d bytes, an ONNX file has at most %d", info.Size(), maxFile)
	}
	if info.Size() >= minSkimmed {
		if s, ok := skim(f, info.Size()); ok {
			if file, err := parseFile(s.bytes, s.held, path, filepath.Dir(path)); err == nil {
				file.own = f
				return file, nil
			}
		}
	}
	b := make([]byte, info.Size())
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, info.Size()), b); err != nil {
		return fail("reading failed: %v", err)
	}
	return parseFile(b, nil, path, filepath.Dir(path))
}

// Close closes a file that Open opened; its large constants cannot be read any more.
func (f *File) Close() error {
	if f.own == nil {
		return nil
	}
	return f.own.Close()
}

// Parse reads a file from its bytes, which it keeps; name is for errors.
// External data is refused.
func Parse(b []byte, name string) (*File, error) { return parseFile(b, nil, name, "") }

func parseFile(b []byte, in map[int]held, name, dir string) (*File, error) {
	f := &File{name: name, dir: dir, Opsets: map[string]int64{}, meta: map[string]string{}, index: map[string]int{}}
	if len(b) > maxFile {
		return nil, f.located(fmt.Errorf("it has %d bytes, an ONNX file has at most %d", len(b), maxFile))
	}
	if err := f.parse(b, in); err != nil {
		return nil, f.located(err)
	}
	return f, nil
}

// located adds the file's name to an error and makes it an ErrFormat.
func (f *File) located(err error) error {
	if e := (*checkpoint.Error)(nil); errors.As(err, &e) && err.Error() == e.Error() { // nothing around it
		with := *e
		with.File = f.name
		return &with
	}
	return &checkpoint.Error{File: f.name, Reason: err.Error()}
}

// Name returns the file's name as it was given.
func (f *File) Name() string { return f.name }

// Metadata returns the file's metadata_props.
func (f *File) Metadata() map[string]string { return maps.Clone(f.meta) }

// Names returns the initializers' names in the file's order.
func (f *File) Names() []string {
	names := make([]string, len(f.tensors))
	for i, t := range f.tensors {
		names[i] = t.Name
	}
	return names
}

// Info describes an initializer.
func (f *File) Info(name string) (checkpoint.Info, bool) {
	i, ok := f.index[name]
	if !ok {
		return checkpoint.Info{}, false
	}
	return f.tensors[i].Info, true
}

// Tensor returns an initializer. Its data is shared with the file, or read from
// the folder where it lies outside.
func (f *File) Tensor(name string) (checkpoint.Tensor, error) {
	i, ok := f.index[name]
	if !ok {
		return checkpoint.Tensor{}, checkpoint.Missing(f.name, name)
	}
	return f.load(f.tensors[i])
}

// Initializer returns constant i of a graph of the file, as Tensor does. Each call
// reads external data anew; what is declared and not asked for is not read.
func (f *File) Initializer(g *Graph, i int) (checkpoint.Tensor, error) { return f.load(g.tensors[i]) }

func (f *File) load(t *stored) (checkpoint.Tensor, error) {
	name := t.Name
	if t.DType == checkpoint.Unknown {
		return checkpoint.Tensor{}, &checkpoint.Error{File: f.name, Tensor: name, Reason: fmt.Sprintf("element type %s cannot be read", t.Type()), Err: checkpoint.ErrDType}
	}
	if t.held != nil {
		data, err := f.readHeld(t)
		if err != nil {
			return checkpoint.Tensor{}, &checkpoint.Error{File: f.name, Tensor: name, Place: fmt.Sprintf("byte %d of the file", t.held.offset), Reason: "reading failed: " + err.Error(), Err: err}
		}
		out := t.Tensor
		out.Data = data
		return out, nil
	}
	if t.external == nil {
		return t.Tensor, nil
	}
	data, err := f.readExternal(t)
	if err != nil {
		return checkpoint.Tensor{}, &checkpoint.Error{File: f.name, Tensor: name, Place: fmt.Sprintf("external data %q", t.external.location), Reason: err.Error()}
	}
	out := t.Tensor
	out.Data = data
	return out, nil
}

// readExternal reads a tensor's data from another file of the same folder.
func (f *File) readExternal(t *stored) ([]byte, error) {
	e := t.external
	switch {
	case f.dir == "":
		return nil, fmt.Errorf("the data lies in another file, and this one was not opened by its path")
	case !filepath.IsLocal(e.location):
		return nil, fmt.Errorf("the location leads out of the folder")
	case e.length >= 0 && e.length != t.Bytes:
		return nil, fmt.Errorf("the length is %d, but shape %v of %s needs %d bytes", e.length, t.Shape, t.DType, t.Bytes)
	}
	root, err := os.OpenRoot(f.dir) // follows no link out of the folder either
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(e.location) // first, because opening a pipe waits
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || e.offset > info.Size() || t.Bytes > info.Size()-e.offset {
		return nil, fmt.Errorf("bytes %d to %d are not there: the file has %d", e.offset, e.offset+t.Bytes, info.Size())
	}
	file, err := root.Open(e.location)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b := make([]byte, t.Bytes)
	_, err = io.ReadFull(io.NewSectionReader(file, e.offset, t.Bytes), b)
	return b, err
}
