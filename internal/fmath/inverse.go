package fmath

import "math"

// Atan returns the arctangent of x, at most 4 units in the last place off. Beyond 1
// it is pi/2 less that of 1/x; the angle is halved twice, and the series of what is
// left, at most tan(pi/16), ends below 1e-19.
func Atan(x float64) float64 {
	if x != x {
		return x
	}
	a := math.Abs(x)
	inverse := a > 1
	if inverse {
		a = 1 / a
	}
	scale := 1.0
	for a > 0.2 {
		a /= 1 + math.Sqrt(math.FMA(a, a, 1))
		scale *= 2
	}
	z := float64(a * a)
	q := 1.0 / 25
	for n := 23; n >= 3; n -= 2 {
		q = math.FMA(q, -z, 1/float64(n))
	}
	y := scale * math.FMA(float64(q*-z), a, a)
	if inverse {
		y = piHalfHi - (y - piHalfLo)
	}
	return math.Copysign(y, x)
}

// Asin returns the arcsine of x, NaN outside -1 to 1, at most 6 units in the last
// place off.
func Asin(x float64) float64 {
	if !(math.Abs(x) <= 1) {
		return math.NaN()
	}
	return Atan(x / math.Sqrt(float64((1-x)*(1+x))))
}

// Acos returns the arccosine of x, NaN outside -1 to 1, at most 6 units in the last
// place off.
func Acos(x float64) float64 {
	if !(math.Abs(x) <= 1) {
		return math.NaN()
	}
	return 2 * Atan(math.Sqrt((1-x)/(1+x)))
}

// Tan returns the tangent of x, with Sin's and Cos's bounds.
func Tan(x float64) float64 { return Sin(x) / Cos(x) }

// Sinh returns the hyperbolic sine of x, at most 6 units in the last place off below
// 700.
func Sinh(x float64) float64 {
	a := math.Abs(x)
	if a > 700 {
		half := Exp(a / 2)
		return math.Copysign(float64(half/2)*half, x)
	}
	e := Expm1(a)
	return math.Copysign((e+e/(e+1))/2, x)
}

// Cosh returns the hyperbolic cosine of x, as exact as Sinh.
func Cosh(x float64) float64 {
	a := math.Abs(x)
	if a > 700 {
		half := Exp(a / 2)
		return float64(half/2) * half
	}
	e := Exp(a)
	return (e + 1/e) / 2
}

// Asinh returns the inverse hyperbolic sine of x, at most 8 units in the last place
// off.
func Asinh(x float64) float64 {
	a := math.Abs(x)
	if a > 1e150 {
		return math.Copysign(Log(a)+math.Ln2, x)
	}
	z := float64(a * a)
	return math.Copysign(Log1p(a+z/(1+math.Sqrt(1+z))), x)
}

// Acosh returns the inverse hyperbolic cosine of x, NaN below 1, at most 8 units in
// the last place off.
func Acosh(x float64) float64 {
	if !(x >= 1) {
		return math.NaN()
	}
	if x > 1e150 {
		return Log(x) + math.Ln2
	}
	t := x - 1
	return Log1p(t + math.Sqrt(math.FMA(t, t, 2*t)))
}

// Atanh returns the inverse hyperbolic tangent of x, NaN outside -1 to 1, at most 8
// units in the last place off.
func Atanh(x float64) float64 {
	a := math.Abs(x)
	switch {
	case !(a <= 1):
		return math.NaN()
	case a == 1:
		return math.Inf(int(x))
	}
	return math.Copysign(Log1p(2*a/(1-a))/2, x)
}
