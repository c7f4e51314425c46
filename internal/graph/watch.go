package graph

import (
	"slices"

	unroll "github.com/unroll-ml/unroll"
)

// Seen is a node in the course of a run.
type Seen struct {
	*Node
	Inputs, Outputs []Value // zero where the node has none; they are the run's own
	// Constant says that no input of the program reaches the node.
	Constant bool
	// Layer is what a recurrent node is, for sequences of float32.
	Layer *unroll.Layer
	// Last says that no recurrent node comes any more.
	Last bool
}

// Watch runs the program once, node by node, and hands over each with what went in
// and came out, those of the bodies that ran before the node they belong to. An
// error of see ends the run and is returned. Values are read until see returns.
// Other errors are those of Run. Nothing of it is kept for later runs.
func (p *Program) Watch(inputs []Value, see func(Seen) error) ([]Value, error) {
	outputs := make([]Value, len(p.graph.Outputs))
	if err := p.checkRun(inputs, outputs); err != nil {
		return nil, err
	}
	pn, err := p.newPlanOf(&planner{p: p, eager: true, see: see, last: p.lastRecurrent()}, inputs, nil)
	if err != nil {
		return nil, err
	}
	for i, o := range pn.outputs {
		assign(&outputs[i], o.known)
	}
	return outputs, nil
}

// lastRecurrent is the last node that is recurrent, or whose bodies may hold one that
// is; nil if there is none.
func (p *Program) lastRecurrent() *node {
	for _, n := range slices.Backward(p.body.nodes) {
		if n.IsRecurrent() || len(n.row.bodies) > 0 {
			return n
		}
	}
	return nil
}

// seen hands a node to who watches the run.
func (pl *planner) seen(n *node, sc *scope) error {
	s := Seen{Node: n.Node, Constant: true, Last: n == pl.last}
	value := func(name string) Value {
		o := sc.find(name)
		if name == "" || o == nil || o.known == nil {
			return Value{}
		}
		s.Constant = s.Constant && o.pure
		return *o.known
	}
	for _, name := range n.Node.Inputs {
		s.Inputs = append(s.Inputs, value(name))
	}
	reached := s.Constant
	for _, name := range n.Node.Outputs {
		s.Outputs = append(s.Outputs, value(name))
	}
	s.Constant = reached
	if n.IsRecurrent() && len(s.Inputs) > 0 && s.Inputs[0].Type == F32 {
		var err error
		if s.Layer, err = s.layer(); err != nil {
			return at(n.Node, err)
		}
	}
	return pl.see(s)
}

// layer is the layer that a recurrent node is, with the parameters of this run.
func (s *Seen) layer() (*unroll.Layer, error) {
	if l, ok := s.Attrs["layer"].(*unroll.Layer); ok {
		return l, nil
	}
	r, err := readRecurrent(s.Node, func(name string) (*Value, error) {
		v := s.Inputs[slices.Index(s.Node.Inputs, name)]
		return &v, nil
	})
	if err != nil {
		return nil, err
	}
	return layerOf[float32](r)
}
