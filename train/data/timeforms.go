package data

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timeForms lists the forms for a message.
const timeForms = "2024-03-29, 2024-03-29 15:04, 2024-03-29T15:04:05.250Z, 2024-03-29 15:04:05+01:00, 2024/03/29, 20240329, 20240329T1504, 29 Mar 2024, 2024-03, 2024Q1, 2024-W13, 2024-089, 2024, 29.03.2024 15:04, 03/29/2024 3:04 PM"

const (
	clock  = `(?:(T| |, )(\d{1,2})(?::(\d{2})(?::(\d{2})(?:([.,])(\d{1,9}))?)?)?( ?[AaPp][Mm])?( ?(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?)?`
	aMonth = `([A-Za-z]{3,9})\.?`
	aDay   = `(\d{1,2})`
	aYear  = `(\d{4})`
)

// A form is a way of writing dates; take reads what the pattern found before the
// clock.
type form struct {
	pattern *regexp.Regexp
	take    func(w *written, m []string) bool
	clock   int // where that is among what the pattern found; 0: there is none
}

// The forms. Numbers go before names, since a number says more.
var forms = []form{
	{regexp.MustCompile(`^` + aYear + `([-/.])` + aDay + `([-/.])` + aDay + clock + `$`), takeYearFirst, 6},
	{regexp.MustCompile(`^` + aYear + `([-/])` + aDay + `$`), takeMonth, 0},
	{regexp.MustCompile(`^((?:19|20)\d{2})$`), takeYear, 0},
	{regexp.MustCompile(`^((?:19|20)\d{2})(\d{2})(\d{2})` + clock + `$`), takeJoined, 4},
	{regexp.MustCompile(`^((?:19|20)\d{2})(\d{2})(\d{2})([T ]?)(\d{2})(\d{2})(\d{2})?(Z?)$`), takeAllJoined, 0},
	{regexp.MustCompile(`^` + aDay + `([-./])` + aDay + `([-./])` + aYear + clock + `$`), takeYearLast, 6},
	{regexp.MustCompile(`^` + aYear + `-(\d{3})` + clock + `$`), takeOrdinal, 3},
	{regexp.MustCompile(`^` + aYear + `(-?)W(\d{2})(?:(-?)([1-7]))?$`), takeWeek, 0},
	{regexp.MustCompile(`^` + aYear + `([- ]?)([Qq])([1-4])$`), takeQuarter, 0},
	{regexp.MustCompile(`^([Qq])([1-4])([-/ ]?)` + aYear + `$`), takeQuarterFirst, 0},
	{regexp.MustCompile(`^` + aYear + `([- ]?)M(\d{1,2})$`), takeNumbered, 0},
	{regexp.MustCompile(`^(?:([A-Za-z]{3,9})(,? ))?` + aDay + `([-/ ]?|\. )` + aMonth + `([-/ ]?|, ?)` + aYear + clock + `$`), takeDayName, 8},
	{regexp.MustCompile(`^(?:([A-Za-z]{3,9})(,? ))?` + aMonth + `([- ])` + aDay + `(, ?|[- ])` + aYear + clock + `$`), takeNameDay, 8},
	{regexp.MustCompile(`^` + aYear + `([-/ ]?)` + aMonth + `([-/ ]?)` + aDay + clock + `$`), takeYearName, 6},
	{regexp.MustCompile(`^` + aMonth + `([-/ ]?)` + aYear + `$`), takeNameYear, 0},
	{regexp.MustCompile(`^` + aYear + `([-/ ]?)` + aMonth + `$`), takeYearNameAlone, 0},
}

// written is a time as it stands in a file: where its day and month are is not
// decided yet.
type written struct {
	year, a, b int // a and b as written: month and day unless last
	last       bool
	hour, min  int
	sec, nano  int
	zone       *time.Location // nil: none was given
	layout     string         // for time.Format, A and B in the place of a and b, and marks
	padA, padB bool
	upper      bool // of a month's name
	named      bool // the month has a name
}

// Marks in a layout of what time.Format does not have.
const (
	markQuarter = "\x01"
	markWeek    = "\x02"
	markISOYear = "\x03"
	markWeekday = "\x04"
)

// scan reads a time's parts.
func scan(s string) (w written, ok bool) {
	s = strings.TrimSpace(s)
	for _, f := range forms {
		m := f.pattern.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		w = written{}
		if f.take(&w, m) && (f.clock == 0 || w.clock(m[f.clock:])) {
			return w, true
		}
	}
	return w, false
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // digits, or nothing
	return n
}

func (w *written) date(y, a, b string, layout string) bool {
	w.year, w.a, w.b = atoi(y), atoi(a), atoi(b)
	w.padA, w.padB, w.layout = len(a) == 2, len(b) == 2, layout
	return true
}

func takeYearFirst(w *written, m []string) bool {
	return m[2] == m[4] && w.date(m[1], m[3], m[5], "2006"+m[2]+"A"+m[2]+"B")
}

func takeMonth(w *written, m []string) bool {
	w.date(m[1], m[3], "", "2006"+m[2]+"A")
	w.b = 1
	return true
}

func takeYear(w *written, m []string) bool {
	w.year, w.a, w.b, w.layout = atoi(m[1]), 1, 1, "2006"
	return true
}

func takeJoined(w *written, m []string) bool { return w.date(m[1], m[2], m[3], "2006AB") }

func takeAllJoined(w *written, m []string) bool {
	w.date(m[1], m[2], m[3], "2006AB"+m[4]+"1504")
	if w.hour, w.min, w.sec = atoi(m[5]), atoi(m[6]), atoi(m[7]); m[7] != "" {
		w.layout += "05"
	}
	return w.hour < 24 && w.min < 60 && w.sec < 60 && w.offset(m[8])
}

func takeYearLast(w *written, m []string) bool {
	w.last = true
	return m[2] == m[4] && w.date(m[5], m[1], m[3], "A"+m[2]+"B"+m[2]+"2006")
}

func takeOrdinal(w *written, m []string) bool {
	n := atoi(m[2])
	t := time.Date(atoi(m[1]), 1, n, 0, 0, 0, 0, time.UTC)
	w.year, w.a, w.b, w.layout = t.Year(), int(t.Month()), t.Day(), "2006-002"
	return n > 0 && t.Year() == atoi(m[1])
}

func takeWeek(w *written, m []string) bool {
	year, week, weekday := atoi(m[1]), atoi(m[3]), 1
	w.layout = markISOYear + m[2] + "W" + markWeek
	if m[5] != "" {
		if m[4] != m[2] {
			return false
		}
		weekday = atoi(m[5])
		w.layout += m[4] + markWeekday
	}
	// The 4th of January is in the first week.
	t := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)
	t = t.AddDate(0, 0, 7*(week-1)-(int(t.Weekday())+6)%7+weekday-1)
	y, n := t.ISOWeek()
	w.year, w.a, w.b = t.Year(), int(t.Month()), t.Day()
	return y == year && n == week
}

func takeQuarter(w *written, m []string) bool {
	w.year, w.a, w.b, w.layout = atoi(m[1]), 3*atoi(m[4])-2, 1, "2006"+m[2]+m[3]+markQuarter
	return true
}

func takeQuarterFirst(w *written, m []string) bool {
	w.year, w.a, w.b, w.layout = atoi(m[4]), 3*atoi(m[2])-2, 1, m[1]+markQuarter+m[3]+"2006"
	return true
}

func takeNumbered(w *written, m []string) bool {
	w.date(m[1], m[3], "", "2006"+m[2]+"MA")
	w.b = 1
	return true
}

func takeDayName(w *written, m []string) bool {
	w.date(m[7], "", m[3], "")
	weekday, ok := w.weekday(m[1], m[2])
	name, ok2 := w.name(m[5], m[0])
	w.layout = weekday + "B" + m[4] + name + m[6] + "2006"
	return ok && ok2
}

func takeNameDay(w *written, m []string) bool {
	w.date(m[7], "", m[5], "")
	weekday, ok := w.weekday(m[1], m[2])
	name, ok2 := w.name(m[3], m[0])
	w.layout = weekday + name + m[4] + "B" + m[6] + "2006"
	return ok && ok2
}

func takeYearName(w *written, m []string) bool {
	w.date(m[1], "", m[5], "")
	name, ok := w.name(m[3], m[0])
	w.layout = "2006" + m[2] + name + m[4] + "B"
	return ok
}

func takeNameYear(w *written, m []string) bool {
	w.year, w.b = atoi(m[3]), 1
	name, ok := w.name(m[1], m[0])
	w.layout = name + m[2] + "2006"
	return ok
}

func takeYearNameAlone(w *written, m []string) bool {
	w.year, w.b = atoi(m[1]), 1
	name, ok := w.name(m[3], m[0])
	w.layout = "2006" + m[2] + name
	return ok
}

// name reads a month's English name, and returns it as a layout has it; all is the
// text that it stands in, which tells whether a point follows.
func (w *written) name(s, all string) (layout string, ok bool) {
	w.upper, w.named = s == strings.ToUpper(s), true
	for n := time.January; n <= time.December; n++ {
		full := n.String()
		switch {
		case strings.EqualFold(s, full[:3]):
			layout = "Jan"
		case strings.EqualFold(s, full):
			layout = "January"
		case n == time.September && strings.EqualFold(s, "sept"): // goes on as Sep
			layout = "Jan"
		default:
			continue
		}
		if strings.Contains(all, s+".") {
			layout += "."
		}
		w.a = int(n)
		return layout, true
	}
	return "", false
}

// weekday reads the English name of a day of the week.
func (w *written) weekday(s, after string) (layout string, ok bool) {
	if s == "" {
		return "", true
	}
	for d := time.Sunday; d <= time.Saturday; d++ {
		switch {
		case strings.EqualFold(s, d.String()[:3]):
			return "Mon" + after, true
		case strings.EqualFold(s, d.String()):
			return "Monday" + after, true
		}
	}
	return "", false
}

// clock reads m: what stands before, hour, minute, second, fraction, AM or PM, zone.
func (w *written) clock(m []string) bool {
	if m[0] == "" {
		return true
	}
	w.hour, w.min, w.sec = atoi(m[1]), atoi(m[2]), atoi(m[3])
	if w.hour > 23 || w.min > 59 || w.sec > 59 {
		return false
	}
	hour := "15"
	if half := strings.TrimSpace(m[6]); half != "" {
		if w.hour < 1 || w.hour > 12 {
			return false
		}
		w.hour %= 12
		if half[0] == 'p' || half[0] == 'P' {
			w.hour += 12
		}
		hour = []string{"3", "03"}[len(m[1])-1]
	}
	w.layout += m[0] + hour
	if m[2] != "" {
		w.layout += ":04"
	}
	if m[3] != "" {
		w.layout += ":05"
	}
	if m[5] != "" {
		w.layout += m[4] + strings.Repeat("0", len(m[5]))
		w.nano = atoi((m[5] + "00000000")[:9])
	}
	if m[6] != "" {
		pm := []string{"PM", "pm"}[strings.Count(m[6], "m")]
		w.layout += strings.Repeat(" ", len(m[6])-2) + pm
	}
	return w.offset(m[7])
}

// offset reads Z, UTC, GMT, +01, +0100 or +01:00.
func (w *written) offset(s string) bool {
	z := strings.TrimPrefix(s, " ")
	w.layout += s[:len(s)-len(z)]
	switch z {
	case "":
		return true
	case "Z", "UTC", "GMT":
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
	zone := w.zone
	if zone == nil {
		zone = time.UTC
	}
	t = time.Date(w.year, time.Month(month), day, w.hour, w.min, w.sec, w.nano, zone)
	if month < 1 || month > 12 || t.Day() != day {
		return t, "", false
	}
	layout = w.layout
	if !w.named { // names have an A
		layout = strings.Replace(layout, "A", ma, 1)
	}
	return t, strings.Replace(layout, "B", mb, 1), true
}

// format writes a time in a layout with marks.
func format(t time.Time, layout string) string {
	s := t.Format(layout)
	if !strings.ContainsAny(s, markQuarter+markWeek) {
		return s
	}
	year, week := t.ISOWeek()
	return strings.NewReplacer(markQuarter, strconv.Itoa((int(t.Month())+2)/3), markISOYear, fmt.Sprintf("%04d", year),
		markWeek, fmt.Sprintf("%02d", week), markWeekday, strconv.Itoa((int(t.Weekday())+6)%7+1)).Replace(s)
}

// The forms that people write and that are not read, with the reason.
var unread = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`^\d{1,2}[-./]\d{1,2}[-./]\d{2}\b`), "has a year of two digits, which could be of two centuries, and day and month in one of two orders; write the year with four"},
	{regexp.MustCompile(`(?i)^\d{1,2}[- ][a-z]{3}[- ]\d{2}\b`), "has a year of two digits, which could be of two centuries; write it with four"},
	{regexp.MustCompile(`[T ]24:`), "has the hour 24; write 00:00 of the next day"},
	{regexp.MustCompile(`:\d{2}:60`), "has a leap second, which is not read"},
	{regexp.MustCompile(`:\d{2}(?:[.,]\d+)? ?[A-Z]{3,5}$|\[[A-Za-z]+/[A-Za-z_]+\]$`), "names a time zone, whose offset the name does not tell; write offsets such as +01:00, or UTC"},
	{regexp.MustCompile(`^(\d{9,10}|\d{12,13}|\d{15,16}|\d{18,19})(\.\d+)?$`), "is a number, of seconds or parts of them since 1970 perhaps"},
	{regexp.MustCompile(`^-?\d+(\.\d+)?$`), "is a number"},
	{regexp.MustCompile(`^$`), "is empty"},
}

// unreadable says why a text is no time.
func unreadable(s string) string {
	for _, u := range unread {
		if u.pattern.MatchString(strings.TrimSpace(s)) {
			return fmt.Sprintf("%q %s", s, u.why)
		}
	}
	return fmt.Sprintf("%q is no time that can be read; these can: %s", s, timeForms)
}
