package fmath

import "math"

// logSeries are 2/(2k+1), k from 10 down to 1, of
// log((1+s)/(1-s)) = 2s + 2s^3/3 + 2s^5/5 + ... On |s| <= 0.1716 the first
// term left out is below 3e-18 of the sum.
var logSeries = [...]float64{
	2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13, 2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3,
}

// Log returns the natural logarithm of x, at most 2 units in the last place
// off. Log(0) is -Inf, NaN for negative x and for NaN.
func Log(x float64) float64 {
	switch {
	case x != x || x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	case math.IsInf(x, 1):
		return x
	}
	e := 0
	if x < 0x1p-1022 {
		x *= 0x1p54
		e = -54
	}
	b := math.Float64bits(x)
	e += int(b>>52) - 1023
	m := math.Float64frombits(b&(1<<52-1) | 1023<<52)
	if m > math.Sqrt2 {
		m /= 2
		e++
	}
	f := m - 1
	s := f / (m + 1)
	z := float64(s * s)
	q := logSeries[0]
	for _, c := range logSeries[1:] {
		q = math.FMA(q, z, c)
	}
	// log m = 2s + s*z*q, and 2s = f - s*f keeps the digits of f.
	l := f - math.FMA(s, f, -float64(float64(s*z)*q))
	k := float64(e)
	return math.FMA(k, ln2Hi, math.FMA(k, ln2Lo, l))
}

// Log1p returns log(1+y) for y >= 0, at most 3 units in the last place off
// also where y is small: log(u)*y/(u-1) with u = 1+y, whose two errors cancel
// (Goldberg, "What every computer scientist should know about floating-point
// arithmetic", theorem 4).
func Log1p(y float64) float64 {
	u := 1 + y
	if u == 1 {
		return y
	}
	if math.IsInf(u, 1) {
		return u
	}
	return float64(Log(u)*y) / (u - 1)
}

// Softplus returns log(1+exp(x)) without overflow.
func Softplus(x float64) float64 {
	return max(x, 0) + Log1p(Exp(-math.Abs(x)))
}
