// Package array opens and writes files of arrays, whatever their format:
// .npy, .npz, .csv, .jsonl and .parquet. It only chooses among the packages that
// know the formats.
package array

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/checkpoint/array/parquet"
	"github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/tensor"
)

// Format is a file format, named like its ending.
type Format string

// Formats.
const (
	NPY       Format = "npy"
	NPZ       Format = "npz"
	CSV       Format = "csv"
	JSONLines Format = "jsonl"
	Parquet   Format = "parquet"
)

// tsv is the ending of CSV with tabs.
const tsv = "tsv"

// Formats lists all of them.
var Formats = []Format{NPY, NPZ, CSV, JSONLines, Parquet}

// FormatOf returns the format a path's ending stands for. It is a
// checkpoint.ErrFormat, naming the endings known, if none.
func FormatOf(path string) (Format, error) {
	f := Format(strings.ToLower(strings.TrimPrefix(filepath.Ext(path), ".")))
	if f == tsv {
		f = CSV
	}
	if f == "gz" {
		return "", &checkpoint.Error{File: path, Reason: "by its ending it is compressed with gzip; unpack it"}
	}
	if !slices.Contains(Formats, f) {
		what := fmt.Sprintf("the ending %q is none of those that are read", filepath.Ext(path))
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			what = "it is a folder, expected a file of arrays"
		}
		return "", &checkpoint.Error{File: path, Reason: what + ": .npy, .npz, .csv, .tsv, .jsonl, .parquet"}
	}
	return f, nil
}

// Sniff tells the format of bytes that have no name, standard input's say, by
// how they begin. What bears no format's mark is CSV.
func Sniff(b []byte) Format {
	switch {
	case bytes.HasPrefix(b, []byte("\x93NUMPY")):
		return NPY
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		return NPZ
	case bytes.HasPrefix(b, []byte("PAR1")):
		return Parquet
	}
	if t := bytes.TrimLeft(b, " \t\r\n"); len(t) > 0 && (t[0] == '{' || t[0] == '[') {
		return JSONLines
	}
	return CSV
}

// Options say how a file is read or written. The zero value goes by the
// path's ending and reads text and Parquet as float64.
type Options struct {
	Format Format
	// DType is what numbers in text and in the columns of Parquet become: F32 or
	// F64; the zero value means F64. Read as F32, they are rounded once. Other
	// formats keep their types.
	DType checkpoint.DType
	// Text says how CSV is read; its File is filled in, and its Columns and Note are
	// those of Parquet too.
	Text text.CSV
}

// Source is an opened file. Close it after the last use.
type Source interface {
	checkpoint.Source
	Name() string
	Close() error
}

// Open opens a file. .npy and .npz files are read when a tensor is asked for,
// text and Parquet at once. A file whose format has no names holds
// checkpoint.Single.
func Open(path string, o Options) (Source, error) {
	if o.Format == "" {
		f, err := FormatOf(path)
		if err != nil {
			return nil, err
		}
		o.Format = f
		if strings.EqualFold(filepath.Ext(path), "."+tsv) && o.Text.Comma == 0 {
			o.Text.Comma = '\t'
		}
	}
	if err := o.columns(path); err != nil {
		return nil, err
	}
	switch o.Format {
	case NPY:
		return opened(npy.Open(path))
	case NPZ:
		return opened(npy.OpenArchive(path))
	}
	in, err := checkpoint.OpenInput(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if o.Format == Parquet {
		return readParquet(in, in.Size, path, o)
	}
	return readText(io.NewSectionReader(in, 0, in.Size), path, o)
}

// columns refuses names of columns for a format that has none.
func (o Options) columns(file string) error {
	if len(o.Text.Columns) == 0 || o.Format == CSV || o.Format == Parquet {
		return nil
	}
	return &checkpoint.Error{File: file, Reason: fmt.Sprintf("columns %q are asked for; only CSV and Parquet have columns by name, and this is %s", o.Text.Columns, o.Format)}
}

// opened keeps a nil *File from becoming a Source that is not nil.
func opened[S Source](s S, err error) (Source, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Read reads all of r, standard input say; o.Format must be set and name is
// for errors.
func Read(r io.Reader, name string, o Options) (Source, error) {
	if err := o.columns(name); err != nil {
		return nil, err
	}
	if o.Format == CSV || o.Format == JSONLines {
		return readText(r, name, o)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, &checkpoint.Error{File: name, Reason: "reading failed: " + err.Error(), Err: err}
	}
	in, size := bytes.NewReader(b), int64(len(b))
	switch o.Format {
	case NPY:
		return opened(npy.NewReader(in, size))
	case NPZ:
		return opened(npy.NewArchive(in, size))
	case Parquet:
		return readParquet(in, size, name, o)
	}
	return nil, unknown(name, o.Format)
}

func unknown(name string, f Format) error {
	return &checkpoint.Error{File: name, Reason: fmt.Sprintf("format %q is not one of %v", f, Formats)}
}

func readText(r io.Reader, name string, o Options) (Source, error) {
	switch {
	case o.Format != CSV && o.Format != JSONLines:
		return nil, unknown(name, o.Format)
	case o.DType == checkpoint.F32:
		return parse[float32](r, name, o)
	case o.DType == checkpoint.F64 || o.DType == checkpoint.Unknown:
		return parse[float64](r, name, o)
	}
	return nil, &checkpoint.Error{File: name, Reason: fmt.Sprintf("text is read as F32 or F64, not as %s", o.DType), Err: checkpoint.ErrDType}
}

func parse[F tensor.Float](r io.Reader, name string, o Options) (Source, error) {
	if o.Format == CSV {
		o.Text.File = name
		d, _, err := text.ReadCSV[F](r, o.Text)
		if err != nil {
			return nil, err
		}
		return held(name, checkpoint.Set{checkpoint.Of(checkpoint.Single, d)}), nil
	}
	fields, err := text.ReadJSONLines[F](r, name)
	if err != nil {
		return nil, err
	}
	var set checkpoint.Set
	for _, f := range fields {
		set = append(set, checkpoint.Of(f.Name, f.DenseOf))
	}
	return held(name, set), nil
}

// readParquet reads a matrix of the columns asked for, or of all.
func readParquet(r io.ReaderAt, size int64, name string, o Options) (Source, error) {
	if o.DType == checkpoint.F32 {
		return columns[float32](r, size, name, o)
	}
	return columns[float64](r, size, name, o)
}

func columns[F tensor.Float](r io.ReaderAt, size int64, name string, o Options) (Source, error) {
	d, _, err := parquet.Read[F](r, size, name, parquet.Options{Columns: o.Text.Columns, Note: o.Text.Note})
	if err != nil {
		return nil, err
	}
	return held(name, checkpoint.Set{checkpoint.Of(checkpoint.Single, d)}), nil
}

// memory is a Source that holds what was read. A line of JSON may name very many
// tensors, which a Set alone looks for one by one.
type memory struct {
	checkpoint.Set
	name  string
	index map[string]int
}

func held(name string, set checkpoint.Set) Source {
	m := memory{set, name, map[string]int{}}
	for i, t := range set {
		m.index[t.Name] = i
	}
	return m
}

func (m memory) Info(name string) (checkpoint.Info, bool) {
	if i, ok := m.index[name]; ok {
		return m.Set[i].Info, true
	}
	return checkpoint.Info{}, false
}

func (m memory) Tensor(name string) (checkpoint.Tensor, error) {
	if i, ok := m.index[name]; ok {
		return m.Set[i], nil
	}
	return checkpoint.Tensor{}, checkpoint.Missing(m.name, name)
}

func (m memory) Name() string { return m.name }
func (m memory) Close() error { return nil }

// Pick returns the first of the wanted names that src has; failing that, the
// name of its only tensor. It is a checkpoint.ErrMissing that lists what is
// there if src has several.
func Pick(src checkpoint.Source, want ...string) (string, error) {
	names := src.Names()
	for _, w := range want {
		if slices.Contains(names, w) {
			return w, nil
		}
	}
	if len(names) == 1 {
		return names[0], nil
	}
	file := ""
	if n, ok := src.(interface{ Name() string }); ok {
		file = n.Name()
	}
	shown, more := names, ""
	if len(shown) > 20 {
		shown, more = shown[:20], " and others"
	}
	return "", &checkpoint.Error{File: file, Reason: fmt.Sprintf("none of %q is there, and not just one tensor; it holds %q%s", want, shown, more), Err: checkpoint.ErrMissing}
}

// WriteFile writes all tensors of src to path, replacing it as a whole.
func WriteFile(path string, src checkpoint.Source, o Options) error {
	if o.Format == "" {
		f, err := FormatOf(path)
		if err != nil {
			return err
		}
		o.Format = f
	}
	return atomicfile.Write(path, func(w io.Writer) error { return Write(w, src, o) })
}

// Write writes all tensors of src; o.Format must be set. NPY, CSV and Parquet
// hold one tensor: it is a checkpoint.ErrFormat if src has another number.
func Write(w io.Writer, src checkpoint.Source, o Options) error {
	switch o.Format {
	case NPZ:
		return npy.WriteArchive(w, src)
	case NPY, CSV, JSONLines, Parquet:
	default:
		return unknown("", o.Format)
	}
	var all []checkpoint.Tensor
	src = checkpoint.Indexed(src)
	for _, name := range src.Names() {
		t, err := src.Tensor(name)
		if err != nil {
			return err
		}
		all = append(all, t)
	}
	if o.Format == JSONLines {
		return text.WriteJSONLines(w, all)
	}
	if len(all) != 1 {
		return &checkpoint.Error{Reason: fmt.Sprintf("%s holds one tensor, there are %d: %q; write .npz or .safetensors", o.Format, len(all), src.Names())}
	}
	switch {
	case o.Format == NPY:
		return npy.Write(w, all[0])
	case o.Format == Parquet && all[0].DType == checkpoint.F32:
		return writeParquet[float32](w, all[0])
	case o.Format == Parquet:
		return writeParquet[float64](w, all[0])
	}
	return text.WriteCSV(w, nil, all[0])
}

// writeParquet writes a matrix; numbers of other types become F.
func writeParquet[F tensor.Float](w io.Writer, t checkpoint.Tensor) error {
	d, err := checkpoint.FloatOf[F](t)
	if err != nil {
		return err
	}
	return parquet.Write(w, nil, d)
}
