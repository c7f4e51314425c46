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
			copy(ln.h[b*out:(b+1)*out], st[i*out:(i+1)*out])
		}
		kernel.FlushTo(ln.h, ln.h) // one call, not one a row
		if !s.Traits.CellState {
			continue
		}
		ln.c = grow(ln.c, r.B*s.H)
		for b, st := range states {
			st = st[len(r.lanes)*out:]
			copy(ln.c[b*s.H:(b+1)*s.H], st[i*s.H:(i+1)*s.H])
		}
		kernel.FlushTo(ln.c, ln.c)
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
// zero unless one of them is not: there is no branch a number, and eight sums wait
// for one another less than one does.
func Finite[F kernel.Float](v []F) bool {
	var a, b, c, d, e, f, g, h F
	for len(v) >= 8 {
		u := (*[8]F)(v)
		a, b, c, d = a+u[0]*0, b+u[1]*0, c+u[2]*0, d+u[3]*0
		e, f, g, h = e+u[4]*0, f+u[5]*0, g+u[6]*0, h+u[7]*0
		v = v[8:]
	}
	for _, x := range v {
		a += x * 0
	}
	return a+b+c+d+e+f+g+h == 0
}
