package graph

import "slices"

// Operators from quantised values to quantised values, ONNX's and ONNX Runtime's.
// Products are exact sums of integers, times one factor, rounded; everything else is
// computed on the numbers that are meant, and rounded after.

func qlinearRows() []row {
	q := func(domain, op string, least, most int, attrs []string, f func(*call, *expander) error) row {
		return row{domain: domain, op: op, min: least, max: most, attrs: attrs, plan: expanded(f)}
	}
	conv := append([]string{"group", "channels_last"}, windowAttrs...)
	pool := append([]string{"ceil_mode", "count_include_pad", "channels_last"}, windowAttrs...)
	two := func(op string) func(*call, *expander) error {
		return func(c *call, e *expander) error {
			return e.quantized(e.op(op, nil, e.meant(0), e.meant(3)), 6)
		}
	}
	one := func(op string, names ...string) func(*call, *expander) error {
		return func(c *call, e *expander) error { return e.quantized(e.op(op, c.only(names...), e.meant(0)), 3) }
	}
	quantize := []string{"axis"}
	return []row{
		q("", "QLinearMatMul", 8, 8, nil, planQLinearMatMul),
		q("", "QLinearConv", 8, 9, conv, planQLinearConv),
		q(microsoft, "QLinearConv", 8, 9, conv, planQLinearConv),
		q(microsoft, "QLinearAdd", 7, 8, nil, two("Add")),
		q(microsoft, "QLinearMul", 7, 8, nil, two("Mul")),
		q(microsoft, "QLinearSigmoid", 4, 5, nil, one("Sigmoid")),
		q(microsoft, "QLinearLeakyRelu", 4, 5, []string{"alpha"}, one("LeakyRelu", "alpha")),
		q(microsoft, "QLinearSoftmax", 5, 5, []string{"axis", "opset"}, planQLinearSoftmax),
		q(microsoft, "QLinearAveragePool", 4, 5, pool, func(c *call, e *expander) error {
			return e.pooled("AveragePool", append([]string{"ceil_mode", "count_include_pad"}, windowAttrs...))
		}),
		q(microsoft, "QLinearGlobalAveragePool", 4, 5, []string{"channels_last"}, func(c *call, e *expander) error { return e.pooled("GlobalAveragePool", nil) }),
		q(microsoft, "QLinearConcat", 3, -1, []string{"axis"}, planQLinearConcat),
		q(microsoft, "QGemm", 6, 9, []string{"alpha", "transA", "transB"}, planQGemm),
		q(microsoft, "MatMulIntegerToFloat", 4, 7, nil, func(c *call, e *expander) error {
			sums := e.op("MatMulInteger", nil, c.in[0], c.in[1], c.input(4), c.input(5))
			return e.give(e.plus(e.op("Mul", nil, e.float(sums), e.op("Mul", nil, c.in[2], c.in[3])), c.input(6)))
		}),
		q(microsoft, "DynamicQuantizeMatMul", 3, 5, nil, func(c *call, e *expander) error {
			x := e.ops("", "DynamicQuantizeLinear", 3, nil, c.in[0])
			if e.err != nil {
				return e.err
			}
			sums := e.op("MatMulInteger", nil, x[0], c.in[1], x[2], c.input(3))
			return e.give(e.plus(e.op("Mul", nil, e.float(sums), e.op("Mul", nil, x[1], c.in[2])), c.input(4)))
		}),
		q(microsoft, "QuantizeLinear", 2, 3, quantize, func(c *call, e *expander) error { return e.give(e.op("QuantizeLinear", c.only("axis"), c.in...)) }),
		q(microsoft, "DequantizeLinear", 2, 3, quantize, func(c *call, e *expander) error { return e.give(e.op("DequantizeLinear", c.only("axis"), c.in...)) }),
	}
}

// meant is what input i stands for, whose scale and zero point are behind it.
func (e *expander) meant(i int) *operand {
	return e.op("DequantizeLinear", nil, e.c.input(i), e.c.input(i+1), e.c.input(i+2))
}

// quantized makes x the output, with the scale of input i and the zero point behind.
func (e *expander) quantized(x *operand, i int) error {
	return e.give(e.op("QuantizeLinear", nil, x, e.c.input(i), e.c.input(i+1)))
}

func (e *expander) float(x *operand) *operand { return e.op("Cast", Attrs{"to": int64(1)}, x) }

// rescaled makes int32 sums the output: times two scales over the output's.
func (e *expander) rescaled(sums, left, right, scale, zero *operand) error {
	factor := e.op("Div", nil, e.op("Mul", nil, left, right), scale)
	y := e.op("Mul", nil, e.float(sums), factor)
	return e.give(e.op("QuantizeLinear", nil, y, e.number(F32, 1), e.scalar(zero)))
}

// scalar is a single number without dimensions.
func (e *expander) scalar(o *operand) *operand {
	if o == nil || len(o.shape) == 0 {
		return o
	}
	return e.reshape(o)
}

func planQLinearMatMul(c *call, e *expander) error {
	sums := e.op("MatMulInteger", nil, c.in[0], c.in[3], c.in[2], c.in[5])
	return e.rescaled(sums, c.in[1], c.in[4], c.in[6], c.in[7])
}

// column lays numbers of channels along axis 1 of that many dimensions.
func (e *expander) column(o *operand, rank int) *operand {
	if o == nil || o.n == 1 {
		return e.scalar(o)
	}
	shape := make([]int, rank)
	for i := range shape {
		shape[i] = 1
	}
	shape[1] = o.n
	return e.reshape(o, shape...)
}

func planQLinearConv(c *call, e *expander) error {
	if c.intAttr("channels_last", 0) != 0 {
		return c.unsupported("with channels last")
	}
	rank := len(c.shape(0))
	if rank < 3 {
		return c.fail("its input has shape %v, expected [N,C,...]", c.shape(0))
	}
	sums := e.op("ConvInteger", c.only(append([]string{"group"}, windowAttrs...)...), c.in[0], c.in[3], c.in[2], c.in[5])
	sums = e.plus(sums, e.column(c.input(8), rank))
	return e.rescaled(sums, e.scalar(c.in[1]), e.column(c.in[4], rank), e.scalar(c.in[6]), c.in[7])
}

func planQLinearSoftmax(c *call, e *expander) error {
	shape := c.shape(0)
	axis, err := c.axis(c.intAttr("axis", -1), len(shape))
	if err != nil {
		return err
	}
	x := e.meant(0)
	if c.intAttr("opset", 13) < 13 { // all axes from this one on are one
		x = e.reshape(x, append(slices.Clone(shape[:axis]), product(shape[axis:]))...)
		x = e.reshape(e.op("Softmax", Attrs{"axis": int64(-1)}, x), shape...)
	} else {
		x = e.op("Softmax", Attrs{"axis": int64(axis)}, x)
	}
	return e.quantized(x, 3)
}

func (e *expander) pooled(op string, names []string) error {
	if e.c.intAttr("channels_last", 0) != 0 {
		return e.c.unsupported("with channels last")
	}
	return e.quantized(e.op(op, e.c.only(names...), e.meant(0)), 3)
}

func planQLinearConcat(c *call, e *expander) error {
	if len(c.in)%3 != 2 {
		return c.fail("%d inputs, expected a scale, a zero point and three of each value", len(c.in))
	}
	var parts []*operand
	for i := 2; i < len(c.in); i += 3 {
		parts = append(parts, e.meant(i))
	}
	return e.quantized(e.op("Concat", c.only("axis"), parts...), 0)
}

// planQGemm: alpha*A*B + C, the bias in integers of the product's scale.
func planQGemm(c *call, e *expander) error {
	if c.floatAttr("alpha", 1) != 1 {
		return c.unsupported("with alpha %g", c.floatAttr("alpha", 1))
	}
	in := [2]*operand{c.in[0], c.in[3]}
	for i, name := range []string{"transA", "transB"} {
		if c.intAttr(name, 0) != 0 {
			in[i] = e.transpose(in[i], 1, 0)
		}
	}
	sums := e.plus(e.op("MatMulInteger", nil, in[0], in[1], c.in[2], c.in[5]), c.input(6))
	if c.input(7) == nil { // to float32
		return e.give(e.op("Mul", nil, e.float(sums), e.op("Mul", nil, c.in[1], c.in[4])))
	}
	return e.rescaled(sums, c.in[1], c.in[4], c.in[7], c.input(8))
}
