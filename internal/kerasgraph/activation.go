package kerasgraph

import (
	"fmt"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

func activationLayers() map[string]row {
	return map[string]row{
		"Activation": one(func(b *builder, l *keras.Layer, x value) (value, error) {
			return b.activation(l, "activation", "linear", x)
		}),
		"ReLU":      one(reluLayer),
		"LeakyReLU": one(leakyLayer),
		"PReLU":     one(prelu),
		"ELU":       one(eluLayer),
		"Softmax":   one(softmaxLayer),
		"ThresholdedReLU": one(func(b *builder, l *keras.Layer, x value) (value, error) {
			theta, err := setting(l, 1, "theta")
			return b.unary("ThresholdedRelu", graph.Attrs{"alpha": float32(theta)}, x), err
		}),
	}
}

// function reads the setting of an activation: its name, or a layer.
func (l activationOf) function(key, missing string) (name string, layer *keras.Layer, err error) {
	switch v := l.Config[key].(type) {
	case nil:
		if _, there := l.Config[key]; there {
			return "linear", nil, nil // None
		}
		return missing, nil, nil
	case string:
		return v, nil, nil
	case map[string]any:
		class, _ := v["class_name"].(string)
		if class == "function" { // by name, of Keras 3
			if s, ok := v["config"].(string); ok && v["registered_name"] == nil || ok && v["registered_name"] == "function" {
				return s, nil, nil
			}
		}
		config, _ := v["config"].(map[string]any)
		if isFunction(class) {
			return "", &keras.Layer{Class: class, Name: l.Name, Path: l.Path, Config: config}, nil
		}
		return "", nil, refuse(l.Layer, "%s %q", key, class)
	default:
		return "", nil, fmt.Errorf("%s is %T, expected a name", key, v)
	}
}

// isFunction reports whether a class is a function without weights, which may
// stand in the place of an activation's name.
func isFunction(class string) bool {
	return class == "ReLU" || class == "LeakyReLU" || class == "ELU" || class == "Softmax"
}

type activationOf struct{ *keras.Layer }

// activation writes the function that a layer names.
func (b *builder) activation(l *keras.Layer, key, missing string, x value) (value, error) {
	name, layer, err := activationOf{l}.function(key, missing)
	if err != nil {
		return x, err
	}
	if layer != nil {
		out, err := b.layer(layer, &call{in: []value{x}, layer: layer})
		if err != nil {
			return x, err
		}
		return out[0], nil
	}
	if n := x.dims[len(x.dims)-1]; name == "glu" && n > 0 && n%2 == 0 {
		return b.gated(x, len(x.dims)-1), nil
	}
	f, ok := b.functions()[name]
	if !ok {
		return x, refuse(l, "%s %q", key, name)
	}
	return f(x), nil
}

// functions are Keras's activations by name.
func (b *builder) functions() map[string]func(value) value {
	op := func(name string, attrs graph.Attrs) func(value) value {
		return func(x value) value { return b.unary(name, attrs, x) }
	}
	clip := func(lo, hi float64) func(value) value {
		return func(x value) value { return x.same(b.Op("Clip", nil, x.name, b.scalar(lo), b.scalar(hi))) }
	}
	times := func(f func(value) value) func(value) value {
		return func(x value) value { return x.same(b.Op("Mul", nil, x.name, f(x).name)) }
	}
	sigmoid := op("Sigmoid", nil)
	hard := op("HardSigmoid", b.hardSigmoid())
	last := graph.Attrs{"axis": int64(-1)}
	return map[string]func(value) value{
		"linear": func(x value) value { return x }, "": func(x value) value { return x },
		"relu": op("Relu", nil), "tanh": op("Tanh", nil), "sigmoid": sigmoid,
		"hard_sigmoid": hard, "softmax": op("Softmax", last), "log_softmax": op("LogSoftmax", last),
		"elu": op("Elu", graph.Attrs{"alpha": float32(1)}), "selu": op("Selu", nil), "celu": op("Celu", graph.Attrs{"alpha": float32(1)}),
		"softplus": op("Softplus", nil), "softsign": op("Softsign", nil), "exponential": op("Exp", nil),
		"swish": times(sigmoid), "silu": times(sigmoid), "gelu": op("Gelu", nil), "mish": op("Mish", nil),
		"hard_silu": times(hard), "hard_swish": times(hard),
		"relu6": clip(0, 6), "hard_tanh": clip(-1, 1),
		"leaky_relu": op("LeakyRelu", graph.Attrs{"alpha": float32(0.2)}),
		"log_sigmoid": func(x value) value {
			return b.unary("Neg", nil, b.unary("Softplus", nil, b.unary("Neg", nil, x)))
		},
		"softmax_v2":  op("Softmax", last), // as TensorFlow's function is called
		"hard_shrink": func(x value) value { return b.shrunk(x, 0.5, false) }, "soft_shrink": func(x value) value { return b.shrunk(x, 0.5, true) },
		"sparse_sigmoid": op("HardSigmoid", graph.Attrs{"alpha": float32(0.5), "beta": float32(0.5)}),
		"squareplus":     func(x value) value { return b.squareplus(x, 4) }, "sparsemax": b.sparsemax,
		// (x+1)²/4 between −1 and 1, x above: what is below −1 counts as −1.
		"sparse_plus": func(x value) value {
			one := b.scalar(1)
			up := b.Op("Add", nil, b.Op("Clip", nil, x.name, b.scalar(-1), one), one)
			return x.same(b.Op("Add", nil, b.Op("Mul", nil, b.Op("Mul", nil, up, up), b.scalar(0.25)), b.Op("Relu", nil, b.Op("Sub", nil, x.name, one))))
		},
		"tanh_shrink": func(x value) value { return x.same(b.Op("Sub", nil, x.name, b.Op("Tanh", nil, x.name))) },
	}
}

// hardSigmoid is relu6(x+3)/6 in Keras 3, max(0, min(1, 0.2x+0.5)) before.
func (b *builder) hardSigmoid() graph.Attrs {
	if b.major >= 3 {
		return graph.Attrs{"alpha": float32(1) / 6, "beta": float32(0.5)}
	}
	return graph.Attrs{"alpha": float32(0.2), "beta": float32(0.5)}
}

// setting reads a number that Keras 2 may have wrapped into an array of numpy.
func setting(l *keras.Layer, missing float64, keys ...string) (float64, error) {
	for _, key := range keys {
		v, there := l.Config[key]
		if !there {
			continue
		}
		if o, ok := v.(map[string]any); ok {
			return keras.Config(o).Float("value", missing)
		}
		return l.Config.Float(key, missing)
	}
	return missing, nil
}

// reluLayer is max_value where x is above it, x from threshold on, and
// negative_slope·(x−threshold) below.
func reluLayer(b *builder, l *keras.Layer, x value) (value, error) {
	slope, err := setting(l, 0, "negative_slope")
	if err != nil {
		return x, err
	}
	threshold, err := setting(l, 0, "threshold")
	if err != nil {
		return x, err
	}
	y := x
	if slope == 0 && threshold == 0 {
		y = b.unary("Relu", nil, x)
	} else {
		t := b.scalar(threshold)
		below := b.Op("Mul", nil, b.Op("Sub", nil, x.name, t), b.scalar(slope))
		y = x.same(b.Op("Where", nil, b.Op("Greater", nil, x.name, t), x.name, below))
	}
	if l.Config["max_value"] == nil {
		return y, nil
	}
	most, err := setting(l, 0, "max_value")
	if err != nil {
		return x, err
	}
	return y.same(b.Op("Min", nil, y.name, b.scalar(most))), nil
}

func leakyLayer(b *builder, l *keras.Layer, x value) (value, error) {
	slope, err := setting(l, 0.3, "negative_slope", "alpha")
	return b.unary("LeakyRelu", graph.Attrs{"alpha": float32(slope)}, x), err
}

func eluLayer(b *builder, l *keras.Layer, x value) (value, error) {
	alpha, err := setting(l, 1, "alpha")
	return b.unary("Elu", graph.Attrs{"alpha": float32(alpha)}, x), err
}

func prelu(b *builder, l *keras.Layer, x value) (value, error) {
	shape, err := shaped(l, "alpha", len(x.dims)-1)
	if err != nil {
		return x, err
	}
	alpha, err := b.weight(l, "alpha", shape, nil)
	if err != nil {
		return x, err
	}
	return x.same(b.Op("PRelu", nil, x.name, alpha)), nil
}

func softmaxLayer(b *builder, l *keras.Layer, x value) (value, error) {
	axes, err := l.Config.Ints("axis")
	if err != nil {
		return x, err
	}
	if axes == nil {
		axes = []int{-1}
	}
	if len(axes) != 1 {
		return x, refuse(l, "softmax over the axes %v", axes)
	}
	if x.mask != "" {
		if len(x.dims) != 2 {
			return x, refuse(l, "a mask of steps on an input of shape %s", shown(x.dims))
		}
		large := b.scalar(-3.4028234663852886e38 * 0.5)
		y := b.unary("Softmax", graph.Attrs{"axis": int64(axes[0])}, x.same(b.Op("Where", nil, x.mask, x.name, large)))
		return y.same(b.Op("Where", nil, x.mask, y.name, b.scalar(0))), nil
	}
	return b.unary("Softmax", graph.Attrs{"axis": int64(axes[0])}, x), nil
}
