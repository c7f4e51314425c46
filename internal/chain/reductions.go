package chain

import (
	"slices"

	"github.com/unroll-ml/unroll/internal/graph"
)

func reductions() []function {
	keep := opt("keepdim", false)
	many := func(name, op string, real bool) function {
		return one(name, func(c *call, v *value) (*value, error) {
			switch {
			case real && !isFloat(v.typ):
				return nil, c.fail("%s of %s, which torch refuses; write float before it", name, v.typ)
			case v.typ == graph.Bool && op == "ReduceSum":
				v = c.cast(v, graph.I64)
			}
			return c.reduced(v, op)
		}, opt("dim", nil), keep)
	}
	// torch's max and min of one dimension give values and indices; here values.
	extreme := func(name, op string) function {
		f := many(name, op, false)
		of := f.build
		f.build = func(c *call) (*value, error) {
			if _, tuple := c.args["dim"].([]any); tuple {
				return nil, c.wrong("dim", "one whole number; a"+name+" takes several")
			}
			return of(c)
		}
		return f
	}
	arg := func(name, op string) function {
		return one(name, func(c *call, v *value) (*value, error) {
			if c.args["dim"] == nil {
				v = c.shaped(v, []int{count(v.dims)}, -1, "Reshape", nil, c.vector(-1))
				c.args["dim"] = int64(0)
			}
			axis, err := c.dim(v, "dim")
			if err != nil {
				return nil, err
			}
			keep, err := c.bool("keepdim")
			if err != nil {
				return nil, err
			}
			out := c.without(v, []int{axis}, keep, op, graph.Attrs{"axis": int64(axis)})
			out.typ = graph.I64
			return out, nil
		}, opt("dim", nil), keep)
	}
	return []function{
		many("mean", "ReduceMean", true), many("sum", "ReduceSum", false), many("prod", "ReduceProd", false), many("logsumexp", "ReduceLogSumExp", true),
		many("amax", "ReduceMax", false), many("amin", "ReduceMin", false), extreme("max", "ReduceMax"), extreme("min", "ReduceMin"),
		arg("argmax", "ArgMax"), arg("argmin", "ArgMin"),
		one("norm", func(c *call, v *value) (*value, error) {
			op := map[string]string{"1": "ReduceL1", "1.0": "ReduceL1", "2": "ReduceL2", "2.0": "ReduceL2", "'fro'": "ReduceL2"}[literal(c.args["p"])]
			if op == "" {
				return nil, c.wrong("p", "1 or 2")
			}
			return c.reduced(c.floating(v), op)
		}, opt("p", 2.0), opt("dim", nil), keep),
		one("cumsum", func(c *call, v *value) (*value, error) {
			axis, err := c.dim(v, "dim")
			if err != nil {
				return nil, err
			}
			return c.op(v, "CumSum", nil, v.id, c.g.Constant("", graph.Scalar(int64(axis)))), nil
		}, need("dim")),
	}
}

// reduced is op over the dimensions of the argument dim, over all where it is
// None or empty.
func (c *call) reduced(v *value, op string) (*value, error) {
	axes := identityPerm(v.rank())
	if list, tuple := c.args["dim"].([]any); c.args["dim"] != nil && (!tuple || len(list) > 0) {
		var err error
		if axes, err = c.axes(v, "dim"); err != nil {
			return nil, err
		}
	}
	keep, err := c.bool("keepdim")
	if err != nil {
		return nil, err
	}
	slices.Sort(axes)
	if len(axes) == 0 { // a single number
		return v, nil
	}
	return c.without(v, axes, keep, op, nil, c.vector(wide(axes)...)), nil
}

// without is op that reduces axes, sorted.
func (c *call) without(v *value, axes []int, keep bool, op string, attrs graph.Attrs, more ...string) *value {
	if attrs == nil {
		attrs = graph.Attrs{}
	}
	out, time := slices.Clone(v.dims), v.time
	attrs["keepdims"] = int64(1)
	if slices.Contains(axes, time) {
		time = -1
	}
	if !keep {
		attrs["keepdims"] = int64(0)
	}
	for i := len(axes) - 1; i >= 0; i-- {
		if keep {
			out[axes[i]] = 1
			continue
		}
		out = slices.Delete(out, axes[i], axes[i]+1)
		if time > axes[i] {
			time--
		}
	}
	return c.shaped(v, out, time, op, attrs, more...)
}

func pools() []function {
	var list []function
	kernel, stride, padding, ceil := need("kernel_size"), opt("stride", nil), opt("padding", int64(0)), opt("ceil_mode", false)
	for n, d := range []string{1: "1d", 2: "2d", 3: "3d"} {
		if n == 0 {
			continue
		}
		average := []param{kernel, stride, padding, ceil, opt("count_include_pad", true)}
		if n > 1 {
			average = append(average, opt("divisor_override", nil))
		}
		list = append(list,
			function{"max_pool" + d, 1, []param{kernel, stride, padding, opt("dilation", int64(1)), ceil, opt("return_indices", false)}, func(c *call) (*value, error) { return c.pool("MaxPool", n) }},
			function{"avg_pool" + d, 1, average, func(c *call) (*value, error) { return c.pool("AveragePool", n) }},
			function{"adaptive_max_pool" + d, 1, []param{need("output_size")}, func(c *call) (*value, error) { return c.adaptive("GlobalMaxPool", "MaxPool", n) }},
			function{"adaptive_avg_pool" + d, 1, []param{need("output_size")}, func(c *call) (*value, error) { return c.adaptive("GlobalAveragePool", "AveragePool", n) }},
		)
	}
	return list
}
