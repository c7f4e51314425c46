package graph

import (
	"math"
	"slices"
)

// What ONNX Runtime's optimiser of transformers puts in the place of an encoder's parts
// (domain com.microsoft), planned as those
// (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md).

func encoderRows() []row {
	attention := []string{"num_heads", "unidirectional", "scale", "mask_filter_value", "qkv_hidden_sizes"}
	part := func(op string, least, most int, attrs []string, f func(*call, *expander) error) row {
		return row{domain: microsoft, op: op, min: least, max: most, attrs: attrs, plan: expanded(f)}
	}
	return []row{
		part("Attention", 2, 6, attention, planPackedAttention),
		part("MultiHeadAttention", 3, 6, attention[:4], planMultiHeadAttention),
		part("EmbedLayerNormalization", 7, 9, []string{"epsilon", "mask_index_type"}, planEmbedNorm),
	}
}

// planPackedAttention: the weights [I, 3H] and the bias are those of queries, keys and
// values beside each other.
func planPackedAttention(c *call, e *expander) error {
	if c.input(4) != nil {
		return c.unsupported("with keys and values of the past")
	}
	w := c.shape(1)
	if len(c.shape(0)) != 3 || len(w) != 2 {
		return c.fail("weights %v for an input %v, expected [I 3H] for [B S I]", w, c.shape(0))
	}
	sizes := c.intsAttr("qkv_hidden_sizes")
	if sizes == nil {
		sizes = []int64{int64(w[1] / 3), int64(w[1] / 3), int64(w[1] / 3)}
	}
	if len(sizes) != 3 || sizes[0]+sizes[1]+sizes[2] != int64(w[1]) {
		return c.fail("weights %v for parts of %v", w, sizes)
	}
	x := e.plus(e.op("MatMul", nil, c.in[0], c.in[1]), c.input(2))
	qkv := e.ops("", "Split", 3, Attrs{"axis": int64(-1)}, x, e.ints(sizes...))
	if e.err != nil {
		return e.err
	}
	return c.attend(e, qkv, c.input(3), c.input(5))
}

// planMultiHeadAttention: queries, keys and values are there, and perhaps their biases
// in one vector.
func planMultiHeadAttention(c *call, e *expander) error {
	var qkv []*operand
	at := 0
	for i := range 3 {
		o := c.input(i)
		if o == nil || len(o.shape) != 3 {
			return c.unsupported("without queries, keys and values of three dimensions each")
		}
		if bias := c.input(3); bias != nil {
			n := o.shape[2]
			o = e.op("Add", nil, o, e.op("Slice", nil, bias, e.ints(int64(at)), e.ints(int64(at+n))))
			at += n
		}
		qkv = append(qkv, o)
	}
	if e.err != nil {
		return e.err
	}
	return c.attend(e, qkv, c.input(4), c.input(5))
}

// attend gives the attention of several heads: mask hides keys, by a lower number for
// those it hides ([B,S] or the lengths [B]); bias is added.
func (c *call) attend(e *expander, qkv []*operand, mask, bias *operand) error {
	n := int(c.intAttr("num_heads", 0))
	var heads [3]*operand
	for i, o := range qkv {
		if n < 1 || o.shape[2]%n != 0 {
			return c.fail("%d heads of a value %v", n, o.shape)
		}
		heads[i] = e.transpose(e.reshape(o, o.shape[0], o.shape[1], n, o.shape[2]/n), 0, 2, 1, 3)
	}
	if e.err != nil {
		return e.err
	}
	q, k, v := heads[0], heads[1], heads[2]
	batch, rows, keys := q.shape[0], q.shape[2], k.shape[2]
	scale := float64(c.floatAttr("scale", 0))
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(q.shape[3]))
	}
	x := e.op("Mul", nil, e.op("MatMul", nil, q, e.transpose(k, 0, 1, 3, 2)), e.number(q.typ, scale))
	filter := e.number(q.typ, float64(c.floatAttr("mask_filter_value", -10000)))
	zero := e.number(q.typ, 0)
	if e.err != nil {
		return e.err
	}
	if _, err := c.pl.operand(F32, []int{rows, keys}); err != nil {
		return err
	}
	if mask != nil {
		var seen *operand
		switch m := mask.shape; {
		case slices.Equal(m, []int{batch, keys}):
			seen = e.op("Greater", nil, mask, e.value(Scalar(int32(0))))
		case slices.Equal(m, []int{batch}):
			seen = e.op("Greater", nil, e.reshape(mask, batch, 1), e.value(upTo(keys)))
		default:
			return c.unsupported("with a mask %v, expected [%d %d] or lengths [%d]", m, batch, keys, batch)
		}
		if e.err == nil {
			x = e.op("Add", nil, x, e.op("Where", nil, e.reshape(seen, batch, 1, 1, keys), zero, filter))
		}
	}
	if c.intAttr("unidirectional", 0) != 0 {
		later := make([]bool, rows*keys)
		for i := range later {
			later[i] = i%keys > i/keys+keys-rows
		}
		x = e.op("Add", nil, x, e.op("Where", nil, e.value(must(Of(later, rows, keys))), filter, zero))
	}
	x = e.op("Softmax", nil, e.plus(x, bias))
	y := e.transpose(e.op("MatMul", nil, x, v), 0, 2, 1, 3)
	if e.err != nil {
		return e.err
	}
	return e.give(e.reshape(y, batch, rows, n*v.shape[3]))
}

// upTo are the int32 numbers 0 to n-1.
func upTo(n int) Value {
	list := make([]int32, n)
	for i := range list {
		list[i] = int32(i)
	}
	return Vector(list...)
}

// planEmbedNorm adds what stands for a token, its place and its segment, and normalises
// the sum.
func planEmbedNorm(c *call, e *expander) error {
	ids := c.shape(0)
	if len(ids) != 2 {
		return c.fail("tokens %v, expected [B S]", ids)
	}
	if _, err := c.pl.operand(F32, ids); err != nil {
		return err
	}
	places := c.input(8)
	if places == nil {
		places = e.value(upTo(ids[1]))
	}
	sum := e.op("Add", nil, e.op("Gather", nil, c.in[2], c.in[0]), e.op("Gather", nil, c.in[3], places))
	if segments := c.input(1); segments != nil && c.input(4) != nil {
		sum = e.op("Add", nil, sum, e.op("Gather", nil, c.in[4], segments))
	}
	y := e.op("LayerNormalization", Attrs{"axis": int64(-1), "epsilon": c.floatAttr("epsilon", 1e-12)}, sum, c.in[5], c.in[6])
	lengths := e.value(must(New(I32, ids[0])))
	if mask := c.input(7); mask != nil {
		lengths = e.op("ReduceSum", Attrs{"keepdims": int64(0)}, mask, e.ints(1))
	}
	out := []*operand{y, lengths, sum}
	return e.give(out[:min(3, len(c.Outputs))]...)
}
