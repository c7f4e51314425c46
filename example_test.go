package unroll_test

import (
	"fmt"
	"log"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// The page's example: torch.manual_seed(0), torch.randn(5, 3), and
// torch.nn.RNN(3, 4, num_layers=2). The README shows this code.
func Example() {
	g := rng.New(0)
	x := tensor.New(5, 3) // [T,I]
	rng.Randn(g, x.Data)

	layer, err := unroll.New(unroll.Config{Mode: unroll.RNNTanh, InputSize: 3, HiddenSize: 4, NumLayers: 2})
	if err != nil {
		log.Fatal(err)
	}
	layer.ResetParameters(g)

	output, state, err := layer.Forward(x, unroll.State{}) // h_0 = zeros
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(output.Shape, state.H.Shape)
	fmt.Println(state.H)
	// Output:
	// [5 4] [2 4]
	// tensor([[ 0.3659, -0.4076, -0.3544,  0.7706],
	//         [ 0.1340,  0.1614,  0.1837, -0.6358]])
}

// A file of a model, opened and run by names. The README shows this code.
func Example_model() {
	m, err := model.Open("examples/bach")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	x, err := model.Of(make([]float32, 88), 1, 1, 88) // [T,B,I]: a step of one sequence
	if err != nil {
		log.Fatal(err)
	}
	out, err := m.Run(map[string]model.Value{"input": x})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["output"], model.Data[float32](out["output"])[60] < 0)                     // a logit for each key
	out, err = m.Run(map[string]model.Value{"input": x, "h_0": out["h_n"], "c_0": out["c_n"]}) // the next step
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["h_n"])
	// Output:
	// float32 [1 1 88] true
	// float32 [2 1 128]
}
