package graph

import (
	"slices"
	"testing"
)

// Nodes that stand right stay; others follow what they read, also in bodies; a loop
// keeps its order.
func TestNodesAreBroughtIntoOrder(t *testing.T) {
	node := func(out string, in ...string) Node { return Node{Op: "Sum", Inputs: in, Outputs: []string{out}} }
	inner := node("e", "c")
	inner.Inputs, inner.Attrs = nil, Attrs{"then_branch": &Graph{Nodes: []Node{node("f", "c")}, Outputs: []Port{{Name: "f"}}}}
	for name, c := range map[string]struct {
		nodes []Node
		want  string
	}{
		"right":     {[]Node{node("a", "x"), node("b", "y"), node("c", "a")}, "abc"},
		"wrong":     {[]Node{node("d", "c", "b"), node("c", "a"), node("b", "x"), node("a", "b")}, "bacd"},
		"in a body": {[]Node{inner, node("c", "x")}, "ce"},
		"a loop":    {[]Node{node("b", "a"), node("a", "b"), node("c", "x")}, "bac"},
		"of itself": {[]Node{node("a", "a")}, "a"},
	} {
		var got string
		for _, n := range sorted(slices.Clone(c.nodes)) {
			got += n.Outputs[0]
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
