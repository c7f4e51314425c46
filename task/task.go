// Package task is what models are for: classify, tag, text, forecast and music
// as values. A task reads data, says what it needs of a network, trains one,
// answers with it and measures it. The unroll command is made of this package;
// a Go program does the same without it:
//
//	t := task.NewClassify()
//	set, err := t.Load("names.csv")
//	model, err := task.DefaultRecipe().Fit(ctx, t, set)
//	classes, err := t.Classify(&nn.Pass{Model: model}, "Satoshi")
//
// A task is a struct: its options, by which it reads data, and what it learnt
// from the training part, a vocabulary for instance. Both are saved with the
// model (Save) and come back (Open).
//
// Options have names, those of Arguments, and errors call them so ("level is
// ..."): a program finds the field in the struct, the command puts "--" before.
//
// Nothing here is safe for use by several goroutines at once, but what a task
// learnt is only read by its answers: give each goroutine its own nn.Pass, and
// all may share model and task.
package task

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

// ErrArgument is the kind of every complaint about an option or a question.
var ErrArgument = errors.New("task: invalid argument")

// ErrFolder is the kind of every complaint about a model folder: what its
// config.json says and the network do not make a task.
var ErrFolder = errors.New("task: invalid model folder")

// ArgError says which argument cannot be, and what was expected. It is an
// ErrArgument.
type ArgError struct {
	Arg    string // as in Arguments, or a field of Query or Recipe in lower case
	Reason string // what is said after the argument's name
	// Advice, if there is any, names other arguments: a format with a %s for
	// each of Args.
	Advice string
	Args   []string
}

// Error returns one line, arguments by their names.
func (e *ArgError) Error() string { return e.Say(func(arg string) string { return arg }) }

// Say is Error with the arguments called what name says, flags of a command for
// instance.
func (e *ArgError) Say(name func(arg string) string) string {
	s := name(e.Arg) + " " + e.Reason
	if e.Advice == "" {
		return s
	}
	var args []any
	for _, a := range e.Args {
		args = append(args, name(a))
	}
	return s + "; " + fmt.Sprintf(e.Advice, args...)
}

// Unwrap returns ErrArgument.
func (e *ArgError) Unwrap() error { return ErrArgument }

func badArg(arg, format string, a ...any) error {
	return &ArgError{Arg: arg, Reason: fmt.Sprintf(format, a...)}
}

// Kind is a row of the table of tasks.
type Kind struct {
	Name  string // "classify": in config.json, and what the command calls it
	Title string // of the model, "A classifier"
	Reads string // the data it reads, for help; lines of at most 70 characters
	// Causal tasks predict the next step, so that a network that reads both
	// ways would see the answer.
	Causal bool
	New    func() Task // with default options
}

// Kinds is the table of all tasks.
var Kinds = []Kind{musicKind, textKind, classifyKind, forecastKind, tagKind}

// Names lists the tasks for a sentence: "music, text or tag".
func Names() string {
	s := ""
	for i, k := range Kinds {
		switch {
		case i == len(Kinds)-1:
			s += " or "
		case i > 0:
			s += ", "
		}
		s += k.Name
	}
	return s
}

// New returns a task with its default options. It is an ErrArgument if there is
// none of that name.
func New(name string) (Task, error) {
	for _, k := range Kinds {
		if k.Name == name {
			return k.New(), nil
		}
	}
	return nil, badArg("task", "is %q, expected %s", name, Names())
}

// Task is one of this package's: *Classify, *Tag, *Text, *Forecast, *Music.
type Task interface {
	// Kind is the task's row of the table.
	Kind() Kind
	// Arguments are its options, by which data is read.
	Arguments() []Argument
	// From sets what Load reads for the path "-": standard input, say.
	From(in io.Reader)
	// Load reads data. The first Load of a task learns from the training part
	// what Network and the answers need; a later one, and the first of a task
	// that comes from Open, reads by what is known, and changes nothing. It is
	// an ErrArgument for an option that cannot be, a data.ErrData for a file
	// that cannot be used, and the file system's own error otherwise.
	Load(path string) (*Set, error)
	// Network is what the task asks of a network: tokens or features, which
	// steps the head sees, and its outputs. All else, rnn but for its input size
	// for instance, is zero. It is complete after the first Load.
	Network() nn.Config
	// Answer answers a question with a trained network. It is an ErrArgument
	// for a question that cannot be, and the errors of files and of the network
	// otherwise; what was answered before stands written.
	Answer(ctx context.Context, m *nn.Model, q Query) error
	// Sequence reads one sequence of a file as the network reads it, the nth
	// (from 0) where the file has several. ok is false if the task reads no
	// files with such an ending.
	Sequence(path string, nth int) (r Reading, ok bool, err error)

	metadata() metadata
	restore(metadata)
	outputs() (names []string, function string)
	// misfit says what of c is missing or is not that of what the task knows, in
	// the words of config.json; "" if all fits.
	misfit(c nn.Config) string
	// watch returns what sees all batches of s's part and their logits, and
	// fills in e.
	watch(s *Set, e *Measurement) func(b *train.Batch, y tensor.Dense) error
}

// Set is a data set made ready: batches for training, validation and test, and
// the loss that is minimised.
type Set struct {
	Train, Valid, Test train.Data // Test may be nil
	Objective          train.Objective
	Loss               string   // Objective's name: cross_entropy, keys, mse, l1 or huber
	Unit               string   // what the loss is counted in: "nats a character"
	Items              string   // what it is a mean over: "characters"
	About              string   // a sentence on the data
	Notes              []string // what was decided or found on reading, a sentence each

	forecasts
}

// Part returns the test part and its name, or the validation part if there is
// no test part.
func (s *Set) Part() (train.Data, string) {
	if s.Test == nil {
		return s.Valid, "validation"
	}
	return s.Test, "test"
}

// Reading is one sequence as the network reads it, and what it means.
type Reading struct {
	Tokens   []int        // [T], or
	Features tensor.Dense // [T,1,I]
	Kind     string       // what it is: "text", "series" or "notes"
	Steps    []string     // what stands at each step, for text
	Columns  []string     // names of the I features, where they have any
}

// Argument is an option of a task: Value points to its field, a *string, *int,
// *float64, *uint64, *bool or *[]string.
type Argument struct {
	Name  string // "max-tokens"
	Usage string // for help, a phrase
	Value any
	// Learnt options belong to the model once it is trained: a network trained
	// with another value reads other numbers.
	Learnt bool
}

// Cut says how data is batched and cut into parts. It is part of every task.
type Cut struct {
	Batch int // sequences in a step; argument "batch"
	// Valid and Test are the shares held out; arguments "valid" and "test". A
	// forecaster takes 1 or more as a number of rows. Piano rolls are cut in
	// the file.
	Valid, Test float64
	Seed        uint64 // of the draw of the parts; argument "seed"

	in io.Reader // what Load reads for the path "-"
}

// From sets what Load reads for the path "-".
func (c *Cut) From(in io.Reader) { c.in = in }

// file is what a path stands for.
func (c *Cut) file(path string) data.File { return fileOf(path, c.in) }

func fileOf(path string, in io.Reader) data.File {
	if path == std && in != nil {
		return data.File{Path: "standard input", In: in}
	}
	return data.File{Path: path}
}

func newCut() Cut { return Cut{Batch: 16, Valid: 0.1, Test: 0.1, Seed: 1} }

func (c *Cut) arguments() []Argument {
	return []Argument{
		{Name: "batch", Usage: "sequences in a step", Value: &c.Batch},
		{Name: "valid", Usage: "part held out for validation (forecast: rows, if 1 or more)", Value: &c.Valid},
		{Name: "test", Usage: "part held out for the test (forecast: rows, if 1 or more)", Value: &c.Test},
		{Name: "seed", Usage: "seed of everything random", Value: &c.Seed},
	}
}

// check refuses what cannot be; rows says that 1 and more are numbers of rows.
func (c *Cut) check(rows bool) error {
	switch {
	case c.Batch < 1:
		return badArg("batch", "is %d, expected at least 1", c.Batch)
	case !(c.Valid > 0):
		return badArg("valid", "is %v, expected a share above 0", c.Valid)
	case !(c.Test >= 0):
		return badArg("test", "is %v, expected a share of 0 or above", c.Test)
	case !rows && c.Valid+c.Test >= 1:
		return badArg("valid", "is %v and test is %v, expected shares that leave something to train on", c.Valid, c.Test)
	}
	return nil
}

func oneOf(arg, got string, want ...string) error {
	for _, w := range want {
		if got == w {
			return nil
		}
	}
	return badArg(arg, "is %q, expected %s or %s", got, strings.Join(want[:len(want)-1], ", "), want[len(want)-1])
}

// Of returns the task of a model, with the options it was trained with. It is
// an ErrFolder if the config says no task, an unknown one, or lacks what the
// task needs.
func Of(cfg nn.Config) (Task, error) {
	m := metadata{}
	for key, field := range m.keys() {
		if raw, ok := cfg.Meta[key]; ok {
			if err := json.Unmarshal(raw, field); err != nil {
				return nil, fmt.Errorf("%w: config.json: %s: %v", ErrFolder, key, err)
			}
		}
	}
	t, err := New(m.Task)
	if err != nil {
		return nil, fmt.Errorf("%w: config.json has task %q, expected %s", ErrFolder, m.Task, Names())
	}
	t.restore(m)
	var all misfits
	all.want(!cfg.RNN.BatchFirst, "batch_first is true, expected false")
	all.want(!cfg.RNN.Bidirectional || !t.Kind().Causal, "bidirectional is true, but the task reads forward")
	all.want(m.Scaling == nil || m.Scaling.Usable(), "scaling holds what cannot be divided by, or not one for each column")
	if why := cmp.Or(all.first, t.misfit(cfg)); why != "" {
		return nil, fmt.Errorf("%w: config.json is none of task %s: %s; train the model again", ErrFolder, m.Task, why)
	}
	return t, nil
}

// Open opens a model folder and the task it was trained for. It is an error of
// nn.Open, or of Of.
func Open(dir string) (*nn.Model, Task, error) {
	m, err := nn.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	t, err := Of(m.Config())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", dir, err)
	}
	return m, t, nil
}
