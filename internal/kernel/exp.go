package kernel

import "github.com/unroll-ml/unroll/internal/fmath"

// ExpTo writes fmath.Exp of every element of src, rounded to float32, to dst,
// which may be src.
func ExpTo(dst, src []float32) {
	dst = dst[:len(src)]
	var part [256]float64
	for len(src) > 0 {
		n := min(len(src), len(part))
		for i, x := range src[:n] {
			part[i] = float64(x)
		}
		Exp(part[:n])
		for i, x := range part[:n] {
			dst[i] = float32(x)
		}
		dst, src = dst[n:], src[n:]
	}
}

// Exp replaces every element of x by fmath.Exp of it.
func Exp(x []float64) {
	for len(x) > 0 {
		x = x[expBlocks(x):]
		// What fills no block, or lies where the result is not normal.
		n := min(len(x), 8)
		for i, v := range x[:n] {
			x[i] = fmath.Exp(v)
		}
		x = x[n:]
	}
}
