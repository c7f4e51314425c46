package unroll_test

import (
	"errors"
	"fmt"

	"pgregory.net/rapid"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// trial is a layer, what it is given, and how it runs.
type trial[F tensor.Float] struct {
	layer   *unroll.LayerOf[F]
	x       tensor.DenseOf[F]
	s0      unroll.StateOf[F] // the zero value, or both of its tensors
	t, b    int
	batched bool
	lengths []int
	resets  []bool
	masked  []bool
	train   bool
	low     bool   // not of full precision, so that there is no Backward
	seed    uint64 // of the dropout masks
	dy      tensor.DenseOf[F]
	dsn     unroll.StateOf[F]
}

// bounds are what a property leaves out because it does not hold there.
type bounds struct {
	oneWay, noLengths, noResets, noMasks, noTrain, alwaysBatched bool

	anyPrecision bool // this one it may have
}

// The sizes lie on both sides of what kernels take at once: 16 units, panels of
// 48 and 64 columns, 6 and 8 rows, 64 rows of a step, 128 rows of a chunk, 512
// rows of a wavefront.
var (
	unitSizes  = []int{1, 2, 3, 5, 15, 16, 17, 33, 64, 65}
	inputSizes = []int{0, 1, 2, 3, 7, 16, 33}
	batchSizes = []int{0, 1, 1, 2, 3, 5, 6, 7, 9, 17, 65}
	stepCounts = []int{1, 1, 2, 3, 4, 7, 12, 40}
)

// drawTrial draws a trial with every option a layer and a pass have.
func drawTrial[F tensor.Float](t *rapid.T, not bounds) trial[F] {
	c := unroll.Config{
		Mode:       unroll.Mode(rapid.IntRange(0, 3).Draw(t, "mode")),
		InputSize:  rapid.SampledFrom(inputSizes).Draw(t, "input_size"),
		HiddenSize: rapid.SampledFrom(unitSizes).Draw(t, "hidden_size"),
		NumLayers:  rapid.IntRange(0, 3).Draw(t, "num_layers"),
		NoBias:     rapid.Bool().Draw(t, "no bias"),
		BatchFirst: rapid.Bool().Draw(t, "batch_first"),
	}
	c.Bidirectional = !not.oneWay && rapid.Bool().Draw(t, "bidirectional")
	if c.Mode == unroll.LSTM && c.HiddenSize > 1 && rapid.Bool().Draw(t, "projected") {
		c.ProjSize = rapid.IntRange(1, c.HiddenSize-1).Draw(t, "proj_size")
	}
	if rapid.IntRange(0, 2).Draw(t, "a variant") == 0 {
		c.Variant = drawVariant(t, c, not)
	}
	if !not.noTrain {
		c.Dropout = rapid.SampledFrom([]float64{0, 0.3, 0.5, 1}).Draw(t, "dropout")
	}
	k := newTrial[F](t, c, rapid.Uint64Range(0, 1000).Draw(t, "seed"))
	if _, single := any(F(0)).(float32); single && not.anyPrecision {
		k.lower(t)
	}
	k.t, k.b, k.batched = rapid.SampledFrom(stepCounts).Draw(t, "T"), 1, true
	if not.alwaysBatched || rapid.IntRange(0, 4).Draw(t, "batched") > 0 {
		k.b = rapid.SampledFrom(batchSizes).Draw(t, "B")
	} else {
		k.batched = false
	}
	k.train = !not.noTrain && !k.low && rapid.Bool().Draw(t, "train")
	if !not.noLengths && rapid.Bool().Draw(t, "lengths") {
		k.lengths = rapid.SliceOfN(rapid.IntRange(1, k.t), k.b, k.b).Draw(t, "each length")
	}
	if !not.noResets && rapid.Bool().Draw(t, "resets") {
		k.resets = rapid.SliceOfN(rapid.Bool(), k.t*k.b, k.t*k.b).Draw(t, "each reset")
	}
	if !not.noMasks && rapid.IntRange(0, 3).Draw(t, "masked") == 0 {
		k.masked = rapid.SliceOfN(rapid.Bool(), k.t*k.b, k.t*k.b).Draw(t, "each mask")
	}
	k.fill(rapid.Bool().Draw(t, "s0"))
	return k
}

// lower draws a precision, and layers that keep theirs.
func (k *trial[F]) lower(t *rapid.T) {
	p := unroll.Precision(rapid.IntRange(0, int(lastPrecision)).Draw(t, "precision"))
	if p == unroll.Full {
		return
	}
	layers := k.layer.Config().Layers()
	keep := rapid.SliceOfN(rapid.IntRange(0, layers-1), 0, layers-1).Draw(t, "keep")
	l, err := k.layer.Quantize(p, keep...)
	if err != nil {
		t.Fatal(err)
	}
	k.layer, k.low = l, true
}

// lastPrecision is the last of the precisions.
const lastPrecision = unroll.BFloat16

// drawVariant draws what ONNX and Keras allow of a cell. Functions of gates that
// multiply a state are bounded, and none jumps, so that float32 stays close to
// the textbook.
func drawVariant(t *rapid.T, c unroll.Config, not bounds) (v unroll.Variant) {
	v.Reverse = !not.oneWay && !c.Bidirectional && rapid.Bool().Draw(t, "reverse")
	bounded := []unroll.Activation{{}, {Name: "Sigmoid"}, {Name: "HardSigmoid", Alpha: 0.2, Beta: 0.5}, {Name: "Softsign"}, {Name: "ScaledTanh", Alpha: 0.8, Beta: 1.2}, {Name: "Tanh"}}
	any := append(bounded, unroll.Activation{Name: "Relu"}, unroll.Activation{Name: "Affine", Alpha: 0.7, Beta: 0.1},
		unroll.Activation{Name: "LeakyRelu", Alpha: 0.1}, unroll.Activation{Name: "Elu", Alpha: 0.9}, unroll.Activation{Name: "Softplus"},
		unroll.Activation{Name: "Selu"}, unroll.Activation{Name: "Celu", Alpha: 0.8}, unroll.Activation{Name: "Clip", Alpha: -1, Beta: 2}, unroll.Activation{Name: "LogSigmoid"},
		unroll.Activation{Name: "Squareplus", Alpha: 4})
	list := func(name string) (all [3]unroll.Activation) {
		all[0] = rapid.SampledFrom(bounded).Draw(t, name+" f")
		switch c.Mode {
		case unroll.LSTM:
			all[1], all[2] = rapid.SampledFrom(any).Draw(t, name+" g"), rapid.SampledFrom(any).Draw(t, name+" h")
		case unroll.GRU:
			all[1] = rapid.SampledFrom(any).Draw(t, name+" g")
		default:
			all[0] = rapid.SampledFrom(any).Draw(t, name+" f")
		}
		return all
	}
	if rapid.Bool().Draw(t, "functions") {
		v.Activations = list("activation")
		if c.Bidirectional && rapid.Bool().Draw(t, "others in reverse") {
			v.ReverseActivations = list("reverse activation")
		}
	}
	if rapid.IntRange(0, 2).Draw(t, "clip") == 0 {
		v.Clip = 0.5
	}
	switch c.Mode {
	case unroll.LSTM:
		v.InputForget, v.Peepholes = rapid.IntRange(0, 3).Draw(t, "input_forget") == 0, rapid.Bool().Draw(t, "peepholes")
	case unroll.GRU:
		v.ResetBefore = rapid.Bool().Draw(t, "reset before")
	}
	return v
}

// fataler is what a *testing.T and a *rapid.T have in common here.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// newTrial returns a trial of a layer with drawn parameters; sizes and options
// are to be set, then fill makes the rest.
func newTrial[F tensor.Float](t fataler, c unroll.Config, seed uint64) trial[F] {
	t.Helper()
	l, err := unroll.NewOf[F](c)
	if err != nil {
		t.Fatal(err)
	}
	l.ResetParameters(rng.New(seed))
	return trial[F]{layer: l, seed: seed, batched: true}
}

// fill draws the input, the gradients of the results and, if wanted, the
// initial state.
func (k *trial[F]) fill(withState bool) {
	g := rng.New(k.seed + 1)
	c := k.layer.Config()
	random := func(shape ...int) tensor.DenseOf[F] {
		d := tensor.NewOf[F](shape...)
		rng.Randn(g, d.Data)
		return d
	}
	state := func() (s unroll.StateOf[F]) {
		ld := c.Layers() * c.Directions()
		s.H = random(k.stateShape(ld, c.StateSize())...)
		if c.HasCell() {
			s.C = random(k.stateShape(ld, c.HiddenSize)...)
		}
		return s
	}
	k.x = random(k.shape(c.InputSize)...)
	k.dy, k.dsn = random(k.shape(c.OutputSize())...), state()
	if withState {
		k.s0 = state()
	}
}

// shape is that of the input or output.
func (k *trial[F]) shape(size int) []int {
	switch {
	case !k.batched:
		return []int{k.t, size}
	case k.layer.Config().BatchFirst:
		return []int{k.b, k.t, size}
	}
	return []int{k.t, k.b, size}
}

func (k *trial[F]) stateShape(layers, size int) []int {
	if !k.batched {
		return []int{layers, size}
	}
	return []int{layers, k.b, size}
}

// at returns where the vector of step t and sequence b begins in a tensor laid
// out as the input.
func (k *trial[F]) at(t, b, size int) int {
	if k.batched && k.layer.Config().BatchFirst {
		return (b*k.t + t) * size
	}
	return (t*k.b + b) * size
}

// length returns the length of sequence b.
func (k *trial[F]) length(b int) int {
	if k.lengths == nil {
		return k.t
	}
	return k.lengths[b]
}

// pass returns a pass with the trial's options.
func (k *trial[F]) pass() *unroll.PassOf[F] {
	return &unroll.PassOf[F]{Layer: k.layer, Train: k.train, Generator: rng.New(k.seed), Lengths: k.lengths, Resets: k.resets, Masked: k.masked}
}

// numbers are results under their names.
type numbers[F tensor.Float] []struct {
	name string
	data []F
}

func (n *numbers[F]) add(name string, d tensor.DenseOf[F]) {
	*n = append(*n, struct {
		name string
		data []F
	}{name, d.Clone().Data})
}

// same returns an error if the bits of any two differ.
func (n numbers[F]) same(want numbers[F]) error {
	if len(n) != len(want) {
		return fmt.Errorf("%d results, want %d", len(n), len(want))
	}
	for i, w := range want {
		if n[i].name != w.name {
			return fmt.Errorf("result %s, want %s", n[i].name, w.name)
		}
		if err := testkit.SameBits(n[i].data, w.data); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

// forward runs a pass and returns output and final state.
func (k *trial[F]) forward(t fataler, p *unroll.PassOf[F]) numbers[F] {
	t.Helper()
	y, sn, err := p.Forward(k.x, k.s0)
	if err != nil {
		t.Fatal(err)
	}
	return results(y, sn)
}

func results[F tensor.Float](y tensor.DenseOf[F], sn unroll.StateOf[F]) numbers[F] {
	var n numbers[F]
	n.add("y", y)
	n.add("h_n", sn.H)
	n.add("c_n", sn.C)
	return n
}

// record returns all that a recorded pass tells.
func record[F tensor.Float](t fataler, p *unroll.PassOf[F]) numbers[F] {
	t.Helper()
	var n numbers[F]
	c := p.Layer.Config()
	read := func(name string, d tensor.DenseOf[F], err error) {
		if err != nil {
			t.Fatal(err)
		}
		n.add(name, d)
	}
	for l := range c.Layers() {
		for d := range c.Directions() {
			at := fmt.Sprintf(" of layer %d direction %d", l, d)
			h, err := p.Hidden(l, d)
			read("h"+at, h, err)
			if c.HasCell() {
				h, err = p.Cell(l, d)
				read("c"+at, h, err)
			}
			for _, name := range gateNames(p.Layer) {
				h, err = p.Gate(l, d, name)
				read(name+at, h, err)
			}
		}
		if l < c.Layers()-1 {
			m, err := p.DropoutMask(l)
			read(fmt.Sprintf("mask of layer %d", l), m, err)
		}
	}
	return n
}

// gateNames are the gates, and what else Gate gives.
func gateNames[F tensor.Float](l *unroll.LayerOf[F]) []string {
	names := append([]string{}, l.Gates()...)
	switch c := l.Config(); {
	case c.Mode == unroll.GRU && !c.Variant.ResetBefore:
		names = append(names, "nh")
	case c.ProjSize > 0:
		names = append(names, "h")
	}
	return names
}

// backward runs a recorded pass backwards and returns all gradients.
func (k *trial[F]) backward(t fataler, p *unroll.PassOf[F]) numbers[F] {
	t.Helper()
	dx, ds, err := p.Backward(k.dy, k.dsn)
	if k.low {
		if !errors.Is(err, unroll.ErrUsage) {
			t.Fatalf("Backward of a layer that is not of full precision: %v", err)
		}
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return gradients(dx, ds, p.Grads)
}

func gradients[F tensor.Float](dx tensor.DenseOf[F], ds unroll.StateOf[F], grads *unroll.GradsOf[F]) numbers[F] {
	var n numbers[F]
	n.add("dx", dx)
	n.add("dh_0", ds.H)
	n.add("dc_0", ds.C)
	for _, q := range grads.Params() {
		n.add("gradient of "+q.Name, q.Value)
	}
	return n
}
