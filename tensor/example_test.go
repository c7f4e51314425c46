package tensor_test

import (
	"fmt"

	"github.com/unroll-ml/unroll/tensor"
)

// A tensor is a shape and a slice, and prints as PyTorch prints it.
func ExampleDense() {
	x, err := tensor.Of([]float32{0.5, 1, -2, 3, 0, 1e-3}, 2, 3)
	fmt.Println(x, err)

	column, err := x.Reshape(6, 1) // the same memory
	fmt.Println(column.Shape, err)

	_, err = tensor.Of(x.Data, 4, 4)
	fmt.Println(err)
	// Output:
	// tensor([[ 5.0000e-01,  1.0000e+00, -2.0000e+00],
	//         [ 3.0000e+00,  0.0000e+00,  1.0000e-03]]) <nil>
	// [6 1] <nil>
	// data has shape [4 4], expected one of as many elements as it has data: 6
}
