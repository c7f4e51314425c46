package data_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/train/data"
)

// What stands twice in a file, and what it is not, is refused with the reason.
func TestTwiceAndForeign(t *testing.T) {
	for _, c := range []struct {
		file, text string
		read       func(string) error
		want       string
	}{
		{"s.csv", "t,a,a\n2024-01-01,1,2\n", forecast, `FILE:1: two columns are called "a"`},
		{"s.csv", "t,a,t\n2024-01-01,1,2\n", forecast, `FILE:1: two columns are called "t"`},
		{"c.csv", "text,label,label\na,x,y\n", classify("word"), `FILE:1: two columns are called "label"`},
		{"c.csv", "text,text,label\na,x,y\n", classify("word"), `FILE:1: two columns are called "text"`},
		{"c.jsonl", `{"text":"a","text":"b","label":"x"}`, classify("word"), `FILE:1: key "text" stands there twice`},
		{"c.jsonl", `{"text":"a","label":"y","label":"x"}`, classify("word"), `FILE:1: key "label" stands there twice`},
		{"c.jsonl", `{"text":"a","label":["x"]}`, classify("word"), `FILE:1: label "label" is a list or an object`},
		{"c.jsonl", `{"text":"a","label":{"x":1}}`, classify("word"), `FILE:1: label "label" is a list or an object`},
		{"c.csv", "\xff\xfea\x00", classify("word"), `FILE: it is UTF-16; save it as UTF-8`},
		{"c.csv", "\x1f\x8b\x08", classify("word"), `FILE: it is compressed with gzip; unpack it`},
		{"s.csv", "PAR1abc", forecast, `FILE: it is a Parquet file`},
		{"t.conll", "\x93NUMPY", tag, `FILE: it is a NumPy array`},
	} {
		path := write(t, c.file, c.text)
		err := c.read(path)
		if want := strings.ReplaceAll(c.want, "FILE", regexp.QuoteMeta(path)); !errors.Is(err, data.ErrData) || !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("%q: %v\nwant %s", c.text, err, c.want)
		}
	}
	dir := t.TempDir()
	for name, read := range map[string]func(string) error{"forecast": forecast, "music": music, "tag": tag} {
		if err := read(dir); !errors.Is(err, data.ErrData) || !strings.Contains(err.Error(), dir+": it is a folder, expected a file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Of columns that nobody takes two may have one name.
	if _, err := data.ReadTable(data.File{Path: write(t, "s.csv", "t,a,b,b\n2024-01-01,1,2,3\n2024-01-02,1,2,3\n")}, data.TableOptions{Columns: []string{"a"}}); err != nil {
		t.Error(err)
	}
}

// Labels that people take for one are said.
func TestLabelsThatLookAlike(t *testing.T) {
	for _, c := range []struct {
		labels string
		notes  []string // parts
	}{
		{"pos neg", nil},
		{"pos Pos neg", []string{`"Pos" and "pos" are two labels`}},
		{"caf\u00e9 cafe\u0301 tea", []string{`"cafe\u0301" and "caf\u00e9" are two labels`}},
		{"0 0.0 1", []string{`"0" and "0.0" are two labels: they are one number`}},
		{"a a\u200b b", []string{`"a" and "a\u200b" are two labels`}},
		{"\u0301 b", nil},
		{"B-PER B-per I-PER I-per", []string{`"B-PER" and "B-per"`, `"I-PER" and "I-per"`}},
		{"\u4e00 \u4e8c", nil},
	} {
		var csv, conll strings.Builder
		csv.WriteString("text,label\n")
		for i, l := range strings.Fields(c.labels) {
			csv.WriteString(strings.Repeat("w"+string(rune('a'+i))+","+l+"\n", 3))
			conll.WriteString("w " + l + "\n\n")
		}
		_, a, err := data.ReadLabelled(data.File{Path: write(t, "c.csv", csv.String())}, data.LabelledOptions{Text: "text", Label: "label", Level: "word"})
		_, b, err2 := data.ReadTagged(data.File{Path: write(t, "t.conll", conll.String())}, data.TaggedOptions{})
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		for _, notes := range [][]string{a, b} {
			if len(notes) != len(c.notes) {
				t.Errorf("%s: said %q, want %q", c.labels, notes, c.notes)
			}
			for _, want := range c.notes {
				if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, want) }) {
					t.Errorf("%s: said %q, want %q", c.labels, notes, c.notes)
				}
			}
		}
	}
}
