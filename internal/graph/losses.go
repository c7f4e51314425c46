package graph

// Losses, which a model has inside that was exported for training or evaluation.

func lossRows() []row {
	attrs := []string{"ignore_index", "reduction"}
	return []row{
		{op: "NegativeLogLikelihoodLoss", since: 12, min: 2, max: 3, attrs: attrs, plan: expanded(func(c *call, e *expander) error {
			return c.likelihood(e, c.in[0], nil)
		})},
		{op: "SoftmaxCrossEntropyLoss", since: 12, min: 2, max: 3, attrs: attrs, plan: expanded(func(c *call, e *expander) error {
			log := e.op("LogSoftmax", Attrs{"axis": int64(1)}, c.in[0])
			return c.likelihood(e, log, log)
		})},
	}
}

// likelihood gives the loss of log probabilities [N,C,...] and classes [N,...], which
// weights [C] may weigh; second is output 1, where the operator has one.
func (c *call) likelihood(e *expander, log, second *operand) error {
	if e.err != nil {
		return e.err
	}
	shape := log.shape
	if len(shape) < 2 || len(c.shape(1)) != len(shape)-1 {
		return c.fail("classes %v for %v, expected a class for each place but those of axis 1", c.shape(1), shape)
	}
	classes := c.in[1]
	var ignored *operand
	if i, ok := attr[int64](c, "ignore_index"); ok {
		number := e.value(Scalar(i))
		zero := e.value(Scalar(int64(0)))
		if c.typ(1) == I32 {
			number, zero = e.value(Scalar(int32(i))), e.value(Scalar(int32(0)))
		}
		ignored = e.op("Equal", nil, classes, number)
		classes = e.op("Where", nil, ignored, zero, classes)
	}
	of := e.op("GatherElements", Attrs{"axis": int64(1)}, log, e.op("Unsqueeze", nil, classes, e.ints(1)))
	loss := e.op("Neg", nil, e.op("Squeeze", nil, of, e.ints(1)))
	weight := e.number(log.typ, 1)
	if w := c.input(2); w != nil {
		weight = e.op("Gather", nil, w, classes)
	}
	if ignored != nil {
		weight = e.op("Where", nil, ignored, e.number(log.typ, 0), weight)
	}
	loss = e.op("Mul", nil, loss, weight)
	all := Attrs{"keepdims": int64(0)}
	switch how := c.strAttr("reduction", "mean"); how {
	case "none":
	case "sum":
		loss = e.op("ReduceSum", all, loss)
	case "mean":
		each := e.op("Expand", nil, weight, e.op("Shape", nil, classes))
		loss = e.op("Div", nil, e.op("ReduceSum", all, loss), e.op("ReduceSum", all, each))
	default:
		return c.unsupported("reduction %q", how)
	}
	if second != nil && c.wants(1) {
		return e.give(loss, second)
	}
	return e.give(loss)
}
