package kernel

import "math"

// Whole tensors as bytes of one scale, as ONNX's operators of integers have them.

// Extremes writes, for each of n columns of m rows, the least number to lo, NaN
// passed over but in the first row, and to hi the largest, NaN if one is.
func Extremes(m, n int, lo, hi []float32, src Rows[float32]) {
	if m <= limits.Rows && n <= limits.Rows*Lane && Fused(extremesOf, Gates{M: m, N: n}, src, Rows[float32]{Data: lo}, Rows[float32]{Data: hi}) {
		return
	}
	copy(lo[:n], src.At(0, n))
	copy(hi[:n], src.At(0, n))
	for r := range m {
		for j, x := range src.At(r, n) {
			if x < lo[j] {
				lo[j] = x
			}
			hi[j] = Larger(hi[j], x)
		}
	}
}

// SpanMemory is how many numbers Span works with.
const SpanMemory = 16 * Lane

// Span returns the least and the largest of m rows of n numbers and 0; the largest is
// NaN if one of them is. mem is SpanMemory numbers
// that it may use.
func Span(m, n int, x Rows[float32], mem []float32) (lo, hi float32) {
	least, most := mem[:SpanMemory/2], mem[SpanMemory/2:SpanMemory]
	for c := 0; c < n; c += len(least) {
		k := min(len(least), n-c)
		for r := 0; r < m; r += limits.Rows {
			Extremes(min(limits.Rows, m-r), k, least, most, Rows[float32]{Data: x.Data[r*x.Row+c:], Row: x.Row})
			for j, v := range least[:k] {
				if v < lo {
					lo = v
				}
				hi = Larger(hi, most[j])
			}
		}
	}
	return lo, hi
}

// Bytes writes src/scale, rounded to the nearest integer, halves to the even one, plus
// zero, to the bounds of a byte. The scale is normal, and no quotient beyond 2^20 means
// anything, nor NaN.
func Bytes(dst []uint8, src []float32, scale float32, zero int32) {
	dst = dst[:len(src)]
	for i := bytesBlocks(dst, src, scale, zero); i < len(src); i++ {
		v := max(-1<<20, min(1<<20, src[i]/scale))
		if v != v {
			v = 0
		}
		dst[i] = uint8(max(0, min(255, nearest(v)+zero)))
	}
}

// FromSums writes (sums + start of the row) * scale for m rows of n sums, which lie row
// apart: the sum of integers wraps, becomes float32, and is scaled, each rounded.
func FromSums(m, n int, dst Rows[float32], sums []int32, row int, start []int32, scale float32) {
	g := Gates{M: m, N: n, Constants: [4]float32{scale}}
	if Fused(fromSumsOf, g, Rows[float32]{bytes32(sums), row}, Rows[float32]{bytes32(start), 1}, dst) {
		return
	}
	for r := range m {
		d := dst.At(r, n)
		for j, s := range sums[r*row : r*row+n] {
			d[j] = float32(s+start[r]) * scale
		}
	}
}

// TimesInts writes src*x, which wraps, to dst.
func TimesInts(dst, src []int32, x int32) {
	dst = dst[:len(src)]
	g := Gates{M: 1, N: len(src), Constants: [4]float32{math.Float32frombits(uint32(x))}}
	if Fused(timesIntsOf, g, Rows[float32]{Data: bytes32(src)}, Rows[float32]{Data: bytes32(dst)}) {
		return
	}
	for i, v := range src {
		dst[i] = v * x
	}
}
