package model

import (
	"fmt"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/nn"
)

// Letters in symbols of shapes: T steps, B sequences.
var (
	steps     = graph.Dim{Size: -1, Name: "T"}
	sequences = graph.Dim{Size: -1, Name: "B"}
)

func size(n int) graph.Dim { return graph.Dim{Size: n} }

// layout returns the first two dimensions of a batch of the layer's input.
func layout(c unroll.Config) []graph.Dim {
	if c.BatchFirst {
		return []graph.Dim{sequences, steps}
	}
	return []graph.Dim{steps, sequences}
}

// stateful adds a layer whose initial states are inputs h_0 and c_0.
func stateful(b *graph.Builder, l *unroll.Layer, x string) (y, hn, cn string) {
	c := l.Config()
	rows := size(c.Layers() * c.Directions())
	h0 := b.Input("h_0", graph.F32, rows, sequences, size(c.StateSize()))
	c0 := ""
	if c.HasCell() {
		c0 = b.Input("c_0", graph.F32, rows, sequences, size(c.HiddenSize))
	}
	return b.Layer(l, x, h0, c0, "", "")
}

// results adds the outputs for the final states.
func results(b *graph.Builder, hn, cn string) {
	b.Output("h_n", graph.F32, hn)
	if cn != "" {
		b.Output("c_n", graph.F32, cn)
	}
}

// ofLayer is a layer alone: input, h_0 and c_0 to output, h_n and c_n.
func ofLayer(l *unroll.Layer) *graph.Graph {
	b, c := &graph.Builder{}, l.Config()
	x := b.Input("input", graph.F32, append(layout(c), size(c.InputSize))...)
	y, hn, cn := stateful(b, l, x)
	b.Output("output", graph.F32, y)
	results(b, hn, cn)
	return b.Graph()
}

// ofTrained is embedding, layer and head: tokens or input, h_0 and c_0 to
// output, h_n and c_n.
func ofTrained(m *nn.Model) *graph.Graph {
	b, c := &graph.Builder{}, m.Config()
	var x string
	if e := m.Embedding(); e != nil {
		tokens := b.Input("tokens", graph.I64, layout(c.RNN)...)
		x = b.Op("Gather", nil, b.Constant("embedding.weight", value(e.Weight.Data, e.Weight.Shape)), tokens)
	} else {
		x = b.Input("input", graph.F32, append(layout(c.RNN), size(c.RNN.InputSize))...)
	}
	y, hn, cn := stateful(b, m.RNN(), x)
	if c.Output == "last" {
		// The top layer's directions, [D,B,H'], side by side.
		d := int64(c.RNN.Directions())
		top := b.Op("Slice", nil, hn, b.Ints(-d), b.Ints(1<<30), b.Ints(0))
		y = b.Op("Reshape", nil, b.Op("Transpose", graph.Attrs{"perm": []int64{1, 0, 2}}, top), b.Ints(-1, d*int64(c.RNN.StateSize())))
	}
	b.Output("output", graph.F32, linear(b, m.Head(), y, c.Output != "last"))
	results(b, hn, cn)
	return b.Graph()
}

// linear adds a linear head on y, whose sums start from the bias as nn.Linear's
// do; batches are of two dimensions before the features, or of one.
func linear(b *graph.Builder, head *nn.Linear, y string, batches bool) string {
	w, inputs := head.Weight(), []string{y}
	if batches {
		inputs[0] = b.Op("Reshape", nil, y, b.Ints(-1, int64(w.Shape[1])))
	}
	inputs = append(inputs, b.Constant("fc.weight", value(w.Data, w.Shape)))
	if bias := head.Bias(); !bias.IsZero() {
		inputs = append(inputs, b.Constant("fc.bias", value(bias.Data, bias.Shape)))
	}
	out := b.Op("Gemm", graph.Attrs{"transB": int64(1)}, inputs...)
	if !batches {
		return out
	}
	shape := b.Op("Concat", graph.Attrs{"axis": int64(0)}, b.Op("Slice", nil, b.Op("Shape", nil, y), b.Ints(0), b.Ints(2)), b.Ints(int64(w.Shape[0])))
	return b.Op("Reshape", nil, out, shape)
}

// value is a parameter, which is whole by construction.
func value(data []float32, shape []int) graph.Value {
	v, err := graph.Of(data, shape...)
	if err != nil {
		panic(fmt.Sprintf("model: a parameter of shape %v has %d elements", shape, len(data)))
	}
	return v
}
