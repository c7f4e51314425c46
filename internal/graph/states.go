package graph

import (
	"slices"
	"strings"
	"unicode"

	unroll "github.com/unroll-ml/unroll"
)

// State is an input that takes what an output gave in the call before: their
// names.
type State struct{ Input, Output string }

// States finds the states of a graph: inputs from which a recurrent node starts,
// as they stand or in parts, with the output that has the node's last state; and
// inputs and outputs of one type, of shapes that can be equal, whose names differ
// by a mark of coming and going alone (h0 and hn, state and stateN, x_in and
// x_out). They stand in the order of the inputs.
func States(g *Graph) []State {
	out := make([]int, len(g.Inputs)) // 1 + the output of each input
	taken := make([]bool, len(g.Outputs))
	pair := func(i, k int) {
		if out[i] == 0 && !taken[k] && fits(&g.Inputs[i], &g.Outputs[k]) {
			out[i], taken[k] = 1+k, true
		}
	}
	pairs, _ := carried(g)
	for _, p := range pairs {
		pair(p[0], p[1])
	}
	for i := range g.Inputs {
		for k := range g.Outputs {
			if stem(g.Inputs[i].Name) != "" && stem(g.Inputs[i].Name) == stem(g.Outputs[k].Name) && g.Inputs[i].Name != g.Outputs[k].Name {
				pair(i, k)
			}
		}
	}
	var list []State
	for i, k := range out {
		if k > 0 {
			list = append(list, State{g.Inputs[i].Name, g.Outputs[k-1].Name})
		}
	}
	return list
}

// fits reports whether an output's value can be an input's.
func fits(in, out *Port) bool {
	if in.Type != out.Type || in.Shape == nil || out.Shape == nil {
		return in.Type == out.Type
	}
	if len(in.Shape) != len(out.Shape) || len(in.Shape) == 0 {
		return false
	}
	for i, d := range in.Shape {
		if o := out.Shape[i]; d.Size >= 0 && o.Size >= 0 && d.Size != o.Size {
			return false
		}
	}
	return true
}

// marks are words of names that say that a state comes, or goes.
var marks = []string{"in", "out", "input", "output", "0", "n", "t", "1", "prev", "previous", "past", "present", "next", "new", "old", "init", "initial", "last", "final", "current", "updated"}

// stem returns a name without marks, in small letters; empty if no word is left.
func stem(name string) string {
	var words []string
	word := ""
	end := func() {
		if word != "" {
			words = append(words, strings.ToLower(word))
		}
		word = ""
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			continue
		case i > 0 && (unicode.IsDigit(r) != unicode.IsDigit(runes[i-1]) || unicode.IsUpper(r) && !unicode.IsUpper(runes[i-1])):
			end()
		}
		word += string(r)
	}
	end()
	// h0 and hn: the second letter of two may be a mark.
	if len(words) == 1 && len(words[0]) == 2 && words[0][1] == 'n' {
		words[0] = words[0][:1]
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return slices.Contains(marks, w) }), " ")
}

// moves are operators that arrange elements and compute nothing.
var moves = []string{"Identity", "Cast", "Concat", "Expand", "Flatten", "Gather", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}

// places says, of a recurrent node, which output holds where a state ends that an
// input began; nil for any other node.
func places(n *Node) map[int]int {
	switch {
	case n.Op == "LSTM" && n.ofCell():
		return map[int]int{5: 1, 6: 2}
	case n.ofCell():
		return map[int]int{5: 1}
	case n.Op == "Layer" && n.Domain == Own:
		if l, ok := n.Attrs["layer"].(*unroll.Layer); ok && !l.Config().HasCell() {
			return map[int]int{1: 1}
		}
		return map[int]int{1: 1, 2: 2}
	}
	return nil
}

// carried finds inputs that recurrent nodes start from and outputs that hold
// where they end; from are the values that are one input, moved.
func carried(g *Graph) (pairs [][2]int, from map[string]int) {
	from = map[string]int{}
	ends := map[string]int{} // values that are last states of what began with one
	for i, in := range g.Inputs {
		from[in.Name] = i
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for k, o := range places(n) {
			if k < len(n.Inputs) && o < len(n.Outputs) && n.Outputs[o] != "" {
				if in, ok := from[n.Inputs[k]]; ok {
					ends[n.Outputs[o]] = in
				}
			}
		}
		if slices.Contains(moves, n.Op) {
			for _, of := range []map[string]int{from, ends} {
				if in, ok := common(n, of); ok {
					for _, o := range n.Outputs {
						of[o] = in
					}
				}
			}
		}
	}
	for k, o := range g.Outputs {
		if in, ok := ends[o.Name]; ok {
			pairs = append(pairs, [2]int{in, k})
		}
	}
	return pairs, from
}

// common returns the input of the program that a moving node's data are: of all of
// them for Concat, of the first for others.
func common(n *Node, of map[string]int) (int, bool) {
	data := n.Inputs
	if n.Op != "Concat" && len(data) > 1 {
		data = data[:1]
	}
	found := -1
	for _, name := range data {
		in, ok := of[name]
		if !ok || found >= 0 && in != found {
			return 0, false
		}
		found = in
	}
	return found, found >= 0
}
