package model

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/graph"
)

// Stream is one live sequence of a model. It belongs to one goroutine at a time;
// a model serves many streams. Use NewStream.
type Stream struct {
	*Rows
	state [1][]float32
}

// NewStream returns a stream at its beginning. Errors are those of NewRows.
func (m *Model) NewStream(opt RowsOptions) (*Stream, error) {
	r, err := m.NewRows(1, opt)
	if err != nil {
		return nil, err
	}
	s := &Stream{Rows: r, state: [1][]float32{make([]float32, r.StateLen())}}
	s.Reset()
	return s, nil
}

// Step computes one step: it reads x [In], writes y [Out] and carries the state.
// It is Rows.Step of one row.
func (s *Stream) Step(y, x []float32) error { return s.Rows.Step(y, x, s.state[:]) }

// Reset sets the state to that of a beginning.
func (s *Stream) Reset() { s.Begin(s.state[0]) }

// State returns a copy of the state, under the names of the model's inputs, which
// Run takes.
func (s *Stream) State() map[string]Value { return s.Values(s.state[0]) }

// SetState sets the state to a copy of values under the names of the model's
// inputs, or of the outputs that are the state after a run. It is an ErrInput, and
// the state stays as it was, if one is missing, too many or does not fit.
func (s *Stream) SetState(values map[string]Value) error {
	return s.SetValues(s.state[0], values)
}

// Values returns the parts of a state of StateLen numbers, in new memory, under
// the names of the model's inputs and in their types and shapes, for one sequence.
func (r *Rows) Values(state []float32) map[string]Value {
	out := map[string]Value{}
	for k := range r.from {
		s := &r.from[k]
		v, err := graph.New(s.typ, s.rows(1)...)
		if err == nil {
			err = s.put(v, 1, 0, state)
		}
		if err == nil { // a state that Step or Begin wrote fits
			out[s.name] = Value{v}
		}
	}
	return out
}

// SetValues writes a state of StateLen numbers from its parts, as Values returns
// them; a part may also stand under the name of the output that is the state after
// a run. It is an ErrInput, and the state stays as it was, if a part is missing,
// too many or does not fit.
func (r *Rows) SetValues(state []float32, values map[string]Value) error {
	if len(state) != r.StateLen() {
		return &unroll.ArgError{Kind: unroll.ErrShape, Arg: "state of " + r.m.path, Got: fmt.Sprintf("%d values", len(state)), Want: fmt.Sprint(r.StateLen())}
	}
	parts := make([]graph.Value, len(r.from))
	taken := 0
	for k := range r.from {
		before, after := &r.from[k], &r.to[k]
		v, ok := values[before.name]
		if w, also := values[after.name]; also && ok {
			return fmt.Errorf("%w: the state holds %q and %q, which are the same", ErrInput, before.name, after.name)
		} else if also {
			v, ok = w, true
		}
		switch want := before.rows(1); {
		case !ok:
			return fmt.Errorf("%w: the state has no %q, which is %s %v", ErrInput, before.name, before.typ, want)
		case v.v.Type != before.typ || !slices.Equal(v.v.Shape, want):
			return fmt.Errorf("%w: %q of the state is %s, expected %s %v", ErrInput, before.name, v, before.typ, want)
		}
		parts[k], taken = v.v, taken+1
	}
	if taken != len(values) {
		for name := range values {
			if !slices.ContainsFunc(slices.Concat(r.from, r.to), func(s slot) bool { return s.name == name }) {
				return fmt.Errorf("%w: the state holds %q, which the model does not carry", ErrInput, name)
			}
		}
	}
	for k := range r.from {
		r.from[k].take(parts[k], 1, 0, state)
	}
	return nil
}
