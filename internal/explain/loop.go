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
	Layer int    `json:"layer"`
	Step  int    `json:"step"`
	Left  [2]int `json:"left"`  // x[t]
	Right [2]int `json:"right"` // weight_ih[layer].T
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
	// FirstWrong is the first cell that differs, step and layer; -1 for none.
	FirstStep, FirstLayer int
	// Overwritten reports that the h_0 the loop was given is no longer what it was.
	Overwritten bool
}

// ErrLoop says that the loop of the page does not know such a layer.
var ErrLoop = fmt.Errorf("%w: the hand-written loop knows layers of one direction", unroll.ErrUsage)

// Loop runs a hand-written loop on the trace's input, each cell's step done by
// the engine, so that every difference from the trace is the loop's own fault.
// It is an ErrLoop for two directions.
func (t *Trace) Loop(loop Loop) (*LoopResult, error) {
	if t.cfg.Bidirectional {
		return nil, ErrLoop
	}
	n, size := t.cfg.NumLayers, t.cfg.StateSize()
	res := &LoopResult{FirstStep: -1, FirstLayer: -1, Output: tensor.New(t.Steps(), size)}
	h0 := t.S0.H.Clone()
	before, now := h0, h0
	if !loop.InPlace {
		now = tensor.New(n, size)
	}
	c := t.S0.C.Clone()
	var output [][]float32 // rows that may be one and the same memory
	for range n {
		res.H = append(res.H, tensor.New(t.Steps(), size))
	}
steps:
	for s := range t.Steps() {
		for l := range n {
			x := row(t.X, s)
			if l > 0 && !loop.EveryLayer {
				x = row(now, l-1)
			}
			if len(x) != t.inputSize(l) {
				w := t.lanes[l].ih.Shape
				res.Break = &ShapeBreak{Layer: l, Step: s, Left: [2]int{1, len(x)}, Right: [2]int{w[1], w[0]}}
				break steps
			}
			if err := t.step(l, x, row(before, l), c, row(now, l)); err != nil {
				return nil, err
			}
			copy(row(res.H[l], s), row(now, l))
			if wrong := differ(row(now, l), row(t.H[l], s)); wrong > 0 {
				res.WrongStates += wrong
				if res.FirstStep < 0 {
					res.FirstStep, res.FirstLayer = s, l
				}
			}
		}
		last := row(now, n-1)
		if !loop.NoClone {
			last = slices.Clone(last)
		}
		output = append(output, last)
		if loop.InPlace {
			before = now
		} else {
			before = now.Clone()
		}
	}
	for s, r := range output {
		copy(row(res.Output, s), r)
		res.WrongOutput += differ(r, row(t.H[n-1], s))
	}
	res.HN = now.Clone()
	if res.Break == nil {
		res.WrongHN = differ(res.HN.Data, t.HN().Data)
	}
	res.Overwritten = differ(h0.Data, t.S0.H.Data) > 0
	return res, nil
}

// step is one cell: x and h give the new h, and c of the layer is renewed.
func (t *Trace) step(l int, x, h []float32, c tensor.Dense, to []float32) error {
	s0 := unroll.State{H: tensor.Dense{Shape: []int{1, len(h)}, Data: slices.Clone(h)}}
	if t.cfg.HasCell() {
		s0.C = tensor.Dense{Shape: []int{1, t.cfg.HiddenSize}, Data: slices.Clone(row(c, l))}
	}
	_, sn, err := t.split[l][0].Forward(tensor.Dense{Shape: []int{1, len(x)}, Data: x}, s0)
	if err != nil {
		return err
	}
	copy(to, sn.H.Data)
	if t.cfg.HasCell() {
		copy(row(c, l), sn.C.Data)
	}
	return nil
}

// Chain feeds single layers one with the other's output (the page's "Compare
// to set of RNN") and counts the numbers of the last one's output whose bits
// differ from those of the stack.
func (t *Trace) Chain() (numbers, wrong int, err error) {
	y, _, err := t.Layer.Forward(t.whole(), t.S0)
	if err != nil {
		return 0, 0, err
	}
	return len(y.Data), differ(y.Data, t.Output().Data), nil
}

// whole returns x as the layer takes it: one sequence without a batch.
func (t *Trace) whole() tensor.Dense { return t.X }

func differ(a, b []float32) int {
	n := 0
	for i, v := range a {
		if !same(Num(v), Num(b[i])) {
			n++
		}
	}
	return n
}
