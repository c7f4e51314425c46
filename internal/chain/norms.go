package chain

import (
	"slices"

	"github.com/unroll-ml/unroll/internal/graph"
)

// channels checks an input [N,C,...] of a norm.
func (c *call) channels(v *value, n, least int) error {
	if _, err := c.numbers(v); err != nil {
		return err
	}
	if v.rank() < least {
		return c.fail("%s takes at least %d dimensions, [N, C, ...]; its input is %s", c.what, least, dims(v.dims))
	}
	if d := v.dims[1]; d >= 0 && n > 0 && d != n {
		return c.fail("%s has %d channels, its input %d: %s", c.what, n, d, dims(v.dims))
	}
	return nil
}

// affine returns scale and bias of n channels, ones and zeros where they are not
// there.
func (c *call) affine(n int) (scale, bias string) {
	if scale = c.weight(c.m, "weight"); scale == "" {
		scale = c.full(n, 1)
	}
	if bias = c.weight(c.m, "bias"); bias == "" {
		bias = c.full(n, 0)
	}
	return scale, bias
}

// batchNorm by the statistics of training; without them by those of its input.
func batchNorm(c *call, v *value) (*value, error) {
	n := 0
	for _, leaf := range []string{"running_mean", "weight"} {
		if s := c.m.shape(leaf); len(s) == 1 && n == 0 {
			n = s[0]
		}
	}
	if err := c.channels(v, n, 2); err != nil {
		return nil, err
	}
	e, err := c.float("eps")
	if err != nil {
		return nil, err
	}
	mean, variance := c.weight(c.m, "running_mean"), c.weight(c.m, "running_var")
	if mean == "" || variance == "" {
		return c.standardised(v, n, e)
	}
	scale, bias := c.affine(n)
	out := c.op(v, "BatchNormalization", graph.Attrs{"epsilon": float32(e)}, v.id, scale, bias, mean, variance)
	return out, nil
}

// standardised: (x-mean)/sqrt(var+eps) * scale + bias over all but the channels.
func (c *call) standardised(v *value, n int, e float64) (*value, error) {
	if n == 0 {
		return nil, c.fail("%s has neither statistics nor weights", c.what)
	}
	axes := []int64{0}
	var spatial []int64
	for i := 2; i < v.rank(); i++ {
		axes = append(axes, int64(i))
		spatial = append(spatial, int64(i-1))
	}
	mean := c.g.Op("ReduceMean", nil, v.id, c.vector(axes...))
	x := c.g.Op("Sub", nil, v.id, mean)
	variance := c.g.Op("ReduceMean", nil, c.g.Op("Mul", nil, x, x), c.vector(axes...))
	x = c.g.Op("Div", nil, x, c.g.Op("Sqrt", nil, c.g.Op("Add", nil, variance, c.scalar(v.typ, e))))
	scale, bias := c.affine(n)
	if spatial != nil {
		scale, bias = c.g.Op("Unsqueeze", nil, scale, c.vector(spatial...)), c.g.Op("Unsqueeze", nil, bias, c.vector(spatial...))
	}
	return c.op(v, "Add", nil, c.g.Op("Mul", nil, x, scale), bias), nil
}

// layerNorm over the last dimensions, as many as weight has.
func layerNorm(c *call, v *value) (*value, error) {
	if _, err := c.numbers(v); err != nil {
		return nil, err
	}
	w := c.m.shape("weight")
	if len(w) == 0 || v.rank() < len(w) {
		return nil, c.fail("%s normalises the last %d dimensions %v, its input is %s", c.what, len(w), w, dims(v.dims))
	}
	for i, d := range v.dims[v.rank()-len(w):] {
		if d >= 0 && d != w[i] {
			return nil, c.fail("%s normalises the last dimensions %v, its input is %s", c.what, w, dims(v.dims))
		}
	}
	e, err := c.float("eps")
	if err != nil {
		return nil, err
	}
	inputs := []string{v.id, c.weight(c.m, "weight")}
	if bias := c.weight(c.m, "bias"); bias != "" {
		inputs = append(inputs, bias)
	}
	return c.op(v, "LayerNormalization", graph.Attrs{"axis": int64(-len(w)), "epsilon": float32(e)}, inputs...), nil
}

// rmsNorm: its eps is by default the smallest step at 1.
func rmsNorm(c *call, v *value) (*value, error) {
	if _, err := c.numbers(v); err != nil {
		return nil, err
	}
	w := c.m.shape("weight")
	if err := c.features(v, w[len(w)-1]); err != nil {
		return nil, err
	}
	e := 0x1p-23
	if v.typ == graph.F64 {
		e = 0x1p-52
	}
	if c.args["eps"] != nil {
		var err error
		if e, err = c.float("eps"); err != nil {
			return nil, err
		}
	}
	axes := make([]int64, len(w))
	for i := range axes {
		axes[i] = int64(i - len(w))
	}
	squares := c.g.Op("ReduceMean", nil, c.g.Op("Mul", nil, v.id, v.id), c.vector(axes...))
	x := c.g.Op("Div", nil, v.id, c.g.Op("Sqrt", nil, c.g.Op("Add", nil, squares, c.scalar(v.typ, e))))
	return c.op(v, "Mul", nil, x, c.weight(c.m, "weight")), nil
}

// groupNorm: [N,C,...] as [N,G,-1], normalised over the last.
func groupNorm(c *call, v *value) (*value, error) {
	groups, err := c.int("num_groups")
	if err != nil {
		return nil, err
	}
	n := 0
	if s := c.m.shape("weight"); len(s) == 1 {
		n = s[0]
	}
	if groups < 1 || n%groups != 0 {
		return nil, c.fail("%s has %d channels, which %d groups do not divide", c.what, n, groups)
	}
	if err := c.channels(v, n, 2); err != nil {
		return nil, err
	}
	return c.grouped(v, groups, n)
}

// instanceNorm is a group a channel.
func instanceNorm(c *call, v *value) (*value, error) {
	if c.m.has("running_mean") {
		return batchNorm(c, v)
	}
	n := 0
	if s := c.m.shape("weight"); len(s) == 1 {
		n = s[0]
	}
	if err := c.channels(v, n, 3); err != nil {
		return nil, err
	}
	return c.grouped(v, n, n)
}

// grouped normalises n channels in groups; scale and bias are a channel's.
func (c *call) grouped(v *value, groups, n int) (*value, error) {
	e, err := c.float("eps")
	if err != nil {
		return nil, err
	}
	shape := c.g.Op("Shape", nil, v.id)
	x := c.g.Op("Reshape", nil, v.id, c.vector(0, int64(groups), -1))
	mean := c.g.Op("ReduceMean", nil, x, c.vector(2))
	x = c.g.Op("Sub", nil, x, mean)
	variance := c.g.Op("ReduceMean", nil, c.g.Op("Mul", nil, x, x), c.vector(2))
	x = c.g.Op("Div", nil, x, c.g.Op("Sqrt", nil, c.g.Op("Add", nil, variance, c.scalar(v.typ, e))))
	x = c.g.Op("Reshape", nil, x, shape)
	scale, bias := c.affine(n)
	if v.rank() > 2 {
		axes := make([]int64, v.rank()-2)
		for i := range axes {
			axes[i] = int64(i + 1)
		}
		scale, bias = c.g.Op("Unsqueeze", nil, scale, c.vector(axes...)), c.g.Op("Unsqueeze", nil, bias, c.vector(axes...))
	}
	out := c.op(v, "Add", nil, c.g.Op("Mul", nil, x, scale), bias)
	out.dims = slices.Clone(v.dims)
	return out, nil
}
