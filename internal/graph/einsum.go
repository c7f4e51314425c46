package graph

import (
	"math"
	"slices"
	"strings"
)

// Einsum: for each element of the output the sum, in index order, of the products of
// what the labels left out walk over. Two operands are a product of matrices where
// their labels allow it, which is the same sum.

func einsumRows() []row {
	return []row{{op: "Einsum", min: 1, max: -1, attrs: []string{"equation"}, plan: planEinsum, axes: einsumAxes}}
}

// equation is an Einsum: the labels of each operand and of the output. Those of an
// ellipsis are negative, -1 the last of its dimensions.
type equation struct {
	in   [][]int
	out  []int
	size map[int]int
}

// maxLabels bounds the dimensions of all labels together.
const maxLabels = maxRank

// equation reads the attribute for the operands' shapes.
func (c *call) equation() (*equation, error) {
	text := strings.ReplaceAll(c.strAttr("equation", ""), " ", "")
	left, right, said := strings.Cut(text, "->")
	terms := strings.Split(left, ",")
	if len(terms) != len(c.in) {
		return nil, c.fail("equation %q has %d operands, the node %d", text, len(terms), len(c.in))
	}
	e := &equation{size: map[int]int{}}
	for i, term := range terms {
		if !c.has(i) {
			return nil, c.fail("input %d is absent", i)
		}
		labels, err := c.labels(text, term, len(c.shape(i)))
		if err != nil {
			return nil, err
		}
		if len(labels) != len(c.shape(i)) {
			return nil, c.fail("equation %q: operand %d has shape %v", text, i, c.shape(i))
		}
		for k, l := range labels {
			d := c.shape(i)[k]
			if n, there := e.size[l]; there && n != d && n != 1 && d != 1 {
				return nil, c.fail("equation %q: sizes %d and %d meet", text, n, d)
			} else if !there || n == 1 {
				e.size[l] = d
			}
		}
		e.in = append(e.in, labels)
	}
	if len(e.size) > maxLabels {
		return nil, c.unsupported("of %d labels; at most %d are run", len(e.size), maxLabels)
	}
	wide := 0
	for l := range e.size {
		wide = max(wide, -l)
	}
	if !said {
		e.out = e.implicit(wide)
		return e, nil
	}
	var err error
	if e.out, err = c.labels(text, right, len(strings.ReplaceAll(right, "...", ""))+wide); err != nil {
		return nil, err
	}
	for i, l := range e.out {
		if _, there := e.size[l]; !there || slices.Contains(e.out[:i], l) {
			return nil, c.fail("equation %q: the output has a label that no operand has, or one twice", text)
		}
	}
	return e, nil
}

// implicit is the output that is not said: the ellipsis, and labels that are there
// once, in the order of letters.
func (e *equation) implicit(wide int) (out []int) {
	for l := wide; l > 0; l-- {
		out = append(out, -l)
	}
	count := map[int]int{}
	for _, labels := range e.in {
		for _, l := range labels {
			count[l]++
		}
	}
	var once []int
	for l, n := range count {
		if l > 0 && n == 1 {
			once = append(once, l)
		}
	}
	slices.Sort(once)
	return append(out, once...)
}

// labels reads a term of an operand of that many dimensions.
func (c *call) labels(text, term string, rank int) ([]int, error) {
	before, after, dots := strings.Cut(term, "...")
	var out []int
	for k, part := range []string{before, after} {
		if k == 1 && dots {
			for l := rank - len(before) - len(after); l > 0; l-- {
				out = append(out, -l)
			}
		}
		for _, r := range part {
			if r < 'A' || r > 'z' || r > 'Z' && r < 'a' {
				return nil, c.fail("equation %q has %q, expected letters", text, r)
			}
			out = append(out, int(r))
		}
	}
	return out, nil
}

// summed are the labels left out, in the order in which operands have them.
func (e *equation) summed() (list []int) {
	for _, labels := range e.in {
		for _, l := range labels {
			if !slices.Contains(e.out, l) && !slices.Contains(list, l) {
				list = append(list, l)
			}
		}
	}
	return list
}

func (e *equation) shape(labels []int) []int {
	s := make([]int, len(labels))
	for i, l := range labels {
		s[i] = e.size[l]
	}
	return s
}

// einsumAxes: an axis that the output has is independent where every operand that
// has it brings it along.
func einsumAxes(c *call, in []int) ([]int, bool) {
	e, err := c.equation()
	if err != nil {
		return nil, false
	}
	label := 0
	for i, a := range in {
		if a >= 0 {
			if label != 0 && e.in[i][a] != label {
				return nil, false
			}
			label = e.in[i][a]
		}
	}
	for i, a := range in {
		for k, l := range e.in[i] {
			if l == label && k != a && (a >= 0 || !c.uniformIn(i, k)) {
				return nil, false
			}
		}
	}
	at := slices.Index(e.out, label)
	return []int{at}, at >= 0
}

func planEinsum(c *call) (kernel, error) {
	if err := c.same(1); err != nil {
		return nil, err
	}
	e, err := c.equation()
	if err != nil {
		return nil, err
	}
	if p := e.matrices(); p != nil && (c.typ(0) == F32 || c.typ(0) == F64) {
		return nil, p.plan(c, e)
	}
	switch c.typ(0) {
	case F32:
		return summing(c, e, fma32)
	case F64:
		return summing(c, e, math.FMA)
	case I64:
		return summing(c, e, func(a, b, acc int64) int64 { return a*b + acc })
	case I32:
		return summing(c, e, func(a, b, acc int32) int32 { return a*b + acc })
	}
	return nil, c.unsupported("of %s", c.typ(0))
}

// walk is a place in nested loops over sizes, with how far each operand has come.
type walk struct {
	sizes   []int
	strides [][]int // of an operand, for each loop
}

// strides are those of an operand over labels; a label twice walks a diagonal.
func (e *equation) strides(c *call, i int, labels []int) []int {
	out := make([]int, len(labels))
	own := stridesOf(c.shape(i))
	for k, l := range e.in[i] {
		if at := slices.Index(labels, l); at >= 0 && c.shape(i)[k] != 1 {
			out[at] += own[k]
		}
	}
	return out
}

// summing is the kernel for any labels.
func summing[T number](c *call, e *equation, fma func(a, b, acc T) T) (kernel, error) {
	if err := c.result(0, c.typ(0), e.shape(e.out)...); err != nil {
		return nil, err
	}
	sum := e.summed()
	outer, inner := &walk{sizes: e.shape(e.out)}, &walk{sizes: e.shape(sum)}
	for i := range c.in {
		outer.strides = append(outer.strides, e.strides(c, i, e.out))
		inner.strides = append(inner.strides, e.strides(c, i, sum))
	}
	n := product(inner.sizes)
	c.work = macs(c.out[0].n, n, len(c.in))
	return func(a *args) error {
		dst := data[T](a.out[0])
		for o := range dst {
			var acc T
			for k := range n {
				v, rest := T(1), T(1)
				for i, x := range a.in {
					at := offset(o, outer.sizes, outer.strides[i]) + offset(k, inner.sizes, inner.strides[i])
					if i < len(a.in)-1 {
						v *= data[T](x)[at]
					} else {
						rest = data[T](x)[at]
					}
				}
				acc = fma(v, rest, acc)
			}
			dst[o] = acc
		}
		return nil
	}, nil
}

// contraction is an Einsum of two operands as a product of matrices: labels of both
// and the output, of the left alone, of the right alone, and of both alone.
type contraction struct{ batch, left, right, sum []int }

// matrices returns the product that the equation is; nil if it is none.
func (e *equation) matrices() *contraction {
	if len(e.in) != 2 {
		return nil
	}
	p := &contraction{}
	for i, labels := range e.in {
		for k, l := range labels {
			if slices.Contains(labels[:k], l) {
				return nil
			}
			both, out := slices.Contains(e.in[1-i], l), slices.Contains(e.out, l)
			switch {
			case both && out && i == 0:
				p.batch = append(p.batch, l)
			case both && !out && i == 0:
				p.sum = append(p.sum, l)
			case !both && out && i == 0:
				p.left = append(p.left, l)
			case !both && out:
				p.right = append(p.right, l)
			case !both:
				return nil
			}
		}
	}
	return p
}

// plan writes the product.
func (p *contraction) plan(c *call, e *equation) error {
	for i, labels := range e.in {
		for k, l := range labels {
			if c.shape(i)[k] != e.size[l] { // broadcast, which a reshape is not
				return p.spread(c, e)
			}
		}
	}
	return p.write(c, e, c.in)
}

// spread brings the operands to the sizes of their labels first.
func (p *contraction) spread(c *call, e *equation) error {
	x := &expander{c: c}
	var in []*operand
	for i, labels := range e.in {
		shape := make([]int64, len(labels))
		for k, n := range e.shape(labels) {
			shape[k] = int64(n)
		}
		in = append(in, x.op("Expand", nil, c.in[i], x.ints(shape...)))
	}
	if x.err != nil {
		return x.err
	}
	return p.writeWith(x, e, in)
}

func (p *contraction) write(c *call, e *equation, in []*operand) error {
	return p.writeWith(&expander{c: c}, e, in)
}

func (p *contraction) writeWith(x *expander, e *equation, in []*operand) error {
	sides := [2][]int{slices.Concat(p.batch, p.left, p.sum), slices.Concat(p.batch, p.sum, p.right)}
	m, k, n := product(e.shape(p.left)), product(e.shape(p.sum)), product(e.shape(p.right))
	shapes := [2][]int{append(e.shape(p.batch), m, k), append(e.shape(p.batch), k, n)}
	var parts [2]*operand
	for i, want := range sides {
		perm := make([]int64, len(want))
		for at, l := range want {
			perm[at] = int64(slices.Index(e.in[i], l))
		}
		parts[i] = x.reshape(x.transpose(in[i], perm...), shapes[i]...)
	}
	got := slices.Concat(p.batch, p.left, p.right)
	y := x.reshape(x.op("MatMul", nil, parts[0], parts[1]), e.shape(got)...)
	perm := make([]int64, len(e.out))
	for at, l := range e.out {
		perm[at] = int64(slices.Index(got, l))
	}
	return x.give(x.transpose(y, perm...))
}
