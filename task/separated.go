package task

import (
	"unicode/utf8"

	"github.com/unroll-ml/unroll/checkpoint/array/text"
)

// Separated says how a file of separated values is written; what is not said is
// found in the file, and Set.Notes say what was.
type Separated struct {
	Header    bool   // the first line holds names whatever it looks like; argument "header"
	NoHeader  bool   // there are no names, the columns are called 1, 2, ...; argument "no-header"
	Separator string // between columns, "tab" for a tab, "": found; argument "separator"
	Decimal   string // "." or ",", "": found; argument "decimal"
}

// Arguments are its options, as those of a task.
func (s *Separated) Arguments() []Argument {
	return []Argument{
		{Name: "header", Usage: "the first line of a table holds names, whatever it looks like", Value: &s.Header},
		{Name: "no-header", Usage: "a table has no line of names: its columns are called 1, 2, ...", Value: &s.NoHeader},
		{Name: "separator", Usage: "what stands between the columns of a table, tab for a tab (default: found)", Value: &s.Separator},
		{Name: "decimal", Usage: "decimal sign of a table, a dot or a comma (default: found)", Value: &s.Decimal},
	}
}

// Dialect is s for package text. It is an ErrArgument if s contradicts itself.
func (s *Separated) Dialect() (d text.Dialect, err error) {
	switch {
	case s.Header && s.NoHeader:
		return d, badArg("header", "and no-header: give one of them")
	case s.Header:
		d.Header = text.HeaderYes
	case s.NoHeader:
		d.Header = text.HeaderNo
	}
	if s.Separator == "tab" || s.Separator == `\t` {
		d.Comma = '\t'
	} else if s.Separator != "" {
		r, n := utf8.DecodeRuneInString(s.Separator)
		if n != len(s.Separator) || r == utf8.RuneError || r == '"' || r == '\r' || r == '\n' {
			return d, badArg("separator", "is %q, expected one character or tab", s.Separator)
		}
		d.Comma = r
	}
	switch s.Decimal {
	case "":
	case ".", ",":
		d.Decimal = rune(s.Decimal[0])
	default:
		return d, badArg("decimal", "is %q, expected . or ,", s.Decimal)
	}
	return d, nil
}

func (s *Separated) saveIn(to *source) {
	to.Separator, to.Decimal = s.Separator, s.Decimal
	switch {
	case s.Header:
		to.Header = "yes"
	case s.NoHeader:
		to.Header = "no"
	}
}

func (s *Separated) restoreFrom(from *source) {
	*s = Separated{from.Header == "yes", from.Header == "no", from.Separator, from.Decimal}
}
