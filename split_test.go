package unroll_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// The single layers of a stack, each fed with the joined outputs of the one
// below, give the stack's output and states bit for bit; a reverse direction
// reads its input backwards in time and writes its output so.
func TestSplitChainIsTheStack(t *testing.T) {
	bothTypes(t, splitChain[float32], splitChain[float64])
}

func splitChain[F tensor.Float](t *rapid.T) {
	k := drawTrial[F](t, bounds{noLengths: true, noMasks: true, noTrain: true, alwaysBatched: true, anyPrecision: true})
	c := k.layer.Config()
	wantY, wantS, err := k.pass().Forward(k.x, k.s0)
	if err != nil {
		t.Fatal(err)
	}
	want := results(wantY, wantS)
	x := k.x
	sn := unroll.StateOf[F]{H: tensor.NewOf[F](wantS.H.Shape...)}
	if c.HasCell() {
		sn.C = tensor.NewOf[F](wantS.C.Shape...)
	}
	for n, parts := range k.layer.Split() {
		if len(parts) != c.Directions() {
			t.Fatalf("layer %d has %d directions, want %d", n, len(parts), c.Directions())
		}
		joined := tensor.NewOf[F](k.shape(c.OutputSize())...)
		for d, part := range parts {
			in, resets := x, k.resets
			if d == 1 {
				in, resets = backwards(&k, x), backwardResets(&k)
			}
			p := &unroll.PassOf[F]{Layer: part, Resets: resets}
			i := n*c.Directions() + d
			y, s, err := p.Forward(in, oneLayer(k.s0, i))
			if err != nil {
				t.Fatal(err)
			}
			if d == 1 {
				y = backwards(&k, y)
			}
			for row := range k.t * k.b {
				size := c.StateSize()
				copy(joined.Data[(row*c.Directions()+d)*size:][:size], y.Data[row*size:])
			}
			copy(oneLayer(sn, i).H.Data, s.H.Data)
			copy(oneLayer(sn, i).C.Data, s.C.Data)
		}
		x = joined
	}
	if err := results(x, sn).same(want); err != nil {
		t.Fatal(err)
	}
}

// backwards returns a tensor laid out like the input, its steps turned round.
func backwards[F tensor.Float](k *trial[F], d tensor.DenseOf[F]) tensor.DenseOf[F] {
	out := tensor.NewOf[F](d.Shape...)
	for i := range k.t {
		copySteps(k, out, k, d, d.Shape[2], k.t-1-i, i, 1)
	}
	return out
}

// backwardResets turns the boundaries round: that before step t is then before
// step T-t.
func backwardResets[F tensor.Float](k *trial[F]) []bool {
	if k.resets == nil {
		return nil
	}
	out := make([]bool, len(k.resets))
	for i := 1; i < k.t; i++ {
		copy(out[(k.t-i)*k.b:][:k.b], k.resets[i*k.b:])
	}
	return out
}

// oneLayer returns the states [1,B,...] of layer and direction i, which share
// their memory with s.
func oneLayer[F tensor.Float](s unroll.StateOf[F], i int) unroll.StateOf[F] {
	half := func(d tensor.DenseOf[F]) tensor.DenseOf[F] {
		if d.IsZero() {
			return d
		}
		n := d.Shape[1] * d.Shape[2]
		return tensor.DenseOf[F]{Shape: []int{1, d.Shape[1], d.Shape[2]}, Data: d.Data[i*n : (i+1)*n]}
	}
	return unroll.StateOf[F]{H: half(s.H), C: half(s.C)}
}

// The parameters of a stack and its single layers are the same memory, and a
// change by either is seen by both: the packed copies are made anew.
func TestSplitSharesParameters(t *testing.T) {
	stack, err := unroll.New(unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, NumLayers: 2, Bidirectional: true})
	if err != nil {
		t.Fatal(err)
	}
	stack.ResetParameters(rng.New(1))
	parts := stack.Split()
	var all []unroll.Param
	for _, directions := range parts {
		for _, part := range directions {
			all = append(all, part.Params()...)
			if name := part.Params()[0].Name; name != "weight_ih_l0" {
				t.Errorf("a single layer calls its first parameter %s", name)
			}
		}
	}
	for i, p := range stack.Params() {
		if &p.Value.Data[0] != &all[i].Value.Data[0] || !slices.Equal(p.Value.Shape, all[i].Value.Shape) {
			t.Errorf("%s does not share its memory with the single layer's %s", p.Name, all[i].Name)
		}
	}
	x := tensor.New(2, 1, 3)
	rng.Randn(rng.New(2), x.Data)
	lower, upper := tensor.New(2, 1, 3), tensor.New(2, 1, 8)
	rng.Randn(rng.New(3), upper.Data)
	run := func(l *unroll.Layer, x tensor.Dense) []float32 {
		t.Helper()
		y, _, err := l.Forward(x, unroll.State{})
		if err != nil {
			t.Fatal(err)
		}
		return y.Data
	}
	before, top := run(stack, x), run(parts[1][1], upper)
	run(parts[0][0], lower)
	stack.Update(func(params []unroll.Param) {
		for _, p := range params {
			for i := range p.Value.Data {
				p.Value.Data[i] += 0.25
			}
		}
	})
	fresh := func(l *unroll.Layer) *unroll.Layer {
		t.Helper()
		same, err := unroll.New(l.Config())
		if err != nil {
			t.Fatal(err)
		}
		params := map[string]tensor.Dense{}
		for _, p := range l.Params() {
			params[p.Name] = p.Value
		}
		if err := same.Load(params); err != nil {
			t.Fatal(err)
		}
		return same
	}
	if got := run(parts[1][1], upper); slices.Equal(got, top) || !slices.Equal(got, run(fresh(parts[1][1]), upper)) {
		t.Error("a single layer does not see the stack's change")
	}
	parts[0][1].ResetParameters(rng.New(9))
	if got := run(stack, x); slices.Equal(got, before) || !slices.Equal(got, run(fresh(stack), x)) {
		t.Error("the stack does not see a single layer's change")
	}
}

// The page's own failure: PyTorch says "mat1 and mat2 shapes cannot be
// multiplied (10x2 and 10x10)" when x goes to layer 1 of RNN(2, 10,
// num_layers=2) as well. Here a person reads which layer, what came, what it
// takes and why.
func TestFeedingXToLayer1IsExplained(t *testing.T) {
	stack, err := unroll.New(unroll.Config{InputSize: 2, HiddenSize: 10, NumLayers: 2})
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(10, 2)
	_, _, err = stack.Split()[1][0].Forward(x, unroll.State{})
	want := "input of RNN(10, 10), layer 1 of the stack RNN(2, 10, num_layers=2): got 2 features, shape [10 2], " +
		"expected input_size 10 as the last dimension; a layer of a stack reads the output of the layer below it; only layer 0 reads x"
	if !isArg(err, unroll.ErrShape) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	_, _, err = stack.Split()[0][0].Forward(tensor.New(10, 3), unroll.State{})
	if !isArg(err, unroll.ErrShape) || strings.Contains(err.Error(), "only layer 0") {
		t.Errorf("3 features in layer 0, which reads x: %v", err)
	}

	// The same mistake in a file: layer 1 with weights for x.
	params := map[string]tensor.Dense{}
	for _, p := range stack.Params() {
		params[p.Name] = p.Value
	}
	params["weight_ih_l1"] = tensor.New(10, 2)
	want = "parameters do not fit RNN(2, 10, num_layers=2): weight_ih_l1 has shape [10 2], expected [10 10] " +
		"(layer 1 reads the output of layer 0, 10 features, not the input)"
	if err := stack.Load(params); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
