package rng

import "math"

// TruncNormal fills dst with normal values cut off to [lo,hi]: uniform values
// between the two cumulated probabilities, through the inverse error function.
// It is an ErrArgument if std is not above 0 or not lo < hi. float64 values
// may differ from PyTorch's by some units of 2^-52·std. PyTorch:
// torch.nn.init.trunc_normal_(w, mean, std, lo, hi).
func TruncNormal[F Float](g *Generator, dst []F, mean, std, lo, hi float64) error {
	if !(std > 0) || math.IsInf(std, 0) {
		return &ArgumentError{Func: "TruncNormal", Arg: "std", Got: std, Want: "a finite number above 0"}
	}
	if !(lo < hi) {
		return &ArgumentError{Func: "TruncNormal", Arg: "[lo,hi]", Got: [2]float64{lo, hi}, Want: "lo < hi"}
	}
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return &ArgumentError{Func: "TruncNormal", Arg: "mean", Got: mean, Want: "a finite number"}
	}
	cdf := func(x float64) float64 { return (1 + erf64((x-mean)/std/math.Sqrt2)) / 2 }
	if err := Uniform(g, dst, 2*cdf(lo)-1, 2*cdf(hi)-1); err != nil {
		return err
	}
	scale, shift := F(std*math.Sqrt2), F(mean)
	for i, y := range dst {
		var x F
		switch y := any(y).(type) {
		case float32:
			x = F(erfinv32(y, g.Scalar))
		case float64:
			x = F(erfinv64(y, g.Scalar))
		}
		dst[i] = min(max(F(x*scale)+shift, F(lo)), F(hi))
	}
	return nil
}

// The inverse error function is PyTorch's: a rational approximation and two
// steps of Newton's method (Pavlis, Indiana University, 1996, after Matlab's
// erfinv.m), in the element type. The coefficients, the lowest power first:
var (
	invP     = []float64{0.886226899, -1.645349621, 0.914624893, -0.140543331}
	invQ     = []float64{1, -2.118377725, 1.442710462, -0.329097515, 0.012229801}
	invTailP = []float64{-1.970840454, -1.624906493, 3.429567803, 1.641345311}
	invTailQ = []float64{1, 3.543889200, 1.637067800}
)

// newton32 is 2/√π, the derivative of the error function at 0, as PyTorch
// rounds it for float32; √π is rounded first.
var newton32 = 2 / float32(1.7724538509055160)

// erfinv32 is the inverse error function of y in [-1,1]; the AVX2 kernel fuses
// the polynomials, the portable one does not.
func erfinv32(y float32, scalar bool) float32 {
	poly := func(x float32, c []float64) float32 {
		y := float32(c[len(c)-1])
		for i := len(c) - 2; i >= 0; i-- {
			if scalar {
				y = float32(y*x) + float32(c[i])
			} else {
				y = fma32(y, x, float32(c[i]))
			}
		}
		return y
	}
	a := float32(math.Abs(float64(y)))
	var x float32
	switch {
	case a == 1:
		return float32(math.Copysign(math.Inf(1), float64(y)))
	case a <= 0.7:
		z := float32(y * y)
		x = float32(y*poly(z, invP)) / poly(z, invQ)
	default:
		z := sqrt32(-libcLog((1 - a) / 2))
		x = float32(math.Copysign(float64(poly(z, invTailP)), float64(y))) / poly(z, invTailQ)
	}
	for range 2 {
		x -= (libcErf(x) - y) / float32(newton32*exp32(float32(-x*x)))
	}
	return x
}

// erfinv64 is erfinv32 for float64.
func erfinv64(y float64, scalar bool) float64 {
	poly := func(x float64, c []float64) float64 {
		y := c[len(c)-1]
		for i := len(c) - 2; i >= 0; i-- {
			if scalar {
				y = float64(y*x) + c[i]
			} else {
				y = math.FMA(y, x, c[i])
			}
		}
		return y
	}
	a := math.Abs(y)
	var x float64
	switch {
	case a == 1:
		return math.Copysign(math.Inf(1), y)
	case a <= 0.7:
		z := float64(y * y)
		x = float64(y*poly(z, invP)) / poly(z, invQ)
	default:
		z := math.Sqrt(-log64((1 - a) / 2))
		x = math.Copysign(poly(z, invTailP), y) / poly(z, invTailQ)
	}
	for range 2 {
		e := exp64(dd{float64(-x * x), 0})
		x -= (erf64(x) - y) / float64(twoOverSqrtPi.hi*e.hi)
	}
	return x
}
