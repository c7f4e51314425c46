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
// terms, then the state's. In the last gate of a GRU the two parts stay apart:
// Input starts from b_ih, State from b_hh, and Pre is r times State's end plus
// Input's.
type Gate struct {
	Name       string `json:"name"` // i f g o, r z n, or h
	Activation string `json:"act"`  // tanh, sigmoid, relu
	Row        int    `json:"row"`  // row of weight_ih, weight_hh and the biases
	BiasIH     Num    `json:"bih"`
	BiasHH     Num    `json:"bhh"`
	Input      Sum    `json:"input"`
	State      Sum    `json:"state"`
	Apart      bool   `json:"apart,omitempty"`
	Pre        Num    `json:"pre"`
	Value      Num    `json:"value"`
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
	CPrev     Num    `json:"cprev"` // c before the step, of an LSTM
	C         Num    `json:"c"`
	TanhC     Num    `json:"tanhc"`
	// Projection is the sum that makes h of the inner units, with a projection.
	Projection *Sum `json:"projection,omitempty"`
	H          Num  `json:"h"`
	// Record is the engine's number of this unit (of c for an inner unit), and
	// Same reports that the spelled-out arithmetic arrived at its bits.
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
	w := t.workings(i, time)
	out := &Unit{Layer: layer, Direction: direction, Step: time, Unit: u, Inner: inner, Bias: !t.cfg.NoBias}
	if t.cfg.ProjSize > 0 && !inner {
		m := make([]float32, t.cfg.HiddenSize)
		w.brief = true
		for j := range m {
			var part Unit
			w.unit(&part, j)
			m[j] = float32(part.H)
		}
		w.brief = false
		p := w.chain(0, row(t.lanes[i].hr, u), m)
		out.Projection, out.H = &p, Num(kernel.Flush(float32(p.End)))
	} else {
		w.unit(out, u)
	}
	out.Record = Num(row(t.H[i], time)[min(u, t.cfg.StateSize()-1)])
	got := out.H
	if inner {
		out.Record, got = Num(row(t.C[i], time)[u]), out.C
	}
	out.Same = same(got, out.Record)
	return out, nil
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

// workings is what the units of one step of a lane share.
type workings struct {
	cfg    unroll.Config
	lane   lane
	brief  bool      // sums without their terms
	x, h   []float32 // flushed, as the engine takes them
	hp, cp []float32
}

func (t *Trace) workings(i, time int) *workings {
	l := i / t.cfg.Directions()
	w := &workings{cfg: t.cfg, lane: t.lanes[i], x: make([]float32, t.inputSize(l))}
	t.input(l, time, w.x)
	kernel.FlushTo(w.x, w.x)
	h, c := t.before(i, time)
	w.h = make([]float32, len(h))
	kernel.FlushTo(w.h, h)
	w.hp = w.h
	w.cp = make([]float32, len(c))
	kernel.FlushTo(w.cp, c)
	return w
}

// unit spells out unit u of H: gates, then what the cell makes of them.
func (w *workings) unit(out *Unit, u int) {
	switch w.cfg.Mode {
	case unroll.LSTM:
		out.Gates = []Gate{
			w.gate("i", "sigmoid", 0, u), w.gate("f", "sigmoid", 1, u),
			w.gate("g", "tanh", 2, u), w.gate("o", "sigmoid", 3, u),
		}
		i, f, g, o := float32(out.Gates[0].Value), float32(out.Gates[1].Value), float32(out.Gates[2].Value), float32(out.Gates[3].Value)
		c := kernel.Flush(kernel.FMA32(f, w.cp[u], float32(i*g)))
		tc := kernel.Tanh32(c)
		out.CPrev, out.C, out.TanhC = Num(w.cp[u]), Num(c), Num(tc)
		out.H = Num(kernel.Flush(float32(o * tc)))
		if w.cfg.ProjSize == 0 {
			out.HPrev = Num(w.hp[u])
		}
	case unroll.GRU:
		r, z := w.gate("r", "sigmoid", 0, u), w.gate("z", "sigmoid", 1, u)
		n := w.apart(u, float32(r.Value))
		out.Gates, out.HPrev = []Gate{r, z, n}, Num(w.hp[u])
		cand := float32(n.Value)
		out.H = Num(kernel.Flush(kernel.FMA32(float32(z.Value), w.hp[u]-cand, cand)))
	default:
		act := "tanh"
		if w.cfg.Mode == unroll.RNNReLU {
			act = "relu"
		}
		g := w.gate("h", act, 0, u)
		out.Gates, out.HPrev = []Gate{g}, Num(w.hp[u])
		out.H = Num(kernel.Flush(float32(g.Value)))
	}
}

// gate is a gate whose sum is one chain.
func (w *workings) gate(name, act string, index, u int) Gate {
	g := w.named(name, act, index, u)
	g.Input = w.chain(float32(g.BiasIH)+float32(g.BiasHH), row(w.lane.ih, g.Row), w.x)
	g.State = w.chain(float32(g.Input.End), row(w.lane.hh, g.Row), w.h)
	g.Pre = g.State.End
	switch act {
	case "sigmoid":
		g.Value = Num(kernel.Sigmoid32(float32(g.Pre)))
	case "relu":
		g.Value = Num(kernel.ReLU(float32(g.Pre)))
	default:
		g.Value = Num(kernel.Tanh32(float32(g.Pre)))
	}
	return g
}

// apart is the gate n of a GRU.
func (w *workings) apart(u int, r float32) Gate {
	g := w.named("n", "tanh", 2, u)
	g.Apart = true
	g.Input = w.chain(float32(g.BiasIH), row(w.lane.ih, g.Row), w.x)
	g.State = w.chain(float32(g.BiasHH), row(w.lane.hh, g.Row), w.h)
	g.Pre = Num(kernel.FMA32(r, float32(g.State.End), float32(g.Input.End)))
	g.Value = Num(kernel.Tanh32(float32(g.Pre)))
	return g
}

func (w *workings) named(name, act string, index, u int) Gate {
	g := Gate{Name: name, Activation: act, Row: index*w.cfg.HiddenSize + u}
	if !w.cfg.NoBias {
		g.BiasIH, g.BiasHH = Num(w.lane.bih.Data[g.Row]), Num(w.lane.bhh.Data[g.Row])
	}
	return g
}

// chain adds weights[k]*v[k] to start in order, each rounded once.
func (w *workings) chain(start float32, weights, v []float32) Sum {
	s := Sum{Start: Num(start), Count: len(v)}
	if !w.brief {
		s.Terms = make([]Term, len(v))
	}
	acc, share := start, 0.0
	for k, x := range v {
		acc = kernel.FMA32(kernel.Flush(weights[k]), x, acc)
		share += float64(weights[k]) * float64(x) // display only
		if !w.brief {
			s.Terms[k] = Term{Num(weights[k]), Num(x), Num(acc)}
		}
	}
	s.Share, s.End = Num(float32(share)), Num(acc)
	return s
}

func same(a, b Num) bool { return a == b || a != a && b != b }
