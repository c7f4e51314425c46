package explain

import (
	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// Gate returns gate name of the units of a lane over steps from to to, [n,H],
// computed by the engine from the record's states: i f g o of an LSTM, r z n
// of a GRU. It is an unroll.ErrUsage if there is no such lane, step or gate.
func (t *Trace) Gate(layer, direction, from, to int, name string) (tensor.Dense, error) {
	g, err := t.gates(layer, direction, from, to, name)
	if err != nil {
		return tensor.Dense{}, err
	}
	return g[0], nil
}

// gates is Gate for several gates of the same steps, which one run gives.
func (t *Trace) gates(layer, direction, from, to int, names ...string) ([]tensor.Dense, error) {
	i, err := t.place(layer, direction, from)
	if err != nil {
		return nil, err
	}
	n := max(0, min(to, t.Steps())-from)
	out := make([]tensor.Dense, len(names))
	for k := range out {
		out[k] = tensor.New(n, t.cfg.HiddenSize)
	}
	if n == 0 {
		return out, nil
	}
	at := func(s int) int { // time of the s-th step in the direction's order
		if t.reversed(direction) {
			return from + n - 1 - s
		}
		return from + s
	}
	in := t.inputSize(layer)
	x := tensor.New(n, in)
	for s := range n {
		t.input(layer, at(s), row(x, s))
	}
	pass := unroll.Pass{Layer: t.split[layer][direction], Record: true}
	if _, _, err := pass.Forward(x, t.from(i, at(0))); err != nil {
		return nil, err
	}
	for k, name := range names {
		g, err := pass.Gate(0, 0, name)
		if err != nil {
			return nil, err
		}
		for s := range n {
			copy(row(out[k], at(s)-from), row(g, s))
		}
	}
	return out, nil
}

// from returns the state that a lane's step at a time starts from, as a single
// layer takes it.
func (t *Trace) from(i, time int) unroll.State {
	h, c := t.before(i, time)
	s := unroll.State{H: tensor.Dense{Shape: []int{1, len(h)}, Data: h}}
	if t.cfg.HasCell() {
		s.C = tensor.Dense{Shape: []int{1, len(c)}, Data: c}
	}
	return s
}

// MeanGates returns the mean of each gate over the H units, [len(Gates),n], of
// the steps from to to: how open the gates are. pause works as in Run.
func (t *Trace) MeanGates(layer, direction, from, to int, pause func(done float64) error) ([][]float64, error) {
	i, err := t.place(layer, direction, from)
	if err != nil {
		return nil, err
	}
	names := t.Layer.Gates()
	out := make([][]float64, len(names))
	piece := max(1, work/t.laneWork(i))
	to = min(to, t.Steps())
	for s := from; s < to; s += piece {
		g, err := t.gates(layer, direction, s, min(to, s+piece), names...)
		if err != nil {
			return nil, err
		}
		for k := range g {
			for r := range g[k].Shape[0] {
				sum := 0.0
				for _, v := range row(g[k], r) {
					sum += float64(v)
				}
				out[k] = append(out[k], sum/float64(t.cfg.HiddenSize))
			}
		}
		if pause != nil {
			if err := pause(float64(s-from) / float64(to-from)); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
