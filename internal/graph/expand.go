package graph

import (
	"fmt"
	"reflect"
)

// An operator that ONNX, or ONNX Runtime, defines by others is planned as those:
// its arithmetic, its types and what it does with an axis are theirs.

// expander plans the operators that a node stands for. After an error its methods
// do nothing.
type expander struct {
	c    *call
	err  error
	next int // of the node's parts
}

// op plans an operator of one output.
func (e *expander) op(op string, attrs Attrs, in ...*operand) *operand {
	out := e.ops("", op, 1, attrs, in...)
	if out == nil {
		return nil
	}
	return out[0]
}

// ops plans the newest form of an operator. An absent input is nil; absent ones at
// the end are left out.
func (e *expander) ops(domain, op string, outputs int, attrs Attrs, in ...*operand) []*operand {
	if e.err != nil {
		return nil
	}
	for len(in) > 0 && in[len(in)-1] == nil {
		in = in[:len(in)-1]
	}
	pure := true
	for _, o := range in {
		pure = pure && (o == nil || o.known != nil && o.pure)
	}
	c := &call{node: e.part(domain, op, outputs, len(in), attrs), pl: e.c.pl, scope: &scope{up: e.c.scope, names: map[string]*operand{}}, in: in}
	if pure && e.c.pl.recall(c) {
		return c.out
	}
	if err := e.c.pl.apply(c, pure); err != nil {
		e.err = at(c.Node, err)
		return nil
	}
	return c.out
}

// part returns the node of a part: the same one in every plan, by which what is made
// of constants is found again.
func (e *expander) part(domain, op string, outputs, inputs int, attrs Attrs) *node {
	p := e.c.pl.p
	p.constants.Lock()
	defer p.constants.Unlock()
	i := e.next
	e.next++
	if list := e.c.node.parts; i < len(list) {
		if n := list[i]; n.Op == op && len(n.Inputs) == inputs && len(n.Outputs) == outputs && reflect.DeepEqual(n.Attrs, attrs) {
			return n
		}
	}
	rows := rowsOf(domain, op)
	n := &node{Node: &Node{Name: fmt.Sprintf("%s of %s", op, e.c.name()), Op: op, Domain: domain, Inputs: make([]string, inputs), Attrs: attrs}, row: &rows[len(rows)-1]}
	for k := range outputs {
		n.Outputs = append(n.Outputs, fmt.Sprintf("output %d", k))
	}
	if i == len(e.c.node.parts) {
		e.c.node.parts = append(e.c.node.parts, n)
	}
	return n
}

// name is what an error calls the node.
func (n *Node) name() string {
	if n.Name != "" {
		return n.Name
	}
	return n.Op
}

// ints is a vector that the plan knows.
func (e *expander) ints(v ...int64) *operand { return e.value(Vector(v...)) }

// number is one number of a floating-point type.
func (e *expander) number(t Type, x float64) *operand {
	if t == F64 {
		return e.value(Scalar(x))
	}
	return e.value(Scalar(float32(x)))
}

func (e *expander) value(v Value) *operand {
	if e.err != nil {
		return nil
	}
	o, err := e.c.constant(v)
	if e.err = err; err != nil {
		return nil
	}
	return o
}

// reshape gives an operand another shape.
func (e *expander) reshape(o *operand, shape ...int) *operand {
	list := make([]int64, len(shape))
	for i, d := range shape {
		list[i] = int64(d)
	}
	return e.op("Reshape", Attrs{"allowzero": int64(1)}, o, e.ints(list...))
}

func (e *expander) transpose(o *operand, perm ...int64) *operand {
	return e.op("Transpose", Attrs{"perm": perm}, o)
}

// give makes the operands the node's outputs, and returns the error there was.
func (e *expander) give(out ...*operand) error {
	if e.err != nil {
		return e.err
	}
	for i, o := range out {
		if o != nil {
			if err := e.c.become(i, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// expanded makes the plan of a row that others define.
func expanded(f func(c *call, e *expander) error) func(*call) (kernel, error) {
	return func(c *call) (kernel, error) { return nil, f(c, &expander{c: c}) }
}
