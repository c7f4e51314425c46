package kerasgraph

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

func poolLayers() map[string]row {
	return map[string]row{
		"MaxPooling1D": drop(pooling(1, "MaxPool")), "MaxPooling2D": drop(pooling(2, "MaxPool")),
		"AveragePooling1D": drop(pooling(1, "AveragePool")), "AveragePooling2D": drop(pooling(2, "AveragePool")),
		"MaxPooling3D": drop(pooling(3, "MaxPool")), "AveragePooling3D": drop(pooling(3, "AveragePool")),
		"GlobalMaxPooling3D": drop(global(3, "ReduceMax")), "GlobalAveragePooling3D": drop(global(3, "ReduceMean")),
		"UpSampling3D": drop(upSampling3D), "ZeroPadding3D": drop(padding(3)), "Cropping3D": drop(cropping(3)),
		"GlobalMaxPooling1D": drop(global(1, "ReduceMax")), "GlobalMaxPooling2D": drop(global(2, "ReduceMax")),
		"GlobalAveragePooling1D": globalAverage, "GlobalAveragePooling2D": drop(global(2, "ReduceMean")),
		"UpSampling1D": drop(upSampling1D), "UpSampling2D": drop(upSampling2D),
		"ZeroPadding1D": drop(padding(1)), "ZeroPadding2D": drop(padding(2)),
		"Cropping1D": drop(cropping(1)), "Cropping2D": drop(cropping(2)),
	}
}

func pooling(n int, op string) func(b *builder, l *keras.Layer, x value) (value, error) {
	return func(b *builder, l *keras.Layer, x value) (value, error) {
		if err := rank(x, n+2); err != nil {
			return x, err
		}
		w, err := readWindow(l, n, "pool_size", []int{2})
		if err != nil {
			return x, err
		}
		if !w.first {
			x = b.first(x)
		}
		y := x.with(b.Op(op, w.attrs(), x.name), w.dims(x, x.dims[1])...)
		if !w.first {
			y = b.last(y)
		}
		return y, nil
	}
}

// spatial are the axes that are neither the batch's nor the channels'.
func spatial(l *keras.Layer, n int) ([]int64, error) {
	first, err := channelsFirst(l)
	axes := make([]int64, n)
	for i := range axes {
		axes[i] = int64(i + 1)
		if first {
			axes[i]++
		}
	}
	return axes, err
}

// reduced adds a node that reduces axes, which stay as 1 with keepdims.
func (b *builder) reduced(l *keras.Layer, op string, x value, axes []int64) (value, error) {
	keep, err := l.Config.Bool("keepdims", false)
	if err != nil {
		return x, err
	}
	var dims []int
	for i, d := range x.dims {
		switch {
		case !slices.Contains(axes, int64(i)):
			dims = append(dims, d)
		case keep:
			dims = append(dims, 1)
		}
	}
	k := int64(0)
	if keep {
		k = 1
	}
	return x.with(b.Op(op, graph.Attrs{"keepdims": k}, x.name, b.Ints(axes...)), dims...), nil
}

func global(n int, op string) func(b *builder, l *keras.Layer, x value) (value, error) {
	return func(b *builder, l *keras.Layer, x value) (value, error) {
		axes, err := spatial(l, n)
		if err == nil {
			err = rank(x, n+2)
		}
		if err != nil {
			return x, err
		}
		return b.reduced(l, op, x, axes)
	}
}

// globalAverage is the mean over the steps that the mask keeps.
var globalAverage = drop(func(b *builder, l *keras.Layer, x value) (value, error) {
	if x.mask == "" {
		return global(1, "ReduceMean")(b, l, x)
	}
	axes, err := spatial(l, 1)
	if err == nil {
		err = rank(x, 3)
	}
	if err != nil {
		return x, err
	}
	mask := b.Op("Unsqueeze", nil, x.mask, b.Ints(3-axes[0]))
	sum, err := b.reduced(l, "ReduceSum", x.same(b.Op("Where", nil, mask, x.name, b.scalar(0))), axes)
	if err != nil {
		return x, err
	}
	count, err := b.reduced(l, "ReduceSum", x.same(b.Op("Cast", graph.Attrs{"to": int64(onnxFloat)}, mask)), axes)
	return sum.same(b.Op("Div", nil, sum.name, count.name)), err
})

// repeated repeats each step of an axis n times.
func (b *builder) repeated(x value, axis, n int) value {
	wide := b.unsqueeze(x, axis+1)
	times := make([]int64, len(wide.dims))
	for i := range times {
		times[i] = 1
	}
	times[axis+1] = int64(n)
	tiled := b.Op("Tile", nil, wide.name, b.Ints(times...))
	dims := slices.Clone(x.dims)
	var lead []string
	for i := range axis {
		lead = append(lead, b.size(x, i))
	}
	size := b.Ints(-1)
	if dims[axis] >= 0 {
		dims[axis] *= n
		size = b.Ints(int64(dims[axis]))
	}
	return x.with(b.Op("Reshape", nil, tiled, b.target(x, append(lead, size), axis+1)), dims...)
}

func upSampling1D(b *builder, l *keras.Layer, x value) (value, error) {
	n, err := l.Config.Int("size", 2)
	if err == nil {
		err = rank(x, 3)
	}
	if err == nil && (n < 1 || n > 1<<16) {
		err = fmt.Errorf("size is %d", n)
	}
	if err != nil {
		return x, err
	}
	return b.repeated(x, 1, n), nil
}

func upSampling2D(b *builder, l *keras.Layer, x value) (value, error) {
	n, err := perAxis(l, "size", 2, []int{2})
	if err == nil {
		err = rank(x, 4)
	}
	if err != nil {
		return x, err
	}
	how, err := l.Config.String("interpolation", "nearest")
	if err != nil {
		return x, err
	}
	if how != "nearest" {
		axes, err := spatial(l, 2)
		if err != nil || x.dims[axes[0]] < 0 || x.dims[axes[1]] < 0 {
			return x, refuse(l, "interpolation %q of an input of shape %s", how, shown(x.dims))
		}
		return b.resized(l, x, [2]int{n[0] * x.dims[axes[0]], n[1] * x.dims[axes[1]]}, how)
	}
	return b.upSampled(l, x, n)
}

func upSampling3D(b *builder, l *keras.Layer, x value) (value, error) {
	n, err := perAxis(l, "size", 3, []int{2})
	if err == nil {
		err = rank(x, 5)
	}
	if err != nil {
		return x, err
	}
	return b.upSampled(l, x, n)
}

// upSampled repeats what stands along each spatial axis.
func (b *builder) upSampled(l *keras.Layer, x value, n []int) (value, error) {
	axes, err := spatial(l, len(n))
	for i, a := range axes {
		x = b.repeated(x, int(a), n[i])
	}
	return x, err
}

// margins reads what is added or cut at both ends of n axes: one number, one for
// each axis, or two for each.
func margins(l *keras.Layer, key string, n int) ([][2]int, error) {
	v := l.Config[key]
	out := make([][2]int, n)
	list, ok := v.([]any)
	if !ok || n == 1 && len(list) == 2 {
		p, err := l.Config.Ints(key)
		if err != nil {
			return nil, err
		}
		if p == nil {
			p = []int{1}
		}
		for i := range out {
			out[i] = [2]int{p[0], p[len(p)-1]}
		}
	} else {
		if len(list) != n {
			return nil, fmt.Errorf("setting %s has %d entries, expected %d", key, len(list), n)
		}
		for i, x := range list {
			p, err := keras.Config{key: x}.Ints(key)
			if err != nil {
				return nil, err
			}
			if len(p) == 0 || len(p) > 2 {
				return nil, fmt.Errorf("setting %s has an entry of %d numbers, expected 1 or 2", key, len(p))
			}
			out[i] = [2]int{p[0], p[len(p)-1]}
		}
	}
	for _, p := range out {
		if min(p[0], p[1]) < 0 || max(p[0], p[1]) > 1<<24 {
			return nil, fmt.Errorf("setting %s has %v, expected 0 to 2^24", key, p)
		}
	}
	return out, nil
}

func padding(n int) func(b *builder, l *keras.Layer, x value) (value, error) {
	return func(b *builder, l *keras.Layer, x value) (value, error) {
		m, err := margins(l, "padding", n)
		if err == nil {
			err = rank(x, n+2)
		}
		if err != nil {
			return x, err
		}
		axes, err := spatial(l, n)
		if err != nil {
			return x, err
		}
		dims, pads := slices.Clone(x.dims), make([]int64, 2*(n+2))
		for i, a := range axes {
			pads[a], pads[int64(n+2)+a] = int64(m[i][0]), int64(m[i][1])
			if dims[a] >= 0 {
				dims[a] += m[i][0] + m[i][1]
			}
		}
		return x.with(b.Op("Pad", nil, x.name, b.Ints(pads...), b.scalar(0)), dims...), nil
	}
}

func cropping(n int) func(b *builder, l *keras.Layer, x value) (value, error) {
	return func(b *builder, l *keras.Layer, x value) (value, error) {
		m, err := margins(l, "cropping", n)
		if err == nil {
			err = rank(x, n+2)
		}
		if err != nil {
			return x, err
		}
		axes, err := spatial(l, n)
		if err != nil {
			return x, err
		}
		for i, a := range axes {
			end := int64(-m[i][1])
			if end == 0 {
				end = toEnd
			}
			known := x.dims[a]
			x = b.slice(x, int(a), int64(m[i][0]), end)
			if known >= 0 {
				x.dims[a] = max(0, known-m[i][0]-m[i][1])
			} else {
				x.dims[a] = -1
			}
		}
		return x, nil
	}
}
