package fmath

import "math"

const (
	piHalfHi = 1.5707963267948966    // float64 nearest to pi/2
	piHalfLo = 6.123233995736766e-17 // pi/2 - piHalfHi
)

// Taylor coefficients of cos (without 1) and of sin (without x) in x*x, highest
// first; on |x| <= pi/4 the first term left out is below 3e-19.
var (
	cosTaylor = [...]float64{1.0 / 20922789888000, -1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -1.0 / 2}
	sinTaylor = [...]float64{1.0 / 355687428096000, -1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6}
)

// Cos returns the cosine of x, |x| <= 1e5, with an absolute error of at most
// 3e-16; NaN beyond and for NaN.
func Cos(x float64) float64 { return turn(x, 0) }

// Sin returns the sine of x, |x| <= 1e5, with an absolute error of at most
// 3e-16; NaN beyond and for NaN.
func Sin(x float64) float64 { return turn(x, 3) }

// turn returns the cosine of x + quarters*pi/2.
func turn(x float64, quarters int) float64 {
	if !(x >= -1e5 && x <= 1e5) {
		return math.NaN()
	}
	k := math.RoundToEven(x / piHalfHi)
	r := math.FMA(k, -piHalfHi, x)
	r = math.FMA(k, -piHalfLo, r)
	z := float64(r * r)
	c, s := cosTaylor[0], sinTaylor[0]
	for i := range len(cosTaylor) - 1 {
		c = math.FMA(c, z, cosTaylor[i+1])
		s = math.FMA(s, z, sinTaylor[i+1])
	}
	cos, sin := math.FMA(c, z, 1), math.FMA(float64(s*z), r, r)
	switch (int(k) + quarters) & 3 {
	case 0:
		return cos
	case 1:
		return -sin
	case 2:
		return -cos
	}
	return sin
}
