package graph

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// plan is a program for inputs of certain shapes: steps over values that have
// their places in a frame.
type plan struct {
	inputs  []*operand
	pins    []*Value // of an input whose value the plan is made for
	outputs []*operand
	steps   []step
	values  []*operand   // of a frame, by index: not those that are known
	arena   int64        // bytes of a frame
	used    atomic.Int64 // when it last ran, by the program's clock
	frames  frames
}

// step is a node that is left to be run.
type step struct {
	run              kernel
	n                *node
	in, out, scratch []*operand
	read             map[int]bool // inputs the plan has read
	local            func() any
	ew               *pointwise
	last             *lastForm
	integer          *lineInteger
	together         *bool
}

// scope is the names of a body and of those around it.
type scope struct {
	up    *scope
	names map[string]*operand
}

func (s *scope) find(name string) *operand {
	for ; s != nil; s = s.up {
		if o, ok := s.names[name]; ok {
			return o
		}
	}
	return nil
}

// planner makes a plan.
type planner struct {
	p          *Program
	eager      bool // every input is known, so every step runs at once
	steps      []step
	values     []*operand
	count      int64 // nodes
	bytes      int64 // of what was folded
	given      int64 // of constants and inputs
	fold, work int64
	// batch and axes are set where an axis of the inputs is followed.
	batch int
	axes  []int
	time  *timeline // the axis is one of time
	see   func(Seen) error
	last  *node // recurrent, of those that are seen
}

// maxRank bounds the dimensions of a value.
const maxRank = 16

// operand makes an operand after its size is found to be allowed.
func (pl *planner) operand(t Type, shape []int) (*operand, error) {
	t = t.Held()
	if len(shape) > maxRank {
		return nil, &Error{Reason: fmt.Sprintf("a value of %d dimensions; at most %d are run", len(shape), maxRank), Err: ErrOperator}
	}
	n, err := elements(t, shape)
	if err != nil {
		return nil, &Error{Reason: err.Error(), Err: ErrGraph}
	}
	if b := int64(n) * int64(t.size()); b > pl.p.limits.Memory {
		return nil, limitError("bytes", b, pl.p.limits.Memory, "Memory")
	}
	o := &operand{typ: t, shape: slices.Clone(shape), n: n, index: -1}
	if o.shape == nil {
		o.shape = []int{}
	}
	return o, nil
}

// newPlan plans for the inputs given, of which those pinned are known.
func (p *Program) newPlan(inputs []Value, pinned []bool, eager bool) (pn *plan, err error) {
	return p.newPlanOf(&planner{p: p, eager: eager}, inputs, pinned)
}

func (p *Program) newPlanOf(pl *planner, inputs []Value, pinned []bool) (pn *plan, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = graphError("", "a defect of unroll: %v", r)
		}
	}()
	pn = &plan{pins: make([]*Value, len(inputs))}
	sc := &scope{names: map[string]*operand{}}
	for i, v := range inputs {
		o, err := pl.operand(v.Type, v.Shape)
		if err != nil {
			return nil, err
		}
		o.input, o.deps, o.as = 1+i, inputBit(i), p.graph.Inputs[i].narrow()
		pl.given += v.Bytes()
		switch {
		case pl.eager:
			o.known = &v
		case pinned[i]:
			v = v.Clone()
			pn.pins[i], o.known = &v, &v
		default:
			pl.register(o)
		}
		if pl.batch > 0 && pl.axes[i] >= 0 {
			o.batch = &label{pl.axes[i], 1, 1}
		}
		pn.inputs = append(pn.inputs, o)
		sc.names[p.graph.Inputs[i].Name] = o
	}
	if err := pl.body(p.body, sc); err != nil {
		return nil, err
	}
	for _, out := range p.graph.Outputs {
		pn.outputs = append(pn.outputs, sc.find(out.Name))
	}
	if err := hold(pl, pn); err != nil {
		return nil, err
	}
	join(pl, pn)
	pn.steps, pn.values = pl.steps, pl.values
	return pn, pn.place(pl)
}

// register gives a value that is not known its index in the frame.
func (pl *planner) register(o *operand) {
	if o.known == nil && o.index < 0 && o.list == nil {
		o.index = len(pl.values)
		pl.values = append(pl.values, o)
	}
}

// body plans the nodes of a graph, whose inputs are in its scope.
func (pl *planner) body(b *body, sc *scope) error {
	for _, c := range b.used {
		v, err := pl.constant(c)
		if err != nil {
			return err
		}
		o, err := pl.operand(v.Type, v.Shape)
		if err != nil {
			return err
		}
		o.known, o.pure, o.as = v, true, v.as
		pl.given += v.Bytes()
		sc.names[c.Name] = o
	}
	for _, n := range b.nodes {
		if err := pl.node(n, sc); err != nil {
			var m *mixedError
			if errors.As(err, &m) {
				return err
			}
			return at(n.Node, err)
		}
		if pl.see != nil {
			if err := pl.seen(n, sc); err != nil {
				return err
			}
		}
	}
	return nil
}

func (pl *planner) node(n *node, sc *scope) error {
	if pl.count++; pl.count > pl.p.limits.Steps {
		return limitError("steps or more", pl.count, pl.p.limits.Steps, "Steps")
	}
	c := &call{node: n, pl: pl, scope: sc, in: make([]*operand, len(n.Inputs))}
	pure := len(n.bodies) == 0
	for i, name := range n.Inputs {
		if name == "" {
			continue
		}
		o := sc.find(name)
		if o == nil { // compile has looked: an output that its node did not give
			return c.fail("input %q has no value", name)
		}
		c.in[i] = o
		pure = pure && o.known != nil && o.pure
	}
	if pure && pl.recall(c) {
		return pl.bind(c)
	}
	return pl.apply(c, pure)
}

// apply plans a call whose inputs are there; pure says that they and the node are
// the same for all plans.
func (pl *planner) apply(c *call, pure bool) error {
	n, known := c.node, true
	for _, o := range c.in {
		known = known && (o == nil || o.known != nil)
	}
	run, err := n.row.plan(c)
	if c.err != nil {
		err = c.err
	}
	if err != nil {
		return err
	}
	for i := range n.Outputs {
		if c.wants(i) && (i >= len(c.out) || c.out[i] == nil) {
			return c.fail("output %d is not one it has", i)
		}
	}
	if pl.batch > 0 {
		follow := pl.label
		if pl.time != nil {
			follow = pl.moment
		}
		if err := follow(c); err != nil {
			return err
		}
	}
	if run != nil {
		if err := pl.step(c, run, known); err != nil {
			return err
		}
	}
	if pure {
		pl.keep(c)
	}
	return pl.bind(c)
}

// recall takes the outputs of a node whose inputs are constants from where they
// were computed before.
func (pl *planner) recall(c *call) bool {
	pl.p.constants.Lock()
	defer pl.p.constants.Unlock()
	values, ok := pl.p.folded[c.node]
	if !ok {
		return false
	}
	for i, v := range values {
		if v != nil && c.value(i, *v, true) != nil {
			return false
		}
		if v != nil {
			c.out[i].known = v // the same, by which packed weights are found
		}
	}
	return true
}

func (pl *planner) keep(c *call) {
	values := make([]*Value, len(c.out))
	for i, o := range c.out {
		if o == nil {
			continue
		}
		if o.known == nil {
			return
		}
		o.pure = true
		if o.as != o.known.as {
			v := *o.known
			v.as, o.known = o.as, &v
		}
		values[i] = o.known
	}
	pl.p.constants.Lock()
	defer pl.p.constants.Unlock()
	if before, ok := pl.p.folded[c.node]; ok { // another goroutine was first
		for i, v := range before {
			if v != nil {
				c.out[i].known = v
			}
		}
		return
	}
	pl.p.folded[c.node] = values
}

// step adds a step to the plan, or computes it now where its inputs are known.
func (pl *planner) step(c *call, run kernel, known bool) error {
	work, elements := c.work, 0
	for _, o := range c.out {
		if o != nil {
			elements += o.n
			work = min(work+int64(o.n), 1<<62)
		}
	}
	if elements == 0 { // loops over a size beside an empty one may be long
		run, work = func(*args) error { return nil }, 0
	}
	l := &pl.p.limits
	if pl.work += min(work, 1<<62-pl.work); pl.work > l.Work {
		return limitError("operations or more", pl.work, l.Work, "Work")
	}
	if !known {
		s := step{run: run, n: c.node, in: c.in, out: c.out, scratch: c.scratch, read: c.read, local: c.local, ew: c.ew, last: c.last, integer: c.integer, together: c.together}
		for _, o := range s.scratch {
			pl.register(o)
		}
		pl.steps = append(pl.steps, s)
		return nil
	}
	if pl.fold += min(work, 1<<62-pl.fold); pl.fold > l.FoldWork && !pl.eager {
		return limitError("operations before a run or more", pl.fold, l.FoldWork, "FoldWork")
	}
	a := &args{in: make([]*Value, len(c.in))}
	for i, o := range c.in {
		if o != nil {
			a.in[i] = o.known
		}
	}
	for _, list := range []struct {
		from []*operand
		to   *[]*Value
	}{{c.out, &a.out}, {c.scratch, &a.scratch}} {
		for _, o := range list.from {
			if o == nil {
				*list.to = append(*list.to, nil)
				continue
			}
			if o.known != nil { // a view
				*list.to = append(*list.to, o.known)
				continue
			}
			if err := pl.charge(o); err != nil {
				return err
			}
			v, err := New(o.typ, o.shape...)
			if err != nil {
				return err
			}
			o.known = &v
			*list.to = append(*list.to, &v)
		}
	}
	if c.local != nil {
		a.local = c.local()
	}
	return protect(run, a)
}

// charge counts memory that is taken while a plan is made.
func (pl *planner) charge(o *operand) error {
	l := &pl.p.limits
	pl.bytes += int64(o.n) * int64(o.typ.size())
	most, field := l.FoldMemory, "FoldMemory"
	switch {
	case pl.eager:
		most, field = l.Memory, "Memory"
	case most == 0:
		most = min(64<<20+4*pl.given, l.Memory)
	}
	if pl.bytes > most {
		return limitError("bytes or more of what is computed from constants and shapes", pl.bytes, most, field)
	}
	return nil
}

// bind gives a node's outputs their names.
func (pl *planner) bind(c *call) error {
	var from deps
	for _, o := range c.in {
		if o != nil {
			from |= o.deps
		}
	}
	for i, o := range c.out {
		if o == nil {
			continue
		}
		if o.known == nil {
			o.deps |= from
			pl.register(o)
		}
		if c.wants(i) {
			c.scope.names[c.Outputs[i]] = o
		}
	}
	return nil
}

// protect runs a kernel; a panic, which is a defect of it, becomes an error.
func protect(run kernel, a *args) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a defect of unroll: %v", r)
		}
	}()
	return run(a)
}

// planFor makes the plan for inputs, pinning what has to be; nil where the
// program cannot be planned for them. It holds the lock of the plans.
func (p *Program) planFor(inputs []Value) (*plan, error) {
	for {
		pn, err := p.newPlan(inputs, p.plans.pinned, false)
		var need *needError
		if !errors.As(err, &need) {
			return pn, err
		}
		if !p.pin(need.o.deps, inputs) {
			return nil, nil
		}
	}
}

// maxPinned bounds the elements of an input whose value a plan is made for.
const maxPinned = 16

// pin marks the inputs that a needed value depends on, and reports false if one
// of them is not a few integers, or all were marked before.
func (p *Program) pin(d deps, inputs []Value) bool {
	grew := false
	for i, v := range inputs {
		if d&inputBit(i) == 0 {
			continue
		}
		if i >= 63 || v.Type.isFloat() || v.n > maxPinned {
			return false
		}
		grew = grew || !p.plans.pinned[i]
	}
	for i := range inputs {
		if grew && d&inputBit(i) != 0 {
			p.plans.pinned[i] = true
		}
	}
	return grew
}
