package graph

import (
	"slices"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// Own is the domain of the one operator that is not ONNX's: Layer, a whole
// stacked layer as torch.nn has it, with projection, batch_first and a mask of
// steps. Its attribute "layer" is an *unroll.Layer, which the program shares.
//
//	inputs   x [T,B,I] or, with BatchFirst, [B,T,I]; h_0 [L*D,B,H'], c_0
//	         [L*D,B,H], lengths [B] and mask, true for the steps that count, in
//	         the layout of x: all but x may be absent
//	outputs  y laid out like x, h_n and c_n like h_0 and c_0
const Own = "unroll"

// Layer adds a stacked layer; h0, c0, lengths and mask may be empty. cn is empty
// where the layer has no cell state.
func (b *Builder) Layer(l *unroll.Layer, x, h0, c0, lengths, mask string) (y, hn, cn string) {
	n := Node{Op: "Layer", Domain: Own, Attrs: Attrs{"layer": l}, Inputs: []string{x, h0, c0, lengths, mask}}
	count := 2
	if l.Config().HasCell() {
		count = 3
	}
	for range count {
		n.Outputs = append(n.Outputs, b.fresh("layer"))
	}
	n.Name = n.Outputs[0]
	b.Add(n)
	if count == 3 {
		cn = n.Outputs[2]
	}
	return n.Outputs[0], n.Outputs[1], cn
}

func layerRows() []row {
	return []row{{op: "Layer", domain: Own, min: 1, max: 5, attrs: []string{"layer"}, plan: planLayer, axes: layerAxes}}
}

// layerAxes: sequences do not see each other.
func layerAxes(c *call, in []int) ([]int, bool) {
	l, _ := c.Attrs["layer"].(*unroll.Layer)
	batch := 1
	if l.Config().BatchFirst {
		batch = 0
	}
	for i, want := range []int{batch, 1, 1, 0, batch} {
		if c.has(i) && in[i] != want && (i == 0 || in[i] >= 0 || !c.uniformIn(i, want)) {
			return nil, false
		}
	}
	return []int{batch, 1, 1}, true
}

func planLayer(c *call) (kernel, error) {
	l, ok := attr[*unroll.Layer](c, "layer")
	if !ok || l == nil {
		return nil, c.fail("it has no layer")
	}
	if err := c.is(0, F32, F64); err != nil {
		return nil, err
	}
	if c.typ(0) == F64 {
		wide, err := once(c, "layer", nil, func() (*unroll.LayerOf[float64], error) { return widened(l) })
		if err != nil {
			return nil, c.fail("%v", err)
		}
		return planStack(c, wide)
	}
	low, err := once(c, "precision", nil, func() (*unroll.Layer, error) { return c.lowered(l) })
	if err != nil {
		return nil, c.fail("%v", err)
	}
	return planStack(c, low)
}

// widened is a layer of the same parameters in float64.
func widened(l *unroll.Layer) (*unroll.LayerOf[float64], error) {
	w, err := unroll.NewOf[float64](l.Config())
	if err != nil {
		return nil, err
	}
	params := map[string]tensor.DenseOf[float64]{}
	for _, p := range l.Params() {
		params[p.Name] = tensor.Convert[float64](p.Value)
	}
	return w, w.Load(params)
}

// stackRun is what a run of a layer needs of its own.
type stackRun[F tensor.Float] struct {
	pass    unroll.PassOf[F]
	x, h, c []int
	lengths []int
	masked  []bool
	zeros   tensor.DenseOf[F]
}

func planStack[F tensor.Float](c *call, l *unroll.LayerOf[F]) (kernel, error) {
	cfg, x := l.Config(), c.shape(0)
	if len(x) != 3 || x[2] != cfg.InputSize {
		return nil, c.fail("x has shape %v, expected three dimensions, the last %d", x, cfg.InputSize)
	}
	T, B := x[0], x[1]
	if cfg.BatchFirst {
		T, B = B, T
	}
	h := []int{cfg.Layers() * cfg.Directions(), B, cfg.StateSize()}
	cc := []int{h[0], B, cfg.HiddenSize}
	for i, want := range map[int][]int{1: h, 2: cc, 3: {B}, 4: x[:2]} {
		if c.has(i) && !slices.Equal(c.shape(i), want) {
			return nil, c.fail("input %d has shape %v, expected %v", i, c.shape(i), want)
		}
	}
	if c.has(3) {
		if err := c.is(3, I64, I32); err != nil {
			return nil, err
		}
	}
	if c.has(4) {
		if err := c.is(4, Bool); err != nil {
			return nil, err
		}
	}
	for i, shape := range [][]int{{x[0], x[1], cfg.OutputSize()}, h, cc} {
		if c.wants(i) || i == 0 {
			if err := c.result(i, c.typ(0), shape...); err != nil {
				return nil, err
			}
		}
	}
	c.work = int64(cfg.NumParameters()) * int64(T) * int64(B)
	workers := c.pl.p.limits.Workers
	c.local = func() any {
		run := &stackRun[F]{x: x, h: h, c: cc}
		run.pass.Layer, run.pass.Workers = l, workers
		return run
	}
	return func(a *args) error {
		run := a.local.(*stackRun[F])
		if T == 0 || B == 0 {
			keepState(a, unroll.StateOf[F]{H: tensor.DenseOf[F]{Data: operandOf[F](a.in, 1)}, C: tensor.DenseOf[F]{Data: operandOf[F](a.in, 2)}}, nil)
			return nil
		}
		if err := run.steps(a, T, B, cfg.BatchFirst); err != nil {
			return err
		}
		s0 := unroll.StateOf[F]{H: run.half(a, 1, run.h), C: run.half(a, 2, run.c)}
		if cfg.HasCell() {
			missingHalf(&s0, &run.zeros, run.h, run.c)
		}
		y, sn, err := run.pass.Forward(tensor.DenseOf[F]{Shape: run.x, Data: data[F](a.in[0])}, s0)
		if err != nil {
			return err
		}
		copy(data[F](a.out[0]), y.Data)
		keepState(a, sn, nil)
		return nil
	}, nil
}

// steps sets the pass's lengths and masked steps.
func (run *stackRun[F]) steps(a *args, T, B int, batchFirst bool) error {
	run.pass.Lengths, run.pass.Masked = nil, nil
	if len(a.in) > 3 && a.in[3] != nil {
		run.lengths = run.lengths[:0]
		for i := range B {
			n := 0
			if a.in[3].Type == I64 {
				n = int(data[int64](a.in[3])[i])
			} else {
				n = int(data[int32](a.in[3])[i])
			}
			run.lengths = append(run.lengths, n)
		}
		run.pass.Lengths = run.lengths
	}
	if len(a.in) > 4 && a.in[4] != nil {
		run.masked = steps(run.masked, data[bool](a.in[4]), T, B, batchFirst)
		run.pass.Masked = run.masked
	}
	return nil
}

func (run *stackRun[F]) half(a *args, i int, shape []int) tensor.DenseOf[F] {
	if v := operandOf[F](a.in, i); v != nil {
		return tensor.DenseOf[F]{Shape: shape, Data: v}
	}
	return tensor.DenseOf[F]{}
}
