package kerasgraph

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

func convLayers() map[string]row {
	return map[string]row{
		"Conv1D": drop(convolution(1, false)), "Convolution1D": drop(convolution(1, false)),
		"Conv2D": drop(convolution(2, false)), "Convolution2D": drop(convolution(2, false)),
		"Conv3D": drop(convolution(3, false)), "Convolution3D": drop(convolution(3, false)), "Conv3DTranspose": drop(transposed(3)),
		"Conv1DTranspose": drop(transposed(1)), "Conv2DTranspose": drop(transposed(2)),
		"SeparableConv1D": drop(separable(1)), "SeparableConv2D": drop(separable(2)),
		"DepthwiseConv1D": drop(convolution(1, true)), "DepthwiseConv2D": drop(convolution(2, true)),
	}
}

// window is how a layer walks over the spatial axes.
type window struct {
	size, strides, dilations []int
	padding                  string // valid, same, causal
	first                    bool   // channels first
}

// perAxis reads a setting that is one number or one for each spatial axis.
func perAxis(l *keras.Layer, key string, n int, missing []int) ([]int, error) {
	v, err := l.Config.Ints(key)
	if err != nil {
		return nil, err
	}
	if v == nil {
		v = missing
	}
	if len(v) == 1 {
		v = slices.Repeat(v, n)
	}
	if len(v) != n || slices.Min(v) < 1 || slices.Max(v) > 1<<16 {
		return nil, fmt.Errorf("setting %s is %v, expected %d numbers from 1 to 65536", key, v, n)
	}
	return v, nil
}

func readWindow(l *keras.Layer, n int, sizeKey string, size []int) (w window, err error) {
	if w.size, err = perAxis(l, sizeKey, n, size); err != nil {
		return w, err
	}
	strides := []int{1}
	if sizeKey == "pool_size" {
		strides = w.size
	}
	if w.strides, err = perAxis(l, "strides", n, strides); err != nil {
		return w, err
	}
	if w.dilations, err = perAxis(l, "dilation_rate", n, []int{1}); err != nil {
		return w, err
	}
	if w.padding, err = l.Config.String("padding", "valid"); err != nil {
		return w, err
	}
	if !slices.Contains([]string{"valid", "same", "causal"}, w.padding) || w.padding == "causal" && n != 1 {
		return w, fmt.Errorf("padding is %q", w.padding)
	}
	w.first, err = channelsFirst(l)
	return w, err
}

// attrs are the attributes of ONNX's node.
func (w window) attrs() graph.Attrs {
	wide := func(v []int) []int64 {
		out := make([]int64, len(v))
		for i, x := range v {
			out[i] = int64(x)
		}
		return out
	}
	a := graph.Attrs{"kernel_shape": wide(w.size), "strides": wide(w.strides)}
	if slices.Max(w.dilations) > 1 {
		a["dilations"] = wide(w.dilations)
	}
	switch w.padding {
	case "same":
		a["auto_pad"] = "SAME_UPPER"
	case "causal":
		a["pads"] = []int64{int64((w.size[0] - 1) * w.dilations[0]), 0}
	}
	return a
}

// dims is the shape of the result for x with its channels first.
func (w window) dims(x value, channels int) []int {
	out := []int{x.dims[0], channels}
	for i, d := range x.dims[2:] {
		if d >= 0 {
			extent := (w.size[i]-1)*w.dilations[i] + 1
			if w.padding != "valid" {
				d = (d + w.strides[i] - 1) / w.strides[i]
			} else {
				d = max(0, d-extent+w.strides[i]) / w.strides[i]
			}
		}
		out = append(out, d)
	}
	return out
}

// convolution is a row for n spatial axes. Keras's kernel [K.., C/groups, out]
// becomes ONNX's [out, C/groups, K..]; the depthwise one [K.., C, M] becomes
// [C·M, 1, K..].
func convolution(n int, depthwise bool) func(b *builder, l *keras.Layer, x value) (value, error) {
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
		groups, err := l.Config.Int("groups", 1)
		if err != nil {
			return x, err
		}
		ins, outs := k[n], k[n+1]
		shape := append([]int{outs, ins}, k[:n]...)
		if depthwise {
			groups, outs = ins, ins*outs
			shape = append([]int{outs, 1}, k[:n]...)
		}
		channels := x.dims[n+1]
		if w.first {
			channels = x.dims[1]
		}
		in := ins * groups
		if depthwise {
			in = ins
		}
		if !slices.Equal(w.size, k[:n]) || groups < 1 || outs%groups != 0 || channels >= 0 && channels != in {
			return x, fmt.Errorf("its input has shape %s, its kernel %v, with kernel_size %v and %d groups", shown(x.dims), k, w.size, groups)
		}
		kernel, err := b.weight(l, "kernel", shape, func(data []float32) []float32 { return kernelFirst(data, k, depthwise) })
		if err != nil {
			return x, err
		}
		inputs := []string{"", kernel}
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
		if !w.first {
			x = b.first(x)
		}
		inputs[0] = x.name
		attrs := w.attrs()
		attrs["group"] = int64(groups)
		y := x.with(b.Op("Conv", attrs, inputs...), w.dims(x, outs)...)
		if !w.first {
			y = b.last(y)
		}
		return b.activation(l, "activation", "linear", y)
	}
}

// kernelFirst puts the spatial axes of a kernel last: [K.., a, b] to [b, a, K..],
// or to [a·b, 1, K..] for a depthwise one.
func kernelFirst(data []float32, k []int, depthwise bool) []float32 {
	n := len(k) - 2
	a, o := k[n], k[n+1]
	space := len(data) / (a * o)
	out := make([]float32, len(data))
	for s := range space {
		for i := range a {
			for j := range o {
				to := (j*a+i)*space + s
				if depthwise {
					to = (i*o+j)*space + s
				}
				out[to] = data[(s*a+i)*o+j]
			}
		}
	}
	return out
}
