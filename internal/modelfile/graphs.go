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

// Graph returns the program of a layer: input, h_0 and c_0 to output, h_n and c_n;
// or of a model around it, whose input may be tokens. Parameters are shared.
func (l *Loaded) Graph(names Names) *graph.Graph {
	b := &graph.Builder{Opset: names.Opset}
	c := l.Layer.Config()
	outer := layout(c)
	var x string
	switch e := l.embedding(); {
	case e != nil:
		tokens := b.Input("tokens", graph.I64, outer...)
		x = b.Op("Gather", nil, b.Constant("embedding.weight", value(e.Weight.Data, e.Weight.Shape)), tokens)
	default:
		x = b.Input("input", graph.F32, append(outer[:2:2], size(c.InputSize))...)
	}
	rows := size(c.Layers() * c.Directions())
	h0 := b.Input(names.H0, graph.F32, rows, sequences, size(c.StateSize()))
	c0 := ""
	if c.HasCell() {
		c0 = b.Input(names.C0, graph.F32, rows, sequences, size(c.HiddenSize))
	}
	y, hn, cn := b.Layer(l.Layer, x, h0, c0, "", "")
	width := c.OutputSize()
	if l.Model != nil {
		all := l.Model.Config().Output != "last"
		if !all {
			y, outer = top(b, c, hn), outer[:0:0]
			outer = append(outer, sequences)
		}
		width = l.Model.Config().OutFeatures
		y = linear(b, l.Model.Head(), y, all)
	}
	b.Output(names.Output, graph.F32, y, append(outer[:len(outer):len(outer)], size(width))...)
	b.Output("h_n", graph.F32, hn, rows, sequences, size(c.StateSize()))
	if cn != "" {
		b.Output("c_n", graph.F32, cn, rows, sequences, size(c.HiddenSize))
	}
	return b.Graph()
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
