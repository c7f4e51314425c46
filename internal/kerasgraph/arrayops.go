package kerasgraph

import (
	"math"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// Operations of keras.ops on arrays, beside those of functional.go: what is put
// together of several of ONNX's operators.

func arrayOperations() map[string]row {
	type unary = func(b *builder, l *keras.Layer, in []value) (value, error)
	rows := map[string]row{
		"ops.Split": several(splitOp), "ops.Unstack": several(unstackOp),
		"ops.Take": takeRow,
	}
	for name, f := range map[string]unary{
		"Argmax": argOp("ArgMax"), "Argmin": argOp("ArgMin"), "Repeat": repeatOp, "Tile": tileOp, "Cumsum": cumsumOp,
		"Norm": normOp, "Var": varOp(false), "Std": varOp(true), "Swapaxes": swapOp, "SwapAxes": swapOp, "OneHot": oneHotOp, "Prod": reduceOp("ReduceProd"),
		"Amax": reduceOp("ReduceMax"), "Amin": reduceOp("ReduceMin"), "Logsumexp": logSumExp, "Normalize": normalizeOp,
		"Moveaxis": moveOp, "Elu": alphaOp("Elu"), "Celu": alphaOp("Celu"), "Glu": gluOp,
		"HardShrink": shrinkOp(false), "SoftShrink": shrinkOp(true), "Threshold": thresholdOp, "Squareplus": squareplusOp, "Sparsemax": sparsemaxOp,
		"ReLU": func(b *builder, l *keras.Layer, in []value) (value, error) { return reluLayer(b, l, in[0]) },
		"Log1p": func(b *builder, _ *keras.Layer, in []value) (value, error) {
			return b.unary("Log", nil, in[0].same(b.Op("Add", nil, in[0].name, b.scalar(1)))), nil
		},
		"Expm1": func(b *builder, _ *keras.Layer, in []value) (value, error) {
			return in[0].same(b.Op("Sub", nil, b.Op("Exp", nil, in[0].name), b.scalar(1))), nil
		},
		"Log2":  logOp(math.Ln2),
		"Log10": logOp(math.Ln10),
		"Rsqrt": func(b *builder, _ *keras.Layer, in []value) (value, error) {
			return b.unary("Reciprocal", nil, b.unary("Sqrt", nil, in[0])), nil
		},
		"Round": roundOp,
	} {
		rows["ops."+name] = op(f, 1)
	}
	for _, name := range []string{"StopGradient", "Copy"} {
		rows["ops."+name] = op(func(_ *builder, _ *keras.Layer, in []value) (value, error) { return in[0], nil }, 1)
	}
	for name, onnx := range map[string]string{"Tan": "Tan", "Sinh": "Sinh", "Cosh": "Cosh", "Arctan": "Atan", "Arcsin": "Asin", "Arccos": "Acos"} {
		rows["ops."+name] = op(func(b *builder, _ *keras.Layer, in []value) (value, error) {
			return b.unary(onnx, nil, b.float(in[0])), nil
		}, 1)
	}
	rows["ops.Sign"] = op(func(b *builder, _ *keras.Layer, in []value) (value, error) { return b.unary("Sign", nil, in[0]), nil }, 1)
	for _, name := range []string{"HardTanh", "TanhShrink", "SparsePlus", "SparseSigmoid", "Mish"} {
		function := map[string]string{"HardTanh": "hard_tanh", "TanhShrink": "tanh_shrink", "SparsePlus": "sparse_plus", "SparseSigmoid": "sparse_sigmoid", "Mish": "mish"}[name]
		rows["ops."+name] = op(func(b *builder, _ *keras.Layer, in []value) (value, error) {
			return b.functions()[function](in[0]), nil
		}, 1)
	}
	rows["ops.Pad"] = padRow
	rows["ops.LogicalXor"] = op(binaryOp("Xor"), 2)
	return rows
}

// oneAxis reads an axis that has to be said and is not the batch's.
func oneAxis(l *keras.Layer, key string, rank int) (int, error) {
	if l.Config[key] == nil {
		return 0, refuse(l, "no %s", key)
	}
	a, err := l.Config.Int(key, 0)
	if err != nil {
		return 0, err
	}
	return axis(a, rank)
}

func argOp(name string) func(b *builder, l *keras.Layer, in []value) (value, error) {
	return func(b *builder, l *keras.Layer, in []value) (value, error) {
		at, err := oneAxis(l, "axis", len(in[0].dims))
		if err != nil {
			return in[0], err
		}
		keep, err := l.Config.Bool("keepdims", false)
		if err != nil {
			return in[0], err
		}
		y := in[0].same(b.Op(name, graph.Attrs{"axis": int64(at), "keepdims": int64(1)}, in[0].name))
		y.typ = graph.I64
		y.dims = slices.Clone(y.dims)
		y.dims[at] = 1
		if !keep {
			y = b.squeeze(y, at)
		}
		return b.cast(y, graph.I32), nil
	}
}

// several makes a row of a function of one value that gives several.
func several(f func(b *builder, l *keras.Layer, x value) ([]value, error)) row {
	return func(b *builder, l *keras.Layer, c *call) ([]value, error) {
		var out []value
		_, err := op(func(b *builder, l *keras.Layer, in []value) (value, error) {
			in[0].mask = ""
			var err error
			out, err = f(b, l, in[0])
			return in[0], err
		}, 1)(b, l, c)
		return out, err
	}
}

// partsAxis is the axis that x is parted along, whose size is known.
func partsAxis(l *keras.Layer, x value) (int, error) {
	a, err := l.Config.Int("axis", 0)
	if err != nil {
		return 0, err
	}
	at, err := axis(a, len(x.dims))
	if err == nil && (at == 0 || x.dims[at] < 0) {
		err = refuse(l, "parts along axis %d of shape %s", at, shown(x.dims))
	}
	return at, err
}

// splitOp: a number says how many parts, a list where to cut.
func splitOp(b *builder, l *keras.Layer, x value) ([]value, error) {
	at, err := partsAxis(l, x)
	if err != nil {
		return nil, err
	}
	n := x.dims[at]
	cuts, err := l.Config.Ints("indices_or_sections")
	if err != nil {
		return nil, err
	}
	if _, list := l.Config["indices_or_sections"].([]any); !list {
		if len(cuts) != 1 || cuts[0] < 1 || n%cuts[0] != 0 {
			return nil, wrong(l, "%v parts of %d", cuts, n)
		}
		parts := cuts[0]
		cuts = nil
		for i := 1; i < parts; i++ {
			cuts = append(cuts, i*n/parts)
		}
	}
	return b.cut(l, x, at, cuts)
}

// cut gives the parts of x between the places of an axis.
func (b *builder) cut(l *keras.Layer, x value, at int, cuts []int) ([]value, error) {
	var out []value
	from := 0
	for _, to := range append(slices.Clone(cuts), x.dims[at]) {
		if to < from || to > x.dims[at] {
			return nil, refuse(l, "parts that end at %v of %d", cuts, x.dims[at])
		}
		out = append(out, b.slice(x, at, int64(from), int64(to)))
		from = to
	}
	return out, nil
}

func unstackOp(b *builder, l *keras.Layer, x value) ([]value, error) {
	at, err := partsAxis(l, x)
	if err != nil {
		return nil, err
	}
	var out []value
	for i := range x.dims[at] {
		out = append(out, b.squeeze(b.slice(x, at, int64(i), int64(i+1)), at))
	}
	return out, nil
}

func repeatOp(b *builder, l *keras.Layer, in []value) (value, error) {
	at, err := oneAxis(l, "axis", len(in[0].dims))
	if err != nil {
		return in[0], err
	}
	n, err := l.Config.Int("repeats", 1)
	if err != nil || n < 1 || n > 1<<16 || at == 0 {
		return in[0], refuse(l, "repeats %v along axis %d", l.Config["repeats"], at)
	}
	return b.repeated(in[0], at, n), nil
}

func tileOp(b *builder, l *keras.Layer, in []value) (value, error) {
	times, err := l.Config.Ints("repeats")
	if err != nil {
		return in[0], err
	}
	x := in[0]
	for len(times) < len(x.dims) {
		times = slices.Insert(times, 0, 1)
	}
	if len(times) != len(x.dims) || times[0] != 1 || slices.Min(times) < 1 || slices.Max(times) > 1<<16 {
		return x, refuse(l, "repeats %v of an input of shape %s", times, shown(x.dims))
	}
	dims, wide := slices.Clone(x.dims), make([]int64, len(times))
	for i, n := range times {
		if wide[i] = int64(n); dims[i] > 0 {
			dims[i] *= n
		}
	}
	return x.with(b.Op("Tile", nil, x.name, b.Ints(wide...)), dims...), nil
}

func cumsumOp(b *builder, l *keras.Layer, in []value) (value, error) {
	at, err := oneAxis(l, "axis", len(in[0].dims))
	if err != nil {
		return in[0], err
	}
	if l.Config["dtype"] != nil || in[0].typ == graph.Bool {
		return in[0], refuse(l, "a dtype, or a sum of %s,", in[0].typ)
	}
	attrs := graph.Attrs{}
	for _, key := range []string{"exclusive", "reverse"} { // TensorFlow's
		on, err := l.Config.Bool(key, false)
		if err != nil {
			return in[0], err
		}
		if on {
			attrs[key] = int64(1)
		}
	}
	return in[0].same(b.Op("CumSum", attrs, in[0].name, b.Constant("", graph.Scalar(int64(at))))), nil
}

// normOp is the length along one axis, or of a matrix along two.
func normOp(b *builder, l *keras.Layer, in []value) (value, error) {
	axes, err := l.Config.Ints("axis")
	if err != nil {
		return in[0], err
	}
	order := l.Config["ord"]
	name := "ReduceL2"
	if n, ok := integerOf(order); ok && len(axes) == 1 {
		switch n {
		case 1:
			name = "ReduceL1"
		case 2:
		default:
			return in[0], refuse(l, "ord %v", order)
		}
	} else if order != nil && !((order == "fro" || order == "euclidean") && len(axes) > 0) {
		return in[0], refuse(l, "ord %v along the axes %v", order, axes)
	}
	in[0] = b.float(in[0])
	return reduceOp(name)(b, l, in)
}

// varOp is the mean of squared distances from the mean, or its root.
func varOp(root bool) func(b *builder, l *keras.Layer, in []value) (value, error) {
	return func(b *builder, l *keras.Layer, in []value) (value, error) {
		x := b.float(in[0])
		axes, err := opAxes(l, len(x.dims))
		if err != nil {
			return x, err
		}
		mean := b.Op("ReduceMean", graph.Attrs{"keepdims": int64(1)}, x.name, b.Ints(axes...))
		d := b.Op("Sub", nil, x.name, mean)
		y, err := reduceOp("ReduceMean")(b, l, []value{x.same(b.Op("Mul", nil, d, d))})
		if root {
			y = b.unary("Sqrt", nil, y)
		}
		return y, err
	}
}

func logSumExp(b *builder, l *keras.Layer, in []value) (value, error) {
	in[0] = b.float(in[0])
	return reduceOp("ReduceLogSumExp")(b, l, in)
}

// normalizeOp divides by the length along an axis.
func normalizeOp(b *builder, l *keras.Layer, in []value) (value, error) {
	if order, err := l.Config.Int("order", 2); err != nil || order != 2 {
		return in[0], refuse(l, "order %v", l.Config["order"])
	}
	epsilon, err := l.Config.Float("epsilon", 1e-12)
	if err != nil {
		return in[0], err
	}
	a, err := l.Config.Int("axis", -1)
	if err != nil {
		return in[0], err
	}
	at, err := axis(a, len(in[0].dims))
	if err != nil {
		return in[0], err
	}
	x := b.float(in[0])
	return b.lengthened(x, int64(at), epsilon), nil
}

// lengthened is x with length 1 along the axis; the square of a length counts as least.
func (b *builder) lengthened(x value, at int64, least float64) value {
	sum := b.Op("ReduceSumSquare", graph.Attrs{"keepdims": int64(1)}, x.name, b.Ints(at))
	return x.same(b.Op("Div", nil, x.name, b.Op("Sqrt", nil, b.Op("Max", nil, sum, b.scalar(least)))))
}

func swapOp(b *builder, l *keras.Layer, in []value) (value, error) {
	perm := identity(len(in[0].dims))
	i, err := oneAxis(l, "axis1", len(perm))
	if err != nil {
		return in[0], err
	}
	k, err := oneAxis(l, "axis2", len(perm))
	if err != nil {
		return in[0], err
	}
	perm[i], perm[k] = perm[k], perm[i]
	return b.transpose(in[0], perm...), nil
}

func identity(n int) []int {
	perm := make([]int, n)
	for i := range perm {
		perm[i] = i
	}
	return perm
}

func moveOp(b *builder, l *keras.Layer, in []value) (value, error) {
	n := len(in[0].dims)
	from, err := l.Config.Ints("source")
	if err != nil {
		return in[0], err
	}
	to, err := l.Config.Ints("destination")
	if err != nil || len(from) != 1 || len(to) != 1 {
		return in[0], refuse(l, "source %v to destination %v", from, to)
	}
	i, err := axis(from[0], n)
	if err != nil {
		return in[0], err
	}
	k, err := axis(to[0], n)
	if err != nil {
		return in[0], err
	}
	perm := slices.Delete(identity(n), i, i+1)
	return b.transpose(in[0], slices.Insert(perm, k, i)...), nil
}

// oneHotOp: what is no class gives zeros.
func oneHotOp(b *builder, l *keras.Layer, in []value) (value, error) {
	n, err := l.Config.Int("num_classes", 0)
	if err != nil || n < 1 || n > 1<<24 {
		return in[0], wrong(l, "num_classes is %v", l.Config["num_classes"])
	}
	a, err := l.Config.Int("axis", -1)
	if err != nil {
		return in[0], err
	}
	at, err := axis(a, len(in[0].dims)+1)
	if err != nil || at != len(in[0].dims) {
		return in[0], refuse(l, "axis %d", a)
	}
	if d := l.Config["dtype"]; d != nil && d != "float32" {
		return in[0], refuse(l, "dtype %v", d)
	}
	if sparse, err := l.Config.Bool("sparse", false); err != nil || sparse {
		return in[0], refuse(l, "sparse")
	}
	return b.cast(b.hot(in[0], n), graph.F32), nil
}

// hot says of each whole number which of n it is, along a new last axis.
func (b *builder) hot(x value, n int) value {
	x = b.cast(x, graph.I64)
	classes := make([]int64, n)
	for i := range classes {
		classes[i] = int64(i)
	}
	wide := b.unsqueeze(x, len(x.dims))
	dims := slices.Clone(wide.dims)
	dims[len(dims)-1] = n
	y := wide.with(b.Op("Equal", nil, wide.name, b.Ints(classes...)), dims...)
	y.typ = graph.Bool
	return y
}

// takeRow gathers along an axis, by a value or a number of the file.
func takeRow(b *builder, l *keras.Layer, c *call) ([]value, error) {
	return op2(func(b *builder, l *keras.Layer, in []value) (value, error) {
		x, index := in[0], in[1]
		at, err := oneAxis(l, "axis", len(x.dims))
		if err != nil {
			return x, err
		}
		if at == 0 {
			return x, refuse(l, "along axis 0")
		}
		if index.typ != graph.I32 && index.typ != graph.I64 || index.dims != nil {
			return x, refuse(l, "indices that are no number of the file")
		}
		return x.with(b.Op("Gather", graph.Attrs{"axis": int64(at)}, x.name, index.name), slices.Delete(slices.Clone(x.dims), at, at+1)...), nil
	})(b, l, c)
}

// op2 makes a row of a value and a whole number of the file, which stays one.
func op2(f func(b *builder, l *keras.Layer, in []value) (value, error)) row {
	return func(b *builder, l *keras.Layer, c *call) ([]value, error) {
		args, _ := c.kwargs["args"].([]any)
		if err := noMore(l, c); err != nil {
			return nil, err
		}
		if len(args) != 2 {
			return nil, refuse(l, "a call on %d values", len(args))
		}
		at, ok := args[0].(keras.Ref)
		n, ok2 := integerOf(args[1])
		if !ok || !ok2 {
			return nil, refuse(l, "a call on anything but a value and a whole number")
		}
		x, err := c.ref(at)
		if err != nil {
			return nil, err
		}
		y, err := f(b, l, []value{x, {name: b.Constant("", graph.Scalar(int64(n))), typ: graph.I64}})
		y.mask = ""
		return []value{y}, err
	}
}

func alphaOp(name string) func(b *builder, l *keras.Layer, in []value) (value, error) {
	return func(b *builder, l *keras.Layer, in []value) (value, error) {
		alpha, err := l.Config.Float("alpha", 1)
		return b.unary(name, graph.Attrs{"alpha": float32(alpha)}, in[0]), err
	}
}

func gluOp(b *builder, l *keras.Layer, in []value) (value, error) {
	a, err := l.Config.Int("axis", -1)
	if err != nil {
		return in[0], err
	}
	at, err := axis(a, len(in[0].dims))
	if err != nil {
		return in[0], err
	}
	if n := in[0].dims[at]; n < 2 || n%2 != 0 {
		return in[0], refuse(l, "glu along axis %d of shape %s", at, shown(in[0].dims))
	}
	return b.gated(in[0], at), nil
}

// gated is the first half along an axis times the sigmoid of the second.
func (b *builder) gated(x value, at int) value {
	half := int64(x.dims[at] / 2)
	second := b.unary("Sigmoid", nil, b.slice(x, at, half, 2*half))
	return b.binary("Mul", b.slice(x, at, 0, half), second)
}

func shrinkOp(soft bool) func(b *builder, l *keras.Layer, in []value) (value, error) {
	return func(b *builder, l *keras.Layer, in []value) (value, error) {
		t, err := l.Config.Float("threshold", 0.5)
		return b.shrunk(in[0], t, soft), err
	}
}

// shrunk is zero within the threshold; soft: nearer to zero by it elsewhere.
func (b *builder) shrunk(x value, threshold float64, soft bool) value {
	bias := float32(0)
	if soft {
		bias = float32(threshold)
	}
	return b.unary("Shrink", graph.Attrs{"lambd": float32(threshold), "bias": bias}, x)
}

func thresholdOp(b *builder, l *keras.Layer, in []value) (value, error) {
	t, err := l.Config.Float("threshold", 0)
	if err != nil {
		return in[0], err
	}
	other, err := l.Config.Float("default_value", 0)
	above := b.Op("Greater", nil, in[0].name, b.scalar(t))
	return in[0].same(b.Op("Where", nil, above, in[0].name, b.scalar(other))), err
}

func squareplusOp(b *builder, l *keras.Layer, in []value) (value, error) {
	by, err := l.Config.Float("b", 4)
	return b.squareplus(in[0], by), err
}

func (b *builder) squareplus(x value, by float64) value {
	root := b.Op("Sqrt", nil, b.Op("Add", nil, b.Op("Mul", nil, x.name, x.name), b.scalar(by)))
	return x.same(b.Op("Mul", nil, b.Op("Add", nil, x.name, root), b.scalar(0.5)))
}

func sparsemaxOp(b *builder, l *keras.Layer, in []value) (value, error) {
	a, err := l.Config.Int("axis", -1)
	if at, e := axis(a, len(in[0].dims)); e != nil || at != len(in[0].dims)-1 {
		return in[0], refuse(l, "sparsemax along axis %d", a)
	}
	return b.sparsemax(in[0]), err
}

// sparsemax is max(x − tau, 0) along the last axis. The support are the k largest
// elements that are above (x1 + … + xk − 1)/k; tau is what Keras makes it, which sums the
// sums of all of the support, not the last one: it is not the projection of its paper.
func (b *builder) sparsemax(x value) value {
	last := len(x.dims) - 1
	n := b.size(x, last)
	sorted := b.Ops("TopK", 2, graph.Attrs{"axis": int64(-1)}, x.name, n)[0]
	sums := b.Op("CumSum", nil, sorted, b.Constant("", graph.Scalar(int64(last))))
	one := b.Constant("", graph.Scalar(int64(1)))
	end := b.Op("Add", nil, b.Op("Squeeze", nil, n, b.Ints(0)), one)
	k := b.Op("Cast", graph.Attrs{"to": int64(onnxFloat)}, b.Op("Range", nil, one, end, one))
	support := b.Op("Greater", nil, b.Op("Sub", nil, sorted, b.Op("Div", nil, b.Op("Sub", nil, sums, b.scalar(1)), k)), b.scalar(0))
	keep := graph.Attrs{"keepdims": int64(1)}
	count := b.Op("ReduceSum", keep, b.Op("Cast", graph.Attrs{"to": int64(onnxFloat)}, support), b.Ints(-1))
	total := b.Op("ReduceSum", keep, b.Op("Where", nil, support, sums, b.scalar(0)), b.Ints(-1))
	tau := b.Op("Div", nil, b.Op("Sub", nil, total, b.scalar(1)), count)
	return b.unary("Relu", nil, x.same(b.Op("Sub", nil, x.name, tau)))
}

func logOp(base float64) func(b *builder, l *keras.Layer, in []value) (value, error) {
	return func(b *builder, _ *keras.Layer, in []value) (value, error) {
		x := b.unary("Log", nil, b.float(in[0]))
		return x.same(b.Op("Div", nil, x.name, b.scalar(base))), nil
	}
}

func roundOp(b *builder, l *keras.Layer, in []value) (value, error) {
	if n, err := l.Config.Int("decimals", 0); err != nil || n != 0 || in[0].typ != graph.F32 {
		return in[0], refuse(l, "decimals %v of %s", l.Config["decimals"], in[0].typ)
	}
	return b.unary("Round", nil, in[0]), nil
}

// padRow adds elements at the ends of axes.
func padRow(b *builder, l *keras.Layer, c *call) ([]value, error) {
	kwargs, _ := c.kwargs["kwargs"].(map[string]any)
	fill, err := keras.Config(kwargs).Float("constant_values", 0)
	if err != nil {
		return nil, err
	}
	rest := map[string]any{}
	for k, v := range kwargs {
		if k != "constant_values" {
			rest[k] = v
		}
	}
	c.kwargs = map[string]any{"args": c.kwargs["args"], "kwargs": rest}
	return op(func(b *builder, l *keras.Layer, in []value) (value, error) {
		x := in[0]
		mode, err := l.Config.String("mode", "constant")
		if err != nil || mode != "constant" && mode != "reflect" && mode != "edge" {
			return x, refuse(l, "mode %v", l.Config["mode"])
		}
		if x.typ != graph.F32 {
			return x, refuse(l, "of %s", x.typ)
		}
		list, _ := l.Config["pad_width"].([]any)
		if len(list) != len(x.dims) {
			return x, refuse(l, "pad_width %v of an input of shape %s", l.Config["pad_width"], shown(x.dims))
		}
		n := len(x.dims)
		dims, pads := slices.Clone(x.dims), make([]int64, 2*n)
		for i, v := range list {
			p, err := keras.Config{"pad_width": v}.Ints("pad_width")
			if err != nil || len(p) != 2 || min(p[0], p[1]) < 0 || max(p[0], p[1]) > 1<<24 || i == 0 && p[0]+p[1] > 0 {
				return x, refuse(l, "pad_width %v", l.Config["pad_width"])
			}
			if pads[i], pads[n+i] = int64(p[0]), int64(p[1]); dims[i] >= 0 {
				dims[i] += p[0] + p[1]
			}
		}
		return x.with(b.Op("Pad", graph.Attrs{"mode": mode}, x.name, b.Ints(pads...), b.scalar(fill)), dims...), nil
	}, 1)(b, l, c)
}
