package graph

import (
	"errors"
	"slices"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
)

// Summary is what a graph holds, whether it can be run or not.
type Summary struct {
	// Operators counts the nodes of each operator, in bodies too; those of other
	// domains than ONNX's own stand after the domain and a point.
	Operators map[string]int
	Layers    []LayerSummary
	// Missing are the nodes whose operators are not here, with the reason; Refused
	// is what else keeps the graph from being run, or nil.
	Missing []string
	Refused error
	States  []State
	// Quantised says what of a file with integers as weights runs on integers.
	Quantised Quantised
}

// LayerSummary is a recurrent node: its layer, or why it is none.
type LayerSummary struct {
	Name   string
	Config unroll.Config
	Err    error
}

// Summarize describes a graph; nothing is computed or loaded.
func Summarize(g *Graph) Summary {
	s := Summary{Operators: map[string]int{}, States: States(g)}
	s.walk(g, nil, named{})
	c := &compiler{opsets: g.Opsets}
	if err := c.version(g); err != nil {
		s.Refused = err
	}
	if _, _, err := c.body(g, nil, 0); err != nil {
		s.Refused = errors.Join(s.Refused, err)
	}
	s.Missing, s.Quantised = c.missing, c.quantised
	return s
}

// infos finds constants of a graph and of those around it.
type infos struct {
	up  *infos
	own map[string]checkpoint.Info
}

func (i *infos) find(name string) (checkpoint.Info, bool) {
	for ; i != nil; i = i.up {
		if info, ok := i.own[name]; ok {
			return info, true
		}
	}
	return checkpoint.Info{}, false
}

func (s *Summary) walk(g *Graph, up *infos, seen named) {
	constants := &infos{up, map[string]checkpoint.Info{}}
	for i := range g.Constants {
		c := &g.Constants[i]
		constants.own[c.Name] = info(c.Name, c.Type, c.Shape)
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		s.Operators[n.operator()]++
		if v, ok := n.Attrs["value"].(Value); ok && n.Op == "Constant" && len(n.Outputs) == 1 {
			constants.own[n.Outputs[0]] = info(n.Outputs[0], v.Type, v.Shape)
		}
		if shape, ok := constants.rounded(g, n); ok {
			constants.own[n.Outputs[0]] = info(n.Outputs[0], F32, shape)
		}
		if n.IsRecurrent() {
			cfg, err := settingsOf(n, constants.find)
			s.Layers = append(s.Layers, LayerSummary{seen.name(n), cfg, err})
		}
		for _, name := range n.bodyNames() {
			s.walk(n.Attrs[name].(*Graph), constants, seen)
		}
	}
}

// rounded returns the shape of what a node makes of constant integers and scales, or of
// that in another shape.
func (i *infos) rounded(g *Graph, n *Node) (shape []int, ok bool) {
	x, known := i.find(n.input(0))
	if !known || domain(n.Domain) != "" || len(n.Outputs) != 1 {
		return nil, false
	}
	switch n.Op {
	case "DequantizeLinear":
		_, ok := i.find(n.input(1))
		return x.Shape, ok
	case "Reshape":
		if x.DType != checkpoint.F32 {
			return nil, false
		}
		for k := range g.Constants {
			if c := &g.Constants[k]; c.Name == n.input(1) && c.Type == I64 && len(c.Shape) == 1 && c.Shape[0] <= maxRank {
				v, err := c.value()
				if err != nil {
					return nil, false
				}
				sizes, err := v.ints()
				for _, s := range sizes {
					shape = append(shape, int(s))
				}
				return shape, err == nil && !slices.ContainsFunc(sizes, func(s int64) bool { return s < 1 })
			}
		}
	}
	return nil, false
}

// bodyNames are the attributes that are graphs, sorted.
func (n *Node) bodyNames() (names []string) {
	for name, a := range n.Attrs {
		if g, ok := a.(*Graph); ok && g != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// info describes a constant as files do.
func info(name string, t Type, shape []int) checkpoint.Info {
	i := checkpoint.Info{Name: name, Shape: shape}
	for from, to := range storedTypes {
		if to == t {
			i.DType = from
		}
	}
	return i
}
