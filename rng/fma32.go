package rng

import "math"

// fma32 returns a·b+c rounded once.
//
// The float64 product of two float32 is exact, so only the float64 sum rounds
// before the final rounding to float32. Rounding twice can go wrong only if
// the sum looks like the exact middle between two float32 values, or if the
// result is subnormal, where float32 has fewer bits. Then the sum is rounded
// to odd instead: if it is inexact, its last bit is made 1, which keeps it off
// every middle and on the right side of it (Boldo and Melquiond, "Emulation of
// FMA and correctly rounded sums: proved algorithms using rounding to odd",
// 2008).
func fma32(a, b, c float32) float32 {
	if v, ok := easyFMA32(a, b, c); ok {
		return v
	}
	p, q := float64(float64(a)*float64(b)), float64(c)
	s, e := twoSum(p, q)
	n := math.Float64bits(s)
	if n&1 == 0 && e != 0 {
		n += 1 | uint64(int64(n^math.Float64bits(e))>>63) // away from 0 or towards it, as e says
	}
	return float32(math.Float64frombits(n))
}

// easyFMA32 is fma32 where rounding twice does no harm; else it reports false.
// It is small enough for the compiler to put into loops.
func easyFMA32(a, b, c float32) (v float32, ok bool) {
	s := float64(float64(a)*float64(b)) + float64(c)
	n := math.Float64bits(s)
	return float32(s), n<<35 != 1<<63 && n<<1 >= 897<<53 // not the middle, and 2^-126 or more
}

// octet is eight float32 values, as one AVX2 register holds them, widened to
// float64: so a lane is multiplied, added and rounded back without converting
// it each time. Results below 2^-126 do not occur in it, but 0 does. Methods
// run over all lanes, so that neighbours hide each other's latency.
type octet [block / 2]float64

// round32 rounds x to a float32 value, unless it is in the middle of two.
func round32(x float64) (v float64, ok bool) {
	n := math.Float64bits(x)
	return math.Float64frombits((n + 1<<28) &^ (1<<29 - 1)), n<<35 != 1<<63
}

// fused is fma32 on widened values.
func fused(a, b, c float64) float64 {
	return float64(fma32(float32(a), float32(b), float32(c)))
}

// horner sets y to y·x+c.
func (y *octet) horner(x *octet, c float32) {
	for i := range y {
		v, ok := round32(float64(y[i]*x[i]) + float64(c))
		if !ok {
			v = fused(y[i], x[i], float64(c))
		}
		y[i] = v
	}
}

// addScaled sets y to x·k+y.
func (y *octet) addScaled(x *octet, k float32) {
	for i := range y {
		v, ok := round32(float64(x[i]*float64(k)) + y[i])
		if !ok {
			v = fused(x[i], float64(k), y[i])
		}
		y[i] = v
	}
}

// fma sets y to y·a+b.
func (y *octet) fma(a, b *octet) {
	for i := range y {
		v, ok := round32(float64(y[i]*a[i]) + b[i])
		if !ok {
			v = fused(y[i], a[i], b[i])
		}
		y[i] = v
	}
}

// mul sets y to a·b.
func (y *octet) mul(a, b *octet) {
	for i := range y {
		y[i] = float64(float32(a[i] * b[i]))
	}
}

// fill sets all lanes to c.
func (y *octet) fill(c float32) {
	for i := range y {
		y[i] = float64(c)
	}
}
