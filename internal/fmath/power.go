package fmath

import "math"

// Expm1 returns e**x - 1, at most 3 units in the last place off, also where x
// is small.
func Expm1(x float64) float64 {
	if !(math.Abs(x) <= ln2Hi/2) {
		return Exp(x) - 1
	}
	// The coefficients are 1/n!, n from 13 down to 2, as in Exp.
	q := 1.0 / 6227020800
	for _, c := range [...]float64{1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2} {
		q = math.FMA(q, x, c)
	}
	return math.FMA(q, float64(x*x), x)
}

// Pow returns x**y, with package math's rules for zeros, infinities and NaN. Its
// relative error is at most 1e-13*(1+|y*log(x)|); for integers y up to 64 it is
// a product by squaring, for 0.5 the square root.
func Pow(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case y == 1:
		return x
	case x != x || y != y:
		return math.NaN()
	case x == 0 || math.IsInf(x, 0) || math.IsInf(y, 0):
		return math.Pow(x, y) // exact cases alone
	case y == 0.5:
		return math.Sqrt(x)
	case y == -0.5:
		return 1 / math.Sqrt(x)
	}
	whole := y == math.Trunc(y)
	if whole && math.Abs(y) <= 64 {
		if y < 0 {
			return 1 / PowInt(x, int(-y))
		}
		return PowInt(x, int(y))
	}
	negative := false
	if x < 0 {
		if !whole {
			return math.NaN()
		}
		negative = math.Abs(y) < 1<<53 && math.Mod(y, 2) != 0
		x = -x
	}
	l := Log(x)
	hi := float64(y * l)
	r := Exp(hi)
	if lo := math.FMA(y, l, -hi); r != 0 && !math.IsInf(r, 1) { // what the product lost
		r = math.FMA(r, lo, r)
	}
	if negative {
		return -r
	}
	return r
}

// Erf returns the error function of x, at most 7 units in the last place off.
// Below 2 it is a series of positive terms, each the one before times
// 2x*x/(2n+1),
//
//	erf(x) = 2/sqrt(pi) * exp(-x*x) * (x + 2x^3/3 + 4x^5/15 + ...)
//
// from there on 1 less a continued fraction,
//
//	erfc(x) = exp(-x*x)/sqrt(pi) / (x + (1/2)/(x + 1/(x + (3/2)/(x + ...))))
//
// and from 6 on it is 1 in float64.
func Erf(x float64) float64 {
	a := math.Abs(x)
	switch {
	case x != x:
		return x
	case a >= 6:
		return math.Copysign(1, x)
	}
	z := float64(x * x)
	// exp(-z) with what squaring lost.
	e := Exp(-z)
	e = math.FMA(e, -math.FMA(x, x, -z), e)
	if a >= 2 {
		f := a
		for n := 20 + int(160/z); n > 0; n-- {
			f = a + float64(n)/2/f
		}
		return math.Copysign(1-e/float64(math.SqrtPi*f), x)
	}
	sum := 1.0
	for n := 16 + int(6*z); n > 0; n-- { // the first term left out is below 1e-17 of the sum
		sum = math.FMA(sum, float64(2*z)/float64(2*n+1), 1)
	}
	return float64(float64(2/math.SqrtPi*x) * float64(e*sum))
}
