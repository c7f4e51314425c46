package graph

import (
	"errors"
	"fmt"
	"slices"
)

// An axis of the inputs is a batch axis if it reaches the outputs through axes
// along which no operator mixes. Shapes alone do not show it (a softmax over the
// batch keeps them), so every row says what it does with an axis, and a plan is
// made in which that axis is followed from value to value.

// label says where the batch lies in a value: along an axis of size
// outer*batch*inner. A Reshape may have joined it with others.
type label struct{ axis, outer, inner int }

// mixedError says that a node mixes what stands along the axis followed.
type mixedError struct{ node, why string }

func (e *mixedError) Error() string { return e.node + " " + e.why }

// BatchAxes reports along which axis of each input, -1 for one that all sequences
// share, and of each output a program does the same for every index: inputs of
// many sequences, joined along these axes, give the outputs of each, joined
// likewise, bit by bit. example are inputs it can run; an axis is considered if
// its size is not fixed. ok is false where there is no such axis; why then names
// what mixes. Errors are those of Run.
func (p *Program) BatchAxes(example []Value) (in, out []int, ok bool, why string, err error) {
	open := make([][]bool, len(p.graph.Inputs))
	for i := range open {
		for _, d := range p.graph.Inputs[i].Shape {
			open[i] = append(open[i], d.Size < 0)
		}
	}
	return p.BatchAxesThat(example, open, func([]int, []int) bool { return true })
}

// BatchAxesThat is BatchAxes for axes that are open, those of each input, and that
// accept takes: it is asked for the axes of the inputs first, without those of the
// outputs, and then for both.
func (p *Program) BatchAxesThat(example []Value, open [][]bool, accept func(in, out []int) bool) (in, out []int, ok bool, why string, err error) {
	if err := p.checkRun(example, make([]Value, len(p.graph.Outputs))); err != nil {
		return nil, nil, false, "", err
	}
	list := slices.DeleteFunc(p.candidates(open), func(in []int) bool { return !accept(in, nil) })
	if len(list) == 0 {
		why = "no input has an axis whose size is not fixed"
	}
	for _, axes := range list {
		out, mixed, err := p.follow(example, axes)
		if err != nil {
			return nil, nil, false, "", err
		}
		if mixed == "" && accept(axes, out) {
			return axes, out, true, "", nil
		}
		if mixed == "" {
			mixed = "not every output has it"
		}
		if why == "" { // of the likeliest
			why = mixed
		}
	}
	return nil, nil, false, why, nil
}

// candidates lists the axes that could be a batch: open ones that share a symbol,
// in the order of inputs; then the first, the second, ... open one of each, also
// with the last of those that have fewer.
func (p *Program) candidates(open [][]bool) (list [][]int) {
	inputs := p.graph.Inputs
	add := func(pick func(i int) int) {
		axes, any := make([]int, len(inputs)), false
		for i := range inputs {
			axes[i] = pick(i)
			any = any || axes[i] >= 0
		}
		if any && !slices.ContainsFunc(list, func(o []int) bool { return slices.Equal(o, axes) }) {
			list = append(list, axes)
		}
	}
	for i := range inputs {
		for k, d := range inputs[i].Shape {
			if open[i][k] && d.Name != "" {
				add(func(i int) int {
					axis := slices.Index(inputs[i].Shape, d)
					if axis >= 0 && !open[i][axis] {
						return -1
					}
					return axis
				})
			}
		}
	}
	for k := range 3 {
		for _, last := range []bool{false, true} { // of an input that has fewer, its last
			add(func(i int) int {
				n, found := k, -1
				for axis, is := range open[i] {
					if !is {
						continue
					}
					if n == 0 {
						return axis
					}
					if n--; last {
						found = axis
					}
				}
				return found
			})
		}
	}
	return list
}

// follow plans for batches of 2 and of 3 and compares; mixed says what is wrong.
func (p *Program) follow(example []Value, axes []int) (out []int, mixed string, err error) {
	plans, mixed, err := p.twice(example, axes, nil)
	if mixed != "" || err != nil {
		return nil, mixed, err
	}
	any := false
	for i, o := range plans[0].outputs {
		other := plans[1].outputs[i]
		name := p.graph.Outputs[i].Name
		switch {
		case o.batch == nil && (o.known == nil || sameValue(o.known, other.known)):
			out = append(out, -1)
		case o.batch == nil || other.batch == nil || *o.batch != *other.batch || o.batch.outer*o.batch.inner != 1:
			return nil, fmt.Sprintf("output %q has no axis of its own for it", name), nil
		default:
			out, any = append(out, o.batch.axis), true
		}
	}
	if !any {
		return nil, "no output depends on it", nil
	}
	return out, "", nil
}

// twice plans for sizes of 2 and of 3 of the axis that is followed, and compares;
// mixed says what is wrong.
func (p *Program) twice(example []Value, axes []int, time *timeline) (plans [2]*plan, mixed string, err error) {
	for k := range plans {
		plans[k], err = p.followed(example, axes, 2+k, time)
		var m *mixedError
		var need *needError
		switch {
		case errors.As(err, &m):
			return plans, m.Error(), nil
		case errors.As(err, &need):
			return plans, "its shapes depend on data", nil
		case errors.Is(err, ErrGraph): // a size that only one has
			return plans, err.Error(), nil
		case err != nil:
			return plans, "", err
		}
	}
	return plans, differ(plans[0], plans[1]), nil
}

// followed makes a plan for a batch of n.
func (p *Program) followed(example []Value, axes []int, n int, time *timeline) (*plan, error) {
	inputs, pinned := make([]Value, len(example)), make([]bool, len(example))
	for i, v := range example {
		inputs[i] = v
		if axes[i] < 0 {
			pinned[i] = !v.Type.isFloat() && v.n <= maxPinned
			continue
		}
		var err error
		if inputs[i], err = New(v.Type, withDim(v.Shape, axes[i], n)...); err != nil {
			return nil, err
		}
	}
	return p.newPlanOf(&planner{p: p, batch: n, axes: axes, time: time}, inputs, pinned)
}

// differ compares what two plans for different sizes know: a number that follows
// from the size must not meet data.
func differ(a, b *plan) string {
	if len(a.steps) != len(b.steps) {
		return "its steps depend on the size"
	}
	for i := range a.steps {
		s, t := &a.steps[i], &b.steps[i]
		if s.n.Node != t.n.Node && s.n.Op != t.n.Op {
			return "its steps depend on the size"
		}
		for k, o := range s.in {
			if o == nil || o.known == nil || s.read[k] {
				continue
			}
			other := t.in[k]
			if other == nil || other.known == nil || !sameValue(o.known, other.known) {
				return s.n.String() + " takes a number that depends on the size"
			}
		}
	}
	return ""
}

// sameValue compares values known in two plans; along one axis their sizes may
// differ where all along it is the same.
func sameValue(v, w *Value) bool {
	if w == nil || v.Type != w.Type || len(v.Shape) != len(w.Shape) {
		return false
	}
	axis := -1
	for i, d := range v.Shape {
		if d != w.Shape[i] {
			if axis >= 0 {
				return false
			}
			axis = i
		}
	}
	if axis < 0 && (v == w || v.isSpent() || w.isSpent()) {
		return true // one constant
	}
	if axis < 0 {
		return string(v.bytes()) == string(w.bytes())
	}
	if !uniform(v, axis) || !uniform(w, axis) {
		return false
	}
	run := product(v.Shape[axis+1:]) * v.Type.size()
	for o := range product(v.Shape[:axis]) {
		if string(v.bytes()[o*v.Shape[axis]*run:][:run]) != string(w.bytes()[o*w.Shape[axis]*run:][:run]) {
			return false
		}
	}
	return true
}

// uniform reports whether a value is the same all along an axis.
func uniform(v *Value, axis int) bool {
	n, run := v.Shape[axis], product(v.Shape[axis+1:])*v.Type.size()
	b := v.bytes()
	for o := range product(v.Shape[:axis]) {
		for i := 1; i < n; i++ {
			if string(b[(o*n+i)*run:][:run]) != string(b[o*n*run:][:run]) {
				return false
			}
		}
	}
	return true
}

// reshaped is where a label goes when a value gets another shape; nil where the
// batch does not lie along one axis of it.
func (l *label) reshaped(from, to []int, batch int) *label {
	before := product(from[:l.axis]) * l.outer
	for k, n := range to {
		p := product(to[:k])
		if p > 0 && before%p == 0 && n > 1 && p*n >= before*batch && p*n%(before*batch) == 0 {
			return &label{k, before / p, p * n / (before * batch)}
		}
	}
	return nil
}

// label gives the outputs of a call their labels.
func (pl *planner) label(c *call) error {
	var common *label
	in := make([]int, len(c.in))
	for i, o := range c.in {
		in[i] = -1
		if o == nil || o.batch == nil {
			continue
		}
		in[i] = o.batch.axis
		if common != nil && (common.outer != o.batch.outer || common.inner != o.batch.inner) {
			return &mixedError{c.Node.String(), "brings it together in two orders"}
		}
		common = o.batch
	}
	left := slices.ContainsFunc(c.out, func(o *operand) bool { return o != nil && o.batch == nil && o.known == nil && o.list == nil })
	if common == nil || !left || len(c.bodies) > 0 {
		return nil
	}
	if c.row.axes == nil {
		return &mixedError{c.Node.String(), "may mix what stands along it"}
	}
	out, ok := c.row.axes(c, in)
	if !ok {
		return &mixedError{c.Node.String(), "mixes what stands along it"}
	}
	for i, o := range c.out {
		if o != nil && o.batch == nil && o.known == nil {
			o.batch = &label{out[min(i, len(out)-1)], common.outer, common.inner}
		}
	}
	return nil
}

// uniformIn reports whether input i, which has no batch, may meet one along its
// axis: it has one element there, or is known and the same all along.
func (c *call) uniformIn(i, axis int) bool {
	if axis < 0 || !c.has(i) || c.shape(i)[axis] == 1 {
		return true
	}
	return c.in[i].known != nil && uniform(c.in[i].known, axis)
}

// broadcastAxes: every axis of element-wise operators is independent.
func broadcastAxes(c *call, in []int) ([]int, bool) {
	rank, out := len(c.out[0].shape), -1
	for i, a := range in {
		if a < 0 {
			continue
		}
		if a += rank - len(c.shape(i)); out >= 0 && out != a {
			return nil, false
		}
		out = a
	}
	for i, a := range in {
		if a < 0 && c.has(i) && !c.uniformIn(i, out-rank+len(c.shape(i))) {
			return nil, false
		}
	}
	return []int{out}, true
}

// axisIf is for operators that keep an axis of input 0 where test says so, and
// whose other inputs know no batch.
func axisIf(test func(c *call, axis int) bool) func(*call, []int) ([]int, bool) {
	return func(c *call, in []int) ([]int, bool) {
		for _, a := range in[1:] {
			if a >= 0 {
				return nil, false
			}
		}
		return []int{in[0]}, in[0] >= 0 && test(c, in[0])
	}
}

// firstAxis is for windows and their like: sequences stand along axis 0.
var firstAxis = axisIf(func(_ *call, axis int) bool { return axis == 0 })

// convAxes: sequences stand along axis 0, or along one over which the window is of
// one element and moves by one.
var convAxes = axisIf(func(c *call, axis int) bool {
	strides := c.intsAttr("strides")
	return axis == 0 || axis > 1 && c.shape(1)[axis] == 1 && c.out[0].shape[axis] == c.shape(0)[axis] && (strides == nil || strides[axis-2] == 1)
})

// channelAxes keeps all axes but that of channels, which stands second, where each
// channel has one number.
var channelAxes = axisIf(func(c *call, axis int) bool {
	return axis == 0 || axis > 1 && len(c.shape(1)) == 1
})

// otherAxes keeps all axes but the one of an attribute.
func otherAxes(def int64) func(*call, []int) ([]int, bool) {
	return axisIf(func(c *call, axis int) bool {
		a, err := c.axis(c.intAttr("axis", def), len(c.shape(0)))
		return err == nil && axis != a
	})
}

// leadingAxes keeps those before the axis of an attribute.
func leadingAxes(def int64) func(*call, []int) ([]int, bool) {
	return axisIf(func(c *call, axis int) bool {
		a, err := c.axis(c.intAttr("axis", def), len(c.shape(0)))
		return err == nil && axis < a
	})
}

// matmulAxes: rows of the left side, columns of the right one, and batches.
func matmulAxes(c *call, in []int) ([]int, bool) {
	a, b := c.shape(0), c.shape(1)
	rank := len(c.out[0].shape)
	if len(a) == 1 || len(b) == 1 {
		if len(b) == 1 && in[1] < 0 && in[0] < len(a)-1 {
			return []int{in[0]}, true
		}
		return nil, false
	}
	left, right := in[0]+rank-len(a), in[1]+rank-len(b)
	switch {
	case in[0] == len(a)-1 || in[1] == len(b)-2:
		return nil, false
	case in[0] >= 0 && in[1] >= 0:
		return []int{left}, left == right && left < rank-2
	case in[0] >= 0:
		return []int{left}, left == rank-2 || c.uniformIn(1, left-rank+len(b))
	}
	return []int{right}, right == rank-1 || c.uniformIn(0, right-rank+len(a))
}

func gemmAxes(c *call, in []int) ([]int, bool) {
	row, col := 0, 1
	if c.intAttr("transA", 0) != 0 {
		row = 1
	}
	if c.intAttr("transB", 0) != 0 {
		col = 0
	}
	out := 0
	switch {
	case in[0] == row && in[1] < 0:
	case in[1] == col && in[0] < 0:
		out = 1
	default:
		return nil, false
	}
	if !c.has(2) {
		return []int{out}, true
	}
	at := out - 2 + len(c.shape(2))
	if in[2] >= 0 {
		return []int{out}, in[2] == at
	}
	return []int{out}, c.uniformIn(2, at)
}

// recurrentAxes: sequences do not know of each other.
func recurrentAxes(c *call, in []int) ([]int, bool) {
	x, y, state := 1, 2, 1
	if c.intAttr("layout", 0) != 0 {
		x, y, state = 0, 0, 0
	}
	if in[0] != x {
		return nil, false
	}
	for i, axis := range map[int]int{4: 0, 5: state, 6: state} {
		if c.has(i) && in[i] != axis && (in[i] >= 0 || !c.uniformIn(i, axis)) {
			return nil, false
		}
	}
	return []int{y, state}, true
}

func concatAxes(c *call, in []int) ([]int, bool) {
	axis, err := c.axis(c.intAttr("axis", 0), len(c.shape(0)))
	out := slices.Max(in)
	for i, a := range in {
		if a >= 0 && a != out || a < 0 && !c.uniformIn(i, out) {
			return nil, false
		}
	}
	return []int{out}, err == nil && out != axis
}

func sliceAxes(c *call, in []int) ([]int, bool) {
	first, count, step, err := c.ranges()
	a := in[0]
	return []int{a}, err == nil && a >= 0 && first[a] == 0 && step[a] == 1 && count[a] == c.shape(0)[a]
}

// gatherAxes: the batch lies in the data, or in the indices into data that all
// share.
func gatherAxes(c *call, in []int) ([]int, bool) {
	axis, err := c.axis(c.intAttr("axis", 0), len(c.shape(0)))
	switch {
	case err != nil || in[0] >= 0 && in[1] >= 0 || in[0] == axis:
		return nil, false
	case in[1] >= 0:
		return []int{axis + in[1]}, true
	case in[0] > axis:
		return []int{in[0] - 1 + len(c.shape(1))}, true
	}
	return []int{in[0]}, true
}

// sizeKept keeps an axis whose size an operator does not change.
var sizeKept = axisIf(func(c *call, axis int) bool {
	return len(c.out[0].shape) == len(c.shape(0)) && c.out[0].shape[axis] == c.shape(0)[axis]
})

// padAxes keeps an axis that is neither padded nor shifted.
func padAxes(c *call, in []int) ([]int, bool) {
	pads, err := c.intsOf("pads", 1)
	if err != nil || c.has(3) || in[0] < 0 {
		return nil, false
	}
	return in[:1], pads[in[0]] == 0 && pads[in[0]+len(pads)/2] == 0
}

// integerAxes is matmulAxes where all rows and columns share zero points.
func integerAxes(c *call, in []int) ([]int, bool) {
	for i := 2; i < len(in); i++ {
		if in[i] >= 0 || c.has(i) && c.in[i].n > 1 {
			return nil, false
		}
	}
	return matmulAxes(c, in)
}

// expandAxes aligns at the last dimensions.
func expandAxes(c *call, in []int) ([]int, bool) {
	return []int{in[0] + len(c.out[0].shape) - len(c.shape(0))}, in[0] >= 0
}

// cumSumAxes keeps all axes but the one summed along.
func cumSumAxes(c *call, in []int) ([]int, bool) {
	list, err := c.needInts(1)
	if err != nil || len(list) != 1 || in[0] < 0 || in[1] >= 0 {
		return nil, false
	}
	a, err := c.axis(list[0], len(c.shape(0)))
	return in[:1], err == nil && a != in[0]
}

// gatherNDAxes keeps what the operator itself calls a batch dimension.
func gatherNDAxes(c *call, in []int) ([]int, bool) {
	return in[:1], in[0] >= 0 && in[0] == in[1] && int64(in[0]) < c.intAttr("batch_dims", 0)
}
