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
	"github.com/unroll-ml/unroll/train/data"
)

// Time is a place in a series: a whole number, another number, a moment, or
// nothing.
type Time struct {
	kind   timeKind
	whole  int64
	number float64
	moment time.Time
	zoned  bool // with an offset from UTC
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

// ParseTime reads a number, or a moment in one of the forms of times that tables have,
// but those in which day and month could change places.
func ParseTime(text string) (Time, error) {
	text = strings.TrimSpace(text)
	if v, err := strconv.ParseInt(text, 10, 64); err == nil {
		return Whole(v), nil
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return Number(v)
	}
	if len(text) > longest {
		text = text[:longest] + "..."
	}
	m, zoned, why := data.ParseTime(text)
	if why != "" {
		return Time{}, errors.New(strings.Replace(why, "is no time", "is no number and no time", 1))
	}
	return Time{kind: moment, moment: m, zoned: zoned}, nil
}

// longest is how many bytes a time may have.
const longest = 80

// Dated reports whether t is a moment.
func (t Time) Dated() bool { return t.kind == moment }

// Compare is -1 where t is before u. Numbers and moments have no order.
func (t Time) Compare(u Time) (int, error) {
	switch {
	case t.kind == whole && u.kind == whole:
		return cmp.Compare(t.whole, u.whole), nil
	case t.kind == moment && u.kind == moment && t.zoned != u.zoned:
		return 0, errors.New("some of its times have an offset from UTC and some have none")
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
