package graph

import (
	"fmt"
	"maps"
	"slices"

	unroll "github.com/unroll-ml/unroll"
)

// WithStates returns a graph in which the states of recurrent nodes that go forward,
// and begin with zeros or what was learnt, are inputs h_0.NODE and c_0.NODE, and
// outputs h_n.NODE and c_n.NODE: what the inputs begin with (Port.Start) gives what g
// gives. notes says which nodes it is not done for, and which begin with what was
// learnt. g is not changed; it is run on zeros, to see the sizes.
func WithStates(g *Graph, limits Limits) (with *Graph, notes []string, err error) {
	w := &stateWriter{Graph: *g, zeros: map[string]bool{}}
	w.Inputs, w.Outputs, w.Nodes = slices.Clone(g.Inputs), slices.Clone(g.Outputs), slices.Clone(g.Nodes)
	var list []int
	starts := newStarts(g, limits)
	for i := range w.Nodes {
		n := &w.Nodes[i]
		zero, err := w.findZeros(n)
		if err != nil {
			return nil, nil, err
		}
		if len(places(n)) == 0 {
			continue
		}
		if !forward(n) {
			if n.Domain != Own { // of a line its builder says so
				notes = append(notes, n.String()+" reads sequences from their end too and has no state to carry")
			}
			continue
		}
		learnt, why := false, ""
		if !zero {
			learnt, why = starts.learnt(n)
		}
		if zero || learnt {
			list = append(list, i)
		}
		switch {
		case learnt:
			notes = append(notes, n.String()+" begins with the state that the file holds")
		case why != "":
			notes = append(notes, n.String()+" has no state to carry: "+why)
		}
	}
	if len(list) == 0 {
		return g, notes, nil
	}
	batch, sizes := w.sequences(g, list, limits)
	for k, i := range list {
		if err := w.open(&w.Nodes[i], batch, sizes[k], starts.of); err != nil {
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
	outputs := slices.Clone(g.Outputs)
	for _, i := range list {
		outputs = append(outputs, Port{Name: g.Nodes[i].Inputs[0]})
	}
	p, example, out, err := probe(g, outputs, 1, limits)
	if err != nil {
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
	if l, ok := n.Attrs["layer"].(*unroll.Layer); ok && l.Config().BatchFirst {
		return 0
	}
	return 1
}

// stateOf returns the shapes of a node's states h and c; dim is that of sequences.
func stateOf(n *Node, dim Dim) (shapes map[string][]Dim, err error) {
	if l, ok := n.Attrs["layer"].(*unroll.Layer); ok {
		c := l.Config()
		rows := Dim{Size: c.Layers() * c.Directions()}
		return map[string][]Dim{"h": {rows, dim, {Size: c.StateSize()}}, "c": {rows, dim, {Size: c.HiddenSize}}}, nil
	}
	hidden, ok := n.Attrs["hidden_size"].(int64)
	if !ok {
		return nil, at(n, graphError("", "it does not say hidden_size, by which its state has a shape"))
	}
	shape := []Dim{{Size: 1}, dim, {Size: int(hidden)}}
	if batchAxisOf(n) == 0 {
		shape[0], shape[1] = shape[1], shape[0]
	}
	return map[string][]Dim{"h": shape, "c": shape}, nil
}

// open makes the states of a node inputs and outputs.
func (w *stateWriter) open(n *Node, batch *Dim, sequences int, starts map[string]Value) error {
	dim := Dim{Size: -1}
	switch {
	case batch != nil && sequences == 1:
		dim = *batch
	case batch == nil && sequences > 0:
		dim = Dim{Size: sequences}
	}
	shapes, err := stateOf(n, dim)
	if err != nil {
		return err
	}
	name := n.Name
	if name == "" {
		name = n.Outputs[0]
	}
	n.Inputs, n.Outputs, n.Attrs = slices.Clone(n.Inputs), slices.Clone(n.Outputs), maps.Clone(n.Attrs)
	ends := places(n)
	for i, k := range slices.Sorted(maps.Keys(ends)) {
		letter, typ := []string{"h", "c"}[i], F32
		shape := shapes[letter]
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
		start := starts[n.Inputs[k]]
		n.Inputs[k] = in
		w.Inputs = append(w.Inputs, Port{Name: in, Type: typ, Shape: shape, Start: start})
		if n.Outputs[ends[k]] == "" {
			n.Outputs[ends[k]] = out
		} else { // it has a name, which others read
			w.Nodes = append(w.Nodes, Node{Name: out, Op: "Identity", Inputs: []string{n.Outputs[ends[k]]}, Outputs: []string{out}})
		}
		w.Outputs = append(w.Outputs, Port{Name: out, Type: typ, Shape: shape})
	}
	return nil
}
