package text

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// CSV says how a CSV file is read. The zero value reads all columns and finds
// out how the file is written.
type CSV struct {
	File string // name for errors; "csv" if empty
	Dialect
	Columns []string // names of the columns to take, in this order; nil means all
	// Note, if not nil, is called with what was found out about the file, a
	// sentence each.
	Note func(string)
}

// ReadCSV reads a matrix [rows, columns] and the columns' names, nil where
// the file has none. An index without a name, as pandas writes it, is no column.
// Each row must have a number in every column taken, NaN
// and Inf included; other columns may hold anything. It is an ErrFormat,
// naming line and column, if one does not, or if there are no rows.
func ReadCSV[F tensor.Float](r io.Reader, c CSV) (d tensor.DenseOf[F], names []string, err error) {
	m, err := NewMatrix[F](r, c)
	if err != nil {
		return d, nil, err
	}
	for err == nil {
		d.Data, err = m.Append(d.Data)
	}
	if err != io.EOF {
		return tensor.DenseOf[F]{}, nil, err
	}
	d.Shape = []int{len(d.Data) / len(m.take), len(m.take)}
	d.Data = slices.Clip(d.Data)
	return d, m.names, nil
}

// Matrix reads what ReadCSV reads row by row. It is for one goroutine at a time.
type Matrix[F tensor.Float] struct {
	c     CSV
	rows  *Rows
	ahead []string // the first row of numbers, where there are no names
	take  []int    // columns taken, as positions in a row
	names []string
	any   bool // a row was read
}

// NewMatrix begins to read; errors are those of ReadCSV.
func NewMatrix[F tensor.Float](r io.Reader, c CSV) (*Matrix[F], error) {
	if c.File == "" {
		c.File = "csv"
	}
	rows, err := NewRows(r, c.File, c.Dialect)
	if err != nil {
		return nil, &checkpoint.Error{File: c.File, Reason: "reading failed: " + err.Error(), Err: err}
	}
	header := rows.header(c.Header)
	index := header && c.Columns == nil && rows.Index()
	if index {
		rows.notes = append(rows.notes, IndexNote(c.File))
	}
	if c.Note != nil {
		for _, n := range rows.Notes() {
			c.Note(n)
		}
	}
	m := &Matrix[F]{c: c, rows: rows}
	row, err := rows.Read()
	if err == io.EOF {
		return nil, m.empty()
	}
	if err != nil {
		return nil, rows.broken(err)
	}
	if m.take, m.names, err = c.columns(row, header); err != nil {
		return nil, err
	}
	if index {
		m.take, m.names = m.take[1:], m.names[1:]
	}
	if m.names == nil {
		m.ahead = row
	}
	return m, nil
}

func (m *Matrix[F]) empty() error {
	return &checkpoint.Error{File: m.c.File, Reason: "there are no rows of numbers"}
}

// Columns is how many numbers a row has.
func (m *Matrix[F]) Columns() int { return len(m.take) }

// Append appends the numbers of the next row to data. It is io.EOF after the last,
// and an ErrFormat if there was none.
func (m *Matrix[F]) Append(data []F) ([]F, error) {
	row, err := m.ahead, error(nil)
	if m.ahead = nil; row == nil {
		row, err = m.rows.Read()
	}
	switch {
	case err == io.EOF && !m.any:
		return data, m.empty()
	case err == io.EOF:
		return data, io.EOF
	case err != nil:
		return data, m.rows.broken(err)
	}
	for _, at := range m.take {
		v, err := m.rows.Float(row[at], bits[F]())
		if err != nil {
			return data, m.c.fail(m.rows.Line(at), at, m.names, m.take, strings.TrimSpace(row[at]), err)
		}
		data, m.any = append(data, F(v)), true
	}
	return data, nil
}

// columns decides from the first row which columns are taken and, if it is a
// header, what they are called.
func (c CSV) columns(row []string, header bool) (take []int, names []string, err error) {
	if !header && c.Columns != nil {
		return nil, nil, &checkpoint.Error{File: c.File, Place: "line 1", Reason: fmt.Sprintf("columns %q are asked for and the file has no line of names", c.Columns)}
	}
	if !header || c.Columns == nil {
		for i := range row {
			take = append(take, i)
			if header {
				names = append(names, strings.TrimSpace(row[i]))
			}
		}
		return take, names, nil
	}
	for _, want := range c.Columns {
		at := -1
		for i, name := range row {
			if strings.TrimSpace(name) != want {
				continue
			}
			if at >= 0 {
				return nil, nil, &checkpoint.Error{File: c.File, Place: "line 1", Reason: fmt.Sprintf("two columns are called %q", want)}
			}
			at = i
		}
		if at < 0 {
			return nil, nil, &checkpoint.Error{File: c.File, Place: "line 1", Reason: fmt.Sprintf("there is no column %q; the columns are %s", want, short(fmt.Sprintf("%q", row)))}
		}
		take = append(take, at)
	}
	return take, slices.Clone(c.Columns), nil
}

func (c CSV) fail(line, at int, names []string, take []int, field string, err error) error {
	place := fmt.Sprintf("line %d, column %d", line, at+1)
	if names != nil {
		place += fmt.Sprintf(" (%s)", short(names[slices.Index(take, at)]))
	}
	reason := fmt.Sprintf("%q is not a number", short(field))
	switch {
	case field == "":
		reason = "the field is empty, expected a number"
	case errors.Is(err, ErrDecimal):
		reason = err.Error()
	case errors.Is(err, strconv.ErrRange):
		reason = fmt.Sprintf("%q is beyond the range of the element type", short(field))
	}
	return &checkpoint.Error{File: c.File, Place: place, Reason: reason}
}

// short cuts text from the file to a length fit for a message.
func short(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// WriteCSV writes a matrix [rows, columns], a vector as one column, or a
// single number, after a line of names where names is not nil. It is a
// tensor.ErrShape if the tensor has more dimensions or another number of
// columns.
func WriteCSV(w io.Writer, names []string, t checkpoint.Tensor) error {
	columns := 1
	switch {
	case len(t.Shape) > 2:
		return &tensor.ShapeError{Arg: strconv.Quote(t.Name), Got: t.Shape, Want: "at most 2 dimensions, rows and columns, for CSV; write .npy or .npz"}
	case len(t.Shape) == 2:
		columns = t.Shape[1]
	}
	if names != nil && len(names) != columns {
		return &tensor.ShapeError{Arg: strconv.Quote(t.Name), Got: t.Shape, Want: fmt.Sprintf("%d columns, as many as there are names", len(names))}
	}
	format, err := elements(t)
	if err != nil {
		return err
	}
	if names != nil {
		c := csv.NewWriter(w)
		if err := c.Write(names); err != nil {
			return err
		}
		if c.Flush(); c.Error() != nil {
			return c.Error()
		}
	}
	b := bufio.NewWriter(w)
	var field []byte
	for i := range t.Len() {
		end := byte(',')
		if (i+1)%columns == 0 {
			end = '\n'
		}
		field = append(format(field[:0], i), end)
		if _, err := b.Write(field); err != nil {
			return err
		}
	}
	return b.Flush()
}
