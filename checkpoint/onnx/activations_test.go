package onnx

import (
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
)

// An activation whose constants have no default that all agree on is refused without
// them, by its name and the constant's; with them it is read, and others have defaults.
func TestActivationsWithoutConstants(t *testing.T) {
	shapes := map[string][]int{"W": {1, 2, 3}, "R": {1, 2, 2}}
	constant := func(name string) (checkpoint.Tensor, error) {
		info, err := checkpoint.NewInfo(name, checkpoint.F32, shapes[name])
		return checkpoint.Tensor{Info: info}, err
	}
	for _, c := range []struct {
		name        string
		alpha, beta []float32
		want        string // in the error; empty: read
	}{
		{"Affine", nil, nil, "activation Affine needs an activation_alpha"},
		{"Affine", []float32{2}, nil, "activation Affine needs an activation_beta"},
		{"Affine", []float32{2}, []float32{1}, ""},
		{"ThresholdedRelu", nil, nil, "activation ThresholdedRelu needs an activation_alpha"},
		{"ThresholdedRelu", []float32{2}, nil, ""},
		{"ScaledTanh", nil, nil, "activation ScaledTanh needs an activation_alpha"},
		{"HardSigmoid", nil, nil, ""},
		{"Elu", nil, nil, ""},
		{"Mish", nil, nil, `activation "Mish" is not known`},
	} {
		n := &Node{Op: "RNN", Inputs: []string{"x", "W", "R"}, Outputs: []string{"y"}, Attributes: []Attribute{
			{Name: "hidden_size", Kind: Int, I: 2},
			{Name: "activations", Kind: Strings, Strings: []string{c.name}},
			{Name: "activation_alpha", Kind: Floats, Floats: c.alpha},
			{Name: "activation_beta", Kind: Floats, Floats: c.beta},
		}}
		_, err := recurrent(n, constant, true)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s with %v and %v: got %v, want an error with %q", c.name, c.alpha, c.beta, err, c.want)
		}
	}
}
