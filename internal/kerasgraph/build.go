// Package kerasgraph turns a model of Keras into a program of ONNX's operators.
//
// Every class of layer is a row in one table, in the file of its family. A row
// writes the nodes of one call of a layer and returns its values, each with the
// mask that Keras hands on beside it. What is not in the table is refused before
// anything is written, all of it at once.
//
// Weights stay in the file until the program needs them; kernels are turned to
// ONNX's layouts then. Everything is computed in float32.
//
// Letters in shapes: B sequences, T steps, C channels, I inputs, H units, D
// directions.
package kerasgraph

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// value is a value of the graph as a layer sees it.
type value struct {
	name string
	typ  graph.Type
	dims []int  // -1: known when it runs; not to be changed
	mask string // the name of its mask, a bool [B,T]; empty: none
}

// shape is the value's shape as an output says it: the first dimension is the batch.
func (v value) shape() []graph.Dim {
	shape := make([]graph.Dim, len(v.dims))
	for i, n := range v.dims {
		shape[i] = graph.Dim{Size: n}
		if i == 0 && n < 0 {
			shape[i].Name = "batch"
		}
	}
	return shape
}

// builder writes the graph of a model.
type builder struct {
	graph.Builder
	m     *keras.Model
	major int // version of Keras
	load  []graph.Constant
	notes []string
	calls int

	states bool // what Options say
	many   int  // more than 0: within layers that share a state among many steps
	ends   []end
	told   map[string]bool // layers whose states are inputs
	reads  map[string][]*keras.Layer
}

// end is a state that is an output.
type end struct {
	name, value string
	typ         graph.Type
}

// call is one call of a layer: the values of its first argument, and the other
// arguments.
type call struct {
	in     []value
	kwargs map[string]any
	ref    func(keras.Ref) (value, error)
	layer  *keras.Layer
}

// row writes the nodes of a call and returns its outputs.
type row func(b *builder, l *keras.Layer, c *call) ([]value, error)

// table has all classes; operations are under "ops." and their name.
var table map[string]row

func init() {
	table = map[string]row{}
	for _, family := range []map[string]row{coreLayers(), activationLayers(), normLayers(), convLayers(), poolLayers(), mergeLayers(), recurrentLayers(), operations(), functionalOperations(), arrayOperations(), attentionLayers(), tensorFlowLayers(), preprocessingLayers()} {
		for class, r := range family {
			table[class] = r
		}
	}
}

// isRecurrent reports whether a class may be called with initial states.
func isRecurrent(class string) bool {
	return slices.Contains([]string{"RNN", "Bidirectional", "LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}, class)
}

// cellKinds are ONNX's operators of Keras's cells.
var cellKinds = map[string]string{
	"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN",
	"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU",
	"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "RNN",
}

// key is a layer's class in the table.
func key(l *keras.Layer) string {
	if l.IsOperation() {
		return "ops." + l.Class
	}
	return l.Class
}

// Options say what Build adds to a model.
type Options struct {
	// States makes the states of recurrent layers inputs NAME.h_in and NAME.c_in and
	// outputs NAME.h_out and NAME.c_out, of shape [B,H], after the model's own: of
	// layers that go forward, begin with zeros otherwise, and are called once, not
	// within a TimeDistributed or a Bidirectional. The cells of a stack are numbered
	// from the second on: NAME.h1_in. Without it every run begins with zeros.
	States bool
}

// Build turns a model into a graph. Inputs and outputs have the names of their
// layers. notes says, a sentence each, what of the model has no place in it. It
// is a graph.ErrOperator that names every layer whose class is not in the table,
// and one that names layer and setting for what of a layer is not; a setting or
// shape that no layer has is a graph.ErrGraph.
func Build(m *keras.Model, opt Options) (g *graph.Graph, notes []string, err error) {
	if m.Root == nil {
		return nil, nil, &graph.Error{Reason: fmt.Sprintf("%s has weights alone, without the layers' settings: give the model's JSON beside it, or a whole .keras or .h5", m.Name()), Err: graph.ErrGraph}
	}
	if missing := missing(m.Root); len(missing) > 0 {
		return nil, nil, &graph.Error{Reason: strings.Join(missing, "; "), Err: graph.ErrOperator}
	}
	b := &builder{m: m, major: 3, states: opt.States}
	if n, _, ok := strings.Cut(m.Version, "."); ok {
		if b.major, err = strconv.Atoi(n); err != nil {
			b.major = 3
		}
	}
	root := m.Root
	if !root.IsModel() {
		return nil, nil, &graph.Error{Reason: fmt.Sprintf("the file holds a %s, expected a Sequential or Functional model", root.Class), Err: graph.ErrGraph}
	}
	inputs := make([]value, len(root.Inputs))
	for i, r := range root.Inputs {
		if inputs[i], err = b.input(find(root, r.Layer), root); err != nil {
			return nil, nil, err
		}
	}
	outputs, err := b.model(root, inputs)
	if err != nil {
		return nil, nil, err
	}
	if err := b.maskTaken(); err != nil {
		return nil, nil, err
	}
	seen := map[string]bool{}
	for _, in := range inputs {
		seen[in.name] = true
	}
	for i, v := range outputs {
		layer := root.Outputs[min(i, len(root.Outputs)-1)].Layer
		name := layer
		for n := 1; seen[name]; n++ {
			name = fmt.Sprintf("%s_%d", layer, n)
		}
		seen[name] = true
		b.Output(name, v.typ, v.name, v.shape()...)
	}
	for _, s := range b.ends {
		b.Output(s.name, s.typ, s.value)
	}
	g = b.Graph()
	g.FromZero = true
	g.Name = root.Name
	g.Constants = append(g.Constants, b.load...)
	return g, b.notes, nil
}

// missing names the layers that are not in the table.
func missing(root *keras.Layer) []string {
	const most = 20
	var list []string
	more := 0
	root.Walk(func(l *keras.Layer) bool {
		_, ok := table[key(l)]
		if l.Custom == "" && (ok || l.IsModel() || cellKinds[l.Class] != "" || l.Class == "StackedRNNCells") {
			return true
		}
		if len(list) == most {
			more++
			return true
		}
		switch {
		case l.Custom != "":
			list = append(list, fmt.Sprintf("layer %q: %s is a class of the user's own, whose code is not in the file%s", l.Path, l.Custom, before(l)))
		case l.Class == "Lambda":
			list = append(list, fmt.Sprintf("layer %q: a Lambda is Python code, which is not run: write it with keras.ops or layers of Keras and save the model again%s", l.Path, before(l)))
		case l.IsOperation():
			list = append(list, fmt.Sprintf("operation %q: %s is not supported", l.Path, l.Class))
		default:
			list = append(list, fmt.Sprintf("layer %q: %s is not supported", l.Path, l.Class))
		}
		return true
	})
	if more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return list
}

// before names what a layer that is not run reads: up to there a model can be cut.
func before(l *keras.Layer) string {
	if len(l.Calls) == 0 {
		return ""
	}
	var names []string
	for _, r := range l.Calls[0].Refs() {
		names = append(names, strconv.Quote(r.Layer))
	}
	if len(names) == 0 {
		return ""
	}
	return "; it reads " + strings.Join(names, ", ") + ", up to which keras.Model(inputs, outputs) cuts the model"
}

func find(model *keras.Layer, name string) *keras.Layer {
	return model.Inner[slices.IndexFunc(model.Inner, func(l *keras.Layer) bool { return l.Name == name })]
}

// input adds an input of the program.
func (b *builder) input(l *keras.Layer, model *keras.Layer) (value, error) {
	shape, err := l.Config.Ints("batch_shape")
	if err == nil && shape == nil {
		shape, err = l.Config.Ints("batch_input_shape")
	}
	if err != nil {
		return value{}, problem(l, err)
	}
	dtype, _ := l.Config["dtype"].(string)
	if len(shape) == 0 {
		if shape = guess(model); shape == nil {
			return value{}, refuse(l, "the file does not say the shape of the model's input")
		}
	}
	types := map[string]graph.Type{"": graph.F32, "float32": graph.F32, "float16": graph.F32, "bfloat16": graph.F32, "float64": graph.F32, "int32": graph.I32, "int64": graph.I64, "bool": graph.Bool, "uint8": graph.U8, "int8": graph.I8}
	t, ok := types[dtype]
	if !ok {
		return value{}, refuse(l, "an input of type %s", dtype)
	}
	v := value{name: l.Name, typ: t, dims: slices.Clone(shape)}
	v.dims[0] = -1
	dims := make([]graph.Dim, len(shape))
	for i, n := range v.dims {
		dims[i] = graph.Dim{Size: n}
	}
	dims[0].Name = "batch"
	b.Input(v.name, t, dims...)
	return v, nil
}

// guess is the shape of a Sequential's input where only the weights of its first
// layer tell it.
func guess(model *keras.Layer) []int {
	if len(model.Inner) < 2 {
		return nil
	}
	switch l := model.Inner[1]; l.Class {
	case "Embedding":
		return []int{-1, -1}
	case "LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU":
		if w, ok := l.Weight("kernel"); ok && len(w.Shape) == 2 {
			return []int{-1, -1, w.Shape[0]}
		}
	case "Dense":
		if w, ok := l.Weight("kernel"); ok && len(w.Shape) == 2 {
			return []int{-1, w.Shape[0]}
		}
	}
	return nil
}

// maxCalls bounds the nodes of models that are called by models again and again.
const maxCalls = 1 << 16

// model writes the layers of a model for the values of its inputs.
func (b *builder) model(model *keras.Layer, inputs []value) ([]value, error) {
	if len(inputs) != len(model.Inputs) {
		return nil, wrong(model, "it is called on %d values, it has %d inputs", len(inputs), len(model.Inputs))
	}
	r := &resolver{b: b, model: model, layers: map[string]*keras.Layer{}, done: map[[2]any][]value{}, busy: map[[2]any]bool{}}
	for _, l := range model.Inner {
		r.layers[l.Name] = l
	}
	for i, in := range model.Inputs {
		r.done[[2]any{in.Layer, in.Call}] = []value{inputs[i]}
	}
	if model.Class == "Sequential" { // its last layer may have several
		last := model.Outputs[0]
		if _, err := r.ref(last); err != nil {
			return nil, err
		}
		return r.done[[2]any{last.Layer, last.Call}], nil
	}
	outputs := make([]value, len(model.Outputs))
	for i, out := range model.Outputs {
		v, err := r.ref(out)
		if err != nil {
			return nil, err
		}
		outputs[i] = v
	}
	return outputs, nil
}

// resolver writes each call of a model's layers once, when a value of it is
// needed.
type resolver struct {
	b      *builder
	model  *keras.Layer
	layers map[string]*keras.Layer
	done   map[[2]any][]value // by layer and call
	busy   map[[2]any]bool
	depth  int
}

// maxDepth bounds how many calls wait for each other: it is recursive.
const maxDepth = 10000

func (r *resolver) ref(at keras.Ref) (value, error) {
	l := r.layers[at.Layer]
	id := [2]any{at.Layer, at.Call}
	out, ok := r.done[id]
	if !ok {
		if r.busy[id] || r.depth > maxDepth {
			return value{}, wrong(l, "it reads its own output")
		}
		r.busy[id] = true
		r.depth++
		var err error
		if out, err = r.call(l, l.Calls[at.Call]); err != nil {
			return value{}, err
		}
		r.depth--
		r.done[id] = out
	}
	if at.Output >= len(out) {
		return value{}, wrong(l, "its output %d is read, it has %d", at.Output, len(out))
	}
	return out[at.Output], nil
}

func (r *resolver) call(l *keras.Layer, spec keras.Call) ([]value, error) {
	c := &call{kwargs: spec.Kwargs, ref: r.ref, layer: l}
	if !l.IsOperation() && !isTensorFlow(l.Class) {
		for i, a := range spec.Args {
			for _, at := range (keras.Call{Args: []any{a}}).Refs() {
				v, err := r.ref(at)
				if err != nil {
					return nil, err
				}
				c.in = append(c.in, v)
			}
			if i > 0 && a != nil && !isRecurrent(l.Class) && !l.IsModel() && !l.IsAttention() {
				return nil, refuse(l, "more than one argument in a call")
			}
		}
		if at, ok := spec.Kwargs["mask"].(keras.Ref); ok && len(c.in) > 0 {
			v, err := r.ref(at)
			if err != nil {
				return nil, err
			}
			c.in[0].mask = v.name
		}
	} else {
		c.kwargs = map[string]any{"args": spec.Args, "kwargs": spec.Kwargs}
	}
	return r.b.layer(l, c)
}

// layer writes one call of a layer.
func (b *builder) layer(l *keras.Layer, c *call) ([]value, error) {
	if b.calls++; b.calls > maxCalls {
		return nil, wrong(l, "layers are called more than %d times, models inside models included", maxCalls)
	}
	if l.IsModel() {
		return b.model(l, c.in)
	}
	write := table[key(l)]
	if write == nil {
		return nil, refuse(l, "it cannot be used here")
	}
	if len(c.in) == 0 && !l.IsOperation() && !isTensorFlow(l.Class) {
		return nil, wrong(l, "it is called on nothing")
	}
	out, err := write(b, l, c)
	b.noteReads(l, c, out)
	return out, problem(l, err)
}

// one makes a row of a function of one value that keeps its mask.
func one(f func(b *builder, l *keras.Layer, x value) (value, error)) row {
	return func(b *builder, l *keras.Layer, c *call) ([]value, error) {
		if len(c.in) != 1 {
			return nil, wrong(l, "it is called on %d values, expected one", len(c.in))
		}
		y, err := f(b, l, c.in[0])
		y.mask = c.in[0].mask
		return []value{y}, err
	}
}

// drop makes a row of a function of one value that destroys its mask, as Keras
// does at layers that do not support one.
func drop(f func(b *builder, l *keras.Layer, x value) (value, error)) row {
	return func(b *builder, l *keras.Layer, c *call) ([]value, error) {
		out, err := one(f)(b, l, c)
		if err == nil {
			out[0].mask = ""
		}
		return out, err
	}
}

// refuse is the error for what of a layer is not supported.
func refuse(l *keras.Layer, format string, a ...any) error {
	return &graph.Error{Place: place(l), Reason: fmt.Sprintf(format, a...) + " is not supported", Err: graph.ErrOperator}
}

// wrong is the error for what no layer can have.
func wrong(l *keras.Layer, format string, a ...any) error {
	return &graph.Error{Place: place(l), Reason: fmt.Sprintf(format, a...), Err: graph.ErrGraph}
}

func place(l *keras.Layer) string { return fmt.Sprintf("layer %q (%s)", l.Path, l.Class) }

// problem gives an error without place the layer's.
func problem(l *keras.Layer, err error) error {
	var with *graph.Error
	if err == nil || errors.As(err, &with) || errors.Is(err, checkpoint.ErrFormat) || errors.Is(err, checkpoint.ErrMissing) {
		return err
	}
	return &graph.Error{Place: place(l), Reason: err.Error(), Err: graph.ErrGraph}
}
