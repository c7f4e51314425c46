package kernel

import "math"

// The constants of exp: log2(e), ln 2 in two parts, and a polynomial q with
// expm1(r) = r + r*r*q(r) on |r| <= ln(2)/2, fitted by Remez exchange for the
// relative error of expm1 (float32: degree 4, 1.5e-8; float64: degree 11,
// 3.4e-21, before rounding of the coefficients).
var (
	poly32 = [...]float32{1.39460422001e-3, 8.36637390413e-3, 4.16662898704e-2, 0.166665452547, 0.500000005848}
	poly64 = [...]float64{
		1.6093122850812162273e-10, 2.0921145557819757075e-9, 2.5052048612908437093e-8,
		2.7557253441662117205e-7, 2.7557319276007161309e-6, 2.4801587348097205786e-5,
		1.9841269841269246694084e-4, 1.3888888888873075224e-3, 8.3333333333333381404e-3,
		4.1666666666666689185e-2, 0.16666666666666666663, 0.49999999999999999991,
	}
)

const (
	log2e        = 1.4426950408889634074
	ln2Hi32      = 0.6931471824645996
	ln2Lo32      = -1.90465429996e-9
	ln2Hi64      = 0.6931471805599453
	ln2Lo64      = 2.3190468138462996155e-17
	shift32      = 3 << 22 // adding it rounds to an integer, to nearest, ties to even
	shift64      = 3 << 51
	tanhLeast32  = 0x1p-12 // below it tanh(x) rounds to x
	tanhMost32   = 10      // from it on tanh(x) rounds to 1
	sigLeast32   = 0x1p-26 // below it sigmoid(x) rounds to 1/2
	sigMost32    = 105     // from it on exp(-x) rounds to 0
	tanhLeast64  = 0x1p-27
	tanhMost64   = 22
	sigLeast64   = 0x1p-55
	sigMost64    = 746
	tinyLimit32  = 0x1p-100
	tinyLimit64  = 0x1p-960
	signBit32    = 1 << 31
	exponentBias = 127
)

// expm1Parts32 returns p and n with exp(y) = 2^n * (1 + p), |p| < 0.42.
func expm1Parts32(y float32) (p float32, n int32) {
	t := FMA32(y, log2e, shift32)
	m := t - shift32
	r := FMA32(m, -ln2Hi32, y)
	r = FMA32(m, -ln2Lo32, r)
	q := poly32[0]
	for _, c := range poly32[1:] {
		q = FMA32(q, r, c)
	}
	return FMA32(q, float32(r*r), r), int32(math.Float32bits(t)) - int32(math.Float32bits(shift32))
}

// exp2i32 returns 2^n for n in [-126, 127].
func exp2i32(n int32) float32 { return math.Float32frombits(uint32(n+exponentBias) << 23) }

// Tanh32 is the hyperbolic tangent: -expm1(-2|x|) / (expm1(-2|x|) + 2)
// with the sign of x. The divisor is computed beside the dividend and not from
// it, so that it is rounded once. At most 2.5 units in the last place off, never outside [-1, 1],
// NaN for NaN. docs/numerics.md has the measured error over all float32.
func Tanh32(x float32) float32 {
	abs := math.Float32frombits(math.Float32bits(x) &^ signBit32)
	a := abs
	if a < tanhLeast32 { // also keeps denormals out of the polynomial
		a = tanhLeast32
	}
	if a > tanhMost32 {
		a = tanhMost32
	}
	p, n := expm1Parts32(-(a + a))
	s := exp2i32(n)
	y := -FMA32(p, s, s-1) / FMA32(p, s, s+1)
	if abs < tanhLeast32 {
		y = abs
	}
	return math.Float32frombits(math.Float32bits(y) | math.Float32bits(x)&signBit32)
}

// Sigmoid32 is 1/(1+exp(-x)), computed from exp(-|x|) so that neither end
// loses digits. At most 2.5 units in the last place off, never outside [0, 1],
// NaN for NaN.
func Sigmoid32(x float32) float32 {
	a := math.Float32frombits(math.Float32bits(x) &^ signBit32)
	if a < sigLeast32 {
		a = sigLeast32
	}
	if a > sigMost32 {
		a = sigMost32
	}
	p, n := expm1Parts32(-a)
	h := n >> 1 // two factors, because 2^n may lie below the normal range
	e := float32(float32((1+p)*exp2i32(h)) * exp2i32(n-h))
	num := float32(1)
	if math.Float32bits(x)&signBit32 != 0 {
		num = e
	}
	return num / (1 + e)
}

func expm1Parts64(y float64) (p float64, n int64) {
	t := math.FMA(y, log2e, shift64)
	m := t - shift64
	r := math.FMA(m, -ln2Hi64, y)
	r = math.FMA(m, -ln2Lo64, r)
	q := poly64[0]
	for _, c := range poly64[1:] {
		q = math.FMA(q, r, c)
	}
	return math.FMA(q, float64(r*r), r), int64(math.Float64bits(t)) - int64(math.Float64bits(shift64))
}

func exp2i64(n int64) float64 { return math.Float64frombits(uint64(n+1023) << 52) }

// Tanh64 is Tanh32 in float64.
func Tanh64(x float64) float64 {
	abs := math.Float64frombits(math.Float64bits(x) &^ signBit)
	a := abs
	if a < tanhLeast64 {
		a = tanhLeast64
	}
	if a > tanhMost64 {
		a = tanhMost64
	}
	p, n := expm1Parts64(-(a + a))
	s := exp2i64(n)
	y := -math.FMA(p, s, s-1) / math.FMA(p, s, s+1)
	if abs < tanhLeast64 {
		y = abs
	}
	return math.Float64frombits(math.Float64bits(y) | math.Float64bits(x)&signBit)
}

// Sigmoid64 is Sigmoid32 in float64.
func Sigmoid64(x float64) float64 {
	a := math.Float64frombits(math.Float64bits(x) &^ signBit)
	if a < sigLeast64 {
		a = sigLeast64
	}
	if a > sigMost64 {
		a = sigMost64
	}
	p, n := expm1Parts64(-a)
	h := n >> 1
	e := float64(float64((1+p)*exp2i64(h)) * exp2i64(n-h))
	num := 1.0
	if math.Float64bits(x)&signBit != 0 {
		num = e
	}
	return num / (1 + e)
}

// Tanh returns the hyperbolic tangent of x in its own precision.
func Tanh[F Float](x F) F {
	if isFloat32[F]() {
		return F(Tanh32(float32(x)))
	}
	return F(Tanh64(float64(x)))
}

// Sigmoid returns the logistic function of x in its own precision.
func Sigmoid[F Float](x F) F {
	if isFloat32[F]() {
		return F(Sigmoid32(float32(x)))
	}
	return F(Sigmoid64(float64(x)))
}

// ReLU returns x, and 0 for negative x; NaN for NaN, as PyTorch does.
func ReLU[F Float](x F) F {
	if x < 0 {
		return 0
	}
	return x
}

// Flush returns x, and +0 if x lies closer to zero than 2^-100 (float64:
// 2^-960). Every state and every input passes through it, so that a fading
// state ends in zeros instead of denormals, which common processors handle a
// hundred times slower than other numbers.
func Flush[F Float](x F) F {
	if limit := tinyLimit[F](); x < limit && x > -limit {
		return 0
	}
	return x
}

// FlushTo writes Flush of every element of src to dst, which may be src.
func FlushTo[F Float](dst, src []F) {
	dst = dst[:len(src)]
	if elementwise(flushOf, dst, src) {
		return
	}
	for i, x := range src {
		dst[i] = Flush(x)
	}
}

// TanhTo writes Tanh of every element of src to dst, which may be src.
func TanhTo[F Float](dst, src []F) {
	dst = dst[:len(src)]
	if elementwise(tanhOf, dst, src) {
		return
	}
	for i, x := range src {
		dst[i] = Tanh(x)
	}
}

// SigmoidTo writes Sigmoid of every element of src to dst, which may be src.
func SigmoidTo[F Float](dst, src []F) {
	dst = dst[:len(src)]
	if elementwise(sigmoidOf, dst, src) {
		return
	}
	for i, x := range src {
		dst[i] = Sigmoid(x)
	}
}

// ReLUTo writes ReLU of every element of src to dst, which may be src.
func ReLUTo[F Float](dst, src []F) {
	dst = dst[:len(src)]
	if elementwise(reluOf, dst, src) {
		return
	}
	for i, x := range src {
		dst[i] = ReLU(x)
	}
}

// Product writes a*b, rounded, to dst, which may be either.
func Product[F Float](dst, a, b []F) {
	a, b = a[:len(dst)], b[:len(dst)]
	if Fused(productOf, Gates{M: 1, N: len(dst)}, Rows[F]{Data: a}, Rows[F]{Data: b}, Rows[F]{Data: dst}) {
		return
	}
	for i := range dst {
		dst[i] = F(a[i] * b[i])
	}
}

// Larger returns b where it is larger than a or NaN, and a is a number; otherwise
// a, so of two zeros the first.
func Larger[F Float](a, b F) F {
	if !(b <= a) && a == a {
		return b
	}
	return a
}

// LargerTo writes Larger of every two elements to dst, which may be either.
func LargerTo[F Float](dst, a, b []F) {
	LargerRows(1, len(dst), Rows[F]{Data: dst}, Rows[F]{Data: a}, Rows[F]{Data: b})
}

// LargerRows is LargerTo for m rows of n elements.
func LargerRows[F Float](m, n int, dst, a, b Rows[F]) {
	if Fused(largerOf, Gates{M: m, N: n}, a, b, dst) {
		return
	}
	for r := range m {
		d, x, y := dst.At(r, n), a.At(r, n), b.At(r, n)
		for i := range d {
			d[i] = Larger(x[i], y[i])
		}
	}
}

// Largest4Rows writes what LargerRows makes of a and b, of that and c, and of that and
// d.
func Largest4Rows[F Float](m, n int, dst, a, b, c, d Rows[F]) {
	if Fused(largest4Of, Gates{M: m, N: n}, a, b, c, d, dst) {
		return
	}
	for r := range m {
		to, w, x, y, z := dst.At(r, n), a.At(r, n), b.At(r, n), c.At(r, n), d.At(r, n)
		for i := range to {
			to[i] = Larger(Larger(Larger(w[i], x[i]), y[i]), z[i])
		}
	}
}

func tinyLimit[F Float]() F {
	if isFloat32[F]() {
		return F(tinyLimit32)
	}
	limit := tinyLimit64 // a variable, because no constant of F can be this small
	return F(limit)
}
