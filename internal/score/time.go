package score

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/unroll-ml/unroll/model"
)

// Time is a place in a series: a whole number, another number, a moment, or
// nothing.
type Time struct {
	kind   timeKind
	whole  int64
	number float64
	moment time.Time
}

type timeKind uint8

const (
	none timeKind = iota
	whole
	number
	moment
)

// Whole is the Time of an integer.
func Whole(v int64) Time { return Time{kind: whole, whole: v, number: float64(v)} }

// Number is the Time of a number; an error if it is none.
func Number(v float64) (Time, error) {
	if math.IsNaN(v) {
		return Time{}, errors.New("NaN is no place in a series")
	}
	return Time{kind: number, number: v}, nil
}

// moments are the ways in which moments are read: year first, so that none can be
// read in two ways.
var moments = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05",
	"2006-01-02 15:04", "2006-01-02", "2006/01/02 15:04:05", "2006/01/02 15:04", "2006/01/02", "2006-01",
}

// ParseTime reads a number or a moment.
func ParseTime(text string) (Time, error) {
	text = strings.TrimSpace(text)
	if v, err := strconv.ParseInt(text, 10, 64); err == nil {
		return Whole(v), nil
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return Number(v)
	}
	for _, layout := range moments {
		if m, err := time.Parse(layout, text); err == nil {
			return Time{kind: moment, moment: m}, nil
		}
	}
	return Time{}, fmt.Errorf("%.60q is no number and no time with its year first, such as 2024-03-29 15:04:05", text)
}

// Dated reports whether t is a moment.
func (t Time) Dated() bool { return t.kind == moment }

// Compare is -1 where t is before u. Numbers and moments have no order.
func (t Time) Compare(u Time) (int, error) {
	switch {
	case t.kind == whole && u.kind == whole:
		return cmp.Compare(t.whole, u.whole), nil
	case t.kind == moment && u.kind == moment:
		return t.moment.Compare(u.moment), nil
	case t.kind == none && u.kind == none:
		return 0, nil
	case t.kind == whole && u.kind == number:
		return compareWhole(t.whole, u.number), nil
	case t.kind == number && u.kind == whole:
		return -compareWhole(u.whole, t.number), nil
	case t.kind != moment && u.kind != moment:
		return cmp.Compare(t.number, u.number), nil
	}
	return 0, errors.New("some of its times are numbers and some are dates")
}

// compareWhole compares a whole number with another, exactly: float64 holds every
// second one beyond 2^53, and an order by rounded numbers depends on where it began.
func compareWhole(a int64, b float64) int {
	switch floor := math.Floor(b); {
	case floor >= 1<<63:
		return -1
	case floor < -1<<63:
		return 1
	case a != int64(floor):
		return cmp.Compare(a, int64(floor))
	case b > floor:
		return -1
	}
	return 0
}

// refused puts the row's place into what a step says of its rows.
func (s *scorer) refused(part []*serie, round int, err error) error {
	var e *model.RowError
	if !errors.As(err, &e) {
		return err
	}
	r := &s.window[part[e.Rows[0]].rows[round]]
	return fmt.Errorf("%s: series %q: %w", s.src.Where(r.Place), r.Key, e.Errs[0])
}
