package parquet

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Values are a column's values in the rows of a group, in one of the slices: the
// type that holds them exactly. Times and dates are the integers that the file has;
// decimals are Floats unless they are whole numbers of at most 18 digits.
type Values struct {
	Ints    []int64
	Floats  []float64
	Strings []string
	// Rounded is empty, or the first of the Floats that is not the file's decimal.
	Rounded string
}

// Groups reads a file row group by row group, in memory for one of them. It
// belongs to one goroutine at a time.
type Groups struct {
	r     io.ReaderAt
	size  int64
	file  string
	f     *parquet.File
	all   []column
	names []string
	next  int // group
}

// NewGroups begins to read a file of size bytes held by r; file is for errors,
// which are those of Read.
func NewGroups(r io.ReaderAt, size int64, file string) (*Groups, error) {
	g := &Groups{r: r, size: size, file: file}
	if err := g.open(); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Groups) open() (err error) {
	defer func() { err = g.told(recover(), err) }()
	if err := checkFooter(g.r, g.size); err != nil {
		return err
	}
	if g.f, err = parquet.OpenFile(g.r, g.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true)); err != nil {
		return err
	}
	g.all = columnsOf(g.f)
	for _, c := range g.all {
		g.names = append(g.names, c.Name())
	}
	return nil
}

// told puts the file into an error, and a panic of the library into one.
func (g *Groups) told(panicked any, err error) error {
	if panicked != nil { // the library's own checks are not complete
		err = fmt.Errorf("%v", panicked)
	}
	if err == nil || err == io.EOF {
		return err
	}
	e := (*checkpoint.Error)(nil)
	if !errors.As(err, &e) {
		return &checkpoint.Error{File: g.file, Reason: "the file is damaged: " + err.Error()}
	}
	with := *e
	with.File = g.file
	return &with
}

// Columns returns the columns' names in the file's order.
func (g *Groups) Columns() []string { return g.names }

// Next reads the columns named, of the next row group that has rows, or is io.EOF.
func (g *Groups) Next(columns []string) (list []Values, rows int, err error) {
	defer func() { err = g.told(recover(), err) }()
	groups := g.f.Metadata().RowGroups
	for ; g.next < len(groups); g.next++ {
		rg := &groups[g.next]
		if rg.NumRows == 0 {
			continue
		}
		g.next++
		if most := maxNumbers(g.size, 8) / int64(max(1, len(columns))); rg.NumRows < 0 || rg.NumRows > most {
			return nil, 0, refuse("footer", "a row group says %d rows of %d columns; from a file of %d bytes 1 to %d are read at once: write smaller groups, or choose columns by name", rg.NumRows, len(columns), g.size, most)
		}
		for _, name := range columns {
			v, err := g.column(name, rg)
			if err != nil {
				return nil, 0, err
			}
			list = append(list, v)
		}
		return list, int(rg.NumRows), nil
	}
	return nil, 0, io.EOF
}

// column reads one column of a group.
func (g *Groups) column(name string, rg *format.RowGroup) (v Values, err error) {
	c, err := g.find(name)
	if err != nil {
		return v, err
	}
	if c.Index() >= len(rg.Columns) {
		return v, refuse("footer", "a row group has no column %q", name)
	}
	m := rg.Columns[c.Index()].MetaData
	at, end, err := span(m, name, rg.NumRows, g.size)
	if err != nil {
		return v, err
	}
	n := int(rg.NumRows)
	most := maxPages(n, c.width)
	switch {
	case c.class == text:
		v.Strings = make([]string, n)
		return v, readAll(name, texts(&chunk[string]{r: g.r, at: at, end: end, codec: m.Codec, column: c, dst: v.Strings, stride: 1, n: n, most: maxNumbers(g.size, 1)}))
	case c.class == half || c.class == single || c.class == double || c.class == decimal && !c.counts():
		if c.width == 0 {
			most = maxNumbers(g.size, 1)
		}
		v.Floats = make([]float64, n)
		lost := rounded("")
		err := readAll(name, numbers(&chunk[float64]{r: g.r, at: at, end: end, codec: m.Codec, column: c, dst: v.Floats, stride: 1, n: n, most: most}, &lost))
		v.Rounded = string(lost)
		return v, err
	}
	v.Ints = make([]int64, n)
	return v, readAll(name, integers(&chunk[int64]{r: g.r, at: at, end: end, codec: m.Codec, column: c, dst: v.Ints, stride: 1, n: n, most: most}))
}

func readAll[T any](name string, p *chunk[T]) error {
	if err := p.read(); err != nil {
		return refuse(fmt.Sprintf("column %q, byte %d", name, p.at), "%v", err)
	}
	return nil
}

// find returns a flat column of numbers, times or text.
func (g *Groups) find(name string) (*column, error) {
	for i := range g.all {
		c := &g.all[i]
		if c.Name() != name {
			continue
		}
		if c.class == other {
			return nil, refuse("schema", "column %q is %s, expected a flat column of numbers, times or text; %s", name, c.says(), c.advice())
		}
		return c, nil
	}
	return nil, refuse("schema", "there is no column %q; the columns are %.200q", name, g.names)
}

// integers makes a chunk read integers, times and booleans exactly.
func integers(p *chunk[int64]) *chunk[int64] {
	c := p.column
	p.bit = func(v uint32) int64 { return int64(v) }
	value := func(b []byte) (int64, error) { return int64At(b), nil }
	switch {
	case c.class == julian:
		value = nanoseconds
	case c.class == decimal && c.Type().Kind() == parquet.FixedLenByteArray:
		value = func(b []byte) (int64, error) {
			v, ok := small(b)
			if !ok {
				return 0, fmt.Errorf("%s has more digits than its column says", digits(b))
			}
			return v, nil
		}
	case c.unsigned:
		value = func(b []byte) (int64, error) {
			u := uint64At(b)
			if u > math.MaxInt64 {
				return 0, fmt.Errorf("%d is beyond an int64", u)
			}
			return int64(u), nil
		}
	}
	p.plain = func(dst []int64, stride, n int, b []byte) error {
		return each(c, n, b, p.bit, func(i int, v int64) { dst[i*stride] = v }, value)
	}
	return p
}

// texts makes a chunk read byte arrays. What is kept is at most what pages became.
func texts(p *chunk[string]) *chunk[string] {
	p.plain = func(dst []string, stride, n int, b []byte) error {
		return each(p.column, n, b, nil, func(i int, v string) { dst[i*stride] = v }, func(b []byte) (string, error) { return string(b), nil })
	}
	return p
}

// Field is a column that Table writes.
type Field struct {
	Name string
	Text bool // otherwise float32
}

// Table writes rows of texts and numbers as row groups of 65,536, uncompressed.
type Table struct {
	out    rowWriter
	fields []Field
	order  []int // the file's column of each field
	row    parquet.Row
}

type rowWriter interface {
	parquet.RowWriter
	io.Closer
}

// NewTable begins to write; Close ends it. It is an ErrFormat if a name is empty or
// there twice.
func NewTable(w io.Writer, fields []Field) (*Table, error) {
	group := parquet.Group{}
	for _, f := range fields {
		node := parquet.Leaf(parquet.FloatType)
		if f.Text {
			node = parquet.String()
		}
		if _, twice := group[f.Name]; twice || f.Name == "" {
			return nil, refuse("names", "column name %q is empty or there twice", f.Name)
		}
		group[f.Name] = parquet.Encoded(node, &parquet.Plain)
	}
	schema := parquet.NewSchema("table", group)
	t := &Table{fields: fields, order: make([]int, len(fields)), row: make(parquet.Row, len(fields))}
	for at, c := range schema.Columns() {
		for k, f := range fields {
			if f.Name == c[0] {
				t.order[k] = at
			}
		}
	}
	const rows = 1 << 16
	t.out = parquet.NewWriter(w, schema, parquet.MaxRowsPerRowGroup(rows))
	return t, nil
}

// Write writes a row: the texts and then the numbers, each in the order of the
// fields of their kind.
func (t *Table) Write(texts []string, values []float32) error {
	for k, f := range t.fields {
		at := t.order[k]
		if f.Text {
			t.row[at] = parquet.ValueOf(texts[0]).Level(0, 0, at)
			texts = texts[1:]
			continue
		}
		t.row[at] = parquet.ValueOf(values[0]).Level(0, 0, at)
		values = values[1:]
	}
	_, err := t.out.WriteRows([]parquet.Row{t.row})
	return err
}

// Close writes what is left, and the footer.
func (t *Table) Close() error { return t.out.Close() }
