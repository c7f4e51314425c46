package graph

import (
	"io"
	"maps"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
)

// WriteONNX writes a graph as an ONNX file; what FromONNX made of a file comes
// back with the same meaning. Layers become ONNX's operators, and outputs without a
// shape get what is known of it. Constants are loaded. Halves are written as
// float32, and inputs and outputs of those types too.
func WriteONNX(w io.Writer, g *Graph) error { return WriteVersion(w, g, 0) }

// WriteVersion is WriteONNX in a version of ONNX's operators, of which MinWritten to
// MaxWritten are written; 0 is the graph's own. It is an ErrOperator for nodes that
// have another form there.
func WriteVersion(w io.Writer, g *Graph, version int64) error {
	return writeGraph(w, g, version, nil)
}

func writeGraph(w io.Writer, g *Graph, version int64, rounding Rounding) error {
	g, err := lowered(withShapes(g), version, rounding)
	if err != nil {
		return err
	}
	if g, err = inVersion(g, version); err != nil {
		return err
	}
	g = wholeNumbers(g)
	read := map[string]bool{}
	readNames(g, read)
	to, err := toGraph(g, read)
	if err != nil {
		return err
	}
	return onnx.WriteGraph(w, to, usedOpsets(g))
}

// readNames collects the names that nodes and outputs of a graph and its bodies read.
func readNames(g *Graph, read map[string]bool) {
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for _, name := range n.Inputs {
			read[name] = true
		}
		for _, name := range n.bodyNames() {
			readNames(n.Attrs[name].(*Graph), read)
		}
	}
	for _, o := range g.Outputs {
		read[o.Name] = true
	}
}

// usedOpsets are the versions of the domains that nodes have.
func usedOpsets(g *Graph) map[string]int64 {
	used := map[string]int64{"": g.Opsets[""]}
	var walk func(g *Graph)
	walk = func(g *Graph) {
		for i := range g.Nodes {
			n := &g.Nodes[i]
			used[domain(n.Domain)] = 0
			for _, name := range n.bodyNames() {
				walk(n.Attrs[name].(*Graph))
			}
		}
	}
	walk(g)
	for d := range used {
		used[d] = g.Opsets[d]
		if v, ok := g.Opsets["ai.onnx"]; ok && d == "" {
			used[d] = max(v, g.Opsets[""])
		}
	}
	return used
}

// toGraph is a graph as package onnx has it, with those of its constants that are read:
// others may not even be there.
func toGraph(g *Graph, read map[string]bool) (*onnx.Graph, error) {
	to := &onnx.Graph{Name: g.Name, Inputs: toValues(g.Inputs), Outputs: toValues(g.Outputs)}
	for i := range g.Inputs {
		if p := &g.Inputs[i]; !p.Start.IsZero() {
			to.AddConstant(stored(p.Name, &p.Start))
		}
	}
	for i := range g.Constants {
		c := &g.Constants[i]
		if !read[c.Name] {
			continue
		}
		v, err := c.value()
		if err != nil {
			return nil, err
		}
		to.AddConstant(stored(c.Name, &v))
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		node := onnx.Node{Name: n.Name, Op: n.Op, Domain: n.Domain, Inputs: n.Inputs, Outputs: n.Outputs}
		for _, name := range slices.Sorted(maps.Keys(n.Attrs)) {
			a, err := toAttribute(name, n.Attrs[name], read)
			if err != nil {
				return nil, at(n, err)
			}
			node.Attributes = append(node.Attributes, a)
		}
		to.Nodes = append(to.Nodes, node)
	}
	return to, nil
}

func toValues(ports []Port) []onnx.Value {
	var list []onnx.Value
	for _, p := range ports {
		v := onnx.Value{Name: p.Name}
		t := p.Type
		if t.isFloat() {
			t = t.Held()
		}
		if d := storedAs(t); d != checkpoint.Unknown {
			v.Type = d.String()
		}
		if p.Shape != nil {
			v.Shape = make([]onnx.Dim, len(p.Shape))
			for i, d := range p.Shape {
				v.Shape[i] = onnx.Dim{Size: int64(d.Size), Name: d.Name}
			}
		}
		list = append(list, v)
	}
	return list
}

func toAttribute(name string, v any, read map[string]bool) (onnx.Attribute, error) {
	a := onnx.Attribute{Name: name}
	switch v := v.(type) {
	case int:
		a.Kind, a.I = onnx.Int, int64(v)
	case int64:
		a.Kind, a.I = onnx.Int, v
	case float32:
		a.Kind, a.F = onnx.Float, v
	case string:
		a.Kind, a.S = onnx.String, v
	case []int64:
		a.Kind, a.Ints = onnx.Ints, v
	case []float32:
		a.Kind, a.Floats = onnx.Floats, v
	case []string:
		a.Kind, a.Strings = onnx.Strings, v
	case Value:
		t := stored("", &v)
		a.Kind, a.T = onnx.Tensor, &t
	case *Graph:
		g, err := toGraph(v, read)
		if err != nil {
			return a, err
		}
		a.Kind, a.G = onnx.GraphKind, g
	default:
		return a, graphError("", "attribute %q is a %T, which ONNX does not have", name, v)
	}
	return a, nil
}
