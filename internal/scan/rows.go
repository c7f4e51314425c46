package scan

import "github.com/unroll-ml/unroll/internal/kernel"

// StateLen returns how many numbers the state of one sequence has when it stands
// flat: H [L*D,H'] and then, where the cell has one, C [L*D,H].
func (s *Stack[F]) StateLen() int {
	n := s.Out()
	if s.Traits.CellState {
		n += s.H
	}
	return s.L * s.D * n
}

// Take sets the current states of B sequences, in packed order, from flat ones,
// for the next Forward that continues. B may be another than before.
func (r *Run[F]) Take(states [][]F) {
	s := r.Stack
	r.layLanes()
	for i := range r.lanes {
		ln, out := &r.lanes[i], s.Out()
		ln.h = grow(ln.h, r.B*out)
		for b, st := range states {
			kernel.FlushTo(ln.h[b*out:(b+1)*out], st[i*out:(i+1)*out])
		}
		if !s.Traits.CellState {
			continue
		}
		ln.c = grow(ln.c, r.B*s.H)
		for b, st := range states {
			st = st[len(r.lanes)*out:]
			kernel.FlushTo(ln.c[b*s.H:(b+1)*s.H], st[i*s.H:(i+1)*s.H])
		}
	}
}

// Give writes the current state of sequence b, in packed order, flat to state.
func (r *Run[F]) Give(b int, state []F) {
	s := r.Stack
	for i := range r.lanes {
		ln := &r.lanes[i]
		state = state[copy(state, ln.h[b*s.Out():(b+1)*s.Out()]):]
	}
	if !s.Traits.CellState {
		return
	}
	for i := range r.lanes {
		state = state[copy(state, r.lanes[i].c[b*s.H:(b+1)*s.H]):]
	}
}

// Finite reports whether all numbers of the current state of sequence b, in
// packed order, are finite.
func (r *Run[F]) Finite(b int) bool {
	s := r.Stack
	for i := range r.lanes {
		ln := &r.lanes[i]
		if !Finite(ln.h[b*s.Out() : (b+1)*s.Out()]) {
			return false
		}
		if s.Traits.CellState && !Finite(ln.c[b*s.H:(b+1)*s.H]) {
			return false
		}
	}
	return true
}

// Finite reports whether all numbers are finite. A sum of products with zero is
// zero unless one of them is not: there is no branch a number.
func Finite[F kernel.Float](v []F) bool {
	var a, b F
	for len(v) >= 2 {
		a, b, v = a+v[0]*0, b+v[1]*0, v[2:]
	}
	if len(v) > 0 {
		a += v[0] * 0
	}
	return a+b == 0
}
