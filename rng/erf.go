package rng

import "math"

// exp64 returns e to the x for |x| <= 700, rounded once from a pair.
func exp64(x dd) dd {
	n := math.Floor(float64(x.hi*(1/math.Ln2)) + 0.5)
	h := float64(n * ln2[1])
	r := dd{x.hi - float64(n*ln2[0]), 0} // exact: x and n·log 2 are near each other
	r = r.add(dd{-h, -math.FMA(n, ln2[1], -h)}).add(dd{0, x.lo})
	p := dd{}
	for k := len(factorial) - 1; k >= 0; k-- {
		p = p.mul(r).add(factorial[k])
	}
	return dd{math.Ldexp(p.hi, int(n)), math.Ldexp(p.lo, int(n))}
}

// erf64 returns the error function, rounded once from a pair:
// 2/√π·exp(-x²)·Σ 2^n·x^(2n+1)/(1·3·…·(2n+1)), whose terms are all positive.
func erf64(x float64) float64 {
	if math.Abs(x) >= 6 {
		return math.Copysign(1, x)
	}
	x2 := dd{x, 0}.mul(dd{x, 0})
	term := dd{x, 0}
	sum := term
	for n := 1.0; math.Abs(term.hi) > 0x1p-110*math.Abs(sum.hi); n++ {
		term = term.mul(x2).mul(dd{2, 0}).mul(inverse(2*n + 1))
		sum = sum.add(term)
	}
	sum = sum.mul(exp64(dd{-x2.hi, -x2.lo})).mul(twoOverSqrtPi)
	return sum.hi + sum.lo
}

// 2/√π to 106 bits.
var twoOverSqrtPi = dd{0x1.20dd750429b6dp+0, 0x1.1ae3a914fed80p-56}

// libcErf returns the C library's erff(x): rational approximations in float32
// throughout, those of s_erff.c in Sun's fdlibm (https://www.netlib.org/fdlibm/,
// float version by Ian Lance Taylor), up to 1 unit off in the last place. The
// exponential inside it is rounded correctly here.
func libcErf(x float32) float32 {
	a := float32(math.Abs(float64(x)))
	var y float32
	switch {
	case a < 0x1p-28:
		return x + float32(1.2837916613e-01*x)
	case a < 0.84375:
		z := float32(x * x)
		return x + float32(x*(poly32(z, erfSmallP[:])/poly32(z, erfSmallQ[:])))
	case a < 1.25:
		s := a - 1
		y = 8.4506291151e-01 + poly32(s, erfMiddleP[:])/poly32(s, erfMiddleQ[:])
	case a >= 6:
		y = 1
	default:
		s := 1 / float32(a*a)
		var f float32
		if a < math.Float32frombits(0x4036db6e) { // 1/0.35
			f = poly32(s, erfTailP[:]) / poly32(s, erfTailQ[:])
		} else {
			f = poly32(s, erfFarP[:]) / poly32(s, erfFarQ[:])
		}
		z := math.Float32frombits(math.Float32bits(a) &^ 0xfff) // its square is exact
		e := float32(exp32(float32(-z*z)-0.5625) * exp32(float32((z-a)*(z+a))+f))
		y = 1 - e/a
	}
	if x < 0 {
		return -y
	}
	return y
}

// exp32 returns e to the x, rounded once.
func exp32(x float32) float32 {
	if x < -104 {
		return 0
	}
	e := exp64(dd{float64(x), 0})
	return float32(e.hi)
}

// poly32 returns c[0] + x·(c[1] + x·(...)), each operation rounded to float32.
func poly32(x float32, c []float32) float32 {
	y := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		y = c[i] + float32(x*y)
	}
	return y
}

// Coefficients of s_erff.c, the lowest power first, by interval of |x|.
var (
	// below 0.84375
	erfSmallP = [...]float32{1.2837916613e-01, -3.2504209876e-01, -2.8481749818e-02, -5.7702702470e-03, -2.3763017452e-05}
	erfSmallQ = [...]float32{1, 3.9791721106e-01, 6.5022252500e-02, 5.0813062117e-03, 1.3249473704e-04, -3.9602282413e-06}
	// below 1.25
	erfMiddleP = [...]float32{-2.3621185683e-03, 4.1485610604e-01, -3.7220788002e-01, 3.1834661961e-01, -1.1089469492e-01, 3.5478305072e-02, -2.1663755178e-03}
	erfMiddleQ = [...]float32{1, 1.0642088205e-01, 5.4039794207e-01, 7.1828655899e-02, 1.2617121637e-01, 1.3637083583e-02, 1.1984500103e-02}
	// below 1/0.35
	erfTailP = [...]float32{-9.8649440333e-03, -6.9385856390e-01, -1.0558626175e+01, -6.2375331879e+01, -1.6239666748e+02, -1.8460508728e+02, -8.1287437439e+01, -9.8143291473e+00}
	erfTailQ = [...]float32{1, 1.9651271820e+01, 1.3765776062e+02, 4.3456588745e+02, 6.4538726807e+02, 4.2900814819e+02, 1.0863500214e+02, 6.5702495575e+00, -6.0424413532e-02}
	// below 6
	erfFarP = [...]float32{-9.8649431020e-03, -7.9928326607e-01, -1.7757955551e+01, -1.6063638306e+02, -6.3756646729e+02, -1.0250950928e+03, -4.8351919556e+02}
	erfFarQ = [...]float32{1, 3.0338060379e+01, 3.2579251099e+02, 1.5367296143e+03, 3.1998581543e+03, 2.5530502930e+03, 4.7452853394e+02, -2.2440952301e+01}
)
