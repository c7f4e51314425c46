package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/kerasgraph"
	"github.com/unroll-ml/unroll/internal/modelfile"
)

// Description is what a file holds, whether it can be run or not.
type Description struct {
	Path, Format    string
	Inputs, Outputs []Port
	States          []State
	// Operators counts the nodes of each operator, in branches and loops too; those
	// of other domains than ONNX's own stand after the domain and a point.
	Operators map[string]int
	Layers    []LayerDescription
	// Missing are the nodes, also of branches and loops, whose operators are not
	// here, each with the reason.
	Missing []string
	// Refused says why the file cannot be run whole, where it is not for Missing
	// alone; empty: it can, or it holds weights alone.
	Refused string
	Notes   []string
}

// LayerDescription is a recurrent layer under the name that Options.Prefix takes, or
// why it is none that runs alone.
type LayerDescription struct {
	Name   string
	Config unroll.Config
	// Guessed: the nonlinearity of an RNN is not in the weights.
	Guessed bool
	Err     error
}

// Describe says what a file holds; nothing is computed. It is an ErrFormat for a
// file that is none of a model; one that cannot be run is described.
func Describe(path string) (*Description, error) { return Options{}.Describe(path) }

// Describe is Describe with options.
func (o Options) Describe(path string) (*Description, error) {
	f, err := modelfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return o.describeFile(f), nil
}

// describeFile is Describe for a file that the command opened.
func (o Options) describeFile(f *modelfile.File) *Description {
	d := &Description{Path: f.Path, Format: string(f.Format)}
	if err := o.fits(f); err != nil {
		d.Refused = err.Error()
		return d
	}
	switch {
	case f.ONNX != nil:
		d.graph(graph.DescribeONNX(f.ONNX))
	case f.Keras != nil && f.Keras.Root != nil:
		g, notes, err := kerasgraph.Build(f.Keras, kerasgraph.Options{States: o.States})
		d.Notes = notes
		if err != nil {
			d.Refused = err.Error()
			d.keras(f.Keras.Root)
			return d
		}
		d.graph(g)
	case f.Model != nil:
		in, out := modelfile.LayerPorts(f.Model.RNN, f.Model, names)
		d.Inputs, d.Outputs, d.States = ports(in), ports(out), statesOf(&graph.Graph{Inputs: in, Outputs: out})
		d.Layers = []LayerDescription{{Name: "rnn", Config: f.Model.RNN}}
	default:
		d.weights(o, f)
	}
	return d
}

// weights describes a file of weights: by a line, by itself, or its layers alone.
func (d *Description) weights(o Options, f *modelfile.File) {
	m := &Model{path: f.Path, file: f}
	if line, err := m.line(o); line != nil || err != nil {
		g, err := m.graph(o)
		if err != nil {
			d.Refused = err.Error()
			return
		}
		d.graph(g)
		d.Notes = m.notes
		d.Layers = nil
		for _, l := range m.layers {
			d.Layers = append(d.Layers, LayerDescription{Name: l.Name, Config: l.Config()})
		}
		return
	}
	opt := modelfile.Options{Options: o.parts(), Keras: o.KerasNames || f.Keras != nil}
	parts, err := f.Parts(opt)
	switch {
	case err != nil && f.Keras != nil:
		d.Refused = "it holds Keras's weights alone, without the layers' settings, and no recurrent layer under names that tell one; the whole .keras or .h5 file runs"
	case err != nil:
		d.Refused = err.Error()
	}
	for _, p := range parts {
		d.Layers = append(d.Layers, LayerDescription{p.Label(), p.Config, p.ModeGuessed, p.Err})
	}
}

// graph describes a program.
func (d *Description) graph(g *graph.Graph) {
	s := graph.Summarize(g)
	d.Inputs, d.Outputs, d.Operators, d.Missing = ports(g.Inputs), ports(g.Outputs), s.Operators, s.Missing
	for _, state := range s.States {
		d.States = append(d.States, State(state))
	}
	for _, l := range s.Layers {
		d.Layers = append(d.Layers, LayerDescription{Name: l.Name, Config: l.Config, Err: l.Err})
	}
	if op := dynamic(s.Operators); op != "" {
		d.Notes = append(d.Notes, op+" gives all sequences of a run one scale: the file has no axis of sequences, and a sequence's numbers depend on its company and on how it is cut")
	}
	if q := s.Quantised; q.Integers+len(q.Floats) > 0 {
		d.Notes = append(d.Notes, fmt.Sprintf("products and convolutions on the file's own integers: %d; with integers as weights and in float32: %d", q.Integers, len(q.Floats)))
		d.Notes = append(d.Notes, q.Floats...)
	}
	var odd []string
	for _, p := range slices.Concat(g.Inputs, g.Outputs) {
		if p.Type == graph.None {
			odd = append(odd, p.Name)
		}
	}
	switch {
	case s.Refused != nil:
		d.Refused = s.Refused.Error()
	case len(odd) > 0:
		d.Refused = fmt.Sprintf("the element types of %q are none that are run", odd)
	}
}

// dynamic names an operator that quantises what it is given as a whole, or is "".
func dynamic(operators map[string]int) string {
	for _, op := range []string{"DynamicQuantizeLinear", "com.microsoft.DynamicQuantizeLSTM", "com.microsoft.DynamicQuantizeMatMul"} {
		if operators[op] > 0 {
			return op[strings.LastIndexByte(op, '.')+1:]
		}
	}
	return ""
}

// keras lists the recurrent layers of a model that no program can be made of.
func (d *Description) keras(root *keras.Layer) {
	root.Walk(func(l *keras.Layer) bool {
		if slices.Contains([]string{"LSTM", "GRU", "SimpleRNN", "Bidirectional", "RNN", "ConvLSTM1D", "ConvLSTM2D"}, l.Class) {
			d.Layers = append(d.Layers, LayerDescription{Name: l.Path, Err: fmt.Errorf("%s, which is not read because of what stands around it", l.Class)})
			return false
		}
		return true
	})
}

func statesOf(g *graph.Graph) (list []State) {
	for _, s := range graph.States(g) {
		list = append(list, State(s))
	}
	return list
}
