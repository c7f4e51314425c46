package graph

import (
	"encoding/binary"
	"math/bits"

	k "github.com/unroll-ml/unroll/internal/kernel"
)

// ConvInteger multiplies weights, bytes on the left, with columns on the right. Four
// channels of a position stand beside each other as the kernels have them, so the
// inner dimension is counted by (group of four channels, place in the kernel).

type convInteger struct {
	*convolution
	fours int // groups of four channels
	tile  int
}

func planConvInteger(c *call) (kernel, error) {
	for i := range c.in {
		if c.has(i) {
			if err := c.is(i, I8, U8); err != nil {
				return nil, err
			}
		}
	}
	zeros := c.in[min(2, len(c.in)):]
	c.in = c.in[:2] // convolution looks for a bias in the third place
	conv, shape, err := c.convolution()
	c.in = append(c.in[:2:2], zeros...)
	if err != nil {
		return nil, err
	}
	c.work = macs(conv.n, conv.groups, conv.m, conv.depth(), conv.positions())
	if err := c.result(0, I32, shape...); err != nil {
		return nil, err
	}
	if c.has(2) && c.in[2].n != 1 || c.has(3) && c.in[3].n != 1 && c.in[3].n != conv.groups*conv.m {
		return nil, c.fail("zero points of shape %v and %v", c.shape(2), c.shape(3))
	}
	v := &convInteger{conv, (conv.c + 3) / 4, min(conv.positions(), tilePositions)}
	if v.row() > mostTerms {
		return nil, c.unsupported("with sums of %d products; at most %d are", v.row(), mostTerms)
	}
	if err := c.packingFits(v.row()/4, v.tile); err != nil {
		return nil, err
	}
	// the input, and all sums of a tile
	for i, n := range []int{v.fours * v.plane(), (v.m + 1) * sumsRow(v.tile)} {
		if err := c.memory([]Type{F32, I32}[i], n); err != nil {
			return nil, err
		}
	}
	c.integer = c.lineInteger(conv)
	known := c.known(1) != nil && (!c.has(3) || c.known(3) != nil)
	var left *integerLeft
	if known {
		left, _ = once(c, "left", []int{1, 3}, func() (*integerLeft, error) {
			l := &integerLeft{}
			l.set(v, c.in[1].known, c.known(3))
			return l, nil
		})
	}
	c.local = func() any {
		l := &integerColumns{}
		l.panels.Resize(k.NewLayout(v.row(), v.tile, 1))
		l.shift = make([]int32, l.panels.Len()*l.panels.MaxCols())
		return l
	}
	return func(a *args) error {
		l := a.local.(*integerColumns)
		w := left
		if w == nil {
			w = &l.left
			w.set(v, a.in[1], absent(a.in, 3))
		}
		v.run(a, l, w)
		return nil
	}, nil
}

// absent returns operand i, or nil.
func absent(in []*Value, i int) *Value {
	if i < len(in) {
		return in[i]
	}
	return nil
}

// row is how many bytes a row of weights has.
func (v *convInteger) row() int { return v.fours * v.taps() * 4 }

// integerLeft are the weights of all groups as rows of bytes, and behind each
// group's a row of ones, whose products are the sums of the columns.
type integerLeft struct {
	data  []uint8
	sums  []int32 // of a row
	zeros []int32
}

func (l *integerLeft) set(v *convInteger, w, zero *Value) {
	row, taps, middle := v.row(), v.taps(), uint8(0)
	if w.Type == I8 {
		middle = 128
	}
	if l.data == nil {
		l.data = make([]uint8, v.groups*(v.m+1)*row)
		l.sums, l.zeros = make([]int32, v.groups*v.m), make([]int32, v.groups*v.m)
	}
	from := w.bytes()
	for g := range v.groups {
		for m := range v.m + 1 {
			to, all := l.data[(g*(v.m+1)+m)*row:][:row], int32(0)
			for ch := range v.c {
				for tap := range taps {
					x := uint8(1)
					if m < v.m {
						x = from[((g*v.m+m)*v.c+ch)*taps+tap] ^ middle
					}
					to[(ch/4*taps+tap)*4+ch%4] = x
					all += int32(x)
				}
			}
			if m < v.m {
				l.sums[g*v.m+m] = all
				l.zeros[g*v.m+m] = zeroOf(zero, g*v.m+m, v.groups*v.m) + int32(middle)
			}
		}
	}
}

// integerColumns is the memory of a run.
type integerColumns struct {
	columnRuns
	panels k.Panels8
	shift  []int32
	left   integerLeft // of weights that change
}

func (v *convInteger) run(a *args, l *integerColumns, w *integerLeft) {
	words, sums, dst := rawData[uint32](a.scratch[0]), data[int32](a.scratch[1]), data[int32](a.out[0])
	p, row, x := v.positions(), v.row(), a.in[0]
	zx := zeroOf(absent(a.in, 2), 0, 1)
	middle := uint8(0)
	if x.Type == U8 {
		middle, zx = 128, zx-128
	}
	outside := uint32(uint8(zx)) * 0x01010101
	size := v.c * v.plane()
	for i := range v.n * v.groups {
		g := i % v.groups
		fourChannels(words, x.bytes()[i*size:(i+1)*size], v.c, v.plane(), middle)
		rows := w.data[g*(v.m+1)*row:][:(v.m+1)*row]
		for p0 := 0; p0 < p; p0 += v.tile {
			n := min(v.tile, p-p0)
			l.panels.Resize(k.NewLayout(row, n, 1))
			columnsTo(&l.columnRuns, bytesAsWords(l.panels.Data), &l.panels.Layout, v.window, words, v.fours, p0, outside)
			l.panels.Written()
			step := sumsRow(n)
			k.Sums8(&l.panels, 0, l.panels.Len(), sums, l.panels.MaxCols(), step, l.shift, k.Rows8{Data: rows, Row: row}, v.m+1)
			columnSums := sums[v.m*step:][:n]
			for m := range v.m {
				zw := w.zeros[g*v.m+m]
				more := int32(v.depth())*zw*zx - zx*w.sums[g*v.m+m]
				to := dst[(i*v.m+m)*p+p0:][:n]
				from := sums[m*step:][:n]
				for j, s := range columnSums {
					to[j] = from[j] - zw*s + more
				}
			}
		}
	}
}

// fourChannels puts the bytes of four channels of a plane beside each other, those
// that are not there 0; each has middle taken off.
func fourChannels(dst []uint32, x []uint8, channels, plane int, middle uint8) {
	four := uint32(middle) * 0x01010101
	for c := 0; c < channels; c += 4 {
		to := dst[c/4*plane:][:plane]
		if c+4 <= channels {
			x0, x1, x2, x3 := x[c*plane:][:plane], x[(c+1)*plane:][:plane], x[(c+2)*plane:][:plane], x[(c+3)*plane:][:plane]
			for i := range to {
				to[i] = (uint32(x0[i]) | uint32(x1[i])<<8 | uint32(x2[i])<<16 | uint32(x3[i])<<24) ^ four
			}
		} else {
			for i := range to {
				v := uint32(0)
				for j := c; j < channels; j++ {
					v |= uint32(x[j*plane+i]) << (8 * (j - c))
				}
				to[i] = v ^ four
			}
		}
		if upperFirst {
			for i, v := range to {
				to[i] = bits.ReverseBytes32(v)
			}
		}
	}
}

// upperFirst: this processor has the upper bytes of a word first.
var upperFirst = binary.NativeEndian.Uint16([]byte{0, 1}) == 1
