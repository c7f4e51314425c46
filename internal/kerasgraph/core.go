package kerasgraph

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// nothing is a layer that does nothing when it does not train.
var nothing = one(func(_ *builder, _ *keras.Layer, x value) (value, error) { return x, nil })

func coreLayers() map[string]row {
	return map[string]row{
		"Dropout": nothing, "SpatialDropout1D": nothing, "SpatialDropout2D": nothing, "SpatialDropout3D": nothing, "AlphaDropout": nothing,
		"GaussianDropout": nothing, "GaussianNoise": nothing, "ActivityRegularization": nothing, "Identity": nothing,
		"InputLayer":      nothing,
		"Dense":           one(dense),
		"Embedding":       embedding,
		"Masking":         masking,
		"Flatten":         drop(flatten),
		"Reshape":         drop(reshape),
		"Permute":         drop(permute),
		"RepeatVector":    drop(repeatVector),
		"TimeDistributed": timeDistributed,
	}
}

func dense(b *builder, l *keras.Layer, x value) (value, error) {
	k, err := shaped(l, "kernel", 2)
	if err != nil {
		return x, err
	}
	last := len(x.dims) - 1
	if last < 1 || x.dims[last] >= 0 && x.dims[last] != k[0] {
		return x, fmt.Errorf("its input has shape %s, its kernel %v", shown(x.dims), k)
	}
	w, err := b.weight(l, "kernel", k, nil)
	if err != nil {
		return x, err
	}
	dims := slices.Clone(x.dims)
	dims[last] = k[1]
	y := x.with(b.Op("MatMul", nil, x.name, w), dims...)
	if y, err = b.bias(l, y, k[1]); err != nil {
		return x, err
	}
	return b.activation(l, "activation", "linear", y)
}

// bias adds the bias along the last axis, if the layer has one.
func (b *builder) bias(l *keras.Layer, y value, n int) (value, error) {
	use, err := l.Config.Bool("use_bias", true)
	if err != nil || !use {
		return y, err
	}
	w, err := b.weight(l, "bias", []int{n}, nil)
	if err != nil {
		return y, err
	}
	return y.same(b.Op("Add", nil, y.name, w)), nil
}

func embedding(b *builder, l *keras.Layer, c *call) ([]value, error) {
	k, err := shaped(l, "embeddings", 2)
	if err != nil {
		return nil, err
	}
	table, err := b.weight(l, "embeddings", k, nil)
	if err != nil {
		return nil, err
	}
	x := c.in[0]
	if x.typ != graph.I32 && x.typ != graph.I64 {
		x.name, x.typ = b.Op("Cast", graph.Attrs{"to": int64(onnxInt32)}, x.name), graph.I32
	}
	y := value{name: b.Op("Gather", nil, table, x.name), typ: graph.F32, dims: append(slices.Clone(x.dims), k[1])}
	zero, err := l.Config.Bool("mask_zero", false)
	if err != nil {
		return nil, err
	}
	if zero {
		none := b.Constant("", graph.Scalar(int32(0)))
		if x.typ == graph.I64 {
			none = b.Constant("", graph.Scalar(int64(0)))
		}
		y.mask = b.Op("Not", nil, b.Op("Equal", nil, x.name, none))
	}
	return []value{y}, nil
}

// Numbers of ONNX's element types.
const (
	onnxFloat = 1
	onnxInt32 = 6
	onnxInt64 = 7
	onnxBool  = 9
)

// any reduces a bool along an axis.
func (b *builder) any(x string, axis int64, keep bool) string {
	k := int64(0)
	if keep {
		k = 1
	}
	n := b.Op("ReduceMax", graph.Attrs{"keepdims": k}, b.Op("Cast", graph.Attrs{"to": int64(onnxInt32)}, x), b.Ints(axis))
	return b.Op("Cast", graph.Attrs{"to": int64(onnxBool)}, n)
}

func masking(b *builder, l *keras.Layer, c *call) ([]value, error) {
	x := c.in[0]
	v, err := l.Config.Float("mask_value", 0)
	if err != nil {
		return nil, err
	}
	if x.typ != graph.F32 {
		return nil, refuse(l, "masking of %s", x.typ)
	}
	kept := b.any(b.Op("Not", nil, b.Op("Equal", nil, x.name, b.scalar(v))), -1, true)
	y := x.same(b.Op("Where", nil, kept, x.name, b.scalar(0)))
	y.mask = b.Op("Squeeze", nil, kept, b.Ints(-1))
	return []value{y}, nil
}

// channelsFirst reads data_format.
func channelsFirst(l *keras.Layer) (bool, error) {
	f, err := l.Config.String("data_format", "channels_last")
	if err == nil && f != "channels_last" && f != "channels_first" {
		err = fmt.Errorf("data_format is %q", f)
	}
	return f == "channels_first", err
}

func flatten(b *builder, l *keras.Layer, x value) (value, error) {
	first, err := channelsFirst(l)
	if err != nil {
		return x, err
	}
	if first && len(x.dims) > 2 {
		x = b.last(x)
	}
	n := 1
	for _, d := range x.dims[1:] {
		if d < 0 {
			n = -1
			break
		}
		n *= d
	}
	if len(x.dims) == 1 {
		return b.unsqueeze(x, 1), nil
	}
	if n < 0 { // Flatten does not need to know it
		return x.with(b.Op("Flatten", nil, x.name), x.dims[0], -1), nil
	}
	return b.reshape(x, x.dims[0], n), nil
}

func reshape(b *builder, l *keras.Layer, x value) (value, error) {
	to, err := l.Config.Ints("target_shape")
	if err != nil {
		return x, err
	}
	known, all, free := 1, 1, -1
	for i, d := range to {
		if d < 0 {
			free = i
		} else {
			known *= d
		}
	}
	for _, d := range x.dims[1:] {
		if d < 0 {
			all = -1
			break
		}
		all *= d
	}
	dims := append([]int{x.dims[0]}, to...)
	if free < 0 || all < 0 || known == 0 {
		return b.reshape(x, dims...), nil
	}
	dims[free+1] = all / known
	return b.reshape(x, dims...), nil
}

func permute(b *builder, l *keras.Layer, x value) (value, error) {
	to, err := l.Config.Ints("dims")
	if err != nil {
		return x, err
	}
	if len(to) != len(x.dims)-1 {
		return x, fmt.Errorf("dims is %v for an input of shape %s", to, shown(x.dims))
	}
	sorted := slices.Sorted(slices.Values(to))
	for i, d := range sorted {
		if d != i+1 {
			return x, fmt.Errorf("dims is %v, expected each axis from 1 on once", to)
		}
	}
	return b.transpose(x, append([]int{0}, to...)...), nil
}

func repeatVector(b *builder, l *keras.Layer, x value) (value, error) {
	n, err := l.Config.Int("n", 1)
	if err == nil {
		err = rank(x, 2)
	}
	if err != nil {
		return x, err
	}
	y := b.unsqueeze(x, 1)
	return y.with(b.Op("Tile", nil, y.name, b.Ints(1, int64(n), 1)), x.dims[0], n, x.dims[1]), nil
}

// timeDistributed puts the steps of all sequences into one batch.
func timeDistributed(b *builder, l *keras.Layer, c *call) ([]value, error) {
	x := c.in[0]
	if len(c.in) != 1 || len(x.dims) < 3 {
		return nil, refuse(l, "a call on %d values, the first of shape %s,", len(c.in), shown(x.dims))
	}
	inner := l.Inner[0]
	if x.mask != "" && (isRecurrent(inner.Class) || inner.Class == "GlobalAveragePooling1D" || inner.Class == "Softmax") {
		return nil, refuse(l, "a mask of steps around %s", inner.Class)
	}
	flat := b.regroup(x, 2, -1)
	flat.mask = ""
	b.many++
	out, err := b.layer(inner, &call{in: []value{flat}, layer: inner})
	b.many--
	if err != nil {
		return nil, err
	}
	for i, v := range out {
		lead := []string{b.size(x, 0), b.size(x, 1)}
		rest := v.dims[1:]
		out[i] = v.with(b.Op("Reshape", nil, v.name, b.target(v, lead, 1)), append([]int{x.dims[0], x.dims[1]}, rest...)...)
		out[i].mask = x.mask
	}
	return out, nil
}

// regroup makes the first n axes of x one, of the given size.
func (b *builder) regroup(x value, n, size int) value {
	return x.with(b.Op("Reshape", nil, x.name, b.target(x, []string{b.Ints(-1)}, n)), append([]int{size}, x.dims[n:]...)...)
}

// target is a shape: sizes, and then those of x from an axis on.
func (b *builder) target(x value, lead []string, from int) string {
	for i := from; i < len(x.dims); i++ {
		lead = append(lead, b.size(x, i))
	}
	if len(lead) == 1 {
		return lead[0]
	}
	return b.Op("Concat", graph.Attrs{"axis": int64(0)}, lead...)
}
