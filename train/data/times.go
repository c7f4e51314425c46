package data

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TimeFormats are the ways of reading times: by themselves, with the day or the
// month first where the year is last, or as seconds since 1970.
var TimeFormats = []string{"auto", "day-first", "month-first", "unix"}

// clocks is a column of times that was read.
type clocks struct {
	at     []time.Time
	layout string // of what comes after, see format; "unix": a count since 1970
	upper  bool   // its letters are capitals
	unit   int64  // of the count, in nanoseconds
	digits int    // of its fraction
	zoned  bool   // they have offsets
	format string // "day-first" and so on, where it mattered
	note   string // how days and months were told apart
}

// readTimes reads a column of times. bad is the index of the first that cannot
// be read, with the reason.
func readTimes(column []string, format string) (c clocks, bad int, reason string) {
	if format == "unix" {
		return unixTimes(column)
	}
	all := make([]written, len(column))
	both := -1 // a time whose day and month can be told
	for i, s := range column {
		w, ok := scan(s)
		if !ok {
			return c, i, unreadable(s)
		}
		if all[i] = w; w.last && (w.a > 12) != (w.b > 12) && both < 0 {
			both = i
		}
		if i > 0 && (w.zone != nil) != (all[0].zone != nil) {
			return c, i, fmt.Sprintf("%q: some times have an offset from UTC and some have none", s)
		}
	}
	if len(all) == 0 {
		return c, 0, "there are no times"
	}
	c.zoned = all[0].zone != nil
	month := format == "month-first"
	if slices.ContainsFunc(all, func(w written) bool { return w.last }) {
		c.format = format
		if format == "auto" || format == "" {
			if both < 0 {
				return c, 0, fmt.Sprintf("%q: day or month first? no time of the file tells", column[0])
			}
			month, c.format = all[both].b > 12, "day-first"
			if month {
				c.format = "month-first"
			}
			c.note = fmt.Sprintf("times are read %s, as %q tells", c.format, column[both])
		}
	}
	for i := range all {
		t, layout, ok := all[i].time(month)
		if !ok {
			return c, i, fmt.Sprintf("%q has no such day or month", column[i])
		}
		if len(layout) >= len(c.layout) { // a time of midnight may be written shorter
			c.layout, c.upper = layout, all[i].upper
		}
		c.at = append(c.at, t)
	}
	return c, -1, ""
}

// units are those of counts since 1970, which their digits tell: seconds from 1973 to
// 2286, and milliseconds, microseconds and nanoseconds of these years.
var units = map[int]int64{9: 1e9, 10: 1e9, 12: 1e6, 13: 1e6, 15: 1e3, 16: 1e3, 18: 1, 19: 1}

func unixTimes(column []string) (c clocks, bad int, reason string) {
	c.layout, c.zoned, c.format = "unix", true, "unix"
	for i, s := range column {
		whole, fraction, point := strings.Cut(strings.TrimSpace(s), ".")
		n, err := strconv.ParseUint(whole, 10, 63)
		unit := units[len(whole)]
		part := int64(atoi((fraction + "000000000")[:9])) // in parts of 1e9
		if err != nil || unit == 0 || point && (fraction == "" || strings.Trim(fraction, "0123456789") != "") {
			return c, i, fmt.Sprintf("%q is no count since 1970: of seconds it has 9 or 10 digits, of milliseconds 12 or 13, of microseconds 15 or 16, of nanoseconds 18 or 19", s)
		}
		if c.unit != 0 && unit != c.unit {
			return c, i, fmt.Sprintf("%q counts since 1970 in another unit than the rows above, by its digits", s)
		}
		c.unit, c.digits = unit, max(c.digits, min(9, len(fraction)))
		c.at = append(c.at, time.Unix(0, int64(n)*unit+part*unit/1e9).UTC())
	}
	return c, -1, ""
}

func (c *clocks) write(t time.Time) string {
	if c.layout == "unix" {
		n := t.UnixNano()
		s := strconv.FormatInt(n/c.unit, 10)
		if c.digits > 0 {
			s += "." + fmt.Sprintf("%09d", n%c.unit*(1e9/c.unit))[:c.digits]
		}
		return s
	}
	s := format(t, c.layout)
	if c.upper {
		s = strings.ToUpper(s)
	}
	return s
}

// pace is how far apart the rows of a series usually are.
type pace struct {
	months   int // 1 or more: on a day of the month, or
	on       anchor
	day      int  // for onDay
	business bool // from Monday to Friday, or
	every    time.Duration
	share    float64 // of all steps that are so
}

// anchor is a day of each month.
type anchor int

const (
	onDay        anchor = iota // or the last where a month is shorter
	onLast                     // 31, 29 or 28, ...
	lastWeekday                // from Monday to Friday
	firstWeekday               // likewise
)

// in is the day of the month of first, its first day.
func (a anchor) in(first time.Time, day int) int {
	weekend := func(day int) bool {
		d := first.AddDate(0, 0, day-1).Weekday()
		return d == time.Saturday || d == time.Sunday
	}
	last := lastDay(first)
	switch a {
	case onLast:
		return last
	case lastWeekday:
		for weekend(last) {
			last--
		}
		return last
	case firstWeekday:
		day = 1
		for weekend(day) {
			day++
		}
		return day
	}
	return min(day, last)
}

// next is the time k steps after t.
func (p pace) next(t time.Time, k int) time.Time {
	switch {
	case p.months > 0:
		first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location()).AddDate(0, k*p.months, 0)
		return first.AddDate(0, 0, p.on.in(first, p.day)-1)
	case p.business:
		for ; k > 0; k-- {
			t = nextWeekday(t)
		}
		return t
	}
	return t.Add(time.Duration(k) * p.every)
}

func lastDay(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func nextWeekday(t time.Time) time.Time {
	for t = t.AddDate(0, 0, 1); t.Weekday() == time.Saturday || t.Weekday() == time.Sunday; {
		t = t.AddDate(0, 0, 1)
	}
	return t
}

// String says the step in words.
func (p pace) String() string {
	switch {
	case p.months%12 == 0 && p.months > 0:
		return counted(p.months/12, "year")
	case p.months > 0:
		return counted(p.months, "month")
	case p.business:
		return "1 weekday"
	}
	return span(p.every)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// span says a duration: "2 days 3 h".
func span(d time.Duration) string {
	const day = 24 * time.Hour
	var parts []string
	if d >= day {
		parts = append(parts, counted(int(d/day), "day"))
		d %= day
	}
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "min"}} {
		if d >= u.d {
			parts = append(parts, fmt.Sprintf("%d %s", d/u.d, u.name))
			d %= u.d
		}
	}
	if d > 0 || len(parts) == 0 {
		parts = append(parts, fmt.Sprintf("%g s", d.Seconds()))
	}
	return strings.Join(parts, " ")
}

// paceOf finds the usual step of times in order: months, weekdays, or the most
// frequent distance. ok is false for fewer than two different times.
func paceOf(at []time.Time) (p pace, ok bool) {
	if p, ok = monthly(at); ok {
		return p, true
	}
	distances := map[time.Duration]int{}
	weekdays := 0
	for i := 1; i < len(at); i++ {
		if d := at[i].Sub(at[i-1]); d > 0 {
			distances[d]++
		}
		if at[i].Equal(nextWeekday(at[i-1])) {
			weekdays++
		}
	}
	if len(distances) == 0 {
		return p, false
	}
	most := slices.MaxFunc(slices.Collect(maps.Keys(distances)), func(a, b time.Duration) int {
		return cmp.Or(cmp.Compare(distances[a], distances[b]), cmp.Compare(b, a)) // of equals the shorter
	})
	n := float64(len(at) - 1)
	const week = 72 * time.Hour // from Friday to Monday
	weekend := slices.ContainsFunc(at, func(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday })
	if !weekend && most == 24*time.Hour && distances[week] > 0 {
		return pace{business: true, every: most, share: float64(weekdays) / n}, true
	}
	return pace{every: most, share: float64(distances[most]) / n}, true
}

// monthly reports whether all times are on one day of their months, on their last, or
// on their last or first weekday, and how many months apart most are.
func monthly(at []time.Time) (p pace, ok bool) {
	months := map[int]int{}
	for i, t := range at {
		p.day = max(p.day, t.Day())
		if t.Hour() != at[0].Hour() || t.Minute() != at[0].Minute() || t.Second() != at[0].Second() {
			return p, false
		}
		if i == 0 {
			continue
		}
		d := (t.Year()-at[i-1].Year())*12 + int(t.Month()) - int(at[i-1].Month())
		if d > 0 {
			months[d]++
		}
	}
	for _, p.on = range []anchor{onLast, onDay, lastWeekday, firstWeekday} {
		if ok = !slices.ContainsFunc(at, func(t time.Time) bool { return t.Day() != p.on.in(t.AddDate(0, 0, 1-t.Day()), p.day) }); ok {
			break
		}
	}
	if !ok || len(months) == 0 {
		return p, false
	}
	most := slices.MaxFunc(slices.Collect(maps.Keys(months)), func(a, b int) int {
		return cmp.Or(cmp.Compare(months[a], months[b]), cmp.Compare(b, a))
	})
	p.months, p.share = most, float64(months[most])/float64(len(at)-1)
	return p, true
}

// ParseTime reads one time in any of the forms of tables but for those in which day
// and month could change places; zoned: it has an offset from UTC, and is in UTC
// otherwise. why says why it cannot be read.
func ParseTime(s string) (t time.Time, zoned bool, why string) {
	w, ok := scan(s)
	switch {
	case !ok:
		return t, false, unreadable(s)
	case w.last:
		return t, false, fmt.Sprintf("%q: day or month first? write the year first", s)
	}
	if t, _, ok = w.time(false); !ok {
		return t, false, fmt.Sprintf("%q has no such day or month", s)
	}
	return t, w.zone != nil, ""
}
