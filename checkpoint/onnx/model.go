// Package onnx reads and writes ONNX files: the named tensors of a graph and its
// nodes with all attributes. It knows operators, not layers.
//
// A File is a checkpoint.Source over the graph's initializers. Recurrent turns
// one node RNN, LSTM or GRU into parameters under PyTorch's names, and back.
//
// The format is https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, the
// operators' meaning https://onnx.ai/onnx/operators/. docs/formats/onnx.md has
// the parts used here.
//
// Letters in shapes: T steps, B sequences, I inputs, H hidden units, L layers,
// D directions, G gates.
package onnx

import (
	"fmt"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Bounds of a file, met before anything of that size is allocated. Reading
// allocates at most 80 times the file's size, which only a file of empty nodes
// comes near; weights stay where they were read.
const (
	maxFile  = 1<<31 - 1 // protobuf's own limit on a message
	maxName  = 1 << 12   // bytes of a name
	maxNodes = 1 << 17   // nodes of all graphs together; initializers of one too
)

// Value is an input or output of a graph.
type Value struct {
	Name string
	Type string // element type, "F32" or ONNX's own word
	// Shape has a number or the name of a dynamic dimension for each
	// dimension; nil where the file says nothing.
	Shape []Dim
}

// Dim is a dimension: Size, or Name where it is dynamic (Size is then -1).
type Dim struct {
	Size int64
	Name string
}

// String returns the size, the name, or "?".
func (d Dim) String() string {
	switch {
	case d.Size >= 0:
		return fmt.Sprint(d.Size)
	case d.Name != "":
		return d.Name
	}
	return "?"
}

// Node is one operation of a graph. An empty input is an absent one.
type Node struct {
	Name, Op, Domain string
	Inputs, Outputs  []string
	Attributes       []Attribute
}

// String names a node for an error: its name, or its first output, and its
// operator.
func (n *Node) String() string {
	name := n.Name
	for _, o := range n.Outputs {
		if name == "" {
			name = o
		}
	}
	op := n.Op
	if n.Domain != "" && n.Domain != "ai.onnx" {
		op = n.Domain + "." + op
	}
	return fmt.Sprintf("node %q (%s)", name, op)
}

// input returns the i-th input, empty where there is none (-1: of none).
func (n *Node) input(i int) string {
	if i >= 0 && i < len(n.Inputs) {
		return n.Inputs[i]
	}
	return ""
}

// output is input for outputs.
func (n *Node) output(i int) string {
	if i < len(n.Outputs) {
		return n.Outputs[i]
	}
	return ""
}

// Kind is the type of an attribute.
type Kind int

// The kinds of attributes that are read; the rest (types) is Other, and sparse
// tensors are refused.
const (
	Other   Kind = 0
	Float   Kind = 1
	Int     Kind = 2
	String  Kind = 3
	Tensor  Kind = 4
	Floats  Kind = 6
	Ints    Kind = 7
	Strings Kind = 8
	Tensors Kind = 9
	// GraphKind is a body, as If and Loop have; GraphsKind a list of them.
	GraphKind  Kind = 5
	GraphsKind Kind = 10
)

// Attribute is one attribute of a node; Kind says which field holds its value.
type Attribute struct {
	Name    string
	Kind    Kind
	F       float32
	I       int64
	S       string
	T       *checkpoint.Tensor
	Floats  []float32
	Ints    []int64
	Strings []string
	Tensors []*checkpoint.Tensor
	G       *Graph
	Graphs  []*Graph

	ref string // in a function: the attribute of its node that is meant
}

// Value returns the value as a float32, an int64, a string, a slice of those,
// or a checkpoint.Info for a tensor; nil for Other.
func (a Attribute) Value() any {
	switch a.Kind {
	case Float:
		return a.F
	case Int:
		return a.I
	case String:
		return a.S
	case Tensor:
		if a.T != nil {
			return a.T.Info
		}
	case Floats:
		return a.Floats
	case Ints:
		return a.Ints
	case Strings:
		return a.Strings
	}
	return nil
}

// attribute returns the attribute of that name, nil if there is none.
func (n *Node) attribute(name string) *Attribute {
	for i := range n.Attributes {
		if n.Attributes[i].Name == name {
			return &n.Attributes[i]
		}
	}
	return nil
}

// intAttr returns an integer attribute, or def where it is absent.
func (n *Node) intAttr(name string, def int64) (int64, error) {
	a := n.attribute(name)
	switch {
	case a == nil:
		return def, nil
	case a.Kind != Int:
		return 0, fmt.Errorf("%s: attribute %s is not an integer", n, name)
	}
	return a.I, nil
}

// strAttr returns a string attribute, or def where it is absent.
func (n *Node) strAttr(name, def string) (string, error) {
	a := n.attribute(name)
	switch {
	case a == nil:
		return def, nil
	case a.Kind != String:
		return "", fmt.Errorf("%s: attribute %s is not a string", n, name)
	}
	return a.S, nil
}

// Graph is the nodes of a file in its order, which ONNX requires to be one in
// which a value stands before its uses.
type Graph struct {
	Name            string
	Nodes           []Node
	Inputs, Outputs []Value // inputs without those that are initializers
	// Defaults are inputs that are initializers too: values for a caller who gives
	// none. Before IR version 4 every initializer is listed so.
	Defaults []Value

	tensors []*stored
}

// Initializers describes the constants of the graph, in the file's order.
func (g *Graph) Initializers() []checkpoint.Info {
	list := make([]checkpoint.Info, len(g.tensors))
	for i, t := range g.tensors {
		list[i] = t.Info
	}
	return list
}

// Function is a local function of a file. Parse has put its body where nodes call
// it, so that it is of interest for a listing alone.
type Function struct {
	Name, Domain    string
	Inputs, Outputs []string
	Attributes      []string // without default
	Defaults        []Attribute
	Nodes           []Node
	Opsets          map[string]int64
}
