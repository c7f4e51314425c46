package modelfile

import (
	"fmt"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/nn"
)

// Names are those of a program's states and output.
type Names struct {
	H0, C0 string
	Output string
	// Opset is the version of ONNX's operators that the program is written in; 0: 20.
	Opset int64
}

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

// LayerPorts returns the inputs and outputs of the program of a layer, or of a model
// around it: input [T,B,I] or tokens [T,B], laid out as the layer's config says, and
// its states; output [T,B,N], or [B,N] of the last state, and final states.
func LayerPorts(c unroll.Config, m *nn.Config, names Names) (in, out []graph.Port) {
	outer := layout(c)
	rows := size(c.Layers() * c.Directions())
	state := func(name string, width int) graph.Port {
		return graph.Port{Name: name, Type: graph.F32, Shape: []graph.Dim{rows, sequences, size(width)}}
	}
	if m != nil && m.NumEmbeddings > 0 {
		in = []graph.Port{{Name: "tokens", Type: graph.I64, Shape: outer}}
	} else {
		in = []graph.Port{{Name: "input", Type: graph.F32, Shape: append(outer[:2:2], size(c.InputSize))}}
	}
	width := c.OutputSize()
	if m != nil {
		width = m.OutFeatures
		if m.Output == "last" {
			outer = []graph.Dim{sequences}
		}
	}
	out = []graph.Port{{Name: names.Output, Type: graph.F32, Shape: append(outer[:len(outer):len(outer)], size(width))}}
	in, out = append(in, state(names.H0, c.StateSize())), append(out, state("h_n", c.StateSize()))
	if c.HasCell() {
		in, out = append(in, state(names.C0, c.HiddenSize)), append(out, state("c_n", c.HiddenSize))
	}
	return in, out
}

// Graph returns the program of a layer: input, h_0 and c_0 to output, h_n and c_n;
// or of a model around it, whose input may be tokens. Parameters are shared.
func (l *Loaded) Graph(names Names) *graph.Graph {
	b := &graph.Builder{Opset: names.Opset}
	c := l.Layer.Config()
	model := l.Config()
	in, out := LayerPorts(c, model, names)
	for _, p := range in {
		b.Input(p.Name, p.Type, p.Shape...)
	}
	x, h0, c0 := in[0].Name, names.H0, ""
	if c.HasCell() {
		c0 = names.C0
	}
	if e := l.embedding(); e != nil {
		x = b.Op("Gather", nil, b.Constant("embedding.weight", value(e.Weight.Data, e.Weight.Shape)), x)
	}
	y, hn, cn := b.Layer(l.Layer, x, h0, c0, "", "")
	if l.Model != nil {
		all := model.Output != "last"
		if !all {
			y = top(b, c, hn)
		}
		y = linear(b, l.Model.Head(), y, all)
	}
	for i, v := range []string{y, hn, cn}[:len(out)] {
		b.Output(out[i].Name, out[i].Type, v, out[i].Shape...)
	}
	g := b.Graph()
	g.FromZero = true
	return g
}

func (l *Loaded) embedding() *nn.Embedding {
	if l.Model == nil {
		return nil
	}
	return l.Model.Embedding()
}

// top is the top layer's final state [D,B,H'], its directions side by side.
func top(b *graph.Builder, c unroll.Config, hn string) string {
	d := int64(c.Directions())
	last := cut(b, hn, -d, 1<<30)
	return b.Op("Reshape", nil, b.Op("Transpose", graph.Attrs{"perm": []int64{1, 0, 2}}, last), b.Ints(-1, d*int64(c.StateSize())))
}

// cut takes [lo,hi) of the first dimension, whose bounds were attributes before
// version 10.
func cut(b *graph.Builder, x string, lo, hi int64) string {
	if b.Opset > 0 && b.Opset < 10 {
		return b.Op("Slice", graph.Attrs{"axes": []int64{0}, "starts": []int64{lo}, "ends": []int64{hi}}, x)
	}
	return b.Op("Slice", nil, x, b.Ints(lo), b.Ints(hi), b.Ints(0))
}

// linear adds a linear head on y, whose sums start from the bias as nn.Linear's
// do; batches are of two dimensions before the features, or of one.
func linear(b *graph.Builder, head *nn.Linear, y string, batches bool) string {
	w, x := head.Weight(), y
	if batches {
		x = b.Op("Reshape", nil, y, b.Ints(-1, int64(w.Shape[1])))
	}
	inputs := []string{x, b.Constant("fc.weight", value(w.Data, w.Shape))}
	var out string
	switch bias := head.Bias(); {
	case !bias.IsZero():
		out = b.Op("Gemm", graph.Attrs{"transB": int64(1)}, append(inputs, b.Constant("fc.bias", value(bias.Data, bias.Shape)))...)
	case b.Opset > 0 && b.Opset < 11: // where Gemm has a bias
		out = b.Op("MatMul", nil, x, b.Op("Transpose", graph.Attrs{"perm": []int64{1, 0}}, inputs[1]))
	default:
		out = b.Op("Gemm", graph.Attrs{"transB": int64(1)}, inputs...)
	}
	if !batches {
		return out
	}
	shape := b.Op("Concat", graph.Attrs{"axis": int64(0)}, cut(b, b.Op("Shape", nil, y), 0, 2), b.Ints(int64(w.Shape[0])))
	return b.Op("Reshape", nil, out, shape)
}

// value is a parameter, which is whole by construction.
func value(data []float32, shape []int) graph.Value {
	v, err := graph.Of(data, shape...)
	if err != nil {
		panic(fmt.Sprintf("modelfile: a parameter of shape %v has %d elements", shape, len(data)))
	}
	return v
}
