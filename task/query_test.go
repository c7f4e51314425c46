package task_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/task"
)

// talker gives a line at a time, and the next one only if the one before was
// answered: as a program that asks does.
type talker struct {
	lines    []string
	answered *bytes.Buffer
	had      int
	silent   bool // a line was asked for while one waited for its answer
}

func (r *talker) Read(p []byte) (int, error) {
	if r.had > 0 && r.answered.Len() == 0 {
		r.silent = true
	}
	if r.had == len(r.lines) {
		return 0, io.EOF
	}
	r.answered.Reset()
	r.had++
	return copy(p, r.lines[r.had-1]), nil
}

// The answer of a line is written out before the next line is read.
func TestLineInLineOut(t *testing.T) {
	for _, model := range []string{"classify", "tag", "number"} {
		for _, asJSON := range []bool{false, true} {
			m, of, err := task.Open(filepath.Join("testdata/v0", model))
			if err != nil {
				t.Fatal(err)
			}
			var seen bytes.Buffer
			in := &talker{lines: []string{"1 2\n", "3 4\n", "5 6\n"}, answered: &seen}
			q := task.DefaultQuery()
			q.In, q.Out, q.JSON, q.Input = in, bufio.NewWriterSize(&seen, 1<<16), asJSON, "-"
			if err := of.Answer(context.Background(), m, q); err != nil {
				t.Fatalf("%s: %v", model, err)
			}
			if in.silent || in.had != 3 {
				t.Errorf("%s, JSON %v: a line waited for its answer", model, asJSON)
			}
		}
	}
}

// Lines are bounded, and said to be.
func TestLongLinesAreRefused(t *testing.T) {
	m, of, err := task.Open("testdata/v0/classify")
	if err != nil {
		t.Fatal(err)
	}
	q := task.DefaultQuery()
	q.Out = io.Discard
	q.In = io.MultiReader(strings.NewReader("ana\n"), io.LimitReader(endless{}, 1<<25))
	err = of.Answer(context.Background(), m, q)
	if !errors.Is(err, task.ErrArgument) || !strings.Contains(err.Error(), "line 2: input has a line of more than 16777216 bytes") {
		t.Errorf("%v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// A config.json whose parts do not make a task is refused before anything runs.
func TestFolderThatDoesNotFitIsRefused(t *testing.T) {
	m, _, err := task.Open("testdata/v0/forecast")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"another task":       {"task", `"tag"`},
		"no task":            {"task", `"dance"`},
		"task is a number":   {"task", `3`},
		"scaling null":       {"scaling", `null`},
		"scaling empty":      {"scaling", `{}`},
		"scaling short":      {"scaling", `{"columns":["a","b"],"mean":[1],"std":[1,2]}`},
		"deviation 0":        {"scaling", `{"columns":["a","b"],"mean":[1,2],"std":[1,0]}`},
		"horizon that wraps": {"forecast", `{"targets":["b","a"],"lags":12,"horizon":4611686018427387907,"season":24,"base":"none","calendar":true}`},
		"lags too many":      {"forecast", `{"targets":["b","a"],"lags":4611686018427387907,"horizon":3,"season":24,"base":"none","calendar":true}`},
		"no calendar":        {"forecast", `{"targets":["b","a"],"lags":12,"horizon":3,"season":24,"base":"none"}`},
		"no targets":         {"forecast", `{"lags":12,"horizon":3,"season":24,"base":"none","calendar":true}`},
	} {
		cfg := m.Config()
		meta := cfg.Meta
		cfg.Meta = map[string]json.RawMessage{}
		for k, v := range meta {
			cfg.Meta[k] = v
		}
		cfg.Meta[change[0]] = json.RawMessage(change[1])
		if _, err := task.Of(cfg); !errors.Is(err, task.ErrFolder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for want, change := range map[string]func(*nn.Config){
		`output is "all", expected "last"`: func(c *nn.Config) { c.Output = "all" },
		"scaling has 0 means and 0 deviations, expected 1, one for each column": func(c *nn.Config) {
			c.Meta = maps.Clone(c.Meta)
			c.Meta["scaling"] = json.RawMessage(`{}`)
		},
		"batch_first is true": func(c *nn.Config) { c.RNN.BatchFirst = true },
		"input_size is":       func(c *nn.Config) { c.RNN.InputSize++ },
		"out_features is":     func(c *nn.Config) { c.OutFeatures++ },
		"scaling is missing":  func(c *nn.Config) { c.Meta = maps.Clone(c.Meta); delete(c.Meta, "scaling") },
		"lags of forecast is 0": func(c *nn.Config) {
			c.Meta = maps.Clone(c.Meta)
			delete(c.Meta, "forecast")
			c.Meta["forecast"] = json.RawMessage(`{"targets":["a"]}`)
		},
	} {
		cfg := m.Config()
		change(&cfg)
		if _, err := task.Of(cfg); !errors.Is(err, task.ErrFolder) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if m, _, err = task.Open("testdata/v0/text"); err != nil {
		t.Fatal(err)
	}
	cfg := m.Config()
	cfg.RNN.Bidirectional = true
	if _, err := task.Of(cfg); !errors.Is(err, task.ErrFolder) {
		t.Errorf("a text that is read both ways: %v", err)
	}
	for want, change := range map[string]func(*nn.Config){
		"vocabulary is missing": func(c *nn.Config) { c.Meta = maps.Clone(c.Meta); delete(c.Meta, "vocabulary") },
		"num_embeddings is":     func(c *nn.Config) { c.NumEmbeddings++; c.OutFeatures++ },
	} {
		cfg := m.Config()
		change(&cfg)
		if _, err := task.Of(cfg); !errors.Is(err, task.ErrFolder) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
