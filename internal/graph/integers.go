package graph

import k "github.com/unroll-ml/unroll/internal/kernel"

// Products of ONNX's 8-bit integers, on the integer kernels: the left side as
// unsigned bytes and the right side as signed ones. What has the other sign is moved
// by 128, and its zero point with it.

// integerPanels are a packed right-hand side [k,n] of integers.
type integerPanels struct {
	p panels8
	// zero are the zero points of columns, and sums what their integers sum to, in
	// rows as the kernels hold them.
	zero, sums []int32
	zeros      bool // one of zero is not 0
}

// packIntegers packs w, whose element (r, u) is at at+r*row+u*unit, with its zeros
// from zeroAt on: one for all columns, or one for each.
func packIntegers(w *Value, at, depth, n, unit, row int, zero *Value, zeroAt int) *integerPanels {
	p := &integerPanels{}
	p.pack(w, at, depth, n, unit, row, zero, zeroAt)
	return p
}

// pack is packIntegers into the memory of p.
func (p *integerPanels) pack(w *Value, at, depth, n, unit, row int, zero *Value, zeroAt int) {
	flip := int32(0)
	if w.Type == U8 {
		flip = 128
	}
	ints := make([]int8, depth*n)
	for r := range depth {
		for u := range n {
			ints[r*n+u] = int8(integer(w, at+r*row+u*unit) - flip)
		}
	}
	p.p.Resize(k.NewLayout(depth, n, 1))
	p.p.PackInt8(ints, 1, n)
	size := len(p.p.Shift)
	p.zero, p.sums, p.zeros = make([]int32, size), make([]int32, size), false
	for u := range n {
		p.sums[u] = p.p.Shift[u] / -128
		p.zero[u] = zeroOf(zero, zeroAt+u, n) - flip
		p.zeros = p.zeros || p.zero[u] != 0
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

// integerScratch is the memory of products of integers for one goroutine.
type integerScratch struct {
	shift  []int32
	rows   k.Scratch[float32]
	panels integerPanels // of a right-hand side that changes
}

// paddedDepth is how many bytes a row of the left side takes.
func paddedDepth(depth int) int { return (depth + 3) / 4 * 4 }

// unsigned writes integers of 8 bits as unsigned bytes and returns what their zero
// point moves by.
func unsigned(dst []uint8, v *Value, at int) int32 {
	src := v.bytes()[at : at+len(dst)]
	if v.Type == U8 {
		copy(dst, src)
		return 0
	}
	for i, b := range src {
		dst[i] = b ^ 0x80
	}
	return 128
}

// mul writes the products of m rows of a, row bytes apart, less their one zero point,
// to dst [m,n]:
//
//	sum (a - zero)(w - zw) = sum a*w - zero*sum w - zw*sum a + k*zero*zw
func (p *integerPanels) mul(dst []int32, a []uint8, row, m int, zero int32, s *integerScratch) {
	n, depth := p.p.Units, int32(p.p.K)
	if cap(s.shift) < len(p.sums) {
		s.shift = make([]int32, len(p.sums))
	}
	s.shift = s.shift[:len(p.sums)]
	for c := range s.shift {
		s.shift[c] = zero * (depth*p.zero[c] - p.sums[c])
	}
	k.SumRows8(&p.p, dst, n, s.shift, k.Rows8{Data: a, Row: row}, m, &s.rows)
	if !p.zeros {
		return
	}
	for r := range m {
		sum := int32(0)
		for _, b := range a[r*row : r*row+p.p.K] {
			sum += int32(b)
		}
		for c := range n {
			dst[r*n+c] -= p.zero[c] * sum
		}
	}
}
