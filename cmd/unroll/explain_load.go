//go:build !js

package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/explain"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train/data"
)

// explainSource says where model and input come from.
type explainSource struct {
	mode     string
	loose    bool
	text     string
	sequence int
	limit    int
}

// explainInput is one sequence and what it means.
type explainInput struct {
	x       tensor.Dense // [T,I]
	s0      unroll.State
	kind    string   // as explain.PageOptions; "" for its guess
	labels  []string // of the steps: characters or words
	columns []string // names of the inputs
}

// trace runs the model on the input, or the example without arguments.
func (s *explainSource) trace(cmd *cobra.Command, args []string) (*explain.Trace, explainInput, error) {
	var in explainInput
	var layer *unroll.Layer
	var err error
	if len(args) == 0 {
		layer, in.x, err = explain.Example(2)
	} else {
		layer, in, err = s.load(cmd, args)
	}
	if err != nil {
		return nil, in, err
	}
	t, err := explain.NewTrace(layer, in.x, in.s0)
	if err != nil {
		return nil, in, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return t, in, t.Run(nil)
}

func (s *explainSource) load(cmd *cobra.Command, args []string) (layer *unroll.Layer, in explainInput, err error) {
	var opt modelfile.Options
	if s.mode != "" {
		m, err := unroll.ParseMode(s.mode)
		if err != nil {
			return nil, in, usageError{err}
		}
		opt.Mode = &m
	}
	opt.Loose = s.loose
	f, err := modelfile.Open(args[0])
	if err != nil {
		return nil, in, err
	}
	defer f.Close()
	loaded, err := f.Load(opt)
	if err != nil {
		return nil, in, err
	}
	for _, n := range loaded.Notes {
		fmt.Fprintln(cmd.ErrOrStderr(), "note:", n)
	}
	path := ""
	if len(args) > 1 {
		path = args[1]
	}
	in, err = s.input(cmd, loaded, path)
	if err == nil && s.limit > 0 && len(in.x.Shape) == 2 && in.x.Shape[0] > s.limit {
		in.x = tensor.Dense{Shape: []int{s.limit, in.x.Shape[1]}, Data: in.x.Data[:s.limit*in.x.Shape[1]]}
		if in.labels != nil {
			in.labels = in.labels[:s.limit]
		}
	}
	return loaded.Layer, in, err
}

// input reads one sequence in the way the model's folder says: text through its
// vocabulary, a table through its scaling, piano rolls; otherwise arrays.
func (s *explainSource) input(cmd *cobra.Command, l *modelfile.Loaded, path string) (explainInput, error) {
	var cfg nn.Config
	if l.Model != nil {
		cfg = l.Model.Config()
	}
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case s.text != "" && cfg.Vocabulary == nil:
		return explainInput{}, usagef("--text is for model folders with a vocabulary")
	case s.text != "":
		return textInput(l.Model, s.text)
	case cfg.Vocabulary != nil && (ext == ".txt" || ext == ""):
		b, err := os.ReadFile(path)
		if err != nil {
			return explainInput{}, err
		}
		return textInput(l.Model, strings.TrimRight(string(b), "\n"))
	case cfg.Forecast != nil && ext == ".csv":
		return seriesInput(cfg, path)
	case cfg.Task == "music" && ext == ".json":
		return s.notes(cfg, path)
	}
	return s.arrays(cmd, l.Layer.Config(), path)
}

// textInput gives the embedded tokens of a text.
func textInput(m *nn.Model, text string) (in explainInput, err error) {
	cfg := m.Config()
	in.labels = data.Split(text, cfg.Vocabulary.Level)
	if len(in.labels) == 0 {
		return in, usagef("the text is empty: give at least one %s", cfg.Vocabulary.Level)
	}
	e := m.Embedding()
	if e == nil {
		return in, fmt.Errorf("%w: the model folder has a vocabulary and no embedding, so that text cannot go in", unroll.ErrUsage)
	}
	in.kind = "text"
	in.x = tensor.New(len(in.labels), cfg.RNN.InputSize)
	return in, e.Forward(in.x.Data, data.Encode(cfg.Vocabulary, in.labels))
}

// seriesInput gives what a forecaster sees of a table's last rows.
func seriesInput(cfg nn.Config, path string) (in explainInput, err error) {
	t, err := data.ReadTable(path, cfg.Forecast.Time, cfg.Scaling.Columns)
	if err != nil {
		return in, err
	}
	if need := max(cfg.Forecast.Lags, cfg.Forecast.Season); len(t.Rows) < need {
		return in, fmt.Errorf("%s: %d rows, the model wants at least %d", path, len(t.Rows), need)
	}
	series, err := data.NewSeries(path, t, cfg)
	if err != nil {
		return in, err
	}
	x := series.Input(len(t.Rows)).Features // [T,1,I]
	in.kind = "series"
	in.x = tensor.Dense{Shape: []int{x.Shape[0], x.Shape[2]}, Data: x.Data}
	in.columns = append(in.columns, cfg.Scaling.Columns...)
	if cfg.Forecast.Calendar {
		in.columns = append(in.columns, "hour sin", "hour cos", "weekday sin", "weekday cos")
	}
	return in, nil
}

// notes gives a piece of a file of piano rolls: of its test part, or where there
// is none of its validation part.
func (s *explainSource) notes(cfg nn.Config, path string) (in explainInput, err error) {
	r, err := data.ReadRolls(path)
	if err != nil {
		return in, err
	}
	part := r.Test
	if len(part) == 0 {
		part = r.Valid
	}
	if s.sequence < 0 || s.sequence >= len(part) {
		return in, usagef("--sequence %d: the file has %d pieces to show", s.sequence, len(part))
	}
	if r.Dim != cfg.RNN.InputSize {
		return in, fmt.Errorf("%s has %d keys, the model reads %d", path, r.Dim, cfg.RNN.InputSize)
	}
	in.kind = "notes"
	in.x = tensor.New(len(part[s.sequence]), r.Dim)
	for t, keys := range part[s.sequence] {
		for _, k := range keys {
			in.x.Data[t*r.Dim+k] = 1
		}
	}
	return in, nil
}

// arrays reads input, and hx and cx where the file has them, as run does.
func (s *explainSource) arrays(cmd *cobra.Command, cfg unroll.Config, path string) (in explainInput, err error) {
	all, err := loadInput[float32](cmd, path, cfg)
	if err != nil {
		return in, err
	}
	in.x, in.s0 = all.x, all.s0
	if !cfg.HasCell() {
		in.s0.C = tensor.Dense{}
	}
	if in.x.Rank() == 3 {
		if in.x, err = sequence(in.x, s.sequence, cfg.BatchFirst); err != nil {
			return in, err
		}
		if all.lengths != nil {
			n := all.lengths[min(s.sequence, len(all.lengths)-1)]
			n = max(0, min(n, in.x.Shape[0]))
			in.x = tensor.Dense{Shape: []int{n, in.x.Shape[1]}, Data: in.x.Data[:n*in.x.Shape[1]]}
		}
	}
	for _, d := range []*tensor.Dense{&in.s0.H, &in.s0.C} {
		if d.Rank() == 3 {
			if *d, err = sequence(*d, s.sequence, false); err != nil {
				return in, err
			}
		}
	}
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		in.columns = header(path)
	}
	return in, nil
}

// sequence takes sequence b out of [T,B,K] (or [B,T,K]).
func sequence(d tensor.Dense, b int, batchFirst bool) (tensor.Dense, error) {
	steps, batch, k := d.Shape[0], d.Shape[1], d.Shape[2]
	if batchFirst {
		steps, batch = batch, steps
	}
	if b < 0 || b >= batch {
		return d, usagef("--sequence %d: the batch has %d sequences", b, batch)
	}
	out := tensor.New(steps, k)
	for t := range steps {
		at := t*batch + b
		if batchFirst {
			at = b*steps + t
		}
		copy(out.Data[t*k:(t+1)*k], d.Data[at*k:(at+1)*k])
	}
	return out, nil
}

// header returns the names in a CSV file's first line, nil where that line is
// numbers already.
func header(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.TrimLeadingSpace, r.Comment = true, '#'
	names, err := r.Read()
	if err != nil {
		return nil
	}
	if _, err := strconv.ParseFloat(names[0], 32); err == nil {
		return nil
	}
	return names
}
