package unroll_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/ref"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// losses are functions of all results and their gradients by them.
var losses = []struct {
	name string
	// of returns the loss; a, u and v are fixed weights as long as y, hn and cn.
	of func(y, hn, cn, a, u, v []float64) float64
	// by returns the gradient of one result, whose weights are w, or nil for none.
	by func(result string, r, w []float64) []float64
}{
	{
		"all outputs",
		func(y, _, _, a, _, _ []float64) float64 { return dot(y, a) },
		func(result string, _, w []float64) []float64 {
			if result == "y" {
				return w
			}
			return nil
		},
	},
	{
		"last state",
		func(_, hn, cn, _, u, v []float64) float64 { return dot(hn, u) + dot(cn, v) },
		func(result string, _, w []float64) []float64 {
			if result == "y" {
				return nil
			}
			return w
		},
	},
	{
		"squares",
		func(y, hn, cn, _, _, _ []float64) float64 { return (dot(y, y) + dot(hn, hn) + dot(cn, cn)) / 2 },
		func(_ string, r, _ []float64) []float64 { return r },
	},
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// gradientCases are small layers with every option, by name.
func gradientCases(t *testing.T) map[string]trial[float64] {
	all := map[string]trial[float64]{}
	options := map[string]func(c *unroll.Config, k *trial[float64]){
		"plain":             func(*unroll.Config, *trial[float64]) {},
		"no bias":           func(c *unroll.Config, _ *trial[float64]) { c.NoBias = true },
		"batch_first":       func(c *unroll.Config, _ *trial[float64]) { c.BatchFirst = true },
		"unbatched":         func(_ *unroll.Config, k *trial[float64]) { k.b, k.batched = 1, false },
		"lengths":           func(_ *unroll.Config, k *trial[float64]) { k.lengths = []int{2, 4} },
		"resets":            func(_ *unroll.Config, k *trial[float64]) { k.resets = resetsOf4x2 },
		"masks":             func(_ *unroll.Config, k *trial[float64]) { k.masked = masksOf4x2 },
		"masks at the ends": func(_ *unroll.Config, k *trial[float64]) { k.masked, k.lengths = masksAtTheEnds, []int{4, 3} },
		"dropout":           func(c *unroll.Config, k *trial[float64]) { c.NumLayers, c.Dropout, k.train = 3, 0.4, true },
		"all":               func(c *unroll.Config, k *trial[float64]) { everything(c, k) },
		"reverse":           func(c *unroll.Config, _ *trial[float64]) { c.Variant.Reverse = !c.Bidirectional },
		"functions": func(c *unroll.Config, _ *trial[float64]) {
			c.Variant.Activations = [3]unroll.Activation{{Name: "HardSigmoid", Alpha: 0.3, Beta: 0.5}, {Name: "Softsign"}, {Name: "ScaledTanh", Alpha: 1.1, Beta: 0.8}}
			if c.Bidirectional {
				c.Variant.ReverseActivations = [3]unroll.Activation{{Name: "Softplus"}, {Name: "Elu", Alpha: 0.7}, {Name: "LeakyRelu", Alpha: 0.3}}
			}
			keep(c)
		},
		"functions of Keras": func(c *unroll.Config, _ *trial[float64]) {
			c.Variant.Activations = [3]unroll.Activation{{Name: "Clip", Alpha: -0.6, Beta: 0.9}, {Name: "Selu"}, {Name: "LogSigmoid"}}
			if c.Bidirectional {
				c.Variant.ReverseActivations = [3]unroll.Activation{{Name: "Squareplus", Alpha: 0.5}, {Name: "Celu", Alpha: 0.7}, {Name: "Clip", Alpha: -1.5, Beta: 1.5}}
			}
			keep(c)
		},
		"clip": func(c *unroll.Config, _ *trial[float64]) { c.Variant.Clip = 0.6 },
		"of its own": func(c *unroll.Config, _ *trial[float64]) {
			c.Variant.Peepholes, c.Variant.ResetBefore = c.Mode == unroll.LSTM, c.Mode == unroll.GRU
		},
		"of its own and all": func(c *unroll.Config, k *trial[float64]) {
			c.Variant.Peepholes, c.Variant.ResetBefore = c.Mode == unroll.LSTM, c.Mode == unroll.GRU
			everything(c, k)
		},
		"input_forget": func(c *unroll.Config, _ *trial[float64]) {
			c.Variant.Peepholes, c.Variant.InputForget = c.Mode == unroll.LSTM, c.Mode == unroll.LSTM
		},
		"peepholes and projection": func(c *unroll.Config, k *trial[float64]) {
			c.HiddenSize, c.ProjSize, c.Variant.Peepholes = 3, 2, c.Mode == unroll.LSTM
			everything(c, k)
		},
		"projection":         func(c *unroll.Config, _ *trial[float64]) { c.HiddenSize, c.ProjSize = 3, 2 },
		"projection and all": func(c *unroll.Config, k *trial[float64]) { c.HiddenSize, c.ProjSize = 3, 2; everything(c, k) },
	}
	for mode := unroll.RNNTanh; mode <= unroll.GRU; mode++ {
		for _, both := range []bool{false, true} {
			for option, set := range options {
				c := unroll.Config{Mode: mode, InputSize: 2, HiddenSize: 2, NumLayers: 2, Bidirectional: both}
				k := trial[float64]{t: 4, b: 2, batched: true}
				set(&c, &k)
				if c.ProjSize > 0 && mode != unroll.LSTM {
					continue
				}
				made := newTrial[float64](t, c, 11)
				k.layer, k.seed = made.layer, made.seed
				k.fill(true)
				all[fmt.Sprintf("%s, %d directions, %s", mode, c.Directions(), option)] = k
			}
		}
	}
	return all
}

// keep clears the functions that the mode does not have.
func keep(c *unroll.Config) {
	n := map[unroll.Mode]int{unroll.LSTM: 3, unroll.GRU: 2}[c.Mode]
	for i := max(n, 1); i < 3; i++ {
		c.Variant.Activations[i], c.Variant.ReverseActivations[i] = unroll.Activation{}, unroll.Activation{}
	}
}

var (
	resetsOf4x2    = []bool{true, false, false, true, true, false, false, true}
	masksOf4x2     = []bool{false, true, true, false, false, true, false, false}
	masksAtTheEnds = []bool{true, true, false, true, false, true, true, true} // the second sequence has nothing else
)

func everything(c *unroll.Config, k *trial[float64]) {
	c.NumLayers, c.Dropout, k.train, c.BatchFirst = 3, 0.4, true, true
	k.lengths, k.resets, k.masked = []int{3, 4}, resetsOf4x2, masksOf4x2
}

// Every gradient, of each parameter, the input and the initial state, is the
// slope of the textbook: central differences over all elements, in float64, for
// three losses. Dropout runs with the masks that the pass recorded.
func TestGradientsAreTheSlopesOfTheTextbook(t *testing.T) {
	turn := 0
	for name, k := range gradientCases(t) {
		turn++
		for i, loss := range losses {
			if testing.Short() && (turn+i)%len(losses) != 0 {
				continue
			}
			t.Run(name+", "+loss.name, func(t *testing.T) { checkGradients(t, k, i) })
		}
	}
}

func checkGradients(t *testing.T, k trial[float64], n int) {
	loss, p := losses[n], k.pass()
	p.Record = true
	y, sn, err := p.Forward(k.x, k.s0)
	if err != nil {
		t.Fatal(err)
	}
	a := k.timeFirst(k.dy)
	grad := func(result string, r, w tensor.DenseOf[float64]) tensor.DenseOf[float64] {
		if d := loss.by(result, r.Data, w.Data); d != nil {
			return tensor.DenseOf[float64]{Shape: r.Shape, Data: d}
		}
		return tensor.DenseOf[float64]{}
	}
	dsn := unroll.StateOf[float64]{H: grad("h_n", sn.H, k.dsn.H)}
	if k.layer.Config().HasCell() {
		dsn.C = grad("c_n", sn.C, k.dsn.C)
	}
	dx, ds, err := p.Backward(grad("y", y, k.dy), dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, in := k.textbook(t, p)
	value := func() float64 {
		r := ref.Run(l, in)
		return loss.of(r.Y, r.HN, r.CN, a, k.dsn.H.Data, k.dsn.C.Data)
	}
	testkit.Gradient(t, "the input", value, in.X, k.timeFirst(dx))
	testkit.Gradient(t, "h_0", value, in.H0, ds.H.Data)
	testkit.Gradient(t, "c_0", value, in.C0, ds.C.Data)
	for _, q := range p.Grads.Params() {
		testkit.Gradient(t, q.Name, value, l.Params[q.Name], q.Value.Data)
	}
}

// Truncated backpropagation: a sequence in chunks, each a pass of its own, with
// the gradient of each chunk's initial state handed to the chunk before it as
// that of its final state, gives the gradients of the whole. In float64 they
// agree to 1e-13 of the largest; the sums over time are cut at the borders.
func TestGradientsCrossTheBordersOfChunks(t *testing.T) {
	exact := 0
	for mode := unroll.RNNTanh; mode <= unroll.GRU; mode++ {
		for _, proj := range []int{0, 3} {
			if proj > 0 && mode != unroll.LSTM {
				continue
			}
			k := newTrial[float64](t, unroll.Config{Mode: mode, InputSize: 3, HiddenSize: 5, NumLayers: 2, ProjSize: proj}, 7)
			k.t, k.b = 9, 3
			k.fill(true)
			whole := k.pass()
			whole.Record = true
			k.forward(t, whole)
			want := k.backward(t, whole)
			got := inChunks(t, &k, []int{0, 4, 5, 9})
			for i, w := range want {
				if got[i].name != w.name {
					t.Fatalf("%s stands where %s should", got[i].name, w.name)
				}
				// Sums over time begin with the last piece, and have other bits.
				if !strings.Contains(w.name, "_l") {
					exact++
					testkit.Bits(t, fmt.Sprintf("%s, proj_size %d: %s", mode, proj, w.name), got[i].data, w.data)
				} else if err := near(got[i].data, w.data, 1e-13); err != nil {
					t.Errorf("%s, proj_size %d: %s: %v", mode, proj, w.name, err)
				}
			}
		}
	}
	if exact < 10 {
		t.Errorf("%d gradients of inputs and states were compared, want 2 or 3 of each of 5 layers", exact)
	}
}

// inChunks runs the trial in chunks between the given borders and returns its
// gradients.
func inChunks(t *testing.T, k *trial[float64], borders []int) numbers[float64] {
	t.Helper()
	c, grads := k.layer.Config(), k.layer.NewGrads()
	steps := func(d tensor.DenseOf[float64], from, to int) tensor.DenseOf[float64] {
		n := k.b * d.Shape[2]
		return tensor.DenseOf[float64]{Shape: []int{to - from, k.b, d.Shape[2]}, Data: d.Data[from*n : to*n]}
	}
	var passes []*unroll.PassOf[float64]
	s := k.s0
	for i, from := range borders[:len(borders)-1] {
		p := &unroll.PassOf[float64]{Layer: k.layer, Record: true, Grads: grads}
		_, sn, err := p.Forward(steps(k.x, from, borders[i+1]), s)
		if err != nil {
			t.Fatal(err)
		}
		passes, s = append(passes, p), sn
	}
	dx, ds := tensor.NewOf[float64](k.t, k.b, c.InputSize), k.dsn
	for i := len(passes) - 1; i >= 0; i-- {
		d, d0, err := passes[i].Backward(steps(k.dy, borders[i], borders[i+1]), ds)
		if err != nil {
			t.Fatal(err)
		}
		copy(dx.Data[borders[i]*k.b*c.InputSize:], d.Data)
		ds = d0
	}
	return gradients(dx, ds, grads)
}

// Absent gradients of results are zeros, and a gradient that nothing reaches is
// zero: dy beyond a sequence's end, and x there.
func TestAbsentGradientsAreZeros(t *testing.T) {
	k := newTrial[float64](t, unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 3, NumLayers: 2}, 3)
	k.t, k.b, k.lengths = 5, 2, []int{5, 2}
	k.fill(true)
	zeros := func(d tensor.DenseOf[float64]) tensor.DenseOf[float64] { return tensor.NewOf[float64](d.Shape...) }
	run := func(dy tensor.DenseOf[float64], dsn unroll.StateOf[float64]) numbers[float64] {
		q := k
		q.dy, q.dsn = dy, dsn
		p := q.pass()
		p.Record = true
		q.forward(t, p)
		return q.backward(t, p)
	}
	type state = unroll.StateOf[float64]
	for what, c := range map[string][2]numbers[float64]{
		"dy":  {run(tensor.DenseOf[float64]{}, k.dsn), run(zeros(k.dy), k.dsn)},
		"dsn": {run(k.dy, state{}), run(k.dy, state{H: zeros(k.dsn.H), C: zeros(k.dsn.C)})},
		"dhn": {run(k.dy, state{C: k.dsn.C}), run(k.dy, state{H: zeros(k.dsn.H), C: k.dsn.C})},
		"dcn": {run(k.dy, state{H: k.dsn.H}), run(k.dy, state{H: k.dsn.H, C: zeros(k.dsn.C)})},
	} {
		if err := c[0].same(c[1]); err != nil {
			t.Errorf("without %s: %v", what, err)
		}
	}
	dx := run(k.dy, k.dsn)[0].data
	for i := 2; i < k.t; i++ {
		for _, v := range dx[k.at(i, 1, 2):][:2] {
			if v != 0 {
				t.Errorf("dx is %v at step %d of a sequence of 2", v, i)
			}
		}
	}
}

// A Backward needs the record of a Forward of the same layer with the same
// parameters.
func TestBackwardRefusesAStaleRecord(t *testing.T) {
	k := newTrial[float64](t, unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3}, 3)
	k.t, k.b = 3, 2
	k.fill(false)
	p := k.pass()
	refused := func(why string) {
		t.Helper()
		if _, _, err := p.Backward(k.dy, k.dsn); !isArg(err, unroll.ErrUsage) {
			t.Errorf("%s: %v", why, err)
		}
	}
	refused("before a Forward")
	k.forward(t, p)
	refused("unrecorded")
	p.Record = true
	k.forward(t, p)
	k.backward(t, p)
	k.layer.ResetParameters(rng.New(1))
	refused("parameters that changed")
	k.forward(t, p)
	other := newTrial[float64](t, unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 30}, 3)
	p.Layer = other.layer
	refused("another layer")
	if _, err := p.Hidden(0, 0); !isArg(err, unroll.ErrUsage) {
		t.Errorf("record of another layer: %v", err)
	}
	p.Layer = k.layer
	k.backward(t, p)
	if _, _, err := p.Forward(tensor.NewOf[float64](0, 2, 2), k.s0); !isArg(err, unroll.ErrShape) {
		t.Errorf("no steps: %v", err)
	}
	refused("after a Forward that failed")
	k.forward(t, p)
	p.Grads = other.layer.NewGrads()
	if _, _, err := p.Backward(k.dy, k.dsn); !isArg(err, unroll.ErrShape) {
		t.Errorf("gradients of another layer: %v", err)
	}
}
