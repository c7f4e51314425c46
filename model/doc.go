// Package model opens whatever file or folder holds a recurrent model and runs
// it, whole: ONNX, Keras (.keras, .h5), model folders of unroll train, and the
// recurrent layer of a file of weights.
//
//	m, err := model.Open("speech.onnx")
//	...
//	defer m.Close()
//	x, err := model.Of(samples, 1, len(samples))
//	...
//	out, err := m.Run(map[string]model.Value{"input": x})
//	...
//	probability := model.Data[float32](out["output"])
//
// A Model serves many goroutines at once. Run allocates its results; a Pass
// belongs to one goroutine, keeps memory between runs, and allocates nothing once
// it has seen the shapes of its inputs.
//
// What a file holds is a program of ONNX's operators, whatever its format, and
// every operator of it is known when Open returns, or Open says which are not.
// Results follow docs/numerics.md: the same bits for any number of goroutines and
// on every platform.
//
// Errors name the file, and the node, input or tensor; errors.Is finds their
// kinds: ErrFormat, ErrUnsupported, ErrInput, ErrLimit, ErrAsk.
package model
