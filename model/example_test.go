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

// A PyTorch state dict runs whole by a line: it holds tensors, and no forward().
func ExampleOptions() {
	m, err := model.Options{Chain: "embedding | rnn | last | fc | softmax(dim=-1)", Layout: model.BatchFirst}.Open("../examples/names/model.pt")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	x, err := model.Of([]int64{23, 31, 50, 45, 49, 38, 39}, 1, 7) // [B,T], the letters of Satoshi
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := m.Run(map[string]model.Value{"x": x})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out["output"], model.Data[float32](out["output"])[10] > 0.9) // class 10 is Japanese
	// Output: float32 [1 18] true
}

// A pass keeps memory between runs: from the second run on nothing is allocated.
// Each goroutine has its own.
func ExamplePass() {
	m, err := model.Open("../examples/names/model.onnx")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	p := m.NewPass()
	letter := []int64{23}
	x, err := model.Of(letter, 1, 1) // shares letter
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := p.Set("tokens", x); err != nil {
		fmt.Println(err)
		return
	}
	for _, letter[0] = range []int64{23, 31} {
		if err := p.Run(); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%.4f\n", model.Data[float32](p.Output("logits"))[10])
	}
	// Output:
	// 0.2896
	// 1.7188
}
