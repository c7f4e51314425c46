package graph

import "fmt"

// Graph is a program as data. Names of values are unique within it; a node reads
// values that stand before it: inputs, constants, outputs of earlier nodes, and
// in the body of a control operator also those of the graphs around.
type Graph struct {
	Name      string
	Inputs    []Port
	Outputs   []Port // Name is of any value of the graph
	Constants []Constant
	Nodes     []Node
	// Opsets are the versions of the operators a domain has; "" is ONNX's own.
	// In a body they are not read: those of the program hold.
	Opsets map[string]int64
	// FromZero: an index that a run gives to Gather is none from the end where it is
	// below zero, as ONNX has it, but out of range, as in embeddings of PyTorch and
	// Keras.
	FromZero bool
}

// Port is an input or output: its name, its type, and what is said of its shape.
// A nil Shape says nothing. Start is what a state begins with: one index stands for
// all along an axis where its size is 1; absent, it is zeros.
type Port struct {
	Name  string
	Type  Type
	Shape []Dim
	Start Value
}

// narrow returns the port's type where values of it are held as another.
func (p *Port) narrow() Type {
	if p.Type == p.Type.Held() {
		return None
	}
	return p.Type
}

// Dim is a dimension: Size, or -1 and perhaps the Name of a symbol.
type Dim struct {
	Size int
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

// Constant is a named constant: Value, or what Load returns when it is first
// needed. A constant that nothing reads is never loaded. Load is called once, by
// one goroutine; Type and Shape say what it returns.
type Constant struct {
	Name  string
	Type  Type
	Shape []int
	Value Value
	Load  func() (Value, error)
}

// Node is one operator. An empty input is an absent one, an empty output one that
// nobody wants.
type Node struct {
	Name       string
	Op, Domain string
	Inputs     []string
	Outputs    []string
	Attrs      Attrs
}

// Attrs are a node's attributes by name: int64, float32, string, []int64,
// []float32, []string, Value, *Graph for a body, or *unroll.Layer. An int is taken
// for an int64.
type Attrs map[string]any

// String names a node for an error: its name, or its first output, and its
// operator.
func (n *Node) String() string {
	name := n.Name
	for _, o := range n.Outputs {
		if name == "" {
			name = o
		}
	}
	return fmt.Sprintf("node %q (%s)", name, n.operator())
}

// operator returns the operator with its domain where that is not ONNX's own.
func (n *Node) operator() string {
	if d := domain(n.Domain); d != "" {
		return d + "." + n.Op
	}
	return n.Op
}

// domain returns a domain's one name.
func domain(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}
