package kerasgraph

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// Layers that prepare what a model is given. Those that look words up are refused: what
// they look up is text.

func preprocessingLayers() map[string]row {
	return map[string]row{
		"CategoryEncoding": drop(categoryEncoding), "Discretization": drop(discretization), "Resizing": drop(resizing),
		"SpectralNormalization": spectral,
	}
}

func number(n int) json.Number { return json.Number(strconv.Itoa(n)) }

// spectral is the layer inside: its kernel is divided by its largest singular value when
// it trains, and kept so.
func spectral(b *builder, l *keras.Layer, c *call) ([]value, error) {
	return b.layer(l.Inner[0], &call{in: c.in, kwargs: c.kwargs, ref: c.ref, layer: l.Inner[0]})
}

// encoded turns whole numbers into one_hot, multi_hot or count of n.
func (b *builder) encoded(l *keras.Layer, x value, n int, mode string) (value, error) {
	if n < 1 || n > 1<<24 {
		return x, wrong(l, "it has %d classes", n)
	}
	if len(x.dims) > 2 || len(x.dims) == 2 && x.dims[1] < 0 {
		return x, refuse(l, "an input of shape %s", shown(x.dims))
	}
	switch mode {
	case "one_hot":
		if len(x.dims) == 2 && x.dims[1] == 1 {
			x = b.squeeze(x, 1)
		}
		return b.cast(b.hot(x, n), graph.F32), nil
	case "multi_hot", "binary", "count":
		if len(x.dims) != 2 {
			return x, refuse(l, "%s of an input of shape %s", mode, shown(x.dims))
		}
		y := b.cast(b.hot(x, n), graph.F32)
		op := "ReduceMax"
		if mode == "count" {
			op = "ReduceSum"
		}
		return y.with(b.Op(op, graph.Attrs{"keepdims": int64(0)}, y.name, b.Ints(1)), x.dims[0], n), nil
	}
	return x, refuse(l, "output_mode %q", mode)
}

func categoryEncoding(b *builder, l *keras.Layer, x value) (value, error) {
	n, err := l.Config.Int("num_tokens", 0)
	if err != nil {
		return x, err
	}
	mode, err := l.Config.String("output_mode", "multi_hot")
	if err != nil {
		return x, err
	}
	return b.encoded(l, x, n, mode)
}

// discretization counts how many of the boundaries a number is not below.
func discretization(b *builder, l *keras.Layer, x value) (value, error) {
	bounds, err := listed(l, "bin_boundaries")
	if err != nil {
		return x, err
	}
	if len(bounds) == 0 || !slices.IsSorted(bounds) {
		return x, refuse(l, "boundaries that it learnt, or none,")
	}
	mode, err := l.Config.String("output_mode", "int")
	if err != nil {
		return x, err
	}
	all, err := b.floats(bounds, len(bounds))
	if err != nil {
		return x, err
	}
	x = b.float(x)
	at := len(x.dims)
	above := b.Op("GreaterOrEqual", nil, b.unsqueeze(x, at).name, all)
	y := x.same(b.Op("ReduceSum", graph.Attrs{"keepdims": int64(0)}, b.Op("Cast", graph.Attrs{"to": int64(onnxInt64)}, above), b.Ints(int64(at))))
	y.typ = graph.I64
	if mode == "int" {
		return y, nil
	}
	return b.encoded(l, y, len(bounds)+1, mode)
}

func resizing(b *builder, l *keras.Layer, x value) (value, error) {
	var size [2]int
	for i, key := range []string{"height", "width"} {
		n, err := l.Config.Int(key, 0)
		if err != nil || n < 1 || n > 1<<16 {
			return x, wrong(l, "its %s is %v", key, l.Config[key])
		}
		size[i] = n
	}
	for _, key := range []string{"crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"} {
		if on, err := l.Config.Bool(key, false); err != nil || on {
			return x, refuse(l, "%s", key)
		}
	}
	how, err := l.Config.String("interpolation", "bilinear")
	if err == nil {
		err = rank(x, 4)
	}
	if err != nil {
		return x, err
	}
	return b.resized(l, b.float(x), size, how)
}

// resized is x with other sizes of the two spatial axes, by the centres of its pixels.
func (b *builder) resized(l *keras.Layer, x value, size [2]int, how string) (value, error) {
	if how != "bilinear" {
		return x, refuse(l, "interpolation %q", how)
	}
	first, err := channelsFirst(l)
	if err != nil {
		return x, err
	}
	if first {
		return b.resizedFirst(x, size)
	}
	y, err := b.resizedFirst(b.first(x), size)
	if err != nil {
		return x, err
	}
	return b.last(y), nil
}

func (b *builder) resizedFirst(x value, size [2]int) (value, error) {
	if x.dims[1] < 0 {
		return x, fmt.Errorf("its input has shape %s, expected to know the channels", shown(x.dims))
	}
	lead := b.Op("Concat", graph.Attrs{"axis": int64(0)}, b.size(x, 0), b.Ints(int64(x.dims[1]), int64(size[0]), int64(size[1])))
	attrs := graph.Attrs{"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
	return x.with(b.Op("Resize", attrs, x.name, "", "", lead), x.dims[0], x.dims[1], size[0], size[1]), nil
}
