package graph

import (
	"fmt"
	"slices"
)

// Operators that ONNX Runtime's optimiser puts in the place of several, as graphs
// have that were saved behind it (domain com.microsoft): planned as those several
// (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md).

func fusedRows() []row {
	fused := func(op string, least, most int, attrs []string, f func(*call, *expander) error) row {
		return row{domain: microsoft, op: op, min: least, max: most, attrs: attrs, plan: expanded(f)}
	}
	norm := []string{"epsilon", "axis", "stash_type"}
	product := []string{"alpha", "transA", "transB", "transBatchA", "transBatchB"}
	return []row{
		fused("FusedMatMul", 2, 2, product, planFusedMatMul),
		fused("TransposeMatMul", 2, 2, product, planFusedMatMul),
		fused("FusedGemm", 2, 3, []string{"alpha", "beta", "transA", "transB", "activation", "activation_alpha", "activation_beta", "activation_gamma"}, planFusedGemm),
		fused("FusedConv", 2, 4, append([]string{"group", "activation", "activation_params"}, windowAttrs...), planFusedConv),
		fused("Gelu", 1, 1, nil, func(c *call, e *expander) error { return e.give(e.op("Gelu", nil, c.in[0])) }),
		fused("BiasGelu", 2, 2, nil, func(c *call, e *expander) error {
			return e.give(e.op("Gelu", nil, e.op("Add", nil, c.in[0], c.in[1])))
		}),
		fused("FastGelu", 1, 2, nil, func(c *call, e *expander) error {
			return e.give(e.op("Gelu", Attrs{"approximate": "tanh"}, e.plus(c.in[0], c.input(1))))
		}),
		fused("QuickGelu", 1, 1, []string{"alpha"}, func(c *call, e *expander) error {
			return e.give(e.op("Swish", Attrs{"alpha": c.floatAttr("alpha", 1.702)}, c.in[0]))
		}),
		fused("BiasSoftmax", 2, 2, []string{"axis", "is_inner_broadcast"}, planBiasSoftmax),
		fused("SkipLayerNormalization", 3, 5, norm, planSkipNorm),
		fused("SkipSimplifiedLayerNormalization", 3, 4, norm, planSkipNorm),
		fused("LayerNormalization", 2, 3, norm, func(c *call, e *expander) error {
			return e.give(e.ops("", "LayerNormalization", len(c.Outputs), c.Attrs, c.in...)...)
		}),
		{op: "SimplifiedLayerNormalization", min: 2, max: 2, attrs: norm, plan: planRMSNorm, axes: leadingAxes(-1)},
		fused("SimplifiedLayerNormalization", 2, 2, norm, func(c *call, e *expander) error {
			return e.give(e.ops("", "RMSNormalization", 1, c.Attrs, c.in...)...)
		}),
	}
}

// input returns an operand, nil where it is absent.
func (c *call) input(i int) *operand {
	if i < len(c.in) {
		return c.in[i]
	}
	return nil
}

// plus adds b where it is there.
func (e *expander) plus(a, b *operand) *operand {
	if b == nil {
		return a
	}
	return e.op("Add", nil, a, b)
}

// planFusedMatMul is MatMul with transposed operands and a factor. transBatch moves
// the first dimension behind the others but the last.
func planFusedMatMul(c *call, e *expander) error {
	in := [2]*operand{}
	for i, side := range []string{"A", "B"} {
		in[i] = c.in[i]
		rank := len(c.shape(i))
		perm := make([]int64, rank)
		for k := range perm {
			perm[k] = int64(k)
		}
		if c.intAttr("transBatch"+side, 0) != 0 && rank > 2 {
			perm = append(slices.Concat(perm[1:rank-1], perm[:1]), perm[rank-1])
		}
		if c.intAttr("trans"+side, 0) != 0 && rank > 1 {
			perm[rank-1], perm[rank-2] = perm[rank-2], perm[rank-1]
		}
		if !slices.IsSorted(perm) {
			in[i] = e.transpose(in[i], perm...)
		}
	}
	y := e.op("MatMul", nil, in[0], in[1])
	if alpha := c.floatAttr("alpha", 1); alpha != 1 {
		y = e.op("Mul", nil, y, e.number(c.typ(0), float64(alpha)))
	}
	return e.give(y)
}

// activate applies the function that a fused operator names.
func (e *expander) activate(name string, constants [3]*float32, x *operand) *operand {
	attrs := Attrs{}
	names := map[string][]string{"LeakyRelu": {"alpha"}, "Elu": {"alpha"}, "ThresholdedRelu": {"alpha"}, "HardSigmoid": {"alpha", "beta"}}[name]
	for i, n := range names {
		if constants[i] != nil {
			attrs[n] = *constants[i]
		}
	}
	switch name {
	case "":
		return x
	case "Relu", "Tanh", "Sigmoid", "Softplus", "Softsign", "LeakyRelu", "Elu", "ThresholdedRelu", "HardSigmoid", "HardSwish":
		return e.op(name, attrs, x)
	case "Clip":
		var bounds [2]*operand
		for i := range bounds {
			if constants[i] != nil {
				bounds[i] = e.number(x.typ, float64(*constants[i]))
			}
		}
		return e.op("Clip", nil, x, bounds[0], bounds[1])
	}
	if e.err == nil {
		e.err = &Error{Reason: fmt.Sprintf("activation %q", name), Err: ErrOperator}
	}
	return nil
}

// only are the attributes of those names.
func (n *Node) only(names ...string) Attrs {
	attrs := Attrs{}
	for _, name := range names {
		if a, ok := n.Attrs[name]; ok {
			attrs[name] = a
		}
	}
	return attrs
}

func planFusedGemm(c *call, e *expander) error {
	var constants [3]*float32
	for i, name := range []string{"activation_alpha", "activation_beta", "activation_gamma"} {
		if v, ok := attr[float32](c, name); ok {
			constants[i] = &v
		}
	}
	y := e.op("Gemm", c.only("alpha", "beta", "transA", "transB"), c.in...)
	if e.err != nil {
		return e.err
	}
	return e.give(e.activate(c.strAttr("activation", ""), constants, y))
}

func planFusedConv(c *call, e *expander) error {
	params, _ := attr[[]float32](c, "activation_params")
	var constants [3]*float32
	for i := range min(len(params), 3) {
		constants[i] = &params[i]
	}
	y := e.op("Conv", c.only(append([]string{"group"}, windowAttrs...)...), c.in[:min(3, len(c.in))]...)
	y = e.plus(y, c.input(3))
	if e.err != nil {
		return e.err
	}
	return e.give(e.activate(c.strAttr("activation", ""), constants, y))
}

func planBiasSoftmax(c *call, e *expander) error {
	shape, bias := c.shape(0), c.shape(1)
	axis, err := c.axis(c.intAttr("axis", 1), len(shape))
	if err != nil {
		return err
	}
	b := c.in[1]
	// Where the bias is broadcast along the outer dimensions it has those in the
	// middle left out.
	if c.intAttr("is_inner_broadcast", 1) == 0 && len(bias) < len(shape) {
		wide := make([]int, len(shape))
		copy(wide, bias)
		for i := range wide {
			switch rest := len(shape) - axis; {
			case i >= axis:
				wide[i] = bias[len(bias)-rest+i-axis]
			case i >= len(bias)-rest:
				wide[i] = 1
			}
		}
		b = e.reshape(b, wide...)
	}
	n := product(shape[axis:])
	x := e.op("Add", nil, c.in[0], b)
	y := e.op("Softmax", Attrs{"axis": int64(-1)}, e.reshape(x, append(slices.Clone(shape[:axis]), n)...))
	return e.give(e.reshape(y, shape...))
}

// planSkipNorm normalises the sum of two values, which it gives too.
func planSkipNorm(c *call, e *expander) error {
	op, scales, bias := "LayerNormalization", []*operand{c.in[2], c.input(3)}, c.input(4)
	if c.Op != "SkipLayerNormalization" {
		op, scales, bias = "RMSNormalization", scales[:1], c.input(3)
	}
	sum := e.plus(e.op("Add", nil, c.in[0], c.in[1]), bias)
	attrs := Attrs{"epsilon": c.floatAttr("epsilon", 1e-12), "axis": int64(-1)}
	out := e.ops("", op, 1, attrs, append([]*operand{sum}, scales...)...)
	if e.err != nil {
		return e.err
	}
	if c.wants(1) || c.wants(2) {
		return c.unsupported("with mean and deviation as outputs")
	}
	return e.give(out[0], nil, nil, sum)
}
