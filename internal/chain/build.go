package chain

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/statedict"
)

// Layout says what comes first in a batch of sequences.
type Layout uint8

// Layouts.
const (
	NotSaid    Layout = iota
	BatchFirst        // [B,T,I]
	TimeFirst         // [T,B,I]
)

// Options say what neither the line nor the tensors do. The zero value says
// nothing.
type Options struct {
	// Prefix stands before the names of the line, with or without its last dot or
	// slash; empty: the one prefix under which they are.
	Prefix string
	Layout Layout
	// Type is F32, the default, or F64: of weights, and of inputs that are no
	// indices. Recurrent layers keep their parameters in float32 in either.
	Type graph.Type
	// Inputs are what is known of x0, x1, ...: a Type of None and a nil Shape say
	// nothing. Names are not read. Where a size is needed and not said, such as
	// for transpose(1, 2), Build asks for it.
	Inputs []graph.Port
	// States adds inputs h_0.NAME and c_0.NAME, and outputs h_n.NAME and c_n.NAME,
	// of every recurrent layer NAME of one direction, so that chunks of a
	// sequence can follow each other.
	States bool
	// Loose takes a recurrent layer also where there are tensors under its prefix
	// that none of its parameters takes.
	Loose bool
	// Modules are those of the file, whose settings and classes then hold.
	Modules []*torchfile.Module
}

// Network is a program made of a line.
type Network struct {
	Graph *graph.Graph
	// Chain is the line with everything in it that Build was told besides, from
	// the file's modules and from Options: with it and the tensors alone, Build
	// makes this program again.
	Chain *Chain
	// Prefix stands before the names of the line in the source.
	Prefix string
	// Layers are the recurrent layers by their names in the line, shared with the
	// graph.
	Layers map[string]*unroll.Layer
	// Unused are the modules of the source under Prefix that the line does not
	// name, by their names without it.
	Unused []string
	// Notes are sentences on what is worth telling.
	Notes []string
}

// Build makes the program of a line over a source. Weights are loaded when the
// graph first needs them, those of recurrent layers now. The source must stay
// open and unchanged while the graph is used. Errors are an *Error with the place
// in the line, a *LayoutError, or of statedict and checkpoint.
func Build(src checkpoint.Source, c *Chain, opt Options) (*Network, error) {
	if opt.Type == graph.None {
		opt.Type = graph.F32
	}
	if opt.Type != graph.F32 && opt.Type != graph.F64 {
		return nil, fmt.Errorf("%w: Options.Type is %s, expected float32 or float64", ErrArgument, opt.Type)
	}
	s := &solver{src: src, chain: c, opt: opt, names: newNames(src, opt.Modules), layers: map[string]*unroll.Layer{}}
	if err := s.names.choose(c, opt.Prefix); err != nil {
		return nil, err
	}
	var err error
	if s.parts, err = statedict.Find(src, statedict.Options{Loose: opt.Loose}); err != nil && !errors.Is(err, statedict.ErrNone) {
		return nil, err
	}
	b, err := s.solve()
	if err != nil {
		return nil, err
	}
	return s.network(b), nil
}

func (s *solver) network(b *builder) *Network {
	n := &Network{Graph: b.graph, Chain: b.explicit(), Prefix: s.names.prefix, Layers: b.layers, Notes: b.notes}
	for _, label := range s.names.order {
		rest, ok := strings.CutPrefix(label, s.names.prefix)
		if m := s.names.all[label]; ok && len(m.leaves) > 0 && !b.used[m] {
			n.Unused = append(n.Unused, rest)
		}
	}
	return n
}

// value is what flows through a pipe: the name of a value of the graph, its type,
// its sizes, -1 where one is not known, and which axis is the steps', -1 for none.
type value struct {
	id   string
	typ  graph.Type
	dims []int
	time int
	// of is what it is transposed of, by perm; nil for others.
	of   *value
	perm []int
	// rec is of the output of a recurrent layer.
	rec *recurrentOut
}

func (v *value) rank() int { return len(v.dims) }

// builder makes a graph, for inputs of given types and ranks.
type builder struct {
	*solver
	g         graph.Builder
	graph     *graph.Graph
	constants []graph.Constant
	loaded    map[string]bool // tensors that are constants
	env       map[string]*value
	reads     map[string]bool // names of env that were read
	given     map[int]guess
	inputs    map[int]*value
	used      map[*module]bool
	layers    map[string]*unroll.Layer
	results   []*value
	states    []state
	readings  []string
	notes     []string
	text      Chain // what explicit returns
	steps     []step
	// numbersOf are the plain numbers among the operands of the step.
	numbersOf []plainNumber
	depth     int // modules of sequences so far
	// at is the step being made, for errors.
	at *step
}

// fail makes an ErrArgument at the step.
func (b *builder) fail(format string, a ...any) error {
	return b.failAt(b.at.pos, ErrArgument, format, a...)
}

func (b *builder) failAt(pos int, kind error, format string, a ...any) error {
	return &Error{Text: b.chain.text, Pos: pos, Reason: fmt.Sprintf(format, a...), Err: kind}
}

// run makes the whole graph.
func (b *builder) run() error {
	for _, p := range b.chain.pipes {
		v, err := b.pipe(p)
		if err == nil {
			err = b.name(p)
		}
		if err != nil {
			return err
		}
		b.env[p.name], b.reads[p.name] = v, false
		b.text.pipes = append(b.text.pipes, pipe{name: p.name, steps: b.steps})
	}
	for i, p := range b.chain.results {
		v, err := b.pipe(p)
		if err != nil {
			return err
		}
		b.text.results = append(b.text.results, pipe{steps: b.steps})
		name := "output"
		if len(b.chain.results) > 1 {
			name += strconv.Itoa(i)
		}
		if s := p.steps[0]; len(p.steps) == 1 && b.env[s.name] != nil && len(b.chain.results) > 1 {
			name = s.name
		}
		b.g.Output(name, v.typ, v.id)
		b.results = append(b.results, v)
	}
	for _, p := range b.chain.pipes {
		if !b.reads[p.name] {
			return b.failAt(p.pos, ErrName, "the value %s is never used", p.name)
		}
	}
	for i := range len(b.inputs) {
		if b.inputs[i] == nil {
			return b.failAt(0, ErrName, "the line uses x%d, and not x%d", len(b.inputs), i)
		}
	}
	b.finish()
	return nil
}

// name checks the name that a value gets.
func (b *builder) name(p pipe) error {
	switch {
	case b.env[p.name] != nil && !b.reads[p.name]:
		return b.failAt(p.pos, ErrName, "the value %s is given again before it is used", p.name)
	case inputNumber(p.name) >= 0:
		return b.failAt(p.pos, ErrName, "%s is an input; take another name for the value", p.name)
	case b.names.find(p.name) != nil:
		return b.failAt(p.pos, ErrName, "%s is a module of the file; take another name for the value", p.name)
	case special[p.name] || functionOf(p.name) != nil:
		return b.failAt(p.pos, ErrName, "%s is a function; take another name for the value", p.name)
	}
	return nil
}

// finish orders inputs, adds the states' outputs and the constants.
func (b *builder) finish() {
	for _, s := range b.states {
		b.g.Output(s.out, s.typ, s.value)
	}
	g := b.g.Graph()
	g.FromZero = true
	var ports []graph.Port
	for i := range len(b.inputs) {
		v := b.inputs[i]
		ports = append(ports, graph.Port{Name: v.id, Type: v.typ, Shape: portShape(v.dims)})
	}
	for i, v := range b.results {
		g.Outputs[i].Shape = portShape(v.dims)
	}
	for _, s := range b.states {
		ports = append(ports, graph.Port{Name: s.in, Type: s.typ, Shape: []graph.Dim{{Size: s.layers}, {Size: -1, Name: "batch"}, {Size: s.size}}})
	}
	g.Inputs = ports
	g.Constants = append(g.Constants, b.constants...)
	b.graph = g
}

func portShape(sizes []int) []graph.Dim {
	shape := make([]graph.Dim, len(sizes))
	for i, d := range sizes {
		shape[i].Size = d
	}
	return shape
}

// explicit is the line as it was understood.
func (b *builder) explicit() *Chain {
	c := b.text
	c.text = c.String()
	if again, err := Parse(c.text); err == nil {
		return again // with its places
	}
	return &c
}

// inputNumber returns which input a name is; -1 for none.
func inputNumber(name string) int {
	if name == "x" {
		return 0
	}
	rest, ok := strings.CutPrefix(name, "x")
	i, err := strconv.Atoi(rest)
	if !ok || err != nil || i < 0 || strconv.Itoa(i) != rest {
		return -1
	}
	return i
}

// Settings are those of a file's modules, as statedict.Fold asks for them.
func Settings(modules []*torchfile.Module) statedict.Settings {
	n := &names{all: map[string]*module{}}
	n.trees(modules)
	return func(path, name string) (any, bool) {
		if m := n.all[path]; m != nil {
			return m.attr(name)
		}
		return nil, false
	}
}

// maxInputs bounds x0, x1, ...
const maxInputs = 16

// input returns input i, whose type and rank have to be given.
func (b *builder) input(i, pos int) (*value, error) {
	if i >= maxInputs {
		return nil, b.failAt(pos, ErrName, "x%d: there are at most %d inputs", i, maxInputs)
	}
	if v := b.inputs[i]; v != nil {
		return v, nil
	}
	g, ok := b.given[i]
	if !ok {
		return nil, &needError{i}
	}
	v := &value{id: "x", typ: g.typ, dims: slices.Clone(g.dims), time: -1}
	if b.chain.mostInputs() > 1 {
		v.id = "x" + strconv.Itoa(i)
	}
	b.inputs[i] = v
	return v, nil
}

// mostInputs is 1 + the highest number of an input that the line names.
func (c *Chain) mostInputs() int {
	most := 1
	for _, p := range slices.Concat(c.pipes, c.results) {
		for _, s := range p.steps {
			most = max(most, inputNumber(s.name)+1)
			for _, a := range s.args {
				if r, ok := a.value.(ref); ok {
					most = max(most, inputNumber(string(r))+1)
				}
			}
		}
	}
	return most
}

// lookup returns a named value, an input or a tensor of the file, nil if the name is
// none of them.
func (b *builder) lookup(name string, pos int) (*value, error) {
	if v := b.env[name]; v != nil {
		b.reads[name] = true
		return v, nil
	}
	if i := inputNumber(name); i >= 0 {
		return b.input(i, pos)
	}
	return b.tensor(name), nil
}

// tensor returns a tensor of the file that no module has, such as a parameter h0, nil
// if the name is that of none.
func (b *builder) tensor(name string) *value {
	m, leaf := b.names.tensor(name)
	if m == nil || b.names.find(name) != nil {
		return nil
	}
	b.used[m] = true
	return &value{id: b.weight(m, leaf), typ: b.opt.Type, dims: slices.Clone(m.shape(leaf)), time: -1}
}

// pipe makes the steps one after another. b.steps is what they are in full.
func (b *builder) pipe(p pipe) (v *value, err error) {
	b.steps = nil
	for i := range p.steps {
		s := &p.steps[i]
		b.at = s
		if err := b.spend(); err != nil {
			return nil, err
		}
		if i == 0 {
			if v, err = b.first(s); err != nil {
				return nil, err
			}
		}
		if v, err = b.step(s, v, i == 0); err != nil {
			return nil, err
		}
		if s.index != nil {
			if v, err = b.index(v, s.index); err != nil {
				return nil, err
			}
			last := len(b.steps) - 1
			if last < 0 || s.name == "" && !s.quoted || b.steps[last].index != nil {
				b.steps = append(b.steps, step{index: s.index})
			} else {
				b.steps[last].index = s.index
			}
		}
	}
	return v, nil
}

// first returns what a pipe that begins with s begins with: nil for a function
// that gets its values by name.
func (b *builder) first(s *step) (*value, error) {
	if !s.quoted && !s.called && !special[s.name] && (b.env[s.name] != nil || b.asFunction(s) == nil) {
		if v, err := b.lookup(s.name, s.pos); v != nil || err != nil {
			return v, err
		}
	}
	if b.asFunction(s) != nil {
		for _, a := range s.args {
			if _, ok := a.value.(ref); ok {
				return nil, nil //nolint:nilnil // it takes no input
			}
		}
	}
	return b.input(0, s.pos)
}

// step applies one step without its index.
func (b *builder) step(s *step, v *value, first bool) (*value, error) {
	if !s.quoted {
		switch {
		case s.name == "":
			return v, nil
		case b.env[s.name] != nil || inputNumber(s.name) >= 0 || !special[s.name] && b.asFunction(s) == nil && b.tensor(s.name) != nil:
			if !first || s.called {
				return nil, b.failAt(s.pos, ErrName, "%s is a value, which can only begin a pipe, or stand among the arguments of a function such as add(%s)", s.name, s.name)
			}
			b.steps = append(b.steps, step{name: s.name})
			return v, nil
		case special[s.name]:
			b.steps = append(b.steps, step{name: s.name})
			return b.special(s, v)
		}
	}
	if f := b.asFunction(s); f != nil {
		b.steps = append(b.steps, step{name: s.name, called: len(s.args) > 0, args: s.args})
		return b.function(f, s, v, nil)
	}
	m := b.names.find(s.name)
	if m == nil {
		return nil, b.failAt(s.pos, ErrName, "%s", b.names.unknown(s.name))
	}
	return b.module(s, m, v)
}

// asFunction returns the function a step is, by its name or with "torch." or "F."
// before it; nil for a module of that name, which comes first.
func (b *builder) asFunction(s *step) *function {
	if s.quoted || b.names.find(s.name) != nil {
		return nil
	}
	for _, p := range []string{"torch.", "F."} {
		if name, ok := strings.CutPrefix(s.name, p); ok {
			return functionOf(name)
		}
	}
	return functionOf(s.name)
}
