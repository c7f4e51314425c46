package kerasgraph

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

func attentionLayers() map[string]row {
	return map[string]row{
		"Attention": attend(false), "AdditiveAttention": attend(true),
		"MultiHeadAttention": multiHead, "GroupedQueryAttention": multiHead,
		"EinsumDense": one(einsumDense),
	}
}

// attend is a row of Attention, whose scores are products of queries and keys, or of
// AdditiveAttention: sums of tanh(query + key). Keys that the value's mask leaves out
// get 1e9 less, as in Keras; the query's mask goes on.
func attend(additive bool) row {
	return func(b *builder, l *keras.Layer, c *call) ([]value, error) {
		if len(c.in) < 2 || len(c.in) > 3 {
			return nil, wrong(l, "it is called on %d values, expected query, value and perhaps key", len(c.in))
		}
		q, v := c.in[0], c.in[1]
		k := v
		if len(c.in) == 3 {
			k = c.in[2]
		}
		for _, x := range []value{q, v, k} {
			if err := rank(x, 3); err != nil {
				return nil, err
			}
		}
		causal, err := l.Config.Bool("causal", false) // a setting before Keras 2.10, an argument since
		if err != nil {
			return nil, err
		}
		show := false
		for name, on := range c.kwargs {
			yes, isBool := on.(bool)
			switch {
			case on == nil || name == "training" || name == "mask" || isBool && !yes:
			case name == "use_causal_mask" && isBool:
				causal = true
			case name == "return_attention_scores" && isBool:
				show = true
			default:
				return nil, refuse(l, "%s in its call", name)
			}
		}
		scores, err := b.scores(l, additive, q, k)
		if err != nil {
			return nil, err
		}
		kept := ""
		if v.mask != "" {
			kept = b.Op("Unsqueeze", nil, v.mask, b.Ints(1))
		}
		if causal {
			kept = b.both(kept, b.Op("GreaterOrEqual", nil, b.steps(q, 2), b.steps(v, 1)))
		}
		if kept != "" {
			scores = b.Op("Sub", nil, scores, b.Op("Where", nil, kept, b.scalar(0), b.scalar(1e9)))
		}
		weights := q.with(b.Op("Softmax", graph.Attrs{"axis": int64(-1)}, scores), q.dims[0], q.dims[1], v.dims[1])
		weights.mask = ""
		y := v.with(b.Op("MatMul", nil, weights.name, v.name), q.dims[0], q.dims[1], v.dims[2])
		if y.mask = q.mask; q.mask != "" {
			y = y.same(b.Op("Where", nil, b.Op("Unsqueeze", nil, q.mask, b.Ints(2)), y.name, b.scalar(0)))
		}
		if show {
			return []value{y, weights}, nil
		}
		return []value{y}, nil
	}
}

// scores are those of Attention or AdditiveAttention, [B,T,S].
func (b *builder) scores(l *keras.Layer, additive bool, q, k value) (string, error) {
	mode, err := l.Config.String("score_mode", "dot")
	if err != nil {
		return "", err
	}
	if !additive && mode != "dot" && mode != "concat" {
		return "", refuse(l, "score_mode %q", mode)
	}
	scaled, err := l.Config.Bool("use_scale", additive)
	if err != nil {
		return "", err
	}
	factor := func(role string) (string, error) {
		w, ok := l.Weight(role)
		if !ok || additive && !slices.Equal(w.Shape, q.dims[2:]) {
			return "", wrong(l, "its %s has shape %v for queries %s", role, w.Shape, shown(q.dims))
		}
		return b.weight(l, role, w.Shape, nil)
	}
	scale := ""
	if scaled {
		if scale, err = factor("scale"); err != nil {
			return "", err
		}
	}
	times := func(x string) string {
		if scaled {
			return b.Op("Mul", nil, x, scale)
		}
		return x
	}
	if !additive && mode == "dot" {
		return times(b.Op("MatMul", nil, q.name, b.transpose(k, 0, 2, 1).name)), nil
	}
	sum := b.Op("Add", nil, b.unsqueeze(q, 2).name, b.unsqueeze(k, 1).name)
	over := func(x string) string {
		return b.Op("ReduceSum", graph.Attrs{"keepdims": int64(0)}, x, b.Ints(-1))
	}
	if additive {
		return over(times(b.Op("Tanh", nil, sum))), nil
	}
	w, err := factor("concat_score_weight")
	return b.Op("Mul", nil, over(b.Op("Tanh", nil, times(sum))), w), err
}

// steps are the numbers of x's steps along axis 1, with an axis of 1 before and, where
// they are rows, behind.
func (b *builder) steps(x value, axis int64) string {
	zero, one := b.Constant("", graph.Scalar(int64(0))), b.Constant("", graph.Scalar(int64(1)))
	return b.Op("Unsqueeze", nil, b.Op("Range", nil, zero, b.Op("Squeeze", nil, b.size(x, 1), b.Ints(0)), one), b.Ints(0, axis))
}

// both joins two masks, of which the first may be absent.
func (b *builder) both(mask, other string) string {
	if mask == "" {
		return other
	}
	return b.Op("And", nil, mask, other)
}

// transposed is a row of a transposed convolution over n spatial axes. Keras's kernel
// [K.., out, in] becomes ONNX's [in, out, K..].
func transposed(n int) func(b *builder, l *keras.Layer, x value) (value, error) {
	return func(b *builder, l *keras.Layer, x value) (value, error) {
		k, err := shaped(l, "kernel", n+2)
		if err == nil {
			err = rank(x, n+2)
		}
		if err != nil {
			return x, err
		}
		w, err := readWindow(l, n, "kernel_size", nil)
		if err != nil {
			return x, err
		}
		if l.Config["output_padding"] != nil || w.padding == "causal" {
			return x, refuse(l, "output_padding, or padding %q,", w.padding)
		}
		outs, ins := k[n], k[n+1]
		if !w.first {
			x = b.first(x)
		}
		if !slices.Equal(w.size, k[:n]) || x.dims[1] >= 0 && x.dims[1] != ins {
			return x, fmt.Errorf("its input has %s, channels first, its kernel %v", shown(x.dims), k)
		}
		kernel, err := b.weight(l, "kernel", append([]int{ins, outs}, k[:n]...), func(data []float32) []float32 { return kernelFirst(data, k, false) })
		if err != nil {
			return x, err
		}
		inputs := []string{x.name, kernel}
		use, err := l.Config.Bool("use_bias", true)
		if err != nil {
			return x, err
		}
		if use {
			bias, err := b.weight(l, "bias", []int{outs}, nil)
			if err != nil {
				return x, err
			}
			inputs = append(inputs, bias)
		}
		attrs := w.attrs()
		delete(attrs, "auto_pad")
		before, after, more := make([]int64, n), make([]int64, n), make([]int64, n)
		dims := []int{x.dims[0], outs}
		for i, d := range x.dims[2:] {
			extent := (w.size[i]-1)*w.dilations[i] + 1
			over := extent - w.strides[i]
			more[i] = int64(max(0, -over))
			out := d * w.strides[i]
			if w.padding == "same" {
				before[i] = int64(max(0, over) / 2)
				after[i] = int64(max(0, over)) - before[i]
			} else {
				out += max(0, over)
			}
			if d < 0 {
				out = -1
			}
			dims = append(dims, out)
		}
		attrs["pads"], attrs["output_padding"] = append(before, after...), more
		y := x.with(b.Op("ConvTranspose", attrs, inputs...), dims...)
		if !w.first {
			y = b.last(y)
		}
		return b.activation(l, "activation", "linear", y)
	}
}

// separable is a row of a convolution of each channel, whose results are then mixed.
func separable(n int) func(b *builder, l *keras.Layer, x value) (value, error) {
	return func(b *builder, l *keras.Layer, x value) (value, error) {
		k, err := shaped(l, "depthwise_kernel", n+2)
		if err == nil {
			err = rank(x, n+2)
		}
		if err != nil {
			return x, err
		}
		p, err := shaped(l, "pointwise_kernel", n+2)
		if err != nil {
			return x, err
		}
		w, err := readWindow(l, n, "kernel_size", nil)
		if err != nil {
			return x, err
		}
		ins, each, outs := k[n], k[n+1], p[n+1]
		if !w.first {
			x = b.first(x)
		}
		if !slices.Equal(w.size, k[:n]) || x.dims[1] >= 0 && x.dims[1] != ins || p[n] != ins*each {
			return x, fmt.Errorf("its input has %s, channels first, its kernels %v and %v", shown(x.dims), k, p)
		}
		kernel, err := b.weight(l, "depthwise_kernel", append([]int{ins * each, 1}, k[:n]...), func(data []float32) []float32 { return kernelFirst(data, k, true) })
		if err != nil {
			return x, err
		}
		attrs := w.attrs()
		attrs["group"] = int64(ins)
		y := x.with(b.Op("Conv", attrs, x.name, kernel), w.dims(x, ins*each)...)
		point, err := b.weight(l, "pointwise_kernel", append([]int{outs, ins * each}, p[:n]...), func(data []float32) []float32 { return kernelFirst(data, p, false) })
		if err != nil {
			return x, err
		}
		inputs := []string{y.name, point}
		use, err := l.Config.Bool("use_bias", true)
		if err != nil {
			return x, err
		}
		if use {
			bias, err := b.weight(l, "bias", []int{outs}, nil)
			if err != nil {
				return x, err
			}
			inputs = append(inputs, bias)
		}
		dims := slices.Clone(y.dims)
		dims[1] = outs
		y = y.with(b.Op("Conv", nil, inputs...), dims...)
		if !w.first {
			y = b.last(y)
		}
		return b.activation(l, "activation", "linear", y)
	}
}

// unitNorm divides by the length along the axes.
func unitNorm(b *builder, l *keras.Layer, x value) (value, error) {
	axes, err := opAxes(l, len(x.dims))
	if err != nil {
		return x, err
	}
	sum := b.Op("ReduceSumSquare", graph.Attrs{"keepdims": int64(1)}, x.name, b.Ints(axes...))
	return x.same(b.Op("Div", nil, x.name, b.Op("Sqrt", nil, b.Op("Max", nil, sum, b.scalar(1e-12))))), nil
}

// rmsNorm divides by the root of the mean of squares, and scales.
func rmsNorm(b *builder, l *keras.Layer, x value) (value, error) {
	axes, err := opAxes(l, len(x.dims))
	if err != nil {
		return x, err
	}
	shape, err := shaped(l, "scale", 1)
	if err != nil {
		return x, err
	}
	if len(axes) != 1 || int(axes[0]) != len(x.dims)-1 || x.dims[len(x.dims)-1] != shape[0] {
		return x, refuse(l, "axis %v of an input of shape %s", axes, shown(x.dims))
	}
	epsilon, err := l.Config.Float("epsilon", 1e-6)
	if err != nil {
		return x, err
	}
	scale, err := b.weight(l, "scale", shape, nil)
	if err != nil {
		return x, err
	}
	mean := b.Op("ReduceMean", graph.Attrs{"keepdims": int64(1)}, b.Op("Mul", nil, x.name, x.name), b.Ints(-1))
	y := b.Op("Div", nil, x.name, b.Op("Sqrt", nil, b.Op("Add", nil, mean, b.scalar(epsilon))))
	return x.same(b.Op("Mul", nil, y, scale)), nil
}

// groupNorm normalises groups of channels, which stand last.
func groupNorm(b *builder, l *keras.Layer, x value) (value, error) {
	at, err := l.Config.Int("axis", -1)
	if err != nil {
		return x, err
	}
	if at, err = axis(at, len(x.dims)); err != nil {
		return x, err
	}
	n := x.dims[at]
	groups, err := l.Config.Int("groups", 32)
	if err != nil {
		return x, err
	}
	if groups == -1 {
		groups = n
	}
	if at != len(x.dims)-1 || len(x.dims) < 3 || n < 1 || groups < 1 || n%groups != 0 {
		return x, refuse(l, "%d groups along axis %d of an input of shape %s", groups, at, shown(x.dims))
	}
	epsilon, err := l.Config.Float("epsilon", 1e-3)
	if err != nil {
		return x, err
	}
	one, zero := make([]float32, groups), make([]float32, groups)
	for i := range one {
		one[i] = 1
	}
	ones, err := b.floats(one, groups)
	if err != nil {
		return x, err
	}
	zeros, err := b.floats(zero, groups)
	if err != nil {
		return x, err
	}
	z := b.first(x)
	y := b.Op("Reshape", nil, z.name, b.Ints(0, int64(groups), -1))
	y = b.Op("InstanceNormalization", graph.Attrs{"epsilon": float32(epsilon)}, y, ones, zeros)
	out := b.last(z.same(b.Op("Reshape", nil, y, b.Op("Shape", nil, z.name))))
	for _, p := range []struct{ role, op, setting string }{{"gamma", "Mul", "scale"}, {"beta", "Add", "center"}} {
		use, err := l.Config.Bool(p.setting, true)
		if err != nil {
			return x, err
		}
		if !use {
			continue
		}
		w, err := b.weight(l, p.role, []int{n}, nil)
		if err != nil {
			return x, err
		}
		out = out.same(b.Op(p.op, nil, out.name, w))
	}
	return out, nil
}
