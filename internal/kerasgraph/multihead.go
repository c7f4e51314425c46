package kerasgraph

import (
	"math"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// MultiHeadAttention and GroupedQueryAttention. Letters beside those of the package: N
// heads, S steps of the value, K what a head has of queries and keys, V of values.
//
// A score that the mask leaves out gets the largest negative number there is room for.
// Where all of a step's are left out, which only a masked query is, the value's mean
// comes out, or zeros where Keras 3 takes its Softmax layer (dropout, returned scores,
// axes of its own). Keras 2 adds -1e9 instead.

// largeNegative is what Keras 3 writes over a score that does not count.
const largeNegative = -0.7 * math.MaxFloat32

// heads is what is read of an attention and its call.
type heads struct {
	layer         *keras.Layer
	q, v, k       value
	queryHeads    int
	valueHeads    int
	axes          []int // that are attended along
	scores        bool  // are an output too
	causal        bool
	window        int
	softmaxZeroes bool
	mask          string // [B,T,S] or less, true where attended
}

func multiHead(b *builder, l *keras.Layer, c *call) ([]value, error) {
	a, err := b.readHeads(l, c)
	if err != nil {
		return nil, err
	}
	part := map[string]*keras.Layer{}
	for _, in := range l.Inner {
		part[in.Name] = in
	}
	from := map[string]value{"query": a.q, "key": a.k, "value": a.v, "gate": a.q}
	for name, x := range from {
		if part[name] == nil {
			continue
		}
		x.mask = ""
		if from[name], err = b.project(part[name], x, 1, 2); err != nil {
			return nil, err
		}
	}
	q, k, v := from["query"], from["key"], from["value"]
	n := len(q.dims)
	if len(k.dims) != n || len(v.dims) != n || q.dims[n-1] != k.dims[n-1] || q.dims[n-2] != a.queryHeads || k.dims[n-2] != a.valueHeads || v.dims[n-2] != a.valueHeads {
		return nil, wrong(l, "its projections give %s, %s and %s", shown(q.dims), shown(k.dims), shown(v.dims))
	}
	if each := a.queryHeads / a.valueHeads; each > 1 {
		k, v = b.repeated(k, n-2, each), b.repeated(v, n-2, each)
	}
	product, combine := attentionEquations(n, a.axes)
	q = q.same(b.Op("Mul", nil, q.name, b.scalar(1/math.Sqrt(float64(q.dims[n-1])))))
	var dims []int // of the scores: what is not attended, then queries and keys
	for i, d := range q.dims[:n-1] {
		if !slices.Contains(a.axes, i) {
			dims = append(dims, d)
		}
	}
	for _, x := range []value{q, k} {
		for _, i := range a.axes {
			dims = append(dims, x.dims[i])
		}
	}
	scores := q.with(b.Op("Einsum", graph.Attrs{"equation": product}, k.name, q.name), dims...)
	scores = b.attended(a, scores)
	y := q.with(b.Op("Einsum", graph.Attrs{"equation": combine}, scores.name, v.name), append(slices.Clone(q.dims[:n-1]), v.dims[n-1])...)
	if part["gate"] != nil {
		y = b.binary("Mul", y, b.unary("Sigmoid", nil, from["gate"]))
	}
	out, err := shaped(part["attention_output"], "kernel", 2+max(1, len(outputShape(l))))
	if err != nil {
		return nil, err
	}
	if y, err = b.project(part["attention_output"], y, 2, len(out)-2); err != nil {
		return nil, err
	}
	if y.mask = a.q.mask; l.Class != "MultiHeadAttention" {
		y.mask = c.in[0].mask
	}
	if a.scores {
		return []value{y, scores}, nil
	}
	return []value{y}, nil
}

func outputShape(l *keras.Layer) []int {
	s, _ := l.Config.Ints("output_shape") // of another kind, the kernel has not that rank
	return s
}

// readHeads reads settings, arguments and masks.
func (b *builder) readHeads(l *keras.Layer, c *call) (*heads, error) {
	in := slices.Clone(c.in)
	given := map[string]value{}
	a := &heads{layer: l}
	for name, v := range c.kwargs {
		if at, ok := v.(keras.Ref); ok {
			x, err := c.ref(at)
			if err != nil {
				return nil, err
			}
			given[name] = x
			continue
		}
		switch on, isBool := v.(bool); {
		case v == nil || name == "training":
		case name == "return_attention_scores" && isBool:
			a.scores = on
		case name == "use_causal_mask" && isBool:
			a.causal = on
		default:
			return nil, refuse(l, "%s=%v in its call", name, v)
		}
	}
	for i, name := range []string{"query", "value", "key"} {
		if x, ok := given[name]; ok {
			if i != len(in) {
				return nil, wrong(l, "it is called on %d values and %s", len(in), name)
			}
			in = append(in, x)
			delete(given, name)
		}
	}
	if len(in) < 2 || len(in) > 3 {
		return nil, wrong(l, "it is called on %d values, expected query, value and perhaps key", len(in))
	}
	a.q, a.v = in[0], in[1]
	a.k = a.v
	if len(in) == 3 {
		a.k = in[2]
	}
	if len(a.q.dims) < 3 || len(a.v.dims) != len(a.q.dims) || len(a.k.dims) != len(a.q.dims) {
		return nil, refuse(l, "a call on shapes %s, %s and %s", shown(a.q.dims), shown(a.v.dims), shown(a.k.dims))
	}
	if err := b.headSettings(a); err != nil {
		return nil, err
	}
	for name, x := range map[string]*value{"query_mask": &a.q, "value_mask": &a.v, "key_mask": &a.k} {
		if m, ok := given[name]; ok {
			x.mask = m.name
			delete(given, name)
		}
	}
	if _, said := given["key_mask"]; !said && len(in) == 2 {
		a.k.mask = ""
	}
	return a, b.attentionMask(a, given)
}

func (b *builder) headSettings(a *heads) (err error) {
	l := a.layer
	if l.Class == "MultiHeadAttention" {
		if a.queryHeads, err = l.Config.Int("num_heads", 0); err != nil {
			return err
		}
		a.valueHeads = a.queryHeads
	} else {
		if a.queryHeads, err = l.Config.Int("num_query_heads", 0); err != nil {
			return err
		}
		if a.valueHeads, err = l.Config.Int("num_key_value_heads", 0); err != nil {
			return err
		}
	}
	if a.valueHeads < 1 || a.queryHeads%a.valueHeads != 0 || a.queryHeads < 1 {
		return wrong(l, "it has %d heads of queries and %d of values", a.queryHeads, a.valueHeads)
	}
	if a.window, err = l.Config.Int("sliding_window", 0); err != nil {
		return err
	}
	axes, err := l.Config.Ints("attention_axes")
	if err != nil {
		return err
	}
	rank := len(a.q.dims)
	if axes == nil {
		for i := 1; i < rank-1; i++ {
			axes = append(axes, i)
		}
	}
	for i, at := range axes {
		if at < 0 {
			at += rank
		}
		if at < 1 || at >= rank-1 || slices.Contains(axes[:i], at) {
			return wrong(l, "attention_axes is %v for an input of shape %s", axes, shown(a.q.dims))
		}
		axes[i] = at
	}
	a.axes = axes
	drop, err := l.Config.Float("dropout", 0)
	a.softmaxZeroes = drop > 0 || a.scores || rank > 3
	return err
}

// attentionMask joins the masks of a call into one.
func (b *builder) attentionMask(a *heads, given map[string]value) error {
	l := a.layer
	auto := a.q.mask != "" || a.v.mask != "" || a.k.mask != ""
	if auto && b.major < 3 && !b.version(2, 10) {
		return refuse(l, "a mask of steps, which Keras before 2.10 does not use here,")
	}
	if (auto || a.causal || a.window > 0 || given["attention_mask"].name != "") && (len(a.q.dims) != 3 || len(a.axes) != 1) {
		return refuse(l, "a mask of an input of shape %s along the axes %v", shown(a.q.dims), a.axes)
	}
	join := func(m string) { a.mask = b.both(a.mask, m) }
	if a.q.mask != "" {
		join(b.Op("Unsqueeze", nil, a.q.mask, b.Ints(2)))
	}
	for _, m := range []string{a.v.mask, a.k.mask} {
		if m != "" {
			join(b.Op("Unsqueeze", nil, m, b.Ints(1)))
		}
	}
	if a.causal || a.window > 0 {
		row, column := b.steps(a.q, 2), b.steps(a.v, 1)
		if a.causal {
			join(b.Op("GreaterOrEqual", nil, row, column))
		}
		if a.window > 0 {
			far := b.Op("Abs", nil, b.Op("Sub", nil, row, column))
			join(b.Op("Less", nil, far, b.Constant("", graph.Scalar(int64(a.window)))))
		}
	}
	if m, ok := given["attention_mask"]; ok {
		if len(m.dims) != 3 {
			return refuse(l, "an attention_mask of shape %s", shown(m.dims))
		}
		join(b.cast(m, graph.Bool).name)
		delete(given, "attention_mask")
	}
	for name := range given {
		return refuse(l, "%s in its call", name)
	}
	return nil
}

// attended are the scores as weights: masked, and summing to 1 over the axes of keys.
func (b *builder) attended(a *heads, scores value) value {
	mask := ""
	if a.mask != "" {
		mask = b.Op("Unsqueeze", nil, a.mask, b.Ints(1)) // [B,1,T,S]
		if b.major < 3 {
			less := b.Op("Where", nil, mask, b.scalar(0), b.scalar(-1e9))
			scores = scores.same(b.Op("Add", nil, scores.name, less))
		} else {
			scores = scores.same(b.Op("Where", nil, mask, scores.name, b.scalar(largeNegative)))
		}
	}
	if len(a.axes) == 1 {
		scores = b.unary("Softmax", graph.Attrs{"axis": int64(-1)}, scores)
	} else {
		var over []int64
		for i := range a.axes {
			over = append(over, int64(len(scores.dims)-len(a.axes)+i))
		}
		keep := graph.Attrs{"keepdims": int64(1)}
		e := b.Op("Exp", nil, b.Op("Sub", nil, scores.name, b.Op("ReduceMax", keep, scores.name, b.Ints(over...))))
		scores = scores.same(b.Op("Div", nil, e, b.Op("ReduceSum", keep, e, b.Ints(over...))))
	}
	if mask != "" && a.softmaxZeroes && b.major >= 3 {
		scores = scores.same(b.Op("Where", nil, mask, scores.name, b.scalar(0)))
	}
	return scores
}

// attentionEquations are those of keys times queries and of weights times values, of
// rank axes: those attended along, the heads last but one, and what a head has.
func attentionEquations(rank int, axes []int) (product, combine string) {
	letters := "abcdefghijklmnopqrstuvwxyz"
	target, source := []byte(letters[:rank]), []byte(letters[:rank])
	batch, queries, keys := "", "", ""
	for i := range rank - 1 {
		if !slices.Contains(axes, i) {
			batch += string(target[i])
		}
	}
	for k, i := range axes {
		source[i] = letters[rank+k]
		queries, keys = queries+string(target[i]), keys+string(source[i])
	}
	weights := batch + queries + keys
	return string(source) + "," + string(target) + "->" + weights, weights + "," + string(source) + "->" + string(target)
}

// project multiplies the last bound axes of x with a kernel, which gives outs axes, and
// adds the bias.
func (b *builder) project(l *keras.Layer, x value, bound, outs int) (value, error) {
	k, err := shaped(l, "kernel", bound+outs)
	if err != nil {
		return x, err
	}
	at := len(x.dims) - bound
	ins, all := 1, 1
	for i, d := range k {
		if i < bound {
			ins *= d
			if x.dims[at+i] >= 0 && x.dims[at+i] != d {
				return x, wrong(l, "its input has shape %s, its kernel %v", shown(x.dims), k)
			}
		} else {
			all *= d
		}
	}
	w, err := b.weight(l, "kernel", []int{ins, all}, nil)
	if err != nil {
		return x, err
	}
	flat := func(x value, from int, sizes ...int) value {
		var lead []string
		for i := range from {
			lead = append(lead, b.size(x, i))
		}
		for _, n := range sizes {
			lead = append(lead, b.Ints(int64(n)))
		}
		return x.with(b.Op("Reshape", nil, x.name, b.Op("Concat", graph.Attrs{"axis": int64(0)}, lead...)), append(slices.Clone(x.dims[:from]), sizes...)...)
	}
	if bound > 1 {
		x = flat(x, at, ins)
	}
	y := x.with(b.Op("MatMul", nil, x.name, w), append(slices.Clone(x.dims[:at]), all)...)
	if y, err = b.bias(l, y, all); err != nil {
		return x, err
	}
	if outs > 1 {
		y = flat(y, at, k[bound:]...)
	}
	return y, nil
}

// einsumDense multiplies with a kernel along any axes.
func einsumDense(b *builder, l *keras.Layer, x value) (value, error) {
	text, err := l.Config.String("equation", "")
	if err != nil {
		return x, err
	}
	text = strings.ReplaceAll(text, " ", "")
	left, out, ok := strings.Cut(text, "->")
	in, weights, ok2 := strings.Cut(left, ",")
	if !ok || !ok2 || strings.Count(text, ",") != 1 {
		return x, wrong(l, "equation is %q, expected one like ab,bc->ac", text)
	}
	k, err := shaped(l, "kernel", len(weights))
	if err != nil {
		return x, err
	}
	kernel, err := b.weight(l, "kernel", k, nil)
	if err != nil {
		return x, err
	}
	full, err := spelled(l, in, weights+out, len(x.dims))
	if err != nil {
		return x, err
	}
	dots := full[strings.IndexByte(in+".", '.'):][:len(full)-len(strings.ReplaceAll(in, ".", ""))]
	result := strings.Replace(out, "...", dots, 1)
	size := map[byte]int{}
	for i := range full {
		size[full[i]] = x.dims[i]
	}
	for i, n := range k {
		if d, there := size[weights[i]]; there && d >= 0 && d != n {
			return x, wrong(l, "equation %q: its input has shape %s, its kernel %v", text, shown(x.dims), k)
		}
		size[weights[i]] = n
	}
	dims := make([]int, len(result))
	for i := range result {
		d, there := size[result[i]]
		if !there {
			return x, wrong(l, "equation %q: nothing has %q", text, result[i])
		}
		dims[i] = d
	}
	y := x.with(b.Op("Einsum", graph.Attrs{"equation": full + "," + weights + "->" + result}, x.name, kernel), dims...)
	axes, err := l.Config.String("bias_axes", "")
	if err != nil {
		return x, err
	}
	if axes != "" {
		shape := []int{}
		for i := strings.IndexAny(result, axes); i >= 0 && i < len(result); i++ {
			n := 1
			if strings.IndexByte(axes, result[i]) >= 0 {
				n = dims[i]
			}
			shape = append(shape, n)
		}
		bias, err := b.weight(l, "bias", shape, nil)
		if err != nil {
			return x, err
		}
		y = y.same(b.Op("Add", nil, y.name, bias))
	}
	return b.activation(l, "activation", "linear", y)
}

// spelled is a term of an equation with letters of its own for an ellipsis.
func spelled(l *keras.Layer, term, others string, rank int) (string, error) {
	more := rank - len(strings.ReplaceAll(term, ".", ""))
	switch {
	case !strings.Contains(term, "."):
		if more != 0 {
			return "", wrong(l, "equation term %q for an input of %d dimensions", term, rank)
		}
		return term, nil
	case strings.Count(term, "...") != 1 || strings.Count(term, ".") != 3 || more < 0:
		return "", wrong(l, "equation term %q for an input of %d dimensions", term, rank)
	}
	free := ""
	for r := 'A'; r <= 'Z' && len(free) < more; r++ {
		if !strings.ContainsRune(term+others, r) {
			free += string(r)
		}
	}
	if len(free) < more {
		return "", refuse(l, "an equation of that many letters")
	}
	return strings.Replace(term, "...", free, 1), nil
}

// noteReads remembers which calls read a value that has a mask. What hands a value on as
// it stands is none: it is the same value in Keras too.
func (b *builder) noteReads(l *keras.Layer, c *call, out []value) {
	if b.reads == nil {
		b.reads = map[string][]*keras.Layer{}
	}
	var names []string
	for _, v := range c.in {
		handed := slices.ContainsFunc(out, func(o value) bool { return o.name == v.name })
		if v.mask != "" && !handed && !slices.Contains(names, v.name) {
			names = append(names, v.name)
			b.reads[v.name] = append(b.reads[v.name], l)
		}
	}
}

// maskTaken refuses a masked value that a MultiHeadAttention and another call read: in
// Keras 3 the attention takes the mask away from it, since 3.7 or so, and what the other
// sees depends on which of them Keras runs first.
func (b *builder) maskTaken() error {
	for _, readers := range b.reads {
		for _, l := range readers {
			if l.Class == "MultiHeadAttention" && b.major >= 3 && len(readers) > 1 {
				return refuse(l, "a masked value that other layers read too, from which Keras 3 takes the mask in the order of its calls,")
			}
		}
	}
	return nil
}
