package graph

import (
	"math"
	"slices"
)

// Attention and what it is fed with, as ONNX defines them by other operators.

func attentionRows() []row {
	return []row{
		{op: "Attention", min: 3, max: 7, attrs: []string{"is_causal", "kv_num_heads", "q_num_heads", "qk_matmul_output_mode", "scale", "softcap", "softmax_precision"}, plan: expanded(planAttention)},
		{op: "RotaryEmbedding", min: 3, max: 4, attrs: []string{"interleaved", "num_heads", "rotary_embedding_dim"}, plan: expanded(planRotary)},
	}
}

// heads lays [B,S,N*E] out as [B,N,S,E].
func (c *call) heads(e *expander, i int, name string) (*operand, error) {
	s := c.shape(i)
	switch len(s) {
	case 4:
		return c.in[i], nil
	case 3:
		n := int(c.intAttr(name, 0))
		if n < 1 || s[2]%n != 0 {
			return nil, c.fail("%s is %d for input %d of shape %v", name, n, i, s)
		}
		return e.transpose(e.reshape(c.in[i], s[0], s[1], n, s[2]/n), 0, 2, 1, 3), e.err
	}
	return nil, c.fail("input %d has shape %v, expected three or four dimensions", i, s)
}

func planAttention(c *call, e *expander) error {
	if c.input(6) != nil {
		return c.unsupported("with nonpad_kv_seqlen")
	}
	var qkv [3]*operand
	for i := range qkv {
		var err error
		if qkv[i], err = c.heads(e, i, []string{"q_num_heads", "kv_num_heads", "kv_num_heads"}[i]); err != nil {
			return err
		}
		if past := c.input(3 + i); i > 0 && past != nil {
			qkv[i] = e.op("Concat", Attrs{"axis": int64(2)}, past, qkv[i])
		}
	}
	if e.err != nil {
		return e.err
	}
	q, k, v := qkv[0], qkv[1], qkv[2]
	present := [2]*operand{k, v}
	if q.shape[1] != k.shape[1] {
		if k.shape[1] == 0 || q.shape[1]%k.shape[1] != 0 {
			return c.fail("%d heads of queries over %d of keys", q.shape[1], k.shape[1])
		}
		k, v = e.repeated(k, q.shape[1]/k.shape[1]), e.repeated(v, q.shape[1]/v.shape[1])
	}
	scale := float64(c.floatAttr("scale", 0))
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(q.shape[3]))
	}
	root := e.number(q.typ, math.Sqrt(scale))
	stages := [4]*operand{}
	x := e.op("MatMul", nil, e.op("Mul", nil, q, root), e.op("Mul", nil, e.transpose(k, 0, 1, 3, 2), root))
	stages[0] = x
	soft := float64(c.floatAttr("softcap", 0))
	if soft > 0 { // before what is added, so that what is hidden stays so
		n := e.number(q.typ, soft)
		x = e.op("Mul", nil, n, e.op("Tanh", nil, e.op("Div", nil, x, n)))
	}
	stages[1] = x
	if e.err != nil {
		return e.err
	}
	bias, err := c.bias(e, x.shape[2], x.shape[3])
	if err != nil {
		return err
	}
	if bias != nil {
		x = e.op("Add", nil, x, bias)
	}
	stages[2] = x
	x = e.op("Softmax", Attrs{"axis": int64(-1)}, x)
	if bias != nil { // a query that sees no key at all
		most := e.op("ReduceMax", nil, bias, e.ints(-1))
		none := e.op("Equal", nil, most, e.number(q.typ, math.Inf(-1)))
		x = e.op("Where", nil, none, e.number(q.typ, 0), x)
	}
	stages[3] = x
	y := e.op("MatMul", nil, x, v)
	if len(c.shape(0)) == 3 && e.err == nil {
		s := y.shape
		y = e.reshape(e.transpose(y, 0, 2, 1, 3), s[0], s[2], s[1]*s[3])
	}
	mode := c.intAttr("qk_matmul_output_mode", 0)
	if mode < 0 || mode > 3 {
		return c.fail("qk_matmul_output_mode is %d", mode)
	}
	return e.give(y, present[0], present[1], stages[mode])
}

// repeated gives every head of [B,N,S,E] n times, one after the other.
func (e *expander) repeated(x *operand, n int) *operand {
	s := x.shape
	wide := e.op("Expand", nil, e.reshape(x, s[0], s[1], 1, s[2], s[3]), e.ints(int64(s[0]), int64(s[1]), int64(n), int64(s[2]), int64(s[3])))
	return e.reshape(wide, s[0], s[1]*n, s[2], s[3])
}

// bias is what is added to the scores of rows queries over cols keys: minus infinity
// where a query must not see a key. It is nil where every one sees all.
func (c *call) bias(e *expander, rows, cols int) (*operand, error) {
	never, zero := e.number(c.typ(0), math.Inf(-1)), e.number(c.typ(0), 0)
	mask := c.input(3)
	if mask != nil {
		rank := len(mask.shape)
		if rank == 0 || mask.shape[rank-1] > cols {
			return nil, c.fail("a mask of shape %v for %d keys", mask.shape, cols)
		}
		if mask.typ == Bool {
			mask = e.op("Where", nil, mask, zero, never)
		}
		if d := cols - mask.shape[rank-1]; d > 0 && e.err == nil {
			pads := make([]int64, 2*rank)
			pads[2*rank-1] = int64(d)
			mask = e.op("Pad", nil, mask, e.ints(pads...), never)
		}
	}
	if c.intAttr("is_causal", 0) == 0 {
		return mask, e.err
	}
	past := 0
	if p := c.input(4); p != nil {
		past = p.shape[2]
	}
	if int64(rows)*int64(cols) > 1<<28 {
		return nil, c.fail("%d queries over %d keys", rows, cols)
	}
	seen := make([]bool, rows*cols)
	for r := range rows {
		for k := range min(cols, r+past+1) {
			seen[r*cols+k] = true
		}
	}
	v, err := Of(seen, rows, cols)
	if err != nil {
		return nil, c.fail("%v", err)
	}
	causal := e.op("Where", nil, e.value(v), zero, never)
	if mask != nil {
		causal = e.op("Add", nil, causal, mask)
	}
	return causal, e.err
}

// planRotary turns pairs of numbers by the angles of their places.
func planRotary(c *call, e *expander) error {
	x, shape := c.in[0], c.shape(0)
	if len(shape) == 3 {
		n := int(c.intAttr("num_heads", 0))
		if n < 1 || shape[2]%n != 0 {
			return c.fail("num_heads is %d for %v", n, shape)
		}
		x = e.reshape(x, shape[0], shape[1], n, shape[2]/n)
	} else if len(shape) == 4 {
		x = e.transpose(x, 0, 2, 1, 3)
	} else {
		return c.fail("its input has shape %v, expected three or four dimensions", shape)
	}
	if e.err != nil {
		return e.err
	}
	s := slices.Clone(x.shape) // [B,S,N,D]
	wide := int(c.intAttr("rotary_embedding_dim", 0))
	if wide == 0 {
		wide = s[3]
	}
	if wide < 2 || wide > s[3] || wide%2 != 0 {
		return c.fail("%d of %d numbers are turned", wide, s[3])
	}
	var angles [2]*operand
	for i := range angles {
		a := c.in[1+i]
		if ids := c.input(3); ids != nil {
			a = e.op("Gather", Attrs{"axis": int64(0)}, a, ids)
		}
		a = e.op("Slice", nil, a, e.ints(0), e.ints(int64(wide/2)), e.ints(-1))
		angles[i] = e.op("Unsqueeze", nil, a, e.ints(2))
	}
	part := func(o *operand, from, to, step int) *operand {
		return e.op("Slice", nil, o, e.ints(int64(from)), e.ints(int64(to)), e.ints(3), e.ints(int64(step)))
	}
	half := [2]*operand{part(x, 0, wide/2, 1), part(x, wide/2, wide, 1)}
	pairs := c.intAttr("interleaved", 0) != 0
	if pairs {
		half = [2]*operand{part(x, 0, wide, 2), part(x, 1, wide, 2)}
	}
	cos, sin := angles[0], angles[1]
	re := e.op("Sub", nil, e.op("Mul", nil, cos, half[0]), e.op("Mul", nil, sin, half[1]))
	im := e.op("Add", nil, e.op("Mul", nil, sin, half[0]), e.op("Mul", nil, cos, half[1]))
	var y *operand
	if pairs {
		y = e.op("Concat", Attrs{"axis": int64(4)}, e.op("Unsqueeze", nil, re, e.ints(4)), e.op("Unsqueeze", nil, im, e.ints(4)))
		y = e.reshape(y, s[0], s[1], s[2], wide)
	} else {
		y = e.op("Concat", Attrs{"axis": int64(3)}, re, im)
	}
	if wide < s[3] {
		y = e.op("Concat", Attrs{"axis": int64(3)}, y, part(x, wide, s[3], 1))
	}
	if len(shape) == 4 {
		y = e.transpose(y, 0, 2, 1, 3)
	} else {
		y = e.reshape(y, shape...)
	}
	return e.give(y)
}
