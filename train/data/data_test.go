package data_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSplitAndJoinAreInverse(t *testing.T) {
	for _, c := range []struct{ text, level string }{{"a é\n\nb", "char"}, {"one two\nthree", "word"}, {"a\n", "word"}} {
		if got := data.Join(data.Split(c.text, c.level), c.level); got != c.text {
			t.Errorf("%s: %q came back as %q", c.level, c.text, got)
		}
	}
}

func textTask(level string, batch, window int, valid, test float64) *task.Text {
	t := task.NewText()
	t.Cut = task.Cut{Batch: batch, Valid: valid, Test: test}
	t.Level, t.Window = level, window
	return t
}

// Every predicted token is the one after the token seen, in every stream.
func TestTextTargetsAreTheNextTokens(t *testing.T) {
	text := strings.Repeat("abcdefghij", 50)
	d, err := textTask("char", 3, 7, .1, .1).Load(write(t, "t.txt", text))
	if err != nil {
		t.Fatal(err)
	}
	var b train.Batch
	d.Train.Start(rng.New(1))
	seen := 0
	for i := range d.Train.Len() {
		d.Train.Batch(i, &b)
		if b.Carry != (i > 0) {
			t.Errorf("batch %d carries: %v", i, b.Carry)
		}
		for k, tok := range b.In.Tokens {
			seen++
			if next := (tok-1+1)%10 + 1; b.Classes[k] != next {
				t.Fatalf("after token %d comes %d, want %d", tok, b.Classes[k], next)
			}
		}
	}
	if want := 399 / 3 * 3; seen != want {
		t.Errorf("%d tokens seen, want %d", seen, want)
	}
}

// The loss on the test part is that of one reader: it does not depend on how
// training was batched, and every token after the first is foretold once.
func TestTextTestPartIsOneText(t *testing.T) {
	path := write(t, "t.txt", strings.Repeat("abcdefghij", 50))
	for _, batch := range []int{1, 3, 8} {
		d, err := textTask("char", batch, 7, .1, .2).Load(path)
		if err != nil {
			t.Fatal(err)
		}
		var b train.Batch
		seen := 0
		for i := range d.Test.Len() {
			d.Test.Batch(i, &b)
			if b.In.B != 1 || b.Carry != (i > 0) {
				t.Errorf("batch %d: %d texts, carries %v", i, b.In.B, b.Carry)
			}
			seen += len(b.Classes)
		}
		if seen != 99 {
			t.Errorf("batch %d: %d tokens foretold, want 99", batch, seen)
		}
	}
}

// The targets of a forecaster are what the file holds after the lags, and the
// naive forecasts are known before them.
func TestForecastWindows(t *testing.T) {
	s := "time,x\n"
	for i := range 40 {
		s += strings.Repeat("1", 1) + "," + string(rune('0'+i%5)) + "\n"
	}
	o := task.NewForecast()
	o.Cut = task.Cut{Valid: .2, Test: .2, Batch: 4}
	o.Lags, o.Horizon, o.Season, o.Base, o.NoCalendar = 6, 3, 5, "none", true
	path := write(t, "s.csv", s)
	d, err := o.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	table, err := data.ReadTable(data.File{Path: path}, data.TableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	series, err := data.NewSeries(table, data.Forecast{Targets: o.Targets, Lags: 6, Horizon: 3, Season: 5, Base: "none"}, o.Scaling)
	if err != nil {
		t.Fatal(err)
	}
	const at = 32 // of 40 rows, 8 are for the test
	last, season := series.Naive(at)
	truth := series.Truth(at)
	for h := range truth {
		if truth[h][0] != float64((at+h)%5) || season[h][0] != truth[h][0] || last[h][0] != float64((at-1)%5) {
			t.Errorf("step %d: truth %v, season %v, last %v", h, truth[h], season[h], last[h])
		}
	}
	var b train.Batch
	d.Test.Start(nil)
	d.Test.Batch(0, &b)
	if got := series.Values(b.Values.Data[:3], at); got[0][0]-truth[0][0] > 1e-6 || truth[0][0]-got[0][0] > 1e-6 {
		t.Errorf("targets come back as %v, want %v", got, truth)
	}
}

// Whatever stands in a file, readers return data or an error, never panic.
func FuzzReaders(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n"))
	f.Add([]byte(`{"dim":2,"train":[[[0],[1]]],"valid":[[[0],[1]]]}`))
	f.Add([]byte("the D\n\ncat N\n"))
	f.Add([]byte(`{"text":"a","label":1}`))
	f.Add([]byte("{\"text\":[[1,2],[3,4]],\"label\":1}\n{\"text\":[[1,2]],\"label\":2}\n{\"text\":\"1\",\"label\":2}\n"))
	f.Add([]byte("text,label\n1 2,a\n3,b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := write(t, "f", string(b))
		csv := write(t, "f.csv", string(b))
		_, _ = data.ReadTable(data.File{Path: path}, data.TableOptions{})
		_, _, _ = data.ReadTagged(data.File{Path: path}, data.TaggedOptions{})
		_, _ = data.ReadRolls(data.File{Path: path})
		for _, level := range []string{"char", "number"} {
			_, _, _ = data.ReadLabelled(data.File{Path: path}, data.LabelledOptions{Text: "text", Label: "label", Level: level})
			_, _, _ = data.ReadLabelled(data.File{Path: csv}, data.LabelledOptions{Text: "text", Label: "label", Level: level})
			c := task.NewClassify()
			c.Level, c.Batch, c.Valid, c.Test = level, 2, .3, .3
			_, _ = c.Load(path)
		}
		if _, err := textTask("word", 2, 3, .1, .1).Load(path); err != nil && len(b) == 0 && !errors.Is(err, data.ErrData) {
			t.Errorf("an empty file: %v", err)
		}
	})
}
