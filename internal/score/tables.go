package score

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/parquet"
	"github.com/unroll-ml/unroll/checkpoint/array/text"
)

// Columns says which columns of a table are what.
type Columns struct {
	Key  string
	Time string   // empty: the file's order
	X    []string // nil: all others, in the file's order
}

// choose finds the columns among a table's names: the key's, the time's (-1: none)
// and those of x.
func (c Columns) choose(names []string) (key, at int, x []int, err error) {
	find := func(name string) (int, error) {
		i := slices.Index(names, name)
		switch {
		case i < 0:
			return 0, &checkpoint.Error{Reason: fmt.Sprintf("there is no column %q; the columns are %.200q", name, names)}
		case slices.Contains(names[i+1:], name):
			return 0, &checkpoint.Error{Reason: fmt.Sprintf("two columns are called %q", name)}
		}
		return i, nil
	}
	if key, err = find(c.Key); err != nil {
		return 0, 0, nil, err
	}
	if at = -1; c.Time != "" {
		if at, err = find(c.Time); err != nil {
			return 0, 0, nil, err
		}
	}
	if c.X == nil {
		for i := range names {
			if i != key && i != at {
				x = append(x, i)
			}
		}
		return key, at, x, nil
	}
	for _, name := range c.X {
		i, err := find(name)
		if err != nil {
			return 0, 0, nil, err
		}
		x = append(x, i)
	}
	return key, at, x, nil
}

// CSV gives the rows of a file of separated values with a line of names.
type CSV struct {
	file    string
	rows    *text.Rows
	names   []string
	key, at int
	x       []int
}

// NewCSV reads the line of names; notes are what was found out about the file.
// Errors name the file.
func NewCSV(r io.Reader, file string, d text.Dialect, columns Columns) (c *CSV, notes []string, err error) {
	c = &CSV{file: file}
	if c.rows, err = text.NewRows(r, file, d); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	row, err := c.rows.Read()
	if err == io.EOF {
		return nil, nil, &checkpoint.Error{File: file, Reason: "it is empty, expected a line of names and rows"}
	}
	if err != nil {
		return nil, nil, c.broken(err)
	}
	if d.Header == text.HeaderNo || d.Header == text.HeaderAuto && c.rows.Numbers(row) {
		return nil, nil, &checkpoint.Error{File: file, Place: "line 1", Reason: "it is no line of names, by which columns are chosen"}
	}
	for _, f := range row {
		c.names = append(c.names, strings.TrimSpace(f))
	}
	if c.key, c.at, c.x, err = columns.choose(c.names); err != nil {
		var e *checkpoint.Error
		if errors.As(err, &e) {
			e.File = file
		}
		return nil, nil, err
	}
	return c, c.rows.Notes(), nil
}

// RowError is what is wrong with one row of a table, after which Next reads the next.
type RowError struct{ Err error }

// Error names the file, the place and the reason.
func (e *RowError) Error() string { return e.Err.Error() }

// Unwrap returns the error of the file.
func (e *RowError) Unwrap() error { return e.Err }

func (c *CSV) broken(err error) error {
	var e *csv.ParseError
	if errors.As(err, &e) {
		return &RowError{&checkpoint.Error{File: c.file, Place: fmt.Sprintf("line %d", e.Line), Reason: e.Err.Error()}}
	}
	return fmt.Errorf("%s: %w", c.file, err)
}

// Width returns how many numbers a row has.
func (c *CSV) Width() int { return len(c.x) }

// Where names a line.
func (c *CSV) Where(place int) string { return fmt.Sprintf("%s: line %d", c.file, place) }

// Next reads a line. One that cannot be read is a *RowError.
func (c *CSV) Next(r *Row) error {
	row, err := c.rows.Read()
	if err == io.EOF {
		return err
	}
	if err != nil {
		r.Key, r.At, r.Place = "", "", 0
		if e := (*csv.ParseError)(nil); errors.As(err, &e) {
			r.Place = e.Line
		}
		return c.broken(err)
	}
	r.Key, r.Place = strings.Clone(strings.TrimSpace(row[c.key])), c.rows.Line(c.key)
	if c.at >= 0 {
		r.At = strings.Clone(strings.TrimSpace(row[c.at]))
		if r.Time, err = ParseTime(r.At); err != nil {
			return c.fail(r.Place, c.at, err.Error())
		}
	}
	for k, i := range c.x {
		v, err := c.rows.Float(row[i], 32)
		switch {
		case strings.TrimSpace(row[i]) == "":
			return c.fail(r.Place, i, "the field is empty, expected a number")
		case errors.Is(err, strconv.ErrRange):
			return c.fail(r.Place, i, fmt.Sprintf("%.60q is beyond the range of float32", row[i]))
		case errors.Is(err, text.ErrDecimal):
			return c.fail(r.Place, i, err.Error())
		case err != nil:
			return c.fail(r.Place, i, fmt.Sprintf("%.60q is not a number; --columns chooses those that are", row[i]))
		}
		r.X[k] = float32(v)
	}
	return nil
}

func (c *CSV) fail(line, column int, reason string) error {
	return &RowError{&checkpoint.Error{File: c.file, Place: fmt.Sprintf("line %d, column %d (%.40s)", line, column+1, c.names[column]), Reason: reason}}
}

// Parquet gives the rows of a Parquet file, in memory for one of its row groups.
type Parquet struct {
	file    string
	groups  *parquet.Groups
	names   []string // of the columns read: the key's, the time's, those of x
	at      bool
	values  []parquet.Values
	n, next int // rows of the group
	row     int // of the file
}

// NewParquet begins to read a file of size bytes held by r. Errors name the file.
func NewParquet(r io.ReaderAt, size int64, file string, columns Columns) (*Parquet, error) {
	g, err := parquet.NewGroups(r, size, file)
	if err != nil {
		return nil, err
	}
	all := g.Columns()
	key, at, x, err := columns.choose(all)
	if err != nil {
		var e *checkpoint.Error
		if errors.As(err, &e) {
			e.File = file
		}
		return nil, err
	}
	p := &Parquet{file: file, groups: g, names: []string{all[key]}, at: at >= 0}
	if p.at {
		p.names = append(p.names, all[at])
	}
	for _, i := range x {
		p.names = append(p.names, all[i])
	}
	return p, nil
}

// Width returns how many numbers a row has.
func (p *Parquet) Width() int {
	if p.at {
		return len(p.names) - 2
	}
	return len(p.names) - 1
}

// Where names a row, from 1 on.
func (p *Parquet) Where(place int) string { return fmt.Sprintf("%s: row %d", p.file, place) }

// Next reads a row. One that cannot be read is a *RowError.
func (p *Parquet) Next(r *Row) (err error) {
	for p.next == p.n {
		p.next = 0
		if p.values, p.n, err = p.groups.Next(p.names); err != nil {
			p.n = 0
			return err
		}
	}
	i := p.next
	p.next++
	p.row++
	r.Place = p.row
	r.Key, _ = shown(&p.values[0], i)
	rest := p.values[1:]
	if p.at {
		v := &rest[0]
		r.At, _ = shown(v, i)
		switch {
		case v.Ints != nil:
			r.Time = Whole(v.Ints[i])
		case v.Floats != nil:
			r.Time, err = Number(v.Floats[i])
		default:
			r.Time, err = ParseTime(v.Strings[i])
		}
		if err != nil {
			return p.fail(1, err.Error())
		}
		rest = rest[1:]
	}
	// Two keys, or times, that become the same number would be one.
	for k := range len(p.names) - len(rest) {
		if lost := p.values[k].Rounded; lost != "" {
			return fmt.Errorf("%s: column %.40q tells rows apart and has more digits than are read of a decimal: %s; write it as text or as whole numbers", p.file, p.names[k], lost)
		}
	}
	first := len(p.names) - len(rest)
	for k := range rest {
		v := &rest[k]
		switch {
		case v.Ints != nil:
			r.X[k] = float32(v.Ints[i])
		case v.Floats != nil:
			if r.X[k] = float32(v.Floats[i]); math.IsInf(float64(r.X[k]), 0) && !math.IsInf(v.Floats[i], 0) {
				return p.fail(first+k, fmt.Sprintf("%v is beyond the range of float32", v.Floats[i]))
			}
		default:
			return p.fail(first+k, "it is a column of text, expected numbers; --columns chooses those that are")
		}
	}
	return nil
}

func (p *Parquet) fail(column int, reason string) error {
	return &RowError{&checkpoint.Error{File: p.file, Place: fmt.Sprintf("row %d, column %.40q", p.row, p.names[column]), Reason: reason}}
}

// shown is a value as text.
func shown(v *parquet.Values, i int) (string, bool) {
	switch {
	case v.Ints != nil:
		return strconv.FormatInt(v.Ints[i], 10), true
	case v.Floats != nil:
		return strconv.FormatFloat(v.Floats[i], 'g', -1, 64), true
	}
	return v.Strings[i], false
}
