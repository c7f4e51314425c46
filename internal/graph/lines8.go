package graph

import (
	"fmt"
	"slices"

	k "github.com/unroll-ml/unroll/internal/kernel"
)

// ConvInteger with what follows it in the files of dynamic quantisation: a bias of
// integers, a cast to float32, a scale. With channels last a position's row is a copy
// of a few runs of bytes, and sums become float32 tile by tile:
//
//	y = float32(sum (x-zx)(w-zw) + bias) * scale

// lineInteger is a ConvInteger of one group with known weights and one zero point.
type lineInteger struct {
	*convolution
	weights *Value
	zero    int32 // of the weights, less what is taken off them
	middle  int32
	wide    int // numbers of a position of the result
	seen    [2]int
	packed  func(channels int) *lineWeights
}

// lineWeights are weights whose inner dimension is (place in the kernel, channel), the
// channels filled up to a number.
type lineWeights struct {
	panels k.Panels8
	sums   []int32 // of a column
}

// integerTile is how many positions are laid out at a time.
const integerTile = 96

// lineInteger returns a ConvInteger's description, nil where it cannot go on so.
func (c *call) lineInteger(v *convolution) *lineInteger {
	if !v.slides() || c.typ(0) != U8 || !c.pureIn(1, 3) || c.known(1) == nil || c.has(3) && c.in[3].n != 1 || v.taps()*k.Pad(v.c) > mostTerms {
		return nil
	}
	w := c.known(1)
	l := &lineInteger{convolution: v, weights: w, wide: k.Pad(v.m), seen: [2]int{v.extent(1), v.extent(2)}}
	zero := zeroOf(c.known(3), 0, 1)
	taken := true // the zero point fits into the weights
	for i := range w.n {
		x := integer(w, i) - zero
		taken = taken && x >= -128 && x <= 127
	}
	switch {
	case taken:
		l.middle = zero
	case w.Type == U8:
		l.middle = 128
	}
	l.zero = zero - l.middle
	shared := &call{node: c.node, pl: &planner{p: c.pl.p}, in: c.in}
	l.packed = func(channels int) *lineWeights {
		p, _ := once(shared, fmt.Sprint("lines of ", channels), nil, func() (*lineWeights, error) { return l.pack(channels), nil })
		return p
	}
	return l
}

func (l *lineInteger) pack(channels int) *lineWeights {
	taps := l.taps()
	depth := taps * channels
	p := &lineWeights{sums: make([]int32, l.m)}
	narrow := make([]int8, l.m*depth)
	for m := range l.m {
		for ch := range l.c {
			for tap := range taps {
				x := integer(l.weights, (m*l.c+ch)*taps+tap) - l.middle
				narrow[m*depth+tap*channels+ch] = int8(x)
				p.sums[m] += x
			}
		}
	}
	p.panels.Resize(k.NewLayout(depth, l.m, 1))
	p.panels.PackInt8(func(u int, to []int8) { copy(to, narrow[u*depth:]) })
	return p
}

// channels is how many bytes a position of the input has.
func (l *lineInteger) channels(last bool) int {
	if last {
		return k.Pad(l.c)
	}
	return rowBytes(l.c)
}

// whole reports whether rows are positions of the input as they stand.
func (l *lineInteger) whole(last bool) bool {
	return last && l.taps() == 1 && l.seen == [2]int{l.in[1], l.in[2]} && l.before == [3]int{} && l.stride == [3]int{1, 1, 1}
}

func (l *lineInteger) memory(lastIn, lastOut bool) []scratchSize {
	channels, seen := l.channels(lastIn), l.seen[0]*l.seen[1]
	list := []scratchSize{{U8, seen * channels}, {U8, integerTile * l.taps() * channels}, {I32, integerTile * l.wide}, {I32, max(l.positions(), integerTile)}, {I32, l.wide + 64}, {I32, seen}}
	if !lastOut {
		list = append(list, scratchSize{F32, l.positions() * l.wide})
	}
	return list
}

// run returns the kernel of a step whose inputs are x, its zero point, the bias and the
// scale.
func (l *lineInteger) run(lastIn, lastOut bool) kernel {
	channels := l.channels(lastIn)
	w, p, size := l.packed(channels), l.positions(), l.c*l.plane()
	if lastIn {
		size = channels * l.plane()
	}
	return func(a *args) error {
		x, dst := data[uint8](a.in[0]), data[float32](a.out[0])
		zero, shift := zeroOf(a.in[1], 0, 1), data[int32](a.scratch[4])
		clear(shift)
		for m, s := range w.sums {
			shift[m] = int32(l.depth())*zero*l.zero - zero*s
		}
		if a.in[2] != nil {
			for m, b := range data[int32](a.in[2]) {
				shift[m] += b
			}
		}
		for i := range l.n {
			image := x[i*size : (i+1)*size]
			var to []float32
			if lastOut {
				to = dst[i*p*l.wide : (i+1)*p*l.wide]
			} else {
				to = data[float32](a.scratch[6])
			}
			seen := image
			if !l.whole(lastIn) {
				seen = data[uint8](a.scratch[0])
				l.pad(seen, image, channels, uint8(zero), lastIn)
			}
			l.tiles(a, w, to, seen, channels, data[float32](a.in[3])[0])
			if !lastOut {
				channelsFirst(dst[i*l.m*p:(i+1)*l.m*p], to, p, l.m, l.wide)
			}
		}
		return nil
	}
}

// tiles computes the positions of an image.
func (l *lineInteger) tiles(a *args, w *lineWeights, dst []float32, seen []uint8, channels int, scale float32) {
	rows, sums, start := data[uint8](a.scratch[1]), data[int32](a.scratch[2]), data[int32](a.scratch[3])
	shift, all := data[int32](a.scratch[4]), data[int32](a.scratch[5])
	depth, whole := l.taps()*channels, l.taps() == 1 && len(seen) == l.positions()*channels
	clear(start)
	if l.zero != 0 {
		sumBytes(all, seen, l.c, channels)
		l.starts(start, all)
	}
	for p0 := 0; p0 < l.positions(); p0 += integerTile {
		n := min(integerTile, l.positions()-p0)
		left := k.Rows8{Data: rows, Row: depth}
		if whole {
			left.Data = seen[p0*channels:]
		} else {
			l.layOut(rows, seen, channels, p0, n)
		}
		at := p0
		if l.zero == 0 { // zeros, again and again
			at = 0
		}
		k.Sums8(&w.panels, 0, w.panels.Len(), sums, w.panels.MaxCols(), l.wide, shift, left, n)
		k.FromSums(n, l.wide, k.Rows[float32]{Data: dst[p0*l.wide:], Row: l.wide}, sums, l.wide, start[at:], scale)
	}
}

// layOut writes what n positions from p0 on see, row by row.
func (l *lineInteger) layOut(rows, seen []uint8, channels, p0, n int) {
	run, each := l.window.kernel[2]*channels, 1
	if l.dilation[2] > 1 {
		run, each = channels, l.window.kernel[2]
	}
	oh, ow := p0/l.out[2], p0%l.out[2]
	for range n {
		at := (oh*l.stride[1]*l.seen[1] + ow*l.stride[2]) * channels
		for kh := range l.window.kernel[1] {
			from := at + kh*l.dilation[1]*l.seen[1]*channels
			for range each {
				copy(rows[:run], seen[from:])
				rows, from = rows[run:], from+l.dilation[2]*channels
			}
		}
		if ow++; ow == l.out[2] {
			oh, ow = oh+1, 0
		}
	}
}

// starts writes what the sums of each position begin with for the zero point of the
// weights: it times the sum of what a position sees, of which all has the places. Those
// of a line are added first.
func (l *lineInteger) starts(start, all []int32) {
	kh, kw := l.window.kernel[1], l.window.kernel[2]
	wide, n := l.seen[1], l.out[2]
	for y := range l.seen[0] {
		line := all[y*wide : (y+1)*wide]
		for ow := range n { // what lies before is read no more
			sum := int32(0)
			for i, at := 0, ow*l.stride[2]; i < kw; i, at = i+1, at+l.dilation[2] {
				sum += line[at]
			}
			line[ow] = sum
		}
	}
	for oh := range l.out[1] {
		to := start[oh*n : (oh+1)*n]
		clear(to)
		for i := range kh {
			for ow, v := range all[(oh*l.stride[1]+i*l.dilation[1])*wide:][:n] {
				to[ow] -= l.zero * v
			}
		}
	}
}

// pad copies an image to where positions see it, with bytes of zero around and behind
// the channels.
func (l *lineInteger) pad(dst, x []uint8, channels int, zero uint8, last bool) {
	w := l.seen[1] * channels
	top, left := min(l.before[1], l.seen[0]), min(l.before[2], l.seen[1])
	rows, n := min(l.in[1], l.seen[0]-top), min(l.in[2], l.seen[1]-left)
	fill(dst[:top*w], zero)
	fill(dst[(top+rows)*w:l.seen[0]*w], zero)
	for r := range rows {
		line := dst[(top+r)*w : (top+r+1)*w]
		fill(line[:left*channels], zero)
		fill(line[(left+n)*channels:], zero)
		line = line[left*channels : (left+n)*channels]
		if last {
			copy(line, x[r*l.in[2]*channels:])
			continue
		}
		for ch := range l.c {
			for i, v := range x[(ch*l.in[1]+r)*l.in[2]:][:n] {
				line[i*channels+ch] = v
			}
		}
	}
}

// sumBytes adds the first c bytes of each position.
func sumBytes(dst []int32, x []uint8, c, channels int) {
	for i := range len(x) / channels {
		row, sum := x[i*channels:][:c], int32(0)
		for len(row) >= 8 {
			v := uint64(row[0]) | uint64(row[1])<<8 | uint64(row[2])<<16 | uint64(row[3])<<24 | uint64(row[4])<<32 | uint64(row[5])<<40 | uint64(row[6])<<48 | uint64(row[7])<<56
			v = v&0x00ff00ff00ff00ff + v>>8&0x00ff00ff00ff00ff
			sum += int32(v * 0x0001000100010001 >> 48)
			row = row[8:]
		}
		for _, v := range row {
			sum += int32(v)
		}
		dst[i] = sum
	}
}

// integers makes a step of each ConvInteger, the bias that is added to it, the cast and
// the scale, where nothing else reads what lies between.
func (h *holder) integers() {
	gone := map[int]bool{}
	for i := range h.pl.steps {
		s := &h.pl.steps[i]
		if s.integer == nil {
			continue
		}
		l, shape := s.integer, s.out[0].shape
		at, bias := i, (*operand)(nil)
		if next, other := h.only(at, "Add"); next >= 0 && biasOf(other, shape, l.m) {
			gone[at], at, bias = true, next, other
		}
		cast, _ := h.only(at, "Cast")
		if cast < 0 || h.pl.steps[cast].out[0].typ != F32 {
			delete(gone, i)
			continue
		}
		scaled, scale := h.only(cast, "Mul")
		if scaled < 0 || scale == nil || scale.n != 1 || !slices.Equal(h.pl.steps[scaled].out[0].shape, shape) {
			delete(gone, i)
			continue
		}
		gone[i], gone[at], gone[cast] = true, true, true
		t := &h.pl.steps[scaled]
		var zero *operand
		if len(s.in) > 2 {
			zero = s.in[2]
		}
		*t = step{n: t.n, in: []*operand{s.in[0], zero, bias, scale}, out: t.out, last: &lastForm{starts: true, fills: fullVectors(l.m), run: l.run, memory: l.memory}}
	}
	h.pl.steps = without(h.pl.steps, gone)
}

// only returns the step of that operator that alone reads a step's result, and its other
// operand; -1 where there is none.
func (h *holder) only(i int, op string) (int, *operand) {
	o := h.pl.steps[i].out[0]
	if h.shown[o] || len(h.readers[o]) != 1 {
		return -1, nil
	}
	next := h.readers[o][0]
	t := &h.pl.steps[next]
	if t.n.Op != op || t.n.Domain != "" {
		return -1, nil
	}
	for _, other := range t.in {
		if other != o {
			return next, other
		}
	}
	return next, nil
}

// biasOf reports whether an operand has a number for each of m channels of a shape.
func biasOf(o *operand, shape []int, m int) bool {
	at := 0
	if o != nil {
		at = len(o.shape) - len(shape) + 1
	}
	return o != nil && o.n == m && o.typ == I32 && at >= 0 && len(o.shape) <= len(shape) && o.shape[at] == m
}
