package model_test

import (
	"fmt"

	"github.com/unroll-ml/unroll/model"
)

// Any file of a model opens and runs by the names of its inputs and outputs; the
// state is zeros where it is left out.
func Example() {
	m, err := model.Open("../examples/bach")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	for _, in := range m.Inputs() {
		fmt.Println(in)
	}
	x, err := model.Of(make([]float32, 88), 1, 1, 88) // a step of one sequence
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := m.Run(map[string]model.Value{"input": x})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out["output"], "and the state", out["h_n"])
	// Output:
	// input float32 [T, B, 88]
	// h_0 float32 [2, B, 128]
	// c_0 float32 [2, B, 128]
	// float32 [1 1 88] and the state float32 [2 1 128]
}
