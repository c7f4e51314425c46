package keras

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/hdf5"
)

// Model is what a file of Keras holds: layers with their settings, how they are
// connected, and their weights. It is a checkpoint.Source of the weights, under
// the layer's path and the weight's role: "bidirectional/forward_lstm/kernel".
// It does not change, and its methods may be called from several goroutines at
// once.
type Model struct {
	// Root is the model itself: its class is "Sequential" or "Functional", and
	// Inner has its layers. It is nil if the file has weights alone.
	Root *Layer
	// Layers are layers without class and settings, of a file of weights alone;
	// a role there is the rest of the weight's path. Empty if there is a Root.
	Layers []*Layer
	// Version is that of the Keras that wrote the file, "" if it does not say.
	Version string
	// Unused are the paths of what in the file belongs to no layer: optimizer
	// state, states of random generators, weights of layers of unknown classes.
	Unused []string

	file    string
	place   string // of the settings, for errors
	weights *hdf5.File
	names   []string
	paths   map[string]string
	used    map[string]bool // paths of datasets that are some layer's
	close   func() error
}

var _ checkpoint.Opener = (*Model)(nil)

// Layer is a layer, or a model inside a model.
type Layer struct {
	// Class is Keras's name of the class without its module: "LSTM".
	Class string
	// Module is Keras's module of the class, where the file says one: it tells the
	// operation Concatenate (keras.src.ops.numpy) from the layer.
	Module string
	// Custom is the registered name or module of a class that is not Keras's
	// own, otherwise "".
	Custom string
	// Name is unique within the model that has the layer.
	Name string
	// Path is the name, behind those of the layers it is in: "encoder/lstm".
	Path string
	// Config has the settings as the file has them.
	Config Config
	// Calls says what the layer is called on, once for each time.
	Calls []Call
	// Weights are the layer's own, in Keras's order.
	Weights []Weight
	// Inner are layers inside: those of a model in its order, the two
	// directions of a Bidirectional, what a TimeDistributed or an RNN has, the
	// cells of StackedRNNCells.
	Inner []*Layer
	// Inputs and Outputs of a model, in order. InputNames and OutputNames has
	// the keys if they are a dictionary, and is empty otherwise.
	Inputs, Outputs         []Ref
	InputNames, OutputNames []string
}

// IsModel reports whether Inner are the connected layers of a model.
func (l *Layer) IsModel() bool {
	return l.Custom == "" && (l.Class == "Sequential" || l.Class == "Functional")
}

// IsOperation reports whether it is an operation of keras.ops or a function of
// keras.activations that was called by itself, not a layer.
func (l *Layer) IsOperation() bool {
	return strings.HasPrefix(l.Module, operationsModule) || strings.HasPrefix(l.Module, activationsModule)
}

// IsAttention reports whether it is an attention of several heads, whose Inner are its
// projections.
func (l *Layer) IsAttention() bool {
	return l.Class == "MultiHeadAttention" || l.Class == "GroupedQueryAttention"
}

// Weight is a variable of a layer.
type Weight struct {
	Role string // "kernel", "recurrent_kernel", "bias", "gamma", ...
	checkpoint.Info
}

// Weight returns the layer's weight of a role; false if it has none.
func (l *Layer) Weight(role string) (Weight, bool) {
	for _, w := range l.Weights {
		if w.Role == role {
			return w, true
		}
	}
	return Weight{}, false
}

// Ref names a value: an output of a call of a layer.
type Ref struct {
	Layer  string
	Call   int // which of the layer's calls
	Output int // which of the call's outputs
}

// String returns "lstm", or "lstm, call 1, output 2" where these are not 0.
func (r Ref) String() string {
	s := r.Layer
	if r.Call != 0 {
		s += fmt.Sprintf(", call %d", r.Call)
	}
	if r.Output != 0 {
		s += fmt.Sprintf(", output %d", r.Output)
	}
	return s
}

// Call is one call of a layer. Values are Ref, nil, bool, string, json.Number,
// []any and map[string]any of these.
type Call struct {
	Args   []any
	Kwargs map[string]any
}

// Refs returns all values that a call reads, positional ones first, in order.
func (c Call) Refs() []Ref {
	var refs []Ref
	for _, a := range c.Args {
		refs = collect(refs, a)
	}
	keys := make([]string, 0, len(c.Kwargs))
	for k := range c.Kwargs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		refs = collect(refs, c.Kwargs[k])
	}
	return refs
}

// collect appends the references in a value. Its depth was bounded when it was
// read.
func collect(refs []Ref, v any) []Ref {
	switch v := v.(type) {
	case Ref:
		return append(refs, v)
	case []any:
		for _, x := range v {
			refs = collect(refs, x)
		}
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			refs = collect(refs, v[k])
		}
	}
	return refs
}

// Name returns the file's name, as errors give it.
func (m *Model) Name() string { return m.file }

// Close closes the file that Open opened.
func (m *Model) Close() error {
	if m.close == nil {
		return nil
	}
	return m.close()
}

// Names returns the names of all weights of layers, in Keras's order.
func (m *Model) Names() []string { return slices.Clone(m.names) }

// Info describes one weight; false if there is none of that name.
func (m *Model) Info(name string) (checkpoint.Info, bool) {
	path, ok := m.paths[name]
	if !ok {
		return checkpoint.Info{}, false
	}
	info, ok := m.weights.Info(path)
	info.Name = name
	return info, ok
}

// Tensor reads one weight as the file has it: kernels are [inputs, outputs].
func (m *Model) Tensor(name string) (checkpoint.Tensor, error) {
	path, ok := m.paths[name]
	if !ok {
		return checkpoint.Tensor{}, checkpoint.Missing(m.file, name)
	}
	t, err := m.weights.Tensor(path)
	t.Name = name
	return t, err
}

// Walk calls each with a layer and all layers inside it, outer ones first,
// until it returns false.
func (l *Layer) Walk(each func(*Layer) bool) bool {
	if !each(l) {
		return false
	}
	for _, in := range l.Inner {
		if !in.Walk(each) {
			return false
		}
	}
	return true
}

func (m *Model) fail(format string, args ...any) error {
	return &checkpoint.Error{File: m.file, Place: m.place, Reason: fmt.Sprintf(format, args...)}
}

// OpenTensor returns a reader over one weight's elements.
func (m *Model) OpenTensor(name string) (checkpoint.Info, io.Reader, error) {
	path, ok := m.paths[name]
	if !ok {
		return checkpoint.Info{}, nil, checkpoint.Missing(m.file, name)
	}
	info, r, err := m.weights.OpenTensor(path)
	info.Name = name
	return info, r, err
}
