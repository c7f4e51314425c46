package graph

import (
	"fmt"
	"slices"
)

// operand is what a plan knows of a value.
type operand struct {
	typ   Type
	shape []int
	n     int
	// known is the value itself, where it follows from constants, shapes or
	// inputs the plan is made for; pure says that it follows from constants alone.
	known *Value
	pure  bool
	deps  deps
	root  *operand // whose memory it shares, if not its own
	batch *label   // where the axis that is followed lies; nil: nowhere
	as    Type     // what it is in the file, where that is held as typ
	final bool     // it is of the last step of the axis that is followed
	none  bool     // an optional value that is absent
	list  *list    // of a sequence, which has no type and no memory
	// place in a frame: the index among its values, and, but for inputs and
	// views, the offset and the first and last step that use it.
	index, offset int
	input         int // 1 + the program's input it is
	first, last   int
}

// deps are the inputs a value depends on: a bit each, the last one for all
// inputs beyond 63.
type deps uint64

func inputBit(i int) deps { return 1 << min(i, 63) }

// stands returns the type that an operand has in the file.
func (o *operand) stands() Type {
	if o.as != None {
		return o.as
	}
	return o.typ
}

// base returns the operand that owns o's memory.
func (o *operand) base() *operand {
	for o.root != nil {
		o = o.root
	}
	return o
}

// call is a node being planned: its inputs, and what its row says of it.
type call struct {
	*node
	pl      *planner
	scope   *scope
	in      []*operand // nil: absent
	out     []*operand
	scratch []*operand
	read    map[int]bool // inputs whose value was needed
	local   func() any
	work    int64 // multiply-adds
	err     error // of an attribute
	// elementwise describes a step that may be joined with others.
	ew *pointwise
	// last says how the step works on values with channels last.
	last *lastForm
	// integer is a ConvInteger that can be one step with what follows it.
	integer *lineInteger
	// together is set where the directions of a recurrent node may stand beside each
	// other in its output, [T,B,D,H], as what reads it wants them.
	together *bool
}

// needError says that a plan needs the value of an operand.
type needError struct{ o *operand }

func (e *needError) Error() string { return "a value is needed to plan with that is not known" }

// fail makes an ErrGraph of the node.
func (c *call) fail(format string, a ...any) error { return graphError("", format, a...) }

// unsupported makes an ErrOperator of the node.
func (c *call) unsupported(format string, a ...any) error {
	return &Error{Reason: fmt.Sprintf(format, a...), Err: ErrOperator}
}

// has reports whether input i is there.
func (c *call) has(i int) bool { return i < len(c.in) && c.in[i] != nil }

// wants reports whether output i is.
func (c *call) wants(i int) bool { return i < len(c.Outputs) && c.Outputs[i] != "" }

// shape returns input i's shape, which is not to be changed.
func (c *call) shape(i int) []int { return c.in[i].shape }

// typ returns input i's type.
func (c *call) typ(i int) Type { return c.in[i].typ }

// is reports an error unless input i has one of the types.
func (c *call) is(i int, types ...Type) error {
	if !slices.Contains(types, c.typ(i)) {
		return c.unsupported("input %d is %s, expected one of %v", i, c.typ(i), types)
	}
	return nil
}

// same reports an error unless the inputs present from i on have input 0's type.
func (c *call) same(i int) error {
	for ; i < len(c.in); i++ {
		if c.in[i] != nil && c.typ(i) != c.typ(0) {
			return c.fail("input %d is %s and input 0 %s, expected one type", i, c.typ(i), c.typ(0))
		}
	}
	return nil
}

// known returns input i's value if the plan knows it, or nil.
func (c *call) known(i int) *Value {
	if !c.has(i) {
		return nil
	}
	return c.in[i].known
}

// need returns input i's value, which the plan has to know.
func (c *call) need(i int) (*Value, error) {
	if c.in[i].known == nil {
		return nil, &needError{c.in[i]}
	}
	if c.read == nil {
		c.read = map[int]bool{}
	}
	c.read[i] = true
	return c.in[i].known, nil
}

// needInts is need for integers; the slice is the caller's own.
func (c *call) needInts(i int) ([]int64, error) {
	v, err := c.need(i)
	if err != nil {
		return nil, err
	}
	x, err := v.ints()
	if err != nil {
		return nil, c.fail("input %d: %v", i, err)
	}
	return x, nil
}

// needFloat is need for a single number.
func (c *call) needFloat(i int) (float64, error) {
	v, err := c.need(i)
	if err != nil {
		return 0, err
	}
	if v.n != 1 {
		return 0, c.fail("input %d has shape %v, expected a single number", i, v.Shape)
	}
	switch v.Type {
	case F32:
		return float64(data[float32](v)[0]), nil
	case F64:
		return data[float64](v)[0], nil
	}
	x, err := v.ints()
	if err != nil {
		return 0, err
	}
	return float64(x[0]), nil
}

// axis brings an axis of rank r from -r..r-1 to 0..r-1.
func (c *call) axis(a int64, r int) (int, error) {
	if a < -int64(r) || a >= int64(r) {
		return 0, c.fail("axis %d of %d dimensions, expected %d to %d", a, r, -r, r-1)
	}
	if a < 0 {
		a += int64(r)
	}
	return int(a), nil
}

// axisList is axis for a list, in which none may stand twice.
func (c *call) axisList(list []int64, r int) ([]int, error) {
	out := make([]int, len(list))
	seen := make([]bool, r)
	for i, a := range list {
		x, err := c.axis(a, r)
		if err != nil {
			return nil, err
		}
		if seen[x] {
			return nil, c.fail("axis %d is there twice in %v", a, list)
		}
		seen[x], out[i] = true, x
	}
	return out, nil
}

// result makes output i a new value of that type and shape, which it keeps.
func (c *call) result(i int, t Type, shape ...int) error {
	o, err := c.pl.operand(t, shape)
	if err != nil {
		return err
	}
	return c.become(i, o)
}

// narrowResult is result for a type that may be held as another.
func (c *call) narrowResult(i int, t Type, shape ...int) error {
	if err := c.result(i, t, shape...); err != nil {
		return err
	}
	c.out[i].as = t
	return nil
}

// view makes output i input from's memory under another shape, of as many
// elements.
func (c *call) view(i, from int, shape ...int) error {
	src := c.in[from]
	o, err := c.pl.operand(src.typ, shape)
	if err != nil {
		return err
	}
	if o.n != src.n {
		return c.fail("shape %v has %d elements, its input %v has %d", shape, o.n, src.shape, src.n)
	}
	o.root, o.deps, o.final = src, src.deps, src.final
	if src.batch != nil {
		if o.batch = src.batch.reshaped(src.shape, shape, c.pl.batch); o.batch == nil {
			return &mixedError{c.Node.String(), "lays it out along no axis of its own"}
		}
	}
	if src.known != nil {
		v := *src.known
		v.Shape = o.shape
		o.known, o.pure, o.root, o.as = &v, src.pure, nil, v.as
	}
	return c.become(i, o)
}

// become makes output i an operand that is there already.
func (c *call) become(i int, o *operand) error {
	for len(c.out) <= i {
		c.out = append(c.out, nil)
	}
	c.out[i] = o
	return nil
}

// value makes output i a value known now, which the row has computed.
func (c *call) value(i int, v Value, pure bool) error {
	o, err := c.pl.operand(v.Type, v.Shape)
	if err != nil {
		return err
	}
	o.known, o.pure, o.as = &v, pure, v.as
	return c.become(i, o)
}

// memory gives the step n elements of scratch; args has them in this order.
func (c *call) memory(t Type, n int) error {
	o, err := c.pl.operand(t, []int{n})
	if err != nil {
		return err
	}
	c.scratch = append(c.scratch, o)
	return nil
}

// pureIn reports whether the inputs named follow from constants alone.
func (c *call) pureIn(inputs ...int) bool {
	for _, i := range inputs {
		if c.has(i) && (c.in[i].known == nil || !c.in[i].pure) {
			return false
		}
	}
	return true
}

// sharedKey is what of a node is kept for all plans, and for which setting.
type sharedKey struct {
	n    *node
	what string
}

// layerKey is what of a recurrent node is kept: its layer.
const layerKey = "layer"

// once returns what make makes, once for all plans where the inputs named are
// pure; they have to be known.
func once[T any](c *call, what string, inputs []int, make func() (T, error)) (T, error) {
	if !c.pureIn(inputs...) {
		return make()
	}
	p, k := c.pl.p, sharedKey{c.node, what}
	p.constants.Lock()
	defer p.constants.Unlock()
	if v, ok := p.shared[k].(T); ok {
		return v, nil
	}
	v, err := make()
	if err == nil {
		p.shared[k] = v
	}
	return v, err
}

// attr returns an attribute if it is there and of type T; a wrong type is kept
// in c.err, which the planner returns.
func attr[T any](c *call, name string) (v T, ok bool) {
	a, there := c.Attrs[name]
	if !there {
		return v, false
	}
	if v, ok = a.(T); !ok && c.err == nil {
		c.err = c.fail("attribute %q is a %T, expected %T", name, a, v)
	}
	return v, ok
}

func (c *call) intAttr(name string, def int64) int64 {
	if i, ok := c.Attrs[name].(int); ok {
		return int64(i)
	}
	if v, ok := attr[int64](c, name); ok {
		return v
	}
	return def
}

func (c *call) floatAttr(name string, def float32) float32 {
	if v, ok := attr[float32](c, name); ok {
		return v
	}
	return def
}

func (c *call) strAttr(name, def string) string {
	if v, ok := attr[string](c, name); ok {
		return v
	}
	return def
}

// intsAttr returns a copy of a list, nil where it is absent.
func (c *call) intsAttr(name string) []int64 {
	v, _ := attr[[]int64](c, name)
	return slices.Clone(v)
}

// intsOf reads a list that older versions have as an attribute and newer ones
// as input i; nil where both are absent.
func (c *call) intsOf(name string, i int) ([]int64, error) {
	if _, ok := c.Attrs[name]; ok {
		v := c.intsAttr(name)
		if v == nil {
			v = []int64{}
		}
		return v, nil
	}
	if !c.has(i) {
		return nil, nil
	}
	return c.needInts(i)
}
