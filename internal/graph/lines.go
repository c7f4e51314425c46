package graph

import (
	"math"
	"slices"

	k "github.com/unroll-ml/unroll/internal/kernel"
)

// Convolutions with channels last. Positions are rows and channels columns, so that
// what a position sees need not be laid out: a table says where it is. The order of
// a sum is that of conv.go.

// lineConv is a convolution of one group over lines of positions, with known weights.
type lineConv struct {
	*convolution
	w    panels
	wide int    // numbers of a position: channels, filled up to whole vectors
	seen [2]int // lines and columns of the input, with the padding, that positions see
	// floor is what results are at least: a ReLU that follows, or -Inf.
	floor float32
}

// fullVectors reports whether m channels fill most of their vectors.
func fullVectors(m int) bool { return 2*k.Pad(m) <= 3*m }

// slides reports whether a convolution can be done line by line.
func (v *convolution) slides() bool {
	if !v.affine || v.groups != 1 || v.in[0] != 1 || v.kernel[0] != 1 || v.out[0] != 1 || v.positions() == 0 || k.Pad(v.m) > 2*v.m {
		return false
	}
	seen := v.extent(1)
	sees := macs(seen, v.extent(2), v.c)
	return sees <= 4*macs(v.c, v.plane())+4*macs(v.m, v.positions())+4096
}

// extent is how many places of an axis the positions see, with those outside.
func (w *window) extent(axis int) int {
	return (w.out[axis]-1)*w.stride[axis] + (w.kernel[axis]-1)*w.dilation[axis] + 1
}

// convolveLines plans a convolution whose input and result are as ONNX has them, and
// says how it goes with channels last.
func (c *call) convolveLines(v *convolution, known *Value) (kernel, error) {
	if err := c.packingFits(v.depth(), v.m); err != nil {
		return nil, err
	}
	w, err := once(c, "lines", []int{1}, func() (panels, error) {
		return pack(data[float32](known), v.depth(), v.m, v.depth(), 1), nil
	})
	if err != nil {
		return nil, err
	}
	l := &lineConv{v, w, k.Pad(v.m), [2]int{v.extent(1), v.extent(2)}, float32(math.Inf(-1))}
	c.last = &lastForm{starts: true, fills: fullVectors(v.m), run: l.run, memory: l.memory, floor: &l.floor}
	for _, s := range l.memory(false, false) {
		if err := c.memory(s.typ, s.n); err != nil {
			return nil, err
		}
	}
	return l.run(false, false), nil
}

// channels is how far the numbers of neighbouring columns lie apart, and lines how far
// those of neighbouring channels, in the input with its padding.
func (l *lineConv) strides(last bool) (column, channel int) {
	if last {
		return k.Pad(l.c), 1
	}
	return 1, l.seen[0] * l.seen[1]
}

// memory is the scratch of the kernel of a form.
func (l *lineConv) memory(lastIn, lastOut bool) []scratchSize {
	per := l.c
	if lastIn {
		per = k.Pad(l.c)
	}
	list := []scratchSize{{F32, per * l.seen[0] * l.seen[1]}, {F32, l.wide}}
	if !lastOut {
		list = append(list, scratchSize{F32, l.wide * l.positions()})
	}
	return list
}

// table says where a position finds what it sees, in index order.
func (l *lineConv) table(last bool) k.Places {
	column, channel := l.strides(last)
	var at []int
	for ch := range l.c {
		for kh := range l.window.kernel[1] {
			for kw := range l.window.kernel[2] {
				at = append(at, ch*channel+(kh*l.dilation[1]*l.seen[1]+kw*l.dilation[2])*column)
			}
		}
	}
	return k.NewPlaces(at)
}

// run returns the convolution of an input with channels last or first, to a result
// with channels last or first.
func (l *lineConv) run(lastIn, lastOut bool) kernel {
	at, p := l.table(lastIn), l.positions()
	column, _ := l.strides(lastIn)
	lines, m := l.out[1], l.out[2]
	line, row := l.stride[1]*l.seen[1]*column, l.stride[2]*column
	if m == 1 { // one column is one line of positions
		lines, m, row = 1, lines, line
	}
	size := l.c * l.plane()
	if lastIn {
		size = k.Pad(l.c) * l.plane()
	}
	return func(a *args) error {
		x, dst := data[float32](a.in[0]), data[float32](a.out[0])
		seen, bias := data[float32](a.scratch[0]), data[float32](a.scratch[1])
		clear(bias)
		if b := absent(a.in, 2); b != nil {
			copy(bias, data[float32](b))
		}
		for i := range l.n {
			l.pad(seen, x[i*size:(i+1)*size], lastIn)
			var to []float32
			if lastOut {
				to = dst[i*p*l.wide : (i+1)*p*l.wide]
			} else {
				to = data[float32](a.scratch[2])
			}
			k.Slide(l.w.p, k.Lines{Data: to, Line: m * l.wide, Row: l.wide}, bias,
				k.Lines{Data: seen, Line: line, Row: row}, at, l.floor, lines, m)
			if !lastOut {
				channelsFirst(dst[i*l.m*p:(i+1)*l.m*p], to, p, l.m, l.wide)
			}
		}
		return nil
	}
}

// pad copies the input, each number flushed, to where positions see it, with zeros
// around.
func (l *lineConv) pad(dst, x []float32, last bool) {
	column, planes := 1, l.c
	if last {
		column, planes = k.Pad(l.c), 1
	}
	w, in := l.seen[1]*column, l.in[2]*column
	top, left := min(l.before[1], l.seen[0]), min(l.before[2], l.seen[1])
	rows, n := min(l.in[1], l.seen[0]-top), min(l.in[2], l.seen[1]-left)*column
	left *= column
	for range planes {
		plane := dst[:l.seen[0]*w]
		clear(plane[:top*w])
		clear(plane[(top+rows)*w:])
		if n < w {
			for r := top; r < top+rows; r++ {
				line := plane[r*w : (r+1)*w]
				clear(line[:left])
				clear(line[left+n:])
			}
		}
		if rows > 0 && n > 0 {
			if rows*n == len(x) && n == w { // one after another
				flushTo(plane[top*w:(top+rows)*w], x)
			} else {
				k.FlushRows(rows, n, k.Rows[float32]{Data: plane[top*w+left:], Row: w}, k.Rows[float32]{Data: x, Row: in})
			}
		}
		dst, x = dst[len(plane):], x[min(len(x), l.plane()*column):]
	}
}

// channelsFirst writes the first m channels of p positions, whose numbers lie wide
// apart, channel by channel.
func channelsFirst[T float32 | uint8](dst, src []T, p, m, wide int) {
	const block = 64 // positions whose numbers stay in the first cache
	for p0 := 0; p0 < p; p0 += block {
		n := min(block, p-p0)
		ch := 0
		for ; ch+4 <= m; ch += 4 {
			d0, d1 := dst[ch*p+p0:][:n], dst[(ch+1)*p+p0:][:n]
			d2, d3 := dst[(ch+2)*p+p0:][:n], dst[(ch+3)*p+p0:][:n]
			for i := range d0 {
				s := src[(p0+i)*wide+ch:][:4:4]
				d0[i], d1[i], d2[i], d3[i] = s[0], s[1], s[2], s[3]
			}
		}
		for ; ch < m; ch++ {
			d := dst[ch*p+p0:][:n]
			for i := range d {
				d[i] = src[(p0+i)*wide+ch]
			}
		}
	}
}

// lastShape is the shape of a value [N,C,...] with channels last: their number is
// filled up to whole vectors, and what fills them up is nobody's.
func lastShape(shape []int) []int {
	return append(append(slices.Clone(shape[:1]), shape[2:]...), k.Pad(shape[1]))
}
