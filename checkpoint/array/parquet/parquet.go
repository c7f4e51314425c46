// Package parquet reads and writes matrices as Parquet files
// (https://parquet.apache.org/docs/file-format/), through
// github.com/parquet-go/parquet-go.
//
// Flat columns of floats, integers, decimals and booleans are read, each a column of
// the matrix, and times by name, in every encoding and compression that the format
// has but LZO. The library reads the footer, whose lengths are checked before; pages
// are decoded here, with every length checked against the file and the rows it holds
// (docs/decisions/0016-own-parquet-pages.md).
package parquet

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"unsafe"

	"github.com/parquet-go/parquet-go"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// Options say what is read.
type Options struct {
	// Columns chooses columns and their order; nil means all, which may then not be
	// times or dates. Those are the numbers that the file has.
	Columns []string
	// Note, if not nil, is called with what was made of a column that a reader would
	// not expect, a sentence each: values that had to be rounded, and times.
	Note func(string)
}

// ReadFile is Read for a path.
func ReadFile[F tensor.Float](path string, o Options) (tensor.DenseOf[F], []string, error) {
	in, err := checkpoint.OpenInput(path)
	if err != nil {
		return tensor.DenseOf[F]{}, nil, err
	}
	defer in.Close()
	return Read[F](in, in.Size, path, o)
}

// Read reads a matrix [rows, columns] and the columns' names from a file of
// size bytes held by r; file is for errors and notes. It is an ErrFormat if a chosen
// column is not there, not flat, not of numbers or holds a null.
func Read[F tensor.Float](r io.ReaderAt, size int64, file string, o Options) (d tensor.DenseOf[F], names []string, err error) {
	defer func() {
		if p := recover(); p != nil { // the library's own checks are not complete
			d, names, err = tensor.DenseOf[F]{}, nil, &checkpoint.Error{File: file, Reason: fmt.Sprintf("the file is damaged: %v", p)}
		}
	}()
	d, names, err = read[F](r, size, file, o)
	if err == nil {
		return d, names, nil
	}
	e := (*checkpoint.Error)(nil)
	if !errors.As(err, &e) {
		return tensor.DenseOf[F]{}, nil, &checkpoint.Error{File: file, Reason: "the file is damaged: " + err.Error()}
	}
	with := *e
	with.File = file
	return tensor.DenseOf[F]{}, nil, &with
}

func refuse(place, format string, a ...any) error {
	return &checkpoint.Error{Place: place, Reason: fmt.Sprintf(format, a...)}
}

func read[F tensor.Float](r io.ReaderAt, size int64, file string, o Options) (d tensor.DenseOf[F], names []string, err error) {
	if err := checkFooter(r, size); err != nil {
		return d, nil, err
	}
	f, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return d, nil, err
	}
	take, err := choose(columnsOf(f), o.Columns)
	if err != nil {
		return d, nil, err
	}
	rows := f.NumRows()
	if most := maxNumbers(size, int64(unsafe.Sizeof(F(0)))) / int64(len(take)); rows <= 0 || rows > most {
		return d, nil, refuse("footer", "it says %d rows of %d columns; from a file of %d bytes 1 to %d are read at once: split it, or choose columns by name", rows, len(take), size, most)
	}
	for _, c := range take {
		names = append(names, c.Name())
	}
	d = tensor.NewOf[F](int(rows), len(take))
	row := 0
	taken, lost := make([]int64, len(take)), make([]rounded, len(take))
	for _, g := range f.Metadata().RowGroups {
		n := int(g.NumRows)
		if n < 0 || n > int(rows)-row {
			return d, nil, refuse("footer", "its row groups have more rows than the file's %d", rows)
		}
		for k, c := range take {
			if c.Index() >= len(g.Columns) {
				return d, nil, refuse("footer", "a row group has no column %q", c.Name())
			}
			m := g.Columns[c.Index()].MetaData
			at, end, err := span(m, c.Name(), g.NumRows, size)
			if err != nil {
				return d, nil, err
			}
			if taken[k] += end - at; taken[k] > size {
				return d, nil, refuse("footer", "column %q has more bytes than the file; its groups overlap", c.Name())
			}
			p := numbers(&chunk[F]{r: r, at: at, end: end, codec: m.Codec, column: c, dst: d.Data[row*len(take)+k:], stride: len(take), n: n, most: maxPages(n, c.width)}, &lost[k])
			if c.class == decimal && c.width == 0 {
				p.most = maxNumbers(size, 1)
			}
			if err := readAll(c.Name(), p); err != nil {
				return d, nil, err
			}
		}
		row += n
	}
	if row != int(rows) {
		return d, nil, refuse("footer", "its row groups have %d rows, the file %d", row, rows)
	}
	if o.Note != nil {
		for k, c := range take {
			if c.isTime() {
				o.Note(fmt.Sprintf("%s: column %q holds times: they are read as %s", file, c.Name(), c.time()))
			}
			if lost[k] != "" {
				o.Note(fmt.Sprintf("%s: column %q has values that float%d does not hold exactly: %s", file, c.Name(), 8*unsafe.Sizeof(F(0)), lost[k]))
			}
		}
	}
	return d, names, nil
}

// choose returns the columns asked for, all of them flat and of numbers.
func choose(all []column, want []string) ([]*column, error) {
	var names []string
	for _, c := range all {
		names = append(names, c.Name())
	}
	named := want != nil
	if !named {
		want = names
	}
	var take []*column
	for _, name := range want {
		at := slices.Index(names, name)
		if at < 0 {
			return nil, refuse("schema", "there is no column %q; the columns are %.200q", name, names)
		}
		c := &all[at]
		if c.class == other || c.class == text || c.isTime() && !named {
			return nil, refuse("schema", "column %q is not a flat column of numbers, it is %s; %s", name, c.says(), c.advice())
		}
		take = append(take, c)
	}
	if len(take) == 0 {
		return nil, refuse("schema", "there are no columns")
	}
	return take, nil
}

// Write writes a matrix [rows, columns] as one row group, uncompressed;
// columns are FLOAT or DOUBLE as F is, and called names or, where names is
// nil, c0, c1 and so on. It is a tensor.ErrShape if d is no matrix of that
// many columns.
func Write[F tensor.Float](w io.Writer, names []string, d tensor.DenseOf[F]) (err error) {
	if err := d.Check("matrix"); err != nil {
		return err
	}
	if d.Rank() != 2 || names != nil && len(names) != d.Shape[1] || d.Shape[1] == 0 {
		return &tensor.ShapeError{Arg: "matrix", Got: d.Shape, Want: fmt.Sprintf("rows and columns, one for each of the names %.200q", names)}
	}
	columns := d.Shape[1]
	width := 0
	if names == nil {
		width = len(fmt.Sprint(columns - 1)) // a group sorts its columns by name
	}
	node := parquet.Leaf(parquet.DoubleType)
	if _, ok := any(F(0)).(float32); ok {
		node = parquet.Leaf(parquet.FloatType)
	}
	group := parquet.Group{}
	for i := range columns {
		name := fmt.Sprintf("c%0*d", width, i)
		if names != nil {
			name = names[i]
		}
		if _, twice := group[name]; twice || name == "" {
			return refuse("names", "column name %q is empty or there twice", name)
		}
		group[name] = parquet.Encoded(node, &parquet.Plain)
	}
	schema := parquet.NewSchema("matrix", group)
	order := make([]int, columns) // matrix column -> file column
	for at, c := range schema.Columns() {
		k := at
		if names != nil {
			k = slices.Index(names, c[0])
		}
		order[k] = at
	}
	out := parquet.NewWriter(w, schema)
	row := make(parquet.Row, columns)
	for r := range d.Shape[0] {
		for k, at := range order {
			row[at] = parquet.ValueOf(d.Data[r*columns+k]).Level(0, 0, at)
		}
		if _, err := out.WriteRows([]parquet.Row{row}); err != nil {
			return err
		}
	}
	return out.Close()
}
