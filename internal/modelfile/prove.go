package modelfile

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// trial is one run of the program on drawn inputs.
type trial struct {
	first, second int // sizes of the first two dimensions of the input
	x             tensor.Dense
	tokens        []int
	state         [2]tensor.Dense // h0 and c0; none: zeros
	lengths       []int
	outputs       map[string]graph.Value
}

// drawnSizes are the first two dimensions of inputs that do not say them: different
// from each other, so that no order of axes passes for another.
var drawnSizes = [][2]int{{5, 3}, {2, 4}}

// maxDrawn bounds the numbers of a drawn input.
const maxDrawn = 1 << 24

// prove makes the network that gives the program's numbers.
func (r *recogniser) prove() (*Loaded, error) {
	if r.embedding != nil && r.weight == nil {
		return nil, other("an embedding without a linear head")
	}
	trials, err := r.trials()
	if err != nil {
		return nil, err
	}
	// The parameters are all that is needed of the program, which ran on packed copies.
	r.p, r.consts = nil, nil
	for i := range r.layers {
		r.layers[i].Layer = nil
	}
	r.collect()
	var first error
	for _, final := range []bool{false, true} {
		if final && r.weight == nil {
			continue
		}
		for _, batchFirst := range []bool{false, true} {
			l, err := r.build(batchFirst, final)
			if err != nil {
				return nil, err
			}
			for _, t := range trials {
				if err = r.compare(l, t); err != nil {
					break
				}
			}
			if err == nil {
				return l, nil
			}
			if first == nil {
				first = err
			}
		}
	}
	return nil, other("a network of its layers does not give its numbers: %v", first)
}

// trials runs the program.
func (r *recogniser) trials() (all []*trial, err error) {
	g := rng.New(1)
	for _, sizes := range drawnSizes {
		t := &trial{first: sizes[0], second: sizes[1], outputs: map[string]graph.Value{}}
		if len(all) > 0 && !r.resize(t) {
			break // every size is said: once is enough
		}
		r.resize(t)
		in := make([]graph.Value, len(r.g.Inputs))
		for i := range r.g.Inputs {
			if in[i], err = r.draw(g, t, &r.g.Inputs[i]); err != nil {
				return nil, err
			}
		}
		out := make([]graph.Value, len(r.g.Outputs))
		if err := r.p.Run(in, out); err != nil {
			if len(all) > 0 { // it is for the sizes of one batch
				break
			}
			return nil, other("it does not run on an input of %d and %d: %v", t.first, t.second, err)
		}
		for i, o := range r.g.Outputs {
			t.outputs[o.Name] = out[i]
		}
		all = append(all, t)
	}
	return all, nil
}

// resize gives a trial the sizes that the program says; it reports whether one is
// free.
func (r *recogniser) resize(t *trial) (free bool) {
	for _, p := range r.g.Inputs {
		if p.Name != r.ports.Input || len(p.Shape) < 2 {
			continue
		}
		for i, to := range []*int{&t.first, &t.second} {
			if n := p.Shape[i].Size; n >= 0 {
				*to = n
			} else {
				free = true
			}
		}
	}
	return free
}

// draw draws an input of the program.
func (r *recogniser) draw(g *rng.Generator, t *trial, p *graph.Port) (graph.Value, error) {
	numbers := func(shape ...int) (tensor.Dense, error) {
		if n, err := tensor.Size(shape); err != nil || n > maxDrawn {
			return tensor.Dense{}, other("input %q of shape %v is more than is tried", p.Name, shape)
		}
		d := tensor.New(shape...)
		rng.Randn(g, d.Data)
		return d, nil
	}
	batch := t.batch(r)
	rows := r.cfg.Layers() * r.cfg.Directions()
	var err error
	switch p.Name {
	case r.ports.Input:
		if r.embedding != nil {
			return r.drawTokens(t, p)
		}
		if t.x, err = numbers(t.first, t.second, r.cfg.InputSize); err != nil {
			return graph.Value{}, err
		}
		return graph.Of(t.x.Data, t.x.Shape...)
	case r.ports.Lengths:
		steps := t.first + t.second - batch
		t.lengths = make([]int, batch)
		for i := range t.lengths {
			t.lengths[i] = max(1, steps-(i+1)%batch)
		}
		return typed(p.Type, t.lengths, batch)
	case r.ports.H0:
		if t.state[0], err = numbers(rows, batch, r.cfg.StateSize()); err != nil {
			return graph.Value{}, err
		}
		return graph.Of(t.state[0].Data, t.state[0].Shape...)
	}
	if t.state[1], err = numbers(rows, batch, r.cfg.HiddenSize); err != nil {
		return graph.Value{}, err
	}
	return graph.Of(t.state[1].Data, t.state[1].Shape...)
}

// batch is the size that the program's own nodes take for the batch: that of the
// states where they say it, or else the second.
func (t *trial) batch(r *recogniser) int {
	shape := map[string][]graph.Dim{}
	for _, p := range r.g.Inputs {
		shape[p.Name] = p.Shape
	}
	x := shape[r.ports.Input]
	for name, at := range map[string]int{r.ports.H0: 1, r.ports.C0: 1, r.ports.Lengths: 0} {
		if s := shape[name]; name != "" && len(s) > at && len(x) > 1 {
			switch d := s[at]; {
			case d.Size >= 0:
				return d.Size
			case d.Name != "" && d.Name == x[0].Name:
				return t.first
			case d.Name != "" && d.Name == x[1].Name:
				return t.second
			}
		}
	}
	if r.turned() {
		return t.first
	}
	return t.second
}

// turned reports whether an odd number of transpositions stands between the input
// and the first layer, for programs whose states do not say where the batch is.
func (r *recogniser) turned() bool {
	turned := r.each[0].BatchFirst
	for name := portsOf(r.layers[0].Node).x; ; {
		n := r.from[name]
		if n == nil || len(n.Inputs) == 0 {
			return turned
		}
		if perm, ok := n.Attrs["perm"].([]int64); ok && n.Op == "Transpose" && len(perm) > 1 && perm[0] == 1 {
			turned = !turned
		}
		if name = n.Inputs[0]; r.table(n) != nil {
			name = n.Inputs[1]
		}
	}
}

// drawTokens draws tokens, the first and the last of the vocabulary among them.
func (r *recogniser) drawTokens(t *trial, p *graph.Port) (graph.Value, error) {
	n := t.first * t.second
	if n > maxDrawn {
		return graph.Value{}, other("input %q of %d tokens is more than is tried", p.Name, n)
	}
	t.tokens = make([]int, n)
	for i := range t.tokens {
		t.tokens[i] = i * 7919 % r.embedding.Shape[0]
	}
	t.tokens[n/2] = r.embedding.Shape[0] - 1
	return typed(p.Type, t.tokens, t.first, t.second)
}

// typed brings integers to the type of an input.
func typed(t graph.Type, list []int, shape ...int) (graph.Value, error) {
	switch t.Held() {
	case graph.I64:
		return graph.Of(to[int64](list), shape...)
	case graph.I32:
		return graph.Of(to[int32](list), shape...)
	case graph.F32:
		return graph.Of(to[float32](list), shape...)
	}
	return graph.Value{}, other("an input of type %s for integers", t)
}

func to[T int64 | int32 | float32](list []int) []T {
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = T(v)
	}
	return out
}

// compare runs a network on a trial and compares every output.
func (r *recogniser) compare(l *Loaded, t *trial) error {
	s0 := unroll.State{H: t.state[0], C: t.state[1]}
	if l.Layer.Config().HasCell() && s0.H.IsZero() != s0.C.IsZero() { // one of them is zeros
		if s0.H.IsZero() {
			s0.H = tensor.New(s0.C.Shape[0], s0.C.Shape[1], l.Layer.Config().StateSize())
		} else {
			s0.C = tensor.New(s0.H.Shape[0], s0.H.Shape[1], l.Layer.Config().HiddenSize)
		}
	}
	var y tensor.Dense
	var sn unroll.State
	var err error
	if l.Model == nil {
		p := unroll.Pass{Layer: l.Layer, Lengths: t.lengths}
		y, sn, err = p.Forward(t.x, s0)
	} else {
		p := nn.Pass{Model: l.Model, Lengths: t.lengths}
		in := nn.Input{Features: t.x}
		if t.tokens != nil {
			in = nn.Input{Tokens: t.tokens, T: t.first, B: t.second}
			if l.Layer.Config().BatchFirst {
				in.T, in.B = in.B, in.T
			}
		}
		y, sn, err = p.Forward(in, s0)
	}
	if err != nil {
		return err
	}
	for _, o := range []struct {
		name string
		got  tensor.Dense
	}{{r.ports.Output, y}, {r.ports.HN, sn.H}, {r.ports.CN, sn.C}} {
		if o.name == "" {
			continue
		}
		if err := r.equal(o.got, t.outputs[o.name]); err != nil {
			return fmt.Errorf("output %q: %w", o.name, err)
		}
	}
	return nil
}

// equal compares a result with the program's, which may also be arranged as a node of
// ONNX has it: Y [T,D,B,H] or, with layout 1, [B,T,D,H] and states [B,D,H].
func (r *recogniser) equal(got tensor.Dense, want graph.Value) error {
	d, h := r.cfg.Directions(), r.cfg.StateSize()
	data := graph.Data[float32](want)
	layout := r.each[len(r.each)-1].BatchFirst && !r.layers[0].Node.IsStack()
	shape := got.Shape
	switch {
	case slices.Equal(want.Shape, shape):
	case len(shape) == 3 && r.weight == nil && slices.Equal(want.Shape, []int{shape[0], d, shape[1], h}):
		data = blocks(data, shape[0], d, shape[1], h)
	case len(shape) == 3 && layout && slices.Equal(want.Shape, []int{shape[0], shape[1], d, h}):
	case len(shape) == 3 && layout && slices.Equal(want.Shape, []int{shape[1], shape[0], shape[2]}):
		data = blocks(data, 1, shape[1], shape[0], shape[2])
	default:
		return fmt.Errorf("it has shape %v, the network's %v", want.Shape, got.Shape)
	}
	if len(data) != len(got.Data) {
		return fmt.Errorf("it has type %s", want.Type)
	}
	for i, w := range data {
		// Sums in another order, and a bias before or after them, round by less.
		g := got.Data[i]
		if diff := math.Abs(float64(g) - float64(w)); diff > 1e-4+1e-4*math.Abs(float64(w)) || math.IsNaN(diff) && (g == g || w == w) {
			return fmt.Errorf("element %d is %g, the network gives %g", i, w, g)
		}
	}
	return nil
}

// blocks swaps the two middle dimensions of [a,b,c,d].
func blocks(x []float32, a, b, c, d int) []float32 {
	out := make([]float32, len(x))
	for i := range a {
		for j := range b {
			for k := range c {
				copy(out[((i*c+k)*b+j)*d:][:d], x[((i*b+j)*c+k)*d:])
			}
		}
	}
	return out
}
