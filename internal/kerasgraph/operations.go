package kerasgraph

import (
	"encoding/json"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// operations are those of keras.ops that a Functional model of Keras 3 has
// beside its layers: masks that were worked out when it was built, and arithmetic
// that was written with operators.
func operations() map[string]row {
	return map[string]row{
		"ops.NotEqual": op(func(b *builder, _ *keras.Layer, in []value) (value, error) {
			y := b.binary("Equal", in[0], in[1])
			y.typ = graph.Bool
			return y.same(b.Op("Not", nil, y.name)), nil
		}, 2),
		"ops.LogicalOr":  op(binaryOp("Or"), 2),
		"ops.LogicalAnd": op(binaryOp("And"), 2),
		"ops.Add":        op(binaryOp("Add"), 2),
		"ops.Subtract":   op(binaryOp("Sub"), 2),
		"ops.Multiply":   op(binaryOp("Mul"), 2),
		"ops.TrueDivide": op(binaryOp("Div"), 2),
		"ops.Divide":     op(binaryOp("Div"), 2),
		"ops.Any": op(func(b *builder, l *keras.Layer, in []value) (value, error) {
			axes, err := l.Config.Ints("axis")
			if err != nil {
				return in[0], err
			}
			if len(axes) != 1 {
				return in[0], refuse(l, "axis %v", axes)
			}
			at, err := axis(axes[0], len(in[0].dims))
			if err != nil {
				return in[0], err
			}
			keep, err := l.Config.Bool("keepdims", false)
			y := in[0].with(b.any(in[0].name, int64(at), true), in[0].dims...)
			y.dims = append(append([]int{}, y.dims[:at]...), append([]int{1}, y.dims[at+1:]...)...)
			if !keep {
				y = b.squeeze(y, at)
			}
			return y, err
		}, 1),
		"ops.ExpandDims": op(func(b *builder, l *keras.Layer, in []value) (value, error) {
			a, err := l.Config.Int("axis", -1)
			if err != nil {
				return in[0], err
			}
			at, err := axis(a, len(in[0].dims)+1)
			if err != nil {
				return in[0], err
			}
			return b.unsqueeze(in[0], at), nil
		}, 1),
		"ops.ZerosLike": op(func(b *builder, l *keras.Layer, in []value) (value, error) {
			if d, ok := l.Config["dtype"].(string); ok && d != "bool" && d != "float32" {
				return in[0], refuse(l, "dtype %q", d)
			} else if d == "float32" {
				return in[0].same(b.Op("Mul", nil, in[0].name, b.scalar(0))), nil
			}
			y := in[0].same(b.Op("Expand", nil, b.Constant("", graph.Scalar(false)), b.Op("Shape", nil, in[0].name)))
			y.typ = graph.Bool
			return y, nil
		}, 1),
		"ops.Concatenate": op(func(b *builder, l *keras.Layer, in []value) (value, error) {
			a, err := l.Config.Int("axis", -1)
			if err != nil {
				return in[0], err
			}
			return b.concat(in, a)
		}, -1),
	}
}

func binaryOp(name string) func(b *builder, l *keras.Layer, in []value) (value, error) {
	return func(b *builder, _ *keras.Layer, in []value) (value, error) { return b.binary(name, in[0], in[1]), nil }
}

// op makes a row of a function of n values (-1: any number), which may be
// numbers in the file.
func op(f func(b *builder, l *keras.Layer, in []value) (value, error), n int) row {
	return func(b *builder, l *keras.Layer, c *call) ([]value, error) {
		args, _ := c.kwargs["args"].([]any)
		if len(args) == 1 {
			if list, ok := args[0].([]any); ok {
				args = list
			}
		}
		if n >= 0 && len(args) != n || len(args) == 0 {
			return nil, refuse(l, "a call on %d values", len(args))
		}
		in := make([]value, len(args))
		typ := graph.F32
		for i, a := range args {
			if at, ok := a.(keras.Ref); ok {
				v, err := c.ref(at)
				if err != nil {
					return nil, err
				}
				in[i], typ = v, v.typ
			}
		}
		for i, a := range args {
			if number, ok := a.(json.Number); ok {
				x, err := number.Float64()
				if err != nil {
					return nil, err
				}
				in[i] = value{name: b.Constant("", scalarOf(typ, x)), typ: typ}
			} else if in[i].name == "" {
				return nil, refuse(l, "argument %d of a call", i)
			}
		}
		y, err := f(b, l, in)
		y.mask = ""
		return []value{y}, err
	}
}

// scalarOf is a number of the type of the values beside it.
func scalarOf(t graph.Type, x float64) graph.Value {
	switch t {
	case graph.I64:
		return graph.Scalar(int64(x))
	case graph.I32:
		return graph.Scalar(int32(x))
	case graph.U8:
		return graph.Scalar(uint8(x))
	case graph.I8:
		return graph.Scalar(int8(x))
	case graph.Bool:
		return graph.Scalar(x != 0)
	}
	return graph.Scalar(float32(x))
}
