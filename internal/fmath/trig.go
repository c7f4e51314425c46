package fmath

import (
	"math"
	"math/big"
	"sync"
)

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

// Cos returns the cosine of x, with an absolute error of at most 3e-16, beyond 1e5
// of 1e-15; NaN for infinities and NaN.
func Cos(x float64) float64 { return turn(x, 0) }

// Sin returns the sine of x, with an absolute error of at most 3e-16, beyond 1e5 of
// 1e-15; NaN for infinities and NaN.
func Sin(x float64) float64 { return turn(x, 3) }

// turn returns the cosine of x + quarters*pi/2.
func turn(x float64, quarters int) float64 {
	if x == 0 && quarters == 3 {
		return x // -0 too
	}
	if !(x >= -1e5 && x <= 1e5) {
		if x-x != 0 {
			return math.NaN()
		}
		x = around(x)
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

// fraction is how many bits behind the point a whole turn is known to: 1,024 for the
// largest float64, and 128 for what is left of it.
const fraction = 1024 + 128

// wholeTurn is 2 pi, times 2^fraction.
var wholeTurn = sync.OnceValue(func() *big.Int {
	// pi = 16 atan(1/5) - 4 atan(1/239), with 32 bits more for what rounds.
	const bits = fraction + 32
	arctan := func(n int64) *big.Int {
		term := new(big.Int).Lsh(big.NewInt(1), bits)
		term.Quo(term, big.NewInt(n))
		sum, square := new(big.Int), big.NewInt(n*n)
		for k := int64(1); term.Sign() != 0; k += 2 {
			part := new(big.Int).Quo(term, big.NewInt(k))
			if k&2 != 0 {
				part.Neg(part)
			}
			sum.Add(sum, part)
			term.Quo(term, square)
		}
		return sum
	}
	pi := new(big.Int).Lsh(arctan(5), 4)
	pi.Sub(pi, new(big.Int).Lsh(arctan(239), 2))
	return pi.Rsh(pi.Lsh(pi, 1), 32)
})

// around returns a large x less whole turns, of one sign with x.
func around(x float64) float64 {
	bits, exponent := math.Frexp(math.Abs(x))
	n := big.NewInt(int64(math.Ldexp(bits, 53)))
	if shift := fraction + exponent - 53; shift >= 0 {
		n.Lsh(n, uint(shift))
	}
	n.Rem(n, wholeTurn())
	r, _ := new(big.Float).SetMantExp(new(big.Float).SetInt(n), -fraction).Float64()
	return math.Copysign(r, x)
}
