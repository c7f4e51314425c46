package explain

import (
	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// Example returns the layer and input of the page on stacked layers, as
//
//	torch.manual_seed(0)
//	input = torch.randn(5, 3)
//	rnn = RNN(3, 4, num_layers=layers)
//
// makes them; the page has 2 layers.
func Example(layers int) (*unroll.Layer, tensor.Dense, error) { return example(3, layers) }

// example is Example with another input_size: with 4 the sizes fit where the
// hand-written loop feeds x to every layer.
func example(inputs, layers int) (*unroll.Layer, tensor.Dense, error) {
	g := rng.New(0)
	x := tensor.New(5, inputs)
	rng.Randn(g, x.Data)
	layer, err := unroll.New(unroll.Config{InputSize: inputs, HiddenSize: 4, NumLayers: layers})
	if err != nil {
		return nil, x, err
	}
	layer.ResetParameters(g)
	return layer, x, nil
}
