package rng

import "math"

// The functions below are the single precision logarithm, sine and cosine of
// the Cephes library (Moshier), in the order of operations and with the fused
// multiply-adds of PyTorch's AVX2 kernels; the coefficients are theirs
// (https://www.netlib.org/cephes/, logf.c and sinf.c).

// cephesLog replaces the lanes, normal numbers above 0, by their natural
// logarithms: with x = m·2^e and m in [√½,√2), a polynomial in m-1, and log 2
// in two parts times e.
func cephesLog(x *octet) {
	const sqrtHalf = 0x3f3504f3 // the bits of √½
	var e, m, y, z, t octet
	for i, v := range x {
		bits := math.Float32bits(float32(v))
		n := int32(bits-sqrtHalf) >> 23
		f := math.Float32frombits(bits - uint32(n)<<23)
		e[i], m[i] = float64(n), float64(f-1)
		t[i] = float64(float32(n) * -2.12194440e-4)
	}
	z.mul(&m, &m)
	y.fill(7.0376836292e-2)
	y.horner(&m, -1.1514610310e-1)
	y.horner(&m, 1.1676998740e-1)
	y.horner(&m, -1.2420140846e-1)
	y.horner(&m, 1.4249322787e-1)
	y.horner(&m, -1.6668057665e-1)
	y.horner(&m, 2.0000714765e-1)
	y.horner(&m, -2.4999993993e-1)
	y.horner(&m, 3.3333331174e-1)
	y.mul(&y, &m)
	y.fma(&z, &t)
	y.addScaled(&z, -0.5)
	for i := range x {
		x[i] = float64(float32(m[i] + y[i])) // exact but for one rounding
	}
	x.addScaled(&e, 0.693359375)
}

// cephesSincos sets sin and cos to those of the lanes of x, in [0,8192), and
// uses x up: polynomials in the distance to the next multiple of π/2.
func cephesSincos(x, sin, cos *octet) {
	var z, t, y octet
	var octant [len(x)]int32
	for i, v := range x {
		octant[i] = (int32(float32(v)*1.27323954473516) + 1) &^ 1
		y[i] = float64(octant[i])
	}
	x.addScaled(&y, -0.78515625)
	x.addScaled(&y, -2.4187564849853515625e-4)
	x.addScaled(&y, -3.77489497744594108e-8)
	z.mul(x, x)

	cos.fill(2.443315711809948e-5)
	cos.horner(&z, -1.388731625493765e-3)
	cos.horner(&z, 4.166664568298827e-2)
	cos.mul(cos, &z)
	for i := range t {
		t[i] = z[i] * -0.5
	}
	cos.fma(&z, &t)

	sin.fill(-1.9515295891e-4)
	sin.horner(&z, 8.3321608736e-3)
	sin.horner(&z, -1.6666654611e-1)
	sin.mul(sin, &z)
	sin.fma(x, x)

	for i, j := range octant {
		// An odd quadrant swaps the two; the sine is negative in the lower half
		// of the circle, the cosine in the left one.
		s, c := math.Float64bits(sin[i]), math.Float64bits(float64(float32(cos[i]+1)))
		swap := (s ^ c) & -uint64(j>>1&1)
		sin[i] = math.Float64frombits(s ^ swap ^ uint64(j&4)<<61)
		cos[i] = math.Float64frombits(c ^ swap ^ uint64((j+2)&4)<<61)
	}
}
