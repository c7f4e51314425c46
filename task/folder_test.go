package task_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unroll-ml/unroll/task"
)

// Model folders that the tree before this package wrote open, and answer and
// measure as they did (testdata/v0/make.sh).
func TestOldFoldersAnswerAsTheyDid(t *testing.T) {
	const dir = "testdata/v0"
	for _, c := range []struct{ model, data, input, answer string }{
		{"classify", "names.csv", "ana3", "classify.json"},
		{"number", "steps.jsonl", "7 8 7", "number.json"},
		{"tag", "tags.conll", "the cat sat", "tag.json"},
		{"text", "poem.txt", "", "text.txt"},
		{"music", "rolls.json", dir + "/rolls.json", "music.mid"},
		{"forecast", "hours.csv", dir + "/hours.csv", "forecast.json"},
	} {
		m, of, err := task.Open(filepath.Join(dir, c.model))
		if err != nil {
			t.Errorf("%s: %v", c.model, err)
			continue
		}
		var out bytes.Buffer
		q := task.DefaultQuery()
		q.Input, q.Out, q.JSON, q.File = c.input, &out, true, "-"
		q.Prompt, q.Length = "to be", 30
		if c.model == "music" {
			q.Length = 20
		}
		if err := of.Answer(context.Background(), m, q); err != nil {
			t.Errorf("%s: %v", c.model, err)
		}
		want, err := os.ReadFile(filepath.Join(dir, c.answer))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s answers\n%q, it was\n%q", c.model, &out, want)
		}
		s, err := of.Load(filepath.Join(dir, c.data))
		if err != nil {
			t.Errorf("%s: %v", c.model, err)
			continue
		}
		e, err := task.Measure(m, of, s, 1)
		if err != nil {
			t.Errorf("%s: %v", c.model, err)
			continue
		}
		if want, err = os.ReadFile(filepath.Join(dir, c.model+".eval")); err != nil || e.Text() != string(want) {
			t.Errorf("%s measures\n%s, it was\n%s%v", c.model, e.Text(), want, err)
		}
	}
}

// What Save and Describe write, Open reads: all options that the model keeps.
func TestDescribedTaskComesBack(t *testing.T) {
	r := task.DefaultRecipe()
	r.Hidden, r.Embedding, r.Epochs = 4, 3, 1
	for _, k := range task.Kinds {
		of, file := k.New(), map[string]string{"music": "rolls.json", "text": "poem.txt", "classify": "names.csv", "forecast": "hours.csv", "tag": "tags.conll"}[k.Name]
		if f, ok := of.(*task.Forecast); ok {
			f.Valid, f.Test, f.Lags, f.Horizon, f.Loss, f.Rows, f.Targets = .2, .3, 8, 2, "l1", 100, []string{"a", "b"}
		}
		s, err := of.Load("testdata/v0/" + file)
		if err != nil {
			t.Fatalf("%s: %v", k.Name, err)
		}
		m, err := r.Fit(context.Background(), of, s)
		if err != nil {
			t.Fatalf("%s: %v", k.Name, err)
		}
		dir := filepath.Join(t.TempDir(), "m")
		if err := m.Save(dir, ""); err != nil {
			t.Fatal(err)
		}
		back, again, err := task.Open(dir)
		if err != nil {
			t.Fatalf("%s: %v", k.Name, err)
		}
		want, err := task.Measure(m, of, s, 1)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = again.Load("testdata/v0/" + file); err != nil {
			t.Fatalf("%s: %v", k.Name, err)
		}
		if got, err := task.Measure(back, again, s, 1); err != nil || got.Text() != want.Text() {
			t.Errorf("%s: %v\n%s, it was\n%s", k.Name, err, got.Text(), want.Text())
		}
	}
}

// The folder remembers how its file had to be read, so that the next file of
// the kind is read alike.
func TestReadingIsRemembered(t *testing.T) {
	first := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	s := ""
	for i := range 60 {
		s += fmt.Sprintf("%s;%d,5\n", first.Add(time.Duration(i+19*24)*time.Hour).Format("02/01/2006 15:04"), i%7)
	}
	f := task.NewForecast()
	f.Lags, f.Horizon, f.Season, f.NoHeader, f.Valid, f.Test = 4, 2, 3, true, 10, 10
	set, err := f.Load(write(t, "s.csv", s))
	if err != nil {
		t.Fatal(err)
	}
	r := task.DefaultRecipe()
	r.Hidden, r.Epochs = 3, 1
	m, err := r.Fit(t.Context(), f, set)
	if err != nil {
		t.Fatal(err)
	}
	again, err := task.Of(m.Config())
	if err != nil {
		t.Fatal(err)
	}
	g, ok := again.(*task.Forecast)
	if !ok || !g.NoHeader || g.TimeFormat != "day-first" || !slices.Equal(g.Columns, []string{"2"}) {
		t.Errorf("%+v", again)
	}
	// These days alone do not tell day and month apart.
	short := strings.ReplaceAll(strings.Join(strings.SplitAfter(s, "\n")[:8], ""), "20/01/2024", "02/01/2024")
	if _, ok, err := again.Sequence(write(t, "s.csv", short), 0); err != nil || !ok {
		t.Errorf("the next file: %v, %v", ok, err)
	}
}
