// Package data makes training data of files as people have them: text, classes,
// tagged steps, piano rolls and time series. What is wrong with a file is said
// with file, line and what to do.
package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/rng"
)

// ErrData is the kind of every complaint about a file.
var ErrData = errors.New("data: unusable data")

// Error says which file and line cannot be used, why, and what to do. It is an
// ErrData.
type Error struct {
	File   string
	Line   int // from 1; 0: the file as a whole
	Reason string
	// Advice, if there is any, names arguments that would help: a format with a
	// %s for each of Args.
	Advice string
	Args   []string
}

// Error returns one line, arguments by their names.
func (e *Error) Error() string {
	return e.Say(func(arg string) string { return arg })
}

// Say is Error with the arguments called what name says, flags of a command
// for instance.
func (e *Error) Say(name func(arg string) string) string {
	s := e.File
	if e.Line > 0 {
		s += fmt.Sprintf(":%d", e.Line)
	}
	s += ": " + e.Reason
	if e.Advice == "" {
		return s
	}
	var args []any
	for _, a := range e.Args {
		args = append(args, name(a))
	}
	return s + "; " + fmt.Sprintf(e.Advice, args...)
}

// Unwrap returns ErrData.
func (e *Error) Unwrap() error { return ErrData }

// Fault returns an Error without advice; line 0 is the file as a whole.
func Fault(file string, line int, format string, a ...any) *Error {
	return &Error{File: file, Line: line, Reason: fmt.Sprintf(format, a...)}
}

// Try puts advice to an error and returns it.
func (e *Error) Try(advice string, args ...string) *Error {
	e.Advice, e.Args = advice, args
	return e
}

// File is a file to be read.
type File struct {
	Path string
	// In, if not nil, is what is read, and Path is only a name for it.
	In io.Reader
}

// Name is the file's name for messages.
func (f File) Name() string { return f.Path }

// ending is the path's ending in lower case.
func (f File) ending() string { return strings.ToLower(filepath.Ext(f.Path)) }

// MaxFile bounds the files that are read into memory, in bytes.
const MaxFile = 1 << 30

// readFile reads a whole file that is not empty and not beyond MaxFile.
func readFile(from File) ([]byte, error) {
	in, path := from.In, from.Name()
	if in == nil {
		f, err := os.Open(from.Path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if st, err := f.Stat(); err == nil && st.IsDir() {
			return nil, Fault(path, 0, "it is a folder, expected a file")
		}
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, MaxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > MaxFile:
		return nil, Fault(path, 0, "it has more than %d bytes; use a part of it", MaxFile)
	case len(b) == 0:
		return nil, Fault(path, 0, "it is empty")
	}
	return b, nil
}

// ReadText reads a file of text that is not empty and not beyond MaxFile: UTF-8,
// without the mark some editors put in front.
func ReadText(f File) (string, error) {
	b, err := readText(f)
	return string(b), err
}

// readText is readFile for text.
func readText(f File) ([]byte, error) {
	b, err := readFile(f)
	if err != nil {
		return nil, err
	}
	return asText(f.Name(), b)
}

// Text is what was read, under a name for errors, as text: UTF-8, without the mark
// some editors put in front. What it takes for something else it says.
func Text(name string, read []byte) (string, error) {
	b, err := asText(name, read)
	return string(b), err
}

func asText(path string, b []byte) ([]byte, error) {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if len(b) == 0 {
		return nil, Fault(path, 0, "it is empty")
	}
	if kind := text.Foreign(b); kind != "" {
		return nil, Fault(path, 0, "it is %s", kind)
	}
	line := 0
	for l := range bytes.Lines(b) {
		line++
		if what := NoText(l); what != "" {
			return nil, Fault(path, line, "%s", what)
		}
	}
	return b, nil
}

// NoText says why a line cannot be one of a text, "" of one that can.
func NoText(line []byte) string {
	switch {
	case !utf8.Valid(line):
		return "it is not valid UTF-8; convert the file, with iconv for instance"
	case bytes.IndexByte(line, 0) >= 0:
		return "it holds a byte that is 0, as no text does; if it is UTF-16, save it as UTF-8"
	}
	return ""
}

// alike is a note on labels that people take for one: they differ in case, in accents
// or their form, in characters that are not seen, or are one number written twice.
func alike(file string, labels []string) (notes []string) {
	first, numbers := map[string]string{}, map[float64]string{}
	slices.Sort(labels)
	for _, l := range slices.Compact(labels) {
		if x, err := strconv.ParseFloat(l, 64); err == nil && !math.IsNaN(x) {
			if other, ok := numbers[x]; ok {
				notes = append(notes, fmt.Sprintf("%s: %+q and %+q are two labels: they are one number", file, other, l))
				continue
			}
			numbers[x] = l
		}
		var key []rune
		for _, r := range strings.ToLower(l) {
			switch {
			case unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r):
			case unicode.Is(unicode.Mn, r) && len(key) > 0: // an accent of its own
				key[len(key)-1] = 0
			case r >= 0xc0 && unicode.Is(unicode.Latin, r): // one with its accent
				key = append(key, 0)
			case unicode.IsSpace(r):
				key = append(key, ' ')
			default:
				key = append(key, r)
			}
		}
		if other, ok := first[string(key)]; ok {
			notes = append(notes, fmt.Sprintf("%s: %+q and %+q are two labels: they differ only in case, accents or characters that are not seen", file, other, l))
			continue
		}
		first[string(key)] = l
	}
	return notes
}

// maxClasses bounds the work of an exchange, which looks through all items.
const maxClasses = 1000

// SharesByClass is Shares, and then exchanges items, as few as that takes, so
// that a class of 3 items or more is in each of the parts, one of 2 in the
// first and the last, one of 1 in the first: as far as the sizes of the parts,
// which stay, leave room. More than maxClasses classes are left as they are drawn.
func SharesByClass(classes []string, valid, test float64, seed uint64) (a, b, c []int) {
	a, b, c = Shares(len(classes), valid, test, seed)
	parts := [][]int{a, c, b} // the order in which a class gets into them
	count := make([]map[string]int, len(parts))
	total := map[string]int{}
	for p, part := range parts {
		count[p] = map[string]int{}
		for _, i := range part {
			count[p][classes[i]]++
			total[classes[i]]++
		}
	}
	if len(total) > maxClasses {
		return a, b, c
	}
	for _, class := range slices.Sorted(maps.Keys(total)) {
		due := min(total[class], len(parts)) // parts[:due] are to have it
		for p := range due {
			if count[p][class] > 0 || len(parts[p]) == 0 {
				continue
			}
			// From the part that can spare most of the class, for one of the class
			// with most in this part.
			from, spare := p, 0
			for q := range parts {
				n := count[q][class]
				if q < due {
					n--
				}
				if n > spare {
					from, spare = q, n
				}
			}
			other := most(count[p])
			if count[p][other] < 2 || spare < 1 {
				continue
			}
			i := slices.IndexFunc(parts[from], func(k int) bool { return classes[k] == class })
			j := slices.IndexFunc(parts[p], func(k int) bool { return classes[k] == other })
			parts[from][i], parts[p][j] = parts[p][j], parts[from][i]
			count[from][class]--
			count[from][other]++
			count[p][class]++
			count[p][other]--
		}
	}
	return a, b, c
}

// most is the key of the largest number, the first of equals.
func most(count map[string]int) (key string) {
	for _, k := range slices.Sorted(maps.Keys(count)) {
		if key == "" || count[k] > count[key] {
			key = k
		}
	}
	return key
}

// Shares cuts the items 0 to n-1, shuffled with seed, into training, validation
// and test: valid and test are shares of n, rounded down.
func Shares(n int, valid, test float64, seed uint64) (a, b, c []int) {
	p := rng.Randperm(rng.New(seed), n)
	nt, nv := int(float64(n)*test), int(float64(n)*valid)
	return p[nt+nv:], p[nt : nt+nv], p[:nt]
}
