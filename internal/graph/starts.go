package graph

import (
	"bytes"
	"slices"

	"github.com/unroll-ml/unroll/tensor"
)

// starts finds what recurrent nodes begin with where that follows from constants
// and the sizes of inputs alone: a state that was learnt, brought to the batch.
type starts struct {
	g       *Graph
	limits  Limits
	reads   map[string]bool // values that depend on what inputs hold
	carried map[string]int  // those that are one input, moved
	of      map[string]Value
}

func newStarts(g *Graph, limits Limits) *starts {
	s := &starts{g: g, limits: limits, reads: map[string]bool{}, of: map[string]Value{}}
	_, s.carried = carried(g)
	for _, in := range g.Inputs {
		s.reads[in.Name] = true
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		reads := len(n.bodyNames()) > 0
		if n.Op != "Shape" && n.Op != "Size" {
			reads = reads || slices.ContainsFunc(n.Inputs, func(in string) bool { return s.reads[in] })
		}
		for _, o := range n.Outputs {
			s.reads[o] = reads
		}
	}
	return s
}

// learnt finds the states that a node begins with, in s.of. Where there are none, why
// says what the node begins with; it is empty where that is a state of the program.
func (s *starts) learnt(n *Node) (ok bool, why string) {
	var names []string
	for k := range places(n) {
		if k >= len(n.Inputs) || n.Inputs[k] == "" {
			continue
		}
		if _, state := s.carried[n.Inputs[k]]; state {
			return false, ""
		}
		if s.reads[n.Inputs[k]] {
			return false, "it begins with a value that is computed from the inputs"
		}
		names = append(names, n.Inputs[k])
	}
	axis := 1
	if batchAxisOf(n) == 0 && n.Domain != Own {
		axis = 0
	}
	for _, name := range names {
		v, ok := s.one(name, axis)
		if !ok {
			return false, "the state that it begins with is not the same for every sequence and length"
		}
		s.of[name] = v
	}
	return len(names) > 0, ""
}

// one computes a value for one sequence and for two, which have to begin alike.
func (s *starts) one(name string, axis int) (Value, bool) {
	if v, ok := s.of[name]; ok {
		return v, true
	}
	var found [2]Value
	for i := range found {
		_, _, out, err := probe(s.g, []Port{{Name: name}}, 1+i, s.limits)
		if err != nil || len(out[0].Shape) != 3 {
			return Value{}, false
		}
		found[i] = out[0].Clone()
	}
	again, err := found[0].Repeated(found[1].Shape...)
	if err != nil || !bytes.Equal(again.bytes(), found[1].bytes()) {
		return Value{}, false
	}
	for k := range again.Shape {
		if k != axis && found[0].Shape[k] != again.Shape[k] {
			return Value{}, false
		}
	}
	return found[0], true
}

// probe runs what outputs need on zeros, with a size for every open dimension.
func probe(g *Graph, outputs []Port, open int, limits Limits) (p *Program, example, out []Value, err error) {
	with := *g
	with.Outputs = outputs
	if p, err = Compile(&with, limits); err != nil {
		return nil, nil, nil, err
	}
	for _, in := range g.Inputs {
		shape := make([]int, len(in.Shape))
		for k, d := range in.Shape {
			if shape[k] = d.Size; d.Size < 0 {
				shape[k] = open
			}
		}
		v, err := New(in.Type, shape...)
		if err != nil {
			return nil, nil, nil, err
		}
		example = append(example, v)
	}
	out = make([]Value, len(outputs))
	return p, example, out, p.Run(example, out)
}

// Repeated returns a value of a shape in new memory: the first index of an axis of
// size 1 stands for all of another size. It is a tensor.ErrShape for a shape that
// differs otherwise.
func (v Value) Repeated(shape ...int) (Value, error) {
	fits := len(shape) == len(v.Shape)
	for k := 0; fits && k < len(shape); k++ {
		fits = v.Shape[k] == 1 || v.Shape[k] == shape[k]
	}
	if !fits {
		return Value{}, &tensor.ShapeError{Arg: "value", Got: slices.Clone(shape), Want: "one like " + v.String() + ", with any size where that has 1"}
	}
	out, err := New(v.Type, shape...)
	if err != nil || out.n == 0 {
		return out, err
	}
	size := v.Type.size()
	from, to := v.bytes(), out.bytes()
	for i := range out.n {
		at, rest, step := 0, i, 1
		for k := len(shape) - 1; k >= 0; k-- {
			if v.Shape[k] > 1 {
				at += rest % shape[k] * step
			}
			rest /= shape[k]
			step *= v.Shape[k]
		}
		copy(to[i*size:][:size], from[at*size:])
	}
	return out, nil
}
