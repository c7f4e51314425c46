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
	// input tokens I64 [T B]
	// input h0 F32 [1 B 64]
	// input c0 F32 [1 B 64]
	// Gather [embedding.weight tokens]
	// LSTM [Gather.1 layer.2/W_l0 layer.2/R_l0 layer.2/B_l0  h0 c0]
	// fc.weight [18 64]
}
