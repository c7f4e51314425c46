// Package fmath holds the exponential, logarithm and cosine for numbers that
// reach a result. The functions of package math have other bits on other
// platforms, because some have assembly of their own; these are one fixed
// sequence of IEEE operations with explicit fused multiply-adds.
package fmath

import "math"

const (
	log2e = 1.4426950408889634074
	ln2Hi = 0.6931471805599453     // float64 nearest to ln 2
	ln2Lo = 2.3190468138462996e-17 // ln 2 - ln2Hi
	// shift rounds to an integer when added, to nearest, ties to even.
	shift = 3 << 51
)

// Exp returns e**x, at most 1 unit in the last place off in the normal range.
// Exp(-Inf) is 0, Exp(+Inf) is +Inf, NaN for NaN.
func Exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > 709.782712893384:
		return math.Inf(1)
	case x < -745.2:
		return 0
	}
	t := math.FMA(x, log2e, shift)
	m := t - shift
	r := math.FMA(m, -ln2Hi, x)
	r = math.FMA(m, -ln2Lo, r)
	// The coefficients are 1/n!, n from 13 down to 2: on |r| <= ln(2)/2 the first
	// term left out is below 4e-18.
	q := math.FMA(1.0/6227020800, r, 1.0/479001600)
	q = math.FMA(q, r, 1.0/39916800)
	q = math.FMA(q, r, 1.0/3628800)
	q = math.FMA(q, r, 1.0/362880)
	q = math.FMA(q, r, 1.0/40320)
	q = math.FMA(q, r, 1.0/5040)
	q = math.FMA(q, r, 1.0/720)
	q = math.FMA(q, r, 1.0/120)
	q = math.FMA(q, r, 1.0/24)
	q = math.FMA(q, r, 1.0/6)
	q = math.FMA(q, r, 1.0/2)
	p := math.FMA(q, float64(r*r), r)
	n := int64(math.Float64bits(t)) - int64(math.Float64bits(shift))
	h := n >> 1 // two factors, because 2^n may lie outside the normal range
	return float64((1+p)*pow2(h)) * pow2(n-h)
}

// pow2 returns 2**n for n in the normal range.
func pow2(n int64) float64 { return math.Float64frombits(uint64(n+1023) << 52) }

// PowInt returns x**n for n >= 0 by squaring, each product rounded.
func PowInt(x float64, n int) float64 {
	y := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			y = float64(y * x)
		}
		x = float64(x * x)
	}
	return y
}
