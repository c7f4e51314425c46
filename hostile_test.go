package unroll_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// garbage draws what a careless or hostile caller hands over: often of the
// right form, often not.
type garbage struct{ *rapid.T }

var badInts = []int{-1, math.MinInt, math.MaxInt, 1 << 29, math.MaxInt32, math.MaxInt / 1023, math.MaxInt / 2}

func (g garbage) chance(percent int) bool { return rapid.IntRange(0, 99).Draw(g.T, "chance") < percent }

// int draws a number from 0 to most, or one that nothing can have.
func (g garbage) int(most int) int {
	if g.chance(10) {
		return rapid.SampledFrom(badInts).Draw(g.T, "bad number")
	}
	return rapid.IntRange(0, most).Draw(g.T, "number")
}

func (g garbage) ints(most, length int) []int {
	if g.chance(10) {
		return nil
	}
	if g.chance(20) {
		length = rapid.IntRange(0, 5).Draw(g.T, "length")
	}
	all := make([]int, length)
	for i := range all {
		all[i] = g.int(most)
	}
	return all
}

func (g garbage) floats(n int) []float32 {
	if g.chance(10) {
		n = rapid.IntRange(0, 30).Draw(g.T, "elements")
	}
	all := make([]float32, n)
	for i := range all {
		all[i] = rapid.Float32().Draw(g.T, "x") // infinities and NaN too
	}
	return all
}

// tensor draws one of the shape, or of another, with as many elements as the
// shape has, or another number.
func (g garbage) tensor(shape ...int) tensor.Dense {
	if g.chance(10) {
		return tensor.Dense{}
	}
	if g.chance(15) {
		shape = g.ints(4, len(shape))
	}
	n, err := tensor.Size(shape)
	if err != nil || n > 1<<12 {
		n = 0
	}
	return tensor.Dense{Shape: shape, Data: g.floats(n)}
}

func (g garbage) config() unroll.Config {
	c := unroll.Config{
		Mode:       unroll.Mode(rapid.IntRange(0, 3).Draw(g.T, "mode")),
		InputSize:  rapid.IntRange(0, 3).Draw(g.T, "I"),
		HiddenSize: rapid.IntRange(1, 4).Draw(g.T, "H"),
		NumLayers:  rapid.IntRange(0, 3).Draw(g.T, "L"),
		Dropout:    rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(g.T, "dropout"),
		NoBias:     g.chance(50), BatchFirst: g.chance(50), Bidirectional: g.chance(30),
	}
	if c.Mode == unroll.LSTM && c.HiddenSize > 1 && g.chance(50) {
		c.ProjSize = 1
	}
	if g.chance(20) { // one field at random
		set := map[string]func(){
			"mode": func() { c.Mode = unroll.Mode(g.int(5)) }, "I": func() { c.InputSize = g.int(3) },
			"H": func() { c.HiddenSize = g.int(4) }, "L": func() { c.NumLayers = g.int(3) }, "P": func() { c.ProjSize = g.int(4) },
			"dropout": func() {
				c.Dropout = rapid.SampledFrom([]float64{-1, 2, math.NaN(), math.Inf(1)}).Draw(g.T, "bad dropout")
			},
		}
		set[rapid.SampledFrom([]string{"mode", "I", "H", "L", "P", "dropout"}).Draw(g.T, "field")]()
	}
	return c
}

// layer draws one that New made, the zero value, or nil.
func (g garbage) layer() *unroll.Layer {
	switch {
	case g.chance(5):
		return nil
	case g.chance(5):
		return new(unroll.Layer)
	}
	l, err := unroll.New(g.config())
	if err != nil {
		return nil
	}
	l.ResetParameters(nil)
	return l
}

func (g garbage) state(l *unroll.Layer, b int) (s unroll.State) {
	if g.chance(30) {
		return s
	}
	c := l.Config()
	s.H = g.tensor(c.Layers()*c.Directions(), b, c.StateSize())
	if c.HasCell() != g.chance(5) {
		s.C = g.tensor(c.Layers()*c.Directions(), b, c.HiddenSize)
	}
	return s
}

// answered fails unless err is nil or tells a kind and the facts.
func (g garbage) answered(call string, err error) {
	var load *unroll.LoadError
	if err == nil || errors.As(err, &load) && errors.Is(err, unroll.ErrParams) {
		return
	}
	for _, kind := range []error{unroll.ErrConfig, unroll.ErrShape, unroll.ErrLengths, unroll.ErrUsage} {
		if isArg(err, kind) {
			return
		}
	}
	g.Fatalf("%s: an error without kind or facts: %v", call, err)
}

// Whatever comes, every exported function and method answers with a result or
// an error of the package's kinds, and does not panic.
func TestNothingPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := garbage{t}
		l := g.layer()
		g.layerMethods(l)
		g.passMethods(l)
		g.streamMethods(l)
		g.packing(l)
	})
}

func (g garbage) layerMethods(l *unroll.Layer) {
	_, _, _ = l.Config().String(), l.Gates(), l.Split()
	l.Update(nil)
	l.Update(func([]unroll.Param) {})
	l.NewGrads().Zero()
	params := map[string]tensor.Dense{}
	for _, p := range l.Params() {
		name := p.Name
		if g.chance(10) {
			name = rapid.SampledFrom([]string{"", "weight_ih", "bias_ih_l0", "_l0", "weight_ih_l9", "weight_ih_l0_l0"}).Draw(g.T, "name")
		}
		params[name] = g.tensor(p.Value.Shape...)
	}
	g.answered("Load", l.Load(params))
	_, _, err := l.Forward(g.tensor(2, 2, l.Config().InputSize), g.state(l, 2))
	g.answered("Layer.Forward", err)
	_, err = unroll.ParseMode(rapid.String().Draw(g.T, "mode"))
	g.answered("ParseMode", err)
}

func (g garbage) passMethods(l *unroll.Layer) {
	p := &unroll.Pass{Layer: l, Train: g.chance(50), Record: g.chance(80), Workers: rapid.SampledFrom([]int{0, 1, 2, -3}).Draw(g.T, "workers")}
	if g.chance(70) {
		p.Generator = rng.New(1)
	}
	if g.chance(20) {
		p.Grads = rapid.SampledFrom([]*unroll.Grads{{}, l.NewGrads(), g.layer().NewGrads()}).Draw(g.T, "grads")
	}
	for range 2 {
		p.Grads.Zero()
		steps, b := rapid.IntRange(0, 4).Draw(g.T, "T"), rapid.IntRange(0, 3).Draw(g.T, "B")
		p.Lengths, p.Resets = nil, nil
		if g.chance(40) {
			p.Lengths = g.ints(steps, b)
		}
		if g.chance(40) {
			n := steps * b
			if g.chance(20) {
				n = rapid.IntRange(0, 20).Draw(g.T, "resets")
			}
			p.Resets = rapid.SliceOfN(rapid.Bool(), n, n).Draw(g.T, "resets")
		}
		c := l.Config()
		shape := func(size int) []int {
			if c.BatchFirst {
				return []int{b, steps, size}
			}
			return []int{steps, b, size}
		}
		_, _, err := p.Forward(g.tensor(shape(c.InputSize)...), g.state(l, b))
		g.answered("Pass.Forward", err)
		if g.chance(5) {
			p.Layer = g.layer()
		}
		if g.chance(10) {
			p.Lengths = nil // they are those of the Forward
		}
		if p.Grads != nil && g.chance(10) && len(p.Grads.Params()) > 0 {
			p.Grads.Params()[0].Value = g.tensor(3, 3)
		}
		_, _, err = p.Backward(g.tensor(shape(c.OutputSize())...), g.state(l, b))
		g.answered("Backward", err)
		layer, direction := g.int(2), g.int(1)
		_, err = p.Hidden(layer, direction)
		g.answered("Hidden", err)
		_, err = p.Cell(layer, direction)
		g.answered("Cell", err)
		_, err = p.Gate(layer, direction, rapid.SampledFrom([]string{"i", "f", "g", "o", "r", "z", "n", "nh", "h", "", "x"}).Draw(g.T, "gate"))
		g.answered("Gate", err)
		_, err = p.DropoutMask(layer)
		g.answered("DropoutMask", err)
	}
}

func (g garbage) streamMethods(l *unroll.Layer) {
	s, err := l.NewStream(g.int(3))
	g.answered("NewStream", err)
	if err != nil && g.chance(50) {
		s = new(unroll.Stream)
	}
	s.SetWorkers(rapid.SampledFrom([]int{0, 1, 2, -1}).Draw(g.T, "workers"))
	c := l.Config()
	g.answered("SetState", s.SetState(g.state(l, s.Batch())))
	for range 2 {
		g.answered("Step", s.Step(g.floats(s.Batch()*c.OutputSize()), g.floats(s.Batch()*c.InputSize)))
		g.answered("Reset", s.Reset(g.ints(3, 2)...))
	}
	s.State().Clone()
}

func (g garbage) packing(l *unroll.Layer) {
	c := l.Config()
	x := g.tensor(3, 2, c.InputSize)
	ps, err := unroll.PackPadded(x, g.ints(3, 2), g.chance(30), g.chance(50))
	g.answered("PackPadded", err)
	if g.chance(30) {
		ps.BatchSizes = g.ints(2, 3)
	}
	if g.chance(30) {
		ps.SortedIndices = g.ints(1, 2)
	}
	if g.chance(30) {
		ps.UnsortedIndices = g.ints(1, 2)
	}
	if g.chance(20) {
		ps.Data = g.tensor(5, c.InputSize)
	}
	_, _, err = unroll.PadPacked(ps, g.chance(50), 0, g.int(5))
	g.answered("PadPacked", err)
	_, _, err = (&unroll.Pass{Layer: l}).ForwardPacked(ps, g.state(l, 2))
	g.answered("ForwardPacked", err)
}

// Sizes that no slice is needed to state are bounded before memory is asked
// for, or cost none.
func TestHugeSizesAreBounded(t *testing.T) {
	for name, c := range map[string]unroll.Config{
		"hidden_size":   {InputSize: 1, HiddenSize: 1 << 28},
		"layers":        {InputSize: 1, HiddenSize: 1 << 14, NumLayers: 1 << 16},
		"num_layers":    {InputSize: 1, HiddenSize: 1, NumLayers: 1 << 28},
		"product":       {InputSize: 1 << 28, HiddenSize: 1 << 20},
		"hidden of max": {InputSize: 1, HiddenSize: math.MaxInt},
	} {
		if _, err := unroll.New(c); !isArg(err, unroll.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l, err := unroll.New(unroll.Config{Mode: unroll.LSTM, HiddenSize: 2}) // no inputs: x of any length has no data
	if err != nil {
		t.Fatal(err)
	}
	for _, shape := range [][]int{{1<<20 + 1, 1, 0}, {1 << 28, 1, 0}, {1 << 29, 1, 0}, {1, 1 << 29, 0}, {1 << 20, 1 << 20, 0}, {math.MaxInt, 0}} {
		if _, _, err := l.Forward(tensor.New(shape...), unroll.State{}); !isArg(err, unroll.ErrShape) {
			t.Errorf("shape %v: %v", shape, err)
		}
	}
	if _, err := l.NewStream(math.MaxInt / 1023); !isArg(err, unroll.ErrShape) {
		t.Errorf("stream: %v", err)
	}
	p := &unroll.Pass{Layer: l, Record: true}
	y, _, err := p.Forward(tensor.New(1<<28, 0, 0), unroll.State{}) // nothing runs
	if err != nil || len(y.Data) != 0 || y.Shape[0] != 1<<28 {
		t.Errorf("an empty batch of 2^28 steps: shape %v, %v", y.Shape, err)
	}
	ps := unroll.PackedSequence{Data: tensor.New(math.MaxInt, 0), BatchSizes: []int{math.MaxInt}}
	if _, _, err := unroll.PadPacked(ps, false, 0, 0); !isArg(err, unroll.ErrLengths) {
		t.Errorf("packed: %v", err)
	}
	ps = unroll.PackedSequence{Data: tensor.New(1, 1), BatchSizes: []int{1}}
	if _, _, err := unroll.PadPacked(ps, false, 0, math.MaxInt); !isArg(err, unroll.ErrShape) {
		t.Errorf("total_length: %v", err)
	}
	if _, err := unroll.PackPadded(tensor.New(math.MaxInt/2, 1, 0), []int{math.MaxInt / 2}, false, true); !isArg(err, unroll.ErrShape) {
		t.Errorf("pack: %v", err)
	}
}
