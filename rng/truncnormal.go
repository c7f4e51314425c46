package rng

import "math"

// TruncNormal fills dst with normal values cut off to [lo,hi], by rejection:
// where more than 0.3 of the normal values fall inside, those outside are drawn
// anew, all of dst each time; otherwise uniform values of [lo,hi] are accepted
// with the ratio of the density to its peak there. Where the interval is wide
// and far in the tail that takes long, as it does in PyTorch. Of Version
// PyTorch1: uniform values between the two cumulated probabilities, through the
// inverse error function, whose float64 values may differ from PyTorch's by some
// units of 2^-52·std.
//
// It is an ErrArgument if std is not above 0 or not lo < hi. PyTorch:
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
	if g.Version == PyTorch1 {
		return truncInverse(g, dst, mean, std, lo, hi)
	}
	cdf := func(x float64) float64 { return (1 + erf64(x/math.Sqrt2)) / 2 }
	if cdf((hi-mean)/std)-cdf((lo-mean)/std) > 0.3 {
		truncRedraw(g, dst, mean, std, F(lo), F(hi))
		return nil
	}
	return truncAccept(g, dst, mean, std, lo, hi)
}

// truncRedraw draws normal values until all are inside, each time as many as dst
// has.
func truncRedraw[F Float](g *Generator, dst []F, mean, std float64, lo, hi F) {
	normal(g, dst, mean, std)
	var again []F
	for {
		outside := false
		for _, x := range dst {
			outside = outside || x < lo || x > hi
		}
		if !outside {
			return
		}
		if again == nil {
			again = make([]F, len(dst))
		}
		normal(g, again, mean, std)
		for i, x := range dst {
			if x < lo || x > hi {
				dst[i] = again[i]
			}
		}
	}
}

// truncAccept draws uniform values of [lo,hi] and, for each, one of [0,1) whose
// logarithm the density's has to reach, all of dst each time.
func truncAccept[F Float](g *Generator, dst []F, mean, std, lo, hi float64) error {
	peak := (max(lo, min(mean, hi)) - mean) / std
	logPeak := F(-0.5 * float64(peak*peak))
	pending := make([]bool, len(dst))
	for i := range pending {
		pending[i] = true
	}
	candidates, accept := make([]F, len(dst)), make([]F, len(dst))
	for left := len(dst); left > 0; {
		if err := Uniform(g, candidates, lo, hi); err != nil {
			return err
		}
		Rand(g, accept)
		for i, x := range candidates {
			if !pending[i] {
				continue
			}
			dst[i] = x
			z := (x - F(mean)) / F(std)
			density := float64(F(F(z*z)*F(-0.5)) - logPeak)
			u := math.Inf(-1)
			if accept[i] > 0 {
				u = float64(F(log64(float64(accept[i]))))
			}
			if !(u > density) {
				pending[i] = false
				left--
			}
		}
	}
	return nil
}

// truncInverse is what PyTorch 1.13 does.
func truncInverse[F Float](g *Generator, dst []F, mean, std, lo, hi float64) error {
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
