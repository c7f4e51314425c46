package kerasgraph

import (
	"fmt"

	"github.com/unroll-ml/unroll/checkpoint/keras"
)

func bidirectional(b *builder, l *keras.Layer, c *call) ([]value, error) {
	var f [2]flags
	var cells [2]*cell
	for i, in := range l.Inner {
		var err error
		if f[i], err = readFlags(in); err != nil {
			return nil, problem(in, err)
		}
		list, err := b.cells(in)
		if err != nil {
			return nil, problem(in, err)
		}
		if len(list) != 1 {
			return nil, refuse(in, "several cells in each direction")
		}
		cells[i] = list[0]
	}
	if f[0].backwards == f[1].backwards || f[0].sequences != f[1].sequences || f[0].state != f[1].state {
		return nil, wrong(l, "its two layers differ in more than their direction, or go the same way")
	}
	b.stateful(l, f[0])
	start, err := c.start()
	if err != nil {
		return nil, err
	}
	x := b.maskless(l, c, c.in[0])
	for _, in := range l.Inner {
		if err := unmasked(in, x); err != nil {
			return nil, err
		}
	}
	zero := b.zeroesMasked(f)
	var list []result
	if cells[0].same(cells[1]) && !f[0].backwards {
		list, err = b.masked(cells[:], []bool{false, true}, x, start, zero, false)
	} else {
		for i := range cells {
			half := start
			if len(start) > 0 {
				half = start[i*len(start)/2 : (i+1)*len(start)/2]
			}
			var one []result
			if one, err = b.masked(cells[i:i+1], []bool{f[i].backwards}, x, half, zero, false); err != nil {
				break
			}
			list = append(list, one...)
		}
	}
	if err != nil {
		return nil, err
	}
	return b.joined(l, f[0], list, c.in[0].mask)
}

// zeroesMasked: within a Bidirectional with return_sequences masked steps give
// zeros, whatever the layers say, since TensorFlow's Keras.
func (b *builder) zeroesMasked(f [2]flags) bool {
	if b.major >= 3 || b.version(2, 4) || b.tensorFlow() {
		return f[0].sequences
	}
	return f[0].zero
}

// joined puts the two directions together.
func (b *builder) joined(l *keras.Layer, f flags, list []result, mask string) ([]value, error) {
	y := []value{list[0].last, list[1].last}
	if f.sequences {
		y = []value{list[0].sequence, list[1].sequence}
		// The first layer's outputs stay as it made them, the second's are turned
		// around: both are in the order of time if the second goes backwards.
		if f.backwards {
			y = []value{b.flip(y[0], 1), b.flip(y[1], 1)}
		}
		y[0].mask, y[1].mask = mask, mask
	}
	mode, err := l.Config.String("merge_mode", "")
	if _, there := l.Config["merge_mode"]; !there {
		mode = "concat"
	}
	if err != nil {
		return nil, err
	}
	switch mode {
	case "": // both
	case "concat":
		m := y[0].mask
		one, err := b.concat(y, -1)
		if err != nil {
			return nil, err
		}
		one.mask = m
		y = []value{one}
	case "sum":
		y = []value{b.binary("Add", y[0], y[1])}
	case "mul":
		y = []value{b.binary("Mul", y[0], y[1])}
	case "ave":
		sum := b.binary("Add", y[0], y[1])
		y = []value{sum.same(b.Op("Mul", nil, sum.name, b.scalar(0.5)))}
	default:
		return nil, fmt.Errorf("merge_mode is %q", mode)
	}
	if f.state {
		y = append(append(y, list[0].states...), list[1].states...)
	}
	return y, nil
}
