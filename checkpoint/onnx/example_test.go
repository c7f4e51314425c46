package onnx_test

import (
	"fmt"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
)

// The nodes of a graph and its tensors.
func ExampleOpen() {
	f, err := onnx.Open("../../examples/names/model.onnx")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, in := range f.Graph.Inputs {
		fmt.Println("input", in.Name, in.Type, in.Shape)
	}
	for _, n := range f.Graph.Nodes[:2] {
		fmt.Println(n.Op, n.Inputs)
	}
	w, err := checkpoint.Float[float32](f, "fc.weight")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("fc.weight", w.Shape)
	// Output:
	// input tokens I64 [seq_len batch]
	// input h0 F32 [1 batch 64]
	// input c0 F32 [1 batch 64]
	// Gather [embedding.weight tokens]
	// LSTM [embedded W_l0 R_l0 B_l0  h0 c0]
	// fc.weight [64 18]
}

// What a recurrent model looks like in PyTorch's terms: gates are in PyTorch's
// order, parameters have PyTorch's names.
func ExampleFile_Network() {
	f, err := onnx.Open("../../examples/names/model.onnx")
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := f.Network()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("embedding", n.Embedding.Shape, "head", n.Head.Shape, "on the final state:", n.Final)
	for _, name := range n.Layers[0].Params.Names() {
		info, _ := n.Layers[0].Params.Info(name)
		fmt.Println(name, info.Shape)
	}
	// Output:
	// embedding [80 32] head [18 64] on the final state: true
	// weight_ih_l0 [256 32]
	// weight_hh_l0 [256 64]
	// bias_ih_l0 [256]
	// bias_hh_l0 [256]
}
