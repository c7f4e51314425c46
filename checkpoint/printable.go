package checkpoint

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns text that came from a file as it may be shown on a terminal:
// what is not a printable character (escape sequences, line feeds, marks that
// turn the direction of writing, bytes that are not UTF-8) is written as Go
// escapes it. Text without any is returned as it is.
func Printable(s string) string {
	clean := true
	for _, r := range s {
		if !printable(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if printable(r) {
			b.WriteString(s[i : i+n])
		} else {
			q := strconv.Quote(s[i : i+n])
			b.WriteString(q[1 : len(q)-1])
		}
		i += n
	}
	return b.String()
}

// printable is unicode.IsPrint with U+FFFD, which readers put in the place of
// bytes, left to DecodeRune: for a bad byte it is not printed as it is.
func printable(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }
