package main

import "math"

// The constants of activation.go in the package.
var poly = []float32{1.39460422001e-3, 8.36637390413e-3, 4.16662898704e-2, 0.166665452547, 0.500000005848}

const (
	log2e     = 1.4426950408889634074
	ln2Hi     = 0.6931471824645996
	ln2Lo     = -1.90465429996e-9
	shift     = 3 << 22
	tanhLeast = 0x1p-12
	tanhMost  = 10
	sigLeast  = 0x1p-26
	sigMost   = 105
	tinyLimit = 0x1p-100
	signBit   = 1 << 31
	absBits   = 1<<31 - 1
)

var shiftBits = math.Float32bits(shift)

// expm1Parts takes y and gives back registers: p and t or m, where
// exp(y) = 2^n * (1+p), t is n + shift and m is n as a number. y stays.
func (v *vec) expm1Parts(y string) (p, t, m string) {
	t, m = v.get(), v.get()
	v.set(v.float(log2e), t)
	v.do("VFMADD213PS", v.float(shift), y, t) // t = y*log2e + shift
	v.do("VSUBPS", v.float(shift), t, m)
	r := v.get()
	v.set(v.float(-ln2Hi), r)
	v.do("VFMADD213PS", y, m, r) // r = m*-ln2Hi + y
	v.do("VFMADD231PS", v.float(-ln2Lo), m, r)
	p = v.get()
	v.set(v.float(poly[0]), p)
	for _, c := range poly[1:] {
		v.do("VFMADD213PS", v.float(c), r, p)
	}
	rr := v.get()
	v.op("VMULPS", r, r, rr)
	v.op("VFMADD213PS", r, rr, p) // p = p*r*r + r
	v.put(r, rr)
	return p, t, m
}

// negClamp returns y = -min(max(|x|, least), most), NaN for NaN: the
// instructions return their second source, x, if one is NaN.
func (v *vec) negClamp(x string, least, most float32) string {
	y, c := v.get(), v.get()
	v.do("VORPS", v.bits(signBit), x, y)
	v.set(v.float(-least), c)
	v.op("VMINPS", y, c, y)
	v.set(v.float(-most), c)
	v.op("VMAXPS", y, c, y)
	v.put(c)
	return y
}

// tanh is Tanh32, in place.
func (v *vec) tanh(x string) {
	y := v.negClamp(x, tanhLeast, tanhMost)
	v.op("VADDPS", y, y, y)
	p, t, s := v.expm1Parts(y)
	v.do("VPADDD", v.bits(127-shiftBits), t, s)
	v.op("VPSLLD", 23, s, s) // 2^n
	num, den := t, y
	v.do("VSUBPS", v.float(1), s, num)
	v.do("VADDPS", v.float(1), s, den)
	v.op("VFMADD231PS", p, s, num)
	v.op("VFMADD231PS", p, s, den)
	v.op("VDIVPS", den, num, num)
	// The sign of x, and x itself where it is small.
	if v.s.lanes == 16 {
		v.set(v.bits(absBits), s)
		v.op("VPANDD", s, x, den)
		v.do("VPCMPUD", 1, v.bits(math.Float32bits(tanhLeast)), den, v.k)
		v.op("VPTERNLOGD", 0xe4, s, x, num)
		v.op("VMOVAPS", x, v.k, num)
		v.op("VMOVAPS", num, x)
	} else {
		v.do("VANDPS", v.bits(absBits), num, num)
		v.do("VANDPS", v.bits(signBit), x, den)
		v.op("VORPS", den, num, num)
		v.op("VXORPS", x, den, den) // |x|
		v.set(v.float(tanhLeast), s)
		v.op("VPCMPGTD", den, s, s) // least > |x|
		v.op("VBLENDVPS", s, x, num, x)
	}
	v.put(y, p, t, s)
}

// sigmoid is Sigmoid32, in place.
func (v *vec) sigmoid(x string) {
	y := v.negClamp(x, sigLeast, sigMost)
	p, t, m := v.expm1Parts(y)
	v.do("VADDPS", v.float(1), p, p)
	if v.s.lanes == 16 {
		v.op("VSCALEFPS", m, p, p) // rounds once, like the two products
		v.op("VPMOVD2M", x, v.k)
		v.set(v.float(1), t)
		v.op("VADDPS", t, p, y)
		v.op("VMOVAPS", p, v.k, t)
		v.op("VDIVPS", y, t, x)
	} else {
		v.do("VPSUBD", v.bits(shiftBits), t, t)
		v.op("VPSRAD", 1, t, m)
		v.op("VPSUBD", m, t, t)
		for _, n := range []string{m, t} {
			v.do("VPADDD", v.bits(127), n, n)
			v.op("VPSLLD", 23, n, n)
			v.op("VMULPS", n, p, p)
		}
		v.set(v.float(1), t)
		v.op("VADDPS", t, p, y)
		v.op("VBLENDVPS", x, p, t, t)
		v.op("VDIVPS", y, t, x)
	}
	v.put(y, p, t, m)
}

// flush is Flush, in place: a comparison of bits, so that denormals cost
// nothing.
func (v *vec) flush(x string) {
	a := v.get()
	v.do("VANDPS", v.bits(absBits), x, a)
	if v.s.lanes == 16 {
		v.do("VPCMPUD", 5, v.float(tinyLimit), a, v.k)
		v.op("VMOVAPS.Z", x, v.k, x)
	} else {
		m := v.get()
		v.set(v.float(tinyLimit), m)
		v.op("VPCMPGTD", a, m, m)
		v.op("VANDNPS", x, m, x)
		v.put(m)
	}
	v.put(a)
}

// flushBelow is flush with the limit in a register; 0 there changes nothing, not even
// a -0.
func (v *vec) flushBelow(x, limit string) {
	a := v.get()
	v.do("VANDPS", v.bits(absBits), x, a)
	if v.s.lanes == 16 {
		v.op("VPCMPUD", 5, limit, a, v.k)
		v.op("VMOVAPS.Z", x, v.k, x)
	} else {
		v.op("VPCMPGTD", a, limit, a)
		v.op("VANDNPS", x, a, x)
	}
	v.put(a)
}
