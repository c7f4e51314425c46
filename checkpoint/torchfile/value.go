package torchfile

import (
	"iter"
	"slices"
)

// Value is something in a checkpoint that is no tensor: an epoch, a learning
// rate, a hyper-parameter of a module.
type Value struct {
	// Path says where it is, as tensors' names do.
	Path string
	// Class is set where an object is: its Python class, such as
	// "torch.nn.modules.rnn.LSTM", or the function that Python would call to make
	// it. Data is then nil, and what the object holds follows under its path.
	Class string
	// Data is nil (Python's None), bool, int64, *big.Int, float64, complex128,
	// string, []byte, Name, Same or Skipped.
	Data any
}

// Name is a class, function or element type that the file refers to and
// nobody looks up: "torch.nn.functional.relu", "torch.float32".
type Name string

// Same is the path of an object that was met before this place: one that
// contains it, or that two places share.
type Same string

// Skipped says what was passed over at this place, and why.
type Skipped string

// Each goes through what the file holds besides tensors, in the file's order:
// plain values, objects with their class, and what was passed over. Empty
// containers leave no trace. What *big.Int and []byte point to must not be
// changed.
func (f *File) Each() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		// Opening made the same walk, so it can only be stopped.
		_ = f.newWalk(yield).visit(f.root, "", 0)
	}
}

// Values returns what Each goes through. A file can have more values than fit
// in twenty times its size; Each keeps none.
func (f *File) Values() []Value { return slices.Collect(f.Each()) }
