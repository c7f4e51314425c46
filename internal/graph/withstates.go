package graph

import (
	"fmt"
	"maps"
	"slices"
)

// WithStates returns a graph in which the states of recurrent nodes that go forward
// and begin with zeros are inputs h_0.NODE and c_0.NODE, and outputs h_n.NODE and
// c_n.NODE: zeros for the inputs give what g gives. notes says which nodes it is not
// done for. g is not changed; it is run once, on zeros, to see the sizes.
func WithStates(g *Graph, limits Limits) (with *Graph, notes []string, err error) {
	w := &stateWriter{Graph: *g, zeros: map[string]bool{}}
	w.Inputs, w.Outputs, w.Nodes = slices.Clone(g.Inputs), slices.Clone(g.Outputs), slices.Clone(g.Nodes)
	var list []int
	for i := range w.Nodes {
		n := &w.Nodes[i]
		zero, err := w.findZeros(n)
		if err != nil {
			return nil, nil, err
		}
		ends := places(n)
		if len(ends) == 0 || n.Domain == Own {
			continue
		}
		switch {
		case !forward(n):
			notes = append(notes, n.String()+" reads sequences from their end too and has no state to carry")
		case zero:
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		return g, notes, nil
	}
	batch, sizes := w.sequences(g, list, limits)
	for k, i := range list {
		if err := w.open(&w.Nodes[i], batch, sizes[k]); err != nil {
			return nil, nil, err
		}
	}
	return &w.Graph, notes, nil
}

// stateWriter is a graph that gets states.
type stateWriter struct {
	Graph
	zeros map[string]bool // values that are zeros
}

// fills are operators that give zeros if they are given zeros.
var fills = []string{"Identity", "Cast", "CastLike", "Expand", "Flatten", "Gather", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"}

// findZeros notes outputs of a node that are zeros, and reports of a recurrent node
// whether it begins with them.
func (w *stateWriter) findZeros(n *Node) (begins bool, err error) {
	ends := places(n)
	for k := range ends {
		if k >= len(n.Inputs) || n.Inputs[k] == "" {
			continue
		}
		if zero, err := w.isZero(n.Inputs[k]); err != nil || !zero {
			return false, err
		}
	}
	if len(ends) > 0 {
		return true, nil
	}
	zero := false
	switch {
	case domain(n.Domain) != "":
	case n.Op == "ConstantOfShape" || n.Op == "Constant":
		v, ok := n.Attrs["value"].(Value)
		zero = ok && v.zero() || !ok && n.Op == "ConstantOfShape"
	case n.Op == "Concat":
		zero = true
		for _, in := range n.Inputs {
			is, err := w.isZero(in)
			if err != nil {
				return false, err
			}
			zero = zero && is
		}
	case slices.Contains(fills, n.Op) && len(n.Inputs) > 0:
		if zero, err = w.isZero(n.Inputs[0]); err != nil {
			return false, err
		}
	}
	if zero {
		for _, o := range n.Outputs {
			w.zeros[o] = true
		}
	}
	return false, nil
}

// isZero reports whether a value follows from constants and is zeros; so many
// elements of a constant are looked at as a state has.
func (w *stateWriter) isZero(name string) (bool, error) {
	if zero, known := w.zeros[name]; known {
		return zero, nil
	}
	for i := range w.Constants {
		c := &w.Constants[i]
		const most = 1 << 20
		if c.Name != name || !c.Type.isFloat() || product(c.Shape) > most {
			continue
		}
		v := c.Value
		if c.Load != nil {
			var err error
			if v, err = c.Load(); err != nil {
				return false, graphError(fmt.Sprintf("constant %q", name), "%v", err)
			}
			c.Value, c.Load = v, nil // it is loaded once
		}
		w.zeros[name] = v.zero()
		return v.zero(), nil
	}
	w.zeros[name] = false
	return false, nil
}

// zero reports whether all numbers of a value are 0.
func (v Value) zero() bool {
	for _, b := range v.bytes() {
		if b != 0 {
			return false
		}
	}
	return true
}

// sequences returns the dimension of sequences that states have, and how many
// sequences each node listed reads when every open dimension is 1; 0 where a run on
// that does not go. A name it has is that of the inputs' dimension.
func (w *stateWriter) sequences(g *Graph, list []int, limits Limits) (batch *Dim, sizes []int) {
	sizes = make([]int, len(list))
	probe := *g
	probe.Outputs = slices.Clone(g.Outputs)
	for _, i := range list {
		probe.Outputs = append(probe.Outputs, Port{Name: g.Nodes[i].Inputs[0]})
	}
	p, err := Compile(&probe, limits)
	if err != nil {
		return nil, sizes
	}
	var example []Value
	for _, in := range g.Inputs {
		shape := make([]int, len(in.Shape))
		for k, d := range in.Shape {
			shape[k] = d.Size
			if d.Size < 0 {
				shape[k] = 1
			}
		}
		v, err := New(in.Type, shape...)
		if err != nil {
			return nil, sizes
		}
		example = append(example, v)
	}
	out := make([]Value, len(probe.Outputs))
	if p.Run(example, out) != nil {
		return nil, sizes
	}
	for k, i := range list {
		x := out[len(g.Outputs)+k].Shape
		if axis := batchAxisOf(&g.Nodes[i]); axis < len(x) {
			sizes[k] = x[axis]
		}
	}
	in, _, ok, _, err := p.BatchAxes(example)
	if err != nil || !ok {
		return nil, sizes
	}
	for i, axis := range in {
		if axis >= 0 {
			return &g.Inputs[i].Shape[axis], sizes
		}
	}
	return nil, sizes
}

// batchAxisOf is the axis of sequences of a recurrent node's first input.
func batchAxisOf(n *Node) int {
	if l, _ := n.Attrs["layout"].(int64); l != 0 {
		return 0
	}
	return 1
}

// open makes the states of a node inputs and outputs.
func (w *stateWriter) open(n *Node, batch *Dim, sequences int) error {
	dim := Dim{Size: -1}
	switch {
	case batch != nil && sequences == 1:
		dim = *batch
	case batch == nil && sequences > 0:
		dim = Dim{Size: sequences}
	}
	hidden, ok := n.Attrs["hidden_size"].(int64)
	if !ok {
		return at(n, graphError("", "it does not say hidden_size, by which its state has a shape"))
	}
	shape := []Dim{{Size: 1}, dim, {Size: int(hidden)}}
	if batchAxisOf(n) == 0 {
		shape[0], shape[1] = shape[1], shape[0]
	}
	name := n.Name
	if name == "" {
		name = n.Outputs[0]
	}
	n.Inputs, n.Outputs, n.Attrs = slices.Clone(n.Inputs), slices.Clone(n.Outputs), maps.Clone(n.Attrs)
	ends := places(n)
	for _, k := range slices.Sorted(maps.Keys(ends)) {
		letter, typ := map[int]string{5: "h", 6: "c"}[k], F32
		if i := slices.IndexFunc(w.Constants, func(c Constant) bool { return c.Name == n.Inputs[1] }); i >= 0 {
			typ = w.Constants[i].Type.Held()
		}
		for len(n.Inputs) <= k {
			n.Inputs = append(n.Inputs, "")
		}
		for len(n.Outputs) <= ends[k] {
			n.Outputs = append(n.Outputs, "")
		}
		in, out := letter+"_0."+name, letter+"_n."+name
		n.Inputs[k] = in
		w.Inputs = append(w.Inputs, Port{Name: in, Type: typ, Shape: shape})
		if n.Outputs[ends[k]] == "" {
			n.Outputs[ends[k]] = out
		} else { // it has a name, which others read
			w.Nodes = append(w.Nodes, Node{Name: out, Op: "Identity", Inputs: []string{n.Outputs[ends[k]]}, Outputs: []string{out}})
		}
		w.Outputs = append(w.Outputs, Port{Name: out, Type: typ, Shape: shape})
	}
	return nil
}
