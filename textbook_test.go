package unroll_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/ref"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// textbook returns the trial in the terms of internal/ref: time first, with the
// dropout masks that the recorded pass drew.
func (k *trial[F]) textbook(t fataler, p *unroll.PassOf[F]) (ref.Layer, ref.Input) {
	t.Helper()
	c := k.layer.Config()
	l := ref.Layer{
		Mode: c.Mode.String(), InputSize: c.InputSize, HiddenSize: c.HiddenSize, NumLayers: c.Layers(),
		ProjSize: c.ProjSize, Bidirectional: c.Bidirectional, Params: map[string][]float64{},
	}
	v := c.Variant
	l.Variant = ref.Variant{Reverse: v.Reverse, Clip: v.Clip, InputForget: v.InputForget, ResetBefore: v.ResetBefore, Peepholes: v.Peepholes}
	for d, list := range [][3]unroll.Activation{v.Activations, v.ReverseActivations} {
		if d == 1 && list == [3]unroll.Activation{} {
			list = v.Activations
		}
		for _, a := range list {
			l.Variant.Functions[d] = append(l.Variant.Functions[d], ref.Function(a))
		}
	}
	for _, q := range k.layer.Params() {
		l.Params[q.Name] = tensor.Convert[float64](q.Value).Data
	}
	for _, precision := range k.layer.Precisions() {
		l.Int8 = append(l.Int8, precision == unroll.Int8)
	}
	in := ref.Input{T: k.t, B: k.b, X: k.timeFirst(k.x), Lengths: k.lengths, Resets: k.resets, Skips: k.masked}
	if !k.s0.IsZero() {
		in.H0 = tensor.Convert[float64](k.s0.H).Data
		if c.HasCell() {
			in.C0 = tensor.Convert[float64](k.s0.C).Data
		}
	}
	for n := range c.Layers() - 1 {
		m, err := p.DropoutMask(n)
		if err != nil {
			t.Fatal(err)
		}
		in.Masks = append(in.Masks, tensor.Convert[float64](m).Data)
	}
	return l, in
}

// timeFirst returns a tensor laid out like the input as [T,B,...] in float64.
func (k *trial[F]) timeFirst(d tensor.DenseOf[F]) []float64 {
	size := d.Shape[len(d.Shape)-1]
	out := make([]float64, 0, len(d.Data))
	for i := range k.t {
		for b := range k.b {
			for _, v := range d.Data[k.at(i, b, size):][:size] {
				out = append(out, float64(v))
			}
		}
	}
	return out
}

// near reports whether got is within rel of want's largest number, or of 1.
func near[F tensor.Float](got []F, want []float64, rel float64) error {
	largest := 1.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	return testkit.Near(got, want, testkit.Tol{Abs: rel * largest})
}

// moved returns how far the textbook's states and outputs move, as a share of the largest
// of them, if each number of its input moves by a unit, up or down.
func moved(l ref.Layer, in ref.Input, unit float64) float64 {
	g := rng.New(1)
	up := make([]float32, len(in.X))
	rng.Rand(g, up)
	was := ref.Run(l, in)
	in.X = slices.Clone(in.X)
	for i := range in.X {
		in.X[i] *= 1 + math.Copysign(unit, float64(up[i])-0.5)
	}
	now, largest, most := ref.Run(l, in), 1.0, 0.0
	far := func(a, b []float64) {
		for i := range a {
			largest, most = max(largest, math.Abs(a[i])), max(most, math.Abs(a[i]-b[i]))
		}
	}
	far(was.Y, now.Y)
	for i := range was.Record {
		far(was.Record[i].Hidden, now.Record[i].Hidden)
		far(was.Record[i].Cell, now.Record[i].Cell)
	}
	return most / largest
}

// Output, final state, and after a recorded run every hidden state, cell state
// and gate of each layer, direction and step, read in one call each, are those
// of the equations as scalar loops in float64. The bound is 1e-12 for float64;
// for float32 it is 64 units in the last place of the largest number: 20 steps
// of 3 layers pass their rounding on. Functions that are drawn may make a network in
// which a rounding grows from step to step (a GRU whose z is a tanh doubles its state):
// where the textbook itself moves by more than 4 units if its input does by one, the
// bound is 16 times what it moves.
func TestResultsAndRecordAreTheTextbook(t *testing.T) {
	bothTypes(t,
		func(t *rapid.T) { likeTheTextbook[float32](t, 64*0x1p-23) },
		func(t *rapid.T) { likeTheTextbook[float64](t, 1e-12) })
}

func likeTheTextbook[F tensor.Float](t *rapid.T, rel float64) {
	k := drawTrial[F](t, bounds{})
	c := k.layer.Config()
	p := k.pass()
	p.Record = true
	y, sn, err := p.Forward(k.x, k.s0)
	if err != nil {
		t.Fatal(err)
	}
	book, in := k.textbook(t, p)
	want, asked := ref.Run(book, in), false
	differ := func(got, want []float64) error {
		err := near(got, want, rel)
		if err != nil && !asked {
			asked, rel = true, max(rel, 16*moved(book, in, rel/64))
			err = near(got, want, rel)
		}
		return err
	}
	check := func(what string, got []F, want []float64) {
		if err := differ(tensor.Convert[float64](tensor.DenseOf[F]{Shape: []int{len(got)}, Data: got}).Data, want); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if err := differ(k.timeFirst(y), want.Y); err != nil {
		t.Fatalf("y: %v", err)
	}
	check("h_n", sn.H.Data, want.HN)
	check("c_n", sn.C.Data, want.CN)
	for l := range c.Layers() {
		for d := range c.Directions() {
			rec, at := want.Record[l*c.Directions()+d], fmt.Sprintf(" of layer %d, direction %d", l, d)
			read := func(name string, want []float64, size int, got tensor.DenseOf[F], err error) {
				if err != nil {
					t.Fatalf("%s%s: %v", name, at, err)
				}
				shape := []int{k.t, k.b, size}
				if !k.batched {
					shape = []int{k.t, size}
				}
				if fmt.Sprint(got.Shape) != fmt.Sprint(shape) {
					t.Fatalf("%s%s has shape %v, want %v", name, at, got.Shape, shape)
				}
				check(name+at, got.Data, want)
			}
			h, err := p.Hidden(l, d)
			read("hidden", rec.Hidden, c.StateSize(), h, err)
			if c.HasCell() {
				h, err = p.Cell(l, d)
				read("cell", rec.Cell, c.HiddenSize, h, err)
			}
			if k.masked != nil {
				continue // their gates are not defined
			}
			for _, name := range gateNames(k.layer) {
				h, err = p.Gate(l, d, name)
				gate := rec.Gates[name]
				if name == "h" && c.Mode != unroll.LSTM {
					gate = rec.Hidden // an RNN's only gate
				}
				read("gate "+name, gate, c.HiddenSize, h, err)
			}
		}
	}
}
