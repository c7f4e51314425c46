package data_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	separated "github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train/data"
)

// series is a table of times in a layout, each with its number from 0.
func series(layout string, times ...time.Time) string {
	s := "when,x\n"
	for i, t := range times {
		s += fmt.Sprintf("%s,%d\n", t.Format(layout), i)
	}
	return s
}

// hourly are n hours from a day that begins a week.
func hourly(n int) (times []time.Time) {
	for i := range n {
		times = append(times, time.Date(2024, 1, 1, i, 0, 0, 0, time.UTC))
	}
	return times
}

const iso = "2006-01-02 15:04:05"

// What is odd about the times of a file is said with its first place and counts,
// refused, or filled; after files of people whose series had holes, hours twice
// and clock changes.
func TestTimesOutOfOrder(t *testing.T) {
	hours := hourly(100)
	gap := slices.Concat(hours[:40], hours[90:])
	twice := slices.Concat(hours[:41], hours[40:])
	spring := slices.Concat(hours[:50], hours[51:])
	var autumn []time.Time // half hours; the clock goes back from 3 to 2
	for i := range 40 {
		at := time.Date(2024, 10, 26, 22, 30*i, 0, 0, time.UTC)
		if i >= 10 {
			at = at.Add(-time.Hour)
		}
		autumn = append(autumn, at)
	}
	var irregular []time.Time
	for i := range 40 {
		irregular = append(irregular, hours[0].Add(time.Duration(i*i)*time.Minute))
	}
	var office []time.Time // eight hours a day
	for _, h := range hours {
		if h.Hour() >= 9 && h.Hour() < 17 {
			office = append(office, h)
		}
	}
	back := slices.Clone(hours)
	slices.Reverse(back)
	for name, c := range map[string]struct {
		text, gaps  string
		notes, err  string // regular expressions; FILE stands for the path
		rows        int
		after       string // the next time, "" for none
		order, zone bool
	}{
		"even":               {text: series(iso, hours...), rows: 100, after: "2024-01-05 04:00:00"},
		"gap":                {text: series(iso, gap...), notes: `^FILE:42: 2 days 3 h after the line above, where the others are 1 h apart; 50 rows missing$`, rows: 50, after: "2024-01-05 04:00:00"},
		"gap, refused":       {text: series(iso, gap...), gaps: "refuse", err: `FILE:42: 2 days 3 h after .*; fill it with gaps fill`},
		"gap, filled":        {text: series(iso, gap...), gaps: "fill", notes: `^FILE: put in 50 missing rows on straight lines`, rows: 100, after: "2024-01-05 04:00:00"},
		"twice":              {text: series(iso, twice...), notes: `^FILE:43: "2024-01-02 16:00:00" stands there twice; if the local clock was set back`, rows: 101, after: "2024-01-05 04:00:00"},
		"twice, refused":     {text: series(iso, twice...), gaps: "refuse", err: `FILE:43: "2024-01-02 16:00:00" stands there twice`},
		"twice, filled":      {text: series(iso, twice...), gaps: "fill", notes: `left out 1 row of times`, rows: 100, after: "2024-01-05 04:00:00"},
		"clock forward":      {text: series(iso, spring...), notes: `^FILE:52: 2 h after the line above, where the others are 1 h apart; 1 row missing; if the local clock was set forward`, rows: 99, after: "2024-01-05 04:00:00"},
		"clock back":         {text: series(iso, autumn...), err: `FILE:12: "2024-10-27 02:00:00" is before the line above: was the local clock set back\? give the times in UTC or with offsets`},
		"newest first":       {text: series(iso, back...), err: `FILE:3: "2024-01-05 02:00:00" is before the line above; sort the file by time$`},
		"uneven":             {text: series(iso, irregular...), notes: `^FILE: only \d+% of the rows are 1 min after the row above`, rows: 40},
		"no times":           {text: series("Monday 15h", hours...), notes: `is no time that can be read; these can: 2024-03-29, .*; so the order of the rows is not checked$`, rows: 100},
		"office hours":       {text: series(iso, office...), notes: `^FILE: only 9\d% of the rows are 1 h after the row above, which is the most frequent step$`, rows: 32},
		"pandas' index":      {text: ",t,x\n0,2024-01-01,1\n1,2024-01-02,2\n2,2024-01-03,4\n", notes: `^FILE: column 1 has no name and counts the rows, as pandas writes an index: it is left out$`, rows: 3, after: "2024-01-04"},
		"times as an index":  {text: ",x\n2024-01-01,1\n2024-01-02,2\n2024-01-03,4\n", rows: 3, after: "2024-01-04"},
		"numbers":            {text: "n,x\n1,5\n2,6\n3,7\n", rows: 3},
		"an offset at times": {text: "t,x\n2024-01-01 00:00,1\n2024-01-01 01:00Z,2\n", notes: `some times have an offset from UTC and some have none.*not checked`, rows: 2},
		"day or month":       {text: "t,x\n01/02/2024,1\n02/02/2024,2\n", notes: `"01/02/2024": day or month first\?`, rows: 2},
		"day, as one tells":  {text: "t,x\n11/02/2024,1\n12/02/2024,2\n13/02/2024,2\n", notes: `times are read day-first, as "13/02/2024" tells`, rows: 3, after: "14/02/2024"},
		"no such day":        {text: "t,x\n2024-02-29,1\n2024-02-30,2\n", notes: `FILE:3: "2024-02-30" has no such day or month`, rows: 2},
	} {
		path := write(t, "s.csv", c.text)
		want := func(re string) *regexp.Regexp {
			return regexp.MustCompile(strings.ReplaceAll(re, "FILE", regexp.QuoteMeta(path)))
		}
		table, err := data.ReadTable(data.File{Path: path}, data.TableOptions{Gaps: c.gaps})
		if c.err != "" {
			if !errors.Is(err, data.ErrData) || !want(c.err).MatchString(err.Error()) {
				t.Errorf("%s: %v\nwant %s", name, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if notes := strings.Join(table.Notes, "|"); (c.notes == "") != (notes == "") || !want(c.notes).MatchString(notes) {
			t.Errorf("%s says %q\nwant %s", name, notes, c.notes)
		}
		next := ""
		if after, _ := table.After(1); after != nil {
			next = after[0]
		}
		if len(table.Rows) != c.rows || next != c.after {
			t.Errorf("%s: %d rows, then %q; want %d, %q", name, len(table.Rows), next, c.rows, c.after)
		}
	}
	// Filled are straight lines, at the series' own times.
	table, err := data.ReadTable(data.File{Path: write(t, "s.csv", "t,x\n2024-01-01,0\n2024-01-02,1\n2024-01-03,2\n2024-01-07,10\n2024-01-08,12\n")}, data.TableOptions{Gaps: "fill"})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(table.Rows, table.Time[3:6], table.Lines); got != "[[0] [1] [2] [4] [6] [8] [10] [12]] [2024-01-04 2024-01-05 2024-01-06] [2 3 4 5 5 5 5 6]" {
		t.Errorf("filled to %s", got)
	}
}

// Times of other forms are read when the reader is told, and go on in their form.
func TestTimesAsTold(t *testing.T) {
	for _, c := range []struct{ format, text, after string }{
		{"unix", "t,x\n1711670400,1\n1711674000,2\n", "1711677600"},
		{"day-first", "t,x\n01/02/2024,1\n01/03/2024,2\n", "01/04/2024"},
		{"month-first", "t,x\n01/02/2024,1\n01/03/2024,2\n", "01/04/2024"},
		{"day-first", "t,x\n1.2.2024 9:30,1\n2.2.2024 9:30,2\n", "3.2.2024 09:30"},
		{"month-first", "t,x\n1/2/2024 11:30 PM,1\n1/2/2024 11:45 PM,2\n", "1/3/2024 12:00 AM"},
	} {
		table, err := data.ReadTable(data.File{Path: write(t, "s.csv", c.text)}, data.TableOptions{TimeFormat: c.format})
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		after, why := table.After(1)
		if why != "" || after[0] != c.after {
			t.Errorf("%q goes on with %v %s, want %s", c.text, after, why, c.after)
		}
		if c.format == "day-first" && strings.Contains(c.text, "/") { // the first of each month
			if after, _ := table.After(3); after[2] != "01/06/2024" {
				t.Errorf("months go on with %v", after)
			}
		}
	}
}

// Files of one series written in many ways are one series.
func TestTablesAsPeopleWriteThem(t *testing.T) {
	times := hourly(5)
	plain := series(iso, times...)
	want, err := data.ReadTable(data.File{Path: write(t, "s.csv", plain)}, data.TableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file, text string
		o          data.TableOptions
		notes      string
	}{
		"semicolons":    {"s.csv", strings.ReplaceAll(plain, ",", ";"), data.TableOptions{}, "separated by semicolons"},
		"tabs":          {"s.csv", strings.ReplaceAll(plain, ",", "\t"), data.TableOptions{}, "separated by tabs"},
		".tsv":          {"s.tsv", strings.ReplaceAll(plain, ",", "\t"), data.TableOptions{}, "^$"},
		"told":          {"s.csv", strings.ReplaceAll(plain, ",", "|"), data.TableOptions{Dialect: separated.Dialect{Comma: '|'}}, "^$"},
		"decimal comma": {"s.csv", strings.NewReplacer(",0\n", ";0,0\n", ",1\n", ";1,0\n", ",", ";").Replace(plain), data.TableOptions{}, "semicolons.*the decimal sign is a comma"},
		"a comment":     {"s.csv", "# exported\n" + plain, data.TableOptions{}, "skipped 1 line before"},
		"a mark":        {"s.csv", "\ufeff" + plain, data.TableOptions{}, "^$"},
		"quotes":        {"s.csv", strings.ReplaceAll(plain, ",x", ",\"x\""), data.TableOptions{}, "^$"},
		"no names":      {"s.csv", strings.TrimPrefix(plain, "when,x\n"), data.TableOptions{Dialect: separated.Dialect{Header: separated.HeaderNo}}, "^$"},
		"pandas' names": {"s.csv", strings.Replace(plain, "x", "0", 1), data.TableOptions{}, "called 0, as pandas"},
	} {
		got, err := data.ReadTable(data.File{Path: write(t, c.file, c.text)}, c.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if fmt.Sprint(got.Rows, got.Time) != fmt.Sprint(want.Rows, want.Time) {
			t.Errorf("%s: %v %v", name, got.Rows, got.Time)
		}
		if notes := strings.Join(got.Notes, "|"); !regexp.MustCompile(c.notes).MatchString(notes) {
			t.Errorf("%s says %q, want %s", name, notes, c.notes)
		}
	}
	for name, c := range map[string]struct{ text, want string }{
		"no names":  {strings.TrimPrefix(plain, "when,x\n"), `:1: the first line is 2024-01-01 00:00:00,0: numbers, where names are expected; say no-header if .*, or header if`},
		"thousands": {"t;x\n2024-01-01;1,234\n", `:2: column "x" has "1,234", which has a comma as decimal sign or between thousands; say which with decimal`},
	} {
		_, err := data.ReadTable(data.File{Path: write(t, "s.csv", c.text)}, data.TableOptions{})
		if !errors.Is(err, data.ErrData) || !regexp.MustCompile(c.want).MatchString(err.Error()) {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
}

// A line of names may be longer than what is looked at to see how the file is
// written, and a row of very many fields is refused with the file's name.
func TestWideTables(t *testing.T) {
	names, row := "when", "2024-01-01"
	for c := range 5000 {
		names, row = names+fmt.Sprintf(",column %d", c), row+",1"
	}
	table, err := data.ReadTable(data.File{Path: write(t, "s.csv", names+"\n"+row+"\n")}, data.TableOptions{Columns: []string{"column 4999"}})
	if err != nil || len(table.Rows) != 1 {
		t.Errorf("%v", err)
	}
	path := write(t, "s.csv", strings.Repeat(",", 1<<20))
	for _, err := range []error{forecast(path), classify("char")(path)} {
		if !errors.Is(err, data.ErrData) || !strings.HasPrefix(err.Error(), path+": a row has more than 65536 columns") {
			t.Errorf("%v", err)
		}
	}
}

// What has no value is refused with its place, in every file that has lists.
func TestNullIsRefused(t *testing.T) {
	for _, c := range []struct {
		file, text string
		read       func(string) error
		want       string
	}{
		{"n.jsonl", `{"text":[1,null,2],"label":"x"}`, classify("number"), `FILE:1: "text": step 2 is null, which has no value`},
		{"n.jsonl", `{"text":[[1,null]],"label":"x"}`, classify("number"), `FILE:1: "text": step 1 has null, which has no value, where a number is expected`},
		{"n.jsonl", `{"text":[[1],null],"label":"x"}`, classify("number"), `FILE:1: "text": step 2 is null`},
		{"n.jsonl", `{"text":["a",null],"label":"x"}`, classify("word"), `FILE:1: "text": step 2 is null`},
		{"n.jsonl", `{"text":null,"label":"x"}`, classify("word"), `FILE:1: "text" is no text`},
		{"n.jsonl", `{"text":"a","label":null}`, classify("word"), `FILE:1: there is no label "label"`},
		{"n.jsonl", `{"text":["a",true],"label":"x"}`, classify("word"), `FILE:1: "text": step 2 is true`},
		{"n.csv", "text,label\n1 nan,x\n", classify("number"), `FILE:2: "nan" is no number`},
		{"n.json", "{\"dim\":4,\n\"train\":[[[1],[null]]],\"valid\":[[[1],[2]]]}", music, `FILE:2: null has no value`},
		{"n.json", `{"dim":4,"train":[[null,[1]]],"valid":[[[1],[2]]]}`, music, `FILE:1: null has no value`},
	} {
		path := write(t, c.file, c.text)
		err := c.read(path)
		if want := strings.ReplaceAll(c.want, "FILE", regexp.QuoteMeta(path)); !errors.Is(err, data.ErrData) || !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("%s: %v\nwant %s", c.text, err, c.want)
		}
	}
	if err := music(write(t, "n.json", `{"null":1,"dim":4,"train":[[[1],[2]]],"valid":[[[1],[2]]]}`)); err != nil {
		t.Errorf("null in a key: %v", err)
	}
}

// Every class is in every part that has room for it, the parts keep their
// sizes, and what cannot be measured is said.
func TestClassesAreInEveryPart(t *testing.T) {
	for seed := range uint64(40) {
		var classes []string
		for i := range 60 {
			classes = append(classes, string(rune('a'+i%2)))
		}
		classes = append(classes, "three", "three", "three", "two", "two", "one")
		a, b, c := data.SharesByClass(classes, .1, .1, seed)
		pa, pb, pc := data.Shares(len(classes), .1, .1, seed)
		if len(a) != len(pa) || len(b) != len(pb) || len(c) != len(pc) {
			t.Fatalf("seed %d: parts of %d, %d, %d", seed, len(a), len(b), len(c))
		}
		in := func(part []int, class string) (n int) {
			for _, i := range part {
				if classes[i] == class {
					n++
				}
			}
			return n
		}
		for _, k := range []string{"a", "b", "three"} {
			if in(a, k) == 0 || in(b, k) == 0 || in(c, k) == 0 {
				t.Errorf("seed %d: class %s %d, %d and %d times", seed, k, in(a, k), in(b, k), in(c, k))
			}
		}
		if in(a, "two") == 0 || in(c, "two") == 0 || in(a, "one") != 1 {
			t.Errorf("seed %d: two are %d and %d times, one %d", seed, in(a, "two"), in(c, "two"), in(a, "one"))
		}
		all := slices.Concat(a, b, c)
		slices.Sort(all)
		if len(slices.Compact(all)) != len(classes) {
			t.Errorf("seed %d: items are lost", seed)
		}
	}
	// A draw that has every class everywhere is not touched.
	classes := strings.Split(strings.Repeat("a b ", 200), " ")[:400]
	a, b, c := data.SharesByClass(classes, .1, .1, 1)
	pa, pb, pc := data.Shares(len(classes), .1, .1, 1)
	if !slices.Equal(a, pa) || !slices.Equal(b, pb) || !slices.Equal(c, pc) {
		t.Error("a good draw was changed")
	}
	s, err := task.NewClassify().Load(write(t, "c.csv", "text,label\n"+strings.Repeat("good,pos\nbad, neg\nbad,neg \n", 10)+"odd,rare\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`class "rare": its only text is not in the test part, so the accuracy says nothing about it`,
		"3 of 3 texts for test and 3 of 3 for validation stand in the training part too, with the same label: what is measured says less about new ones; leave each in the data once",
	}
	if !slices.Equal(s.Notes, want) || !strings.Contains(s.About, "of 3 classes") {
		t.Errorf("said %q of %q", s.Notes, s.About)
	}
}

// One long item among short ones does not take memory for all of its batch.
func TestPaddingIsBounded(t *testing.T) {
	long := strings.Repeat("a", 1<<19)
	text := "text,label\n" + strings.Repeat("b,x\nc,y\n", 50) + long + ",x\n"
	path := write(t, "c.csv", text)
	c := task.NewClassify()
	if _, err := c.Load(path); !errors.Is(err, data.ErrData) || !strings.Contains(err.Error(), "the longest item has 524288 steps, and with 16 in a batch") {
		t.Errorf("classify: %v", err)
	}
	c = task.NewClassify()
	c.Batch = 8
	if _, err := c.Load(path); err != nil {
		t.Errorf("a smaller batch: %v", err)
	}
	rolls := `{"dim":4000,"train":[` + strings.Repeat("[[1],[2]],", 20) + "[" + strings.Repeat("[],", 2000) + `[1]]],"valid":[[[1],[2]]]}`
	if err := music(write(t, "r.json", rolls)); !errors.Is(err, data.ErrData) || !strings.Contains(err.Error(), "cut it, or take a smaller batch") {
		t.Errorf("music: %v", err)
	}
}

// What programs leave in folders is no class, and links do not lead out.
func TestFoldersOfClasses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"pos.txt": "good\nfine\n", "neg.txt": "bad\n", "Thumbs.db": "x\n", ".DS_Store": "x\n", "~$pos.docx": "x\n", "README.md": "x\n", "in/.DS_Store": "\xff", "in/a.txt": "a\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	all, notes, err := data.ReadLabelled(data.File{Path: dir}, data.LabelledOptions{Level: "word"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range all {
		got = append(got, l.Label+":"+strings.TrimSpace(l.Text))
	}
	if fmt.Sprint(got) != "[in:a neg:bad pos:good pos:fine]" || len(notes) != 1 || !strings.Contains(notes[0], "Thumbs.db") {
		t.Errorf("%v, said %q", got, notes)
	}
	if err := os.Symlink(write(t, "secret", "secret words\n"), filepath.Join(dir, "link.txt")); err != nil {
		t.Skip(err)
	}
	if _, _, err := data.ReadLabelled(data.File{Path: dir}, data.LabelledOptions{Level: "word"}); !errors.Is(err, data.ErrData) || !strings.Contains(err.Error(), "link.txt") {
		t.Errorf("a link out of the folder: %v", err)
	}
}

// Words and labels come from the right columns, which are found or told; after
// files in CoNLL-2003's, CoNLL-X's and CoNLL-U's forms.
func TestCoNLLColumns(t *testing.T) {
	const want = "[{[Anna met] [PER O]} {[Oslo] [LOC]}]"
	for name, c := range map[string]struct {
		text  string
		o     data.TaggedOptions
		want  string
		notes int
	}{
		"two columns":           {"Anna PER\nmet O\n\nOslo LOC\n", data.TaggedOptions{}, want, 0},
		"four columns":          {"-DOCSTART- -X- O O\n\nAnna NN I PER\nmet VB I O\n\n\nOslo NN I LOC\n", data.TaggedOptions{}, want, 0},
		"an index":              {"1 Anna NN PER\n2 met VB O\n\n1 Oslo NN LOC\n", data.TaggedOptions{}, want, 1},
		"told":                  {"1 Anna NN PER\n2 met VB O\n\n1 Oslo NN LOC\n", data.TaggedOptions{Word: 3, Label: 1}, "[{[NN VB] [1 2]} {[NN] [1]}]", 0},
		"CoNLL-2012":            {"doc1 0 0 Anna NN PER\ndoc1 0 1 met VB O\n\ndoc1 1 0 Oslo NN LOC\ndoc1 1 1 fell VB O\n", data.TaggedOptions{}, "[{[Anna met] [PER O]} {[Oslo fell] [LOC O]}]", 1},
		"numbers as words":      {"3.5 CD N\n10-12 CD N\n\nAnna NN P\n", data.TaggedOptions{}, "[{[3.5 10-12] [N N]} {[Anna] [P]}]", 0},
		"one sentence":          {"ha X A\nha X B\n\n", data.TaggedOptions{}, "[{[ha ha] [A B]}]", 0},
		"CoNLL-U":               {"# sent_id = 1\n# text = Anna met\n1-2\tAnnamet\t_\t_\n1\tAnna\t_\tPER\n2\tmet\t_\tO\n2.1\tnot\t_\t_\n\n# newpar\n1\tOslo\t_\tLOC\n", data.TaggedOptions{}, want, 3},
		"an index that goes on": {"1 Anna NN PER\n2 met VB O\n\n3 Oslo NN LOC\n", data.TaggedOptions{}, want, 1},
		"one that does not":     {"1 Anna NN PER\n2 met VB O\n\n4 Oslo NN LOC\n", data.TaggedOptions{}, "[{[1 2] [PER O]} {[4] [LOC]}]", 0},
		"tabs, spaces":          {"New York\tLOC\nO'Hare\u00a0x\tLOC\n\n#\tO\n", data.TaggedOptions{}, "[{[New York O'Hare\u00a0x] [LOC LOC]} {[#] [O]}]", 0},
		"a hash tagged":         {"# O\nAnna PER\n", data.TaggedOptions{}, "[{[# Anna] [O PER]}]", 0},
		"a no-break space":      {"a\u00a0b X\nc Y\n", data.TaggedOptions{}, "[{[a\u00a0b c] [X Y]}]", 0},
	} {
		all, notes, err := data.ReadTagged(data.File{Path: write(t, "t.conll", c.text)}, c.o)
		if err != nil || fmt.Sprint(all) != c.want || len(notes) != c.notes {
			t.Errorf("%s: %v, %v, said %q\nwant %s", name, all, err, notes, c.want)
		}
	}
	for _, c := range []struct {
		text string
		o    data.TaggedOptions
		want string
	}{
		{"New York LOC\nis O\n", data.TaggedOptions{}, `:2: 2 columns, the lines before have 3`},
		{"a X\nb Y\n", data.TaggedOptions{Word: 3}, `:1: words are asked for in column 3 and labels in column 2, of 2; choose others with word-column and label-column`},
		{"a\tb\tX\nc\t\tY\n", data.TaggedOptions{Word: 2}, `:2: an empty word or label`},
	} {
		_, _, err := data.ReadTagged(data.File{Path: write(t, "t.conll", c.text)}, c.o)
		if !errors.Is(err, data.ErrData) || !regexp.MustCompile(c.want).MatchString(err.Error()) {
			t.Errorf("%q: %v\nwant %s", c.text, err, c.want)
		}
	}
	if err := tag(write(t, "t.conll", strings.Repeat("a _\nb _\n\n", 10))); err == nil || !strings.Contains(err.Error(), `there is one label, "_"`) {
		t.Errorf("a column without labels: %v", err)
	}
}
