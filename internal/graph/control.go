package graph

import (
	"fmt"
	"math"
)

// If, Loop and Scan: their bodies become steps of the plan, a loop's once for
// each time around.

func controlRows() []row {
	scan := []string{"num_scan_inputs", "scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions"}
	return []row{
		{op: "If", min: 1, max: 1, bodies: []string{"then_branch", "else_branch"}, plan: planIf},
		{op: "Loop", min: 2, max: -1, bodies: []string{"body"}, plan: planLoop},
		{op: "Scan", since: 9, min: 1, max: -1, attrs: scan, bodies: []string{"body"}, plan: planScan},
	}
}

// inline plans a body with its inputs and returns its outputs.
func (c *call) inline(b *body, inputs []*operand) ([]*operand, error) {
	if len(inputs) != len(b.graph.Inputs) {
		return nil, c.fail("its body has %d inputs, %d are given", len(b.graph.Inputs), len(inputs))
	}
	sc := &scope{up: c.scope, names: map[string]*operand{}}
	for i, o := range inputs {
		sc.names[b.graph.Inputs[i].Name] = o
	}
	if err := c.pl.body(b, sc); err != nil {
		return nil, err
	}
	out := make([]*operand, len(b.graph.Outputs))
	for i, o := range b.graph.Outputs {
		if out[i] = sc.find(o.Name); out[i] == nil {
			return nil, c.fail("its body gives no %q", o.Name)
		}
	}
	return out, nil
}

// here returns an operand for a place where other plans, or other rounds of a
// loop, may have another: it is not pure.
func here(o *operand) *operand {
	if o == nil || !o.pure {
		return o
	}
	with := *o
	with.pure = false
	return &with
}

func planIf(c *call) (kernel, error) {
	v, err := c.need(0)
	if err != nil {
		return nil, err
	}
	if v.Type != Bool || v.n != 1 {
		return nil, c.fail("its condition is %s, expected one bool", v)
	}
	name := "else_branch"
	if data[bool](v)[0] {
		name = "then_branch"
	}
	out, err := c.inline(c.bodies[name], nil)
	if err != nil {
		return nil, err
	}
	if len(out) < len(c.Outputs) {
		return nil, c.fail("%s has %d outputs, the node %d", name, len(out), len(c.Outputs))
	}
	for i := range c.Outputs {
		o := out[i]
		if !c.in[0].pure {
			o = here(o)
		}
		if err := c.become(i, o); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// constant makes an operand of a value that is known now and not pure.
func (c *call) constant(v Value) (*operand, error) {
	o, err := c.pl.operand(v.Type, v.Shape)
	if err == nil {
		o.known, o.as = &v, v.as
	}
	return o, err
}

// truth returns what a condition says, which the plan has to know.
func (c *call) truth(o *operand) (bool, error) {
	if o.known == nil {
		return false, &needError{o}
	}
	if o.typ != Bool || o.n != 1 {
		return false, c.fail("a condition is %s %v, expected one bool", o.typ, o.shape)
	}
	return data[bool](o.known)[0], nil
}

func planLoop(c *call) (kernel, error) {
	b := c.bodies["body"]
	rounds, on := int64(math.MaxInt64), true
	if c.has(0) {
		list, err := c.needInts(0)
		if err != nil {
			return nil, err
		}
		if len(list) != 1 {
			return nil, c.fail("its count is %v", list)
		}
		rounds = list[0]
	}
	cond, err := c.constant(Scalar(true))
	if err != nil {
		return nil, err
	}
	if c.has(1) {
		cond = c.in[1]
		if on, err = c.truth(cond); err != nil {
			return nil, err
		}
	}
	carried := make([]*operand, len(c.in)-2)
	for i := range carried {
		if !c.has(i + 2) {
			return nil, c.fail("input %d is absent", i+2)
		}
		carried[i] = here(c.in[i+2])
	}
	if len(b.graph.Outputs) < 1+len(carried) || len(c.Outputs) > len(b.graph.Outputs)-1 {
		return nil, c.fail("its body has %d outputs for %d values carried and %d outputs", len(b.graph.Outputs), len(carried), len(c.Outputs))
	}
	kept := make([][]*operand, len(b.graph.Outputs)-1-len(carried))
	for i := int64(0); i < rounds && on; i++ {
		if c.pl.count++; c.pl.count > c.pl.p.limits.Steps {
			return nil, limitError("steps or more", c.pl.count, c.pl.p.limits.Steps, "Steps")
		}
		number, err := c.constant(Scalar(i))
		if err != nil {
			return nil, err
		}
		out, err := c.inline(b, append([]*operand{number, here(cond)}, carried...))
		if err != nil {
			return nil, err
		}
		cond = out[0]
		if on, err = c.truth(cond); err != nil {
			return nil, err
		}
		for k := range carried {
			carried[k] = here(out[1+k])
		}
		for k := range kept {
			kept[k] = append(kept[k], here(out[1+len(carried)+k]))
		}
	}
	return nil, c.give(b, carried, kept, 1, nil, nil)
}

// give makes a loop's outputs: what was carried, then what each round gave,
// stacked along an axis. first is where the latter begin among the body's outputs,
// less what is carried.
func (c *call) give(b *body, carried []*operand, kept [][]*operand, first int, axes []int64, backward []bool) error {
	for i := range c.Outputs {
		if i < len(carried) {
			if err := c.become(i, carried[i]); err != nil {
				return err
			}
			continue
		}
		k := i - len(carried)
		if !c.wants(i) {
			continue
		}
		axis := int64(0)
		if axes != nil {
			axis = axes[k]
		}
		o, err := c.stack(kept[k], axis, backward != nil && backward[k], &b.graph.Outputs[first+i])
		if err != nil {
			return err
		}
		if err := c.become(i, o); err != nil {
			return err
		}
	}
	return nil
}

// stack joins the values of all rounds; port says what they would be where there
// was none.
func (c *call) stack(list []*operand, axis int64, backward bool, port *Port) (*operand, error) {
	if len(list) == 0 {
		shape := []int{0}
		for _, d := range port.Shape {
			shape = append(shape, max(d.Size, 0))
		}
		t := port.Type
		if t == None {
			t = F32
		}
		v, err := New(t, shape...)
		if err != nil {
			return nil, c.fail("%v", err)
		}
		return c.constant(v)
	}
	at, err := c.axis(axis, len(list[0].shape)+1)
	if err != nil {
		return nil, err
	}
	parts := make([]*operand, len(list))
	for i, o := range list {
		k := i
		if backward {
			k = len(list) - 1 - i
		}
		if parts[k], err = c.emit("Unsqueeze", Attrs{"axes": []int64{int64(at)}}, o); err != nil {
			return nil, err
		}
	}
	return c.emit("Concat", Attrs{"axis": int64(at)}, parts...)
}

// emit plans an operator that is in no graph and returns its first output.
func (c *call) emit(op string, attrs Attrs, in ...*operand) (*operand, error) {
	n := &node{Node: &Node{Name: fmt.Sprintf("%s of %s", op, c.Node), Op: op, Inputs: make([]string, len(in)), Outputs: []string{"of a loop"}, Attrs: attrs}}
	n.row = &rowsOf("", op)[0]
	made := &call{node: n, pl: c.pl, scope: &scope{up: c.scope, names: map[string]*operand{}}, in: in}
	if err := c.pl.apply(made, false); err != nil {
		return nil, err
	}
	return made.out[0], nil
}

func planScan(c *call) (kernel, error) {
	b := c.bodies["body"]
	m := int(c.intAttr("num_scan_inputs", 0))
	n := len(c.in) - m
	outs := len(b.graph.Outputs) - n
	if m < 1 || n < 0 || outs < 0 || len(c.Outputs) > len(b.graph.Outputs) {
		return nil, c.fail("%d scan inputs of %d, %d outputs of its body", m, len(c.in), len(b.graph.Outputs))
	}
	lists := map[string]int{"scan_input_axes": m, "scan_input_directions": m, "scan_output_axes": outs, "scan_output_directions": outs}
	read := map[string][]int64{}
	for name, size := range lists {
		if read[name] = c.intsAttr(name); read[name] == nil {
			read[name] = make([]int64, size)
		}
		if len(read[name]) != size {
			return nil, c.fail("%s %v, expected %d numbers", name, read[name], size)
		}
	}
	for i := range c.in {
		if !c.has(i) {
			return nil, c.fail("input %d is absent", i)
		}
	}
	steps := -1
	for i := range m {
		axis, err := c.axis(read["scan_input_axes"][i], len(c.shape(n+i)))
		if err != nil {
			return nil, err
		}
		read["scan_input_axes"][i] = int64(axis)
		if d := c.shape(n + i)[axis]; steps >= 0 && d != steps {
			return nil, c.fail("its inputs have %d and %d steps", steps, d)
		} else {
			steps = d
		}
	}
	carried, kept := make([]*operand, n), make([][]*operand, outs)
	for i := range carried {
		carried[i] = here(c.in[i])
	}
	for t := range steps {
		if c.pl.count++; c.pl.count > c.pl.p.limits.Steps {
			return nil, limitError("steps or more", c.pl.count, c.pl.p.limits.Steps, "Steps")
		}
		inputs := append([]*operand{}, carried...)
		for i := range m {
			k := t
			if read["scan_input_directions"][i] == 1 {
				k = steps - 1 - t
			}
			at, err := c.constant(Scalar(int64(k)))
			if err != nil {
				return nil, err
			}
			x, err := c.emit("Gather", Attrs{"axis": read["scan_input_axes"][i]}, here(c.in[n+i]), at)
			if err != nil {
				return nil, err
			}
			inputs = append(inputs, x)
		}
		out, err := c.inline(b, inputs)
		if err != nil {
			return nil, err
		}
		for i := range carried {
			carried[i] = here(out[i])
		}
		for i := range kept {
			kept[i] = append(kept[i], here(out[n+i]))
		}
	}
	backward := make([]bool, outs)
	for i, d := range read["scan_output_directions"] {
		backward[i] = d == 1
	}
	return nil, c.give(b, carried, kept, 0, read["scan_output_axes"], backward)
}
