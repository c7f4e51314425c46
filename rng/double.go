package rng

import "math"

// The float64 logarithm, sine and cosine of this package. math.Log and its kin
// give other bits on other platforms, and the C library PyTorch calls is within
// 0.55 units in the last place; so these are computed to about 80 bits, in
// pairs of float64, and rounded: the result is the correctly rounded one but
// for about one argument in 2^25, and the same everywhere.

// dd is an unevaluated sum of two float64, hi being the sum rounded (Dekker,
// "A floating-point technique for extending the available precision", 1971).
type dd struct{ hi, lo float64 }

// twoSum returns a+b rounded and the rounding error (Knuth, The Art of
// Computer Programming 2, 4.2.2).
func twoSum(a, b float64) (s, e float64) {
	s = a + b
	v := s - a
	return s, (a - (s - v)) + (b - v)
}

// fastSum is twoSum for |a| >= |b|.
func fastSum(a, b float64) dd {
	s := a + b
	return dd{s, b - (s - a)}
}

func (a dd) add(b dd) dd {
	s, e := twoSum(a.hi, b.hi)
	return fastSum(s, e+a.lo+b.lo)
}

func (a dd) mul(b dd) dd {
	p := float64(a.hi * b.hi)
	e := math.FMA(a.hi, b.hi, -p)
	return fastSum(p, math.FMA(a.lo, b.hi, math.FMA(a.hi, b.lo, e)))
}

// inverse returns 1/n for an n that float64 holds exactly.
func inverse(n float64) dd {
	q := 1 / n
	return dd{q, math.FMA(-q, n, 1) / n}
}

// Numbers of terms of the series: the first ones in pairs, for they decide the
// last bits, the rest in float64.
const (
	logPairs, logTerms   = 7, 18
	trigPairs, trigTerms = 7, 14
)

var (
	oddInverse [logTerms]dd                                                               // 1/(2k+1)
	factorial  [2 * trigTerms]dd                                                          // 1/n!
	ln2        = [2]float64{0x1.62e42fefa2p-1, 0x1.9ef35793c7673p-41}                     // 40 and 53 bits
	halfPi     = [3]float64{0x1.921fb544p+0, 0x1.0b4611a626331p-34, 0x1.1701b839a252p-88} // 31, 53 and 53 bits
)

func init() {
	for k := range oddInverse {
		oddInverse[k] = inverse(float64(2*k + 1))
	}
	f := 1.0 // exact to 18!; those after are used in float64 only
	for n := range factorial {
		factorial[n] = inverse(f)
		f *= float64(n + 1)
	}
}

// log64 returns the natural logarithm of a normal x > 0:
// log(m·2^e) = e·log 2 + 2·atanh((m-1)/(m+1)), m in [√½,√2).
func log64(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	f := m - 1 // exact
	if f == 0 && e == 0 {
		return 0
	}
	den := fastSum(2, f)
	s := f / den.hi
	q := fastSum(s, math.FMA(-s, den.lo, math.FMA(-s, den.hi, f))/den.hi)
	q2 := q.mul(q)

	var t float64
	for k := logTerms - 1; k >= logPairs; k-- {
		t = math.FMA(t, q2.hi, oddInverse[k].hi)
	}
	p := dd{t, 0}
	for k := logPairs - 1; k >= 1; k-- {
		p = p.mul(q2).add(oddInverse[k])
	}
	q = dd{2 * q.hi, 2 * q.lo}
	p = q.add(q.mul(q2.mul(p)))
	if e != 0 {
		n := float64(e)
		h := float64(n * ln2[1])
		l := fastSum(float64(n*ln2[0]), h) // the first product is exact
		l.lo += math.FMA(n, ln2[1], -h)
		p = l.add(p)
	}
	return p.hi + p.lo
}

// sincos64 returns the sine and cosine of x in [0,2π].
func sincos64(x float64) (sin, cos float64) {
	n := math.Floor(float64(x*(2/math.Pi)) + 0.5)
	// x - n·π/2: the first difference is exact, n having three bits.
	a := x - float64(n*halfPi[0])
	h := float64(n * halfPi[1])
	r, e := twoSum(a, -h)
	e -= math.FMA(n, halfPi[1], -h) + float64(n*halfPi[2])
	x1 := fastSum(r, e)
	x2 := x1.mul(x1)

	s := alternating(x2, 1).mul(x1)
	c := alternating(x2, 0)
	sin, cos = s.hi+s.lo, c.hi+c.lo
	switch int(n) & 3 {
	case 1:
		return cos, -sin
	case 2:
		return -sin, -cos
	case 3:
		return -cos, sin
	}
	return sin, cos
}

// alternating returns the sum of (-z)^k/(2k+odd)!, for |z| <= (π/4)².
func alternating(z dd, odd int) dd {
	z = dd{-z.hi, -z.lo}
	var t float64
	for k := trigTerms - 1; k >= trigPairs; k-- {
		t = math.FMA(t, z.hi, factorial[2*k+odd].hi)
	}
	p := dd{t, 0}
	for k := trigPairs - 1; k >= 0; k-- {
		p = p.mul(z).add(factorial[2*k+odd])
	}
	return p
}
