package explain

import (
	"fmt"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// Term is one product of a sum: Weight times Value, and the sum After it.
type Term struct {
	Weight Num `json:"w"`
	Value  Num `json:"v"`
	After  Num `json:"s"`
}

// Sum is a chain of fused multiply-adds: it starts at Start, takes the terms
// in order, and ends at End. Share is what the terms add up to by themselves,
// summed in float64 and rounded once, for display.
type Sum struct {
	Start Num    `json:"start"`
	Count int    `json:"count"` // how many terms there are
	Terms []Term `json:"terms"` // all of them, or after Unit.Cut the first
	Share Num    `json:"share"`
	End   Num    `json:"end"`
}

// Gate is one gate of a unit. Its sum starts with the biases, takes the input's
// terms, then the state's. Where the recurrent part stays apart (n of a GRU),
// Input starts from b_ih, State from b_hh, and Pre is Input's end plus what
// Apart names times State's. A coupled gate has no sum.
type Gate struct {
	Name       string `json:"name"` // i f g o, r z n, or h
	Activation string `json:"act"`  // tanh, sigmoid, relu
	Row        int    `json:"row"`  // row of weight_ih, weight_hh and the biases
	BiasIH     Num    `json:"bih"`
	BiasHH     Num    `json:"bhh"`
	Input      Sum    `json:"input"`
	State      Sum    `json:"state"`
	// Apart is what multiplies the recurrent part, where that stays apart; Late
	// what the recurrent weights multiply, where that is not h; Coupled what the
	// gate is, where it has no sum.
	Apart   string `json:"apart,omitempty"`
	Late    string `json:"late,omitempty"`
	Coupled string `json:"coupled,omitempty"`
	// Peephole is the last product of the sum, of parameter Place of
	// weight_peephole and a cell state.
	Peephole *Term `json:"peephole,omitempty"`
	Place    int   `json:"place,omitempty"`
	Clip     Num   `json:"clip,omitempty"` // what bounds Pre before the function
	Pre      Num   `json:"pre"`
	Value    Num   `json:"value"` // of the record
}

// Unit is one number of the record, h of one unit of one lane at one time, and
// how it came about.
type Unit struct {
	Layer     int    `json:"layer"`
	Direction int    `json:"direction"`
	Step      int    `json:"step"`
	Unit      int    `json:"unit"`
	Inner     bool   `json:"inner,omitempty"` // a unit before the projection
	Bias      bool   `json:"bias"`
	Gates     []Gate `json:"gates,omitempty"`
	HPrev     Num    `json:"hprev"` // h of this unit before the step (without projection)
	CPrev     Num    `json:"cprev"` // c before the step, where there is a cell state
	C         Num    `json:"c"`
	// Projection is the sum that makes h of the inner units, with a projection.
	Projection *Sum `json:"projection,omitempty"`
	// H is the engine's number; of an inner unit what the projection takes.
	H Num `json:"h"`
	// Record is the record's number of this unit (of c for an inner unit), and
	// Same reports that the sums that are spelled out give it, and every gate,
	// to the bit when the engine's cell takes them.
	Record Num  `json:"record"`
	Same   bool `json:"same"`
}

// Unit spells out one number: unit u of H' of a lane at a time, or with inner,
// which means something for a projection only, unit u of the H before it. It
// is an unroll.ErrUsage if there is no such unit.
func (t *Trace) Unit(layer, direction, time, u int, inner bool) (*Unit, error) {
	i, err := t.place(layer, direction, time)
	if err != nil {
		return nil, err
	}
	inner = inner && t.cfg.ProjSize > 0
	n := t.cfg.StateSize()
	if inner {
		n = t.cfg.HiddenSize
	}
	if u < 0 || u >= n {
		return nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "unit", Got: fmt.Sprint(u), Want: fmt.Sprintf("0 to %d", n-1)}
	}
	w, err := t.workings(layer, direction, time)
	if err != nil {
		return nil, err
	}
	return t.spell(w, i, time, u, inner), nil
}

// spell is Unit of lane i, of what its step works with.
func (t *Trace) spell(w *workings, i, time, u int, inner bool) *Unit {
	out := &Unit{Layer: i / t.cfg.Directions(), Direction: i % t.cfg.Directions(), Step: time, Unit: u, Inner: inner, Bias: !t.cfg.NoBias}
	if t.cfg.ProjSize > 0 && !inner {
		p := w.chain(0, row(t.lanes[i].hr, u), w.full)
		out.Projection, out.H, out.Same = &p, Num(kernel.Flush(float32(p.End))), true
	} else {
		w.unit(out, u)
	}
	out.Record = Num(row(t.H[i], time)[min(u, t.cfg.StateSize()-1)])
	got := out.H
	if inner {
		out.Record, got = Num(row(t.C[i], time)[u]), out.C
	}
	out.Same = out.Same && same(got, out.Record)
	return out
}

// Cut keeps the first n terms of each sum (0: all): a page that shows a hundred
// of a thousand terms need not be sent the rest.
func (u *Unit) Cut(n int) {
	cut := func(s *Sum) {
		if n > 0 && len(s.Terms) > n {
			s.Terms = s.Terms[:n]
		}
	}
	for i := range u.Gates {
		cut(&u.Gates[i].Input)
		cut(&u.Gates[i].State)
	}
	if u.Projection != nil {
		cut(u.Projection)
	}
}

// values are the numbers of a unit by the names that formulas have for them.
func (u *Unit) values() map[string]Num {
	v := map[string]Num{"h-": u.HPrev, "c-": u.CPrev, "c": u.C, "h": u.H}
	for _, g := range u.Gates {
		v[g.Name] = g.Value
	}
	return v
}

func same(a, b Num) bool { return a == b || a != a && b != b }
