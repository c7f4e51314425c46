package kerasgraph

import (
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/tensor"
)

func normLayers() map[string]row {
	return map[string]row{
		"BatchNormalization": one(batchNorm),
		"LayerNormalization": one(layerNorm),
		"Normalization":      one(normalization),
		"Rescaling":          one(rescaling),
		"GroupNormalization": one(groupNorm),
		"UnitNormalization":  one(unitNorm),
		"RMSNormalization":   one(rmsNorm),
	}
}

// along is a shape that broadcasts a vector along an axis.
func along(n, axis, rank int) []int {
	shape := []int{n}
	for range rank - 1 - axis {
		shape = append(shape, 1)
	}
	return shape
}

// batchNorm multiplies with gamma/√(variance+ε) and adds beta−mean·that, both
// worked out in float64 once.
func batchNorm(b *builder, l *keras.Layer, x value) (value, error) {
	axes, err := l.Config.Ints("axis")
	if err != nil {
		return x, err
	}
	if axes == nil {
		axes = []int{-1}
	}
	if len(axes) != 1 {
		return x, refuse(l, "normalisation along the axes %v", axes)
	}
	at, err := axis(axes[0], len(x.dims))
	if err != nil {
		return x, err
	}
	if x.typ != graph.F32 {
		return x, refuse(l, "an input of %s", x.typ)
	}
	epsilon, err := l.Config.Float("epsilon", 1e-3)
	if err != nil {
		return x, err
	}
	shape, err := shaped(l, "moving_variance", 1)
	if err != nil {
		return x, err
	}
	n := shape[0]
	if x.dims[at] >= 0 && x.dims[at] != n {
		return x, fmt.Errorf("its input has shape %s, its weights %d elements", shown(x.dims), n)
	}
	for _, role := range []string{"moving_mean", "gamma", "beta"} {
		w, ok := l.Weight(role)
		if role == "moving_mean" && !ok || ok && !slices.Equal(w.Shape, shape) {
			return x, fmt.Errorf("weight %s has shape %v, expected %v", role, w.Shape, shape)
		}
	}
	parts := func() (scale, shift []float32, err error) {
		var w [4]tensor.Dense
		for i, role := range []string{"gamma", "beta", "moving_mean", "moving_variance"} {
			if _, ok := l.Weight(role); !ok {
				continue
			}
			if w[i], err = b.numbers(l, role); err != nil {
				return nil, nil, err
			}
		}
		scale, shift = make([]float32, n), make([]float32, n)
		for i := range n {
			s := 1 / math.Sqrt(float64(w[3].Data[i])+epsilon)
			if w[0].Data != nil {
				s *= float64(w[0].Data[i])
			}
			t := -float64(w[2].Data[i]) * s
			if w[1].Data != nil {
				t += float64(w[1].Data[i])
			}
			scale[i], shift[i] = float32(s), float32(t)
		}
		return scale, shift, nil
	}
	to := along(n, at, len(x.dims))
	scale := b.computed(l.Path+"/scale", to, func() ([]float32, error) { s, _, err := parts(); return s, err })
	shift := b.computed(l.Path+"/shift", to, func() ([]float32, error) { _, t, err := parts(); return t, err })
	return x.same(b.Op("Add", nil, b.Op("Mul", nil, x.name, scale), shift)), nil
}

func layerNorm(b *builder, l *keras.Layer, x value) (value, error) {
	rms, err := l.Config.Bool("rms_scaling", false)
	if err != nil {
		return x, err
	}
	if rms {
		return x, refuse(l, "rms_scaling")
	}
	axes, err := l.Config.Ints("axis")
	if err != nil {
		return x, err
	}
	if axes == nil {
		axes = []int{-1}
	}
	epsilon, err := l.Config.Float("epsilon", 1e-3)
	if err != nil {
		return x, err
	}
	// The shape of gamma and beta against x's: sizes at the axes, 1 elsewhere.
	at, shape := make([]int64, len(axes)), make([]int, len(x.dims))
	for i := range shape {
		shape[i] = 1
	}
	for i, a := range axes {
		k, err := axis(a, len(x.dims))
		if err != nil {
			return x, err
		}
		if x.dims[k] < 0 {
			return x, refuse(l, "normalisation along axis %d, whose size the file does not say,", k)
		}
		at[i], shape[k] = int64(k), x.dims[k]
	}
	if !slices.IsSorted(at) {
		return x, refuse(l, "normalisation along the axes %v", axes)
	}
	keep := graph.Attrs{"keepdims": int64(1)}
	d := b.Op("Sub", nil, x.name, b.Op("ReduceMean", keep, x.name, b.Ints(at...)))
	variance := b.Op("ReduceMean", keep, b.Op("Mul", nil, d, d), b.Ints(at...))
	y := b.Op("Div", nil, d, b.Op("Sqrt", nil, b.Op("Add", nil, variance, b.scalar(epsilon))))
	for i, role := range []string{"gamma", "beta"} {
		if _, ok := l.Weight(role); !ok {
			continue
		}
		w, err := b.weight(l, role, shape, nil)
		if err != nil {
			return x, err
		}
		y = b.Op([]string{"Mul", "Add"}[i], nil, y, w)
	}
	return x.same(y), nil
}

// normalization is (x−mean)/max(√variance, 1e-7), or back with invert.
func normalization(b *builder, l *keras.Layer, x value) (value, error) {
	axes, err := l.Config.Ints("axis")
	if err != nil {
		return x, err
	}
	if _, there := l.Config["axis"]; axes == nil && !there {
		axes = []int{-1}
	}
	shape := make([]int, len(x.dims))
	for i := range shape {
		shape[i] = 1
	}
	for _, a := range axes {
		k, err := axis(a, len(x.dims))
		if err != nil {
			return x, err
		}
		if x.dims[k] < 0 {
			return x, refuse(l, "normalisation along axis %d, whose size the file does not say,", k)
		}
		shape[k] = x.dims[k]
	}
	n, err := tensor.Size(shape)
	if err != nil {
		return x, err
	}
	read := func(role string) ([]float32, error) {
		data, err := listed(l, role)
		if data == nil && err == nil {
			var d tensor.Dense
			d, err = b.numbers(l, role)
			data = d.Data
		}
		if err == nil && len(data) == 1 && n > 1 {
			data = slices.Repeat(data, n)
		}
		if err == nil && len(data) != n {
			err = fmt.Errorf("%s has %d elements, expected %d", role, len(data), n)
		}
		return data, err
	}
	mean := b.computed(l.Path+"/mean", shape, func() ([]float32, error) { return read("mean") })
	spread := b.computed(l.Path+"/spread", shape, func() ([]float32, error) {
		data, err := read("variance")
		out := make([]float32, len(data))
		for i, v := range data {
			out[i] = max(float32(math.Sqrt(float64(v))), 1e-7)
		}
		return out, err
	})
	invert, err := l.Config.Bool("invert", false)
	if err != nil {
		return x, err
	}
	x = b.float(x)
	if invert {
		return x.same(b.Op("Add", nil, mean, b.Op("Mul", nil, x.name, spread))), nil
	}
	return x.same(b.Op("Div", nil, b.Op("Sub", nil, x.name, mean), spread)), nil
}

// float casts to float32.
func (b *builder) float(x value) value {
	if x.typ != graph.F32 {
		x.name, x.typ = b.Op("Cast", graph.Attrs{"to": int64(onnxFloat)}, x.name), graph.F32
	}
	return x
}

// listed reads a setting that is a number or lists of numbers in each other;
// nil if it is absent.
func listed(l *keras.Layer, key string) ([]float32, error) {
	var out []float32
	var walk func(v any, depth int) error
	walk = func(v any, depth int) error {
		if list, ok := v.([]any); ok && depth < 8 {
			for _, x := range list {
				if err := walk(x, depth+1); err != nil {
					return err
				}
			}
			return nil
		}
		f, err := keras.Config{key: v}.Float(key, math.NaN())
		if err == nil && math.IsNaN(f) {
			err = fmt.Errorf("setting %s has a null", key)
		}
		out = append(out, float32(f))
		return err
	}
	v := l.Config[key]
	if o, ok := v.(map[string]any); ok { // an array
		inner, _ := o["config"].(map[string]any)
		v = inner["value"]
	}
	if v == nil {
		return nil, nil
	}
	return out, walk(v, 0)
}

func rescaling(b *builder, l *keras.Layer, x value) (value, error) {
	x = b.float(x)
	for _, p := range []struct{ key, op string }{{"scale", "Mul"}, {"offset", "Add"}} {
		data, err := listed(l, p.key)
		if err != nil {
			return x, err
		}
		if data == nil {
			continue
		}
		var shape []int
		if len(data) > 1 {
			shape = []int{len(data)}
		}
		w, err := b.floats(data, shape...)
		if err != nil {
			return x, err
		}
		x = x.same(b.Op(p.op, nil, x.name, w))
	}
	return x, nil
}
