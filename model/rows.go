package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/graph"
)

// RowsOptions say what is the same in every step of a model.
type RowsOptions struct {
	// Set are inputs that stay as they are, such as a sample rate; a step does not
	// have them.
	Set map[string]Value
	// Sizes are those of dimensions that the model leaves open, such as the samples
	// of a frame, by their symbols or, for one without a symbol, by input and axis:
	// "input[1]". The axis of sequences needs none, nor does one of time along which
	// every operator acts on one step: a step is one along it.
	Sizes map[string]int
}

// Rows steps any of many sequences of a model together, whose states the caller
// keeps, each in a slice of its own: a sequence costs its state and nothing else.
// A step is a run of the model. It runs once for all sequences of a step where it
// has an axis along which they are independent (see Batched), and otherwise for
// one after another; the bits are those of each sequence alone. Package live puts
// keys and goroutines around it.
//
// A sequence's numbers stand flat, as float32: inputs one after another, in the
// order of Inputs, each in row-major order, likewise the outputs. Integers and
// truth values stand as whole numbers, which they have to be.
//
// A value belongs to one goroutine at a time; a model serves many. Use NewRows.
type Rows struct {
	m      *Model
	opt    RowsOptions
	most   int
	finite unroll.Finite

	inputs, outputs, from, to []slot // fed, given; states before, states after
	begin                     []float32
	batch                     bool
	why                       string // there is no batch

	in, out []graph.Value // memory for the largest group of rows
	groups  []*group      // by rows of a run
	last    *group        // that was made last, whose memory others share
}

// group runs the model for a number of rows.
type group struct {
	run     *graph.Runner
	in, out []graph.Value
}

// usage is an error of unroll's kind for a call that the model cannot answer.
func (m *Model) usage(arg, got, want, hint string) error {
	return &unroll.ArgError{Kind: unroll.ErrUsage, Arg: arg, Got: got, Want: want, Hint: hint}
}

// NewRows returns a stepper of up to most rows at once.
//
// It is an unroll.ErrUsage for a most below 1 and for a model that carries no
// state, or reads a sequence from its end; an ErrInput for options that do not
// fit, or an open dimension whose size has to be said; and one of the errors of
// Run, since it runs the model once, on zeros.
func (m *Model) NewRows(most int, opt RowsOptions) (*Rows, error) {
	switch {
	case m == nil || m.program == nil:
		return nil, m.usage("model", "nil or the zero value", "one that Open returned", "")
	case most < 1:
		return nil, m.usage("most", fmt.Sprint(most), "at least 1", "")
	case len(m.states) == 0:
		return nil, m.usage("model "+m.path, "no inputs and outputs that carry a state", "a model with some", "Options.States makes those of recurrent layers that go forward from zeros")
	}
	r := &Rows{m: m, most: most, opt: RowsOptions{Set: map[string]Value{}, Sizes: map[string]int{}}}
	for name, v := range opt.Set {
		r.opt.Set[name] = Value{v.v.Clone()}
	}
	for name, n := range opt.Sizes {
		r.opt.Sizes[name] = n
	}
	s, err := r.sized()
	if err == nil {
		err = r.layout(s)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.path, err)
	}
	return r, nil
}

// Batched reports whether the model runs once for all rows of a step; why says
// what keeps it from that.
func (r *Rows) Batched() (ok bool, why string) { return r.batch, r.why }

// Inputs returns what a step of one sequence reads, in the order of x: numbers for
// shapes, and no axis of sequences.
func (r *Rows) Inputs() []Port { return r.ports(r.inputs, r.m.program.Graph().Inputs) }

// Outputs returns what a step of one sequence writes, in the order of y; the state
// is not in it.
func (r *Rows) Outputs() []Port { return r.ports(r.outputs, r.m.program.Graph().Outputs) }

// States returns the state of one sequence, in the order of its numbers, under the
// names of the model's inputs.
func (r *Rows) States() []Port { return r.ports(r.from, r.m.program.Graph().Inputs) }

func (r *Rows) ports(list []slot, of []graph.Port) []Port {
	out := make([]Port, len(list))
	for i, s := range list {
		out[i] = Port{Name: of[s.port].Name, Type: of[s.port].Type.Given().String(), Shape: []string{}}
		for _, n := range s.shape {
			out[i].Shape = append(out[i].Shape, fmt.Sprint(n))
		}
	}
	return out
}

// In returns how many numbers a sequence's x has.
func (r *Rows) In() int { return total(r.inputs) }

// Out returns how many numbers a sequence's y has.
func (r *Rows) Out() int { return total(r.outputs) }

// StateLen returns how many numbers a sequence's state has.
func (r *Rows) StateLen() int { return total(r.from) }

func total(list []slot) (n int) {
	for _, s := range list {
		n += s.n
	}
	return n
}

// Begin writes the state that a sequence begins with, of StateLen numbers.
func (r *Rows) Begin(state []float32) { copy(state, r.begin) }

// SetFinite says what Step does about numbers that are not finite. Rows are judged
// one by one: with RefuseNonFinite, those that are finite step.
func (r *Rows) SetFinite(f unroll.Finite) { r.finite = f }

// Prepare plans the model for every number of rows and makes all memory, which
// the first steps would else do. It changes no result.
func (r *Rows) Prepare() error {
	zeros := make([]float32, r.StateLen())
	r.Begin(zeros)
	sizes := []int{}
	for n := 1; n <= r.most; n++ {
		if k := r.next(n); !slices.Contains(sizes, k) {
			sizes = append(sizes, k)
		}
	}
	x, y := make([]float32, r.In()), make([]float32, r.Out())
	for _, k := range slices.Backward(sizes) {
		g, err := r.group(k)
		if err != nil {
			return err
		}
		for i := range k {
			_ = r.fill(g, k, i, x, zeros) // zeros fit every type
		}
		if err := g.run.Run(g.in, g.out); err == nil {
			_ = r.take(g, k, 0, y, slices.Clone(zeros)) // nothing is said of results
		}
	}
	return nil
}

// alone is the largest number of rows that are one group as they are; more are
// halves of it, or a power of two. So there are few plans, and no row is alone that
// has company.
const alone = 8

// next returns how many of n rows the model runs for together.
func (r *Rows) next(n int) int {
	switch {
	case !r.batch:
		return min(n, 1)
	case n <= alone:
		return n
	case n < 2*alone:
		return (n + 1) / 2
	}
	k := 2 * alone
	for 2*k <= n {
		k *= 2
	}
	return k
}

// group returns the group of n rows.
func (r *Rows) group(n int) (*group, error) {
	if n < len(r.groups) && r.groups[n] != nil {
		return r.groups[n], nil
	}
	if r.in == nil {
		if err := r.memory(r.next(r.most)); err != nil {
			return nil, err
		}
	}
	g := &group{in: slices.Clone(r.in), out: slices.Clone(r.out)}
	for _, list := range []struct {
		slots []slot
		of    []graph.Value
	}{{r.inputs, g.in}, {r.from, g.in}, {r.outputs, g.out}, {r.to, g.out}} {
		for _, s := range list.slots {
			var err error
			if list.of[s.port], err = list.of[s.port].First(s.rows(n)...); err != nil {
				return nil, err
			}
		}
	}
	var beside *graph.Runner
	if r.last != nil {
		beside = r.last.run
	}
	var err error
	if g.run, err = r.m.program.NewRunner(g.in, beside); err != nil {
		return nil, fmt.Errorf("%s: %w", r.m.path, err)
	}
	r.groups = slices.Grow(r.groups, max(0, n+1-len(r.groups)))
	for len(r.groups) <= n {
		r.groups = append(r.groups, nil)
	}
	r.groups[n], r.last = g, g
	return g, nil
}

// memory makes the values of n rows.
func (r *Rows) memory(n int) error {
	g := r.m.program.Graph()
	in, out := make([]graph.Value, len(g.Inputs)), make([]graph.Value, len(g.Outputs))
	for i, p := range g.Inputs {
		in[i] = r.opt.Set[p.Name].v
	}
	for _, list := range []struct {
		slots []slot
		of    []graph.Value
	}{{r.inputs, in}, {r.from, in}, {r.outputs, out}, {r.to, out}} {
		for _, s := range list.slots {
			v, err := graph.New(s.typ, s.rows(n)...)
			if err != nil {
				return err
			}
			list.of[s.port] = v
		}
	}
	r.in, r.out = in, out
	return nil
}

// Step computes one step of n sequences, n from 0 to the most: it reads x [n,In]
// and writes y [n,Out], and reads and writes the states in place, each of StateLen
// numbers; Begin makes one that begins. Slices must not overlap. It allocates
// nothing after Prepare, unless the model's shapes depend on its data.
//
// It is an unroll.ErrShape, and nothing changes, if a slice has the wrong length.
// A row whose x the model does not take (a token that is no whole number, or that
// no embedding has) is in a *RowError; with SetFinite one that is not finite is in
// an *unroll.NonFiniteError. The rows named keep their states and have zeros for
// y, the others step; errors.As finds both where there are both.
func (r *Rows) Step(y, x []float32, states [][]float32) error {
	in, out, state := r.In(), r.Out(), r.StateLen()
	bad := func(arg string, got, want int) error {
		return &unroll.ArgError{Kind: unroll.ErrShape, Arg: arg + " of " + r.m.path, Got: fmt.Sprintf("%d values", got), Want: fmt.Sprint(want)}
	}
	switch n := len(states); {
	case n > r.most:
		return &unroll.ArgError{Kind: unroll.ErrShape, Arg: "states", Got: fmt.Sprintf("%d rows", n), Want: fmt.Sprintf("at most %d, as NewRows was told", r.most)}
	case len(x) != n*in:
		return bad("x", len(x), n*in)
	case len(y) != n*out:
		return bad("y", len(y), n*out)
	}
	for i, st := range states {
		if len(st) != state {
			return bad(fmt.Sprintf("states[%d]", i), len(st), state)
		}
	}
	var e faults
	for first := 0; first < len(states); {
		k := r.next(len(states) - first)
		if err := r.together(&e, first, y[first*out:], x[first*in:], states[first:first+k]); err != nil {
			return err
		}
		first += k
	}
	return e.err()
}

// together steps the rows of one run, of which first is the first.
func (r *Rows) together(e *faults, first int, y, x []float32, states [][]float32) error {
	k, in, out := len(states), r.In(), r.Out()
	g, err := r.group(k)
	if err != nil {
		return err
	}
	for i, st := range states {
		if err = r.fill(g, k, i, x[i*in:(i+1)*in], st); err != nil {
			break
		}
	}
	if err == nil {
		err = g.run.Run(g.in, g.out)
	}
	switch {
	case err != nil && k > 1: // whose fault it is, each alone shows
		for i := range states {
			if err := r.together(e, first+i, y[i*out:], x[i*in:], states[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	case err != nil:
		e.row(first, err)
		clear(y[:out])
		return nil
	}
	for i, st := range states {
		row := y[i*out : (i+1)*out]
		if r.finite != unroll.AnyNumber {
			input, result := allFinite(x[i*in:(i+1)*in]), r.finiteState(g, k, i)
			if !input || !result {
				refuse := r.finite == unroll.RefuseNonFinite
				if e.number(first+i, input, refuse); refuse {
					clear(row)
					continue
				}
			}
		}
		if err := r.take(g, k, i, row, st); err != nil {
			e.row(first+i, err)
			clear(row)
		}
	}
	return nil
}

func allFinite(x []float32) bool {
	for _, v := range x {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
	}
	return true
}
