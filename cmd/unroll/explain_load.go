//go:build !js

package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/internal/explain"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/tensor"
)

// explainSource says where model and input come from.
type explainSource struct {
	mode   string
	prefix string // which of several layers
	loose  bool
	// The order of a batch's dimensions, which weights alone do not say.
	batchFirst, timeFirst bool
	text                  string
	sequence              int
	limit                 int
	page, large           bool       // a page is wanted; also a large one
	narrow                bool       // only a part of the run is written, as text
	step                  int        // and of it this step, unless it is negative
	fresh                 runOptions // of a layer that is drawn
	run                   runOptions // of a whole model: its inputs, and its line
}

// check refuses what contradicts itself.
func (s *explainSource) check(cmd *cobra.Command, args []string) error {
	f := &s.fresh
	f.sized = isSized(cmd) || len(args) == 0 && (s.mode != "" || cmd.Flags().Changed("seed"))
	f.mode, f.batchFirst, f.timeFirst = cmp.Or(s.mode, "RNN_TANH"), s.batchFirst, s.timeFirst
	switch {
	case f.sized && s.text != "":
		return usagef("--text is for model folders with a vocabulary, and a fresh layer has none")
	case len(args) == 0 && s.sequence != 0:
		return usagef("--sequence %d: the input is one sequence", s.sequence)
	case f.sized && len(args) == 2:
		return usagef("a fresh layer has no MODEL: give the sizes or %s", args[0])
	case f.sized:
		return f.check(args, false)
	case cmd.Flags().Changed("seed"):
		return usagef("--seed draws the parameters of a fresh layer, and %s has parameters: give one of them", args[0])
	case len(args) == 1 && len(s.run.inputs)+len(s.run.set) > 0: // of a whole model
	case len(args) == 1 && s.text == "":
		return lacking(args, "explain needs MODEL and INPUT (or --text), or neither; for a fresh layer give --input-size and --hidden-size")
	case s.text != "" && len(args) != 1:
		return usagef("--text stands for INPUT: give MODEL and --text")
	}
	return nil
}

// explainInput is one sequence and what it means.
type explainInput struct {
	x       tensor.Dense // [T,I]
	s0      unroll.State
	kind    string   // as explain.PageOptions; "" for its guess
	labels  []string // of the steps: characters or words
	columns []string // names of the inputs
	tokens  []int    // that x are the rows of, of a model with an embedding
	whole   *wholeRun

	// Of a model folder.
	model *nn.Model
	task  task.Task
}

// trace runs the model on the input, or the example without arguments.
func (s *explainSource) trace(cmd *cobra.Command, args []string) (*explain.Trace, explainInput, error) {
	var in explainInput
	var layer *unroll.Layer
	var err error
	switch {
	case s.fresh.sized:
		layer, in, err = s.draw(cmd, args)
	case len(args) == 0:
		layer, in.x, err = explain.Example(2)
	default:
		f, e := openFile(args[0])
		if e != nil {
			return nil, in, e
		}
		if s.prefix == "" && (s.run.chain != "" || isWhole(f) && f.Model == nil) {
			s.run.dtype, s.run.batchFirst, s.run.timeFirst, s.run.loose = "float32", s.batchFirst, s.timeFirst, s.loose
			if in.whole, err = watchModel(cmd, f, args, s.run, &wholeRun{sequence: s.sequence, limit: s.limit, page: s.page, narrow: s.narrow}); err != nil {
				return nil, in, err
			}
			return in.whole.parts[0].Trace, in, nil
		}
		defer f.Close()
		layer, in, err = s.load(cmd, f, args)
	}
	if err != nil {
		return nil, in, err
	}
	if len(in.x.Shape) == 2 {
		n := s.steps(layer.Config(), in.x.Shape[0])
		in.x = tensor.Dense{Shape: []int{n, in.x.Shape[1]}, Data: in.x.Data[:n*in.x.Shape[1]]}
		in.labels, in.tokens = in.labels[:min(n, len(in.labels))], in.tokens[:min(n, len(in.tokens))]
	}
	if err := s.fits(layer.Config(), in.x); err != nil {
		return nil, in, err
	}
	t, err := explain.NewTrace(layer, in.x, in.s0)
	if err != nil {
		return nil, in, fmt.Errorf("%s: %w", cmp.Or(strings.Join(args, " "), "explain"), err)
	}
	if s.narrow { // Text computes what it writes
		if in.model != nil {
			in.whole = &wholeRun{parts: []explain.Part{{Name: "rnn", Trace: t}}}
		}
		return t, in, nil
	}
	if err := t.Run(nil); err != nil {
		return nil, in, err
	}
	if in.model != nil {
		in.whole, err = aroundLayer(in.model, in.task, in, t)
	}
	return t, in, err
}

// steps is how many of a sequence's steps are read: those up to --limit, and where text
// shows one step of a layer that goes forward, those up to it.
func (s *explainSource) steps(cfg unroll.Config, n int) int {
	if s.limit > 0 {
		n = min(n, s.limit)
	}
	if s.narrow && s.step >= 0 && s.step < n && !cfg.Bidirectional && !cfg.Variant.Reverse {
		n = s.step + 1
	}
	return n
}

// fits refuses a run that a browser has no memory for, before it is computed.
func (s *explainSource) fits(cfg unroll.Config, x tensor.Dense) error {
	if !s.page || s.large || x.Rank() != 2 {
		return nil
	}
	if n := explain.RunBytes(cfg, x.Shape[0]); n > explain.MaxRun {
		return usagef("the states of %d steps would take %.1f GB of the browser's memory, 1.1 GB are the most; --limit N takes the first N steps, --large writes the page nevertheless", x.Shape[0], n/1e9)
	}
	return nil
}

// openFile opens the file MODEL.
func openFile(path string) (*modelfile.File, error) {
	if err := notStream("MODEL", path); err != nil {
		return nil, err
	}
	return modelfile.Open(path)
}

func (s *explainSource) load(cmd *cobra.Command, f *modelfile.File, args []string) (layer *unroll.Layer, in explainInput, err error) {
	var opt modelfile.Options
	if s.mode != "" {
		m, err := parseMode(s.mode)
		if err != nil {
			return nil, in, err
		}
		opt.Mode = &m
	}
	opt.Loose, opt.BatchFirst, opt.Prefix = s.loose, s.batchFirst, s.prefix
	if s.batchFirst && s.timeFirst {
		return nil, in, usagef("--time-first and --batch-first contradict each other: give one of them")
	}
	loaded, err := loadPart(f, opt)
	if err != nil {
		return nil, in, err
	}
	if f.Model != nil && s.prefix != "" {
		return nil, in, usagef("--prefix %s: %s has one recurrent layer, %v; leave --prefix out", s.prefix, args[0], loaded.Layer.Config())
	}
	for _, n := range loaded.Notes {
		fmt.Fprintln(cmd.ErrOrStderr(), "note:", n)
	}
	path := ""
	if len(args) > 1 {
		path = args[1]
	}
	var of task.Task
	in, of, err = s.input(cmd, loaded, path)
	in.model, in.task = loaded.Model, of
	return loaded.Layer, in, err
}

// draw makes a fresh layer and its input as run does.
func (s *explainSource) draw(cmd *cobra.Command, args []string) (*unroll.Layer, explainInput, error) {
	layer, input, err := runLayer[float32](cmd, args, s.fresh)
	if err != nil {
		return nil, explainInput{}, err
	}
	all, err := input()
	if err != nil {
		return nil, explainInput{}, err
	}
	path := ""
	if len(args) > 0 {
		path = args[0]
	}
	in, err := s.one(cmd, layer.Config(), all, path)
	return layer, in, err
}

// input reads one sequence in the way the model folder's task does, which it returns
// if there is one, and otherwise arrays.
func (s *explainSource) input(cmd *cobra.Command, l *modelfile.Loaded, path string) (in explainInput, t task.Task, err error) {
	if l.Model != nil && l.Model.Config().Meta != nil {
		if t, err = task.Of(l.Model.Config()); err != nil {
			return in, nil, err
		}
	}
	if t == nil && s.text != "" {
		return in, nil, usagef("--text is for model folders with a vocabulary")
	}
	var r task.Reading
	reads := s.text != ""
	switch {
	case reads:
		r, err = task.ReadText(t, s.text)
	case t != nil:
		r, reads, err = t.Sequence(path, s.sequence)
	}
	if err != nil {
		return in, t, inFlags(cmd, err)
	}
	if !reads {
		in, err = s.arrays(cmd, l, path)
		return in, t, err
	}
	if r.Tokens != nil && s.sequence != 0 {
		return in, t, usagef("--sequence %d: the input is one text", s.sequence)
	}
	in.kind, in.labels, in.columns = r.Kind, r.Steps, r.Columns
	if r.Tokens == nil {
		in.x = tensor.Dense{Shape: []int{r.Features.Shape[0], r.Features.Shape[2]}, Data: r.Features.Data}
		return in, t, nil
	}
	in.tokens = r.Tokens[:s.steps(l.Layer.Config(), len(r.Tokens))]
	in.x = tensor.New(len(in.tokens), l.Layer.Config().InputSize)
	return in, t, l.Model.Embedding().Forward(in.x.Data, in.tokens)
}

// arrays reads input, and hx and cx where the file has them, as run does.
func (s *explainSource) arrays(cmd *cobra.Command, l *modelfile.Loaded, path string) (in explainInput, err error) {
	cfg := l.Layer.Config()
	all, err := loadInput[float32](cmd, path)
	if err != nil {
		return in, err
	}
	if all.x.Rank() == 3 {
		switch {
		case s.timeFirst && l.Told && cfg.BatchFirst:
			return in, usagef("--time-first: the model says batch_first; leave the flag out")
		case !l.Told && !s.batchFirst && !s.timeFirst:
			return in, askLayout("the model", path, all.x.Shape)
		}
	}
	return s.one(cmd, cfg, all, path)
}

// one is one sequence of what a file holds.
func (s *explainSource) one(cmd *cobra.Command, cfg unroll.Config, all runInput[float32], path string) (in explainInput, err error) {
	in.x, in.s0 = all.x, all.s0
	if !cfg.HasCell() {
		in.s0.C = tensor.Dense{}
	}
	if in.x.Rank() != 3 && s.sequence != 0 {
		return in, usagef("--sequence %d: the input is one sequence, %v", s.sequence, in.x.Shape)
	}
	if in.x.Rank() == 3 {
		batchFirst := cfg.BatchFirst || s.batchFirst
		batch := in.x.Shape[1]
		if batchFirst {
			batch = in.x.Shape[0]
		}
		if all.lengths != nil && len(all.lengths) != batch {
			return in, errInput(shown(path), "it holds %d lengths, expected one for each of the %d sequences", len(all.lengths), batch)
		}
		if in.x, err = sequence(in.x, s.sequence, batchFirst); err != nil {
			return in, err
		}
		if all.lengths != nil {
			n := all.lengths[s.sequence]
			if n < 1 || n > in.x.Shape[0] {
				return in, errInput(shown(path), "lengths[%d]: got %d, expected 1 to %d, the number of steps of the input", s.sequence, n, in.x.Shape[0])
			}
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
	if f, err := array.FormatOf(path); err == nil && f == array.CSV {
		in.columns = header(cmd, path)
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

// header returns the names in a CSV file's first line, nil where there are none.
func header(cmd *cobra.Command, path string) []string {
	o, err := tableOptions(cmd)
	if err != nil {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	o.Text.Note = nil // said when the numbers were read
	_, names, err := text.ReadCSV[float32](f, o.Text)
	if err != nil {
		return nil
	}
	return names
}
