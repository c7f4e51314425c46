package graph

import (
	"runtime"
	"slices"
)

// The weights of a recurrent node are numbers of a file, then a constant, then the
// parameters of a layer, then packed. Where a constant can be read again and nothing
// but the node reads it, its numbers are given up once the layer has them: every later
// plan has a value without numbers in its place.

// minSpent is from how many bytes on a constant's numbers are given up. Tests lower it.
var minSpent = int64(1 << 16)

// minCollected is from how many bytes on what was given up is collected at once: the
// layers pack their parameters next, into as much new memory.
const minCollected = 1 << 27

// constant is the value of a constant in a plan. One that computes as it goes, and
// shows its values, has all numbers.
func (pl *planner) constant(c *Constant) (*Value, error) {
	if pl.see == nil && !pl.eager {
		pl.p.constants.Lock()
		v := pl.p.spent[c]
		pl.p.constants.Unlock()
		if v != nil {
			return v, nil
		}
	}
	return pl.p.constant(c)
}

// giveUp gives up the numbers of the inputs named, which a layer has taken.
func (c *call) giveUp(inputs []int) {
	p := c.pl.p
	if c.pl.see != nil || c.pl.eager || !c.pureIn(inputs...) {
		return
	}
	for _, i := range inputs {
		if c.has(i) && c.in[i].known != nil {
			if v := p.forget(c.in[i].known); v != nil {
				c.in[i].known = v
			}
		}
	}
	p.collect()
}

// forget gives up the numbers of a constant that a layer has taken, and returns the
// value without them; nil where somebody else needs them, or they are few.
func (p *Program) forget(known *Value) *Value {
	if known.Bytes() < minSpent {
		return nil
	}
	p.constants.Lock()
	defer p.constants.Unlock()
	for from, v := range p.loaded {
		if v == known && from.Load != nil && p.graph.readers(from.Name) == 1 {
			p.spent[from] = &Value{Type: v.Type, Shape: v.Shape, n: v.n}
			delete(p.loaded, from)
			p.garbage += v.Bytes()
			return p.spent[from]
		}
	}
	return nil
}

// collect frees what was given up, where it is much.
func (p *Program) collect() {
	p.constants.Lock()
	defer p.constants.Unlock()
	if p.garbage >= minCollected {
		p.garbage = 0
		runtime.GC()
	}
}

// readers counts the inputs of nodes and the outputs that a value is; a graph with
// bodies, whose nodes may read it too, counts as many.
func (g *Graph) readers(name string) int {
	n := 0
	for i := range g.Nodes {
		for _, a := range g.Nodes[i].Attrs {
			if _, body := a.(*Graph); body {
				n += 2
			}
		}
		for _, in := range g.Nodes[i].Inputs {
			if in == name {
				n++
			}
		}
	}
	if slices.ContainsFunc(g.Outputs, func(o Port) bool { return o.Name == name }) {
		n++
	}
	return n
}

// isSpent reports whether a value's numbers were given up.
func (v *Value) isSpent() bool { return v.p == nil && v.n > 0 }
