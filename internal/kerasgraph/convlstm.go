package kerasgraph

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// ConvLSTM: an LSTM whose products are convolutions, gates i f c o. The input of all
// steps is convolved at once; the steps are a Scan over [B,4F,...], channels first.

// convLSTM is what is read of one.
type convLSTM struct {
	layer   *keras.Layer
	flags   flags
	x       value // [B,T,C,...]
	n       int   // spatial axes
	filters int
	input   window
	start   []value // h and c, [B,F,...]; none: zeros
}

func convLSTMRow(n int) row {
	return func(b *builder, l *keras.Layer, c *call) ([]value, error) {
		r, err := b.readConvLSTM(n, l, c)
		if err != nil {
			return nil, err
		}
		gates, err := b.inputGates(r)
		if err != nil {
			return nil, err
		}
		body, err := b.convStep(r, gates)
		if err != nil {
			return nil, err
		}
		if len(r.start) == 0 {
			lead := b.Op("Concat", graph.Attrs{"axis": int64(0)}, b.size(gates, 0), b.Ints(int64(r.filters)))
			shape := b.Op("Concat", graph.Attrs{"axis": int64(0)}, lead, b.Op("Shape", graph.Attrs{"start": int64(3)}, gates.name))
			zeros := b.Op("Expand", nil, b.scalar(0), shape)
			r.start = []value{{name: zeros}, {name: zeros}}
		}
		attrs := graph.Attrs{"body": body, "num_scan_inputs": int64(1), "scan_input_axes": []int64{1}, "scan_output_axes": []int64{1}}
		if r.flags.backwards {
			attrs["scan_input_directions"] = []int64{1}
		}
		outs := b.Ops("Scan", 3, attrs, r.start[0].name, r.start[1].name, gates.name)
		b.Name(l.Path)
		state := slices.Concat([]int{gates.dims[0], r.filters}, gates.dims[3:])
		h, cell := value{name: outs[0], typ: graph.F32, dims: state}, value{name: outs[1], typ: graph.F32, dims: state}
		last := func(v value) value {
			if !r.input.first {
				return b.last(v)
			}
			return v
		}
		y := last(h)
		if r.flags.sequences {
			// In the order in which they were made, as of other layers.
			y = value{name: outs[2], typ: graph.F32, dims: slices.Insert(slices.Clone(state), 1, gates.dims[1])}
			if !r.input.first {
				perm := []int{0, 1}
				for i := range n {
					perm = append(perm, 3+i)
				}
				y = b.transpose(y, append(perm, 2)...)
			}
		}
		if r.flags.state {
			return []value{y, last(h), last(cell)}, nil
		}
		return []value{y}, nil
	}
}

func (b *builder) readConvLSTM(n int, l *keras.Layer, c *call) (*convLSTM, error) {
	r := &convLSTM{layer: l, n: n}
	var err error
	if r.flags, err = readFlags(l); err != nil {
		return nil, err
	}
	b.stateful(l, r.flags)
	if r.input, err = readWindow(l, n, "kernel_size", nil); err != nil {
		return nil, err
	}
	if r.input.padding == "causal" {
		return nil, wrong(l, "padding is causal")
	}
	r.x = c.in[0]
	if err := rank(r.x, n+3); err != nil {
		return nil, err
	}
	if r.x.mask != "" {
		return nil, refuse(l, "a mask of steps")
	}
	if !r.input.first {
		perm := []int{0, 1, n + 2}
		for i := range n {
			perm = append(perm, 2+i)
		}
		r.x = b.transpose(r.x, perm...)
	}
	if r.start, err = c.start(); err != nil {
		return nil, err
	}
	if len(r.start) != 0 && len(r.start) != 2 {
		return nil, wrong(l, "it is called with %d initial states, expected 2", len(r.start))
	}
	for i, s := range r.start {
		if err := rank(s, n+2); err != nil {
			return nil, err
		}
		if !r.input.first {
			r.start[i] = b.first(s)
		}
	}
	k, err := shaped(l, "kernel", n+2)
	if err != nil {
		return nil, err
	}
	rec, err := shaped(l, "recurrent_kernel", n+2)
	if err != nil {
		return nil, err
	}
	r.filters = rec[n]
	if !slices.Equal(k[:n], r.input.size) || !slices.Equal(rec[:n], r.input.size) || k[n+1] != 4*r.filters || rec[n+1] != 4*r.filters || r.x.dims[2] >= 0 && r.x.dims[2] != k[n] {
		return nil, wrong(l, "its input has %s, steps and channels first, its kernels %v and %v, with kernel_size %v", shown(r.x.dims), k, rec, r.input.size)
	}
	return r, nil
}

// inputGates are the sums of all gates that the inputs give, [B,T,4F,...].
func (b *builder) inputGates(r *convLSTM) (value, error) {
	k, _ := r.layer.Weight("kernel")
	kernel, err := b.weight(r.layer, "kernel", append([]int{4 * r.filters, k.Shape[r.n]}, k.Shape[:r.n]...), func(d []float32) []float32 { return kernelFirst(d, k.Shape, false) })
	if err != nil {
		return r.x, err
	}
	inputs := []string{"", kernel}
	use, err := r.layer.Config.Bool("use_bias", true)
	if err != nil {
		return r.x, err
	}
	if use {
		bias, err := b.weight(r.layer, "bias", []int{4 * r.filters}, nil)
		if err != nil {
			return r.x, err
		}
		inputs = append(inputs, bias)
	}
	flat := b.regroup(r.x, 2, -1)
	inputs[0] = flat.name
	y := flat.with(b.Op("Conv", r.input.attrs(), inputs...), r.input.dims(flat, 4*r.filters)...)
	lead := []string{b.size(r.x, 0), b.size(r.x, 1)}
	return y.with(b.Op("Reshape", nil, y.name, b.target(y, lead, 1)), append([]int{r.x.dims[0], r.x.dims[1]}, y.dims[1:]...)...), nil
}

// convStep is one step: h, c and the input's gates become h, c and h again.
func (b *builder) convStep(r *convLSTM, gates value) (*graph.Graph, error) {
	l := r.layer
	w, _ := l.Weight("recurrent_kernel")
	kernel, err := b.weight(l, "recurrent_kernel", append([]int{4 * r.filters, r.filters}, w.Shape[:r.n]...), func(d []float32) []float32 { return kernelFirst(d, w.Shape, false) })
	if err != nil {
		return nil, err
	}
	step := &builder{Builder: *b.Body(), m: b.m, major: b.major}
	port := func(what string, channels int) value {
		v := value{name: fmt.Sprintf("%s.%s#%d", l.Path, what, len(b.load)), typ: graph.F32, dims: slices.Concat([]int{-1, channels}, gates.dims[3:])}
		step.Input(v.name, graph.F32, v.shape()...)
		return v
	}
	h, cell, x := port("h", r.filters), port("c", r.filters), port("gates", 4*r.filters)
	same := window{size: r.input.size, strides: slices.Repeat([]int{1}, r.n), dilations: slices.Repeat([]int{1}, r.n), padding: "same"}
	sum := step.binary("Add", x, x.same(step.Op("Conv", same.attrs(), h.name, kernel)))
	gate := func(i int, key, missing string) (value, error) {
		at := int64(i * r.filters)
		return step.activation(l, key, missing, step.slice(sum, 1, at, at+int64(r.filters)))
	}
	var g [4]value
	for i := range g {
		key, missing := "recurrent_activation", "sigmoid"
		if i == 2 {
			key, missing = "activation", "tanh"
		}
		if g[i], err = gate(i, key, missing); err != nil {
			return nil, err
		}
	}
	cell = step.binary("Add", step.binary("Mul", g[1], cell), step.binary("Mul", g[0], g[2]))
	out, err := step.activation(l, "activation", "tanh", cell)
	if err != nil {
		return nil, err
	}
	h = step.binary("Mul", g[3], out)
	for _, v := range []value{h, cell, h} {
		name := step.Op("Identity", nil, v.name)
		step.Output(name, graph.F32, name, v.shape()...)
	}
	return step.Graph(), nil
}
