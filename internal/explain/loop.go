package explain

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// Loop is a hand-written loop over time and layers, with the mistakes that can
// be made in it. The zero value is the loop without mistakes.
type Loop struct {
	// EveryLayer feeds x[t] to every layer, where layer l needs the new state
	// of layer l-1.
	EveryLayer bool `json:"every"`
	// InPlace makes h_t and h_t_minus_1 one tensor, so that each step writes
	// over the states of the step before, and over the h_0 it was given.
	InPlace bool `json:"inplace"`
	// NoClone appends h_t[-1] itself to the output instead of a copy.
	NoClone bool `json:"noclone"`
}

// ShapeBreak is where a loop stops because two matrices do not fit.
type ShapeBreak struct {
	Layer     int    `json:"layer"`
	Direction int    `json:"direction"`
	Step      int    `json:"step"`
	Left      [2]int `json:"left"`  // x[t]
	Right     [2]int `json:"right"` // weight_ih[layer].T
}

// Error returns PyTorch's words for it.
func (b *ShapeBreak) Error() string {
	return fmt.Sprintf("mat1 and mat2 shapes cannot be multiplied (%dx%d and %dx%d)", b.Left[0], b.Left[1], b.Right[0], b.Right[1])
}

// LoopResult is what a loop computes, beside what the layer computes.
type LoopResult struct {
	Break *ShapeBreak // where it stopped; the rest is what was done before
	H     []tensor.Dense
	// Output [T,H'] and HN [L,H'] are what the loop returns.
	Output, HN tensor.Dense
	// WrongStates, WrongOutput and WrongHN count the numbers whose bits differ
	// from the layer's.
	WrongStates, WrongOutput, WrongHN int
	// FirstStep, FirstLayer and FirstDirection are the first cell that differs,
	// in the order of the loop; -1 for none.
	FirstStep, FirstLayer, FirstDirection int
	// Overwritten reports that the h_0 the loop was given is no longer what it was.
	Overwritten bool
}

// Loop runs a hand-written loop on the trace's input, each cell's step done by
// the engine, so that every difference from the trace is the loop's own fault.
// With one direction it walks time and in each step the layers; with two, which
// need all of a layer before the next, the layers, in each the directions, and
// in those time.
func (t *Trace) Loop(loop Loop) (*LoopResult, error) {
	r := t.newLoop(loop)
	var err error
	if t.cfg.Bidirectional {
		err = r.layers()
	} else {
		err = r.steps()
	}
	if err != nil {
		return nil, err
	}
	res, width := r.res, t.cfg.StateSize()
	for s, halves := range r.output {
		for d, h := range halves {
			if h != nil {
				copy(row(res.Output, s)[d*width:], h)
				res.WrongOutput += differ(h, row(t.H[r.lane(t.cfg.NumLayers-1, d)], s))
			}
		}
	}
	res.HN = r.now.Clone()
	if res.Break == nil {
		res.WrongHN = differ(res.HN.Data, t.HN().Data)
	}
	res.Overwritten = differ(r.h0.Data, t.S0.H.Data) > 0
	return res, nil
}

// looping is a loop at work.
type looping struct {
	t           *Trace
	loop        Loop
	res         *LoopResult
	h0          tensor.Dense  // what the caller handed in
	before, now tensor.Dense  // h_t_minus_1 and h_t
	c           tensor.Dense  // c of every lane
	output      [][][]float32 // of each step and direction: rows that may be one memory
}

func (t *Trace) newLoop(loop Loop) *looping {
	r := &looping{t: t, loop: loop, res: &LoopResult{FirstStep: -1, FirstLayer: -1, FirstDirection: -1, Output: tensor.New(t.Steps(), t.cfg.OutputSize())}}
	r.h0, r.c = t.S0.H.Clone(), t.S0.C.Clone()
	r.before, r.now = r.h0, r.h0
	if !loop.InPlace {
		r.now = r.h0.Clone()
	}
	for range t.Lanes() {
		r.res.H = append(r.res.H, tensor.New(t.Steps(), t.cfg.StateSize()))
	}
	r.output = make([][][]float32, t.Steps())
	for s := range r.output {
		r.output[s] = make([][]float32, t.cfg.Directions())
	}
	return r
}

func (r *looping) lane(l, d int) int { return l*r.t.cfg.Directions() + d }

// steps is the loop over time of one direction.
func (r *looping) steps() error {
	t := r.t
	for k := range t.Steps() {
		s := t.time(0, k)
		for l := range t.cfg.NumLayers {
			x := row(t.X, s)
			if l > 0 && !r.loop.EveryLayer {
				x = row(r.now, l-1)
			}
			if err := r.cell(l, 0, s, x); err != nil || r.res.Break != nil {
				return err
			}
		}
		r.output[s][0] = r.kept(row(r.now, t.cfg.NumLayers-1))
		r.turn()
	}
	return nil
}

// layers is the loop over layers and directions, time inside.
func (r *looping) layers() error {
	t, width := r.t, r.t.cfg.StateSize()
	below := t.X
	for l := range t.cfg.NumLayers {
		for d := range t.cfg.Directions() {
			for k := range t.Steps() {
				s := t.time(d, k)
				if err := r.cell(l, d, s, row(below, s)); err != nil || r.res.Break != nil {
					r.output = nil // they are those of the layer below
					return err
				}
				r.output[s][d] = r.kept(row(r.now, r.lane(l, d)))
				r.turn()
			}
		}
		if r.loop.EveryLayer || l == t.cfg.NumLayers-1 {
			continue
		}
		below = tensor.New(t.Steps(), t.cfg.OutputSize())
		for s, halves := range r.output {
			for d, h := range halves {
				copy(row(below, s)[d*width:], h)
			}
		}
	}
	return nil
}

// kept is what the loop appends to its output.
func (r *looping) kept(h []float32) []float32 {
	if r.loop.NoClone {
		return h
	}
	return slices.Clone(h)
}

// turn makes h_t the state before the next step.
func (r *looping) turn() {
	if r.loop.InPlace {
		r.before = r.now
	} else {
		r.before = r.now.Clone()
	}
}

// cell computes one cell, or notes that the loop stops there.
func (r *looping) cell(l, d, s int, x []float32) error {
	t, i := r.t, r.lane(l, d)
	if len(x) != t.inputSize(l) {
		w := t.lanes[i].ih.Shape
		r.res.Break = &ShapeBreak{Layer: l, Direction: d, Step: s, Left: [2]int{1, len(x)}, Right: [2]int{w[1], w[0]}}
		return nil
	}
	if err := t.step(i, x, row(r.before, i), r.c, row(r.now, i)); err != nil {
		return err
	}
	copy(row(r.res.H[i], s), row(r.now, i))
	if wrong := differ(row(r.now, i), row(t.H[i], s)); wrong > 0 {
		r.res.WrongStates += wrong
		if r.res.FirstStep < 0 {
			r.res.FirstStep, r.res.FirstLayer, r.res.FirstDirection = s, l, d
		}
	}
	return nil
}

// reached reports whether the loop computed a cell before it stopped.
func (r *LoopResult) reached(t *Trace, i, s int) bool {
	b := r.Break
	if b == nil {
		return true
	}
	d := t.cfg.Directions()
	at := func(l, dir, s int) int {
		if d == 1 {
			return t.time(0, s)*t.cfg.NumLayers + l
		}
		return (l*d+dir)*t.Steps() + t.time(dir, s)
	}
	return at(i/d, i%d, s) < at(b.Layer, b.Direction, b.Step)
}

// step is one cell of a lane: x and h give the new h, and c of the lane is renewed.
func (t *Trace) step(i int, x, h []float32, c tensor.Dense, to []float32) error {
	t.computed++
	s0 := unroll.State{H: tensor.Dense{Shape: []int{1, len(h)}, Data: slices.Clone(h)}}
	if t.cfg.HasCell() {
		s0.C = tensor.Dense{Shape: []int{1, t.cfg.HiddenSize}, Data: slices.Clone(row(c, i))}
	}
	_, sn, err := t.split[i/t.cfg.Directions()][i%t.cfg.Directions()].Forward(tensor.Dense{Shape: []int{1, len(x)}, Data: x}, s0)
	if err != nil {
		return err
	}
	copy(to, sn.H.Data)
	if t.cfg.HasCell() {
		copy(row(c, i), sn.C.Data)
	}
	return nil
}

// Chain feeds single layers one with the other's output (the page's "Compare
// to set of RNN") and counts the numbers of the last one's output whose bits
// differ from those of the stack.
func (t *Trace) Chain() (numbers, wrong int, err error) {
	y, _, err := t.Layer.Forward(t.X, t.S0)
	t.computed += t.Steps() * t.Lanes()
	if err != nil {
		return 0, 0, err
	}
	return len(y.Data), differ(y.Data, t.Output().Data), nil
}

func differ(a, b []float32) int {
	n := 0
	for i, v := range a {
		if !same(Num(v), Num(b[i])) {
			n++
		}
	}
	return n
}
