package modelfile

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
)

// A program is recognised as one stacked layer, perhaps with an embedding before it
// and a linear head behind, in two steps. Its nodes are walked for what could be the
// parts: the layers in their order, what the first of them reads, what the outputs
// are made of. Nothing is concluded from how an exporter arranges axes: the network
// that results is run beside the program on drawn inputs (prove.go), and only one
// that gives the same numbers is taken.

// ErrVariant is a network that is no stacked layer, or one that a format cannot
// hold.
var ErrVariant = errors.New("not one stacked layer")

// Ports are the names of a program's inputs and outputs by what they are in a
// network; empty where there is none.
type Ports struct {
	Input, Lengths, H0, C0 string
	Output, HN, CN         string
}

// Recognise makes a layer of a program, or a model where it has an embedding or a
// head. It is an ErrVariant for any other program; errors name the node, input or
// output that has no place. The program's limits bound what it takes.
func Recognise(p *graph.Program) (*Loaded, error) {
	r := &recogniser{p: p, g: p.Graph(), consts: p.Fold(), from: map[string]*graph.Node{}, ports: &Ports{}}
	for i := range r.g.Nodes {
		for _, o := range r.g.Nodes[i].Outputs {
			r.from[o] = &r.g.Nodes[i]
		}
	}
	layers, err := p.Layers()
	if err != nil {
		return nil, err
	}
	if err := r.stack(layers); err != nil {
		return nil, err
	}
	if err := r.input(); err != nil {
		return nil, err
	}
	for i := range r.g.Outputs {
		if err := r.output(&r.g.Outputs[i]); err != nil {
			return nil, err
		}
	}
	for i := range r.g.Inputs {
		if name := r.g.Inputs[i].Name; name != r.ports.Input && name != r.ports.H0 && name != r.ports.C0 && name != r.ports.Lengths {
			return nil, other("input %q is one that no layer has", name)
		}
	}
	return r.prove()
}

func other(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrVariant}, a...)...)
}

// recogniser is what is found in a program.
type recogniser struct {
	p      *graph.Program
	g      *graph.Graph
	consts *graph.Folding
	from   map[string]*graph.Node // the node that makes a value

	layers []graph.NamedLayer // whose Layer is nil after the trials
	each   []unroll.Config    // of the layers
	cfg    unroll.Config      // of the whole stack, without BatchFirst
	params map[string]tensor.Dense

	embedding, weight, bias *graph.Value
	head                    *graph.Node
	ports                   *Ports
}

// nodePorts are the places of a recurrent node's inputs and outputs.
type nodePorts struct{ x, lengths, h0, c0, y, hn, cn string }

func portsOf(n *graph.Node) nodePorts {
	in := func(i int) string {
		if i < len(n.Inputs) {
			return n.Inputs[i]
		}
		return ""
	}
	out := func(i int) string {
		if i < len(n.Outputs) {
			return n.Outputs[i]
		}
		return ""
	}
	p := nodePorts{x: in(0), lengths: in(4), h0: in(5), y: out(0), hn: out(1), cn: out(2)}
	switch {
	case n.IsStack():
		p.lengths, p.h0, p.c0 = in(3), in(1), in(2)
	case n.Op == "LSTM":
		p.c0 = in(6)
	}
	return p
}

// stack joins the layers, which have to stand on each other and be alike.
func (r *recogniser) stack(layers []graph.NamedLayer) error {
	if len(layers) == 0 {
		return other("it has no recurrent layer whose parameters are constants")
	}
	nodes := 0
	for i := range r.g.Nodes {
		if r.g.Nodes[i].IsRecurrent() {
			nodes++
		}
	}
	if nodes != len(layers) {
		return other("of its recurrent layers some stand in a branch or a loop, or have parameters that are no constants")
	}
	r.layers, r.params = layers, map[string]tensor.Dense{}
	for i, l := range layers {
		c := l.Layer.Config()
		r.each = append(r.each, c)
		below := r.cfg
		count := c.Layers()
		c.BatchFirst, c.NumLayers, c.Dropout = false, 0, 0
		if i == 0 {
			r.cfg = c
		}
		if n := l.Node; n.Mask() != "" {
			return other("%s has a mask of steps", n)
		}
		same := c
		same.InputSize, same.NumLayers = r.cfg.InputSize, r.cfg.NumLayers
		if i > 0 && (same != r.cfg || c.InputSize != below.OutputSize()) {
			return other("%s is %s after %s, which is %s; a stacked layer is of one kind", l.Node, c, layers[i-1].Node, layers[i-1].Layer.Config())
		}
		if i > 0 {
			if err := r.reads(portsOf(l.Node).x, portsOf(layers[i-1].Node).y); err != nil {
				return other("%s: %v", l.Node, err)
			}
		}
		for _, p := range l.Layer.Params() {
			r.params[shifted(p.Name, r.cfg.NumLayers)] = p.Value
		}
		r.cfg.NumLayers += count
	}
	return nil
}

// shifted is the name of a layer's parameter above n layers.
func shifted(name string, n int) string {
	at := strings.LastIndex(name, "_l")
	var i int
	if _, err := fmt.Sscanf(name[at:], "_l%d", &i); err != nil {
		return name
	}
	return strings.Replace(name, fmt.Sprintf("_l%d", i), fmt.Sprintf("_l%d", i+n), 1)
}

// moves are operators that arrange elements and compute nothing, with the inputs
// that hold the elements: the first, or all.
var moves = map[string]bool{
	"Identity": false, "Cast": false, "Dropout": false, "Expand": false, "Flatten": false, "Gather": false, "Reshape": false, "ReverseSequence": false,
	"Slice": false, "Split": false, "Squeeze": false, "Tile": false, "Transpose": false, "Unsqueeze": false, "Concat": true,
}

// roots follows a value back through what only moves elements, to inputs of the
// program and outputs of other nodes; constants are left out. into reports whether
// to go on at a node that moves.
func (r *recogniser) roots(name string, into func(n *graph.Node) bool) []string {
	var found []string
	seen := map[string]bool{}
	for todo := []string{name}; len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		n := r.from[name]
		if n == nil && r.isInput(name) {
			found = append(found, name)
		}
		if n == nil {
			continue
		}
		all, moves := moves[n.Op]
		switch {
		case !moves || n.Domain != "" && n.Domain != "ai.onnx" || !into(n):
			found = append(found, name)
		case all:
			todo = append(todo, n.Inputs...)
		case len(n.Inputs) > 0:
			todo = append(todo, n.Inputs[0])
		}
	}
	slices.Sort(found)
	return found
}

func (r *recogniser) isInput(name string) bool {
	return slices.ContainsFunc(r.g.Inputs, func(p graph.Port) bool { return p.Name == name })
}

func anything(*graph.Node) bool { return true }

// reads wants a value to be made of another and nothing else.
func (r *recogniser) reads(name, of string) error {
	for _, root := range r.roots(name, anything) {
		if root != of {
			return fmt.Errorf("what it reads is made of %s too, not of the layer before it alone", r.called(root))
		}
	}
	return nil
}

// called names a value by the node that makes it.
func (r *recogniser) called(name string) string {
	if n := r.from[name]; n != nil {
		return n.String()
	}
	return fmt.Sprintf("input %q", name)
}

// table returns the constant that a Gather takes rows of; nil for any other node.
func (r *recogniser) table(n *graph.Node) *graph.Value {
	if n.Op != "Gather" || len(n.Inputs) < 2 {
		return nil
	}
	v, err := r.consts.Value(n.Inputs[0])
	if err != nil || v == nil || v.Type != graph.F32 || len(v.Shape) != 2 {
		return nil
	}
	return v
}

// input finds what the first layer reads, its states and lengths.
func (r *recogniser) input() error {
	first := portsOf(r.layers[0].Node)
	roots := r.roots(first.x, func(n *graph.Node) bool { return r.table(n) == nil })
	if len(roots) != 1 {
		return other("%s reads what is made of %d values", r.layers[0].Node, len(roots))
	}
	name := roots[0]
	if n := r.from[name]; n != nil {
		if r.embedding = r.table(n); r.embedding == nil {
			return other("%s stands before the recurrent layers, and is no embedding", n)
		}
		if r.embedding.Shape[1] != r.cfg.InputSize {
			return other("%s: its rows have %d numbers, the layer reads %d", n, r.embedding.Shape[1], r.cfg.InputSize)
		}
		var err error
		if name, err = r.only(n.Inputs[1], n); err != nil {
			return err
		}
	}
	r.ports.Input = name
	for i, l := range r.layers {
		p := portsOf(l.Node)
		lengths := func(n *graph.Node) bool { return n.Op != "Shape" }
		for _, s := range []struct {
			from []string
			to   *string
		}{{r.roots(p.h0, anything), &r.ports.H0}, {r.roots(p.c0, anything), &r.ports.C0}, {r.depends(p.lengths, lengths), &r.ports.Lengths}} {
			got := ""
			for _, root := range s.from {
				if !r.isInput(root) || root == r.ports.Input {
					continue // zeros of some shape, or refused by the proof
				}
				if got != "" {
					return other("%s begins with what is made of %q and %q", l.Node, got, root)
				}
				got = root
			}
			if i > 0 && got != *s.to {
				return other("%s begins with %q, the layer below with %q", l.Node, got, *s.to)
			}
			*s.to = got
		}
	}
	return nil
}

// only finds the one input of the program that a value depends on.
func (r *recogniser) only(name string, n *graph.Node) (string, error) {
	found := r.depends(name, anything)
	if len(found) != 1 {
		return "", other("%s takes rows by what depends on the inputs %q, expected one", n, found)
	}
	return found[0], nil
}

// depends finds the inputs of the program that a value depends on by nodes that into
// reports true for.
func (r *recogniser) depends(name string, into func(n *graph.Node) bool) (found []string) {
	seen := map[string]bool{}
	for todo := []string{name}; len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch from := r.from[name]; {
		case name == "" || seen[name]:
		case from != nil && into(from):
			todo = append(todo, from.Inputs...)
		case r.isInput(name):
			found = append(found, name)
		}
		seen[name] = true
	}
	return found
}

// output finds what an output of the program is made of.
func (r *recogniser) output(o *graph.Port) error {
	roots := r.roots(o.Name, anything)
	kind := ""
	for _, root := range roots {
		what, err := r.kind(root)
		if err != nil {
			return fmt.Errorf("%w (output %q)", err, o.Name)
		}
		if kind != "" && kind != what {
			return other("output %q is made of outputs and states", o.Name)
		}
		kind = what
	}
	to := map[string]*string{"y": &r.ports.Output, "h": &r.ports.HN, "c": &r.ports.CN}[kind]
	if to == nil {
		return other("output %q does not depend on a recurrent layer", o.Name)
	}
	if *to != "" {
		return other("outputs %q and %q are one thing", *to, o.Name)
	}
	*to = o.Name
	return nil
}

// kind says what a root of an output is: y of the top layer or of a head, or final
// states h and c.
func (r *recogniser) kind(root string) (string, error) {
	top := len(r.layers) - 1
	for i, l := range r.layers {
		switch p := portsOf(l.Node); root {
		case p.hn:
			return "h", nil
		case p.cn:
			return "c", nil
		case p.y:
			if i == top {
				return "y", nil
			}
			return "", other("it gives what %s gives, which is not the last layer", l.Node)
		}
	}
	n := r.from[root]
	if n == nil {
		return "", other("it gives input %q", root)
	}
	if r.head != nil {
		return "", other("%s and %s are two heads", r.head, n)
	}
	r.head = n
	return "y", r.linear(n)
}

// linear reads a head: a product with a constant, perhaps with a bias, of what a
// layer gives.
func (r *recogniser) linear(n *graph.Node) error {
	product, bias := n, ""
	if n.Op == "Add" && len(n.Inputs) == 2 {
		for i, name := range n.Inputs {
			if v, err := r.consts.Value(n.Inputs[1-i]); err == nil && v != nil {
				bias = n.Inputs[1-i]
				if of := r.roots(name, anything); len(of) == 1 && r.from[of[0]] != nil {
					product = r.from[of[0]]
				}
			}
		}
	}
	if product.Op == "Gemm" && len(product.Inputs) == 3 && bias == "" {
		bias = product.Inputs[2]
	}
	if product.Op != "MatMul" && product.Op != "Gemm" || len(product.Inputs) < 2 {
		return other("%s stands behind the recurrent layers, and is no linear layer", n)
	}
	w, err := r.consts.Value(product.Inputs[1])
	if err != nil {
		return err
	}
	if w == nil || w.Type != graph.F32 || len(w.Shape) != 2 {
		return other("%s is no product with a constant matrix", product)
	}
	flip, _ := product.Attrs["transB"].(int64)
	if r.weight = w; flip == 0 || product.Op == "MatMul" {
		r.weight = transposed(w)
	}
	if bias != "" {
		if r.bias, err = r.consts.Value(bias); err != nil {
			return err
		}
		if r.bias == nil || r.bias.Type != graph.F32 || r.bias.Len() != r.weight.Shape[0] {
			return other("%s: its bias is not %d constant numbers", n, r.weight.Shape[0])
		}
	}
	for _, root := range r.roots(product.Inputs[0], anything) {
		if _, err := r.kind(root); err != nil {
			return fmt.Errorf("%w (it is read by %s)", err, product)
		}
	}
	if r.weight.Shape[1] != r.cfg.OutputSize() {
		return other("%s reads %d numbers, the layer gives %d", product, r.weight.Shape[1], r.cfg.OutputSize())
	}
	return nil
}

// transposed returns [b,a] of a matrix [a,b].
func transposed(v *graph.Value) *graph.Value {
	a, b := v.Shape[0], v.Shape[1]
	from, to := graph.Data[float32](*v), make([]float32, v.Len())
	for i := range a {
		for j := range b {
			to[j*a+i] = from[i*b+j]
		}
	}
	t := value(to, []int{b, a})
	return &t
}

// build makes the network of what was found.
func (r *recogniser) build(batchFirst, final bool) (*Loaded, error) {
	cfg := r.cfg
	cfg.BatchFirst = batchFirst
	l := &Loaded{Told: true, Ports: r.ports}
	if r.weight == nil {
		layer, err := unroll.New(cfg)
		if err != nil {
			return nil, err
		}
		l.Layer = layer
		if err := layer.Load(r.params); err != nil {
			return nil, err
		}
		r.take(layer)
		return l, nil
	}
	model := nn.Config{RNN: cfg, OutFeatures: r.weight.Shape[0], NoHeadBias: r.bias == nil}
	if final {
		model.Output = "last"
	}
	values := map[string]tensor.Dense{"fc.weight": dense(r.weight)}
	for name, d := range r.params {
		values["rnn."+name] = d
	}
	if r.bias != nil {
		values["fc.bias"] = tensor.Dense{Shape: []int{r.bias.Len()}, Data: graph.Data[float32](*r.bias)}
	}
	if e := r.embedding; e != nil {
		model.NumEmbeddings, model.EmbeddingDim = e.Shape[0], e.Shape[1]
		values["embedding.weight"] = dense(e)
	}
	m, err := nn.New(model)
	if err != nil {
		return nil, err
	}
	l.Layer, l.Model = m.RNN(), m
	if err := m.Load(values); err != nil {
		return nil, err
	}
	clear(values)
	r.take(l.Layer)
	return l, nil
}

// take makes a network's parameters those that the next is made of: they are in memory
// once.
func (r *recogniser) take(l *unroll.Layer) {
	for _, p := range l.Params() {
		r.params[p.Name] = p.Value
	}
	r.collect()
}

// collect frees what is not needed any more, where it is much: what is made next takes
// as much new memory.
func (r *recogniser) collect() {
	const much = 1 << 25 // numbers
	n := 0
	for _, p := range r.params {
		n += len(p.Data)
	}
	if n >= much {
		runtime.GC()
	}
}

func dense(v *graph.Value) tensor.Dense {
	return tensor.Dense{Shape: v.Shape, Data: graph.Data[float32](*v)}
}
