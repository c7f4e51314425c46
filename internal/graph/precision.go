package graph

import (
	"fmt"
	"slices"

	unroll "github.com/unroll-ml/unroll"
)

// A program may be compiled with rounded weights: of recurrent layers in every
// precision, of products and convolutions with constants as 8-bit integers. Results
// of a row (of a product), a position (of a convolution) and a step and sequence (of
// a layer) depend on nothing else, so that an axis of sequences stays one.

// Parts returns the names of what has a precision, as far as plans were made: nodes
// by their names or first outputs, and of a layer of several the layers, NAME.l0 and
// so on.
func (p *Program) Parts() []string {
	p.parts.Lock()
	defer p.parts.Unlock()
	return slices.Clone(p.parts.list)
}

// Part is the node's name among the parts.
func (n *Node) Part() string {
	name := n.Name
	for _, o := range n.Outputs {
		if name == "" {
			name = o
		}
	}
	return name
}

// precision returns that of the node's weights, or of a layer of it; depth is how
// many numbers a sum has.
func (c *call) precision(layer string, depth int) unroll.Precision {
	p, part := c.pl.p, c.Part()+layer
	if depth > maxDepth8 {
		return unroll.Full
	}
	p.note(part)
	if p.precision == nil {
		return unroll.Full
	}
	return p.precision(part)
}

func (p *Program) note(part string) {
	p.parts.Lock()
	defer p.parts.Unlock()
	if !slices.Contains(p.parts.list, part) {
		p.parts.list = append(p.parts.list, part)
	}
}

// lowered is a layer in the precision of its parts.
func (c *call) lowered(l *unroll.Layer) (*unroll.Layer, error) {
	cfg := l.Config()
	each := make([]unroll.Precision, cfg.Layers())
	for n := range each {
		name := ""
		if len(each) > 1 {
			name = fmt.Sprintf(".l%d", n)
		}
		each[n] = c.precision(name, max(cfg.InputSize, cfg.OutputSize(), cfg.HiddenSize))
	}
	if !slices.ContainsFunc(each, func(p unroll.Precision) bool { return p != unroll.Full }) {
		return l, nil
	}
	return l.QuantizeEach(each)
}

// product8 is planProduct with weights of integers.
func (c *call) product8(w *Value, m *matrices, unit, row int, start func(a *args) ([]float32, int)) (kernel, error) {
	p, err := once(c, "panels", []int{1}, func() (*panels8, error) { return pack8(data[float32](w), m.k, m.n, unit, row), nil })
	if err != nil {
		return nil, err
	}
	c.local = func() any { return &scratchRows{} }
	return func(a *args) error {
		from, ldi := start(a)
		mulRows8(p, data[float32](a.out[0]), m.n, from, ldi, data[float32](a.in[0]), m.m, a.local.(*scratchRows))
		return nil
	}, nil
}

// leastChannels8 is how many channels of a group are worth the integers: fewer leave
// most columns of a panel empty.
const leastChannels8 = 8

// convolve8 multiplies positions, each a row of what the kernel sees there, with
// weights of integers.
func (c *call) convolve8(v *convolution, known *Value) (kernel, error) {
	depth, p := v.depth(), v.positions()
	w, err := once(c, "panels", []int{1}, func() ([]*panels8, error) {
		list := make([]*panels8, v.groups)
		for g := range list {
			list[g] = pack8(data[float32](known)[g*v.m*depth:(g+1)*v.m*depth], depth, v.m, depth, 1)
		}
		return list, nil
	})
	if err != nil {
		return nil, err
	}
	tile := min(p, tilePositions)
	for _, n := range []int64{macs(depth, tile), macs(depth, tile), macs(v.m, tile)} {
		if err := c.memory(F32, int(n)); err != nil {
			return nil, err
		}
	}
	c.local = func() any { return &scratchRows{} }
	return func(a *args) error {
		x, dst := data[float32](a.in[0]), data[float32](a.out[0])
		cols, rows, sums := data[float32](a.scratch[0]), data[float32](a.scratch[1]), data[float32](a.scratch[2])
		for i := range v.n * v.groups {
			g := i % v.groups
			var bias []float32
			if len(a.in) > 2 && a.in[2] != nil {
				bias = data[float32](a.in[2])[g*v.m : (g+1)*v.m]
			}
			for p0 := 0; p0 < p; p0 += tile {
				n := min(tile, p-p0)
				columns(v.window, cols[:depth*n], x[i*v.c*v.plane():], v.c, p0, p0+n, 0)
				turnMatrix(rows, depth, cols, n, depth, n)
				mulRows8(w[g], sums, v.m, bias, 0, rows, n, a.local.(*scratchRows))
				turnMatrix(dst[i*v.m*p+p0:], p, sums, v.m, n, v.m)
			}
		}
		return nil
	}, nil
}

// turnMatrix writes src [m,n], its rows lds apart, to dst [n,m], its rows ldd apart,
// in squares that stay in the first-level cache.
func turnMatrix[T Element](dst []T, ldd int, src []T, lds, m, n int) {
	const square = 16
	for i0 := 0; i0 < m; i0 += square {
		for j0 := 0; j0 < n; j0 += square {
			for i := i0; i < min(i0+square, m); i++ {
				row := src[i*lds : i*lds+n]
				for j := j0; j < min(j0+square, n); j++ {
					dst[j*ldd+i] = row[j]
				}
			}
		}
	}
}
