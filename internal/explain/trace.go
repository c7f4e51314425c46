// Package explain turns a recorded run of a layer into what a person can read:
// formulas, the same formulas with the numbers put in, gradients, a text for
// the terminal and a page for the browser. It computes nothing of its own: what
// it shows is the engine's record, and each formula it spells out is carried
// out in the engine's order of operations and compared with that record.
//
// Everything here is about one sequence. A sequence's numbers do not depend on
// what else is in a batch, so nothing is lost by taking it out.
//
// Letters: T steps, I inputs, H units, P projection, H' size of a hidden state
// (P where there is one, else H), L layers, D directions. A lane is one layer
// and direction; lane l*D+d stands in this order in states too.
package explain

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// Trace is the record of one sequence: the hidden and cell states of every
// lane at every step. Rows are in the order of time for both directions.
type Trace struct {
	Layer *unroll.Layer
	X     tensor.Dense      // [T,I]
	S0    unroll.State      // H [L*D,H'], C [L*D,H]
	H     []tensor.Dense    // of each lane, [T,H']
	C     []tensor.Dense    // of each lane, [T,H]; LSTM only
	cfg   unroll.Config     // of the layer, with L filled in
	lanes []lane            // parameters
	cells []*cellText       // of each direction
	split [][]*unroll.Layer // [L][D]
	known []known           // of each lane
	// computed counts steps of lanes, which is what an answer costs.
	computed int
	was      settled
	now      [2]int // layer and step that were computed last
}

// lane holds the parameters of one layer and direction, shared with the layer.
type lane struct{ ih, hh, bih, bhh, hr, peephole tensor.Dense }

// NewTrace prepares a trace of x [T,I] from the state s0, whose parts are
// [L*D,H'] and [L*D,H] or absent for zeros. Nothing is computed yet; H and C
// are zeros. The trace shares x and the layer's parameters.
func NewTrace(layer *unroll.Layer, x tensor.Dense, s0 unroll.State) (*Trace, error) {
	return newTrace(layer, x, s0, nil)
}

// newTrace is NewTrace. What a trace of the same layer made of its parameters, which
// may be large, is taken from there.
func newTrace(layer *unroll.Layer, x tensor.Dense, s0 unroll.State, old *Trace) (*Trace, error) {
	cfg := layer.Config()
	cfg.NumLayers, cfg.BatchFirst = cfg.Layers(), false
	t := &Trace{Layer: layer, X: x, cfg: cfg}
	if len(x.Shape) != 2 || x.Shape[1] != cfg.InputSize || x.Check("input") != nil || x.Shape[0] < 1 {
		return nil, &tensor.ShapeError{Arg: "input", Got: x.Shape, Want: fmt.Sprintf("[T,%d] with at least one step: one sequence of input_size %d", cfg.InputSize, cfg.InputSize)}
	}
	var err error
	if t.S0.H, err = initial("h_0", s0.H, t.Lanes(), cfg.StateSize()); err != nil {
		return nil, err
	}
	if cfg.HasCell() {
		if t.S0.C, err = initial("c_0", s0.C, t.Lanes(), cfg.HiddenSize); err != nil {
			return nil, err
		}
	}
	if old != nil && old.Layer == layer {
		t.split, t.cells = old.split, old.cells
	} else if err := t.take(layer); err != nil {
		return nil, err
	}
	t.lanes = params(layer)
	for range t.Lanes() {
		t.H = append(t.H, tensor.New(t.Steps(), cfg.StateSize()))
		if cfg.HasCell() {
			t.C = append(t.C, tensor.New(t.Steps(), cfg.HiddenSize))
		}
	}
	segment := t.segmentOf()
	for range t.Lanes() {
		t.known = append(t.known, newKnown(t.Steps(), segment))
	}
	return t, nil
}

// take splits the layer into lanes that all walk from their first input to their
// last, whichever way time goes: a trace hands a reverse one its input reversed.
func (t *Trace) take(layer *unroll.Layer) error {
	t.split = layer.Split()
	for _, lanes := range t.split {
		for d, one := range lanes {
			cfg := one.Config()
			if cfg.Variant.Reverse {
				cfg.Variant.Reverse = false
				forward, err := unroll.New(cfg)
				if err != nil {
					return err
				}
				values := map[string]tensor.Dense{}
				for _, p := range one.Params() {
					values[p.Name] = p.Value
				}
				if err := forward.Load(values); err != nil {
					return err
				}
				lanes[d] = forward
			}
			if len(t.cells) <= d {
				c, err := newCellText(cfg)
				if err != nil {
					return err
				}
				t.cells = append(t.cells, c)
			}
		}
	}
	return nil
}

// reversed reports whether a direction goes from the last step to the first.
func (t *Trace) reversed(d int) bool { return d == 1 || t.cfg.Variant.Reverse }

func initial(name string, s tensor.Dense, lanes, size int) (tensor.Dense, error) {
	if s.IsZero() {
		return tensor.New(lanes, size), nil
	}
	if !slices.Equal(s.Shape, []int{lanes, size}) || s.Check(name) != nil {
		return s, &tensor.ShapeError{Arg: name, Got: s.Shape, Want: fmt.Sprintf("[%d,%d]: the state of one sequence, layers times directions by size", lanes, size)}
	}
	return s.Clone(), nil
}

func params(layer *unroll.Layer) []lane {
	byName := map[string]tensor.Dense{}
	for _, p := range layer.Params() {
		byName[p.Name] = p.Value
	}
	cfg := layer.Config()
	var lanes []lane
	for l := range cfg.Layers() {
		for d := range cfg.Directions() {
			name := func(kind string) tensor.Dense { return byName[ParamName(kind, l, d)] }
			lanes = append(lanes, lane{name("weight_ih"), name("weight_hh"), name("bias_ih"), name("bias_hh"), name("weight_hr"), name("weight_peephole")})
		}
	}
	return lanes
}

// ParamName returns PyTorch's name of a parameter: weight_ih_l0,
// bias_hh_l1_reverse.
func ParamName(kind string, layer, direction int) string {
	s := fmt.Sprintf("%s_l%d", kind, layer)
	if direction == 1 {
		s += "_reverse"
	}
	return s
}

// Config returns the layer's description, NumLayers filled in and BatchFirst
// off.
func (t *Trace) Config() unroll.Config { return t.cfg }

// Steps returns T.
func (t *Trace) Steps() int { return t.X.Shape[0] }

// Lanes returns L*D.
func (t *Trace) Lanes() int { return t.cfg.NumLayers * t.cfg.Directions() }

// put copies rows [n,K], computed from step s on in the direction's order, to
// their places in time.
func (t *Trace) put(dst tensor.Dense, d, s int, rows tensor.Dense) {
	k := dst.Shape[1]
	for r := range rows.Shape[0] {
		copy(row(dst, t.time(d, s+r)), rows.Data[r*k:(r+1)*k])
	}
}

// time returns the time of the s-th step of a direction, which is also the
// inverse.
func (t *Trace) time(d, s int) int {
	if t.reversed(d) {
		return t.Steps() - 1 - s
	}
	return s
}

// inputSize returns the number of inputs of layer l.
func (t *Trace) inputSize(l int) int {
	if l == 0 {
		return t.cfg.InputSize
	}
	return t.cfg.OutputSize()
}

// input writes what layer l gets at a time: x, or the outputs of the layer
// below, direction after direction.
func (t *Trace) input(l, time int, dst []float32) {
	if l == 0 {
		copy(dst, row(t.X, time))
		return
	}
	n := t.cfg.Directions()
	for d := range n {
		copy(dst[d*t.cfg.StateSize():], row(t.H[(l-1)*n+d], time))
	}
}

// before returns the states that a lane's step at a time starts from.
func (t *Trace) before(i, time int) (h, c []float32) {
	prev := time - 1
	if t.reversed(i % t.cfg.Directions()) {
		prev = time + 1
	}
	from := func(s0 tensor.Dense, rec []tensor.Dense) []float32 {
		if prev < 0 || prev >= t.Steps() {
			return row(s0, i)
		}
		return row(rec[i], prev)
	}
	if t.cfg.HasCell() {
		c = from(t.S0.C, t.C)
	}
	return from(t.S0.H, t.H), c
}

// Output returns output [T,D*H'] of the record, in memory of its own.
func (t *Trace) Output() tensor.Dense { return t.FirstOutput(t.Steps()) }

// FirstOutput returns the first n rows of output.
func (t *Trace) FirstOutput(n int) tensor.Dense {
	y := tensor.New(n, t.cfg.OutputSize())
	for s := range n {
		t.input(t.cfg.NumLayers, s, row(y, s))
	}
	return y
}

// HN returns h_n [L*D,H'], and CN c_n [L*D,H] of an LSTM, in memory of their own.
func (t *Trace) HN() tensor.Dense { return t.last(t.H, t.cfg.StateSize()) }

// CN returns c_n; see HN. It is absent where there is no cell state.
func (t *Trace) CN() tensor.Dense {
	if !t.cfg.HasCell() {
		return tensor.Dense{}
	}
	return t.last(t.C, t.cfg.HiddenSize)
}

func (t *Trace) last(rec []tensor.Dense, size int) tensor.Dense {
	s := tensor.New(len(rec), size)
	for i := range rec {
		copy(row(s, i), row(rec[i], t.time(i%t.cfg.Directions(), t.Steps()-1)))
	}
	return s
}

// place checks a lane and a time.
func (t *Trace) place(layer, direction, time int) (int, error) {
	for _, a := range []struct {
		name string
		v, n int
	}{{"layer", layer, t.cfg.NumLayers}, {"direction", direction, t.cfg.Directions()}, {"step", time, t.Steps()}} {
		if a.v < 0 || a.v >= a.n {
			return 0, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: a.name, Got: fmt.Sprint(a.v), Want: fmt.Sprintf("0 to %d", a.n-1)}
		}
	}
	return layer*t.cfg.Directions() + direction, nil
}

func row(d tensor.Dense, r int) []float32 {
	n := d.Shape[1]
	return d.Data[r*n : (r+1)*n : (r+1)*n]
}
