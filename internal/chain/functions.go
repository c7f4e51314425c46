package chain

import (
	"slices"
	"sync"

	"github.com/unroll-ml/unroll/internal/graph"
)

// function is one of torch, or of torch.nn.functional: its arguments after the
// values it takes, in torch's order with torch's defaults.
type function struct {
	name string
	// values are how many values it takes: 1; 2, of which the second is the
	// argument other and may be a number; -1 for any number.
	values int
	params []param
	build  func(c *call) (*value, error)
}

// table is made when it is first needed.
var table = sync.OnceValue(func() map[string]*function {
	m := map[string]*function{}
	for _, family := range [][]function{activations(), elementwise(), binaries(), shapes(), reductions(), pools()} {
		for i := range family {
			m[family[i].name] = &family[i]
		}
	}
	for name, of := range map[string]string{"view": "reshape", "multiply": "mul", "subtract": "sub", "divide": "div", "concat": "cat", "identity": "contiguous"} {
		f := *m[of]
		f.name = name
		m[name] = &f
	}
	return m
})

func functionOf(name string) *function { return table()[name] }

func functionNames() []string { return sortedKeys(table()) }

// function applies one to a value, or to those that its arguments name. m is a
// module without tensors that is the function, or nil.
func (b *builder) function(f *function, s *step, v *value, m *module) (*value, error) {
	var in []*value
	if v != nil {
		in = append(in, v)
	}
	in, args, err := b.operands(f, s, in)
	if err != nil {
		return nil, err
	}
	c, err := b.bind(f.name, f.params, args, m)
	if err != nil {
		return nil, err
	}
	c.in = in
	return f.build(c)
}

// operands takes the values among a step's arguments: those by position that come
// first, as many as the function takes, and other.
func (b *builder) operands(f *function, s *step, in []*value) (out []*value, rest []arg, err error) {
	out, rest = in, s.args
	take := func(a arg) error {
		if r, ok := a.value.(ref); ok {
			v, err := b.lookup(string(r), a.pos)
			if err == nil && v == nil {
				err = b.failAt(a.pos, ErrName, "%s is no value named before", r)
			}
			out = append(out, v)
			return err
		}
		x, ok := number(a.value)
		if !ok || f.values != 2 {
			return b.failAt(a.pos, ErrArgument, "%s takes a value here, not %s", f.name, literal(a.value))
		}
		// A number takes the type of the value beside it.
		_, whole := a.value.(int64)
		out = append(out, &value{id: "", typ: graph.None, dims: []int{}, time: -1, rec: nil})
		b.numbersOf = append(b.numbersOf, plainNumber{x, whole})
		return nil
	}
	b.numbersOf = b.numbersOf[:0]
	for len(rest) > 0 && (f.values < 0 || len(out) < f.values) {
		a := rest[0]
		_, isRef := a.value.(ref)
		if a.name != "" && a.name != "other" && a.name != "input" || f.values < 0 && !isRef || f.values == 1 && !isRef {
			break
		}
		if err := take(a); err != nil {
			return nil, nil, err
		}
		rest = rest[1:]
	}
	least := max(f.values, 1)
	if len(out) < least {
		return nil, nil, b.fail("%s takes %d values, it has %d; name them, as in %s(a, b)", f.name, least, len(out), f.name)
	}
	for _, a := range rest {
		if _, ok := a.value.(ref); ok && a.name != "mask" {
			return nil, nil, b.failAt(a.pos, ErrArgument, "%s takes no value here", f.name)
		}
	}
	return out, rest, nil
}

// plainNumber is a number that stands for a value.
type plainNumber struct {
	x     float64
	whole bool
}

// pair brings two operands, of which one may be a plain number, to one type as
// torch does: truth values to integers to real numbers; divide makes integers
// real ones.
func (c *call) pair(divide bool) (a, b *value, err error) {
	a, b = c.in[0], c.in[1]
	if a.typ == graph.None && b.typ == graph.None {
		return nil, nil, c.fail("%s of two numbers", c.what)
	}
	if a.typ != graph.None && b.typ != graph.None {
		t := wider(a.typ, b.typ)
		if divide && !isFloat(t) {
			t = c.opt.Type
		}
		return c.as(a, t), c.as(b, t), nil
	}
	n, v := c.numbersOf[0], a
	if a.typ == graph.None {
		v = b
	}
	t := v.typ
	switch {
	case isFloat(t):
	case divide || !n.whole:
		t = c.opt.Type
	case t == graph.Bool:
		t = graph.I64
	}
	x := &value{id: c.scalar(t, n.x), typ: t, dims: []int{}, time: -1}
	if a.typ == graph.None {
		return x, c.as(b, t), nil
	}
	return c.as(a, t), x, nil
}

// as is v in a type.
func (b *builder) as(v *value, t graph.Type) *value {
	if v.typ == t {
		return v
	}
	return b.cast(v, t)
}

func wider(a, b graph.Type) graph.Type {
	order := []graph.Type{graph.Bool, graph.U8, graph.I8, graph.I32, graph.I64, graph.F32, graph.F64}
	return order[max(slices.Index(order, a), slices.Index(order, b), 0)]
}

// broadcast is the shape of two operands together.
func (c *call) broadcast(a, b *value) ([]int, error) {
	n := max(a.rank(), b.rank())
	out := make([]int, n)
	for i := range n {
		x, y := 1, 1
		if k := i - n + a.rank(); k >= 0 {
			x = a.dims[k]
		}
		if k := i - n + b.rank(); k >= 0 {
			y = b.dims[k]
		}
		switch {
		case x == 1:
			out[i] = y
		case y == 1 || x == y:
			out[i] = x
		case x < 0:
			out[i] = y
		case y < 0:
			out[i] = x
		default:
			return nil, c.fail("%s of shapes %s and %s, which do not go together", c.what, dims(a.dims), dims(b.dims))
		}
	}
	return out, nil
}

// together is op of two operands, of type t.
func (c *call) together(op string, a, b *value, t graph.Type) (*value, error) {
	shape, err := c.broadcast(a, b)
	if err != nil {
		return nil, err
	}
	time := -1
	for _, v := range []*value{a, b} {
		if v.time >= 0 && time < 0 {
			time = v.time + len(shape) - v.rank()
		}
	}
	return &value{id: c.g.Op(op, nil, a.id, b.id), typ: t, dims: shape, time: time}, nil
}

func binaries() []function {
	var list []function
	other := func(name string, build func(c *call) (*value, error), params ...param) {
		list = append(list, function{name, 2, params, build})
	}
	scaled := func(op string) func(c *call) (*value, error) {
		return func(c *call) (*value, error) {
			a, b, err := c.pair(false)
			if err != nil {
				return nil, err
			}
			alpha, err := c.float("alpha")
			if err != nil {
				return nil, err
			}
			if alpha != 1 {
				if !isFloat(b.typ) && alpha != float64(int64(alpha)) {
					return nil, c.fail("%s: alpha %v of whole numbers", c.what, alpha)
				}
				b = c.op(b, "Mul", nil, b.id, c.scalar(b.typ, alpha))
			}
			return c.together(op, a, b, a.typ)
		}
	}
	other("add", scaled("Add"), opt("alpha", int64(1)))
	other("sub", scaled("Sub"), opt("alpha", int64(1)))
	plain := func(op string, divide bool) func(c *call) (*value, error) {
		return func(c *call) (*value, error) {
			a, b, err := c.pair(divide)
			if err != nil {
				return nil, err
			}
			if op == "Pow" && !isFloat(a.typ) {
				return nil, c.fail("pow of whole numbers is not run; write float before it")
			}
			return c.together(op, a, b, a.typ)
		}
	}
	other("mul", plain("Mul", false))
	other("div", plain("Div", true))
	other("pow", plain("Pow", false))
	other("maximum", plain("Max", false))
	other("minimum", plain("Min", false))
	compare := func(op string, not bool) func(c *call) (*value, error) {
		return func(c *call) (*value, error) {
			a, b, err := c.pair(false)
			if err != nil {
				return nil, err
			}
			v, err := c.together(op, a, b, graph.Bool)
			if err == nil && not {
				v = c.unary(v, "Not", nil)
			}
			return v, err
		}
	}
	for name, op := range map[string]string{"eq": "Equal", "gt": "Greater", "lt": "Less", "ge": "GreaterOrEqual", "le": "LessOrEqual"} {
		other(name, compare(op, false))
	}
	other("ne", compare("Equal", true))
	list = append(list,
		function{"matmul", 2, nil, func(c *call) (*value, error) { return c.product(0) }},
		function{"bmm", 2, nil, func(c *call) (*value, error) { return c.product(3) }},
		function{"mm", 2, nil, func(c *call) (*value, error) { return c.product(2) }},
		function{"cat", -1, []param{opt("dim", int64(0))}, concat},
		function{"stack", -1, []param{opt("dim", int64(0))}, stack},
		function{"masked_fill", 1, []param{need("mask"), need("value")}, maskedFill},
	)
	return list
}

// product is matmul; rank is what both have to have, 0 for any.
func (c *call) product(rank int) (*value, error) {
	a, b := c.in[0], c.in[1]
	if a.typ != b.typ || !isFloat(a.typ) {
		return nil, c.fail("%s of %s and %s, expected numbers of one type", c.what, a.typ, b.typ)
	}
	if rank > 0 && (a.rank() != rank || b.rank() != rank) || a.rank() == 0 || b.rank() == 0 {
		return nil, c.fail("%s of shapes %s and %s", c.what, dims(a.dims), dims(b.dims))
	}
	x, y := slices.Clone(a.dims), slices.Clone(b.dims)
	if len(x) == 1 {
		x = []int{1, x[0]}
	}
	if len(y) == 1 {
		y = []int{y[0], 1}
	}
	if k, l := x[len(x)-1], y[len(y)-2]; k >= 0 && l >= 0 && k != l {
		return nil, c.fail("%s of shapes %s and %s: %d and %d differ", c.what, dims(a.dims), dims(b.dims), k, l)
	}
	batch, err := c.broadcast(&value{dims: x[:len(x)-2]}, &value{dims: y[:len(y)-2]})
	if err != nil {
		return nil, err
	}
	out := batch
	if a.rank() > 1 {
		out = append(out, x[len(x)-2])
	}
	if b.rank() > 1 {
		out = append(out, y[len(y)-1])
	}
	time := -1
	if a.time >= 0 && a.time < a.rank()-1 && len(out) == a.rank() {
		time = a.time
	}
	return &value{id: c.g.Op("MatMul", nil, a.id, b.id), typ: a.typ, dims: out, time: time}, nil
}

// concat joins values of one type and rank.
func concat(c *call) (*value, error) {
	v := c.in[0]
	axis, err := c.dim(v, "dim")
	if err != nil {
		return nil, err
	}
	t := v.typ
	for _, w := range c.in {
		t = wider(t, w.typ)
	}
	out, ids := slices.Clone(v.dims), []string{}
	out[axis] = 0
	for _, w := range c.in {
		if w.rank() != v.rank() {
			return nil, c.fail("%s of shapes %s and %s", c.what, dims(v.dims), dims(w.dims))
		}
		for i, d := range w.dims {
			switch {
			case i == axis && (d < 0 || out[i] < 0):
				out[i] = -1
			case i == axis:
				out[i] += d
			case out[i] < 0:
				out[i] = d
			case d >= 0 && d != out[i]:
				return nil, c.fail("%s along dim %d of shapes %s and %s, whose dimension %d differs", c.what, axis, dims(v.dims), dims(w.dims), i)
			}
		}
		ids = append(ids, c.as(w, t).id)
	}
	return &value{id: c.g.Op("Concat", graph.Attrs{"axis": int64(axis)}, ids...), typ: t, dims: out, time: v.time}, nil
}

// stack joins values along a new axis.
func stack(c *call) (*value, error) {
	d, err := c.int("dim")
	if err != nil {
		return nil, err
	}
	axis, err := c.axisOf(d, c.in[0].rank()+1)
	if err != nil {
		return nil, err
	}
	first := c.in[0]
	c.in = slices.Clone(c.in)
	for i, v := range c.in {
		if v.rank() != first.rank() {
			return nil, c.fail("%s of shapes %s and %s", c.what, dims(first.dims), dims(v.dims))
		}
		c.in[i] = c.unsqueezed(v, axis)
	}
	c.args["dim"] = int64(axis)
	return concat(c)
}

// maskedFill puts a number where mask is true.
func maskedFill(c *call) (*value, error) {
	r, ok := c.args["mask"].(ref)
	if !ok {
		return nil, c.wrong("mask", "the name of a value")
	}
	mask, err := c.lookup(string(r), c.at.pos)
	if err != nil {
		return nil, err
	}
	v := c.in[0]
	if mask == nil || mask.typ != graph.Bool {
		return nil, c.wrong("mask", "the name of a value of truth values")
	}
	x, err := c.float("value")
	if err != nil {
		return nil, err
	}
	shape, err := c.broadcast(mask, v)
	if err != nil {
		return nil, err
	}
	return &value{id: c.g.Op("Where", nil, mask.id, c.scalar(v.typ, x), v.id), typ: v.typ, dims: shape, time: v.time}, nil
}
