// Package unroll computes PyTorch's recurrent layers: nn.RNN, nn.LSTM and
// nn.GRU with every option, the same parameters, names, gate order, shapes and
// initialisation, in pure Go.
//
// A [Config] says what a layer is. A [Layer] is a Config and its parameters and
// may be used by many goroutines at once while nobody changes it. A [State] is
// (h, c); its zero value means zeros. A [Pass] is how one goroutine runs a layer
// over sequences: it holds the options, the memory and the record. A [Stream]
// runs a layer one step at a time.
//
//	layer, err := unroll.New(unroll.Config{Mode: unroll.LSTM, InputSize: 10, HiddenSize: 20, NumLayers: 2})
//	layer.ResetParameters(rng.New(0))
//	y, sn, err := layer.Forward(x, unroll.State{}) // output, (h_n, c_n)
//
// Letters in shapes: T steps, B sequences, I inputs, H hidden units, L layers,
// D directions (1 or 2), P size of the projection, H' the size of a hidden
// state: P where there is a projection, else H.
//
// Every type comes for float32 under its short name and for any [tensor.Float]
// with the suffix Of: Layer is LayerOf[float32].
//
// A result does not depend on the number of workers, on what else is in the
// batch, on whether a sequence came whole, in chunks or step by step, nor on
// the instruction set: the bits are the same. docs/numerics.md says how.
package unroll
