package data

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint/array/text"
)

// Labelled is one item of a classifier: what is read, its class, and where it
// stands in the file.
type Labelled struct {
	Text   string
	Tokens []string    // instead of Text, where the file has a list of strings
	Rows   [][]float64 // instead of Text at level "number": a row for each step
	Label  string
	File   string
	Line   int // 0: the whole file
}

// LabelledOptions say how labelled items are read.
type LabelledOptions struct {
	Text, Label string // names of the columns or keys
	Level       string // "number": an item is a sequence of numbers
	// Unlabelled items are wanted: labels may be missing and are not read.
	Unlabelled bool
	text.Dialect
}

// take sets what is read, at level "number" of a text with a sequence of
// numbers.
func (l *Labelled) take(text, level string) (err error) {
	if level != "number" {
		l.Text = text
		return nil
	}
	l.Rows, err = ParseNumbers(text)
	if err != nil {
		return Fault(l.File, l.Line, "%v", err).Try("correct it, or read words with %s word", "level")
	}
	return nil
}

// Split returns the item's tokens at a level.
func (l *Labelled) Split(level string) []string {
	if l.Tokens != nil {
		return l.Tokens
	}
	return Split(l.Text, level)
}

// ReadLabelled reads labelled items: a folder with a file (one item a line) or
// a folder (one item a file) for each class; separated values (.csv, .tsv) with
// a line of names; or JSON Lines (.jsonl, and what begins with a brace). White
// space around a label is no part of it. notes are what was found out on the
// way, a sentence each.
func ReadLabelled(f File, o LabelledOptions) (all []Labelled, notes []string, err error) {
	folder := false
	if f.In == nil {
		st, err := os.Stat(f.Path)
		if err != nil {
			return nil, nil, err
		}
		folder = st.IsDir()
	}
	if folder {
		all, notes, err = readFolder(f.Path, o.Level)
	} else {
		var b []byte
		if b, err = readText(f); err != nil {
			return nil, nil, err
		}
		ext := f.ending()
		if ext == ".jsonl" || ext == ".json" || ext != ".csv" && ext != ".tsv" && bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
			all, err = readJSONLines(f.Name(), b, o)
		} else {
			all, notes, err = readCSV(f, b, o)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if !o.Unlabelled {
		labels := make([]string, len(all))
		for i := range all {
			labels[i] = all[i].Label
		}
		notes = append(notes, alike(f.Name(), labels)...)
	}
	if len(all) == 0 {
		return nil, nil, Fault(f.Name(), 0, "it holds no labelled text; a folder with a file or folder a class is read, a .csv with a header, or JSON Lines")
	}
	return all, notes, nil
}

// leftBy are files that systems and programs leave in folders.
var leftBy = []string{"thumbs.db", "desktop.ini", "readme.md", "license", "__macosx"}

// foreign reports whether a name in a folder is no class and no text.
func foreign(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~$") || strings.HasSuffix(name, "~") || slices.Contains(leftBy, strings.ToLower(name))
}

// readFolder reads a folder. Links that lead out of it are errors.
func readFolder(dir, level string) (all []Labelled, notes []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	var left []string
	keep := func(name, path string) bool {
		if foreign(name) {
			left = append(left, path)
			return false
		}
		return true
	}
	read := func(name string) (string, error) {
		f, err := root.Open(name)
		if err != nil {
			return "", Fault(filepath.Join(dir, name), 0, "%v", err)
		}
		defer f.Close()
		return ReadText(File{filepath.Join(dir, name), f})
	}
	add := func(text, class, name string, line int) error {
		l := Labelled{Label: strings.TrimSpace(class), File: filepath.Join(dir, name), Line: line}
		if err := l.take(text, level); err != nil {
			return err
		}
		all = append(all, l)
		return nil
	}
	for _, e := range entries {
		if !keep(e.Name(), e.Name()) {
			continue
		}
		if st, err := root.Stat(e.Name()); err == nil && st.IsDir() {
			files, err := os.ReadDir(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, nil, err
			}
			for _, f := range files {
				name := filepath.Join(e.Name(), f.Name())
				if !keep(f.Name(), name) {
					continue
				}
				b, err := read(name)
				if err != nil {
					return nil, nil, err
				}
				if err := add(b, e.Name(), name, 0); err != nil {
					return nil, nil, err
				}
			}
			continue
		}
		b, err := read(e.Name())
		if err != nil {
			return nil, nil, err
		}
		class, line := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())), 0
		for l := range strings.Lines(b) {
			line++
			if l = strings.TrimSpace(l); l == "" {
				continue
			}
			if err := add(l, class, e.Name(), line); err != nil {
				return nil, nil, err
			}
		}
	}
	if left = slices.DeleteFunc(left, usual); len(left) > 0 {
		notes = append(notes, fmt.Sprintf("%s: not read as classes or texts: %s", dir, strings.Join(left[:min(len(left), 5)], ", ")))
	}
	return all, notes, nil
}

// usual are names whose leaving out surprises nobody.
func usual(path string) bool {
	return path == "README.md" || path == "LICENSE"
}

func readCSV(f File, b []byte, o LabelledOptions) (all []Labelled, notes []string, err error) {
	path := f.Name()
	rows, head, err := openRows(f, b, o.Dialect)
	if err != nil {
		return nil, nil, err
	}
	ti, li := slices.Index(head, o.Text), slices.Index(head, o.Label)
	if o.Unlabelled && ti < 0 {
		return nil, nil, Fault(path, 1, "the header is %s, expected a column %q", strings.Join(head, ","), o.Text)
	}
	if o.Unlabelled {
		li = ti
	}
	if ti < 0 || li < 0 {
		return nil, nil, Fault(path, 1, "the header is %s, expected columns %q and %q", strings.Join(head, ","), o.Text, o.Label).Try("name yours with %s and %s", "text-column", "label-column")
	}
	if err := once(path, head, head[ti], head[li]); err != nil {
		return nil, nil, err
	}
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return all, rows.Notes(), nil
		}
		if err != nil {
			return nil, nil, csvFault(path, err)
		}
		l := Labelled{Label: strings.Clone(strings.TrimSpace(row[li])), File: path, Line: rows.Line(0)}
		if row[ti] == "" || l.Label == "" {
			return nil, nil, Fault(path, l.Line, "an empty text or label; fill it in or take the line out")
		}
		if err := l.take(strings.Clone(row[ti]), o.Level); err != nil {
			return nil, nil, err
		}
		all = append(all, l)
	}
}

func readJSONLines(path string, b []byte, o LabelledOptions) (all []Labelled, err error) {
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, len(b)+1)
	for line := 1; s.Scan(); line++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		l := Labelled{File: path, Line: line}
		item, label, err := twoKeys(s.Bytes(), o.Text, o.Label)
		if err != nil {
			return nil, Fault(path, line, "%v; expected one JSON object a line", err)
		}
		switch label.(type) {
		case []any, map[string]any:
			if !o.Unlabelled {
				return nil, Fault(path, line, "label %q is a list or an object, expected one class: text, a number or a truth value", o.Label)
			}
		}
		if l.Label = labelOf(label); l.Label == "" && !o.Unlabelled {
			return nil, Fault(path, line, "there is no label %q", o.Label).Try("name yours with %s", "label-column")
		}
		if err := l.json(item, o.Text, o.Level); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, s.Err()
}

// twoKeys returns the values of two keys of an object, nil where they are
// missing, without keeping the others.
func twoKeys(line []byte, a, b string) (va, vb any, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	open, err := d.Token()
	if err != nil {
		return nil, nil, err
	}
	if open != json.Delim('{') {
		return nil, nil, fmt.Errorf("it begins with %v", open)
	}
	seenA, seenB := false, false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		to := any(&json.RawMessage{})
		if key == a {
			to = &va
		}
		if key == b {
			to = &vb
		}
		if key == a && seenA || key == b && seenB {
			return nil, nil, fmt.Errorf("key %q stands there twice", key)
		}
		seenA, seenB = seenA || key == a, seenB || key == b
		if err := d.Decode(to); err != nil {
			return nil, nil, err
		}
		if a == b {
			vb = va
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, fmt.Errorf("there is more after the object")
	}
	return va, vb, nil
}

// labelOf is a label as text; whole numbers have no point.
func labelOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case json.Number:
		if f, err := v.Float64(); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return strconv.FormatInt(int64(f), 10)
		}
		return v.String()
	}
	return strings.TrimSpace(fmt.Sprint(v))
}

// json takes a string, a list of strings or, at level "number", a list of
// numbers or of lists of numbers. What has no value, null, is an error.
func (l *Labelled) json(v any, column, level string) error {
	if s, ok := v.(string); ok && s != "" {
		return l.take(s, level)
	}
	list, _ := v.([]any)
	for i, e := range list {
		err := error(nil)
		switch e := e.(type) {
		case nil:
			err = fmt.Errorf("step %d is null, which has no value; put one in or take the step out", i+1)
		case string:
			if level == "number" {
				return l.notNumbers(column)
			}
			l.Tokens = append(l.Tokens, e)
		case json.Number, []any:
			if level != "number" {
				return l.notText(column)
			}
			err = l.step(e)
		default:
			err = fmt.Errorf("step %d is %v", i+1, e)
		}
		if err != nil {
			return Fault(l.File, l.Line, "%q: %v", column, err)
		}
	}
	if len(l.Tokens) > 0 && len(l.Rows) > 0 {
		return Fault(l.File, l.Line, "%q has strings and numbers", column)
	}
	if len(list) == 0 {
		if level == "number" {
			return l.notNumbers(column)
		}
		return l.notText(column)
	}
	if level != "number" {
		return nil
	}
	return checkRows(l)
}

func (l *Labelled) notNumbers(column string) error {
	return Fault(l.File, l.Line, "%q is no list of numbers, nor of lists of numbers", column).Try("name yours with %s", "text-column")
}

func (l *Labelled) notText(column string) error {
	return Fault(l.File, l.Line, "%q is no text and no list of strings", column).Try("name yours with %s, and read numbers with %s number", "text-column", "level")
}

// step appends a step: a number, or a list of them.
func (l *Labelled) step(v any) error {
	one, list := v.([]any)
	if !list {
		one = []any{v}
	}
	row := make([]float64, len(one))
	for c, e := range one {
		n, ok := e.(json.Number)
		if !ok {
			return fmt.Errorf("step %d has %s where a number is expected", len(l.Rows)+1, valueName(e))
		}
		f, err := n.Float64()
		if err != nil {
			return fmt.Errorf("step %d has %s, which is beyond float64", len(l.Rows)+1, n)
		}
		row[c] = f
	}
	l.Rows = append(l.Rows, row)
	return nil
}

func valueName(v any) string {
	if v == nil {
		return "null, which has no value,"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "something"
	}
	return string(b[:min(len(b), 20)])
}
