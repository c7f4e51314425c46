package graph

import (
	"math"

	k "github.com/unroll-ml/unroll/internal/kernel"
)

// Operators of 8-bit integers. Sums of them are exact, so their order is free.

func quantizedRows() []row {
	attrs := []string{"axis", "block_size", "saturate", "output_dtype", "precision"}
	lstm := []string{"activations", "activation_alpha", "activation_beta", "clip", "direction", "hidden_size", "input_forget"}
	return []row{
		{op: "QuantizeLinear", min: 2, max: 3, attrs: attrs, plan: planQuantize, axes: otherAxes(1)},
		{op: "DequantizeLinear", min: 2, max: 3, attrs: attrs, plan: planDequantize, axes: otherAxes(1)},
		{op: "DynamicQuantizeLinear", min: 1, max: 1, plan: planDynamicQuantize},
		{op: "MatMulInteger", min: 2, max: 4, plan: planMatMulInteger, axes: integerAxes},
		{op: "ConvInteger", min: 2, max: 4, attrs: append([]string{"group"}, windowAttrs...), plan: planConvInteger, axes: firstAxis},
		{domain: microsoft, op: "DynamicQuantizeLSTM", min: 3, max: 12, attrs: lstm, plan: planQuantizedLSTM},
	}
}

// perAxis checks scale and zero point (inputs 1 and 2) and returns how many
// elements in a row share one, and how many of those there are.
func (c *call) perAxis() (inner, n int, err error) {
	shape := c.shape(0)
	if c.intAttr("block_size", 0) != 0 {
		return 0, 0, c.unsupported("in blocks")
	}
	n = c.in[1].n
	if c.has(2) && c.in[2].n != n {
		return 0, 0, c.fail("%d scales and %d zero points", n, c.in[2].n)
	}
	if n == 1 && (len(c.shape(1)) == 0 || len(shape) == 0 || len(c.shape(1)) == 1) {
		return max(c.in[0].n, 1), 1, nil
	}
	axis, err := c.axis(c.intAttr("axis", 1), len(shape))
	if err != nil {
		return 0, 0, err
	}
	if len(c.shape(1)) != 1 || shape[axis] != n {
		return 0, 0, c.fail("scales of shape %v for axis %d of %v", c.shape(1), axis, shape)
	}
	return product(shape[axis+1:]), n, nil
}

// integers reads element i of an 8- or 32-bit value.
func integer(v *Value, i int) int32 {
	switch v.Type {
	case I8:
		return int32(data[int8](v)[i])
	case U8:
		return int32(data[uint8](v)[i])
	}
	return data[int32](v)[i]
}

// planDequantize: (x - zero) * scale.
func planDequantize(c *call) (kernel, error) {
	if err := c.is(0, I8, U8, I32); err != nil {
		return nil, err
	}
	if err := c.is(1, F32); err != nil {
		return nil, err
	}
	inner, n, err := c.perAxis()
	if err != nil {
		return nil, err
	}
	return func(a *args) error {
		dst, scale := data[float32](a.out[0]), data[float32](a.in[1])
		for o := 0; o < len(dst); o += inner {
			k := o / inner % n
			zero := int32(0)
			if len(a.in) > 2 && a.in[2] != nil {
				zero = integer(a.in[2], k)
			}
			for i := o; i < o+inner; i++ {
				dst[i] = float32(integer(a.in[0], i)-zero) * scale[k]
			}
		}
		return nil
	}, c.result(0, F32, c.shape(0)...)
}

// planQuantize: x / scale, rounded to nearest, ties to even, plus zero, to the
// bounds of the type.
func planQuantize(c *call) (kernel, error) {
	if err := c.is(0, F32, I32); err != nil {
		return nil, err
	}
	if err := c.is(1, F32); err != nil {
		return nil, err
	}
	t := U8
	if c.has(2) {
		t = c.in[2].stands()
	} else if d := c.intAttr("output_dtype", 0); d != 0 {
		t = onnxTypes[d]
	}
	if _, _, ok := quantBounds(t); !ok {
		return nil, c.unsupported("to %s", t)
	}
	inner, n, err := c.perAxis()
	if err != nil {
		return nil, err
	}
	fromInts := c.typ(0) == I32
	return func(a *args) error {
		scale := data[float32](a.in[1])
		out := a.out[0]
		for o := 0; o < out.n; o += inner {
			k := o / inner % n
			zero := int32(0)
			if len(a.in) > 2 && a.in[2] != nil {
				zero = integer(a.in[2], k)
			}
			for i := o; i < o+inner; i++ {
				var x float32
				if fromInts {
					x = float32(data[int32](a.in[0])[i])
				} else {
					x = data[float32](a.in[0])[i]
				}
				switch q := quantize(x, scale[k], zero, t); out.Type {
				case I32: // of 16 bits
					data[int32](out)[i] = q
				default:
					out.bytes()[i] = byte(q)
				}
			}
		}
		return nil
	}, c.narrowResult(0, t, c.shape(0)...)
}

// quantBounds are those of the integers that numbers are quantised to.
func quantBounds(t Type) (lo, hi float64, ok bool) {
	switch t {
	case U8:
		return 0, math.MaxUint8, true
	case I8:
		return math.MinInt8, math.MaxInt8, true
	case U16:
		return 0, math.MaxUint16, true
	case I16:
		return math.MinInt16, math.MaxInt16, true
	}
	return 0, 0, false
}

// quantize gives one number, NaN as zero.
func quantize(x, scale float32, zero int32, t Type) int32 {
	v := math.RoundToEven(float64(x/scale)) + float64(zero)
	lo, hi, _ := quantBounds(t)
	if v != v {
		v = float64(zero)
	}
	return int32(max(lo, min(hi, v)))
}

func planDynamicQuantize(c *call) (kernel, error) {
	if err := c.is(0, F32); err != nil {
		return nil, err
	}
	for i, t := range []Type{U8, F32, U8} {
		shape := []int{}
		if i == 0 {
			shape = c.shape(0)
		}
		if err := c.result(i, t, shape...); err != nil {
			return nil, err
		}
	}
	if shape := c.shape(0); len(shape) > 2 {
		c.last = lastOnly(dynamicQuantize(shape[1], k.Pad(shape[1])), scratchSize{F32, k.SpanMemory})
	}
	return dynamicQuantize(1, 1), c.memory(F32, k.SpanMemory)
}

// dynamicQuantize takes the first n of every row's numbers into account.
func dynamicQuantize(n, row int) kernel {
	return func(a *args) error {
		x, q := data[float32](a.in[0]), data[uint8](a.out[0])
		scale, zero := spanOf(x, n, row, data[float32](a.scratch[0]))
		quantiseBytes(q, x, scale, zero)
		data[float32](a.out[1])[0], data[uint8](a.out[2])[0] = scale, uint8(zero)
		return nil
	}
}

// planMatMulInteger: zero points are one number each, or one a row of A and one a
// column of B.
func planMatMulInteger(c *call) (kernel, error) {
	for i := range c.in {
		if c.has(i) {
			if err := c.is(i, I8, U8); err != nil {
				return nil, err
			}
		}
	}
	m, err := c.matrices()
	if err != nil {
		return nil, err
	}
	c.work = macs(m.batches, m.m, m.k, m.n)
	if err := c.result(0, I32, m.out...); err != nil {
		return nil, err
	}
	if c.has(2) && c.in[2].n != 1 && c.in[2].n != m.m || c.has(3) && c.in[3].n != 1 && c.in[3].n != m.n {
		return nil, c.fail("zero points do not fit %d rows and %d columns", m.m, m.n)
	}
	if err := c.packingFits(m.k, m.n); err != nil {
		return nil, err
	}
	if m.k > mostTerms {
		return nil, c.unsupported("with sums of %d products; at most %d are", m.k, mostTerms)
	}
	if err := c.memory(U8, int(macs(m.m, rowBytes(m.k)))); err != nil {
		return nil, err
	}
	for _, n := range []int{int(macs(m.m, sumsRow(m.n))), sumsRow(m.n) + 64} {
		if err := c.memory(I32, n); err != nil {
			return nil, err
		}
	}
	zeroB := c.known(3)
	var packed *panels8
	if w := c.known(1); w != nil && m.batches == 1 && (!c.has(3) || zeroB != nil) {
		packed, _ = once(c, "integers", []int{1, 3}, func() (*panels8, error) {
			return packIntegers(w, 0, m.k, m.n, 1, m.n, zeroB, 0), nil
		})
	}
	return func(a *args) error {
		left, sums, shift := data[uint8](a.scratch[0]), data[int32](a.scratch[1]), data[int32](a.scratch[2])
		zeroA := absent(a.in, 2)
		for i := range m.batches {
			p := packed
			if p == nil {
				p = packIntegers(a.in[1], m.right(i), m.k, m.n, 1, m.n, absent(a.in, 3), 0)
			}
			moved := leftBytes(left, a.in[0], m.left(i), m.m, m.k)
			dst := data[int32](a.out[0])[i*m.m*m.n : (i+1)*m.m*m.n]
			rows, each := m.m, 1
			if zeroA != nil && zeroA.n > 1 {
				rows, each = 1, m.m
			}
			for r := range each {
				part := sums[r*sumsRow(m.n):]
				p.mul(part, left[r*rowBytes(m.k):], rows, zeroOf(zeroA, r, m.m)+moved, shift)
			}
			for r := range m.m {
				copy(dst[r*m.n:(r+1)*m.n], sums[r*sumsRow(m.n):])
			}
		}
		return nil
	}, nil
}
