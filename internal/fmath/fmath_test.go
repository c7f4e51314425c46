package fmath

import (
	"math"
	"math/rand/v2"
	"testing"
)

// ulps returns the distance of got from want in units in the last place of
// want. math's functions, the judges, are themselves within 1.
func ulps(got, want float64) float64 {
	if got == want || got != got && want != want {
		return 0
	}
	return math.Abs(got-want) / (math.Nextafter(math.Abs(want), math.Inf(1)) - math.Abs(want))
}

func TestCloseToMath(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name      string
		got, want func(float64) float64
		lo, hi    float64
		bound     float64 // units in the last place, math's own error included
	}{
		{"Exp", Exp, math.Exp, -708, 709.7, 2},
		{"Exp near 0", Exp, math.Exp, -0.4, 0.4, 2},
		{"Log", Log, math.Log, 1e-300, 1e300, 2},
		{"Log near 1", Log, math.Log, 0.5, 2, 3},
		{"Log1p", Log1p, math.Log1p, 0, 1, 4},
		{"Log1p small", Log1p, math.Log1p, 0, 1e-8, 4},
		{"Softplus", Softplus, func(x float64) float64 { return math.Log1p(math.Exp(x)) }, -30, 30, 6},
		{"Expm1", Expm1, math.Expm1, -40, 700, 3},
		{"Expm1 near 0", Expm1, math.Expm1, -0.4, 0.4, 4},
		{"Expm1 small", Expm1, math.Expm1, -1e-9, 1e-9, 2},
		{"Erf", Erf, math.Erf, -6.5, 6.5, 7},
		{"Erf near 0", Erf, math.Erf, -0.5, 0.5, 7},
	} {
		worst, at := 0.0, 0.0
		for range 200000 {
			x := c.lo + (c.hi-c.lo)*r.Float64()
			if u := ulps(c.got(x), c.want(x)); !(u <= worst) {
				worst, at = u, x
			}
		}
		t.Logf("%s: %.2f units at %g", c.name, worst, at)
		if !(worst <= c.bound) {
			t.Errorf("%s(%g) = %g, math has %g: %.2f units off", c.name, at, c.got(at), c.want(at), worst)
		}
	}
}

func TestLogAcrossExponents(t *testing.T) {
	for e := -1074; e < 1024; e++ {
		for _, m := range []float64{1, 1.2, math.Sqrt2, 1.9999} {
			x := math.Ldexp(m, e)
			want := math.Log(x)
			if x < 0x1p-1022 { // math.Log of amd64 is wrong by up to 5% there
				want = math.Log(math.Ldexp(x, 60)) - 60*math.Ln2
			}
			if u := ulps(Log(x), want); u > 2 {
				t.Errorf("Log(%g) is %.1f units off", x, u)
			}
		}
	}
}

func TestExpEdges(t *testing.T) {
	for x, want := range map[float64]float64{0: 1, math.Inf(1): math.Inf(1), math.Inf(-1): 0, 710: math.Inf(1), -746: 0} {
		if got := Exp(x); got != want {
			t.Errorf("Exp(%g) = %g, want %g", x, got, want)
		}
	}
	for _, x := range []float64{-744, -730, -709} { // results below the normal range
		if got, want := Exp(x), math.Exp(x); math.Abs(got-want) > 5e-324 {
			t.Errorf("Exp(%g) = %g, want %g", x, got, want)
		}
	}
	if !math.IsNaN(Exp(math.NaN())) || !math.IsNaN(Log(-1)) || !math.IsNaN(Log(math.NaN())) || !math.IsInf(Log(0), -1) || !math.IsInf(Log1p(math.Inf(1)), 1) {
		t.Error("NaN or infinity is lost")
	}
}

func TestCosSin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200000 {
		x := (2*r.Float64() - 1) * 1000
		if d := math.Abs(Cos(x) - math.Cos(x)); d > 3e-16 {
			t.Fatalf("Cos(%g) is %g off", x, d)
		}
		if d := math.Abs(Sin(x) - math.Sin(x)); d > 3e-16 {
			t.Fatalf("Sin(%g) is %g off", x, d)
		}
	}
	if !math.IsNaN(Cos(math.Inf(1))) || !math.IsNaN(Sin(math.NaN())) {
		t.Error("out of range gives a number")
	}
}

func TestPow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200000 {
		x, y := math.Exp(20*r.Float64()-10), 60*r.Float64()-30
		if r.IntN(4) == 0 {
			y = math.Round(y)
		}
		want := math.Pow(x, y)
		if got := Pow(x, y); math.Abs(got-want) > 1e-13*want*(1+math.Abs(y*math.Log(x))) {
			t.Fatalf("Pow(%g, %g) = %g, math has %g", x, y, got, want)
		}
	}
	special := []float64{0, math.Copysign(0, -1), 1, -1, 2, -2, 0.5, -0.5, 3, -3, 65, -65, 66.5, math.Inf(1), math.Inf(-1), math.NaN()}
	for _, x := range special {
		for _, y := range special {
			got, want := Pow(x, y), math.Pow(x, y)
			if got != want && !(got != got && want != want) && !(math.Abs(got-want) <= 1e-13*math.Abs(want)) || math.Signbit(got) != math.Signbit(want) && got == got {
				t.Errorf("Pow(%g, %g) = %g, math has %g", x, y, got, want)
			}
		}
	}
}

func TestPowInt(t *testing.T) {
	for n := range 3000 {
		if got, want := PowInt(0.999, n), math.Pow(0.999, float64(n)); math.Abs(got-want) > 1e-12*want {
			t.Fatalf("0.999**%d = %g, want %g", n, got, want)
		}
	}
}

// Angles of many turns, which package math reduces with another table of pi.
func TestManyTurns(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		x := math.Ldexp(r.Float64()-0.5, 17+r.IntN(1000))
		if d := math.Abs(Cos(x) - math.Cos(x)); d > 1e-15 {
			t.Fatalf("Cos(%g) is %g off", x, d)
		}
		if d := math.Abs(Sin(x) - math.Sin(x)); d > 1e-15 {
			t.Fatalf("Sin(%g) is %g off", x, d)
		}
	}
}

// Inverse and hyperbolic functions beside package math's, and at their ends.
func TestInverseAndHyperbolic(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct {
		name      string
		got, want func(float64) float64
		draw      func() float64
		ulps      float64
	}{
		{"Atan", Atan, math.Atan, func() float64 { return math.Ldexp(r.Float64()*2-1, r.IntN(80)-40) }, 4},
		{"Asin", Asin, func(x float64) float64 { return math.Atan2(x, math.Sqrt((1-x)*(1+x))) }, func() float64 { return r.Float64()*2 - 1 }, 6},
		{"Acos", Acos, func(x float64) float64 { return math.Atan2(math.Sqrt((1-x)*(1+x)), x) }, func() float64 { return r.Float64()*2 - 1 }, 6},
		{"Sinh", Sinh, math.Sinh, func() float64 { return math.Ldexp(r.Float64()*2-1, r.IntN(40)-30) }, 6},
		{"Cosh", Cosh, math.Cosh, func() float64 { return (r.Float64()*2 - 1) * 20 }, 6},
		{"Asinh", Asinh, math.Asinh, func() float64 { return math.Ldexp(r.Float64()*2-1, r.IntN(80)-40) }, 8},
		{"Acosh", Acosh, math.Acosh, func() float64 { return 1 + math.Ldexp(r.Float64(), r.IntN(80)-40) }, 8},
		{"Atanh", Atanh, math.Atanh, func() float64 { return r.Float64()*2 - 1 }, 8},
	} {
		worst := 0.0
		for range 20000 {
			x := c.draw()
			worst = max(worst, ulps(c.got(x), c.want(x)))
		}
		if !(worst <= c.ulps) {
			t.Errorf("%s is %g units in the last place off, allowed %g", c.name, worst, c.ulps)
		}
		for _, x := range []float64{0, math.Copysign(0, -1), 1, -1, 2, -2, math.Inf(1), math.Inf(-1), math.NaN()} {
			got, want := c.got(x), c.want(x)
			if math.IsNaN(got) != math.IsNaN(want) || !math.IsNaN(want) && (math.Signbit(got) != math.Signbit(want) || math.IsInf(got, 0) != math.IsInf(want, 0) || !math.IsInf(want, 0) && math.Abs(got-want) > 1e-14) {
				t.Errorf("%s(%g) is %g, want %g", c.name, x, got, want)
			}
		}
	}
}
