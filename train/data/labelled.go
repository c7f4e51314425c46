package data

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// ReadLabelled reads labelled items: a folder with a file (one item a line) or
// a folder (one item a file) for each class; or a .csv with a header line; or
// JSON Lines. text and label name the columns. At level "number" an item is a
// sequence of numbers.
func ReadLabelled(path, text, label, level string) ([]Labelled, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	var all []Labelled
	switch {
	case st.IsDir():
		all, err = readFolder(path, level)
	case strings.HasSuffix(path, ".csv"):
		all, err = readCSV(path, text, label, level)
	default:
		all, err = readJSONLines(path, text, label, level)
	}
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, Fault(path, 0, "it holds no labelled text; a folder with a file or folder a class is read, a .csv with a header, or JSON Lines")
	}
	return all, nil
}

func readFolder(dir, level string) (all []Labelled, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	add := func(text, class, file string, line int) error {
		l := Labelled{Label: class, File: file, Line: line}
		if err := l.take(text, level); err != nil {
			return err
		}
		all = append(all, l)
		return nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.Name() == "README.md" || e.Name() == "LICENSE" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			files, err := os.ReadDir(path)
			if err != nil {
				return nil, err
			}
			for _, f := range files {
				file := filepath.Join(path, f.Name())
				b, err := readText(file)
				if err != nil {
					return nil, err
				}
				if err := add(string(b), e.Name(), file, 0); err != nil {
					return nil, err
				}
			}
			continue
		}
		b, err := readText(path)
		if err != nil {
			return nil, err
		}
		class, line := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())), 0
		for l := range strings.Lines(string(b)) {
			line++
			if l = strings.TrimSpace(l); l == "" {
				continue
			}
			if err := add(l, class, path, line); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func readCSV(path, text, label, level string) (all []Labelled, err error) {
	b, err := readText(path)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(b))
	head, err := r.Read()
	if err != nil {
		return nil, csvFault(path, err)
	}
	ti, li := slices.Index(head, text), slices.Index(head, label)
	if ti < 0 || li < 0 {
		return nil, Fault(path, 1, "the header is %s, expected columns %q and %q", strings.Join(head, ","), text, label).Try("name yours with %s and %s", "text-column", "label-column")
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, csvFault(path, err)
		}
		l := Labelled{Label: row[li], File: path}
		l.Line, _ = r.FieldPos(0)
		if row[ti] == "" || row[li] == "" {
			return nil, Fault(path, l.Line, "an empty text or label; fill it in or take the line out")
		}
		if err := l.take(row[ti], level); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
}

// csvFault puts file, line and advice to what encoding/csv found.
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
	return err
}

func readJSONLines(path, text, label, level string) (all []Labelled, err error) {
	b, err := readText(path)
	if err != nil {
		return nil, err
	}
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, len(b)+1)
	for line := 1; s.Scan(); line++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(s.Bytes(), &m); err != nil {
			return nil, Fault(path, line, "%v; expected one JSON object a line", err)
		}
		l := Labelled{File: path, Line: line}
		var class any
		if json.Unmarshal(m[label], &class) != nil || class == nil {
			return nil, Fault(path, line, "there is no label %q", label).Try("name yours with %s", "label-column")
		}
		l.Label = fmt.Sprint(class)
		if err := l.json(m[text], text, level); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, s.Err()
}

// json takes a string, a list of strings or, at level "number", a list of
// numbers or of lists of numbers.
func (l *Labelled) json(raw json.RawMessage, column, level string) error {
	var one []float64
	switch {
	case json.Unmarshal(raw, &l.Text) == nil && l.Text != "":
		return l.take(l.Text, level)
	case level == "number" && json.Unmarshal(raw, &one) == nil && len(one) > 0:
		for _, v := range one {
			l.Rows = append(l.Rows, []float64{v})
		}
		return nil
	case level == "number" && json.Unmarshal(raw, &l.Rows) == nil && len(l.Rows) > 0:
		return checkRows(l)
	case level != "number" && json.Unmarshal(raw, &l.Tokens) == nil && len(l.Tokens) > 0:
		return nil
	case level == "number":
		return Fault(l.File, l.Line, "%q is no list of numbers, nor of lists of numbers", column).Try("name yours with %s", "text-column")
	}
	return Fault(l.File, l.Line, "%q is no text and no list of strings", column).Try("name yours with %s, and read numbers with %s number", "text-column", "level")
}

// Split returns the item's tokens at a level.
func (l *Labelled) Split(level string) []string {
	if l.Tokens != nil {
		return l.Tokens
	}
	return Split(l.Text, level)
}
