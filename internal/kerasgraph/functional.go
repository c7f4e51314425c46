package kerasgraph

import (
	"encoding/json"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// Operations of keras.ops with which people write the middle of a Functional model:
// functions, sums over axes, what moves elements.

func functionalOperations() map[string]row {
	rows := map[string]row{
		"ops.GetItem": getItem, "ops.Squeeze": op(squeezeOp, 1), "ops.Reshape": op(reshapeOp, 1), "ops.Transpose": op(transposeOp, 1),
		"ops.Matmul": op(matmulOp, 2), "ops.Stack": op(stackOp, -1), "ops.Einsum": einsumRow, "ops.Flip": op(flipOp, 1),
		"ops.Maximum": op(binaryOp("Max"), 2), "ops.Minimum": op(binaryOp("Min"), 2), "ops.Power": op(binaryOp("Pow"), 2),
		"ops.Mean": op(reduceOp("ReduceMean"), 1), "ops.Sum": op(reduceOp("ReduceSum"), 1), "ops.Max": op(reduceOp("ReduceMax"), 1), "ops.Min": op(reduceOp("ReduceMin"), 1),
		"ops.Softmax": op(softmaxOp("Softmax"), 1), "ops.LogSoftmax": op(softmaxOp("LogSoftmax"), 1), "ops.Gelu": op(geluOp, 1), "ops.LeakyRelu": op(leakyOp, 1),
		"ops.Greater": op(compareOp("Greater"), 2), "ops.GreaterEqual": op(compareOp("GreaterOrEqual"), 2), "ops.Less": op(compareOp("Less"), 2), "ops.LessEqual": op(compareOp("LessOrEqual"), 2), "ops.Equal": op(compareOp("Equal"), 2),
		"ops.Where": opFrom(whereOp, 3, 1), "ops.Cast": op(castOp, 1), "ops.ConvertToTensor": op(castOp, 1), "ops.Clip": op(clipOp, 1),
		"ops.LogicalNot": op(func(b *builder, _ *keras.Layer, in []value) (value, error) { return b.unary("Not", nil, in[0]), nil }, 1),
		"ops.Square":     op(func(b *builder, _ *keras.Layer, in []value) (value, error) { return b.binary("Mul", in[0], in[0]), nil }, 1),
	}
	for name, onnx := range map[string]string{"Absolute": "Abs", "Abs": "Abs", "Exp": "Exp", "Log": "Log", "Sqrt": "Sqrt", "Negative": "Neg", "Sin": "Sin", "Cos": "Cos", "Floor": "Floor", "Ceil": "Ceil", "Reciprocal": "Reciprocal", "Erf": "Erf"} {
		rows["ops."+name] = op(func(b *builder, _ *keras.Layer, in []value) (value, error) { return b.unary(onnx, nil, in[0]), nil }, 1)
	}
	for name, function := range map[string]string{"Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Tanh": "tanh", "Silu": "silu", "Softplus": "softplus", "Softsign": "softsign", "Selu": "selu", "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "LogSigmoid": "log_sigmoid"} {
		rows["ops."+name] = op(func(b *builder, _ *keras.Layer, in []value) (value, error) {
			return b.functions()[function](in[0]), nil
		}, 1)
	}
	return rows
}

// opAxes reads the axes of an operation, from the first; all where there is none.
func opAxes(l *keras.Layer, rank int) ([]int64, error) {
	list, err := l.Config.Ints("axis")
	if err != nil {
		return nil, err
	}
	var axes []int64
	for _, a := range list {
		at, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		axes = append(axes, int64(at))
	}
	for i := 0; l.Config["axis"] == nil && i < rank; i++ {
		axes = append(axes, int64(i))
	}
	return axes, nil
}

func reduceOp(name string) func(b *builder, l *keras.Layer, in []value) (value, error) {
	return func(b *builder, l *keras.Layer, in []value) (value, error) {
		axes, err := opAxes(l, len(in[0].dims))
		if err != nil {
			return in[0], err
		}
		if l.Config["initial"] != nil {
			return in[0], refuse(l, "initial")
		}
		keep, err := l.Config.Bool("keepdims", false)
		if err != nil {
			return in[0], err
		}
		if name == "ReduceMean" {
			in[0] = b.cast(in[0], graph.F32)
		}
		attrs, kept := graph.Attrs{"keepdims": int64(0)}, []int{}
		if keep {
			attrs["keepdims"] = int64(1)
		}
		for i, d := range in[0].dims {
			switch {
			case !slices.Contains(axes, int64(i)):
				kept = append(kept, d)
			case keep:
				kept = append(kept, 1)
			}
		}
		return in[0].with(b.Op(name, attrs, in[0].name, b.Ints(axes...)), kept...), nil
	}
}

func compareOp(name string) func(b *builder, l *keras.Layer, in []value) (value, error) {
	return func(b *builder, _ *keras.Layer, in []value) (value, error) {
		y := b.binary(name, in[0], in[1])
		y.typ = graph.Bool
		return y, nil
	}
}

func whereOp(b *builder, _ *keras.Layer, in []value) (value, error) {
	dims := together(in[0].dims, together(in[1].dims, in[2].dims))
	return value{name: b.Op("Where", nil, in[0].name, in[1].name, in[2].name), typ: in[1].typ, dims: dims}, nil
}

// castOp brings a value to the dtype that is said, if one is.
func castOp(b *builder, l *keras.Layer, in []value) (value, error) {
	d, ok := l.Config["dtype"].(string)
	to, known := map[string]graph.Type{"float32": graph.F32, "int32": graph.I32, "int64": graph.I64, "bool": graph.Bool}[d]
	switch {
	case !ok:
		return in[0], nil
	case !known:
		return in[0], refuse(l, "dtype %q", d)
	}
	return b.cast(in[0], to), nil
}

func clipOp(b *builder, l *keras.Layer, in []value) (value, error) {
	low, err := l.Config.Float("x_min", 0)
	if err != nil {
		return in[0], err
	}
	high, err := l.Config.Float("x_max", 0)
	if in[0].typ != graph.F32 {
		return in[0], refuse(l, "of %s", in[0].typ)
	}
	return in[0].same(b.Op("Clip", nil, in[0].name, b.scalar(low), b.scalar(high))), err
}

func softmaxOp(name string) func(b *builder, l *keras.Layer, in []value) (value, error) {
	return func(b *builder, l *keras.Layer, in []value) (value, error) {
		a, err := l.Config.Int("axis", -1)
		return b.unary(name, graph.Attrs{"axis": int64(a)}, in[0]), err
	}
}

func geluOp(b *builder, l *keras.Layer, in []value) (value, error) {
	tanh, err := l.Config.Bool("approximate", true)
	if tanh {
		return b.unary("Gelu", graph.Attrs{"approximate": "tanh"}, in[0]), err
	}
	return b.unary("Gelu", nil, in[0]), err
}

func leakyOp(b *builder, l *keras.Layer, in []value) (value, error) {
	slope, err := l.Config.Float("negative_slope", 0.2)
	return b.unary("LeakyRelu", graph.Attrs{"alpha": float32(slope)}, in[0]), err
}

func squeezeOp(b *builder, l *keras.Layer, in []value) (value, error) {
	x := in[0]
	var axes []int64
	if l.Config["axis"] == nil {
		for i, d := range x.dims {
			if d == 1 {
				axes = append(axes, int64(i))
			}
		}
	} else {
		var err error
		if axes, err = opAxes(l, len(x.dims)); err != nil {
			return x, err
		}
	}
	slices.Sort(axes)
	for _, a := range slices.Backward(axes) {
		x = b.squeeze(x, int(a))
	}
	return x, nil
}

func flipOp(b *builder, l *keras.Layer, in []value) (value, error) {
	x := in[0]
	axes, err := opAxes(l, len(x.dims))
	for _, a := range axes {
		x = b.flip(x, int(a))
	}
	return x, err
}

// reshapeOp: the sizes include the batch's.
func reshapeOp(b *builder, l *keras.Layer, in []value) (value, error) {
	list, err := l.Config.Ints("newshape")
	if err != nil || list == nil {
		return in[0], refuse(l, "newshape %v", l.Config["newshape"])
	}
	open := 0
	for _, d := range list {
		if d < 0 {
			open++
		}
	}
	if open > 1 {
		return in[0], refuse(l, "newshape %v", list)
	}
	return b.reshape(in[0], list...), nil
}

func transposeOp(b *builder, l *keras.Layer, in []value) (value, error) {
	perm, err := l.Config.Ints("axes")
	if err != nil {
		return in[0], err
	}
	if perm == nil {
		for i := range in[0].dims {
			perm = append(perm, len(in[0].dims)-1-i)
		}
	}
	if len(perm) != len(in[0].dims) {
		return in[0], wrong(l, "axes %v of an input of shape %s", perm, shown(in[0].dims))
	}
	seen := make([]bool, len(perm))
	for i, a := range perm {
		at, err := axis(a, len(perm))
		if err != nil || seen[at] {
			return in[0], wrong(l, "axes %v", perm)
		}
		perm[i], seen[at] = at, true
	}
	return b.transpose(in[0], perm...), nil
}

func matmulOp(b *builder, l *keras.Layer, in []value) (value, error) {
	x, y := in[0].dims, in[1].dims
	if len(x) < 2 || len(y) < 2 {
		return in[0], refuse(l, "a product of shapes %s and %s", shown(x), shown(y))
	}
	out := append(together(x[:len(x)-2], y[:len(y)-2]), x[len(x)-2], y[len(y)-1])
	return in[0].with(b.Op("MatMul", nil, in[0].name, in[1].name), out...), nil
}

func stackOp(b *builder, l *keras.Layer, in []value) (value, error) {
	a, err := l.Config.Int("axis", 0)
	if err != nil {
		return in[0], err
	}
	at, err := axis(a, len(in[0].dims)+1)
	if err != nil {
		return in[0], err
	}
	parts := make([]value, len(in))
	for i, v := range in {
		parts[i] = b.unsqueeze(v, at)
	}
	return b.concat(parts, at)
}

// einsumRow: the sizes of the result are those of the labels.
func einsumRow(b *builder, l *keras.Layer, c *call) ([]value, error) {
	text, err := l.Config.String("subscripts", "")
	if err != nil {
		return nil, err
	}
	return op(func(b *builder, l *keras.Layer, in []value) (value, error) {
		size, term, labels := map[rune]int{}, 0, []rune{}
		at := 0
		for _, r := range text {
			switch {
			case r == '.':
				return in[0], refuse(l, "subscripts %q", text)
			case r == ',' || r == '-':
				term, at = term+1, 0
			case r == '>' || r == ' ':
			case term < len(in):
				if at >= len(in[term].dims) {
					return in[0], wrong(l, "subscripts %q for an input of shape %s", text, shown(in[term].dims))
				}
				if d := in[term].dims[at]; size[r] <= 0 {
					size[r] = d
				}
				at++
			default:
				labels = append(labels, r)
			}
		}
		var names []string
		dims := []int{}
		for _, v := range in {
			names = append(names, v.name)
		}
		for _, r := range labels {
			dims = append(dims, size[r])
		}
		if term != len(in) {
			return in[0], refuse(l, "subscripts %q", text)
		}
		return in[0].with(b.Op("Einsum", graph.Attrs{"equation": text}, names...), dims...), nil
	}, -1)(b, l, c)
}

// getItem takes x[...] with numbers, slices, None and an ellipsis.
func getItem(b *builder, l *keras.Layer, c *call) ([]value, error) {
	args, _ := c.kwargs["args"].([]any)
	if len(args) != 2 {
		return nil, refuse(l, "a call on %d values", len(args))
	}
	at, ok := args[0].(keras.Ref)
	if !ok {
		return nil, refuse(l, "a call on a constant")
	}
	x, err := c.ref(at)
	if err != nil {
		return nil, err
	}
	keys, ok := args[1].([]any)
	if !ok {
		keys = []any{args[1]}
	}
	named := 0 // axes that keys name
	for _, k := range keys {
		if k != nil && !isEllipsis(k) {
			named++
		}
	}
	if named > len(x.dims) {
		return nil, wrong(l, "%d indices of an input of shape %s", named, shown(x.dims))
	}
	axis := 0
	for _, k := range keys {
		switch {
		case k == nil:
			x = b.unsqueeze(x, axis)
			axis++
		case isEllipsis(k):
			axis += len(x.dims) - axis - named
		default:
			named--
			gone := false
			if x, gone, err = b.indexed(l, x, axis, k); err != nil {
				return nil, err
			}
			if !gone {
				axis++
			}
		}
	}
	x.mask = ""
	return []value{x}, nil
}

func isEllipsis(k any) bool {
	m, ok := k.(map[string]any)
	return ok && m["class_name"] == "__ellipsis__"
}

// indexed takes one index or slice of an axis; gone: the axis is no more.
func (b *builder) indexed(l *keras.Layer, x value, axis int, k any) (y value, gone bool, err error) {
	whole := func(v any, missing int64) (int64, error) {
		if v == nil {
			return missing, nil
		}
		n, ok := v.(json.Number)
		if !ok {
			return 0, refuse(l, "an index %v", v)
		}
		return n.Int64()
	}
	m, ok := k.(map[string]any)
	if !ok {
		i, err := whole(k, 0)
		if err != nil {
			return x, false, err
		}
		index := b.Constant("", graph.Scalar(i))
		return x.with(b.Op("Gather", graph.Attrs{"axis": int64(axis)}, x.name, index), slices.Delete(slices.Clone(x.dims), axis, axis+1)...), true, nil
	}
	config, _ := m["config"].(map[string]any)
	if m["class_name"] != "__slice__" {
		return x, false, refuse(l, "an index %v", k)
	}
	step, err := whole(config["step"], 1)
	if err != nil || step == 0 {
		return x, false, refuse(l, "a step of %v", config["step"])
	}
	first, end := int64(0), int64(toEnd)
	if step < 0 {
		first, end = -1, -toEnd
	}
	start, err := whole(config["start"], first)
	if err != nil {
		return x, false, err
	}
	stop, err := whole(config["stop"], end)
	if err != nil {
		return x, false, err
	}
	if config["start"] == nil && config["stop"] == nil && step == 1 {
		return x, false, nil
	}
	dims := slices.Clone(x.dims)
	if step == 1 {
		dims = b.sliced(x, axis, start, stop)
	} else if dims[axis] = -1; config["start"] == nil && config["stop"] == nil && x.dims[axis] >= 0 {
		by := max(step, -step)
		dims[axis] = int((int64(x.dims[axis]) + by - 1) / by)
	}
	return x.with(b.Op("Slice", nil, x.name, b.Ints(start), b.Ints(stop), b.Ints(int64(axis)), b.Ints(step)), dims...), false, nil
}
