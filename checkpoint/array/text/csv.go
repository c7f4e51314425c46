package text

import (
	"bufio"
	"bytes"
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

// CSV says how a CSV file is read. The zero value reads all columns,
// separated by commas, and takes the first line for names if none of its
// fields is a number.
type CSV struct {
	File    string   // name for errors; "csv" if empty
	Comma   rune     // separator; 0 means a comma
	Columns []string // names of the columns to take, in this order; nil means all
	Header  Header
}

// Header says whether the first line holds names.
type Header int

// The first line holds names if none of its fields is a number (HeaderAuto),
// always, or never.
const (
	HeaderAuto Header = iota
	HeaderYes
	HeaderNo
)

// ReadCSV reads a matrix [rows, columns] and the columns' names, nil where
// the file has none. Each row must have a number in every column taken, NaN
// and Inf included; other columns may hold anything. It is an ErrFormat,
// naming line and column, if one does not, or if there are no rows.
func ReadCSV[F tensor.Float](r io.Reader, c CSV) (d tensor.DenseOf[F], names []string, err error) {
	if c.File == "" {
		c.File = "csv"
	}
	b := bufio.NewReader(r)
	if bom, err := b.Peek(3); err == nil && bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		_, _ = b.Discard(3)
	}
	in := csv.NewReader(b)
	in.ReuseRecord = true
	if c.Comma != 0 {
		in.Comma = c.Comma
	}
	in.TrimLeadingSpace = in.Comma != '\t' // or an empty field would vanish
	var take []int                         // columns taken, as positions in a row
	for first := true; ; first = false {
		row, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return d, nil, c.broken(err)
		}
		if first {
			take, names, err = c.columns(row)
			if err != nil {
				return d, nil, err
			}
			if names != nil {
				continue
			}
		}
		for _, at := range take {
			field := strings.TrimSpace(row[at])
			v, err := strconv.ParseFloat(field, bits[F]())
			if err != nil {
				line, _ := in.FieldPos(at)
				return d, nil, c.fail(line, at, names, take, field, err)
			}
			d.Data = append(d.Data, F(v))
		}
	}
	if len(d.Data) == 0 {
		return d, nil, &checkpoint.Error{File: c.File, Reason: "there are no rows of numbers"}
	}
	d.Shape = []int{len(d.Data) / len(take), len(take)}
	d.Data = slices.Clip(d.Data)
	return d, names, nil
}

// columns decides from the first row which columns are taken and, if it is a
// header, what they are called.
func (c CSV) columns(row []string) (take []int, names []string, err error) {
	header := c.Header == HeaderYes
	if c.Header == HeaderAuto {
		header = !slices.ContainsFunc(row, func(s string) bool {
			_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
			return err == nil || errors.Is(err, strconv.ErrRange)
		})
	}
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

// broken puts a fault of the CSV itself into words.
func (c CSV) broken(err error) error {
	e := (*csv.ParseError)(nil)
	if !errors.As(err, &e) {
		return &checkpoint.Error{File: c.File, Reason: "reading failed: " + err.Error(), Err: err}
	}
	reason := e.Err.Error()
	if errors.Is(err, csv.ErrFieldCount) {
		reason = "this row has another number of columns than the first"
	}
	return &checkpoint.Error{File: c.File, Place: fmt.Sprintf("line %d", e.Line), Reason: reason}
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
