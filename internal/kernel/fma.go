package kernel

import (
	"math"
	"unsafe"
)

const (
	// roundBits are the bits of a float64 that a float32 does not keep;
	// roundHalf among them marks the midpoint of two float32.
	roundBits = 1<<29 - 1
	roundHalf = 1 << 28
	// leastNormal is the least normal float32 as float64 bits: below it a
	// float32 keeps fewer bits, and the midpoints lie elsewhere.
	leastNormal = (1023 - 126) << 52
	signBit     = 1 << 63
)

// FMA32 returns a*b+c rounded once to float32, on every platform.
//
// The product of two float32 is exact in float64 (48 of 53 bits). Its sum with
// c is rounded to 53 bits, and rounding that to 24 bits is wrong only if the
// first rounding went exactly to a midpoint of the second: those sums, and
// results below the normal range, go the long way. Boldo and Melquiond,
// "Emulation of FMA and correctly rounded sums", 2008.
func FMA32(a, b, c float32) float32 {
	s := float64(a)*float64(b) + float64(c)
	if t := math.Float64bits(s); t&roundBits == roundHalf || t&^signBit < leastNormal {
		return fma32Odd(float64(a)*float64(b), float64(c), s)
	}
	return float32(s)
}

// fma32Odd returns p+c, of which s is the sum rounded to float64, rounded once
// to float32: it moves s to the neighbour with an odd last bit if the sum was
// inexact (round to odd), which makes the second rounding the only one.
//
//go:noinline
func fma32Odd(p, c, s float64) float32 {
	q := s - p
	e := (p - (s - q)) + (c - q) // the exact error of s (Knuth's TwoSum)
	t := math.Float64bits(s)
	if e != 0 && t&1 == 0 && e == e {
		if (e > 0) == (s > 0) {
			t++
		} else {
			t--
		}
		s = math.Float64frombits(t)
	}
	return float32(s)
}

// FMA returns a*b+c rounded once to F, on every platform.
func FMA[F Float](a, b, c F) F {
	if isFloat32[F]() {
		return F(FMA32(float32(a), float32(b), float32(c)))
	}
	return F(math.FMA(float64(a), float64(b), float64(c)))
}

// isFloat32 tells the two instances apart; the compiler folds it.
func isFloat32[F Float]() bool {
	var x F
	return unsafe.Sizeof(x) == 4
}
