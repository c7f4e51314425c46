package kerasgraph

import (
	"maps"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// Functions of TensorFlow in Functional models of Keras 2: it wraps each into a layer
// TFOpLambda with the function's name, and indices into a SlicingOpLambda. Each is an
// operation of keras.ops under other names.

func tensorFlowLayers() map[string]row {
	return map[string]row{"TFOpLambda": tensorFlow, "SlicingOpLambda": slicing}
}

func isTensorFlow(class string) bool { return class == "TFOpLambda" || class == "SlicingOpLambda" }

// function is how one is written in keras.ops.
type function struct {
	op       string            // its class there
	operands []string          // arguments behind the first that are values
	settings map[string]string // of an argument that is a setting, its name there
	missing  map[string]any    // settings where the call does not say them
}

func tensorFlowFunctions() map[string]function {
	binary := func(op string) function { return function{op: op, operands: []string{"y"}} }
	reduce := func(op string) function {
		return function{op: op, settings: map[string]string{"axis": "axis", "keepdims": "keepdims"}}
	}
	along := func(op string, missing any) function {
		f := function{op: op, settings: map[string]string{"axis": "axis"}}
		if missing != nil {
			f.missing = map[string]any{"axis": missing}
		}
		return f
	}
	rename := func(op, from, to string) function {
		return function{op: op, settings: map[string]string{from: to}}
	}
	list := map[string]function{
		"expand_dims": along("ExpandDims", nil), "concat": along("Concatenate", nil), "stack": along("Stack", number(0)),
		"squeeze": along("Squeeze", nil), "compat.v1.squeeze": along("Squeeze", nil), "reverse": along("Flip", nil),
		"reshape": rename("Reshape", "shape", "newshape"), "tile": rename("Tile", "multiples", "repeats"), "cast": rename("Cast", "dtype", "dtype"),
		"transpose": rename("Transpose", "perm", "axes"), "compat.v1.transpose": rename("Transpose", "perm", "axes"),
		"repeat":      {op: "Repeat", settings: map[string]string{"repeats": "repeats", "axis": "axis"}},
		"math.argmax": along("Argmax", nil), "math.argmin": along("Argmin", nil),
		"nn.softmax": along("Softmax", number(-1)), "nn.log_softmax": along("LogSoftmax", number(-1)),
		"nn.leaky_relu":     rename("LeakyRelu", "alpha", "negative_slope"),
		"nn.gelu":           {op: "Gelu", settings: map[string]string{"approximate": "approximate"}, missing: map[string]any{"approximate": false}},
		"clip_by_value":     {op: "Clip", settings: map[string]string{"clip_value_min": "x_min", "clip_value_max": "x_max"}},
		"where":             {op: "Where", operands: []string{"x", "y"}},
		"split":             {op: "Split", settings: map[string]string{"num_or_size_splits": "num_or_size_splits", "axis": "axis"}, missing: map[string]any{"axis": number(0)}},
		"unstack":           {op: "Unstack", settings: map[string]string{"num": "num", "axis": "axis"}, missing: map[string]any{"axis": number(0)}},
		"math.cumsum":       {op: "Cumsum", settings: map[string]string{"axis": "axis", "exclusive": "exclusive", "reverse": "reverse"}, missing: map[string]any{"axis": number(0)}},
		"one_hot":           {op: "OneHot", settings: map[string]string{"depth": "num_classes", "axis": "axis"}, missing: map[string]any{"axis": number(-1)}},
		"pad":               {op: "Pad", settings: map[string]string{"paddings": "pad_width"}},
		"math.l2_normalize": {op: "Normalize", settings: map[string]string{"axis": "axis", "epsilon": "epsilon"}},
		"linalg.matmul":     {op: "Matmul", operands: []string{"b"}, settings: map[string]string{"transpose_a": "transpose_a", "transpose_b": "transpose_b"}},
		"compat.v1.pad":     {op: "Pad", settings: map[string]string{"paddings": "pad_width"}},
		"compat.v1.norm":    {op: "Norm", settings: map[string]string{"ord": "ord", "axis": "axis", "keepdims": "keepdims"}},
		"identity":          {op: "StopGradient"}, "stop_gradient": {op: "StopGradient"},
	}
	for name, op := range map[string]string{
		"math.add": "Add", "__operators__.add": "Add", "math.subtract": "Subtract", "math.multiply": "Multiply", "math.truediv": "TrueDivide", "math.divide": "Divide", "math.pow": "Power",
		"math.maximum": "Maximum", "math.minimum": "Minimum", "math.greater": "Greater", "math.greater_equal": "GreaterEqual", "math.less": "Less", "math.less_equal": "LessEqual",
		"math.equal": "Equal", "math.not_equal": "NotEqual", "__operators__.eq": "Equal", "__operators__.ne": "NotEqual", "math.logical_and": "LogicalAnd", "math.logical_or": "LogicalOr",
	} {
		list[name] = binary(op)
	}
	for name, op := range map[string]string{
		"math.reduce_mean": "Mean", "math.reduce_sum": "Sum", "math.reduce_max": "Max", "math.reduce_min": "Min", "math.reduce_prod": "Prod",
		"math.reduce_std": "Std", "math.reduce_variance": "Var", "math.reduce_logsumexp": "Logsumexp", "math.reduce_euclidean_norm": "Norm",
	} {
		list[name] = reduce(op)
	}
	for name, op := range map[string]string{
		"math.abs": "Absolute", "math.exp": "Exp", "math.log": "Log", "math.sqrt": "Sqrt", "math.square": "Square", "math.negative": "Negative", "math.sin": "Sin", "math.cos": "Cos",
		"math.floor": "Floor", "math.ceil": "Ceil", "math.round": "Round", "math.sign": "Sign", "math.reciprocal": "Reciprocal", "math.rsqrt": "Rsqrt", "math.log1p": "Log1p", "math.expm1": "Expm1",
		"math.erf": "Erf", "math.tanh": "Tanh", "nn.tanh": "Tanh", "math.sigmoid": "Sigmoid", "nn.sigmoid": "Sigmoid", "nn.relu": "Relu", "nn.relu6": "Relu6", "nn.elu": "Elu", "nn.selu": "Selu",
		"math.softplus": "Softplus", "nn.softplus": "Softplus", "nn.softsign": "Softsign", "nn.silu": "Silu", "nn.swish": "Silu", "math.log_sigmoid": "LogSigmoid",
		"math.logical_not": "LogicalNot", "zeros_like": "ZerosLike", "compat.v1.zeros_like": "ZerosLike", "ones_like": "OnesLike", "compat.v1.ones_like": "OnesLike",
	} {
		list[name] = function{op: op}
	}
	return list
}

func tensorFlow(b *builder, l *keras.Layer, c *call) ([]value, error) {
	name, err := l.Config.String("function", "")
	if err != nil {
		return nil, err
	}
	f, ok := tensorFlowFunctions()[name]
	if !ok {
		return nil, refuse(l, "tf.%s", name)
	}
	args, _ := c.kwargs["args"].([]any)
	kwargs, _ := c.kwargs["kwargs"].(map[string]any)
	kwargs = maps.Clone(kwargs)
	if args, err = f.arguments(l, args, kwargs); err != nil {
		return nil, err
	}
	config := keras.Config(maps.Clone(f.missing))
	if config == nil {
		config = keras.Config{}
	}
	for from, to := range f.settings {
		if v, there := kwargs[from]; there && v != nil {
			if config[to] = v; len((keras.Call{Args: []any{v}}).Refs()) > 0 {
				return nil, refuse(l, "tf.%s with a value as its %s", name, from)
			}
		}
		delete(kwargs, from)
	}
	if f.op == "Pad" { // with zeros
		if n, ok := integerOf(kwargs["constant_values"]); ok && n == 0 {
			delete(kwargs, "constant_values")
		}
		if kwargs["mode"] == "CONSTANT" {
			delete(kwargs, "mode")
		}
	}
	for key, v := range kwargs {
		// The names and the gradients' of what is called change nothing.
		if v != nil && v != false && key != "name" {
			return nil, refuse(l, "tf.%s with %s=%v", name, key, v)
		}
	}
	as := &keras.Layer{Class: f.op, Module: "keras.src.ops.", Name: l.Name, Path: l.Path, Config: config}
	return f.write(b, as, &call{kwargs: map[string]any{"args": args}, ref: c.ref, layer: as})
}

// arguments puts values that are given by name behind the first ones.
func (f function) arguments(l *keras.Layer, args []any, kwargs map[string]any) ([]any, error) {
	if len(args) == 1 {
		if list, ok := args[0].([]any); ok && len(f.operands) == 0 {
			return list, nil
		}
	}
	args = slices.Clone(args)
	for i, name := range f.operands {
		v, there := kwargs[name]
		delete(kwargs, name)
		switch {
		case there && len(args) == i+1:
			args = append(args, v)
		case there:
			return nil, wrong(l, "it is called on %d values and %s", len(args), name)
		}
	}
	return args, nil
}

// write writes the operation. What is otherwise in TensorFlow stands here.
func (f function) write(b *builder, l *keras.Layer, c *call) ([]value, error) {
	switch f.op {
	case "Split":
		return several(splitSizes)(b, l, c)
	case "Matmul":
		return op(transposedMatmul, 2)(b, l, c)
	case "Argmax", "Argmin":
		if l.Config["axis"] == nil {
			return nil, refuse(l, "%s along the batch", f.op)
		}
		out, err := table["ops."+f.op](b, l, c)
		if err == nil {
			out[0] = b.cast(out[0], graph.I64) // int64 in TensorFlow
		}
		return out, err
	}
	return table["ops."+f.op](b, l, c)
}

// splitSizes: a number says how many parts, a list the size of each.
func splitSizes(b *builder, l *keras.Layer, x value) ([]value, error) {
	sizes, list := l.Config["num_or_size_splits"].([]any)
	if !list {
		l.Config["indices_or_sections"] = l.Config["num_or_size_splits"]
		return splitOp(b, l, x)
	}
	a, err := l.Config.Int("axis", 0)
	if err != nil {
		return nil, err
	}
	at, err := axis(a, len(x.dims))
	if err != nil {
		return nil, err
	}
	sum := 0
	var cuts []int
	for _, v := range sizes {
		n, ok := integerOf(v)
		if !ok || n < 0 {
			return nil, refuse(l, "parts of sizes %v", sizes)
		}
		sum += n
		cuts = append(cuts, sum)
	}
	if at == 0 || x.dims[at] < 0 || sum != x.dims[at] || len(cuts) == 0 {
		return nil, refuse(l, "parts of sizes %v along axis %d of shape %s", sizes, at, shown(x.dims))
	}
	return b.cut(l, x, at, cuts[:len(cuts)-1])
}

func transposedMatmul(b *builder, l *keras.Layer, in []value) (value, error) {
	for i, key := range []string{"transpose_a", "transpose_b"} {
		turn, err := l.Config.Bool(key, false)
		if err != nil {
			return in[0], err
		}
		if n := len(in[i].dims); turn && n >= 2 {
			perm := identity(n)
			perm[n-2], perm[n-1] = n-1, n-2
			in[i] = b.transpose(in[i], perm...)
		}
	}
	return matmulOp(b, l, in)
}

// slicing is an index, whose slices Keras 2 writes as dictionaries of their own.
func slicing(b *builder, l *keras.Layer, c *call) ([]value, error) {
	name, err := l.Config.String("function", "__operators__.getitem")
	if err != nil || name != "__operators__.getitem" {
		return nil, refuse(l, "tf.%s", name)
	}
	args, _ := c.kwargs["args"].([]any)
	kwargs, _ := c.kwargs["kwargs"].(map[string]any)
	spec, there := kwargs["slice_spec"]
	if len(args) != 1 || !there {
		return nil, refuse(l, "a call on %d values", len(args))
	}
	keys, list := spec.([]any)
	if !list {
		keys = []any{spec}
	}
	out := make([]any, len(keys))
	for i, k := range keys {
		if m, ok := k.(map[string]any); ok && m["class_name"] == nil {
			k = map[string]any{"class_name": "__slice__", "config": m}
		}
		if k == "..." {
			k = map[string]any{"class_name": "__ellipsis__"}
		}
		out[i] = k
	}
	return getItem(b, l, &call{kwargs: map[string]any{"args": []any{args[0], out}}, ref: c.ref, layer: l})
}
