package onnx

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
)

// What exporters write that is no node RNN, LSTM or GRU is refused by node and
// operator.
func TestNetworkRefusesLayersWrittenOut(t *testing.T) {
	for file, want := range map[string]string{
		"refused_keras_gru_loop":     "(Loop): a layer written out as a loop is not read",
		"refused_torch_rnn_unrolled": `node "node_MatMul_12" (MatMul): a linear layer before the recurrent ones`,
	} {
		f, err := Open("testdata/exporters/" + file + ".onnx")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Network(); !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", file, err, want)
		}
	}
}

// Exporters' graphs with one thing changed mean something else, and are refused.
func TestNetworkRefusesWhatExportersDoNotMean(t *testing.T) {
	node := func(g *Graph, name string) *Node {
		i := slices.IndexFunc(g.Nodes, func(n Node) bool { return strings.HasSuffix(n.Name, name) })
		return &g.Nodes[i]
	}
	tests := map[string]struct {
		file   string
		change func(g *Graph)
		want   string
	}{
		"output left sorted":  {"torch_packed_unsorted", func(g *Graph) { g.Outputs[0].Name = "/Transpose_1_output_0" }, `output "/Transpose_1_output_0": its batch is in the order of the lengths`},
		"state left sorted":   {"torch_packed_unsorted", func(g *Graph) { g.Outputs[1].Name = "/rnn/Concat_1_output_0" }, `output "/rnn/Concat_1_output_0": its batch is in the order of the lengths`},
		"input not sorted":    {"torch_packed_unsorted", func(g *Graph) { node(g, "/Gather_1").Op = "Identity" }, "its sequence_lens and its input have the batch in different orders"},
		"lengths not sorted":  {"torch_packed_unsorted", func(g *Graph) { node(g, "/Cast_2").Inputs = []string{"lengths"} }, "its sequence_lens and its input have the batch in different orders"},
		"no lengths":          {"torch_packed_unsorted", func(g *Graph) { node(g, "/rnn/LSTM").Inputs[4] = "" }, "(LSTM): an input is missing"},
		"time sorted":         {"torch_packed_unsorted", func(g *Graph) { node(g, "/Gather_1").Attributes[0].I = 1 }, "another axis of its input than the batch"},
		"sorted twice":        {"torch_packed_unsorted", func(g *Graph) { node(g, "/Gather_2").Inputs[1] = "/Cast_1_output_0" }, "into the order of its lengths twice"},
		"some of the lengths": {"torch_packed_unsorted", func(g *Graph) { node(g, "/TopK").Inputs[1] = "/Constant_3_output_0" }, "(TopK): its input \"/Constant_3_output_0\" is made by no node before it"},
		"another way back":    {"torch_packed_unsorted", func(g *Graph) { node(g, "/Range").Inputs[0] = "/Constant_2_output_0" }, "(Range): it counts something else"},
		"tokens below 5": {"keras_embedding_lstm", func(g *Graph) {
			node(g, "embedding_1/Less").Inputs[1] = node(g, "embedding_1/add").Inputs[1]
		}, "(Less): it compares something else than tokens with 0"},
		"tokens shifted": {"keras_embedding_lstm", func(g *Graph) {
			node(g, "GatherV2").Inputs[1] = node(g, "embedding_1/add").Outputs[0]
		}, "(Gather): "},
		"first step forward": {"keras_lstm_bi_last", func(g *Graph) {
			s := node(g, "strided_slice_3")
			for i := range g.Nodes { // the slice of the backward direction
				if n := &g.Nodes[i]; n.Op == "Slice" && n != s && len(n.Inputs) == 4 && slices.Contains(squeezed(g), n.Inputs[0]) {
					s.Inputs[1], s.Inputs[2] = n.Inputs[1], n.Inputs[2]
				}
			}
		}, "(Slice): it cuts out a part that no layer reads"},
		"a cast of features": {"torch_lstm_static", func(g *Graph) {
			cast := Node{Name: "c", Op: "Cast", Inputs: []string{"x"}, Outputs: []string{"whole"}, Attributes: []Attribute{{Name: "to", Kind: Int, I: 7}}}
			node(g, "node_lstm__2").Inputs[0] = "whole"
			g.Nodes = append([]Node{cast}, g.Nodes...)
		}, `node "c" (Cast): it casts what a layer reads to I64`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := Open("testdata/exporters/" + tt.file + ".onnx")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Network(); err != nil {
				t.Fatal(err)
			}
			tt.change(&f.Graph)
			if _, err := f.Network(); !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %q", err, tt.want)
			}
		})
	}
}

// squeezed returns the outputs of Squeeze nodes.
func squeezed(g *Graph) (names []string) {
	for _, n := range g.Nodes {
		if n.Op == "Squeeze" {
			names = append(names, n.Outputs...)
		}
	}
	return names
}

// Weights in half precision, cast by the graph, are read as they are stored;
// a cast that would lose digits is refused.
func TestNetworkReadsCastWeights(t *testing.T) {
	cast := func(to int64) error {
		f, err := Open("testdata/exporters/torch_lstm_static.onnx")
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(f.Graph.Nodes, func(n Node) bool { return n.Op == "LSTM" })
		w := f.Graph.Nodes[i].Inputs[1]
		stored := f.tensors[f.index[w]]
		info, err := checkpoint.NewInfo(w, checkpoint.F16, stored.Shape)
		if err != nil {
			t.Fatal(err)
		}
		stored.Tensor = checkpoint.Tensor{Info: info, Data: make([]byte, info.Bytes)}
		for k := range info.Len() { // 1.5
			stored.Data[2*k+1] = 0x3e
		}
		f.Graph.Nodes[i].Inputs[1] = "wide"
		f.Graph.Nodes = append([]Node{{Name: "c", Op: "Cast", Inputs: []string{w}, Outputs: []string{"wide"}, Attributes: []Attribute{{Name: "to", Kind: Int, I: to}}}}, f.Graph.Nodes...)
		n, err := f.Network()
		if err != nil {
			return err
		}
		d, err := checkpoint.Float[float32](n.Layers[0].Params, "weight_ih_l0")
		if err == nil && (d.Data[0] != 1.5 || d.Data[len(d.Data)-1] != 1.5) {
			t.Errorf("got %v", d.Data)
		}
		return err
	}
	if err := cast(1); err != nil { // FLOAT
		t.Error(err)
	}
	if err := cast(16); err == nil || !strings.Contains(err.Error(), `node "c" (Cast): a cast from F16 to BF16`) {
		t.Errorf("to bfloat16: %v", err)
	}
}

// The sizes of an initial state may be asked for before those of the input: which
// of them is the input is not told by who is asked first.
func TestNetworkKnowsItsInput(t *testing.T) {
	f, err := Open("testdata/exporters/torch_lstm_states.onnx")
	if err != nil {
		t.Fatal(err)
	}
	want, err := f.Network()
	if err != nil {
		t.Fatal(err)
	}
	// A size of h0, joined into the shape of zeros that nothing but c0 is.
	f.Graph.Nodes = append([]Node{
		{Name: "s", Op: "Shape", Inputs: []string{want.H0}, Outputs: []string{"sizes"}},
		{Name: "z", Op: "ConstantOfShape", Inputs: []string{"sizes"}, Outputs: []string{"zeros"}},
	}, f.Graph.Nodes...)
	for i := range f.Graph.Nodes {
		if n := &f.Graph.Nodes[i]; n.Op == "LSTM" {
			n.Inputs[6] = "zeros"
		}
	}
	got, err := f.Network()
	if err != nil {
		t.Fatal(err)
	}
	if got.Input != want.Input || got.H0 != want.H0 || got.C0 != "" {
		t.Errorf("input %q, h0 %q, c0 %q", got.Input, got.H0, got.C0)
	}
}
