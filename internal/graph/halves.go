package graph

import (
	"maps"
	"slices"
)

// wholeNumbers returns a graph in which what is cast to halves is cast on to float32,
// as which halves are held here and written: so every value of the file has one type,
// and is rounded where it is here. Bodies too; a graph without such casts is returned
// as it is.
func wholeNumbers(g *Graph) *Graph { return wholes(g, map[string]Type{}) }

// wholes is wholeNumbers inside of graphs whose values of halves are known.
func wholes(g *Graph, around map[string]Type) *Graph {
	halves := maps.Clone(around)
	note := func(name string, t Type) {
		if t == F16 || t == BF16 {
			halves[name] = t
		}
	}
	for _, in := range g.Inputs {
		note(in.Name, in.Type)
	}
	for _, c := range g.Constants {
		note(c.Name, c.Type)
	}
	changed := false
	to := *g
	to.Nodes = nil
	for i := range g.Nodes {
		n := g.Nodes[i]
		for _, name := range n.bodyNames() {
			body := n.Attrs[name].(*Graph)
			if with := wholes(body, halves); with != body {
				n.Attrs = maps.Clone(n.Attrs)
				n.Attrs[name], changed = with, true
			}
		}
		t, _ := n.Attrs["to"].(int64)
		if like := halves[n.input(1)]; n.Op == "CastLike" && domain(n.Domain) == "" && like != None {
			t = map[Type]int64{F16: 10, BF16: 16}[like]
			n.Op, n.Inputs, n.Attrs = "Cast", n.Inputs[:1], Attrs{"to": t}
		}
		if n.Op != "Cast" || domain(n.Domain) != "" || onnxTypes[t] != F16 && onnxTypes[t] != BF16 || len(n.Outputs) != 1 {
			to.Nodes = append(to.Nodes, n)
			continue
		}
		note(n.Outputs[0], onnxTypes[t])
		changed = true
		out := n.Outputs[0]
		half := out + "/half"
		for slices.ContainsFunc(g.Nodes, func(o Node) bool { return slices.Contains(o.Outputs, half) }) {
			half += "_"
		}
		n.Outputs = []string{half}
		on := Node{Name: out + "/whole", Op: "Cast", Inputs: []string{half}, Outputs: []string{out}, Attrs: Attrs{"to": int64(1)}}
		to.Nodes = append(to.Nodes, n, on)
	}
	if !changed {
		return g
	}
	return &to
}
