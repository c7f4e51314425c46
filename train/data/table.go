package data

import (
	"bytes"
	"encoding/csv"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Table is a time series: rows in file order, one number a column.
type Table struct {
	TimeColumn string
	Time       []string
	Columns    []string
	Rows       [][]float64
	Lines      []int // of the file, where the rows stand
}

// ReadTable reads a CSV file with a header line. timeColumn "" is the first
// column; columns nil are all others.
func ReadTable(path, timeColumn string, columns []string) (*Table, error) {
	b, err := readText(path)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(b))
	head, err := r.Read()
	if err != nil {
		return nil, csvFault(path, err)
	}
	if timeColumn == "" {
		timeColumn = head[0]
	}
	ti := slices.Index(head, timeColumn)
	if ti < 0 {
		return nil, Fault(path, 1, "there is no column %q; the header is %s", timeColumn, strings.Join(head, ",")).Try("name yours with %s", "time-column")
	}
	t := &Table{TimeColumn: timeColumn, Columns: columns}
	if columns == nil {
		for i, h := range head {
			if i != ti {
				t.Columns = append(t.Columns, h)
			}
		}
	}
	var at []int
	for _, c := range t.Columns {
		i := slices.Index(head, c)
		if i < 0 {
			return nil, Fault(path, 1, "there is no column %q; the header is %s", c, strings.Join(head, ",")).Try("name yours with %s", "columns")
		}
		at = append(at, i)
	}
	if len(at) == 0 {
		return nil, Fault(path, 1, "there is no column besides the time; at least one series is needed")
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return nil, csvFault(path, err)
		}
		line, _ := r.FieldPos(0)
		v := make([]float64, len(at))
		for k, i := range at {
			v[k], err = strconv.ParseFloat(strings.TrimSpace(row[i]), 64)
			if err != nil {
				return nil, Fault(path, line, "column %q has %q, expected a number", t.Columns[k], row[i]).Try("correct it or leave the column out with %s", "columns")
			}
			if math.IsNaN(v[k]) || math.IsInf(v[k], 0) {
				return nil, Fault(path, line, "column %q has %q; fill the gap or take the line out", t.Columns[k], row[i])
			}
		}
		t.Rows, t.Time, t.Lines = append(t.Rows, v), append(t.Time, row[ti]), append(t.Lines, line)
	}
}

// timeLayouts are the forms of time the calendar features are read from.
var timeLayouts = []string{"2006-01-02 15:04:05", "2006-01-02 15:04", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"}

func parseTime(s string) (t time.Time, layout string, ok bool) {
	for _, l := range timeLayouts {
		if t, err := time.Parse(l, strings.TrimSpace(s)); err == nil {
			return t, l, true
		}
	}
	return t, "", false
}

// After returns the times of the n steps after the last row, as far apart as
// the last two rows are; nil if those are no times.
func (t *Table) After(n int) (times []string) {
	if len(t.Time) < 2 {
		return nil
	}
	a, _, ok := parseTime(t.Time[len(t.Time)-2])
	b, layout, ok2 := parseTime(t.Time[len(t.Time)-1])
	if !ok || !ok2 || !b.After(a) {
		return nil
	}
	for k := range n {
		times = append(times, b.Add(time.Duration(k+1)*b.Sub(a)).Format(layout))
	}
	return times
}
