package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/graph"
)

// precision is what the program's parts compute in. A model folder's recurrent layer
// and head are rounded before, by themselves.
func (m *Model) precision(o Options) func(part string) unroll.Precision {
	if m.trained != nil {
		head := m.trained.Config().Precision["fc"]
		return func(part string) unroll.Precision {
			if strings.HasPrefix(part, "Gemm") {
				return head
			}
			return unroll.Full
		}
	}
	if o.Precision == unroll.Full {
		return nil
	}
	return func(part string) unroll.Precision {
		node := part
		if i := strings.LastIndex(part, ".l"); i >= 0 {
			node = part[:i]
		}
		if slices.Contains(o.Keep, part) || slices.Contains(o.Keep, node) {
			return unroll.Full
		}
		return o.Precision
	}
}

// rounding says which weights are integers in an ONNX file of the model: those that are
// in its program, and a model folder's embedding.
func (m *Model) rounding(o Options) graph.Rounding {
	if m.trained != nil {
		parts := m.trained.Config().Precision
		return func(n *graph.Node, _ string) unroll.Precision {
			return parts[map[string]string{"Gather": "embedding", "Gemm": "fc"}[n.Op]] // layers have their own
		}
	}
	precision := m.precision(o)
	if precision == nil || o.Float64 {
		return nil
	}
	return func(n *graph.Node, part string) unroll.Precision {
		if n.Op == "Gather" {
			return unroll.Full
		}
		return precision(part)
	}
}

// lowered is the recurrent layer of a file of weights in the precision that its node
// has in the program: who takes it by itself gets the program's bits.
func (m *Model) lowered(l *unroll.Layer, g *graph.Graph, o Options) (*unroll.Layer, error) {
	precision := m.precision(o)
	i := slices.IndexFunc(g.Nodes, func(n graph.Node) bool { return n.Domain == graph.Own && n.Op == "Layer" })
	if precision == nil || i < 0 || o.Float64 {
		return l, nil
	}
	each := make([]unroll.Precision, l.Config().Layers())
	for n := range each {
		part := g.Nodes[i].Part()
		if len(each) > 1 {
			part += fmt.Sprintf(".l%d", n)
		}
		each[n] = precision(part)
	}
	return l.QuantizeEach(each)
}

// Parts returns the names of what has a precision: of a model folder those of
// nn.Config.Parts, of another model, once it has run, its recurrent layers and its
// products and convolutions with constants, by their nodes (NAME.l0 and so on for the
// layers of a node of several).
func (m *Model) Parts() []string {
	if m.trained != nil {
		return m.trained.Config().Parts()
	}
	return m.program.Parts()
}

// known refuses a name of Options.Keep that no node has, which would keep nothing;
// those of a model folder are compared when it is rounded.
func (o Options) known(g *graph.Graph) error {
	if len(o.Keep) == 0 || o.Precision == unroll.Full {
		return nil
	}
	all, weighty := map[string]bool{}, []string{}
	var walk func(g *graph.Graph)
	walk = func(g *graph.Graph) {
		for i := range g.Nodes {
			n := &g.Nodes[i]
			all[n.Part()] = true
			if slices.Contains(roundable, n.Op) {
				weighty = append(weighty, n.Part())
			}
			for _, a := range n.Attrs {
				if body, ok := a.(*graph.Graph); ok {
					walk(body)
				}
			}
		}
	}
	walk(g)
	for _, name := range o.Keep {
		node := name
		if i := strings.LastIndex(name, ".l"); i >= 0 {
			node = name[:i]
		}
		if !all[name] && !all[node] {
			return &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "Options.Keep", Got: strconv.Quote(name), Want: "nodes of the model: " + strings.Join(weighty, ", ")}
		}
	}
	return nil
}

// roundable are the operators whose constants have a precision.
var roundable = []string{"Layer", "LSTM", "GRU", "RNN", "MatMul", "Gemm", "Conv"}
