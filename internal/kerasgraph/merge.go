package kerasgraph

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

func mergeLayers() map[string]row {
	return map[string]row{
		"Add": folded("Add"), "Multiply": folded("Mul"), "Maximum": folded("Max"), "Minimum": folded("Min"),
		"Subtract": subtract, "Average": average, "Concatenate": concatenate, "Dot": dot,
	}
}

// level gives all values the number of dimensions of the largest, with axes of 1
// behind the batch.
func (b *builder) level(in []value) []value {
	most := 0
	for _, v := range in {
		most = max(most, len(v.dims))
	}
	out := slices.Clone(in)
	for i, v := range out {
		for len(v.dims) < most {
			v = b.unsqueeze(v, 1)
		}
		out[i] = v
	}
	return out
}

// either is the mask of an element-wise layer: none if a value has none, a step
// is kept if any keeps it.
func (b *builder) either(in []value) string {
	mask := in[0].mask
	for _, v := range in[1:] {
		if mask == "" || v.mask == "" {
			return ""
		}
		if v.mask != mask {
			mask = b.Op("Or", nil, mask, v.mask)
		}
	}
	return mask
}

func folded(op string) row {
	return func(b *builder, l *keras.Layer, c *call) ([]value, error) {
		if len(c.in) < 2 {
			return nil, wrong(l, "it is called on %d values, expected at least 2", len(c.in))
		}
		mask := b.either(c.in)
		in := b.level(c.in)
		y := in[0]
		for _, v := range in[1:] {
			y = b.binary(op, y, v)
		}
		y.mask = mask
		return []value{y}, nil
	}
}

func subtract(b *builder, l *keras.Layer, c *call) ([]value, error) {
	if len(c.in) != 2 {
		return nil, wrong(l, "it is called on %d values, expected 2", len(c.in))
	}
	return folded("Sub")(b, l, c)
}

func average(b *builder, l *keras.Layer, c *call) ([]value, error) {
	out, err := folded("Add")(b, l, c)
	if err != nil {
		return nil, err
	}
	out[0] = out[0].same(b.Op("Div", nil, out[0].name, b.scalar(float64(len(c.in)))))
	return out, nil
}

func concatenate(b *builder, l *keras.Layer, c *call) ([]value, error) {
	a, err := l.Config.Int("axis", -1)
	if err != nil {
		return nil, err
	}
	y, err := b.concat(c.in, a)
	if err != nil {
		return nil, err
	}
	y.mask, err = b.concatMask(c.in, a)
	return []value{y}, err
}

func (b *builder) concat(in []value, a int) (value, error) {
	at, err := axis(a, len(in[0].dims))
	if err != nil {
		return value{}, err
	}
	y := in[0]
	y.dims = slices.Clone(y.dims)
	names := []string{y.name}
	for _, v := range in[1:] {
		if len(v.dims) != len(y.dims) {
			return y, fmt.Errorf("it joins shapes %s and %s", shown(y.dims), shown(v.dims))
		}
		for i := range y.dims {
			switch {
			case i == at && (y.dims[i] < 0 || v.dims[i] < 0):
				y.dims[i] = -1
			case i == at:
				y.dims[i] += v.dims[i]
			case y.dims[i] < 0:
				y.dims[i] = v.dims[i]
			}
		}
		names = append(names, v.name)
	}
	y.name = b.Op("Concat", graph.Attrs{"axis": int64(at)}, names...)
	return y, nil
}

// concatMask is Keras's: the masks, spread over the values' shapes and joined
// like them; a step is kept if any element of it is.
func (b *builder) concatMask(in []value, a int) (string, error) {
	some := false
	for _, v := range in {
		some = some || v.mask != ""
	}
	if !some {
		return "", nil
	}
	spread := make([]value, len(in))
	for i, v := range in {
		spread[i] = v
		spread[i].typ = graph.Bool
		shape := b.Op("Shape", nil, v.name)
		from := b.Constant("", graph.Scalar(true))
		if v.mask != "" {
			if len(v.dims) != 3 {
				return "", fmt.Errorf("a mask of steps on an input of shape %s is joined", shown(v.dims))
			}
			from = b.Op("Unsqueeze", nil, v.mask, b.Ints(-1))
		}
		spread[i].name = b.Op("Expand", nil, from, shape)
	}
	y, err := b.concat(spread, a)
	if err != nil {
		return "", err
	}
	return b.any(y.name, -1, false), nil
}

// dot multiplies along one axis of each value.
func dot(b *builder, l *keras.Layer, c *call) ([]value, error) {
	if len(c.in) != 2 {
		return nil, wrong(l, "it is called on %d values, expected 2", len(c.in))
	}
	axes, err := l.Config.Ints("axes")
	if err != nil {
		return nil, err
	}
	if len(axes) == 1 {
		axes = []int{axes[0], axes[0]}
	}
	if len(axes) != 2 {
		return nil, wrong(l, "axes is %v, expected one or two", axes)
	}
	normalize, err := l.Config.Bool("normalize", false)
	if err != nil {
		return nil, err
	}
	var v [2]value
	for i, x := range c.in {
		n := len(x.dims)
		if n != 2 && n != 3 {
			return nil, refuse(l, "an input of shape %s", shown(x.dims))
		}
		at, err := axis(axes[i], n)
		if err != nil {
			return nil, err
		}
		if at == 0 {
			return nil, wrong(l, "axes is %v, and axis 0 is that of the batch", axes)
		}
		if normalize {
			sum := b.Op("ReduceSum", graph.Attrs{"keepdims": int64(1)}, b.Op("Mul", nil, x.name, x.name), b.Ints(int64(at)))
			x = x.same(b.Op("Div", nil, x.name, b.Op("Sqrt", nil, b.Op("Max", nil, sum, b.scalar(1e-12)))))
		}
		if n == 2 {
			x = b.unsqueeze(x, 1)
			at = 2
		}
		// The first value's axis comes last, the second's before the last.
		if i == 0 && at == 1 || i == 1 && at == 2 {
			x = b.transpose(x, 0, 2, 1)
		}
		v[i] = x
	}
	y := v[0].with(b.Op("MatMul", nil, v[0].name, v[1].name), v[0].dims[0], v[0].dims[1], v[1].dims[2])
	y.mask = ""
	if len(c.in[1].dims) == 2 {
		y = b.squeeze(y, 2)
	}
	if len(c.in[0].dims) == 2 && len(y.dims) == 3 {
		y = b.squeeze(y, 1)
	}
	return []value{y}, nil
}
