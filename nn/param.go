package nn

import "github.com/unroll-ml/unroll/tensor"

// ParamOf is a named parameter and its gradient, both shared with their
// owners: what an optimiser works on.
type ParamOf[F tensor.Float] struct {
	Name  string
	Value tensor.DenseOf[F]
	Grad  tensor.DenseOf[F] // of the same shape
	// Sparse says that all rows of Grad but Rows are zeros (an Embedding's).
	Sparse bool
	Rows   []int
}

// Param is a ParamOf of float32.
type Param = ParamOf[float32]
