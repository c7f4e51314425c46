package graph

import (
	"slices"

	unroll "github.com/unroll-ml/unroll"
)

// An axis of the inputs is one of time if a sequence may be cut anywhere along it:
// runs of the parts, each with the states that the run before gave, give what a run
// of the whole gives. So every operator acts on one step, but for recurrent nodes
// that go forward from a state of the program to the state after; and what is taken
// of the last step alone is of the last part.

// timeline is what a plan that follows an axis of time knows.
type timeline struct {
	states   deps           // inputs that are states
	after    []bool         // outputs that are
	carriers map[*Node]bool // recurrent nodes that go from a state to the state after
}

// TimeAxes reports along which axis of each input, -1 for those that have none, and
// of each output, -1 for what is of the last step, a sequence may be cut. Axes are
// considered that are open; states are the program's, which have none. ok is false
// where there is no such axis; why then says what stands against it.
func (p *Program) TimeAxes(example []Value, open [][]bool, states []State) (in, out []int, ok bool, why string, err error) {
	if err := p.checkRun(example, make([]Value, len(p.graph.Outputs))); err != nil {
		return nil, nil, false, "", err
	}
	t := p.timeline(states)
	open = slices.Clone(open)
	for i := range open {
		if t.states&inputBit(i) != 0 {
			open[i] = make([]bool, len(open[i]))
		}
	}
	for _, axes := range p.candidates(open) {
		out, mixed, err := p.moments(example, axes, t)
		if err != nil {
			return nil, nil, false, "", err
		}
		if mixed == "" {
			return axes, out, true, "", nil
		}
		if why == "" {
			why = mixed
		}
	}
	return nil, nil, false, why, nil
}

// timeline finds the nodes that carry the states given.
func (p *Program) timeline(states []State) *timeline {
	g := p.graph
	t := &timeline{after: make([]bool, len(g.Outputs)), carriers: map[*Node]bool{}}
	whole := map[int]bool{} // states that recurrent nodes carry
	pairs, from := carried(g)
	for _, s := range states {
		i := slices.IndexFunc(g.Inputs, func(p Port) bool { return p.Name == s.Input })
		k := slices.IndexFunc(g.Outputs, func(p Port) bool { return p.Name == s.Output })
		if i < 0 || k < 0 {
			continue
		}
		t.states |= inputBit(i)
		t.after[k] = true
		whole[i] = slices.Contains(pairs, [2]int{i, k})
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		ends := places(n)
		carries := len(ends) > 0
		for k := range ends {
			in, ok := -1, false
			if k < len(n.Inputs) {
				in, ok = from[n.Inputs[k]]
			}
			carries = carries && ok && whole[in]
		}
		if carries {
			t.carriers[n] = true
		}
	}
	return t
}

// Backward names a node that takes a state of the program and reads sequences from
// their end, which a stream does not have; "" if there is none.
func (p *Program) Backward(states []State) string {
	t := p.timeline(states)
	for i := range p.graph.Nodes {
		if n := &p.graph.Nodes[i]; t.carriers[n] && !forward(n) {
			return n.String()
		}
	}
	return ""
}

// forward reports whether a recurrent node reads sequences from their beginning
// alone.
func forward(n *Node) bool {
	if l, ok := n.Attrs["layer"].(*unroll.Layer); ok {
		return !l.Config().Bidirectional && !l.Config().Variant.Reverse
	}
	d, said := n.Attrs["direction"].(string)
	return !said || d == "forward"
}

// moments plans for two numbers of steps and looks at the outputs.
func (p *Program) moments(example []Value, axes []int, t *timeline) (out []int, mixed string, err error) {
	plans, mixed, err := p.twice(example, axes, t)
	if mixed != "" || err != nil {
		return nil, mixed, err
	}
	for i, o := range plans[0].outputs {
		name := p.graph.Outputs[i].Name
		other := plans[1].outputs[i]
		switch {
		case t.after[i] && !o.final:
			return nil, "the state " + name + " does not go on with every step", nil
		case o.final:
			out = append(out, -1)
		case o.batch != nil && other.batch != nil && *o.batch == *other.batch && o.batch.outer*o.batch.inner == 1:
			out = append(out, o.batch.axis)
		case o.batch != nil || o.known != nil && !sameValue(o.known, other.known):
			return nil, "output " + name + " has no axis of its own for it", nil
		case o.known == nil && o.deps&t.states != 0:
			return nil, "output " + name + " depends on the state before the first step", nil
		default:
			out = append(out, -1)
		}
	}
	return out, "", nil
}

// moment follows the axis of time through a call.
func (pl *planner) moment(c *call) error {
	t := pl.time
	mixed := func(why string) error { return &mixedError{c.Node.String(), why} }
	ends, carries := places(c.Node), t.carriers[c.Node]
	in := make([]int, len(c.in))
	var along *label
	var final, begin bool
	for i, o := range c.in {
		in[i] = -1
		switch {
		case o == nil || o.known != nil:
		case o.batch != nil:
			if along != nil && (along.outer != o.batch.outer || along.inner != o.batch.inner) {
				return mixed("brings steps together in two orders")
			}
			along, in[i] = o.batch, o.batch.axis
		case o.final:
			final = true
		case o.deps&t.states != 0:
			if _, place := ends[i]; !carries || !place {
				begin = true
			}
		}
	}
	switch {
	case len(c.bodies) > 0:
		return nil
	case along != nil && final, along != nil && begin:
		return mixed("takes every step together with a state or a last step")
	case final && begin:
		return mixed("takes a last step together with the state before the first")
	case carries && along == nil:
		return mixed("goes on once a run, not with every step")
	case ends != nil && along != nil:
		return c.carry(in, along, carries)
	case along == nil:
		c.mark(nil, final)
		return nil
	case !slices.ContainsFunc(c.out, func(o *operand) bool { return o != nil && o.batch == nil && o.known == nil && o.list == nil }):
		return nil // views, which know where it went
	}
	if c.row.axes != nil {
		if out, ok := c.row.axes(c, in); ok {
			c.mark(func(i int) *label { return &label{out[min(i, len(out)-1)], along.outer, along.inner} }, false)
			return nil
		}
	}
	if c.takesLast(in) && along.outer*along.inner == 1 {
		c.mark(nil, true)
		return nil
	}
	return mixed("may mix steps")
}

// mark gives the outputs of a call what is known of them along time.
func (c *call) mark(along func(i int) *label, final bool) {
	for i, o := range c.out {
		if o == nil || o.known != nil || o.batch != nil {
			continue
		}
		if along != nil {
			o.batch = along(i)
		}
		o.final = o.final || final
	}
}

// carry is moment for a recurrent node that reads every step.
func (c *call) carry(in []int, along *label, carries bool) error {
	x, y, lengths := 0, 0, []int{4}
	if l, ok := c.Attrs["layer"].(*unroll.Layer); ok {
		lengths = []int{3, 4} // a masked step repeats the output before it
		if l.Config().BatchFirst {
			x, y = 1, 1
		}
	} else if c.intAttr("layout", 0) != 0 {
		x, y = 1, 1
	}
	why := ""
	switch {
	case !forward(c.Node):
		why = "reads a sequence from its end"
	case !carries:
		why = "begins anew with every run"
	case in[0] != x || along.outer*along.inner != 1:
		why = "may mix steps"
	}
	for _, i := range lengths {
		if c.has(i) {
			why = "takes lengths or a mask"
		}
	}
	if why != "" {
		return &mixedError{c.Node.String(), why}
	}
	for i, o := range c.out {
		if o != nil && i == 0 {
			o.batch = &label{y, 1, 1}
		} else if o != nil {
			o.final = true
		}
	}
	return nil
}

// takesLast reports whether a call takes of its first input the last step alone.
func (c *call) takesLast(in []int) bool {
	a := in[0]
	if a < 0 || slices.ContainsFunc(in[1:], func(other int) bool { return other >= 0 }) {
		return false
	}
	switch c.Op {
	case "Gather":
		axis, err := c.axis(c.intAttr("axis", 0), len(c.shape(0)))
		v := c.known(1)
		return err == nil && axis == a && v != nil && v.n == 1 && index(v, 0) == -1
	case "Slice":
		first, count, _, err := c.ranges()
		return err == nil && count[a] == 1 && first[a] == c.shape(0)[a]-1
	}
	return false
}
