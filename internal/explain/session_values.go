package explain

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// values returns numbers for drawing, [To-From, len(Units)] or all units: x, h,
// c, a gate, d (h less the kept run's), h0 or c0 (one row).
func (s *Session) values(a Args, _ []byte) (any, []byte, error) {
	t := s.trace
	if a.To < 0 || a.To > t.Steps() {
		a.To = t.Steps()
	}
	if a.What == "x" {
		return s.rows(t.X, nil, a)
	}
	if a.Lane < 0 || a.Lane >= t.Lanes() {
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "lane", Got: fmt.Sprint(a.Lane), Want: fmt.Sprintf("0 to %d", t.Lanes()-1)}
	}
	d := t.cfg.Directions()
	gate := len(s.layer.Gates()) > 1 && slices.Contains(s.layer.Gates(), a.What)
	if a.What != "h0" {
		q, from, to := patient, a.From, a.To
		if a.View {
			q = view
		}
		if gate {
			from, to = t.withBefore(a.Lane%d, from, to)
		}
		if err := s.need(q, a.Lane/d, a.Lane%d, from, to); err != nil {
			return nil, nil, err
		}
	}
	switch a.What {
	case "h":
		return s.rows(t.H[a.Lane], nil, a)
	case "d":
		if s.kept == nil {
			return nil, nil, fmt.Errorf("%w: no run is kept to compare with", unroll.ErrUsage)
		}
		return s.rows(t.H[a.Lane], s.kept.H[a.Lane].Data, a)
	case "c":
		if t.cfg.HasCell() {
			return s.rows(t.C[a.Lane], nil, a)
		}
	case "h0":
		return s.rows(tensor.Dense{Shape: []int{1, t.cfg.StateSize()}, Data: row(t.S0.H, a.Lane)}, nil, Args{To: 1, Units: a.Units})
	}
	if gate {
		g, err := t.Gate(a.Lane/d, a.Lane%d, a.From, a.To, a.What)
		if err != nil {
			return nil, nil, err
		}
		a.From, a.To = 0, g.Shape[0]
		return s.rows(g, nil, a)
	}
	return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "what", Got: a.What, Want: "x, h, c, d, h0 or a gate"}
}

// rows takes rows From to To and Units out of d [T,K], less another of the same
// shape if there is one.
func (s *Session) rows(d tensor.Dense, less []float32, a Args) (any, []byte, error) {
	n := d.Shape[1]
	if a.From < 0 || a.To > d.Shape[0] || a.From > a.To {
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "from", Got: fmt.Sprint(a.From), Want: fmt.Sprintf("0 to %d", d.Shape[0])}
	}
	for _, u := range a.Units {
		if u < 0 || u >= n {
			return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "units", Got: fmt.Sprint(u), Want: fmt.Sprintf("0 to %d", n-1)}
		}
	}
	units := a.Units
	if units == nil {
		for u := range n {
			units = append(units, u)
		}
	}
	out := make([]float32, 0, (a.To-a.From)*len(units))
	for r := a.From; r < a.To; r++ {
		for _, u := range units {
			v := d.Data[r*n+u]
			if less != nil {
				v -= less[r*n+u]
			}
			out = append(out, v)
		}
	}
	return nil, floats(out), nil
}

// unit spells out one number: what Unit says, with the first N terms of each sum
// (0: all), the formulas in LaTeX, and how many steps of lanes were computed for it.
func (s *Session) unit(a Args, _ []byte) (any, []byte, error) {
	t := s.trace
	defer s.hurry()()
	before := t.computed
	from, to := t.withBefore(a.Direction, a.Step, a.Step+1)
	if err := s.need(click, a.Layer, a.Direction, from, to); err != nil {
		return nil, nil, err
	}
	u, err := t.Unit(a.Layer, a.Direction, a.Step, a.Unit, a.Inner)
	if err != nil {
		return nil, nil, err
	}
	numbers := t.Numbers(u)
	u.Cut(a.N)
	return map[string]any{"unit": u, "equations": t.Equations(a.Layer, a.Direction, a.Step), "numbers": numbers, "computed": t.computed - before}, nil, nil
}
