package data_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train/data"
)

func classify(level string) func(path string) error {
	return func(path string) error {
		c := task.NewClassify()
		c.Level, c.Batch, c.Valid, c.Test = level, 2, .2, .2
		_, err := c.Load(path)
		return err
	}
}

func forecast(path string) error {
	o := task.NewForecast()
	o.Cut = task.Cut{Valid: .2, Test: .2, Batch: 4}
	o.Lags, o.Horizon, o.Season, o.Base = 6, 3, 5, "none"
	_, err := o.Load(path)
	return err
}

func text(path string) error {
	_, err := textTask("char", 2, 10, .1, .1).Load(path)
	return err
}

func music(path string) error {
	_, err := task.NewMusic().Load(path)
	return err
}

func tag(path string) error {
	c := task.NewTag()
	c.Batch, c.Valid, c.Test = 2, .2, .2
	_, err := c.Load(path)
	return err
}

// hours is a series of n hours that begins at midnight.
func hours(n int) string {
	s := "time,x\n"
	for i := range n {
		s += "2020-01-" + string([]byte{'0' + byte(1+i/24)/10, '0' + byte(1+i/24)%10}) + " " + string([]byte{'0' + byte(i%24)/10, '0' + byte(i%24)%10}) + ":00:00,1\n"
	}
	return s
}

// What cannot be used is refused with file, line (where there is one) and what
// to do.
func TestBadDataIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		read       func(path string) error
		want       string // FILE stands for the path
	}{
		"text: empty":                {"t.txt", "", text, `^FILE: it is empty`},
		"text: only a mark":          {"t.txt", "\ufeff", text, `^FILE: it is empty`},
		"text: not UTF-8":            {"t.txt", "good\nb\xffd\n", text, `^FILE:2: it is not valid UTF-8; convert the file`},
		"text: too short":            {"t.txt", "short", text, `^FILE: 5 chars are too few: training needs more than the window of 10`},
		"csv: empty":                 {"t.csv", "", forecast, `^FILE: it is empty`},
		"csv: header only":           {"t.csv", "time,x\n", forecast, `^FILE: 0 rows \(0 for training\) are too few for 6 lags.*give more rows or ask for less`},
		"csv: text for a number":     {"t.csv", "time,x\n1,2\n1,five\n", forecast, `^FILE:3: column "x" has "five", expected a number; correct it or leave the column out with columns`},
		"csv: no number":             {"t.csv", "time,x\n1,2\n1,\n", forecast, `^FILE:3: column "x" has "", expected a number`},
		"csv: NaN":                   {"t.csv", "time,x\n1,NaN\n", forecast, `^FILE:2: column "x" has "NaN"; fill the gap or take the line out`},
		"csv: infinite":              {"t.csv", "time,x\n1,-Inf\n", forecast, `^FILE:2: column "x" has "-Inf"; fill the gap`},
		"csv: ragged":                {"t.csv", "time,x\n1,2\n\n1\n", forecast, `^FILE:4: it has more or fewer fields than the header`},
		"csv: quotes":                {"t.csv", "time,x\n1,\"2\n", forecast, `^FILE:2: .*double quotes`},
		"csv: one column":            {"t.csv", "time\n1\n", forecast, `^FILE:1: there is no column besides the time`},
		"csv: fewer rows than lags":  {"t.csv", hours(12), forecast, `^FILE: 12 rows \(8 for training\).*6 lags`},
		"csv: no time":               {"t.csv", strings.Replace(hours(40), "2020-01-01 05", "five o'clock 05", 1), forecast, `^FILE:7: "five o'clock 05:00:00" is no time that can be read; these can: 2024-03-29, .*; say how with time-format, correct it, or train with no-calendar`},
		"csv: back in time":          {"t.csv", strings.Replace(hours(40), "2020-01-01 05", "2019-01-01 05", 1), forecast, `^FILE:7: "2019-01-01 05:00:00" is before the line above; sort the file by time`},
		"csv: beyond a square":       {"t.csv", strings.ReplaceAll(strings.Replace(hours(40), ",1\n", ",2e300\n", 9), "00:00,1\n", "00:00,-1e300\n"), forecast, `^FILE: the numbers of column "x" are too large to be standardised`},
		"csv: JSON Lines":            {"t.csv", "{\"date\":\"2024-01-01\",\"x\":1}\n", forecast, `^FILE:1: it is JSON, expected a table`},
		"csv: a JSON array":          {"t.json", "\n [ {\"date\":\"2024-01-01\",\"x\":1}]\n", forecast, `^FILE:1: it is JSON, expected a table`},
		"csv: Parquet":               {"t.parquet", "PAR1\x15\x04", forecast, `^FILE: it is a Parquet file; write its columns as CSV$`},
		"csv: NumPy":                 {"t.npy", "\x93NUMPY\x01\x00", forecast, `^FILE: it is a NumPy array`},
		"csv: Excel":                 {"t.xlsx", "PK\x03\x04\x14", forecast, `^FILE: it is a zip archive`},
		"csv: UTF-16":                {"t.csv", "\xff\xfet\x00,\x00", forecast, `^FILE: it is UTF-16; save it as UTF-8$`},
		"classify: gzip":             {"t.csv", "\x1f\x8b\x08", classify("char"), `^FILE: it is compressed with gzip; unpack it$`},
		"numbers: beyond a square":   {"t.jsonl", strings.Repeat("{\"text\":[2e300,-1e300],\"label\":1}\n{\"text\":[1e300,2],\"label\":2}\n", 5), classify("number"), `^FILE: the numbers at place 1 of the steps are too large`},
		"classify: no column":        {"t.csv", "word,label\na,x\n", classify("char"), `^FILE:1: the header is word,label, expected columns "text" and "label"; name yours with text-column`},
		"classify: no label":         {"t.csv", "text,label\na,x\nb,\n", classify("char"), `^FILE:3: an empty text or label; fill it in or take the line out`},
		"classify: ragged":           {"t.csv", "text,label\na,x\nb\n", classify("char"), `^FILE:3: it has more or fewer fields`},
		"classify: one class":        {"t.csv", "text,label\n" + strings.Repeat("a,x\n", 10), classify("char"), `^FILE: there is one class, "x"; at least 2 are needed`},
		"classify: few":              {"t.csv", "text,label\na,x\nb,y\n", classify("char"), `^FILE: 2 of them are too few for training and validation`},
		"classify: blank":            {"t.csv", "text,label\n" + strings.Repeat("a,x\nb,y\n", 5) + " ,x\n", classify("word"), `^FILE:12: an empty text; take it out`},
		"jsonl: no object":           {"t.jsonl", "{\"text\":\"a\",\"label\":1}\n[1]\n", classify("char"), `^FILE:2: .*expected one JSON object a line`},
		"jsonl: no label":            {"t.jsonl", "{\"text\":\"a\"}\n", classify("char"), `^FILE:1: there is no label "label"; name yours with label-column`},
		"jsonl: no text":             {"t.jsonl", "\n{\"text\":3,\"label\":\"x\"}\n", classify("char"), `^FILE:2: "text" is no text and no list of strings; .*level number`},
		"numbers: text":              {"t.csv", "text,label\n1 2,x\n1 two,y\n", classify("number"), `^FILE:3: "two" is no number`},
		"numbers: NaN":               {"t.csv", "text,label\n1 nan,x\n", classify("number"), `^FILE:2: "nan" is no number that can be computed with`},
		"numbers: ragged":            {"t.jsonl", "{\"text\":[[1,2],[3]],\"label\":1}\n", classify("number"), `^FILE:1: step 2 has 1 numbers, step 1 has 2`},
		"numbers: another width":     {"t.jsonl", strings.Repeat("{\"text\":[[1,2]],\"label\":1}\n{\"text\":[[1,2]],\"label\":2}\n", 5) + "{\"text\":[[1]],\"label\":1}\n", classify("number"), `^FILE:11: 1 numbers a step, expected 2 as in the first item`},
		"numbers: strings":           {"t.jsonl", "{\"text\":[\"a\"],\"label\":1}\n", classify("number"), `^FILE:1: "text" is no list of numbers`},
		"tag: one column":            {"t.conll", "the D\ncat\n", tag, `^FILE:2: one column, expected a word and its label`},
		"tag: empty":                 {"t.conll", "\n\n", tag, `^FILE: it holds no sentence`},
		"tag: few":                   {"t.conll", "the D\n", tag, `^FILE: 1 sentences are too few`},
		"music: no JSON":             {"t.json", "{\"dim\":4,\n\"train\":[[[1],}", music, `^FILE:2: .*expected {"dim":88`},
		"music: key beyond":          {"t.json", `{"dim":4,"train":[[[1],[4]]],"valid":[[[1],[2]]]}`, music, `^FILE: train piece 0 step 1 has key 4, expected 0 to 3`},
		"music: one step":            {"t.json", `{"dim":4,"train":[[[1]]],"valid":[[[1],[2]]]}`, music, `^FILE: train piece 0 has 1 steps, at least 2`},
		"music: no validation":       {"t.json", `{"dim":4,"train":[[[1],[2]]]}`, music, `^FILE: "valid" has no pieces`},
		"music: a piano of no keys":  {"t.json", `{"train":[[[1],[2]]]}`, music, `^FILE: "dim" is 0, expected the number of keys`},
		"music: text for a key":      {"t.json", "{\"dim\":4,\n\"train\":[[[\"C\"]]]}", music, `^FILE:2: .*expected {"dim":88`},
		"music: more than it can be": {"t.json", `{"dim":100000,"train":[[[1],[2]]]}`, music, `^FILE: "dim" is 100000`},
	} {
		path := write(t, c.file, c.text)
		err := c.read(path)
		want := strings.Replace(c.want, "FILE", regexp.QuoteMeta(path), 1)
		if err == nil || !errors.Is(err, data.ErrData) || !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
}

// A folder of classes names the file that is wrong.
func TestBadFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := classify("char")(dir); err == nil || !strings.Contains(err.Error(), "it holds no labelled text") {
		t.Errorf("an empty folder: %v", err)
	}
	must(os.WriteFile(filepath.Join(dir, "x.txt"), []byte("1\n2\n"), 0o666))
	must(os.Mkdir(filepath.Join(dir, "y"), 0o777))
	bad := filepath.Join(dir, "y", "one.txt")
	must(os.WriteFile(bad, nil, 0o666))
	if err := classify("char")(dir); err == nil || err.Error() != bad+": it is empty" {
		t.Errorf("an empty file: %v", err)
	}
	must(os.WriteFile(bad, []byte("1 2\n3 4 5\n"), 0o666))
	if err := classify("number")(dir); err == nil || err.Error() != bad+": step 2 has 3 numbers, the steps before have 2; correct it, or read words with level word" {
		t.Errorf("a ragged file: %v", err)
	}
	if err := classify("char")(filepath.Join(dir, "nowhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
