package explain

import (
	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// workings is what the units of one step of a lane share: what goes into the
// step, and the record of it.
type workings struct {
	cfg   unroll.Config
	text  *cellText
	lane  lane
	brief bool        // sums without their terms
	x, h  []float32   // flushed, as the engine takes them
	cp    []float32   // c before the step, flushed
	gates [][]float32 // of the record
	c     []float32
	full  []float32 // the hidden states before a projection, else h
	late  []float32 // what the recurrent weights of a late gate multiply, once asked for
}

// workings runs the step once more, alone and recorded, for the gates.
func (t *Trace) workings(l, d, time int) (*workings, error) {
	i := l*t.cfg.Directions() + d
	t.computed++
	w := &workings{cfg: t.cfg, text: t.cells[d], lane: t.lanes[i], x: make([]float32, t.inputSize(l))}
	t.input(l, time, w.x)
	kernel.FlushTo(w.x, w.x)
	h, c := t.before(i, time)
	w.h, w.cp = make([]float32, len(h)), make([]float32, len(c))
	kernel.FlushTo(w.h, h)
	kernel.FlushTo(w.cp, c)
	pass := unroll.Pass{Layer: t.split[l][d], Record: true}
	if _, _, err := pass.Forward(tensor.Dense{Shape: []int{1, len(w.x)}, Data: w.x}, t.from(i, time)); err != nil {
		return nil, err
	}
	for _, g := range w.text.gates {
		v, err := pass.Gate(0, 0, g.name)
		if err != nil {
			return nil, err
		}
		w.gates = append(w.gates, v.Data)
	}
	var full tensor.Dense
	var err error
	if t.cfg.ProjSize > 0 {
		full, err = pass.Gate(0, 0, "h")
	} else {
		full, err = pass.Hidden(0, 0)
	}
	if err != nil {
		return nil, err
	}
	w.full = full.Data
	if t.cfg.HasCell() {
		cell, err := pass.Cell(0, 0)
		if err != nil {
			return nil, err
		}
		w.c = cell.Data
	}
	return w, nil
}

// unit spells out unit u of H: the sum of each gate, and the record's numbers.
func (w *workings) unit(out *Unit, u int) {
	if w.cfg.ProjSize == 0 {
		out.HPrev = Num(w.h[u])
	}
	if w.cp != nil && w.c != nil {
		out.CPrev, out.C = Num(w.cp[u]), Num(w.c[u])
	}
	out.H = Num(w.full[u])
	for k := range w.text.gates {
		out.Gates = append(out.Gates, Gate{Value: Num(w.gates[k][u])})
	}
	for k := range w.text.gates {
		w.gate(out, k, u)
	}
	out.Same = w.check(out, u)
}

// gate spells out gate k of a unit, whose other numbers are there.
func (w *workings) gate(out *Unit, k, u int) {
	g, t, brief := &out.Gates[k], &w.text.gates[k], w.text.brief(false)
	act, _, _ := t.fn.Text()
	g.Name, g.Activation, g.Row = t.name, act, k*w.cfg.HiddenSize+u
	if t.coupled != nil {
		g.Coupled = brief.write(t.coupled, true)
		return
	}
	g.Clip = Num(w.text.set.Clip)
	if !w.cfg.NoBias {
		g.BiasIH, g.BiasHH = Num(w.lane.bih.Data[g.Row]), Num(w.lane.bhh.Data[g.Row])
	}
	h := w.h
	if t.late != nil {
		h, g.Late = w.lateInput(), brief.write(t.late, true)
	}
	weights, recurrent := row(w.lane.ih, g.Row), row(w.lane.hh, g.Row)
	if t.apart == nil {
		g.Input = w.chain(float32(g.BiasIH)+float32(g.BiasHH), weights, w.x)
		g.State = w.chain(float32(g.Input.End), recurrent, h)
		g.Pre = g.State.End
	} else {
		g.Apart = brief.write(t.apart, true)
		g.Input = w.chain(float32(g.BiasIH), weights, w.x)
		g.State = w.chain(float32(g.BiasHH), recurrent, h)
		factor := t.apart.value(w.text, out.values())
		g.Pre = Num(kernel.FMA32(factor, float32(g.State.End), float32(g.Input.End)))
	}
	if t.peep != nil {
		g.Place = t.place*w.cfg.HiddenSize + u
		p := Term{Weight: Num(w.lane.peephole.Data[g.Place]), Value: Num(t.peep.value(w.text, out.values()))}
		p.After = Num(kernel.FMA32(float32(p.Weight), float32(p.Value), float32(g.Pre)))
		g.Pre, g.Peephole = p.After, &p
	}
}

// step is what the engine's cell takes of a unit: the ends of the gates' sums
// (of the recurrent part of a gate apart), and the input's part of the last.
func (w *workings) step(out *Unit, u int) *cell.Step[float32] {
	n := len(out.Gates)
	line := func(k int) kernel.Rows[float32] {
		return kernel.Rows[float32]{Data: make([]float32, k*kernel.Lane), Row: k * kernel.Lane}
	}
	s := &cell.Step[float32]{
		Gates: kernel.Gates{M: 1, N: 1, Gate: 1, Record: true},
		Z:     line(n), X: line(n), Apart: line(1), HPrev: line(1), C: line(1), H: line(1), Late: line(1),
	}
	for k, g := range out.Gates {
		s.Z.Data[k*kernel.Lane], s.X.Data[k*kernel.Lane] = float32(g.State.End), float32(g.Input.End)
	}
	if w.cfg.ProjSize == 0 {
		s.HPrev.Data[0] = w.h[u]
	}
	if w.text.traits.CellState {
		s.C.Data[0] = w.cp[u]
	}
	if p := w.text.traits.PerUnit; p > 0 {
		s.PerUnit = line(p)
		for k := range p {
			s.PerUnit.Data[k] = w.lane.peephole.Data[k*w.cfg.HiddenSize+u]
		}
	}
	return s
}

// check reports whether the engine's cell makes the record's gates and states of
// the sums.
func (w *workings) check(out *Unit, u int) bool {
	s := w.step(out, u)
	w.text.step.Forward(s)
	if w.text.traits.Late {
		s.Z.Data[0] = float32(out.Gates[len(out.Gates)-1].State.End)
		w.text.step.ForwardLate(s)
	}
	ok := same(Num(s.H.Data[0]), out.H)
	if w.text.traits.CellState {
		ok = ok && same(Num(s.C.Data[0]), out.C)
	}
	if w.text.traits.Activations {
		for k, g := range out.Gates {
			ok = ok && same(Num(s.X.Data[k*kernel.Lane]), g.Value)
		}
	}
	return ok
}

// lateInput returns what the recurrent weights of the late gate multiply, which
// the engine's cell makes of the other gates of every unit.
func (w *workings) lateInput() []float32 {
	if w.late != nil {
		return w.late
	}
	w.late = make([]float32, w.cfg.HiddenSize)
	early := *w
	early.brief = true
	for u := range w.late {
		var part Unit
		part.Gates = make([]Gate, len(w.text.gates))
		for k := range len(part.Gates) - 1 {
			part.Gates[k].Value = Num(w.gates[k][u])
			early.gate(&part, k, u)
		}
		s := early.step(&part, u)
		w.text.step.Forward(s)
		w.late[u] = s.Late.Data[0]
	}
	return w.late
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
