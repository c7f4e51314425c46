package chain

import (
	"slices"

	"github.com/unroll-ml/unroll/internal/graph"
)

// one is a function of one value.
func one(name string, build func(c *call, v *value) (*value, error), params ...param) function {
	return function{name, 1, params, func(c *call) (*value, error) { return build(c, c.in[0]) }}
}

// toReal is a function of one value whose result is a real number: op of it.
func toReal(name, op string) function {
	return one(name, func(c *call, v *value) (*value, error) { return c.unary(c.floating(v), op, nil), nil })
}

// kept is a function that whole numbers stay whole under.
func kept(name, op string) function {
	return one(name, func(c *call, v *value) (*value, error) {
		if v.typ == graph.Bool {
			return nil, c.fail("%s of truth values", name)
		}
		return c.unary(v, op, nil), nil
	})
}

// sloped is a function with one number as ONNX's attribute.
func sloped(name, op, attr string, p param) function {
	return one(name, func(c *call, v *value) (*value, error) {
		x, err := c.float(p.name)
		if err != nil {
			return nil, err
		}
		if _, err := c.numbers(v); err != nil {
			return nil, err
		}
		return c.unary(v, op, graph.Attrs{attr: float32(x)}), nil
	}, p, opt("inplace", false))
}

func activations() []function {
	inplace := opt("inplace", false)
	plain := func(name, op string) function {
		f := toReal(name, op)
		f.params = []param{inplace}
		return f
	}
	return []function{
		plain("relu", "Relu"),
		one("relu6", func(c *call, v *value) (*value, error) { return c.clipped(v, 0, 6) }, inplace),
		toReal("tanh", "Tanh"),
		toReal("sigmoid", "Sigmoid"),
		one("silu", func(c *call, v *value) (*value, error) {
			v = c.floating(v)
			return c.op(v, "Mul", nil, v.id, c.unary(v, "Sigmoid", nil).id), nil
		}, inplace),
		plain("mish", "Mish"),
		plain("hardswish", "HardSwish"),
		one("hardsigmoid", func(c *call, v *value) (*value, error) {
			return c.unary(c.floating(v), "HardSigmoid", graph.Attrs{"alpha": float32(1.0 / 6), "beta": float32(0.5)}), nil
		}, inplace),
		toReal("softsign", "Softsign"),
		plain("selu", "Selu"),
		sloped("elu", "Elu", "alpha", opt("alpha", 1.0)),
		sloped("celu", "Celu", "alpha", opt("alpha", 1.0)),
		sloped("leaky_relu", "LeakyRelu", "alpha", opt("negative_slope", 0.01)),
		one("gelu", func(c *call, v *value) (*value, error) {
			how, err := c.str("approximate")
			if err != nil || how != "none" && how != "tanh" {
				return nil, c.wrong("approximate", "'none' or 'tanh'")
			}
			return c.unary(c.floating(v), "Gelu", graph.Attrs{"approximate": how}), nil
		}, opt("approximate", "none")),
		one("softplus", softplus, opt("beta", 1.0), opt("threshold", 20.0)),
		one("logsigmoid", func(c *call, v *value) (*value, error) {
			v = c.floating(v)
			return c.unary(c.unary(c.unary(v, "Neg", nil), "Softplus", nil), "Neg", nil), nil
		}),
		one("hardtanh", func(c *call, v *value) (*value, error) {
			lo, err := c.float("min_val")
			if err != nil {
				return nil, err
			}
			hi, err := c.float("max_val")
			if err != nil {
				return nil, err
			}
			return c.clipped(v, lo, hi)
		}, opt("min_val", -1.0), opt("max_val", 1.0), inplace),
		one("softmax", normed("Softmax"), need("dim")),
		one("log_softmax", normed("LogSoftmax"), need("dim")),
		one("glu", glu, opt("dim", int64(-1))),
		one("normalize", normalize, opt("p", 2.0), opt("dim", int64(1)), opt("eps", 1e-12)),
		one("dropout", nothing, opt("p", 0.5), opt("training", false), inplace),
		one("contiguous", nothing),
		one("detach", nothing),
	}
}

// nothing: a network that runs drops nothing.
func nothing(c *call, v *value) (*value, error) {
	if c.args["training"] == true {
		return nil, c.fail("%s: training=True is not run", c.what)
	}
	return v, nil
}

// clipped is v between two numbers.
func (c *call) clipped(v *value, lo, hi float64) (*value, error) {
	if _, err := c.numbers(v); err != nil {
		return nil, err
	}
	return c.op(v, "Clip", nil, v.id, c.scalar(v.typ, lo), c.scalar(v.typ, hi)), nil
}

// softplus: log(1+exp(beta x))/beta, and x itself where beta x is past threshold.
func softplus(c *call, v *value) (*value, error) {
	beta, err := c.float("beta")
	if err != nil {
		return nil, err
	}
	threshold, err := c.float("threshold")
	if err != nil {
		return nil, err
	}
	if beta == 0 {
		return nil, c.wrong("beta", "a number that is not 0")
	}
	v = c.floating(v)
	scaled := v
	if beta != 1 {
		scaled = c.op(v, "Mul", nil, v.id, c.scalar(v.typ, beta))
	}
	out := c.unary(scaled, "Softplus", nil)
	if beta != 1 {
		out = c.op(v, "Div", nil, out.id, c.scalar(v.typ, beta))
	}
	past := c.g.Op("Greater", nil, scaled.id, c.scalar(v.typ, threshold))
	return c.op(v, "Where", nil, past, v.id, out.id), nil
}

// normed is Softmax or LogSoftmax over an axis.
func normed(op string) func(c *call, v *value) (*value, error) {
	return func(c *call, v *value) (*value, error) {
		if c.args["dim"] == nil {
			return nil, c.fail("%s needs dim, as in %s(dim=-1)", c.what, c.what)
		}
		d, err := c.int("dim")
		if err != nil {
			return nil, err
		}
		if _, err := c.axis(v, d); err != nil {
			return nil, err
		}
		if _, err := c.numbers(v); err != nil {
			return nil, err
		}
		return c.unary(v, op, graph.Attrs{"axis": int64(d)}), nil
	}
}

// glu is the first half of an axis times the sigmoid of the second.
func glu(c *call, v *value) (*value, error) {
	axis, err := c.dim(v, "dim")
	if err != nil {
		return nil, err
	}
	if n := v.dims[axis]; n >= 0 && n%2 != 0 {
		return nil, c.fail("glu halves dim %d, which is %d", axis, n)
	}
	halves := c.g.Ops("Split", 2, graph.Attrs{"axis": int64(axis), "num_outputs": int64(2)}, v.id)
	out := c.op(v, "Mul", nil, halves[0], c.g.Op("Sigmoid", nil, halves[1]))
	out.dims = slices.Clone(v.dims)
	if out.dims[axis] >= 0 {
		out.dims[axis] /= 2
	}
	return out, nil
}

// normalize: x / max(norm, eps).
func normalize(c *call, v *value) (*value, error) {
	axis, err := c.dim(v, "dim")
	if err != nil {
		return nil, err
	}
	e, err := c.float("eps")
	if err != nil {
		return nil, err
	}
	v = c.floating(v)
	n, err := c.norm(v, []int64{int64(axis)}, true)
	if err != nil {
		return nil, err
	}
	return c.op(v, "Div", nil, v.id, c.g.Op("Max", nil, n, c.scalar(v.typ, e))), nil
}

// norm is the 1-norm, the 2-norm, or the largest absolute value.
func (c *call) norm(v *value, axes []int64, keep bool) (string, error) {
	attrs := graph.Attrs{"keepdims": int64(0)}
	if keep {
		attrs["keepdims"] = int64(1)
	}
	p, ok := number(c.args["p"])
	switch {
	case ok && p == 1:
		return c.g.Op("ReduceL1", attrs, v.id, c.vector(axes...)), nil
	case ok && p == 2 || c.args["p"] == "fro":
		return c.g.Op("ReduceL2", attrs, v.id, c.vector(axes...)), nil
	}
	return "", c.wrong("p", "1 or 2")
}

func elementwise() []function {
	to := func(name string, t graph.Type) function {
		return one(name, func(c *call, v *value) (*value, error) {
			if isFloat(t) {
				return c.cast(v, c.opt.Type), nil
			}
			return c.cast(v, t), nil
		})
	}
	return []function{
		toReal("exp", "Exp"), toReal("log", "Log"), toReal("sqrt", "Sqrt"), toReal("reciprocal", "Reciprocal"), toReal("erf", "Erf"),
		toReal("floor", "Floor"), toReal("ceil", "Ceil"), toReal("round", "Round"),
		kept("abs", "Abs"), kept("neg", "Neg"), kept("sign", "Sign"),
		one("square", func(c *call, v *value) (*value, error) { return c.op(v, "Mul", nil, v.id, v.id), nil }),
		one("rsqrt", func(c *call, v *value) (*value, error) {
			return c.unary(c.unary(c.floating(v), "Sqrt", nil), "Reciprocal", nil), nil
		}),
		one("logical_not", func(c *call, v *value) (*value, error) {
			if v.typ != graph.Bool {
				return nil, c.fail("logical_not of %s, expected truth values", v.typ)
			}
			return c.unary(v, "Not", nil), nil
		}),
		to("float", graph.F32), to("long", graph.I64), to("int", graph.I32), to("bool", graph.Bool),
		one("clamp", clamp, opt("min", nil), opt("max", nil)),
	}
}

// clamp bounds v; whole numbers stay whole between whole bounds.
func clamp(c *call, v *value) (*value, error) {
	if c.args["min"] == nil && c.args["max"] == nil {
		return nil, c.fail("clamp needs min or max")
	}
	if v.typ == graph.Bool {
		return nil, c.fail("clamp of truth values")
	}
	for _, b := range []struct{ name, op string }{{"min", "Max"}, {"max", "Min"}} {
		if c.args[b.name] == nil {
			continue
		}
		x, err := c.float(b.name)
		if err != nil {
			return nil, err
		}
		if _, whole := c.args[b.name].(int64); !whole {
			v = c.floating(v)
		}
		v = c.op(v, b.op, nil, v.id, c.scalar(v.typ, x))
	}
	return v, nil
}
