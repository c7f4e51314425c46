package modelfile

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/graph"
)

// program reads a file of testdata of checkpoint/onnx, changes its graph and
// compiles it.
func program(t *testing.T, file string, change func(g *graph.Graph)) (*graph.Program, error) {
	t.Helper()
	f, err := Open("../../checkpoint/onnx/testdata/" + file + ".onnx")
	if err != nil {
		t.Fatal(err)
	}
	g, err := graph.FromONNX(f.ONNX)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(g)
	}
	return graph.Compile(g, graph.Limits{Memory: 1 << 28})
}

// Exporters' graphs with one thing changed mean something else, and are no network.
func TestRecogniseRefusesWhatExportersDoNotMean(t *testing.T) {
	node := func(g *graph.Graph, name string) *graph.Node {
		i := slices.IndexFunc(g.Nodes, func(n graph.Node) bool { return strings.HasSuffix(n.Name, name) })
		return &g.Nodes[i]
	}
	last := func(g *graph.Graph, op string) *graph.Node {
		for i := len(g.Nodes) - 1; ; i-- {
			if g.Nodes[i].Op == op {
				return &g.Nodes[i]
			}
		}
	}
	const unsorted, words, two = "exporters/torch_packed_unsorted", "exporters/keras_embedding_lstm", "golden/lstm_bi_2layers"
	tests := map[string]struct {
		file   string
		change func(g *graph.Graph)
		want   string
	}{
		"output left sorted": {unsorted, func(g *graph.Graph) { g.Outputs[0].Name = "/Transpose_1_output_0" }, "does not give its numbers"},
		"state left sorted":  {unsorted, func(g *graph.Graph) { g.Outputs[1].Name = "/rnn/Concat_1_output_0" }, "does not give its numbers"},
		"input not sorted": {unsorted, func(g *graph.Graph) {
			n := node(g, "/Gather_1")
			n.Op, n.Attrs, n.Inputs = "Identity", nil, n.Inputs[:1]
		}, "does not give its numbers"},
		"no lengths":         {unsorted, func(g *graph.Graph) { node(g, "/rnn/LSTM").Inputs[4] = "" }, "begins with"},
		"tokens shifted":     {words, func(g *graph.Graph) { node(g, "GatherV2").Inputs[1] = node(g, "embedding_1/add").Outputs[0] }, "not one stacked layer"},
		"first step forward": {"exporters/keras_lstm_bi_last", func(g *graph.Graph) { n := last(g, "Concat"); n.Inputs[0], n.Inputs[1] = n.Inputs[1], n.Inputs[0] }, "does not give its numbers"},
		"a cast of features": {"exporters/torch_lstm_static", func(g *graph.Graph) {
			to := func(from, name string, typ int64) graph.Node {
				return graph.Node{Name: name, Op: "Cast", Inputs: []string{from}, Outputs: []string{name}, Attrs: graph.Attrs{"to": typ}}
			}
			node(g, "node_lstm__2").Inputs[0] = "back"
			g.Nodes = append([]graph.Node{to("x", "whole", 7), to("whole", "back", 1)}, g.Nodes...)
		}, "does not give its numbers"},
		"another head": {"golden/lstm_language_model", func(g *graph.Graph) {
			n := last(g, "Add")
			g.Nodes = append(g.Nodes, graph.Node{Name: "soft", Op: "Softmax", Inputs: n.Outputs, Outputs: []string{"soft"}})
			g.Outputs[0].Name = "soft"
		}, `node "soft" (Softmax) stands behind`},
		"something before": {two, func(g *graph.Graph) {
			g.Nodes = append([]graph.Node{{Name: "tanh", Op: "Tanh", Inputs: []string{g.Inputs[0].Name}, Outputs: []string{"bent"}}}, g.Nodes...)
			for i := range g.Nodes[1:] {
				if n := &g.Nodes[1+i]; slices.Contains(n.Inputs, g.Inputs[0].Name) {
					n.Inputs = slices.Clone(n.Inputs)
					n.Inputs[slices.Index(n.Inputs, g.Inputs[0].Name)] = "bent"
				}
			}
		}, `node "tanh" (Tanh) stands before`},
		"directions swapped between layers": {two, func(g *graph.Graph) {
			for i := range g.Nodes {
				if n := &g.Nodes[i]; n.Op == "Transpose" {
					n.Attrs = graph.Attrs{"perm": []int64{0, 2, 1, 3}}
					from := slices.Clone(n.Inputs)
					n.Inputs = []string{"turned"}
					turn := graph.Node{Name: "turned", Op: "Gather", Inputs: []string{from[0], "order"}, Outputs: []string{"turned"}, Attrs: graph.Attrs{"axis": int64(1)}}
					g.Constants = append(g.Constants, graph.Constant{Name: "order", Type: graph.I64, Shape: []int{2}, Value: graph.Vector[int64](1, 0)})
					g.Nodes = slices.Insert(g.Nodes, i, turn)
					return
				}
			}
		}, "does not give its numbers"},
		"a loop": {"exporters/refused_keras_gru_loop", nil, "no recurrent layer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.change != nil {
				p, err := program(t, tt.file, nil)
				if err == nil {
					_, err = Recognise(p)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			p, err := program(t, tt.file, tt.change)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Recognise(p); !errors.Is(err, ErrVariant) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %q", err, tt.want)
			}
		})
	}
}

// Layers of different sizes are layers, and no stack.
func TestRecogniseNamesLayersThatDiffer(t *testing.T) {
	b := &graph.Builder{}
	x := b.Input("x", graph.F32, steps, sequences, size(3))
	for i, hidden := range []int64{4, 5} {
		in := []int64{3, 4}[i]
		zeros := func(shape ...int) string {
			v, err := graph.New(graph.F32, shape...)
			if err != nil {
				t.Fatal(err)
			}
			return b.Constant("", v)
		}
		y := b.Ops("GRU", 2, graph.Attrs{"hidden_size": hidden, "linear_before_reset": int64(1)}, x, zeros(1, int(3*hidden), int(in)), zeros(1, int(3*hidden), int(hidden)))
		x = b.Op("Squeeze", nil, y[0], b.Ints(1))
	}
	b.Output("y", graph.F32, x)
	p, err := graph.Compile(b.Graph(), graph.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := p.Layers(); err != nil || len(l) != 2 || l[1].Layer.Config().HiddenSize != 5 {
		t.Errorf("got %v, %v", l, err)
	}
	if _, err := Recognise(p); !errors.Is(err, ErrVariant) || !strings.Contains(err.Error(), "GRU(4, 5, bias=False) after") {
		t.Errorf("got %v", err)
	}
}

// Constants that a small file computes are bound before they are made: 40
// concatenations that double each time, on the way to a layer's weights.
func TestRecogniseBoundsWhatIsComputed(t *testing.T) {
	b := &graph.Builder{}
	x := b.Input("x", graph.F32, steps, sequences, size(1))
	w := b.Constant("w", value(make([]float32, 256), []int{1, 1, 256}))
	for range 40 {
		w = b.Op("Concat", graph.Attrs{"axis": int64(2)}, w, w)
	}
	y := b.Ops("RNN", 1, graph.Attrs{"hidden_size": int64(1)}, x, w, b.Constant("r", value(make([]float32, 1), []int{1, 1, 1})))
	b.Output("y", graph.F32, y[0])
	p, err := graph.Compile(b.Graph(), ProofLimits)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = Recognise(p)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, graph.ErrLimit) {
		t.Errorf("got %v", err)
	}
	if grew := after.TotalAlloc - before.TotalAlloc; grew > 160<<20 {
		t.Errorf("%d bytes were allocated", grew)
	}
}
