package data

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TimeFormats are the ways of reading times: by themselves, with the day or the
// month first where the year is last, or as seconds since 1970.
var TimeFormats = []string{"auto", "day-first", "month-first", "unix"}

// timeForms lists the forms for a message.
const timeForms = "2024-03-29, 2024-03-29 15:04, 2024-03-29T15:04:05.250Z, 2024-03-29 15:04:05+01:00, 2024/03/29, 20240329, 2024-03, 2024, 29.03.2024 15:04, 03/29/2024 3:04 PM"

const clock = `(?:([T ])(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?( ?[AaPp][Mm])?( ?(?:Z|UTC|[+-]\d{2}(?::?\d{2})?))?)?`

var (
	yearFirst = regexp.MustCompile(`^(\d{4})([-/])(\d{1,2})(?:([-/])(\d{1,2}))?` + clock + `$`)
	yearLast  = regexp.MustCompile(`^(\d{1,2})([-./])(\d{1,2})([-./])(\d{4})` + clock + `$`)
	joined    = regexp.MustCompile(`^((?:19|20)\d{2})(?:(\d{2})(\d{2}))?$`) // 2024, 20240329
	seconds   = regexp.MustCompile(`^\d{9,10}$`)
)

// written is a time as it stands in a file: where its day and month are is not
// decided yet.
type written struct {
	year, a, b int // a and b as written, b 0 for a month alone
	last       bool
	hour, min  int
	sec, nano  int
	zone       *time.Location // nil: none was given
	layout     string         // for time.Format, A and B in the place of a and b
	padA, padB bool
}

// scan reads a time's parts.
func scan(s string) (w written, ok bool) {
	s = strings.TrimSpace(s)
	m := yearFirst.FindStringSubmatch(s)
	if m != nil && (m[5] == "" || m[4] == m[2]) && (m[5] != "" || m[6] == "") {
		w.year, w.a, w.b = atoi(m[1]), atoi(m[3]), atoi(m[5])
		w.padA, w.padB = len(m[3]) == 2, len(m[5]) == 2
		w.layout = "2006" + m[2] + "A"
		if m[5] != "" {
			w.layout += m[2] + "B"
		}
		return w, w.clock(m[6:])
	}
	if m = joined.FindStringSubmatch(s); m != nil {
		w.year, w.a, w.b, w.layout = atoi(m[1]), 1, 0, "2006"
		if m[2] != "" {
			w.a, w.b, w.padA, w.padB, w.layout = atoi(m[2]), atoi(m[3]), true, true, "2006AB"
		}
		return w, true
	}
	if m = yearLast.FindStringSubmatch(s); m == nil || m[2] != m[4] {
		return w, false
	}
	w.last = true
	w.a, w.b, w.year = atoi(m[1]), atoi(m[3]), atoi(m[5])
	w.padA, w.padB = len(m[1]) == 2, len(m[3]) == 2
	w.layout = "A" + m[2] + "B" + m[2] + "2006"
	return w, w.clock(m[6:])
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // digits, or nothing
	return n
}

// clock reads m: T or space, hour, minute, second, fraction, AM or PM, zone.
func (w *written) clock(m []string) bool {
	if m[0] == "" {
		return true
	}
	w.hour, w.min, w.sec = atoi(m[1]), atoi(m[2]), atoi(m[3])
	if w.hour > 23 || w.min > 59 || w.sec > 59 {
		return false
	}
	hour := "15"
	if half := strings.TrimSpace(m[5]); half != "" {
		if w.hour < 1 || w.hour > 12 {
			return false
		}
		w.hour %= 12
		if half[0] == 'p' || half[0] == 'P' {
			w.hour += 12
		}
		hour = []string{"3", "03"}[len(m[1])-1]
	}
	w.layout += m[0] + hour + ":04"
	if m[3] != "" {
		w.layout += ":05"
	}
	if m[4] != "" {
		w.layout += "." + strings.Repeat("0", len(m[4]))
		w.nano = atoi((m[4] + "00000000")[:9])
	}
	if m[5] != "" {
		pm := []string{"PM", "pm"}[strings.Count(m[5], "m")]
		w.layout += strings.Repeat(" ", len(m[5])-2) + pm
	}
	return w.offset(m[6])
}

// offset reads Z, UTC, +01, +0100 or +01:00.
func (w *written) offset(s string) bool {
	z := strings.TrimPrefix(s, " ")
	w.layout += s[:len(s)-len(z)]
	switch z {
	case "":
		return true
	case "Z", "UTC":
		w.zone = time.UTC
		w.layout += z
		return true
	}
	digits := strings.ReplaceAll(z[1:], ":", "")
	h, m := atoi(digits[:2]), 0
	w.layout += "-07"
	if len(digits) == 4 {
		m = atoi(digits[2:])
		w.layout += strings.Repeat(":", len(z)-5) + "00"
	}
	at := (h*60 + m) * 60
	if z[0] == '-' {
		at = -at
	}
	w.zone = time.FixedZone("", at)
	return h < 24 && m < 60
}

// time puts the parts together.
func (w *written) time(monthFirst bool) (t time.Time, layout string, ok bool) {
	month, day, ma, mb := w.a, w.b, "01", "02"
	if w.last && !monthFirst {
		month, day, ma, mb = w.b, w.a, "02", "01"
	}
	if !w.padA {
		ma = ma[1:]
	}
	if !w.padB {
		mb = mb[1:]
	}
	if w.b == 0 && !w.last && !strings.Contains(w.layout, "B") {
		day = 1
	}
	zone := w.zone
	if zone == nil {
		zone = time.UTC
	}
	t = time.Date(w.year, time.Month(month), day, w.hour, w.min, w.sec, w.nano, zone)
	if month < 1 || month > 12 || t.Day() != day {
		return t, "", false
	}
	return t, strings.Replace(strings.Replace(w.layout, "A", ma, 1), "B", mb, 1), true
}

// clocks is a column of times that was read.
type clocks struct {
	at     []time.Time
	layout string // of what comes after; "unix": seconds
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
			return c, i, fmt.Sprintf("%q is no time that can be read; these can: %s", s, timeForms)
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
			c.layout = layout
		}
		c.at = append(c.at, t)
	}
	return c, -1, ""
}

func unixTimes(column []string) (c clocks, bad int, reason string) {
	c.layout, c.zoned, c.format = "unix", true, "unix"
	for i, s := range column {
		if s = strings.TrimSpace(s); !seconds.MatchString(s) {
			return c, i, fmt.Sprintf("%q is no number of seconds since 1970, of 9 or 10 digits", s)
		}
		n, _ := strconv.ParseInt(s, 10, 64) // digits
		c.at = append(c.at, time.Unix(n, 0).UTC())
	}
	return c, -1, ""
}

func (c *clocks) write(t time.Time) string {
	if c.layout == "unix" {
		return strconv.FormatInt(t.Unix(), 10)
	}
	return t.Format(c.layout)
}

// pace is how far apart the rows of a series usually are.
type pace struct {
	months   int // 1 or more: on the same day of the month, or
	end      bool
	day      int  // the day of the month, where it has one
	business bool // from Monday to Friday, or
	every    time.Duration
	share    float64 // of all steps that are so
}

// next is the time k steps after t.
func (p pace) next(t time.Time, k int) time.Time {
	switch {
	case p.months > 0:
		first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location()).AddDate(0, k*p.months, 0)
		day := min(p.day, lastDay(first))
		if p.end {
			day = lastDay(first)
		}
		return first.AddDate(0, 0, day-1)
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

// monthly reports whether all times are on one day of their months, or on their
// last, and how many months apart most are.
func monthly(at []time.Time) (p pace, ok bool) {
	day, ends := 0, true
	for _, t := range at {
		day = max(day, t.Day())
		ends = ends && t.Day() == lastDay(t)
	}
	months := map[int]int{}
	for i, t := range at {
		if !ends && t.Day() != min(day, lastDay(t)) || t.Hour() != at[0].Hour() || t.Minute() != at[0].Minute() || t.Second() != at[0].Second() {
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
	if len(months) == 0 {
		return p, false
	}
	most := slices.MaxFunc(slices.Collect(maps.Keys(months)), func(a, b int) int {
		return cmp.Or(cmp.Compare(months[a], months[b]), cmp.Compare(b, a))
	})
	return pace{months: most, end: ends, day: day, share: float64(months[most]) / float64(len(at)-1)}, true
}
