package graph

import (
	"slices"
	"unsafe"

	k "github.com/unroll-ml/unroll/internal/kernel"
)

// planQuantizedLSTM is ONNX Runtime's DynamicQuantizeLSTM: weights of 8 bits as
// [D,I,4H] and [D,H,4H], scale and zero point one a direction or one a column;
// the whole input, and at each step all states of a direction, are quantised with
// one scale.
func planQuantizedLSTM(c *call) (kernel, error) {
	for i, t := range [][]Type{{F32}, {I8, U8}, {I8, U8}, {F32}, {I32}, {F32}, {F32}, {F32}, {F32}, {I8, U8}, {F32}, {I8, U8}} {
		if c.has(i) {
			if err := c.is(i, t...); err != nil {
				return nil, err
			}
		} else if i < 3 || i > 7 {
			return nil, c.fail("input %d is absent", i)
		}
	}
	for _, name := range []string{"activations", "activation_alpha", "activation_beta", "clip", "input_forget"} {
		if v, ok := c.Attrs[name]; ok && v != int64(0) && !plainActivations(v) {
			return nil, c.unsupported("with attribute %q", name)
		}
	}
	if c.has(7) {
		return nil, c.unsupported("with peepholes")
	}
	q := &quantizedLSTM{reverse: c.strAttr("direction", "forward") == "reverse"}
	x, r := c.shape(0), c.shape(2)
	if len(x) != 3 || len(r) != 3 || len(c.shape(1)) != 3 {
		return nil, c.fail("shapes %v, %v and %v, expected three dimensions each", x, c.shape(1), r)
	}
	q.T, q.B, q.I, q.D, q.H = x[0], x[1], x[2], r[0], r[1]
	state := []int{q.D, q.B, q.H}
	want := map[int][]int{1: {q.D, q.I, 4 * q.H}, 2: {q.D, q.H, 4 * q.H}, 3: {q.D, 8 * q.H}, 4: {q.B}, 5: state, 6: state}
	for i, s := range want {
		if c.has(i) && !slices.Equal(c.shape(i), s) {
			return nil, c.fail("input %d has shape %v, expected %v", i, c.shape(i), s)
		}
	}
	for _, i := range []int{8, 9, 10, 11} {
		if n := c.in[i].n; n != q.D && n != q.D*4*q.H {
			return nil, c.fail("input %d has shape %v, expected [%d] or [%d,%d]", i, c.shape(i), q.D, q.D, 4*q.H)
		}
	}
	if (c.strAttr("direction", "forward") == "bidirectional") != (q.D == 2) || q.D > 2 {
		return nil, c.fail("direction %q with weights for %d", c.strAttr("direction", "forward"), q.D)
	}
	for _, i := range []int{1, 2, 9, 11} {
		if _, err := c.need(i); err != nil {
			return nil, err
		}
	}
	var err error
	if q.packed, err = q.pack(c); err != nil {
		return nil, err
	}
	c.work = macs(q.T, q.B, q.D, 4*q.H, q.H+q.I)
	for i, shape := range [][]int{{q.T, q.D, q.B, q.H}, state, state} {
		if err := c.result(i, F32, shape...); err != nil {
			return nil, err
		}
	}
	if max(q.I, q.H) > mostTerms {
		return nil, c.unsupported("with sums of %d products; at most %d are", max(q.I, q.H), mostTerms)
	}
	rows, sums := q.T*q.B, sumsRow(4*q.H)
	for i, n := range []int{rows * rowBytes(q.I), rows * sums, q.B * rowBytes(q.H), q.B * sums, sums + 64, 4 * q.H, 4 * q.H, 4 * q.H, k.SpanMemory, 4 * q.H, 1} {
		if err := c.memory([]Type{U8, I32, U8, I32, I32, F32, F32, F32, F32, F32, I32}[i], n); err != nil {
			return nil, err
		}
	}
	c.together = &q.together
	return q.run, nil
}

// pack packs the weights of every direction, less their zero points.
func (q *quantizedLSTM) pack(c *call) ([][2]*panels8, error) {
	return once(c, "integers", []int{1, 2, 9, 11}, func() (p [][2]*panels8, err error) {
		for d := range q.D {
			pick := func(i, k, zero int) *panels8 {
				z, at := c.in[zero].known, 0
				if z.n == q.D { // one for the direction
					one := must(New(z.Type, 1))
					copy(one.bytes(), z.bytes()[d:d+1])
					z = &one
				} else {
					at = d * 4 * q.H
				}
				return packIntegers(c.in[i].known, d*k*4*q.H, k, 4*q.H, 1, 4*q.H, z, at)
			}
			p = append(p, [2]*panels8{pick(1, q.I, 9), pick(2, q.H, 11)})
		}
		return p, nil
	})
}

// plainActivations reports whether a list names those an LSTM has anyway, or none.
func plainActivations(v any) bool {
	list, ok := v.([]string)
	if numbers, is := v.([]float32); is {
		return len(numbers) == 0
	}
	for i, name := range list {
		if name != []string{"Sigmoid", "Tanh", "Tanh"}[i%3] {
			return false
		}
	}
	return ok
}

type quantizedLSTM struct {
	T, B, I, H, D int
	reverse       bool
	together      bool // the directions of a step stand beside each other in the output
	packed        [][2]*panels8
}

func (q *quantizedLSTM) run(a *args) error {
	x, h := data[uint8](a.scratch[0]), data[uint8](a.scratch[2])
	inputs, states, shift := data[int32](a.scratch[1]), data[int32](a.scratch[3]), data[int32](a.scratch[4])
	xScale, xZero := quantiseRows(x, data[float32](a.in[0]), q.T*q.B, q.I, data[float32](a.scratch[8]))
	H, row := q.H, sumsRow(4*q.H)
	clear(data[float32](a.out[0]))
	for d := range q.D {
		q.packed[d][0].mul(inputs, x, q.T*q.B, xZero, shift)
		hn, cn := data[float32](a.out[1])[d*q.B*H:][:q.B*H], data[float32](a.out[2])[d*q.B*H:][:q.B*H]
		start(hn, a.in, 5, d)
		start(cn, a.in, 6, d)
		g := q.gates(a, d, xScale)
		g.scaleInputs(inputs, q.T*q.B, row)
		for t := range q.T {
			hScale, hZero := quantiseRows(h, hn, q.B, H, data[float32](a.scratch[8]))
			q.packed[d][1].mul(states, h, q.B, hZero, shift)
			for b := range q.B {
				length := q.T
				if len(a.in) > 4 && a.in[4] != nil {
					length = int(data[int32](a.in[4])[b])
				}
				if t >= length {
					continue
				}
				at := t
				if d == 1 || q.reverse {
					at = length - 1 - t
				}
				if at < 0 || at >= q.T {
					continue
				}
				g.sum(inputs[(at*q.B+b)*row:][:4*H], states[b*row:][:4*H], hScale)
				g.step(hn[b*H:][:H], cn[b*H:][:H])
				place := (at*q.D+d)*q.B + b
				if q.together {
					place = (at*q.B+b)*q.D + d
				}
				copy(data[float32](a.out[0])[place*H:][:H], hn[b*H:])
			}
		}
	}
	return nil
}

// quantGates is the arithmetic behind the products of a direction.
type quantGates struct {
	sums            []float32 // i o f c, H each
	xScales, scales []float32 // of each column: input times weights, weights alone
	bias, recurrent []float32 // nil: none
	both            []float32 // the two together
	one             bool      // the scales of all columns are one
	none            []int32
}

// gates prepares it for an input of that scale.
func (q *quantizedLSTM) gates(a *args, d int, xScale float32) quantGates {
	g := quantGates{sums: data[float32](a.scratch[5]), xScales: data[float32](a.scratch[6]), scales: data[float32](a.scratch[7])}
	for i := range g.xScales {
		g.xScales[i] = xScale * scaleOf(a.in[8], d, i, q.D, q.H)
		g.scales[i] = scaleOf(a.in[10], d, i, q.D, q.H)
	}
	if a.in[3] != nil {
		bias := data[float32](a.in[3])[d*8*q.H:]
		g.bias, g.recurrent = bias[:4*q.H], bias[4*q.H:8*q.H]
		g.both = data[float32](a.scratch[9])
		add32(g.both, g.bias, g.recurrent)
	}
	g.one, g.none = a.in[8].n == q.D && a.in[10].n == q.D, data[int32](a.scratch[10])
	clear(g.none)
	return g
}

// scaleInputs makes the inputs' sums numbers, in place, where one scale does.
func (g *quantGates) scaleInputs(inputs []int32, m, row int) {
	for r := range m {
		if g.one {
			line := inputs[r*row:][:len(g.sums)]
			k.FromSums(1, len(line), k.Rows[float32]{Data: asFloats(line)}, line, row, g.none, g.xScales[0])
		}
	}
}

// asFloats is memory of integers as that of numbers.
func asFloats(x []int32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// sum makes the gates' sums of one row's products.
func (g *quantGates) sum(inputs, states []int32, hScale float32) {
	sums := g.sums
	if g.one {
		k.FromSums(1, len(sums), k.Rows[float32]{Data: sums}, states, len(sums), g.none, hScale*g.scales[0])
		add32(sums, asFloats(inputs), sums)
		if g.bias != nil {
			add32(sums, sums, g.both)
		}
		return
	}
	inputs, states, xs, hs := inputs[:len(sums)], states[:len(sums)], g.xScales[:len(sums)], g.scales[:len(sums)]
	for i := range sums {
		s := float32(float32(inputs[i]) * xs[i])
		sums[i] = s + float32(float32(states[i])*float32(hScale*hs[i]))
	}
	if g.bias != nil {
		bias, recurrent := g.bias[:len(sums)], g.recurrent[:len(sums)]
		for i := range sums {
			sums[i] += bias[i] + recurrent[i]
		}
	}
}

// step makes the new states of one row from the sums.
func (g *quantGates) step(h, c []float32) {
	H := len(h)
	i, o, f, in := g.sums[:H], g.sums[H:2*H], g.sums[2*H:3*H], g.sums[3*H:]
	sigmoidTo(g.sums[:3*H], g.sums[:3*H])
	tanhTo(in, in)
	mul32(in, i, in)
	fmaRows(c, f, c, in)
	tanhTo(in, c)
	mul32(h, o, in)
}

// start copies direction d's initial state, or zeros.
func start(dst []float32, in []*Value, i, d int) {
	clear(dst)
	if i < len(in) && in[i] != nil {
		copy(dst, data[float32](in[i])[d*len(dst):])
	}
}

func scaleOf(v *Value, d, k, directions, h int) float32 {
	s := data[float32](v)
	if len(s) == directions {
		return s[d]
	}
	return s[d*4*h+k]
}

// quantiseRows writes m rows of n numbers, quantised to uint8 with one scale, to
// rows of bytes, rowBytes apart, and returns scale and zero point.
func quantiseRows(dst []uint8, x []float32, m, n int, mem []float32) (scale float32, zero int32) {
	scale, zero = spanOf(x, 1, 1, mem)
	row := rowBytes(n)
	for r := range m {
		d := dst[r*row : (r+1)*row]
		quantiseBytes(d, x[r*n:(r+1)*n], scale, zero)
		clear(d[n:])
	}
	return scale, zero
}
