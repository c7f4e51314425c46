package graph

import (
	"math"
	"slices"

	k "github.com/unroll-ml/unroll/internal/kernel"
)

// Products and convolutions of 8-bit integers whose scales and zero points are
// operands: those of files, and what qdq.go makes of DequantizeLinear around a float
// operator. For each result
//
//	sum = sum over k of (a-za)*(b-zb), exact, plus an int32 bias
//	y   = fma(float32(sum), alpha*sa*sb, start)
//
// or, where there is an output scale sy,
//
//	y   = float32(sum)*(alpha*sa*sb/sy), rounded to nearest, ties to even, plus zy,
//	      to the bounds of its type
//
// each operation rounded to float32. These are ONNX Runtime's own operations.

// quantPlaces says which input of an operator is what; -1: it has none.
type quantPlaces struct {
	a, sa, za int
	b, sb, zb int
	bias      int // int32
	biasScale int // of bias, where that may be another one than the sums have
	start     int // float32
	sy, zy    int
}

// The operators that qdq.go makes: inputs as in fusedPlaces.
const (
	fusedProduct     = "QuantizedProduct"
	fusedConvolution = "QuantizedConv"
)

var (
	fusedPlaces   = quantPlaces{a: 0, sa: 1, za: 2, b: 3, sb: 4, zb: 5, bias: 6, biasScale: 7, start: -1, sy: 8, zy: 9}
	qlinearMatMul = quantPlaces{a: 0, sa: 1, za: 2, b: 3, sb: 4, zb: 5, bias: -1, biasScale: -1, start: -1, sy: 6, zy: 7}
	qlinearConv   = quantPlaces{a: 0, sa: 1, za: 2, b: 3, sb: 4, zb: 5, bias: 8, biasScale: -1, start: -1, sy: 6, zy: 7}
	qGemm         = quantPlaces{a: 0, sa: 1, za: 2, b: 3, sb: 4, zb: 5, bias: 6, biasScale: -1, start: -1, sy: 7, zy: 8}
	toFloat       = quantPlaces{a: 0, sa: 2, za: 4, b: 1, sb: 3, zb: 5, bias: -1, biasScale: -1, start: 6, sy: -1, zy: -1}
	dynamicMatMul = quantPlaces{a: 0, sa: -1, za: -1, b: 1, sb: 2, zb: 3, bias: -1, biasScale: -1, start: 4, sy: -1, zy: -1}
)

func qlinearRows() []row {
	window := append([]string{"group"}, windowAttrs...)
	return []row{
		{op: "QLinearMatMul", min: 8, max: 8, plan: qlinearMatMul.product, axes: qlinearMatMul.productAxes},
		{op: "QLinearConv", min: 8, max: 9, attrs: window, plan: qlinearConv.convolution, axes: firstAxis},
		{domain: microsoft, op: "QLinearConv", min: 8, max: 9, attrs: append([]string{"channels_last"}, window...), plan: channelsSecond(qlinearConv.convolution), axes: firstAxis},
		{domain: microsoft, op: "QGemm", min: 6, max: 9, attrs: []string{"alpha", "transA", "transB"}, plan: planQGemm, axes: qGemm.productAxes},
		{domain: microsoft, op: "MatMulIntegerToFloat", min: 4, max: 7, plan: toFloat.product, axes: toFloat.productAxes},
		{domain: microsoft, op: "DynamicQuantizeMatMul", min: 3, max: 5, plan: dynamicMatMul.product},
		{domain: Own, op: fusedProduct, min: 5, max: 10, attrs: []string{"alpha", "transB"}, plan: fusedPlaces.product, axes: fusedPlaces.productAxes},
		{domain: Own, op: fusedConvolution, min: 5, max: 10, attrs: window, plan: fusedPlaces.convolution, axes: fusedPlaces.convAxes},
	}
}

// planQGemm turns the left side first where it is transposed.
func planQGemm(c *call) (kernel, error) {
	if c.intAttr("transA", 0) == 0 || len(c.shape(0)) != 2 {
		return qGemm.product(c)
	}
	return expanded(func(c *call, e *expander) error {
		in := slices.Clone(c.in)
		in[0] = e.transpose(in[0], 1, 0)
		y := e.ops(microsoft, "QGemm", 1, c.only("alpha", "transB"), in...)
		if e.err != nil {
			return e.err
		}
		return e.give(y[0])
	})(c)
}

// channelsSecond plans what has an attribute for another layout, which must be unset.
func channelsSecond(plan func(c *call) (kernel, error)) func(c *call) (kernel, error) {
	return func(c *call) (kernel, error) {
		if c.intAttr("channels_last", 0) != 0 {
			return nil, c.unsupported("with channels last")
		}
		return plan(c)
	}
}

// at returns the operand of a place, nil if the operator or the node has none.
func (c *call) at(i int) *operand {
	if i < 0 || !c.has(i) {
		return nil
	}
	return c.in[i]
}

// value returns the value of a place in a run, or nil.
func (a *args) value(i int) *Value {
	if i < 0 || i >= len(a.in) {
		return nil
	}
	return a.in[i]
}

// check checks types and sizes; n is how many columns or channels there are. It
// returns the type of the result.
func (p quantPlaces) check(c *call, n int) (Type, error) {
	for _, o := range []struct {
		i     int
		types []Type
		sizes []int
	}{
		{p.a, []Type{U8, I8}, nil},
		{p.b, []Type{U8, I8}, nil},
		{p.sa, []Type{F32}, []int{1}},
		{p.za, []Type{U8, I8}, []int{1}},
		{p.sb, []Type{F32}, []int{1, n}},
		{p.zb, []Type{U8, I8}, []int{1, n}},
		{p.bias, []Type{I32}, []int{1, n}},
		{p.biasScale, []Type{F32}, []int{1, n}},
		{p.start, []Type{F32}, []int{1, n}},
		{p.sy, []Type{F32}, []int{1}},
		{p.zy, []Type{U8, I8}, []int{1}},
	} {
		if c.at(o.i) == nil {
			if o.i == p.a || o.i == p.b || o.i >= 0 && (o.i == p.sa || o.i == p.sb) {
				return None, c.fail("input %d is absent", o.i)
			}
			continue
		}
		if o.i == p.a && p.sa < 0 {
			o.types = []Type{F32}
		}
		if err := c.is(o.i, o.types...); err != nil {
			return None, err
		}
		fits := o.sizes == nil
		for _, size := range o.sizes {
			fits = fits || c.in[o.i].n == size
		}
		if !fits {
			return None, c.unsupported("input %d has shape %v; one number, or one for each of %d outputs, is run", o.i, c.shape(o.i), n)
		}
	}
	for _, pair := range [][2]int{{p.a, p.za}, {p.b, p.zb}} {
		if z := c.at(pair[1]); z != nil && z.typ != c.typ(pair[0]) {
			return None, c.fail("input %d is %s and its zero point %s", pair[0], c.typ(pair[0]), z.typ)
		}
	}
	switch {
	case c.at(p.sy) == nil:
		return F32, nil
	case c.at(p.zy) == nil:
		return U8, nil
	}
	return c.typ(p.zy), nil
}

// quantProduct is a product of integers being run.
type quantProduct struct {
	quantPlaces
	*matrices
	unit, row int // of the right side
	alpha     float32
	out       Type
	packed    *panels8 // nil: the right side is packed as it comes
	fixed     bool     // all scales and zero points are constants
}

// product plans a product of matrices.
func (p quantPlaces) product(c *call) (kernel, error) {
	if c.at(p.a) == nil || c.at(p.b) == nil {
		return nil, c.fail("a side of the product is absent")
	}
	a, b := c.shape(p.a), c.shape(p.b)
	if c.intAttr("transA", 0) != 0 {
		return nil, c.unsupported("of a transposed left side")
	}
	turned := c.intAttr("transB", 0) != 0
	if turned {
		if len(b) != 2 {
			return nil, c.fail("shape %v of a transposed right side, expected two dimensions", b)
		}
		b = []int{b[1], b[0]}
	}
	m, err := c.matricesOf(a, b)
	if err != nil {
		return nil, err
	}
	q := &quantProduct{quantPlaces: p, matrices: m, unit: 1, row: m.n, alpha: c.floatAttr("alpha", 1)}
	if turned {
		q.unit, q.row = m.k, 1
	}
	if q.out, err = p.check(c, m.n); err != nil {
		return nil, err
	}
	c.work = macs(m.batches, m.m, m.k, m.n)
	if err := c.result(0, q.out, m.out...); err != nil {
		return nil, err
	}
	if m.k > mostTerms {
		return nil, c.unsupported("with sums of %d products; at most %d are", m.k, mostTerms)
	}
	if err := c.packingFits(m.k, m.n); err != nil {
		return nil, err
	}
	zero := c.known(max(p.zb, 0))
	if c.at(p.zb) == nil {
		zero = nil
	}
	if w := c.known(p.b); w != nil && m.batches == 1 && (c.at(p.zb) == nil || zero != nil) {
		inputs := []int{p.b}
		if zero != nil {
			inputs = append(inputs, p.zb)
		}
		q.packed, _ = once(c, "integers", inputs, func() (*panels8, error) {
			return packIntegers(w, 0, m.k, m.n, q.unit, q.row, zero, 0), nil
		})
	}
	return q.run, q.lay(c)
}

// The places of a product's scratch.
const (
	leftScratch  = iota // bytes of the left side
	floatScratch        // sums as float32, where the result is bytes
	sumScratch          // sums, where zero points do not fit into the weights
	spanScratch         // of the range of a left side of floats
)

// lay asks for the memory of a run.
func (q *quantProduct) lay(c *call) error {
	sums, floats := 0, 0
	if q.packed == nil || q.packed.zeros != nil {
		sums = int(macs(q.m, sumsRow(q.n)))
	}
	if q.out != F32 {
		floats = int(macs(q.m, q.n))
	}
	for i, n := range []int{int(macs(q.m, rowBytes(q.k))), floats, sums, k.SpanMemory} {
		if err := c.memory([]Type{U8, F32, I32, F32}[i], n); err != nil {
			return err
		}
	}
	q.fixed = q.packed != nil && q.sa >= 0
	for _, i := range []int{q.sa, q.za, q.sb, q.zb, q.bias, q.biasScale, q.start, q.sy, q.zy} {
		q.fixed = q.fixed && (c.at(i) == nil || c.pureIn(i))
	}
	n := sumsRow(q.n) + 64
	c.local = func() any {
		l := &quantRun{shift: make([]int32, n), scale: make([]float32, n), starts: make([]float32, q.n)}
		return l
	}
	return nil
}

// quantRun is what a run has of its own.
type quantRun struct {
	panels k.Panels8 // the packed ones with other scales
	own    panels8   // of a right side that is packed as it comes
	rows   scratchRows
	// What set fills in; ready: it stays.
	shift         []int32   // what a column's sums start from
	scale, starts []float32 // what they are multiplied with; what is added after
	start         []float32 // starts, or nil
	ready         bool
	near          bool // no result lies beyond 2^20
}

func (q *quantProduct) run(a *args) error {
	l := a.local.(*quantRun)
	left := data[uint8](a.scratch[leftScratch])
	for i := range q.batches {
		p := q.packed
		if p == nil {
			p = &l.own
			p.packIntegers(a.in[q.quantPlaces.b], q.matrices.right(i), q.k, q.n, q.unit, q.row, a.value(q.zb), 0)
		}
		sa, za := q.quantiseLeft(a, left, i)
		if !l.ready {
			q.set(a, l, p, sa, za)
			l.ready = q.fixed
		}
		size := q.m * q.n
		var dst []float32
		if q.out == F32 {
			dst = data[float32](a.out[0])[i*size : (i+1)*size]
		} else {
			dst = data[float32](a.scratch[floatScratch])
		}
		q.multiply(a, l, p, dst, left)
		if q.out != F32 {
			requantise(a.out[0].bytes()[i*size:(i+1)*size], dst, zeroOf(a.value(q.zy), 0, 1), q.out, l.near)
		}
	}
	return nil
}

// quantiseLeft writes batch i's left side as bytes and returns its scale and zero point.
func (q *quantProduct) quantiseLeft(a *args, left []uint8, i int) (scale float32, zero int32) {
	if q.sa < 0 {
		x := data[float32](a.in[q.quantPlaces.a])
		scale, zero = spanOf(x, 1, 1, data[float32](a.scratch[spanScratch]))
		row := rowBytes(q.k)
		for r := range q.m {
			d := left[r*row : (r+1)*row]
			quantiseBytes(d, x[q.matrices.left(i)+r*q.k:][:q.k], scale, zero)
			clear(d[q.k:])
		}
		return scale, zero
	}
	moved := leftBytes(left, a.in[q.quantPlaces.a], q.matrices.left(i), q.m, q.k)
	return data[float32](a.in[q.sa])[0], zeroOf(a.value(q.za), 0, 1) + moved
}

// set fills in what the columns start from, are multiplied with, and what is added
// after.
func (q *quantProduct) set(a *args, l *quantRun, p *panels8, sa float32, za int32) {
	p.start(l.shift, za)
	q.scales(a, l.scale[:q.n], sa, q.alpha)
	most := float64(q.k) * 255 * 128
	l.start = nil
	switch {
	case a.value(q.bias) != nil && q.biasIsOfSums(a, sa, q.n):
		largest := 0.0
		for u := range q.n {
			v := zeroOf(a.value(q.bias), u, q.n)
			l.shift[u] += v
			largest = max(largest, math.Abs(float64(v)))
		}
		most += largest
	case a.value(q.bias) != nil || a.value(q.start) != nil:
		for u := range l.starts {
			l.starts[u] = q.after(a, u, q.n)
		}
		l.start = l.starts
	}
	l.near = l.start == nil
	for _, s := range l.scale[:q.n] {
		l.near = l.near && most*math.Abs(float64(s)) < 1<<20
	}
}

// scales are what the sums of each of the outputs are multiplied with.
func (p quantPlaces) scales(a *args, to []float32, sa, alpha float32) {
	sb := data[float32](a.in[p.sb])
	by := float32(0)
	if v := a.value(p.sy); v != nil {
		by = data[float32](v)[0]
	}
	first := float32(alpha * sa)
	for u := range to {
		s := float32(first * oneOf(sb, u))
		if by != 0 {
			s /= by
		}
		to[u] = s
	}
}

// oneOf is element i of a list, or its only one.
func oneOf(x []float32, i int) float32 {
	if len(x) == 1 {
		return x[0]
	}
	return x[i]
}

// biasIsOfSums reports whether the bias counts in the steps of the sums, as one that
// was made for them does; its own scale may be rounded otherwise.
func (p quantPlaces) biasIsOfSums(a *args, sa float32, n int) bool {
	v := a.value(p.biasScale)
	if v == nil {
		return true
	}
	own, sb := data[float32](v), data[float32](a.in[p.sb])
	for u := range n {
		if s := sa * oneOf(sb, u); !(math.Abs(float64(oneOf(own, u)-s)) <= 1e-5*math.Abs(float64(s))) {
			return false
		}
	}
	return true
}

// after is what is added to output u's product, in the steps of the result.
func (p quantPlaces) after(a *args, u, n int) float32 {
	var s float32
	if v := a.value(p.start); v != nil {
		s = oneOf(data[float32](v), u)
	}
	if v := a.value(p.bias); v != nil {
		s += float32(float32(zeroOf(v, u, n)) * oneOf(data[float32](a.in[p.biasScale]), u))
	}
	if v := a.value(p.sy); v != nil {
		s /= data[float32](v)[0]
	}
	return s
}

// multiply writes the float32 results of all rows.
func (q *quantProduct) multiply(a *args, l *quantRun, p *panels8, dst []float32, left []uint8) {
	shift, scale, start := l.shift, l.scale, l.start
	if p.zeros == nil && q.k > 0 {
		l.panels = p.Panels8
		l.panels.Scale = scale
		k.MulRowsOf8(&l.panels, 0, p.Len(), k.Rows[float32]{Data: dst, Row: q.n}, k.Rows[float32]{Data: start}, shift,
			k.Rows8{Data: left, Row: rowBytes(q.k)}, q.m, &l.rows)
		return
	}
	sums, step := data[int32](a.scratch[sumScratch]), sumsRow(q.n)
	if q.k == 0 {
		for r := range q.m {
			copy(sums[r*step:r*step+q.n], shift)
		}
	} else {
		p.add(sums, left, q.m, shift)
	}
	for r := range q.m {
		row := sums[r*step : r*step+q.n]
		for u, s := range row {
			from := float32(0)
			if start != nil {
				from = start[u]
			}
			dst[r*q.n+u] = fma32(float32(s), scale[u], from)
		}
	}
}

// requantise writes x, rounded to nearest, ties to even, plus zero, to the bounds of
// the type; near: no number lies beyond 2^20.
func requantise(dst []uint8, x []float32, zero int32, t Type, near bool) {
	dst = dst[:len(x)]
	switch {
	case near && t == U8:
		k.Bytes(dst, x, 1, zero)
	case near:
		k.Bytes(dst, x, 1, zero+128)
		for i := range dst {
			dst[i] ^= 0x80
		}
	default:
		lo, hi := bounds(zero, t)
		for i, v := range x {
			dst[i] = toByte(v, lo, hi, zero)
		}
	}
}

// bounds are those of a type, less zero.
func bounds(zero int32, t Type) (lo, hi float32) {
	if t == I8 {
		return float32(-128 - zero), float32(127 - zero)
	}
	return float32(-zero), float32(255 - zero)
}

// toByte is the integer nearest to v within bounds, plus zero; NaN is zero.
func toByte(v, lo, hi float32, zero int32) uint8 {
	const shift = 3 << 22 // leaves no room for a fraction
	if v = min(max(v, lo), hi); v != v {
		v = 0
	}
	return uint8(int32(math.Float32bits(v+shift)) - 0x4b400000 + zero)
}

// convolution plans a convolution: the sums are ConvInteger's.
func (p quantPlaces) convolution(c *call) (kernel, error) {
	if c.at(p.a) == nil || c.at(p.b) == nil {
		return nil, c.fail("the input or the weights are absent")
	}
	if len(c.shape(p.b)) == 0 {
		return nil, c.fail("weights of shape %v", c.shape(p.b))
	}
	channels := c.shape(p.b)[0]
	out, err := p.check(c, channels)
	if err != nil {
		return nil, err
	}
	inner := &call{node: c.node, pl: c.pl, scope: c.scope, in: []*operand{c.in[p.a], c.in[p.b], c.at(p.za), c.at(p.zb)}}
	sums, err := planConvInteger(inner)
	if err == nil {
		err = inner.err
	}
	if err != nil {
		return nil, err
	}
	shape := inner.out[0].shape
	if err := c.result(0, out, shape...); err != nil {
		return nil, err
	}
	c.work, c.scratch = inner.work, inner.scratch
	at := len(c.scratch)
	c.scratch = append(c.scratch, inner.out[0])
	if err := c.memory(F32, channels); err != nil {
		return nil, err
	}
	positions := product(shape[2:])
	c.local = func() any {
		l := &quantConvRun{}
		l.args.local = inner.local()
		return l
	}
	return func(a *args) error {
		l := a.local.(*quantConvRun)
		l.in = [4]*Value{a.in[p.a], a.in[p.b], a.value(p.za), a.value(p.zb)}
		l.out[0] = a.scratch[at]
		l.args.in, l.args.out, l.args.scratch = l.in[:], l.out[:], a.scratch[:at]
		if err := sums(&l.args); err != nil {
			return err
		}
		scale := data[float32](a.scratch[at+1])
		p.scales(a, scale, data[float32](a.in[p.sa])[0], 1)
		p.finish(a, data[int32](l.out[0]), scale, positions)
		return nil
	}, nil
}

// quantConvRun is what a run of a convolution has of its own.
type quantConvRun struct {
	args args
	in   [4]*Value
	out  [1]*Value
}

// finish makes results of the sums [N,channels,positions].
func (p quantPlaces) finish(a *args, sums []int32, scale []float32, positions int) {
	if positions == 0 {
		return
	}
	channels := len(scale)
	ofSums := p.biasIsOfSums(a, data[float32](a.in[p.sa])[0], channels)
	zero := zeroOf(a.value(p.zy), 0, 1)
	for i := range len(sums) / positions {
		u, bias, start := i%channels, int32(0), float32(0)
		switch v := a.value(p.bias); {
		case v != nil && ofSums:
			bias = zeroOf(v, u, channels)
		case v != nil:
			start = p.after(a, u, channels)
		}
		from := sums[i*positions : (i+1)*positions]
		if a.out[0].Type == F32 {
			scaleSums(data[float32](a.out[0])[i*positions:], from, bias, scale[u], start)
		} else {
			bytesOfSums(a.out[0].bytes()[i*positions:], from, bias, scale[u], start, zero, a.out[0].Type)
		}
	}
}

func scaleSums(dst []float32, sums []int32, bias int32, scale, start float32) {
	dst = dst[:len(sums)]
	for i, s := range sums {
		dst[i] = fma32(float32(s+bias), scale, start)
	}
}

// bytesOfSums writes float32(sum+bias)*scale+start as requantise does.
func bytesOfSums(dst []uint8, sums []int32, bias int32, scale, start float32, zero int32, t Type) {
	lo, hi := bounds(zero, t)
	dst = dst[:len(sums)]
	for i, s := range sums {
		dst[i] = toByte(float32(float32(s+bias)*scale)+start, lo, hi, zero)
	}
}

// productAxes are matmulAxes where all rows share scales.
func (p quantPlaces) productAxes(c *call, in []int) ([]int, bool) {
	for i := range in {
		if i != p.a && i != p.b && in[i] >= 0 {
			return nil, false
		}
	}
	a, b := *c, [2]int{in[p.a], in[p.b]}
	a.in = []*operand{c.in[p.a], c.in[p.b]}
	if c.intAttr("transA", 0) != 0 {
		return nil, false
	}
	if c.intAttr("transB", 0) != 0 {
		return []int{b[0]}, b[1] < 0 && b[0] >= 0 && b[0] < len(c.shape(p.a))-1
	}
	return matmulAxes(&a, b[:])
}

// convAxes are those of a Conv.
func (p quantPlaces) convAxes(c *call, in []int) ([]int, bool) {
	for i := range in {
		if i != p.a && in[i] >= 0 {
			return nil, false
		}
	}
	a := *c
	a.in = []*operand{c.in[p.a], c.in[p.b]}
	return convAxes(&a, []int{in[p.a], -1})
}
