package checkpoint

import "math"

// Float16 returns the value of an IEEE 754 half, exactly; the payload of a
// NaN moves to the top of the float32's.
func Float16(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp, man := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0: // zero or subnormal: man · 2⁻²⁴, exact
		return math.Float32frombits(sign | math.Float32bits(float32(man)*0x1p-24))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | man<<13)
}

// BFloat16 returns the value of a bfloat16, which is the upper half of a
// float32's bits.
func BFloat16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// narrow rounds x once, to nearest, ties to even, to a 16-bit float with the
// given number of exponent bits (5: half, 8: bfloat16). Beyond the largest
// finite value it is infinite; a NaN keeps its sign and the top of its
// payload, and is quiet.
func narrow(x float64, expBits uint) uint16 {
	manBits := 15 - expBits
	bits := math.Float64bits(x)
	sign := uint16(bits >> 48 & 0x8000)
	inf := uint16(1<<expBits-1) << manBits
	exp, man := int(bits>>52&0x7ff), bits&(1<<52-1)
	if exp == 0x7ff {
		if man == 0 {
			return sign | inf
		}
		return sign | inf | 1<<(manBits-1) | uint16(man>>(52-manBits))
	}
	if exp == 0 { // below 2⁻¹⁰²², far below half of either smallest value
		return sign
	}
	bias := 1<<(expBits-1) - 1
	e := exp - 1023 + bias // exponent field of the result
	man |= 1 << 52
	shift := 52 - manBits
	if e < 1 { // subnormal: shift further, the exponent field is 0
		shift += uint(1 - e)
		e = 1
		if shift > 54 {
			return sign
		}
	}
	q, rest, half := man>>shift, man&(1<<shift-1), uint64(1)<<(shift-1)
	if rest > half || rest == half && q&1 == 1 {
		q++
	}
	// The implicit bit in q adds 1 to the exponent field, a carry another.
	out := uint64(e-1)<<manBits + q
	if out >= uint64(inf) {
		return sign | inf
	}
	return sign | uint16(out)
}
