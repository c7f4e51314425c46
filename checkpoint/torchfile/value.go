package torchfile

// Value is something in a checkpoint that is no tensor: an epoch, a learning
// rate, a hyper-parameter of a module.
type Value struct {
	// Path says where it is, as tensors' names do.
	Path string
	// Class is set where an object is: its Python class, such as
	// "torch.nn.modules.rnn.LSTM". Data is then nil, and what the object holds
	// follows under its path.
	Class string
	// Data is nil (Python's None), bool, int64, *big.Int, float64, complex128,
	// string, []byte, Name or Same.
	Data any
}

// Name is a class, function or element type that the file refers to and
// nobody looks up: "torch.nn.functional.relu", "torch.float32".
type Name string

// Same is the path of an object that contains this place: an object that
// refers back to what holds it.
type Same string
