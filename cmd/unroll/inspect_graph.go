package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/model"
)

// inspectedGraph is what a whole model is, whether it can be run or not.
type inspectedGraph struct {
	Inputs    []inspectedPort  `json:"inputs"`
	Outputs   []inspectedPort  `json:"outputs"`
	States    []inspectedState `json:"states,omitempty"`
	Operators map[string]int   `json:"operators,omitempty"`
	// Missing are nodes whose operators are not here, also of branches and loops.
	Missing []string `json:"missing,omitempty"`
	Refused string   `json:"refused,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

type inspectedPort struct {
	Name  string   `json:"name"`
	Type  string   `json:"type"`
	Shape []string `json:"shape"`
}

type inspectedState struct {
	Input  string `json:"input"`
	Output string `json:"output"`
}

// inspectedDescription is a description as JSON has it; nil for weights alone.
func inspectedDescription(d *model.Description) *inspectedGraph {
	if d.Inputs == nil && d.Refused == "" {
		return nil
	}
	g := &inspectedGraph{Inputs: inspectedPorts(d.Inputs), Outputs: inspectedPorts(d.Outputs), Operators: d.Operators, Missing: d.Missing, Refused: d.Refused, Notes: d.Notes}
	for _, s := range d.States {
		g.States = append(g.States, inspectedState(s))
	}
	return g
}

func inspectedPorts(ports []model.Port) []inspectedPort {
	list := []inspectedPort{}
	for _, p := range ports {
		list = append(list, inspectedPort(p))
	}
	return list
}

// print writes the graph as text, a line for each input, output and state.
func (g *inspectedGraph) print(w io.Writer) {
	printPorts(w, "input", g.Inputs)
	printPorts(w, "output", g.Outputs)
	for _, s := range g.States {
		fmt.Fprintf(w, "state  %s goes on from %s\n", visible(s.Input), visible(s.Output))
	}
	if len(g.Operators) > 0 {
		var list []string
		total := 0
		for _, op := range slices.Sorted(maps.Keys(g.Operators)) {
			list = append(list, fmt.Sprintf("%d %s", g.Operators[op], visible(op)))
			total += g.Operators[op]
		}
		fmt.Fprintf(w, "nodes  %d: %s\n", total, strings.Join(list, ", "))
	}
	for _, n := range g.Notes {
		fmt.Fprintf(w, "note   %s\n", visible(n))
	}
	const most = 20
	for i, m := range g.Missing {
		if i == most {
			fmt.Fprintf(w, "not run: %d more nodes; --json names all\n", len(g.Missing)-most)
			break
		}
		fmt.Fprintf(w, "not run: %s\n", visible(m))
	}
	if g.Refused != "" {
		fmt.Fprintf(w, "not run: %s\n", visible(g.Refused))
	}
}

func printPorts(w io.Writer, what string, ports []inspectedPort) {
	for _, p := range ports {
		fmt.Fprintf(w, "%-6s %s\n", what, visible(model.Port(p).String()))
	}
}

// inspectONNX lists the nodes of a file.
func inspectONNX(f *modelfile.File) *inspectedONNX {
	o := f.ONNX
	out := &inspectedONNX{Opset: o.Opset, IR: o.IR, Producer: strings.TrimSpace(o.Producer + " " + o.ProducerVersion), Nodes: []inspectedNode{}}
	for _, v := range o.Graph.Inputs {
		out.Inputs = append(out.Inputs, fmt.Sprintf("%s %s %v", v.Name, v.Type, v.Shape))
	}
	for _, v := range o.Graph.Outputs {
		out.Outputs = append(out.Outputs, fmt.Sprintf("%s %s %v", v.Name, v.Type, v.Shape))
	}
	for _, n := range o.Graph.Nodes {
		node := inspectedNode{Name: n.Name, Op: n.Op, Inputs: n.Inputs, Outputs: n.Outputs}
		if n.Domain != "" {
			node.Op = n.Domain + "." + n.Op
		}
		for _, a := range n.Attributes {
			if node.Attributes == nil {
				node.Attributes = map[string]any{}
			}
			node.Attributes[a.Name] = attributeText(a)
		}
		out.Nodes = append(out.Nodes, node)
	}
	return out
}

// attributeText is an attribute's value, or words for one that is more than numbers.
func attributeText(a onnx.Attribute) any {
	switch {
	case a.T != nil:
		return fmt.Sprintf("%s %v", a.T.Type(), a.T.Shape)
	case a.G != nil:
		return fmt.Sprintf("a graph of %d nodes", len(a.G.Nodes))
	case a.Kind == onnx.GraphsKind:
		return fmt.Sprintf("%d graphs", len(a.Graphs))
	case a.Kind == onnx.Tensors:
		return fmt.Sprintf("%d tensors", len(a.Tensors))
	}
	if v := a.Value(); v != nil {
		return v
	}
	return "of a kind that is not read"
}

// shownNodes is how many nodes are printed; --json has all.
const shownNodes = 100

func (o *inspectedONNX) print(w io.Writer) {
	fmt.Fprintf(w, "opset %d, IR version %d, written by %s\n", o.Opset, o.IR, visible(o.Producer))
	for i, n := range o.Nodes {
		if i == shownNodes {
			fmt.Fprintf(w, "%d more nodes; --json lists all\n", len(o.Nodes)-i)
			return
		}
		attrs := ""
		if len(n.Attributes) > 0 {
			attrs = " " + fmt.Sprint(n.Attributes)[3:]
		}
		fmt.Fprintf(w, "%s  %s -> %s%s\n", visible(n.Op), visible(strings.Join(n.Inputs, ", ")), visible(strings.Join(n.Outputs, ", ")), visible(attrs))
	}
}
