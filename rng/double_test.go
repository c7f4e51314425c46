package rng

import (
	"math"
	"math/big"
	"testing"
)

// The truth here is math/big with 300 bits and the plain series.

const truthBits = 300

func bigOf(x float64) *big.Float { return new(big.Float).SetPrec(truthBits).SetFloat64(x) }

// series sums terms until they no longer matter: next gives a term from the
// one before and its number.
func series(first *big.Float, next func(term *big.Float, n int)) *big.Float {
	sum, term := new(big.Float).Set(first), new(big.Float).Set(first)
	for n := 1; ; n++ {
		next(term, n)
		if term.Sign() == 0 || term.MantExp(nil) < sum.MantExp(nil)-truthBits {
			return sum
		}
		sum.Add(sum, term)
	}
}

func bigExp(x *big.Float) *big.Float {
	// exp(x) = exp(x/2^20)^(2^20)
	y := new(big.Float).SetMantExp(x, -20)
	sum := series(bigOf(1), func(t *big.Float, n int) { t.Mul(t, y).Quo(t, bigOf(float64(n))) })
	for range 20 {
		sum.Mul(sum, sum)
	}
	return sum
}

func bigSin(x float64) *big.Float {
	x2 := bigOf(x)
	x2.Mul(x2, x2).Neg(x2)
	return series(bigOf(x), func(t *big.Float, n int) { t.Mul(t, x2).Quo(t, bigOf(float64(2*n*(2*n+1)))) })
}

func bigCos(x float64) *big.Float {
	x2 := bigOf(x)
	x2.Mul(x2, x2).Neg(x2)
	return series(bigOf(1), func(t *big.Float, n int) { t.Mul(t, x2).Quo(t, bigOf(float64(2*n*(2*n-1)))) })
}

// bigLog solves exp(y) = x by Newton's method from math.Log.
func bigLog(x float64) *big.Float {
	y := bigOf(math.Log(x))
	for range 4 {
		e := bigExp(new(big.Float).Neg(y))
		e.Mul(e, bigOf(x)).Sub(e, bigOf(1))
		y.Add(y, e)
	}
	return y
}

// nearest reports whether got is the float64 nearest to want.
func nearest(got float64, want *big.Float) bool {
	w, _ := want.Float64()
	return got == w
}

// TestElementaryFunctionsRoundCorrectly: on these arguments the result is the
// float64 nearest to the true value, with no exception.
func TestElementaryFunctionsRoundCorrectly(t *testing.T) {
	g := New(1)
	for i := range 3000 {
		u := g.float64()
		switch i % 8 {
		case 0:
			u *= 0x1p-20
		case 1:
			u = 1 - u*0x1p-20
		case 2:
			u = float64(i) / 3000
		}
		if u == 0 {
			continue
		}
		if got := log64(u); !nearest(got, bigLog(u)) {
			t.Errorf("log64(%v) = %v", u, got)
		}
		x := float64(2 * math.Pi * u)
		sin, cos := sincos64(x)
		if !nearest(sin, bigSin(x)) || !nearest(cos, bigCos(x)) {
			t.Errorf("sincos64(%v) = %v, %v", x, sin, cos)
		}
		x = -20 * u
		if e := exp64(dd{x, 0}); !nearest(e.hi, bigExp(bigOf(x))) {
			t.Errorf("exp64(%v) = %v", x, e.hi)
		}
	}
	for n := range 9 { // the neighbours of multiples of π/4, where cancellation is worst
		c := float64(n) * math.Pi / 4
		for _, x := range []float64{math.Nextafter(c, 0), c, math.Nextafter(c, 10)} {
			if x > 2*math.Pi {
				continue
			}
			sin, cos := sincos64(x)
			if !nearest(sin, bigSin(x)) || !nearest(cos, bigCos(x)) {
				t.Errorf("sincos64(%v) = %v, %v", x, sin, cos)
			}
		}
	}
	if log64(1) != 0 || math.Signbit(log64(1)) {
		t.Errorf("log64(1) = %v", log64(1))
	}
}

func TestErf64RoundsCorrectly(t *testing.T) {
	g := New(2)
	for range 500 {
		x := 12*g.float64() - 6
		x2 := bigOf(x)
		x2.Mul(x2, x2)
		// the alternating series, another one than erf64 sums
		want := series(bigOf(x), func(term *big.Float, n int) {
			term.Mul(term, x2).Neg(term).Quo(term, bigOf(float64(n)))
			term.Mul(term, bigOf(float64(2*n-1))).Quo(term, bigOf(float64(2*n+1)))
		})
		two := bigOf(2)
		want.Mul(want, two.Quo(two, new(big.Float).Sqrt(bigPi())))
		if got := erf64(x); !nearest(got, want) {
			t.Errorf("erf64(%v) = %v, want %v", x, got, want)
		}
	}
	if erf64(7) != 1 || erf64(math.Inf(-1)) != -1 || erf64(0) != 0 {
		t.Error("erf64 at its ends")
	}
}

// bigPi is 16·atan(1/5) - 4·atan(1/239) (Machin).
func bigPi() *big.Float {
	atan := func(n float64) *big.Float {
		first := bigOf(1)
		first.Quo(first, bigOf(n))
		return series(first, func(t *big.Float, k int) {
			t.Quo(t, bigOf(-n*n)).Mul(t, bigOf(float64(2*k-1))).Quo(t, bigOf(float64(2*k+1)))
		})
	}
	a, b := atan(5), atan(239)
	return a.Mul(a, bigOf(16)).Sub(a, b.Mul(b, bigOf(4)))
}

// TestFMA32RoundsOnce compares with an exact sum rounded to float32.
func TestFMA32RoundsOnce(t *testing.T) {
	g := New(3)
	check := func(a, b, c float32) {
		t.Helper()
		exact := new(big.Float).SetPrec(1000).SetFloat64(float64(a))
		exact.Mul(exact, bigOf(float64(b))).Add(exact, bigOf(float64(c)))
		want, _ := exact.Float32()
		if got := fma32(a, b, c); got != want {
			t.Errorf("fma32(%x, %x, %x) = %x, want %x", a, b, c, got, want)
		}
	}
	// A product just beside the middle of two float32 around c: rounding twice
	// goes wrong.
	check(0x1.000002p0, 0x1p-24, 1)
	check(0x1.fffffep-1, 0x1p-24, 1)
	check(-0x1.fffffep-1, 0x1p-24, 1)
	check(0x1.000002p-30, 0x1.000002p-31, 0x1.8p-24)
	check(0x1p-24, 1, 1)
	for range 200_000 {
		f := func() float32 { // exponents that meet often
			return math.Float32frombits(g.Uint32()&0x807fffff | (100+g.Uint32()%56)<<23)
		}
		a, b, c := f(), f(), f()
		check(a, b, c)
		s := float32(a * b) // cancellation
		check(a, b, -s)
	}
	for range 100_000 { // subnormal results
		a := math.Float32frombits(g.Uint32()&0x807fffff | 60<<23)
		b := math.Float32frombits(g.Uint32()&0x807fffff | (40+g.Uint32()%28)<<23)
		check(a, b, math.Float32frombits(g.Uint32()&0x80ffffff))
	}
	if got := fma32(3e38, 2, -3e38); !math.IsInf(float64(got), 0) && got != 3e38 {
		t.Errorf("fma32 of 3e38·2-3e38 = %v", got)
	}
	if got := fma32(float32(math.Inf(1)), 0, 1); got == got {
		t.Errorf("fma32(inf, 0, 1) = %v", got)
	}
}
