package graph

import (
	"math"
	"slices"

	unroll "github.com/unroll-ml/unroll"
)

// Products of matrices. A right-hand side that the plan knows is packed once.

func matmulRows() []row {
	return []row{
		{op: "MatMul", min: 2, max: 2, plan: planMatMul, axes: matmulAxes},
		{op: "Gemm", min: 2, max: 3, attrs: []string{"alpha", "beta", "transA", "transB"}, plan: planGemm, axes: gemmAxes},
	}
}

// matrices are the shapes of a product with broadcast batches: [batch...,m,k]
// times [batch...,k,n].
type matrices struct {
	m, k, n int
	out     []int // shape
	batches int
	turned  bool // the left side is the transpose, [k,m], of one batch
	// a and b say which of its operand's matrices a batch takes; nil: the first.
	a, b []int
}

// left and right return where batch i's matrices begin.
func (m *matrices) left(i int) int {
	if m.a != nil {
		i = m.a[i]
	}
	return i * m.m * m.k
}

func (m *matrices) right(i int) int {
	if m.b == nil {
		return 0
	}
	return m.b[i] * m.k * m.n
}

// strides are the distances of a left side's rows and columns.
func (m *matrices) strides() (row, col int) {
	if m.turned {
		return 1, m.m
	}
	return m.k, 1
}

// matrices reads the shapes of a MatMul as numpy does: vectors become matrices.
func (c *call) matrices() (*matrices, error) { return c.matricesOf(c.shape(0), c.shape(1)) }

// matricesOf is matrices for the shapes of two operands.
func (c *call) matricesOf(left, right []int) (*matrices, error) {
	a, b := left, right
	if len(a) == 0 || len(b) == 0 {
		return nil, c.fail("a single number is not a matrix")
	}
	va, vb := len(a) == 1, len(b) == 1
	if va {
		a = []int{1, a[0]}
	}
	if vb {
		b = []int{b[0], 1}
	}
	p, q := len(a)-2, len(b)-2
	m := &matrices{m: a[p], k: a[p+1], n: b[q+1]}
	if b[q] != m.k {
		return nil, c.fail("shapes %v and %v: inner sizes %d and %d differ", left, right, m.k, b[q])
	}
	batch, err := c.broadcast(a[:p], b[:q])
	if err != nil {
		return nil, err
	}
	if product(b[:q]) == 1 { // one right-hand side: all rows are one matrix
		m.m, m.batches = product(batch)*m.m, 1
	} else {
		m.batches = product(batch)
	}
	m.out = slices.Clone(batch)
	if !va {
		m.out = append(m.out, a[p])
	}
	if !vb {
		m.out = append(m.out, m.n)
	}
	if m.batches > 1 && product(m.out) > 0 {
		m.a, m.b = broadcastIndices(batch, a[:p]), broadcastIndices(batch, b[:q])
	}
	return m, nil
}

// broadcastIndices returns which element of an array of shape from stands in each
// place of shape to.
func broadcastIndices(to, from []int) []int {
	strides := make([]int, len(to))
	for i, s := range stridesOf(from) {
		if from[i] != 1 {
			strides[i+len(to)-len(from)] = s
		}
	}
	list := make([]int, product(to))
	for i := range list {
		list[i] = offset(i, to, strides)
	}
	return list
}

// macs returns the number of multiply-adds, as far as an int64 counts.
func macs(sizes ...int) int64 {
	n := int64(1)
	for _, s := range sizes {
		if s > 0 && n > math.MaxInt64/8/int64(s) {
			return math.MaxInt64 / 8
		}
		n *= int64(s)
	}
	return n
}

func planMatMul(c *call) (kernel, error) {
	if err := c.is(0, F32, F64, I64, I32); err != nil {
		return nil, err
	}
	if err := c.same(1); err != nil {
		return nil, err
	}
	m, err := c.matrices()
	if err != nil {
		return nil, err
	}
	c.work = macs(m.batches, m.m, m.k, m.n)
	if err := c.result(0, c.typ(0), m.out...); err != nil {
		return nil, err
	}
	switch c.typ(0) {
	case F64:
		return multiplying(m, func(dst, a, b []float64, n, k int) {
			for j := range n {
				acc := 0.0
				for i := range k {
					acc = math.FMA(a[i], b[i*n+j], acc)
				}
				dst[j] = acc
			}
		}), nil
	case I64:
		return multiplying(m, mulIntegers[int64]), nil
	case I32:
		return multiplying(m, mulIntegers[int32]), nil
	}
	return planProduct(c, m, 1, 0, nil)
}

func mulIntegers[T int64 | int32](dst, a, b []T, n, k int) {
	for j := range n {
		var acc T
		for i := range k {
			acc += a[i] * b[i*n+j]
		}
		dst[j] = acc
	}
}

// multiplying makes products of a row of k with [k,n] matrices.
func multiplying[T Element](m *matrices, f func(dst, a, b []T, n, k int)) kernel {
	return func(a *args) error {
		dst, x, y := data[T](a.out[0]), data[T](a.in[0]), data[T](a.in[1])
		for i := range m.batches {
			for r := range m.m {
				f(dst[(i*m.m+r)*m.n:][:m.n], x[m.left(i)+r*m.k:][:m.k], y[m.right(i):], m.n, m.k)
			}
		}
		return nil
	}
}

// planProduct is a product of float32. init, if not nil, is what sums start from
// in one run: rows ldi apart.
func planProduct(c *call, m *matrices, unit, row int, init func(a *args) (start []float32, ldi int)) (kernel, error) {
	if row == 0 {
		unit, row = 1, m.n
	}
	size := m.k * m.n
	start := func(a *args) ([]float32, int) { return nil, 0 }
	if init != nil {
		start = init
	}
	if w := c.known(1); w != nil && c.inIntegers(m) {
		return c.product8(w, m, unit, row, start)
	}
	rowA, colA := m.strides()
	if w := c.known(1); w != nil && m.batches == 1 {
		p, err := once(c, "panels", []int{1}, func() (panels, error) { return pack(data[float32](w), m.k, m.n, unit, row), nil })
		if err != nil {
			return nil, err
		}
		c.local = func() any { return &scratchRows{} }
		return func(a *args) error {
			from, ldi := start(a)
			mulRows(p, data[float32](a.out[0]), m.n, from, ldi, data[float32](a.in[0]), rowA, colA, m.m, a.local.(*scratchRows))
			return nil
		}, nil
	}
	if err := c.packingFits(m.k, m.n); err != nil {
		return nil, err
	}
	c.local = func() any { return newPacking(m.k, m.n) }
	return func(a *args) error {
		dst, x, y := data[float32](a.out[0]), data[float32](a.in[0]), data[float32](a.in[1])
		l := a.local.(*packing)
		from, ldi := start(a)
		for i := range m.batches {
			l.pack(y[m.right(i):][:size], unit, row)
			mulRows(l.panels, dst[i*m.m*m.n:], m.n, from, ldi, x[m.left(i):], rowA, colA, m.m, &l.rows)
		}
		return nil
	}, nil
}

// inIntegers reports whether a product's known right-hand side is rounded to integers,
// which multiply rows.
func (c *call) inIntegers(m *matrices) bool {
	return m.batches == 1 && c.pureIn(1) && c.precision("", m.k) == unroll.Int8
}

// planGemm computes alpha*A*B + beta*C. With alpha and beta 1 the sums start
// from C, which is the order of docs/numerics.md; otherwise they start from 0,
// and scaled C is added after.
func planGemm(c *call) (kernel, error) {
	if err := c.is(0, F32, F64); err != nil {
		return nil, err
	}
	if err := c.same(1); err != nil {
		return nil, err
	}
	a, b := c.shape(0), c.shape(1)
	if len(a) != 2 || len(b) != 2 {
		return nil, c.fail("shapes %v and %v, expected two dimensions each", a, b)
	}
	ta, tb := c.intAttr("transA", 0) != 0, c.intAttr("transB", 0) != 0
	if ta {
		a = []int{a[1], a[0]}
	}
	if tb {
		b = []int{b[1], b[0]}
	}
	if a[1] != b[0] {
		return nil, c.fail("inner sizes %d and %d differ", a[1], b[0])
	}
	m := &matrices{m: a[0], k: a[1], n: b[1], out: []int{a[0], b[1]}, batches: 1}
	c.work = macs(m.m, m.k, m.n)
	if err := c.result(0, c.typ(0), m.out...); err != nil {
		return nil, err
	}
	if c.has(2) {
		if s, err := c.broadcast(m.out, c.shape(2)); err != nil || !slices.Equal(s, m.out) {
			return nil, c.fail("C has shape %v, the product %v", c.shape(2), m.out)
		}
	}
	alpha, beta := c.floatAttr("alpha", 1), c.floatAttr("beta", 1)
	if c.typ(0) == F64 {
		return gemm64(c, m, ta, tb, float64(alpha), float64(beta)), nil
	}
	return gemm32(c, m, ta, tb, alpha, beta)
}

func gemm32(c *call, m *matrices, ta, tb bool, alpha, beta float32) (kernel, error) {
	unit, row := 1, m.n
	if tb {
		unit, row = m.k, 1
	}
	withC := c.has(2) && beta != 0
	// C as rows for the sums to start from: itself, where it is rows.
	var start func(a *args) ([]float32, int)
	var l *loops
	if withC {
		l = newLoops(m.out, c.shape(2))
		if alpha == 1 && beta == 1 {
			start = func(a *args) ([]float32, int) {
				spread(l, data[float32](a.out[0]), data[float32](a.in[2]))
				return data[float32](a.out[0]), m.n
			}
			if s := c.shape(2); len(s) > 0 && s[len(s)-1] == m.n && product(s) == m.n {
				start = func(a *args) ([]float32, int) { return data[float32](a.in[2]), 0 }
			}
		}
	}
	apart := ta && c.known(1) != nil && c.inIntegers(m)
	m.turned = ta && !apart
	run, err := planProduct(c, m, unit, row, start)
	if err != nil {
		return nil, err
	}
	if apart {
		inner, local := run, len(c.scratch)
		if err := c.memory(F32, m.m*m.k); err != nil {
			return nil, err
		}
		mv := newMover([]int{m.m, m.k}, []int{1, m.m}, 0)
		run = func(a *args) error {
			move(mv, data[float32](a.scratch[local]), data[float32](a.in[0]))
			turned := *a
			in := [3]*Value{a.scratch[local], a.in[1]}
			if len(a.in) > 2 {
				in[2] = a.in[2]
			}
			turned.in = in[:]
			return inner(&turned)
		}
	}
	if alpha == 1 && (start != nil || !withC) {
		return run, nil
	}
	return func(a *args) error {
		if err := run(a); err != nil {
			return err
		}
		dst := data[float32](a.out[0])
		for i := range dst {
			dst[i] *= alpha
		}
		if withC {
			x := data[float32](a.in[2])
			var at cursor
			for i := range l.count() {
				d := dst[i*l.run : (i+1)*l.run]
				for j := range d {
					d[j] = fma32(beta, x[at.at[0]+j*l.inner[0]], d[j])
				}
				l.next(&at)
			}
		}
		return nil
	}, nil
}

// spread writes an operand's elements, broadcast, to dst.
func spread(l *loops, dst, x []float32) {
	var at cursor
	for i := range l.count() {
		d := dst[i*l.run : (i+1)*l.run]
		if l.inner[0] == 0 {
			fill(d, x[at.at[0]])
		} else {
			copy(d, x[at.at[0]:])
		}
		l.next(&at)
	}
}

func gemm64(c *call, m *matrices, ta, tb bool, alpha, beta float64) kernel {
	ra, ca, rb, cb := m.k, 1, m.n, 1
	if ta {
		ra, ca = 1, m.m
	}
	if tb {
		rb, cb = 1, m.k
	}
	withC := c.has(2) && beta != 0
	var strides []int
	if withC {
		s := c.shape(2)
		strides = make([]int, 2)
		for i, step := len(s)-1, 1; i >= 0; i-- {
			if s[i] != 1 {
				strides[i+2-len(s)] = step
			}
			step *= s[i]
		}
	}
	return func(a *args) error {
		x, y, dst := data[float64](a.in[0]), data[float64](a.in[1]), data[float64](a.out[0])
		for i := range m.m {
			for j := range m.n {
				acc, from := 0.0, 0.0
				if withC {
					from = data[float64](a.in[2])[i*strides[0]+j*strides[1]]
				}
				if alpha == 1 && beta == 1 {
					acc = from
				}
				for k := range m.k {
					acc = math.FMA(x[i*ra+k*ca], y[k*rb+j*cb], acc)
				}
				if alpha != 1 || beta != 1 {
					acc = math.FMA(beta, from, float64(alpha*acc))
				}
				dst[i*m.n+j] = acc
			}
		}
		return nil
	}
}
