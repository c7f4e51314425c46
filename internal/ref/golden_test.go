package ref

import (
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/tensor"
)

type dense = tensor.DenseOf[float64]

// transposed swaps the first two dimensions, [B,T,...] to [T,B,...] and back.
func transposed(d dense) dense {
	a, b, n := d.Shape[0], d.Shape[1], 1
	for _, s := range d.Shape[2:] {
		n *= s
	}
	out := tensor.NewOf[float64](append([]int{b, a}, d.Shape[2:]...)...)
	for i := range a {
		for j := range b {
			copy(out.Data[(j*a+i)*n:][:n], d.Data[(i*b+j)*n:])
		}
	}
	return out
}

// layerOf and inputOf turn a golden case into this package's terms.
func layerOf(g *testkit.File) Layer {
	l := Layer{
		Mode: g.Mode(), InputSize: g.InputSize, HiddenSize: g.HiddenSize, NumLayers: g.NumLayers,
		ProjSize: g.ProjSize, Bidirectional: g.Bidirectional, Params: map[string][]float64{},
	}
	for name, p := range testkit.Params[float64](g, "param.") {
		if g.Kind == "cell" {
			name += "_l0"
		}
		l.Params[name] = p.Data
	}
	return l
}

func inputOf(g *testkit.File) Input {
	x := g.F64("input")
	if g.BatchFirst && g.Batched {
		x = transposed(x)
	}
	in := Input{T: x.Shape[0], B: 1, X: x.Data}
	if g.Batched {
		in.B = x.Shape[1]
	}
	in.H0 = testkit.Optional[float64](g, "hx").Data
	in.C0 = testkit.Optional[float64](g, "cx").Data
	if g.Packed != nil {
		in.Lengths = g.Ints("lengths")
	}
	for _, name := range g.Names("dropout_mask.") {
		m := g.F64(name)
		for i := range m.Data {
			m.Data[i] /= 1 - g.Dropout
		}
		in.Masks = append(in.Masks, m.Data)
	}
	return in
}

// TestGolden: every case's output and last states, in float64 against
// PyTorch's float64. Saturated and packed, projected and one layer by one.
func TestGolden(t *testing.T) {
	testkit.Each(t, func(t *testing.T, g *testkit.File) {
		l, in := layerOf(g), inputOf(g)
		if g.Training && g.Dropout > 0 && len(in.Masks) != g.NumLayers-1 {
			t.Fatalf("%d masks for %d layers", len(in.Masks), g.NumLayers)
		}
		res := Run(l, in)
		want := g.Truth("output")
		y := dense{Shape: []int{in.T, in.B, len(res.Y) / (in.T * in.B)}, Data: res.Y}
		if g.Packed != nil {
			steps := want.Shape[0]
			if g.BatchFirst {
				steps = want.Shape[1]
			}
			y = padded(y, in.Lengths, steps, g.Packed.PaddingValue)
		}
		if g.BatchFirst && g.Batched {
			y = transposed(y)
		}
		y.Shape = shapeLike(want, y)
		testkit.CloseGolden(t, g, "output", y)
		hn := dense{Shape: g.Truth("h_n").Shape, Data: res.HN}
		testkit.CloseGolden(t, g, "h_n", hn)
		if l.Mode == "LSTM" {
			testkit.CloseGolden(t, g, "c_n", dense{Shape: g.Truth("c_n").Shape, Data: res.CN})
		}
		if g.Kind == "split" {
			for layer, name := range []string{"split.l0", "split.l1"} {
				testkit.Close(t, name, res.Record[layer].Hidden, g.F32(name+".output").Data, testkit.Default[float32]())
			}
		}
	})
}

// shapeLike drops the dimension of one sequence where the case is unbatched.
func shapeLike(want, y dense) []int {
	if want.Rank() == 2 && y.Rank() == 3 && y.Shape[1] == 1 {
		return []int{y.Shape[0], y.Shape[2]}
	}
	return y.Shape
}

// padded cuts or extends y [T,B,n] to steps, with value beyond each length.
func padded(y dense, lengths []int, steps int, value float64) dense {
	B, n := y.Shape[1], y.Shape[2]
	out := tensor.NewOf[float64](steps, B, n)
	for i := range out.Data {
		t, b := i/(B*n), i/n%B
		out.Data[i] = value
		if t < lengths[b] {
			out.Data[i] = y.Data[i]
		}
	}
	return out
}

// TestRecordHoldsTheEquations: the recorded gates and states satisfy each
// other, so that an engine's record may be judged by them.
func TestRecordHoldsTheEquations(t *testing.T) {
	testkit.Each(t, func(t *testing.T, g *testkit.File) {
		l, in := layerOf(g), inputOf(g)
		if l.ProjSize > 0 || in.Lengths != nil || strings.HasPrefix(l.Mode, "RNN") {
			return
		}
		res := Run(l, in)
		D, H := g.Directions(), l.HiddenSize
		for k, rec := range res.Record {
			for i := range rec.Hidden {
				t0, b, j := i/(in.B*H), i/H%in.B, i%H
				before := t0 - 1
				if k%D == 1 {
					before = t0 + 1
				}
				prev := func(states, initial []float64) float64 {
					if before >= 0 && before < in.T {
						return states[(before*in.B+b)*H+j]
					}
					if initial == nil {
						return 0
					}
					return initial[(k*in.B+b)*H+j]
				}
				at := func(name string) float64 { return rec.Gates[name][i] }
				var want float64
				if l.Mode == "LSTM" {
					c := at("f")*prev(rec.Cell, in.C0) + at("i")*at("g")
					if math.Abs(c-rec.Cell[i]) > 1e-15*math.Max(1, math.Abs(c)) {
						t.Fatalf("record %d element %d: cell %v, gates give %v", k, i, rec.Cell[i], c)
					}
					want = at("o") * math.Tanh(rec.Cell[i])
				} else {
					want = (1-at("z"))*at("n") + at("z")*prev(rec.Hidden, in.H0)
				}
				if math.Abs(want-rec.Hidden[i]) > 1e-15*math.Max(1, math.Abs(want)) {
					t.Fatalf("record %d element %d: hidden %v, gates give %v", k, i, rec.Hidden[i], want)
				}
			}
		}
	})
}

// TestResetIsANewSequence: a boundary before step t gives what two sequences,
// cut there and each run from the initial state, give; PyTorch has no resets,
// so this is their definition. Per layer, since a deeper layer's reverse
// direction sees both parts.
func TestResetIsANewSequence(t *testing.T) {
	testkit.Each(t, func(t *testing.T, g *testkit.File) {
		l, in := layerOf(g), inputOf(g)
		if in.Lengths != nil || in.T < 3 {
			return
		}
		in.Masks = nil
		cut := in.T/2 + 1
		in.Resets = make([]bool, in.T*in.B)
		for b := range in.B {
			in.Resets[cut*in.B+b] = true
			in.Resets[b] = true // before step 0 there is nothing to cut
		}
		whole := Run(l, in)
		first, second := in, in
		first.Resets, second.Resets = nil, nil
		first.T, first.X = cut, in.X[:cut*in.B*l.InputSize]
		second.T, second.X = in.T-cut, in.X[cut*in.B*l.InputSize:]
		a, b := Run(l, first), Run(l, second)
		testkit.Bits(t, "output", whole.Y, append(a.Y, b.Y...))
		D, n := g.Directions(), len(whole.HN)/l.NumLayers/g.Directions()
		for k := range l.NumLayers * D {
			last := b // forward ends in the second part, reverse in the first
			if k%D == 1 {
				last = a
			}
			testkit.Bits(t, "h_n", whole.HN[k*n:][:n], last.HN[k*n:][:n])
		}
	})
}

// TestLengthsAreShorterSequences: a sequence of a length in a batch gives what
// it gives alone, cut to that length.
func TestLengthsAreShorterSequences(t *testing.T) {
	testkit.Each(t, func(t *testing.T, g *testkit.File) {
		if g.Packed == nil {
			return
		}
		l, in := layerOf(g), inputOf(g)
		in.H0, in.C0 = nil, nil
		res := Run(l, in)
		n := len(res.Y) / (in.T * in.B)
		for b, length := range in.Lengths {
			one := Input{T: length, B: 1}
			for s := range length {
				one.X = append(one.X, in.X[(s*in.B+b)*l.InputSize:][:l.InputSize]...)
			}
			alone := Run(l, one)
			for s := range in.T {
				want := make([]float64, n)
				if s < length {
					want = alone.Y[s*n:][:n]
				}
				testkit.Bits(t, "output", res.Y[(s*in.B+b)*n:][:n], want)
			}
		}
	})
}
