package graph

import (
	"math"
	"slices"

	unroll "github.com/unroll-ml/unroll"
)

// Convolutions. A result is a sum over (channel, place in the kernel) in index
// order, from the bias; what lies outside counts as zeros.

func convRows() []row {
	return []row{
		{op: "Conv", min: 2, max: 3, attrs: append([]string{"group"}, windowAttrs...), plan: planConv, axes: convAxes},
		{op: "ConvTranspose", min: 2, max: 3, attrs: append([]string{"group", "output_padding", "output_shape"}, windowAttrs...), plan: planConvTranspose, axes: firstAxis},
		{op: "Col2Im", since: 18, min: 3, max: 3, attrs: []string{"dilations", "pads", "strides"}, plan: planCol2Im, axes: firstAxis},
	}
}

// convolution is a Conv with its sizes: x [N,groups*C,...], weights
// [groups*M,C,taps] to [N,groups*M,positions].
type convolution struct {
	*window
	n, groups, c, m int
}

func (v *convolution) depth() int { return v.c * v.taps() }

// convolution reads the sizes of a Conv.
func (c *call) convolution() (*convolution, []int, error) {
	x, w := c.shape(0), c.shape(1)
	if len(x) < 3 || len(w) != len(x) {
		return nil, nil, c.fail("shapes %v and %v, expected [N,C,...] and [M,C/group,...]", x, w)
	}
	g := int(c.intAttr("group", 1))
	if g < 1 || x[1] != w[1]*g || w[0]%g != 0 {
		return nil, nil, c.fail("%d channels in %d groups over weights %v", x[1], g, w)
	}
	s, err := c.slide(x[2:], w[2:], false, false)
	if err != nil {
		return nil, nil, err
	}
	out, err := c.outputs(s, x[2:], false)
	if err != nil {
		return nil, nil, err
	}
	if err := c.biasFits(w[0]); err != nil {
		return nil, nil, err
	}
	shape := append([]int{x[0], w[0]}, out...)
	if _, err := elements(F64, shape); err != nil {
		return nil, nil, c.fail("%v", err)
	}
	win, err := c.window(s, x[2:], out)
	return &convolution{win, x[0], g, w[1], w[0] / g}, shape, err
}

// biasFits checks the third operand of a convolution of float numbers.
func (c *call) biasFits(m int) error {
	if c.has(2) && (len(c.shape(2)) != 1 || c.shape(2)[0] != m || c.typ(2) != c.typ(0)) {
		return c.fail("bias is %s %v, expected %s [%d]", c.typ(2), c.shape(2), c.typ(0), m)
	}
	return nil
}

func planConv(c *call) (kernel, error) {
	if err := c.is(0, F32, F64); err != nil {
		return nil, err
	}
	if err := c.same(1); err != nil {
		return nil, err
	}
	v, shape, err := c.convolution()
	if err != nil {
		return nil, err
	}
	if err := c.result(0, c.typ(0), shape...); err != nil {
		return nil, err
	}
	return c.convolve(v, c.known(1))
}

// convolve plans the sums; known is the weights [groups*M,C,taps], if they are.
func (c *call) convolve(v *convolution, known *Value) (kernel, error) {
	c.work = macs(v.n, v.groups, v.m, v.depth(), v.positions())
	if c.typ(0) == F64 {
		return convolve64(v), c.memory(F64, v.depth())
	}
	if known != nil && v.m >= leastChannels8 && c.pureIn(1) && c.precision("", v.depth()) == unroll.Int8 {
		return c.convolve8(v, known)
	}
	if known != nil && v.slides() {
		return c.convolveLines(v, known)
	}
	if known != nil && v.positions() < fewPositions && v.m >= 8 {
		return c.convolveFew(v, known)
	}
	return c.convolveMany(v)
}

const (
	// fewPositions is from where on positions, not channels, are the columns of
	// the product.
	fewPositions = 32
	// tilePositions are the positions that are laid out as columns at a time.
	tilePositions = 512
)

// convolveMany multiplies the weights, row by row, with packed columns.
func (c *call) convolveMany(v *convolution) (kernel, error) {
	k, p := v.depth(), v.positions()
	tile := min(p, tilePositions)
	if err := c.packingFits(k, tile); err != nil {
		return nil, err
	}
	whole := v.whole() // the input is the columns
	if !whole {
		if err := c.memory(F32, v.c*v.plane()); err != nil {
			return nil, err
		}
	}
	c.local = func() any { return &columnPacking{packing: *newPacking(k, tile)} }
	return func(a *args) error {
		x, w, dst := data[float32](a.in[0]), data[float32](a.in[1]), data[float32](a.out[0])
		l := a.local.(*columnPacking)
		for i := range v.n * v.groups {
			g := i % v.groups
			out := dst[i*v.m*p : (i+1)*v.m*p]
			for m := range v.m {
				bias := float32(0)
				if len(a.in) > 2 && a.in[2] != nil {
					bias = data[float32](a.in[2])[g*v.m+m]
				}
				fill(out[m*p:(m+1)*p], bias)
			}
			part := x[i*v.c*v.plane() : (i+1)*v.c*v.plane()]
			if !whole {
				flushTo(data[float32](a.scratch[0]), part)
				part = data[float32](a.scratch[0])
			}
			for p0 := 0; p0 < p; p0 += tile {
				n := min(tile, p-p0)
				l.resize(k, n)
				if whole {
					l.pack(part[p0:], 1, p)
				} else {
					l.columns(v.window, part, v.c, p0)
				}
				mulRows(l.panels, out[p0:], p, out[p0:], p, w[g*v.m*k:], k, 1, v.m, &l.rows)
			}
		}
		return nil
	}, nil
}

// convolveFew multiplies columns, as rows, with packed weights, and turns the
// result.
func (c *call) convolveFew(v *convolution, known *Value) (kernel, error) {
	k, p := v.depth(), v.positions()
	w, err := once(c, "few", []int{1}, func() ([]panels, error) {
		list := make([]panels, v.groups)
		for g := range list {
			list[g] = pack(data[float32](known)[g*v.m*k:(g+1)*v.m*k], k, v.m, k, 1)
		}
		return list, nil
	})
	if err != nil {
		return nil, err
	}
	if err := c.memory(F32, k*p); err != nil {
		return nil, err
	}
	if err := c.memory(F32, v.m*p); err != nil {
		return nil, err
	}
	c.local = func() any { return &scratchRows{} }
	turn := newMover([]int{v.m, p}, []int{1, v.m}, 0)
	return func(a *args) error {
		x, dst := data[float32](a.in[0]), data[float32](a.out[0])
		cols, sums := data[float32](a.scratch[0]), data[float32](a.scratch[1])
		for i := range v.n * v.groups {
			g := i % v.groups
			var bias []float32
			if len(a.in) > 2 && a.in[2] != nil {
				bias = data[float32](a.in[2])[g*v.m : (g+1)*v.m]
			}
			columns(v.window, cols, x[i*v.c*v.plane():], v.c, 0, p, 0)
			mulRows(w[g], sums, v.m, bias, 0, cols, 1, p, p, a.local.(*scratchRows))
			move(turn, dst[i*v.m*p:(i+1)*v.m*p], sums)
		}
		return nil
	}, nil
}

// packingFits bounds the memory of a right-hand side that is packed while it
// runs, which is padded to whole panels.
func (c *call) packingFits(k, n int) error {
	if b := macs(k, (n+15)/16*16, 4); b > c.pl.p.limits.Memory {
		return limitError("bytes to pack a right-hand side", b, c.pl.p.limits.Memory, "Memory")
	}
	return nil
}

func convolve64(v *convolution) kernel {
	k, p := v.depth(), v.positions()
	return func(a *args) error {
		x, w, dst := data[float64](a.in[0]), data[float64](a.in[1]), data[float64](a.out[0])
		col := data[float64](a.scratch[0])
		for i := range v.n * v.groups {
			g := i % v.groups
			for o := range p {
				columns(v.window, col, x[i*v.c*v.plane():], v.c, o, o+1, 0)
				for m := range v.m {
					acc := 0.0
					if len(a.in) > 2 && a.in[2] != nil {
						acc = data[float64](a.in[2])[g*v.m+m]
					}
					for j, weight := range w[(g*v.m+m)*k : (g*v.m+m+1)*k] {
						acc = math.FMA(col[j], weight, acc)
					}
					dst[(i*v.m+m)*p+o] = acc
				}
			}
		}
		return nil
	}
}

// planConvTranspose is a convolution over the places that reach an output, with
// the weights' channels exchanged.
func planConvTranspose(c *call) (kernel, error) {
	if err := c.is(0, F32, F64); err != nil {
		return nil, err
	}
	if err := c.same(1); err != nil {
		return nil, err
	}
	x, w := c.shape(0), c.shape(1)
	if len(x) < 3 || len(w) != len(x) {
		return nil, c.fail("shapes %v and %v, expected [N,C,...] and [C,M/group,...]", x, w)
	}
	g := int(c.intAttr("group", 1))
	if g < 1 || x[1] != w[0] || w[0]%g != 0 {
		return nil, c.fail("%d channels in %d groups over weights %v", x[1], g, w)
	}
	s, err := c.slide(x[2:], w[2:], false, true)
	if err != nil {
		return nil, err
	}
	out, err := c.transposedOutputs(s, x[2:])
	if err != nil {
		return nil, err
	}
	shape := append([]int{x[0], w[1] * g}, out...)
	if err := c.biasFits(shape[1]); err != nil {
		return nil, err
	}
	if err := c.result(0, c.typ(0), shape...); err != nil {
		return nil, err
	}
	win, err := c.transposedWindow(s, x[2:], out)
	if err != nil {
		return nil, err
	}
	v := &convolution{win, x[0], g, w[0] / g, w[1]}
	// [groups, C, M, taps] to [groups, M, C, taps]
	taps := v.taps()
	turn := newMover([]int{g, v.m, v.c, taps}, []int{v.c * v.m * taps, taps, v.m * taps, 1}, 0)
	move := turn.kernel(c.typ(0), 0)
	if known := c.known(1); known != nil {
		turned, err := once(c, "turned", []int{1}, func() (*Value, error) {
			t, err := New(known.Type, known.n)
			if err == nil {
				err = move(&args{in: []*Value{known}, out: []*Value{&t}})
			}
			return &t, err
		})
		if err != nil {
			return nil, err
		}
		run, err := c.convolve(v, turned)
		if err != nil {
			return nil, err
		}
		return withWeights(run, func(*args) *Value { return turned }), nil
	}
	run, err := c.convolve(v, nil)
	if err != nil {
		return nil, err
	}
	at := len(c.scratch)
	if err := c.memory(c.typ(1), c.in[1].n); err != nil {
		return nil, err
	}
	return withWeights(run, func(a *args) *Value {
		from, to := [1]*Value{a.in[1]}, [1]*Value{a.scratch[at]}
		_ = move(&args{in: from[:], out: to[:]})
		return a.scratch[at]
	}), nil
}

// withWeights runs a kernel with input 1 replaced.
func withWeights(run kernel, weights func(a *args) *Value) kernel {
	return func(a *args) error {
		own := a.in[1]
		a.in[1] = weights(a)
		err := run(a)
		a.in[1] = own
		return err
	}
}

// transposedOutputs returns the sizes of a ConvTranspose, and sets the pads where
// they follow from an output_shape or auto_pad.
func (c *call) transposedOutputs(s *slide, spatial []int) ([]int, error) {
	r := len(spatial)
	extra, asked := c.intsAttr("output_padding"), c.intsAttr("output_shape")
	if extra != nil && len(extra) != r || asked != nil && len(asked) < r {
		return nil, c.fail("output_padding %v, output_shape %v, expected %d numbers", extra, asked, r)
	}
	if len(asked) > r {
		asked = asked[len(asked)-r:]
	}
	mode := c.strAttr("auto_pad", "NOTSET")
	out := make([]int, r)
	for i, n := range spatial {
		full := (n-1)*s.stride[i] + (s.kernel[i]-1)*s.dilation[i] + 1
		if extra != nil {
			if extra[i] < 0 || extra[i] > maxWindow {
				return nil, c.fail("output_padding %v", extra)
			}
			full += int(extra[i])
		}
		want := full - s.before[i] - s.after[i]
		if mode == "SAME_UPPER" || mode == "SAME_LOWER" {
			want = n * s.stride[i]
			if asked == nil && full < want { // ONNX Runtime gives the full size
				return nil, c.unsupported("auto_pad %q with strides %v beyond the kernel", mode, s.stride)
			}
		}
		if asked != nil {
			if asked[i] < 0 || asked[i] > math.MaxInt32 {
				return nil, c.fail("output_shape %v", asked)
			}
			want = int(asked[i])
		}
		if asked != nil || mode == "SAME_UPPER" || mode == "SAME_LOWER" {
			total := max(full-want, 0)
			s.before[i] = total / 2
			if mode != "SAME_UPPER" {
				s.before[i] = total - total/2
			}
		}
		if want < 0 {
			return nil, c.fail("pads leave nothing of axis %d", i+2)
		}
		out[i] = want
	}
	return slices.Clip(out), nil
}
