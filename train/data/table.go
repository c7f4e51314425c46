package data

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unroll-ml/unroll/checkpoint/array/text"
)

// Table is a time series: rows in file order, one number a column.
type Table struct {
	TimeColumn string
	Time       []string
	Columns    []string
	Rows       [][]float64
	Lines      []int // of the file, where the rows stand; of a row put in, where it is missing
	// TimeFormat is how the times were read, where they do not tell themselves:
	// one of TimeFormats, "" otherwise.
	TimeFormat string
	// Notes are what was found out about the file, a sentence each.
	Notes []string

	file   string
	clocks clocks
	noTime *Error // why the times were not read
	pace   pace
	paced  bool
}

// TableOptions say how a table is read. The zero value finds out.
type TableOptions struct {
	Time    string   // the time column; "": the first
	Columns []string // nil: all but the time
	text.Dialect
	TimeFormat string // one of TimeFormats; "" is "auto"
	// Gaps says what becomes of missing rows and of times that are there twice:
	// "say" (or "") puts them into Notes, "refuse" makes them errors, "fill" puts
	// in rows between and keeps the last of those of one time.
	Gaps string
}

// GapRules are the values of TableOptions.Gaps.
var GapRules = []string{"say", "refuse", "fill"}

// ReadTable reads separated values with a line of names. Where times can be
// read, they are in order.
func ReadTable(f File, o TableOptions) (*Table, error) {
	b, err := readText(f)
	if err != nil {
		return nil, err
	}
	rows, head, err := openRows(f, b, o.Dialect)
	if err != nil {
		return nil, err
	}
	t := &Table{TimeColumn: o.Time, Columns: o.Columns, file: f.Name()}
	index := o.Header != text.HeaderNo && o.Time == "" && rows.Index()
	if index {
		t.Notes = append(t.Notes, text.IndexNote(t.file))
	}
	at, ti, err := t.choose(head, index)
	if err != nil {
		return nil, err
	}
	if err := t.header(rows, head, ti, o.Header); err != nil {
		return nil, err
	}
	for {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, csvFault(t.file, err)
		}
		line := rows.Line(0)
		v := make([]float64, len(at))
		for k, i := range at {
			if v[k], err = rows.Float(row[i], 64); err != nil {
				return nil, numberFault(t.file, line, t.Columns[k], row[i], err)
			}
			if math.IsNaN(v[k]) || math.IsInf(v[k], 0) {
				return nil, Fault(t.file, line, "column %q has %q; fill the gap or take the line out", t.Columns[k], row[i])
			}
		}
		t.Rows, t.Time, t.Lines = append(t.Rows, v), append(t.Time, strings.Clone(row[ti])), append(t.Lines, line)
	}
	t.Notes = append(rows.Notes(), t.Notes...)
	return t, t.order(o)
}

var isJSON = regexp.MustCompile(`^\s*(\{\s*"|\[\s*[\[{"0-9-])`)

// openRows begins to read, and returns a copy of the first row, or of numbers
// from 1 on where the file has no names.
func openRows(f File, b []byte, d text.Dialect) (*text.Rows, []string, error) {
	if d.Comma == 0 && f.ending() == ".tsv" {
		d.Comma = '\t'
	}
	if isJSON.Match(b) {
		return nil, nil, Fault(f.Name(), 1, "it is JSON, expected a table of separated values, a row a line")
	}
	d.Spaces = true // of a text
	rows, err := text.NewRows(bytes.NewReader(b), f.Name(), d)
	if err != nil {
		return nil, nil, csvFault(f.Name(), err)
	}
	if len(rows.Sample()) == 0 {
		_, err := rows.Read()
		return nil, nil, csvFault(f.Name(), err)
	}
	head := slices.Clone(rows.Sample()[0])
	for i := range head {
		head[i] = strings.TrimSpace(head[i])
		if d.Header == text.HeaderNo {
			head[i] = strconv.Itoa(i + 1)
		}
	}
	if d.Header != text.HeaderNo {
		if _, err := rows.Read(); err != nil {
			return nil, nil, csvFault(f.Name(), err)
		}
	}
	return rows, head, nil
}

// choose finds the columns taken, and that of the time, in the line of names; the
// first may be an index, which is neither.
func (t *Table) choose(head []string, index bool) (at []int, ti int, err error) {
	skip := 0
	if index {
		skip = 1
	}
	if t.TimeColumn == "" {
		t.TimeColumn = head[skip]
	}
	if ti = slices.Index(head, t.TimeColumn); ti < 0 {
		return nil, 0, Fault(t.file, 1, "there is no column %q; the header is %s", t.TimeColumn, strings.Join(head, ",")).Try("name yours with %s", "time-column")
	}
	if t.Columns == nil {
		for i, h := range head {
			if i != ti && i >= skip {
				t.Columns, at = append(t.Columns, h), append(at, i)
			}
		}
	} else {
		for _, c := range t.Columns {
			i := slices.Index(head, c)
			if i < 0 {
				return nil, 0, Fault(t.file, 1, "there is no column %q; the header is %s", c, strings.Join(head, ",")).Try("name yours with %s", "columns")
			}
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return nil, 0, Fault(t.file, 1, "there is no column besides the time; at least one series is needed")
	}
	return at, ti, nil
}

// header refuses a first line that seems to hold numbers and no names.
func (t *Table) header(rows *text.Rows, head []string, ti int, h text.Header) error {
	if h != text.HeaderAuto {
		return nil
	}
	rest := slices.Concat(head[:ti], head[ti+1:])
	if ti == 1 && head[0] == "" {
		rest = head[2:]
	}
	if !rows.Numbers(rest) {
		return nil
	}
	_, isTime := scan(head[ti])
	if !isTime && !rows.Numbers(head[ti:ti+1]) && (text.Counts(rest) || len(rest) == 1 && rest[0] == "0") {
		t.Notes = append(t.Notes, fmt.Sprintf("%s: the columns are called %s, as pandas numbers them", t.file, strings.Join(rest, ", ")))
		return nil
	}
	return Fault(t.file, 1, "the first line is %s: numbers, where names are expected", strings.Join(head, ",")).
		Try("say %s if the file has no line of names (the columns are then 1, 2, ...), or %s if these are names", "no-header", "header")
}

// numberFault says why a field is no number.
func numberFault(file string, line int, column, field string, err error) error {
	if errors.Is(err, text.ErrDecimal) {
		return Fault(file, line, "column %q has %q, which has a comma as decimal sign or between thousands", column, field).Try("say which with %s , or %s .", "decimal", "decimal")
	}
	return Fault(file, line, "column %q has %q, expected a number", column, field).Try("correct it or leave the column out with %s", "columns")
}

// csvFault puts file, line and advice to what was wrong with a row.
func csvFault(path string, err error) error {
	var p *csv.ParseError
	if errors.As(err, &p) {
		if errors.Is(p.Err, csv.ErrFieldCount) {
			return Fault(path, p.Line, "it has more or fewer fields than the header; each line needs the same columns")
		}
		return Fault(path, p.Line, "%v; put text with quotes or commas in double quotes", p.Err)
	}
	if err == io.EOF {
		return Fault(path, 0, "it has no header line")
	}
	return Fault(path, 0, "%v", err)
}

// order reads the times, finds how far apart they are, and refuses, says or
// fills what is out of order.
func (t *Table) order(o TableOptions) error {
	c, bad, reason := readTimes(t.Time, o.TimeFormat)
	if bad >= 0 {
		line := 0
		if bad < len(t.Lines) {
			line = t.Lines[bad]
		}
		t.noTime = Fault(t.file, line, "%s", reason)
		if o.TimeFormat != "" && o.TimeFormat != "auto" { // somebody says that they are times
			return t.noTime.Try("correct it, or take %s auto", "time-format")
		}
		if !rising(t.Time) {
			t.Notes = append(t.Notes, fmt.Sprintf("%s; so the order of the rows is not checked", t.noTime))
		}
		return nil
	}
	t.clocks, t.TimeFormat = c, c.format
	if c.note != "" {
		t.Notes = append(t.Notes, t.file+": "+c.note)
	}
	t.pace, t.paced = paceOf(c.at)
	for i := 1; i < len(c.at); i++ {
		if c.at[i].Before(c.at[i-1]) {
			e := Fault(t.file, t.Lines[i], "%q is before the line above; sort the file by time", t.Time[i])
			if back := c.at[i-1].Sub(c.at[i]); !c.zoned && t.paced && back+t.pace.every == time.Hour {
				e.Reason = fmt.Sprintf("%q is before the line above: was the local clock set back? give the times in UTC or with offsets, or else sort the file by time", t.Time[i])
			}
			return e
		}
	}
	switch {
	case !t.paced:
		return nil
	case t.pace.share < steady && o.Gaps != "fill":
		e := Fault(t.file, 0, "only %.0f%% of the rows are %s after the row above, which is the most frequent step", 100*t.pace.share, t.pace)
		if o.Gaps == "refuse" {
			return e.Try("give a row for each step, or only have it said with %s say", "gaps")
		}
		t.Notes = append(t.Notes, e.Error())
		return nil
	}
	return t.gaps(o.Gaps)
}

// rising reports whether what is no time counts on from row to row.
func rising(column []string) bool {
	last := math.Inf(-1)
	for _, s := range column {
		v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || !(v > last) {
			return false
		}
		last = v
	}
	return true
}

// gaps looks for times that are there twice, and for steps longer than usual.
func (t *Table) gaps(rule string) error {
	at := t.clocks.at
	twice, gaps, missing, firstTwice, firstGap := 0, 0, 0, 0, 0
	for i := 1; i < len(at); i++ {
		switch n := t.between(i); {
		case at[i].Equal(at[i-1]):
			if twice++; firstTwice == 0 {
				firstTwice = i
			}
		case n > 0:
			gaps++
			missing += n
			if firstGap == 0 {
				firstGap = i
			}
		}
	}
	var found []*Error
	if twice > 0 {
		e := Fault(t.file, t.Lines[firstTwice], "%q stands there twice%s", t.Time[firstTwice], t.more(twice))
		if !t.clocks.zoned && t.pace.every <= time.Hour && twice < 4 {
			e.Reason += "; if the local clock was set back, give the times in UTC or with offsets"
		}
		found = append(found, e)
	}
	if gaps > 0 {
		d := at[firstGap].Sub(at[firstGap-1])
		e := Fault(t.file, t.Lines[firstGap], "%s after the line above, where the others are %s apart%s; %s missing", span(d), t.pace, t.more(gaps), counted(missing, "row"))
		if !t.clocks.zoned && d-t.pace.every == time.Hour {
			e.Reason += "; if the local clock was set forward, give the times in UTC or with offsets"
		}
		found = append(found, e)
	}
	for _, e := range found {
		if rule == "refuse" {
			return e.Try("fill it with %s fill, or only have it said with %s say", "gaps", "gaps")
		}
		if rule != "fill" {
			t.Notes = append(t.Notes, e.Error())
		}
	}
	if rule == "fill" && len(found) > 0 {
		return t.fill(missing, twice)
	}
	return nil
}

func (t *Table) more(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" (and %s)", counted(n-1, "more place"))
}

// between is how many rows are missing before row i.
func (t *Table) between(i int) int {
	a, b := t.clocks.at[i-1], t.clocks.at[i]
	switch {
	case t.pace.months > 0:
		return ((b.Year()-a.Year())*12+int(b.Month())-int(a.Month()))/t.pace.months - 1
	case t.pace.business:
		n := -1
		const most = 1 << 20
		for ; a.Before(b) && n < most; n++ {
			a = nextWeekday(a)
		}
		return n
	}
	return int(b.Sub(a)/t.pace.every) - 1
}

// maxFill bounds the rows that are put in, as a multiple of those that are there.
const maxFill = 4

// fill puts in missing rows, on straight lines between their neighbours, and
// keeps the last of the rows of one time.
func (t *Table) fill(missing, twice int) error {
	if missing > maxFill*len(t.Rows) {
		return Fault(t.file, 0, "%d rows are missing among %d: too many to be filled; correct the times", missing, len(t.Rows))
	}
	old := *t
	t.Rows, t.Time, t.Lines, t.clocks.at = nil, nil, nil, nil
	add := func(at time.Time, text string, line int, row []float64) {
		t.clocks.at, t.Time = append(t.clocks.at, at), append(t.Time, text)
		t.Lines, t.Rows = append(t.Lines, line), append(t.Rows, row)
	}
	for i, at := range old.clocks.at {
		if i > 0 && !at.Equal(old.clocks.at[i-1]) {
			n := old.between(i)
			for k := 1; k <= n; k++ {
				row := make([]float64, len(old.Rows[i]))
				for c, b := range old.Rows[i] {
					a := old.Rows[i-1][c]
					row[c] = a + (b-a)*float64(k)/float64(n+1)
				}
				to := t.pace.next(old.clocks.at[i-1], k)
				add(to, t.clocks.write(to), old.Lines[i], row)
			}
		}
		if i+1 == len(old.clocks.at) || !at.Equal(old.clocks.at[i+1]) {
			add(at, old.Time[i], old.Lines[i], old.Rows[i])
		}
	}
	t.Notes = append(t.Notes, fmt.Sprintf("%s: put in %s on straight lines, and left out %s of times that stand there twice", t.file, counted(missing, "missing row"), counted(twice, "row")))
	return nil
}

// steady is the share of usual steps from which on times can be counted on, and
// what differs is a gap.
const steady = 0.95

// After returns the times of the n steps after the last row, as far apart as the
// rows usually are: months, weekdays, or a time. Where that cannot be said they
// are nil, and why says the reason.
func (t *Table) After(n int) (times []string, why string) {
	switch {
	case t.noTime != nil:
		return nil, "the times are not read"
	case !t.paced:
		return nil, "there are no two times"
	case t.pace.share < steady:
		return nil, fmt.Sprintf("only %.0f%% of the rows are %s apart, so that times cannot be counted on from", 100*t.pace.share, t.pace)
	}
	last := t.clocks.at[len(t.clocks.at)-1]
	for k := range n {
		times = append(times, t.clocks.write(t.pace.next(last, k+1)))
	}
	return times, ""
}

// Head leaves the first n rows, if there are more.
func (t *Table) Head(n int) {
	if n < len(t.Rows) {
		t.Rows, t.Time, t.Lines = t.Rows[:n], t.Time[:n], t.Lines[:n]
		if t.noTime == nil {
			t.clocks.at = t.clocks.at[:n]
		}
	}
}
