package model_test

import (
	"fmt"

	"github.com/unroll-ml/unroll/model"
)

// A PyTorch state dict holds no forward(): one line over its modules says it.
func Example_pytorch() {
	m, err := model.Options{Chain: "rnn | head", Layout: model.TimeFirst}.Open("../examples/bach/model.pt")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	x, err := model.Of(make([]float32, 4*88), 4, 1, 88) // 4 steps of one sequence
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := m.Run(map[string]model.Value{"x": x})
	fmt.Println(out["output"], err)
	// Output: float32 [4 1 88] <nil>
}

// An ONNX file runs as it is, by the names that it gives its inputs and outputs.
func Example_onnx() {
	m, err := model.Open("../checkpoint/onnx/testdata/exporters/torch_language_model.onnx")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	tokens, err := model.Of([]int64{1, 2, 3, 4, 5, 6}, 2, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := m.Run(map[string]model.Value{"x": tokens})
	fmt.Println(out["linear"], err)
	// Output: float32 [2 3 11] <nil>
}

// A .keras file is opened without Python.
func Example_keras() {
	m, err := model.Open("../checkpoint/keras/testdata/models/sequential.keras")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	in, out := m.Inputs()[0], m.Outputs()[0]
	fmt.Println(in)
	tokens, err := model.Of([]float32{1, 2, 3, 0}, 1, 4) // as Keras takes them
	if err != nil {
		fmt.Println(err)
		return
	}
	results, err := m.Run(map[string]model.Value{in.Name: tokens})
	fmt.Println(results[out.Name], err)
	// Output:
	// tokens float32 [batch, ?]
	// float32 [1 2] <nil>
}

// A stream is one live sequence: a step at a time, with the state carried, taken
// out by names, and put back.
func ExampleModel_NewStream() {
	m, err := model.Open("../examples/bach")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	s, err := m.NewStream(model.RowsOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	x, y := make([]float32, s.In()), make([]float32, s.Out())
	for range 3 {
		if err := s.Step(y, x); err != nil {
			fmt.Println(err)
		}
	}
	state := s.State() // of a sequence that goes on elsewhere
	s.Reset()
	fmt.Println(len(y), state["h_0"], s.SetState(state))
	// Output: 88 float32 [2 1 128] <nil>
}

// Rows step many sequences together; each costs its state and nothing else.
func ExampleModel_NewRows() {
	m, err := model.Open("../examples/bach")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	r, err := m.NewRows(32, model.RowsOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	states := make([][]float32, 3)
	for i := range states {
		states[i] = make([]float32, r.StateLen())
		r.Begin(states[i])
	}
	x, y := make([]float32, 3*r.In()), make([]float32, 3*r.Out())
	fmt.Println(r.In(), r.Out(), r.StateLen(), r.Step(y, x, states))
	// Output: 88 88 512 <nil>
}
