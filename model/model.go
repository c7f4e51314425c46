package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/chain"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/nn"
)

// Kinds of errors.
var (
	// ErrFormat: a file that is damaged or is not one of a model.
	ErrFormat = checkpoint.ErrFormat
	// ErrUnsupported: an operator or layer that is not known; the error names all
	// of them.
	ErrUnsupported = graph.ErrOperator
	// ErrInput: an input that is missing, not known, or does not fit.
	ErrInput = graph.ErrInput
	// ErrLimit: more memory or work than Limits allow.
	ErrLimit = graph.ErrLimit
	// ErrAsk: the file can be read in two ways, and Options must say which.
	ErrAsk = errors.New("model: the file does not say which")
)

// Model is what a file holds, ready to run. Many goroutines may use one at once,
// but for Close.
type Model struct {
	path, format string
	file         *modelfile.File
	chain        *chain.Network    // of a line
	loaded       *modelfile.Loaded // the layer of a file of weights

	recognised sync.Once // guards what follows
	net        *modelfile.Loaded
	netErr     error

	program *graph.Program
	trained *nn.Model
	layers  []Layer
	states  []State
	notes   []string
	single  bool           // it is a recurrent layer and nothing else
	said    string         // of a chain: its line, with all that was said beside it
	rounded string         // what Options said of the weights' precision
	written graph.Rounding // of what SaveAs writes as ONNX; nil: all float32

	digest   sync.Once // guards digested
	digested string

	axes atomic.Pointer[[]int] // of sequences, of each input, once they were needed
}

// Port is an input or output: its name, element type, and shape, of which a
// dimension is a number, a symbol or "?". A nil Shape says nothing.
type Port struct {
	Name, Type string
	Shape      []string
}

// String returns all of it, such as "x float32 [T, B, 3]".
func (p Port) String() string {
	if p.Shape == nil {
		return p.Name + " " + p.Type
	}
	return fmt.Sprintf("%s %s [%s]", p.Name, p.Type, strings.Join(p.Shape, ", "))
}

// State is an input that takes, in the next run, what an output gave in the run
// before.
type State struct{ Input, Output string }

// Layer is a recurrent layer inside a model. Its parameters are the model's own:
// they may be read, and run by themselves, and must not be changed.
type Layer struct {
	Name string
	*unroll.Layer
}

// Path returns the file's name, and Format what it is: onnx, keras, folder, pt,
// safetensors, npz.
func (m *Model) Path() string { return m.path }

// Format returns what the file is: onnx, h5, folder, pt, safetensors, npz.
func (m *Model) Format() string { return m.format }

// Inputs returns the inputs in their order.
func (m *Model) Inputs() []Port { return ports(m.program.Graph().Inputs) }

// Outputs returns the outputs in their order.
func (m *Model) Outputs() []Port { return ports(m.program.Graph().Outputs) }

func ports(list []graph.Port) []Port {
	out := make([]Port, len(list))
	for i, p := range list {
		out[i] = Port{Name: p.Name, Type: p.Type.Given().String()}
		if p.Shape != nil {
			out[i].Shape = []string{}
		}
		for _, d := range p.Shape {
			out[i].Shape = append(out[i].Shape, d.String())
		}
	}
	return out
}

// States returns the pairs of inputs and outputs that carry state.
func (m *Model) States() []State { return slices.Clone(m.states) }

// Layers returns the recurrent layers whose parameters are constants of the model,
// in the order in which they run.
// Errors are those of parameters that do not load.
func (m *Model) Layers() ([]Layer, error) {
	if m.layers != nil {
		return slices.Clone(m.layers), nil
	}
	list, err := m.program.Layers()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.path, err)
	}
	all := make([]Layer, len(list))
	for i, l := range list {
		all[i] = Layer{l.Name, l.Layer}
	}
	return all, nil
}

// Trained returns the embedding, layer and head of a model folder, or those that the
// model is, whatever its format: a program that gives the same numbers as they do on
// drawn inputs. Nil if it is none. They can be trained; those of a folder, or of
// weights, share the model's parameters.
func (m *Model) Trained() *nn.Model {
	l, err := m.network()
	if err != nil {
		return nil
	}
	return l.Model
}

// Params returns the tensors of the file under their names there.
func (m *Model) Params() checkpoint.Source { return m.file.Source }

// Notes says, a sentence each, what was assumed and what of the file is not used.
func (m *Model) Notes() []string { return slices.Clone(m.notes) }

// Operators returns how often each operator stands in the model.
func (m *Model) Operators() map[string]int {
	count := map[string]int{}
	for i := range m.program.Graph().Nodes {
		count[m.program.Graph().Nodes[i].Op]++
	}
	return count
}

// Close closes the file. Constants that no run has needed yet are lost with it.
func (m *Model) Close() error { return m.file.Close() }
