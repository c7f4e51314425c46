// Package unroll computes PyTorch's stacked recurrent layers, torch.nn.RNN, LSTM
// and GRU, in Go: forward, backward, step by step, and with every state and gate
// in reach. A layer read from a PyTorch checkpoint gives PyTorch's numbers.
//
// A Config says what a layer is and a Layer holds its parameters; a Layer has
// methods that need nothing else. A Pass is how one goroutine runs a layer over
// sequences, with the options of a run and its record. A Stream runs it one step
// at a time.
//
//	layer, err := unroll.New(unroll.Config{Mode: unroll.LSTM, InputSize: 10, HiddenSize: 20, NumLayers: 2})
//	...
//	layer.ResetParameters(rng.New(0)) // as after torch.manual_seed(0)
//	y, sn, err := layer.Forward(x, unroll.State{})
//
// # Names
//
// Layer, Pass, Stream, State, Param and Grads are the float32 forms of LayerOf,
// PassOf, StreamOf, StateOf, ParamOf and GradsOf, which take float32 or float64;
// New is NewOf for float32. Methods stand with the generic types: go doc
// unroll.LayerOf.Forward, unroll.PassOf.Backward, unroll.StreamOf.Step.
//
// # Letters
//
// Shapes are written with these letters:
//
//	T  time steps            I  input features per step
//	B  sequences in a batch  H  hidden units
//	L  stacked layers        D  directions, 1 or 2
//	P  projection size       G  gates: 1 for RNN, 3 for GRU, 4 for LSTM
//	H' the size of a hidden state: P with a projection, otherwise H
//
// # Caveats
//
// Results of a Pass are its own memory and hold until its next call; those of a
// Layer are new. Inputs and initial states are read while a call runs, and
// nothing of them is kept after it, except what a recorded pass copies.
//
// A Layer serves any number of goroutines, while none of them changes its
// parameters. A Pass and a Stream belong to one goroutine at a time, and must not
// be copied after their first use.
//
// Values of Params and of Gradients share memory with what they belong to.
// Parameters are written through Update, which makes packed copies anew.
//
// Numbers closer to zero than 2^-100 count as zero where they enter a layer or a
// state (docs/numerics.md). The bits of a result do not depend on workers,
// batches, chunks, instruction sets or the platform; gradients of weights that
// several calls of Backward add up are sums in the order of the calls.
//
// Errors say which argument was wrong, what came and what was expected: an
// *ArgError or *LoadError, of a kind that errors.Is finds. Nothing panics.
package unroll
