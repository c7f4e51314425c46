package keras_test

import (
	"fmt"

	"github.com/unroll-ml/unroll/checkpoint/keras"
)

// The layers of a file, and the weights of each.
func ExampleOpen() {
	m, err := keras.Open("testdata/models/sequential.keras")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	for _, l := range m.Root.Inner {
		fmt.Print(l.Class, " ", l.Name)
		for _, w := range l.Weights {
			fmt.Print(" ", w.Role, w.Shape)
		}
		fmt.Println()
	}
	// Output:
	// InputLayer tokens
	// Embedding embedding embeddings[7 3]
	// GRU gru kernel[3 6] recurrent_kernel[2 6] bias[2 6]
	// SimpleRNN simple kernel[2 2] recurrent_kernel[2 2]
	// Dropout dropout
	// Dense head kernel[2 2] bias[2]
}

// The recurrent layers of a file under PyTorch's names.
func ExampleNew() {
	m, err := keras.Open("testdata/models/sequential.keras")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	s, err := keras.New(m)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range s.Names()[:4] {
		info, _ := s.Info(name)
		fmt.Println(name, info.Shape)
	}
	// Output:
	// gru/weight_ih_l0 [6 3]
	// gru/weight_hh_l0 [6 2]
	// gru/bias_ih_l0 [6]
	// gru/bias_hh_l0 [6]
}
