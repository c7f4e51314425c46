package graph

import "math"

// planPad pads by a constant, by reflection, by the edge or by going around.
// Negative pads cut.
func planPad(c *call) (kernel, error) {
	shape := c.shape(0)
	rank := len(shape)
	pads, err := c.intsOf("pads", 1)
	if err != nil {
		return nil, err
	}
	axes := make([]int, rank)
	for i := range axes {
		axes[i] = i
	}
	if c.has(3) {
		list, err := c.needInts(3)
		if err != nil {
			return nil, err
		}
		if axes, err = c.axisList(list, rank); err != nil {
			return nil, err
		}
	}
	if len(pads) != 2*len(axes) {
		return nil, c.fail("%d pads for %d axes, expected two for each", len(pads), len(axes))
	}
	before, out := make([]int, rank), append([]int{}, shape...)
	for i, a := range axes {
		lo, hi := pads[i], pads[len(axes)+i]
		if lo < math.MinInt32 || hi < math.MinInt32 || lo > 1<<40 || hi > 1<<40 || int64(shape[a])+lo+hi < 0 {
			return nil, c.fail("pads %d and %d of a size of %d", lo, hi, shape[a])
		}
		before[a], out[a] = int(lo), int(int64(shape[a])+lo+hi)
	}
	if err := c.result(0, c.typ(0), out...); err != nil {
		return nil, err
	}
	if product(out) == 0 {
		return func(*args) error { return nil }, nil
	}
	mode := c.strAttr("mode", "constant")
	// sources has, for each axis, where each index of the output comes from; -1 is
	// the constant.
	sources := make([][]int, rank)
	for a := range sources {
		if sources[a], err = c.padSource(mode, shape[a], before[a], out[a]); err != nil {
			return nil, err
		}
	}
	value := must(New(c.typ(0), 1))
	if v := c.floatAttr("value", 0); v != 0 {
		convert(&value, ptr(Vector(v)))
	}
	if c.has(2) && (c.typ(2) != c.typ(0) || c.in[2].n != 1) {
		return nil, c.fail("its constant is %s %v, expected one %s", c.typ(2), c.shape(2), c.typ(0))
	}
	p := &padder{sources: sources, strides: stridesOf(shape), outStrides: stridesOf(out), value: value}
	switch c.typ(0).size() {
	case 8:
		return padding[int64](p), nil
	case 4:
		return padding[int32](p), nil
	}
	return padding[uint8](p), nil
}

// padSource returns where the indices of a padded axis come from.
func (c *call) padSource(mode string, n, before, out int) ([]int, error) {
	from := make([]int, out)
	for i := range from {
		k := i - before
		if k < 0 || k >= n {
			if n == 0 && mode != "constant" {
				return nil, c.fail("nothing to pad from")
			}
			switch mode {
			case "constant":
				k = -1
			case "edge":
				k = min(max(k, 0), n-1)
			case "reflect":
				if n == 1 {
					k = 0
					break
				}
				around := 2 * (n - 1)
				k = (k%around + around) % around
				if k >= n {
					k = around - k
				}
			case "wrap":
				k = (k%n + n) % n
			default:
				return nil, c.unsupported("mode %q", mode)
			}
		}
		from[i] = k
	}
	return from, nil
}

type padder struct {
	sources             [][]int
	strides, outStrides []int
	value               Value
}

func padding[T int64 | int32 | uint8](p *padder) kernel {
	return func(a *args) error {
		value := rawData[T](&p.value)[0]
		if len(a.in) > 2 && a.in[2] != nil {
			value = rawData[T](a.in[2])[0]
		}
		padAxis(p, 0, rawData[T](a.out[0]), rawData[T](a.in[0]), 0, value)
		return nil
	}
}

// padAxis fills dst, the part of one index of every axis before a; base is where
// that index lies in src.
func padAxis[T Element](p *padder, a int, dst, src []T, base int, value T) {
	if a == len(p.sources) {
		dst[0] = src[base]
		return
	}
	step := p.outStrides[a]
	last := a == len(p.sources)-1
	for i, k := range p.sources[a] {
		switch part := dst[i*step : (i+1)*step]; {
		case k < 0:
			fill(part, value)
		case last:
			part[0] = src[base+k]
		default:
			padAxis(p, a+1, part, src, base+k*p.strides[a], value)
		}
	}
}
