package graph

import (
	"maps"
	"slices"
)

// withShapes gives outputs that say nothing of their shape the one that plans for
// two sets of sizes show, and their types: a dimension that is the same in both is a
// number, one that follows a symbol of the inputs is that symbol. Outputs of a graph
// that cannot be planned so stay as they are. A file of ONNX that passes its checker
// has them.
func withShapes(g *Graph) *Graph {
	if !slices.ContainsFunc(g.Outputs, func(p Port) bool { return p.Shape == nil }) {
		return g
	}
	for _, scale := range []int{1, 16, 256} { // a convolution may need many steps
		a, ok := planned(g, scale, []int{5, 7, 11, 13, 17, 19, 23, 29})
		if !ok {
			continue
		}
		b, ok := planned(g, scale, []int{6, 9, 10, 14, 15, 21, 22, 26})
		if !ok {
			continue
		}
		to := *g
		to.Outputs = slices.Clone(g.Outputs)
		for i := range to.Outputs {
			if p := &to.Outputs[i]; p.Shape == nil {
				p.Shape = dims(a.outputs[i].shape, b.outputs[i].shape, a.symbols, b.symbols)
			}
		}
		return &to
	}
	return g
}

// sized is what a plan for some sizes shows.
type sized struct {
	outputs []*operand
	symbols map[string]int
}

// maxPlanned bounds the elements of an input that a graph is planned for.
const maxPlanned = 1 << 22

// planned plans a graph for inputs whose symbols have the sizes given.
func planned(g *Graph, scale int, sizes []int) (sized, bool) {
	s := sized{symbols: map[string]int{}}
	p, err := Compile(g, Limits{Memory: 1 << 30, Work: 1 << 34})
	if err != nil {
		return s, false
	}
	var inputs []Value
	count := 0
	next := func() int {
		count++
		return scale * sizes[(count-1)%len(sizes)]
	}
	for _, port := range g.Inputs {
		shape := make([]int, len(port.Shape))
		for i, d := range port.Shape {
			switch n, known := s.symbols[d.Name]; {
			case d.Size >= 0:
				shape[i] = d.Size
			case d.Name == "":
				shape[i] = next()
			case known:
				shape[i] = n
			default:
				shape[i] = next()
				s.symbols[d.Name] = shape[i]
			}
		}
		if n, err := elements(port.Type, shape); err != nil || n > maxPlanned || port.Shape == nil {
			return s, false
		}
		v, err := New(port.Type, shape...)
		if err != nil {
			return s, false
		}
		inputs = append(inputs, v)
	}
	pn, err := p.planFor(inputs)
	if err != nil || pn == nil {
		return s, false
	}
	s.outputs = pn.outputs
	return s, true
}

// dims compares the shapes of an output in two plans.
func dims(a, b []int, in, other map[string]int) []Dim {
	if len(a) != len(b) {
		return nil
	}
	shape := make([]Dim, len(a))
	for i := range a {
		shape[i] = Dim{Size: a[i]}
		if a[i] == b[i] {
			continue
		}
		shape[i] = Dim{Size: -1}
		for _, name := range slices.Sorted(maps.Keys(in)) {
			if in[name] == a[i] && other[name] == b[i] {
				shape[i].Name = name
				break
			}
		}
	}
	return shape
}
