package graph

import (
	"math"
	"unsafe"

	k "github.com/unroll-ml/unroll/internal/kernel"
)

// Products of 8-bit integers. The kernels multiply bytes of 0 to 255 on the left
// with numbers of -128 to 127 on the right; here both become that, with their zero
// points:
//
//	sum (a-za)(b-zb) = sum ab - zb*sum a - za*sum b + k*za*zb
//
// Sums of integers are exact, and wrap as int32 do.

// mostTerms is how many products a sum can have; one beyond 32 bits wraps, as in ONNX.
const mostTerms = 1 << 17

// panels8 are a packed right-hand side [K,Units] of 8-bit integers: of floats that
// are rounded here, each column with a scale of its own, or of a file's integers,
// whose zero points are taken off and whose scales its operators have.
type panels8 struct {
	k.Panels8
	sums   []int32 // of the weights of each column
	zeros  []int32 // of each column; nil: all 0
	memory []int32 // of zeros
}

// resize makes room for depth rows of n columns.
func (p *panels8) resize(depth, n int) {
	p.Resize(k.NewLayout(depth, n, 1))
	p.sums, p.memory = grown(p.sums, n), grown(p.memory, n)
	p.zeros = p.memory
}

// pack8 packs floats: the weight of column u, row r is w[u*unit+r*row].
func pack8(w []float32, depth, n, unit, row int) *panels8 {
	p := &panels8{}
	p.resize(depth, n)
	for i := range p.Len() {
		k.PackPanel8(&p.Panels8, i, w, 0, unit, row)
	}
	p.zeros = nil
	return p
}

// packIntegers packs integers, whose element (r, u) is at at+r*row+u*unit, with their
// zeros: one for all columns, or one for each.
func packIntegers(w *Value, at, depth, n, unit, row int, zero *Value, zeroAt int) *panels8 {
	p := &panels8{}
	p.packIntegers(w, at, depth, n, unit, row, zero, zeroAt)
	return p
}

// packIntegers is the function's work in memory that p may have already.
func (p *panels8) packIntegers(w *Value, at, depth, n, unit, row int, zero *Value, zeroAt int) {
	p.resize(depth, n)
	for u := range n {
		p.zeros[u] = zeroOf(zero, zeroAt+u, n)
	}
	taken, middle := true, int32(0) // the zeros fit into the weights
	for r := range depth {
		for u := range n {
			v := integer(w, at+r*row+u*unit) - p.zeros[u]
			taken = taken && v >= -128 && v <= 127
		}
	}
	if !taken && w.Type == U8 {
		middle = 128
	}
	p.PackInt8(func(u int, column []int8) {
		if taken {
			middle = p.zeros[u]
		}
		p.zeros[u] -= middle
		p.sums[u] = 0
		for r := range column {
			v := integer(w, at+r*row+u*unit) - middle
			column[r] = int8(v)
			p.sums[u] += v
		}
	})
	if taken {
		p.zeros = nil
	}
}

// grown returns a slice of length n with undefined contents, reusing s.
func grown[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}

// start writes what the sums of each column start from where bytes have the zero
// point za: shift is laid out like the panels' Shift.
func (p *panels8) start(shift []int32, za int32) {
	k.TimesInts(shift, p.sums, -za)
	for u, z := range p.zeros {
		shift[u] += int32(p.K) * za * z
	}
}

// zeroOf is zero point i of n, or the only one; 0 of none.
func zeroOf(zero *Value, i, n int) int32 {
	switch {
	case zero == nil:
		return 0
	case zero.n == 1:
		return integer(zero, 0)
	}
	return integer(zero, i)
}

// rowBytes is how far rows of a left side of depth numbers lie apart.
func rowBytes(depth int) int { return (depth + 3) / 4 * 4 }

// sumsRow is how far rows of sums of n columns lie apart.
func sumsRow(n int) int { return k.Pad(n) }

// mul writes the sums of m rows of a, bytes rowBytes apart, to dst, rows sumsRow
// apart. za is the zero point of a. shift is memory like the panels' Shift.
func (p *panels8) mul(dst []int32, a []uint8, m int, za int32, shift []int32) {
	if p.K == 0 || p.Units == 0 {
		clear(dst[:m*sumsRow(p.Units)])
		return
	}
	p.start(shift, za)
	p.add(dst, a, m, shift)
}

// add is mul for sums that start from shift.
func (p *panels8) add(dst []int32, a []uint8, m int, shift []int32) {
	row, step := rowBytes(p.K), sumsRow(p.Units)
	k.Sums8(&p.Panels8, 0, p.Len(), dst, p.MaxCols(), step, shift, k.Rows8{Data: a, Row: row}, m)
	if p.zeros == nil {
		return
	}
	for r := range m {
		all := int32(0)
		for _, v := range a[r*row : r*row+p.K] {
			all += int32(v)
		}
		for u, z := range p.zeros {
			dst[r*step+u] -= z * all
		}
	}
}

// leftBytes writes rows of depth 8-bit numbers as bytes of 0 to 255, rowBytes
// apart, and returns what is added to their zero point.
func leftBytes(dst []uint8, v *Value, at, rows, depth int) int32 {
	src, step := v.bytes()[at:], rowBytes(depth)
	for r := range rows {
		d := dst[r*step : (r+1)*step]
		clear(d[copy(d, src[r*depth:(r+1)*depth]):])
		if v.Type == I8 {
			for i := range d[:depth] {
				d[i] ^= 0x80
			}
		}
	}
	if v.Type == I8 {
		return 128
	}
	return 0
}

// spanOf returns scale and zero point of uint8 for the first n numbers of every row:
// their range with 0. The scale is NaN if one of them is.
func spanOf(x []float32, n, row int, mem []float32) (scale float32, zero int32) {
	if n == row { // one after another
		n, row = 128, 128
	}
	m := len(x) / row
	lo, hi := k.Span(m, n, k.Rows[float32]{Data: x, Row: row}, mem)
	if rest := x[m*row:]; len(rest) > 0 {
		l, h := k.Span(1, len(rest), k.Rows[float32]{Data: rest}, mem)
		lo, hi = min(lo, l), k.Larger(hi, h)
	}
	switch {
	case hi != hi:
		return float32(math.NaN()), 0
	case hi == lo:
		return 1, 0
	}
	scale = (hi - lo) / 255
	return scale, int32(max(0, min(255, math.RoundToEven(float64((0-lo)/scale)))))
}

// quantiseBytes writes x/scale, of numbers that spanOf gave the scale, rounded to
// nearest, ties to even, plus zero, to the bounds of uint8; NaN is zero.
func quantiseBytes(dst []uint8, x []float32, scale float32, zero int32) {
	if scale >= 0x1p-100 && scale <= math.MaxFloat32 {
		k.Bytes(dst[:len(x)], x, scale, zero)
		return
	}
	for i, v := range x {
		dst[i] = uint8(quantize(v, scale, zero, U8))
	}
}

// bytesAsWords is memory of bytes, a multiple of four, as words.
func bytesAsWords[T int8 | uint8](b []T) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}
