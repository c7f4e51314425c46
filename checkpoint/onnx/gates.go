package onnx

import "github.com/unroll-ml/unroll/internal/kernel"

// operator is what is known of a recurrent operator. PyTorch's order of gates
// and ONNX's differ; this is the one place that knows both.
type operator struct {
	// torch are the gates in PyTorch's order, onnx those in ONNX's; onnx's c
	// and h are PyTorch's g and n.
	torch, onnx string
	// functions are the default activations f, g, h.
	functions []string
	states    int // 2 where there is a cell state
}

var operators = map[string]operator{
	"RNN":  {"h", "h", []string{"Tanh"}, 1},
	"LSTM": {"ifgo", "iofg", []string{"Sigmoid", "Tanh", "Tanh"}, 2},
	"GRU":  {"rzn", "zrn", []string{"Sigmoid", "Tanh"}, 1},
}

// peepholes are ONNX's order of an LSTM's peepholes, P; ours is i f o.
const peepholes = "iof"

// reorder copies equal blocks of src from one order to another.
func reorder(src []byte, from, to string) []byte {
	out := kernel.Large[byte](nil, len(src))[:0]
	size := len(src) / len(from)
	for _, gate := range to {
		for at, g := range from {
			if g == gate {
				out = append(out, src[at*size:(at+1)*size]...)
			}
		}
	}
	return out
}

// function is an activation of the operators: which constants it has, and
// their defaults where the page of the operator of that name gives them. Those of
// Affine and ThresholdedRelu are 1 there and 0 in ONNX Runtime, so none is taken.
type function struct {
	name          string
	alpha, beta   bool
	given         bool // the constants have defaults
	alpha0, beta0 float32
}

var functions = []function{
	{name: "Relu"},
	{name: "Tanh"},
	{name: "Sigmoid"},
	{name: "Affine", alpha: true, beta: true},
	{name: "LeakyRelu", alpha: true, given: true, alpha0: 0.01},
	{name: "ThresholdedRelu", alpha: true},
	{name: "ScaledTanh", alpha: true, beta: true},
	{name: "HardSigmoid", alpha: true, beta: true, given: true, alpha0: 0.2, beta0: 0.5},
	{name: "Elu", alpha: true, given: true, alpha0: 1},
	{name: "Softsign"},
	{name: "Softplus"},
}
