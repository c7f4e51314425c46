package model

import (
	"fmt"
	"slices"
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

// lowered is the recurrent layer of a file of weights in the precision that its node
// has in the program: who takes it by itself gets the program's bits.
func (m *Model) lowered(l *unroll.Layer, g *graph.Graph, o Options) (*unroll.Layer, error) {
	precision := m.precision(o)
	i := slices.IndexFunc(g.Nodes, func(n graph.Node) bool { return n.IsStack() })
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
