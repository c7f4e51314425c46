package chain

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/statedict"
)

// solver finds what the inputs are. A line does not say whether x holds numbers
// or indices, nor how many dimensions it has, and most lines make sense for one
// choice alone: an input is guessed where it is first read, and the guesses under
// which all steps fit are kept.
type solver struct {
	src    checkpoint.Source
	chain  *Chain
	opt    Options
	names  *names
	parts  []statedict.Part
	layers map[string]*unroll.Layer // by label and settings
	work   int                      // steps made, of all guesses
	first  *builder                 // the first guess that fits
	nodes  string                   // its signature
	open   map[int]bool             // inputs for which more than one rank fits
	wrong  error                    // of the guess that came furthest
}

// guess is a type and a shape of an input.
type guess struct {
	typ  graph.Type
	dims []int
}

// needError says that an input's guess is needed.
type needError struct{ input int }

func (e *needError) Error() string { return fmt.Sprintf("chain: x%d is needed", e.input) }

// guessedRanks are the ranks that are tried, those of batches of sequences first.
var guessedRanks = []int{3, 2, 4, 1, 5}

// maxWork bounds the steps that are made, of all guesses together.
const maxWork = 1 << 18

// errWork: there are more guesses than are tried.
var errWork = fmt.Errorf("%w: the line leaves too much open of what its inputs are; say their types and shapes", ErrAmbiguous)

// spend counts a step.
func (s *solver) spend() error {
	if s.work++; s.work > maxWork {
		return errWork
	}
	return nil
}

func (s *solver) solve() (*builder, error) {
	s.open = map[int]bool{}
	if err := s.try(map[int]guess{}); err != nil {
		return nil, err
	}
	if s.first == nil {
		return nil, s.wrong
	}
	for i := range s.open { // any of them will do
		s.first.graph.Inputs[i].Shape = nil
		for k := range s.first.results {
			s.first.graph.Outputs[k].Shape = nil
		}
	}
	return s.first, nil
}

// try builds with the guesses there are, and where another is needed with each.
func (s *solver) try(given map[int]guess) error {
	b := &builder{
		solver: s, given: given, env: map[string]*value{}, reads: map[string]bool{}, inputs: map[int]*value{},
		loaded: map[string]bool{}, used: map[*module]bool{}, layers: map[string]*unroll.Layer{},
	}
	err := b.run()
	var need *needError
	switch {
	case err == nil:
		return s.keep(b)
	case errors.Is(err, errWork):
		return err
	case errors.As(err, &need):
		for _, g := range s.guesses(need.input) {
			next := map[int]guess{need.input: g}
			for i, v := range given {
				next[i] = v
			}
			if err := s.try(next); err != nil {
				return err
			}
		}
	case s.wrong == nil || b.at != nil && place(err, b) > place(s.wrong, b):
		s.wrong = err
	}
	return nil
}

// place is how far in the line an error is. A question comes before a misfit, and
// what is wrong whatever the inputs are before either.
func place(err error, b *builder) int {
	var e *Error
	if errors.As(err, &e) {
		if !errors.Is(err, ErrArgument) {
			return 4*maxText + e.Pos
		}
		return 2 * e.Pos
	}
	var l *LayoutError
	if errors.As(err, &l) {
		return 2*max(strings.Index(b.chain.text, l.Module), 0) + 1
	}
	return 1 << 30
}

// guesses are what input i may be.
func (s *solver) guesses(i int) []guess {
	types := []graph.Type{s.opt.Type, graph.I64}
	ranks := guessedRanks
	var dims []int
	if i < len(s.opt.Inputs) {
		if p := s.opt.Inputs[i]; p.Type != graph.None {
			types = []graph.Type{p.Type.Held()}
			if p.Type == graph.F32 || p.Type == graph.F64 {
				types[0] = s.opt.Type
			}
		}
		if p := s.opt.Inputs[i]; p.Shape != nil {
			dims = []int{}
			for _, d := range p.Shape {
				dims = append(dims, max(d.Size, -1))
			}
			ranks = []int{len(dims)}
		}
	}
	var out []guess
	for _, t := range types {
		for _, r := range ranks {
			g := guess{t, dims}
			if dims == nil {
				g.dims = slices.Repeat([]int{-1}, r)
			}
			out = append(out, g)
		}
	}
	return out
}

// said reports whether the caller gave input i's shape.
func (s *solver) said(i int) bool { return i < len(s.opt.Inputs) && s.opt.Inputs[i].Shape != nil }

// keep compares a guess that fits with the first that did: it has to be the same
// program, but for indices in the place of numbers where nothing else differs.
func (s *solver) keep(b *builder) error {
	if s.first == nil {
		s.first, s.nodes = b, b.signature()
		return nil
	}
	if !slices.Equal(b.readings, s.first.readings) {
		return s.twoReadings(s.first, b)
	}
	if b.types() != s.first.types() {
		return nil
	}
	for i, v := range b.inputs {
		one, two := s.first.inputs[i].rank(), v.rank()
		if one == two {
			continue
		}
		s.open[i] = true
		if b.signature() != s.nodes {
			return fmt.Errorf("%w: %s may have %d or %d dimensions, and the line means another program for each; say its shape", ErrAmbiguous, v.id, one, two)
		}
	}
	return nil
}

func (s *solver) twoReadings(a, b *builder) error {
	var x, y []string
	for _, r := range a.readings {
		if !slices.Contains(b.readings, r) {
			x = append(x, r)
		}
	}
	for _, r := range b.readings {
		if !slices.Contains(a.readings, r) {
			y = append(y, r)
		}
	}
	return fmt.Errorf("%w: either %s, or %s; say which by kind, as in NAME(kind='linear')", ErrAmbiguous, strings.Join(x, " and "), strings.Join(y, " and "))
}

// types writes the types of the inputs.
func (b *builder) types() string {
	s := ""
	for i := range len(b.inputs) {
		s += b.inputs[i].typ.String() + " "
	}
	return s
}

// signature writes the nodes and what constants of integers they have.
func (b *builder) signature() string {
	var s strings.Builder
	for _, n := range b.graph.Nodes {
		fmt.Fprint(&s, n.Op, n.Inputs, n.Outputs)
		for _, k := range sortedKeys(n.Attrs) {
			if l, ok := n.Attrs[k].(*unroll.Layer); ok {
				fmt.Fprint(&s, k, l.Config())
				continue
			}
			fmt.Fprint(&s, k, n.Attrs[k])
		}
	}
	for _, c := range b.graph.Constants {
		if c.Load == nil && c.Type == graph.I64 {
			fmt.Fprint(&s, c.Name, graph.Data[int64](c.Value))
		}
	}
	return s.String()
}
