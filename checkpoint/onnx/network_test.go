package onnx

import (
	"errors"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
)

func TestNetworkOfPyTorchsExports(t *testing.T) {
	tests := []struct {
		file                       string
		op                         string
		layers, dirs               int
		batchFirst, embedded, head bool
		lengths, h0, output, hn    string
	}{
		{"rnn_tanh", "RNN", 1, 1, false, false, false, "", "", "output", "h_n"},
		{"rnn_relu_2layers_hx", "RNN", 2, 1, false, false, false, "", "h0", "output", "h_n"},
		{"lstm", "LSTM", 1, 1, false, false, false, "", "h0", "output", "h_n"},
		{"lstm_bi_2layers", "LSTM", 2, 2, false, false, false, "", "", "output", "h_n"},
		{"lstm_nobias_static", "LSTM", 1, 1, false, false, false, "", "", "output", "h_n"},
		{"gru_bi", "GRU", 1, 2, false, false, false, "", "", "output", "h_n"},
		{"gru_3layers_batchfirst", "GRU", 3, 1, true, false, false, "", "", "output", "h_n"},
		{"gru_packed", "GRU", 1, 1, false, false, false, "lengths", "", "output", "h_n"},
		{"lstm_language_model", "LSTM", 2, 1, false, true, true, "", "", "logits", ""},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			f, err := Open("testdata/golden/" + tt.file + ".onnx")
			if err != nil {
				t.Fatal(err)
			}
			n, err := f.Network()
			if err != nil {
				t.Fatal(err)
			}
			l := n.Layers[0]
			if l.Op != tt.op || len(n.Layers) != tt.layers || l.Directions() != tt.dirs || n.BatchFirst != tt.batchFirst {
				t.Errorf("got %s, %d layers, %d directions, batch first %t", l.Op, len(n.Layers), l.Directions(), n.BatchFirst)
			}
			if (n.Embedding != nil) != tt.embedded || (n.Head != nil) != tt.head || (n.Bias != nil) != tt.head {
				t.Errorf("embedding %t, head %t, bias %t", n.Embedding != nil, n.Head != nil, n.Bias != nil)
			}
			if n.Lengths != tt.lengths || n.H0 != tt.h0 || n.Output != tt.output || n.HN != tt.hn {
				t.Errorf("lengths %q, h0 %q, output %q, h_n %q", n.Lengths, n.H0, n.Output, n.HN)
			}
			if d := l.Deviation(); d != "" {
				t.Errorf("it deviates from PyTorch: %s", d)
			}
		})
	}
}

// A graph that holds more than such a network is refused by node and operator.
func TestNetworkNamesWhatItRefuses(t *testing.T) {
	f, err := Open("testdata/golden/lstm_language_model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(g *Graph)
		want   string
	}{
		"operator": {func(g *Graph) { g.Nodes[len(g.Nodes)-1].Op = "Softmax" }, `node "/fc/Add" (Softmax): a network of`},
		"domain":   {func(g *Graph) { g.Nodes[0].Domain = "com.x" }, `node "/embedding/Gather" (com.x.Gather): its domain`},
		"axis order": {func(g *Graph) {
			for i := range g.Nodes {
				if g.Nodes[i].Name == "/rnn/Squeeze" { // not what lies between two layers
					g.Nodes[i] = Node{Name: "t", Op: "Transpose", Inputs: g.Nodes[i].Inputs[:1], Outputs: g.Nodes[i].Outputs, Attributes: []Attribute{{Name: "perm", Kind: Ints, Ints: []int64{1, 2, 0, 3}}}}
				}
			}
		}, `node "/rnn/LSTM_1" (LSTM): its input does not have the dimensions`},
		"output": {func(g *Graph) {
			g.Nodes = append(g.Nodes, Node{Name: "t", Op: "Transpose", Inputs: []string{"/rnn/LSTM_1_output_0"}, Outputs: []string{"turned"}, Attributes: []Attribute{{Name: "perm", Kind: Ints, Ints: []int64{2, 1, 0, 3}}}})
			g.Outputs[0].Name = "turned"
		}, `output "turned": its dimensions`},
		"attribute": {func(g *Graph) {
			for i := range g.Nodes {
				if g.Nodes[i].Op == "LSTM" {
					g.Nodes[i].Attributes = append(g.Nodes[i].Attributes, Attribute{Name: "output_sequence", Kind: Int})
				}
			}
		}, `node "/rnn/LSTM" (LSTM): attribute "output_sequence"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			with := *f
			with.Graph.Nodes = append([]Node{}, f.Graph.Nodes...)
			with.Graph.Outputs = append([]Value{}, f.Graph.Outputs...)
			tt.change(&with.Graph)
			_, err := with.Network()
			if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %q", err, tt.want)
			}
		})
	}
}
