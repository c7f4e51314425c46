package kerasgraph

import (
	"encoding/json"
	"strings"

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
		"ops.TrueDivide": op(divideOp, 2),
		"ops.Divide":     op(divideOp, 2),
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
		"ops.ZerosLike": op(filled(0), 1),
		"ops.OnesLike":  op(filled(1), 1),
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

// divideOp gives real numbers, also of whole ones.
func divideOp(b *builder, _ *keras.Layer, in []value) (value, error) {
	return b.binary("Div", b.cast(in[0], graph.F32), b.cast(in[1], graph.F32)), nil
}

// filled is a value of the shape of another; without a dtype it has its type too.
func filled(x float64) func(b *builder, l *keras.Layer, in []value) (value, error) {
	return func(b *builder, l *keras.Layer, in []value) (value, error) {
		y := in[0]
		if d, ok := l.Config["dtype"].(string); ok && d == "bool" {
			y.typ = graph.Bool
		} else if ok && d != "float32" {
			return y, refuse(l, "dtype %q", d)
		} else if ok {
			y.typ = graph.F32
		}
		return y.same(b.Op("Expand", nil, b.Constant("", scalarOf(y.typ, x)), b.Op("Shape", nil, in[0].name))), nil
	}
}

// cast is x as another type.
func (b *builder) cast(x value, t graph.Type) value {
	if x.typ == t {
		return x
	}
	to := map[graph.Type]int64{graph.F32: onnxFloat, graph.I32: onnxInt32, graph.I64: onnxInt64, graph.Bool: onnxBool}[t]
	y := x.same(b.Op("Cast", graph.Attrs{"to": to}, x.name))
	y.typ = t
	return y
}

// op makes a row of a function of n values (-1: any number), which may be
// numbers in the file.
func op(f func(b *builder, l *keras.Layer, in []value) (value, error), n int) row {
	return opFrom(f, n, 0)
}

// opFrom is op where the values from first on are brought to one type, as Keras does:
// of truth values, whole and real numbers the last there is.
func opFrom(f func(b *builder, l *keras.Layer, in []value) (value, error), n, first int) row {
	return func(b *builder, l *keras.Layer, c *call) ([]value, error) {
		args, _ := c.kwargs["args"].([]any)
		if err := noMore(l, c); err != nil {
			return nil, err
		}
		if len(args) == 1 {
			if list, ok := args[0].([]any); ok {
				args = list
			}
		}
		if n >= 0 && len(args) != n || len(args) == 0 {
			return nil, refuse(l, "a call on %d values", len(args))
		}
		in, numbers := make([]value, len(args)), make([]float64, len(args))
		typ, most := graph.F32, -1
		for i, a := range args {
			t := graph.F32
			switch a := a.(type) {
			case keras.Ref:
				v, err := c.ref(a)
				if err != nil {
					return nil, err
				}
				in[i], t = v, v.typ
			case json.Number:
				x, err := a.Float64()
				if err != nil {
					return nil, err
				}
				numbers[i] = x
				if !strings.ContainsAny(a.String(), ".eE") {
					continue // a whole number has the type of what is beside it
				}
			default:
				return nil, refuse(l, "argument %d of a call", i)
			}
			if k := kindOf(t); i >= first && k > most {
				typ, most = t, k
			}
		}
		for i := range in {
			switch {
			case in[i].name == "":
				in[i] = value{name: b.Constant("", scalarOf(typ, numbers[i])), typ: typ}
			case i >= first && kindOf(in[i].typ) < most:
				in[i] = b.cast(in[i], typ)
			}
		}
		y, err := f(b, l, in)
		y.mask = ""
		return []value{y}, err
	}
}

// noMore refuses arguments by name, which an operation here has none of.
func noMore(l *keras.Layer, c *call) error {
	kwargs, _ := c.kwargs["kwargs"].(map[string]any)
	for name, v := range kwargs {
		if v != nil && v != false {
			return refuse(l, "%s in its call", name)
		}
	}
	return nil
}

// integerOf is a whole number of the file.
func integerOf(v any) (int, bool) {
	if _, ok := v.(json.Number); !ok {
		return 0, false
	}
	n, err := keras.Config{"": v}.Int("", 0)
	return n, err == nil
}

// kindOf orders truth values, whole and real numbers.
func kindOf(t graph.Type) int {
	switch t {
	case graph.Bool:
		return 0
	case graph.F32, graph.F64, graph.F16, graph.BF16:
		return 2
	}
	return 1
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
