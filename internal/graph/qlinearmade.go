package graph

import "slices"

// Operators from quantised values to quantised values that are made of others:
// computed on the numbers that are meant, and rounded after. Products and
// convolutions of integers are in qlinear.go.

func qlinearMadeRows() []row {
	q := func(domain, op string, least, most int, attrs []string, f func(*call, *expander) error) row {
		return row{domain: domain, op: op, min: least, max: most, attrs: attrs, plan: expanded(f)}
	}
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
