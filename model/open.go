package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/internal/chain"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/kerasgraph"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/internal/statedict"
	"github.com/unroll-ml/unroll/nn"
)

// Options say what a file does not.
type Options struct {
	// Chain is the forward() of a PyTorch state dict in one line over the modules
	// that the file names, such as "embedding | lstm | last | fc"; docs/chain.md
	// has the language. Without it a state dict is its recurrent layer alone, and
	// a saved nn.Sequential runs as it is.
	Chain string
	// Prefix chooses one of several recurrent layers of a file of weights, by
	// what stands before its parameters' names. A whole model has none to choose.
	Prefix string
	// Layout says which of the first two dimensions of a batch is time, which a
	// file of weights does not tell.
	Layout Layout
	// Mode is the kind of layer where names and shapes cannot tell: an RNN's
	// nonlinearity. Nil is what they tell, or tanh.
	Mode *unroll.Mode
	// KerasNames: a file of weights alone has Keras's names and layouts.
	KerasNames bool
	// Loose takes a layer although tensors under its own prefix are not its
	// parameters.
	Loose bool
	// States makes the states of recurrent layers of an ONNX file, a chain or a
	// Keras file inputs and outputs, where those go forward and otherwise begin
	// with zeros or with a state that the file holds, such as a parameter h0.
	States bool
	// Float64 computes in float64 what the file does in float32: inputs, outputs
	// and states are float64. A node that has no float64 form is an ErrUnsupported,
	// here or, where the plan finds it, in the first run.
	Float64 bool
	// Workers is how many goroutines share each recurrent layer in a run; 0 is the
	// caller's alone. The bits are the same for any number.
	Workers int
	// Precision is that of the weights: of recurrent layers any, and with Int8 also
	// of products and convolutions with constants (MatMul, Gemm, Conv), which have no
	// other. Model.Parts names them; those that Keep names stay as they are, a node
	// of several layers whole by its own name. A model folder that was saved with
	// rounded weights opens with them, and is rounded further.
	Precision unroll.Precision
	Keep      []string
	// Limits bound what the model may take.
	Limits Limits
}

// Layout is the order of the dimensions of a batch.
type Layout int

// The layouts. Ask is that of the file; where it does not say, Open is an ErrAsk, or
// a chain of a batch of three dimensions is.
const (
	Ask Layout = iota
	BatchFirst
	TimeFirst
)

// Limits bound what a model may take; zero fields are their defaults.
type Limits struct {
	// Memory is the most bytes that the values of a run take together, without
	// the model's parameters; 4 GiB.
	Memory int64
	// Work is the most multiply-adds of a run; 2^40.
	Work int64
}

// Open opens a file or folder by its contents. It is an ErrFormat for a file that
// is none of a model, and an ErrUnsupported that names every operator or layer
// that is not known; both name the file.
func Open(path string) (*Model, error) { return Options{}.Open(path) }

// Open is Open with options.
func (o Options) Open(path string) (*Model, error) {
	f, err := modelfile.Open(path)
	if err != nil {
		return nil, err
	}
	return o.openFile(f)
}

// openFile is Open for a file that the command opened, which the model then owns, or
// closes in case of an error.
func (o Options) openFile(f *modelfile.File) (*Model, error) {
	path := f.Path
	m := &Model{path: path, format: string(f.Format), file: f}
	if o.Precision != unroll.Full {
		m.rounded = fmt.Sprintf("weights %s but for %q", o.Precision, slices.Sorted(slices.Values(o.Keep)))
	}
	g, err := (*graph.Graph)(nil), o.fits(f)
	if err == nil {
		g, err = m.graph(o)
	}
	if err == nil && m.trained == nil {
		err = o.known(g)
	}
	if err == nil && o.Float64 {
		g, err = graph.Widen(g)
	}
	if err == nil {
		limits := graph.Limits{Memory: o.Limits.Memory, Work: o.Limits.Work, Workers: o.Workers}
		m.program, err = graph.CompileIn(g, limits, m.precision(o))
	}
	if err != nil {
		_ = f.Close() // it was only read
		if !strings.Contains(err.Error(), path) {
			err = fmt.Errorf("%s: %w", path, err)
		}
		return nil, err
	}
	m.states = statesOf(g)
	m.written = m.rounding(o)
	return m, nil
}

// fits refuses a line, and a choice of a layer, for a file that says itself how its parts
// follow each other.
func (o Options) fits(f *modelfile.File) error {
	if f.ONNX == nil && f.Model == nil && (f.Keras == nil || f.Keras.Root == nil) {
		return nil
	}
	refuse := func(arg, got, why string) error {
		return &unroll.ArgError{Kind: unroll.ErrUsage, Arg: arg, Got: strconv.Quote(got), Want: fmt.Sprintf("none: %s (%s) %s", f.Path, f.Format, why)}
	}
	switch {
	case o.Chain != "":
		return refuse("Options.Chain", o.Chain, "says itself how its parts follow each other")
	case o.Prefix != "":
		return refuse("Options.Prefix", o.Prefix, "holds a whole model, which runs with all of its layers")
	}
	return nil
}

// ofLoaded is a model of what the command loaded of the file named.
func ofLoaded(path string, l *modelfile.Loaded) (*Model, error) {
	m := &Model{path: path, file: &modelfile.File{}, loaded: l}
	g := l.Graph(names)
	var err error
	m.program, err = graph.Compile(g, graph.Limits{})
	m.states = statesOf(g)
	return m, err
}

func init() {
	modelfile.Door.Open, modelfile.Door.Describe, modelfile.Door.OfLoaded = Options.openFile, Options.describeFile, ofLoaded
}

// names are those of a layer's states and output.
var names = modelfile.Names{H0: "h_0", C0: "c_0", Output: "output"}

// graph makes the program of the file.
func (m *Model) graph(o Options) (*graph.Graph, error) {
	switch f := m.file; {
	case f.ONNX != nil:
		g, err := graph.FromONNX(f.ONNX)
		if err != nil || !o.States {
			return g, err
		}
		g, notes, err := graph.WithStates(g, graph.Limits{Memory: o.Limits.Memory, Work: o.Limits.Work})
		m.notes = append(m.notes, notes...)
		return g, err
	case f.Keras != nil && f.Keras.Root != nil:
		g, notes, err := kerasgraph.Build(f.Keras, kerasgraph.Options{States: o.States})
		m.notes = append(m.notes, notes...)
		return g, err
	case f.Model != nil:
		trained, err := nn.Load(f.Folder)
		if err != nil {
			return nil, err
		}
		if o.Precision != unroll.Full {
			if trained, err = trained.Quantize(o.Precision, o.Keep...); err != nil {
				return nil, err
			}
		}
		m.trained = trained
		m.layers = []Layer{{"rnn", trained.RNN()}}
		return (&modelfile.Loaded{Layer: trained.RNN(), Model: trained}).Graph(names), nil
	}
	return m.torch(o)
}

// torch is the program of a file of PyTorch's: by a line, by itself, or the
// recurrent layer alone.
func (m *Model) torch(o Options) (*graph.Graph, error) {
	line, err := m.line(o)
	if err != nil {
		return nil, err
	}
	if line == nil {
		return m.recurrent(o)
	}
	var modules []*torchfile.Module
	if m.file.Torch != nil {
		modules = m.file.Torch.Modules()
	}
	if o.Chain == "" && o.Prefix == "" {
		o.Prefix = m.file.Meta[modelfile.MetaPrefix]
	}
	weights := statedict.Fold(m.file.Source, chain.Settings(modules)) // weight norm and other pieces put together
	net, err := chain.Build(weights, line, chain.Options{
		Prefix: o.Prefix, Layout: map[Layout]chain.Layout{BatchFirst: chain.BatchFirst, TimeFirst: chain.TimeFirst}[o.Layout],
		States: o.States, Loose: o.Loose, Modules: modules, Type: map[bool]graph.Type{true: graph.F64}[o.Float64],
	})
	if err != nil {
		return nil, asked(err)
	}
	m.chain = net
	m.notes = append(append(m.notes, weights.Notes...), net.Notes...)
	if len(net.Unused) > 0 {
		m.notes = append(m.notes, "not run: "+some(net.Unused))
	}
	m.said = fmt.Sprintf("%s prefix %q layout %d states %v", net.Chain, net.Prefix, o.Layout, o.States)
	m.layers = []Layer{}
	for _, name := range slices.Sorted(maps.Keys(net.Layers)) {
		m.layers = append(m.layers, Layer{name, net.Layers[name]})
	}
	if !o.States {
		return net.Graph, nil
	}
	// The chain has made states of what begins with zeros.
	g, notes, err := graph.WithStates(net.Graph, graph.Limits{Memory: o.Limits.Memory, Work: o.Limits.Work})
	m.notes = append(m.notes, notes...)
	return g, err
}

// line returns the line that says how the modules of a file follow each other: the
// option's, or that of a saved nn.Sequential; nil if there is none.
func (m *Model) line(o Options) (*chain.Chain, error) {
	if o.Chain != "" {
		return chain.Parse(o.Chain)
	}
	if line := m.file.Meta[modelfile.MetaChain]; line != "" {
		return chain.Parse(line)
	}
	if m.file.Torch == nil {
		return nil, nil
	}
	line, _ := chain.Sequential(m.file.Torch.Modules())
	return line, nil
}

// parts is what finds recurrent layers.
func (o Options) parts() statedict.Options {
	return statedict.Options{Mode: o.Mode, BatchFirst: o.Layout == BatchFirst, Loose: o.Loose}
}

// asked makes an ErrAsk of what a file can be read as in two ways.
func asked(err error) error {
	if errors.Is(err, chain.ErrLayout) {
		return errors.Join(ErrAsk, err)
	}
	return err
}

// recurrent is the recurrent layer of a file of weights, alone.
func (m *Model) recurrent(o Options) (*graph.Graph, error) {
	opt := modelfile.Options{Options: o.parts(), Prefix: o.Prefix, Keras: o.KerasNames}
	l, err := m.file.Load(opt)
	if err != nil {
		return nil, err
	}
	if o.Layout == Ask && !l.Told {
		return nil, fmt.Errorf("%w: whether batches are [T,B,I] or [B,T,I]: say Options.Layout TimeFirst or BatchFirst", ErrAsk)
	}
	m.notes = append(m.notes, l.Notes...)
	if len(l.Left) > 0 {
		m.notes = append(m.notes, fmt.Sprintf("the recurrent layer alone runs; not run: %s", some(l.Left)))
	}
	m.loaded = &modelfile.Loaded{Layer: l.Layer, Told: l.Told} // without a head beside it
	name := l.Part.Label()
	g := m.loaded.Graph(names)
	if l.Layer, err = m.lowered(l.Layer, g, o); err != nil {
		return nil, err
	}
	m.layers, m.single = []Layer{{name, l.Layer}}, !o.Float64
	return g, nil
}

// some names the first of a list.
func some(list []string) string {
	const most = 8
	if len(list) > most {
		return fmt.Sprintf("%q and %d more", list[:most], len(list)-most)
	}
	return fmt.Sprintf("%q", list)
}
