package graph

import "fmt"

// Builder writes a Graph of ONNX's operators, version Opset. Its methods return
// the names of values, with which later nodes are made. The zero Builder is ready
// and writes version 20. Mistakes are found by Compile, which names the node.
type Builder struct {
	Opset int64
	graph Graph
	count int
	// prefix stands before the names that are made up.
	prefix string
}

// Body returns a builder of a graph inside this one, as of a Scan. What it makes up is
// called otherwise than what b does.
func (b *Builder) Body() *Builder {
	return &Builder{Opset: b.Opset, prefix: b.fresh("body") + "."}
}

// Input adds an input. A dimension of -1 is any size.
func (b *Builder) Input(name string, t Type, shape ...Dim) string {
	b.graph.Inputs = append(b.graph.Inputs, Port{Name: name, Type: t, Shape: shape})
	return name
}

// Constant adds a constant that shares v; an empty name gets one made up.
func (b *Builder) Constant(name string, v Value) string {
	if name == "" {
		name = b.fresh("constant")
	}
	b.graph.Constants = append(b.graph.Constants, Constant{Name: name, Type: v.Type, Shape: v.Shape, Value: v})
	return name
}

// Ints adds a constant of one dimension, as axes and shapes are.
func (b *Builder) Ints(v ...int64) string { return b.Constant("", Vector(v...)) }

// Op adds a node of one output and returns its name.
func (b *Builder) Op(op string, attrs Attrs, inputs ...string) string {
	return b.Ops(op, 1, attrs, inputs...)[0]
}

// Ops adds a node of several outputs and returns their names.
func (b *Builder) Ops(op string, outputs int, attrs Attrs, inputs ...string) []string {
	n := Node{Op: op, Attrs: attrs, Inputs: inputs}
	for range outputs {
		n.Outputs = append(n.Outputs, b.fresh(op))
	}
	n.Name = n.Outputs[0]
	b.graph.Nodes = append(b.graph.Nodes, n)
	return n.Outputs
}

// Name names the node that was added last, for errors and listings.
func (b *Builder) Name(name string) { b.graph.Nodes[len(b.graph.Nodes)-1].Name = name }

// Domain sets the domain of the node that was added last.
func (b *Builder) Domain(domain string) { b.graph.Nodes[len(b.graph.Nodes)-1].Domain = domain }

// Add adds a node as it stands.
func (b *Builder) Add(n Node) { b.graph.Nodes = append(b.graph.Nodes, n) }

// Output makes a value an output under a name of its own. Its shape is not needed
// to run, but ONNX's checker wants one in a file.
func (b *Builder) Output(name string, t Type, value string, shape ...Dim) {
	if name != value {
		b.Add(Node{Name: name, Op: "Identity", Inputs: []string{value}, Outputs: []string{name}})
	}
	b.graph.Outputs = append(b.graph.Outputs, Port{Name: name, Type: t, Shape: shape})
}

// Graph returns what was written; the builder is not to be used after.
func (b *Builder) Graph() *Graph {
	if b.Opset == 0 {
		b.Opset = 20
	}
	b.graph.Opsets = map[string]int64{"": b.Opset, microsoft: 1, Own: 1}
	return &b.graph
}

func (b *Builder) fresh(what string) string {
	b.count++
	return fmt.Sprintf("%s%s.%d", b.prefix, what, b.count)
}

// microsoft is the domain of ONNX Runtime's own operators.
const microsoft = "com.microsoft"
