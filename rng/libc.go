package rng

import "math"

// The functions below are the float32 logarithm, sine and cosine of the GNU C
// library (2.28 and later, on processors with fused multiply-adds), which
// PyTorch's portable kernels call. They are float64 polynomials rounded once
// at the end, within 0.82 and 0.57 units in the last place, and so no
// definition but their own coefficients gives their bits. Those, and the order
// of operations, are from Arm's Optimized Routines
// (https://github.com/ARM-software/optimized-routines, math/logf.c, sinf.c).

// logCell is one of 16 parts of [0.7,1.4): the reciprocal of a number near its
// middle and the logarithm of that number.
type logCell struct{ inverse, log float64 }

var logCells = [16]logCell{
	{0x1.661ec79f8f3bep+0, -0x1.57bf7808caadep-2},
	{0x1.571ed4aaf883dp+0, -0x1.2bef0a7c06ddbp-2},
	{0x1.49539f0f010bp+0, -0x1.01eae7f513a67p-2},
	{0x1.3c995b0b80385p+0, -0x1.b31d8a68224e9p-3},
	{0x1.30d190c8864a5p+0, -0x1.6574f0ac07758p-3},
	{0x1.25e227b0b8eap+0, -0x1.1aa2bc79c81p-3},
	{0x1.1bb4a4a1a343fp+0, -0x1.a4e76ce8c0e5ep-4},
	{0x1.12358f08ae5bap+0, -0x1.1973c5a611cccp-4},
	{0x1.0953f419900a7p+0, -0x1.252f438e10c1ep-5},
	{0x1p+0, 0x0p+0},
	{0x1.e608cfd9a47acp-1, 0x1.aa5aa5df25984p-5},
	{0x1.ca4b31f026aap-1, 0x1.c5e53aa362eb4p-4},
	{0x1.b2036576afce6p-1, 0x1.526e57720db08p-3},
	{0x1.9c2d163a1aa2dp-1, 0x1.bc2860d22477p-3},
	{0x1.886e6037841edp-1, 0x1.1058bc8a07ee1p-2},
	{0x1.767dcf5534862p-1, 0x1.4043057b6ee09p-2},
}

// libcLog returns logf(x) for a normal x > 0: with x = 2^e·m and c near m,
// log x = log(m/c) + log c + e·log 2.
func libcLog(x float32) float32 {
	const start = 0x3f330000 // the bits of 0.69921875, where the first cell begins
	bits := math.Float32bits(x)
	offset := bits - start
	cell := logCells[offset>>19&15]
	e := float64(int32(offset) >> 23)
	m := float64(math.Float32frombits(bits - offset&0xff800000))

	r := math.FMA(m, cell.inverse, -1)
	y := math.FMA(0x1.5575b0be00b6ap-2, r, -0x1.ffffef20a4123p-2)
	r2 := float64(r * r)
	y = math.FMA(-0x1.00ea348b88334p-2, r2, y)
	return float32(math.FMA(y, r2, math.FMA(e, math.Ln2, cell.log)+r))
}

// libcSincos returns sinf(x) and cosf(x) for x in [0,120).
func libcSincos(x float32) (sin, cos float32) {
	n := int32(float64(float64(x)*(2/math.Pi)) + 0.5)
	r := math.FMA(-float64(n), math.Pi/2, float64(x))
	r2 := float64(r * r)
	r3, r4 := float64(r*r2), float64(r2*r2)

	s := math.FMA(r3, -0x1.555545995a603p-3, r)
	s = math.FMA(float64(r3*r2), math.FMA(r2, -0x1.994eb3774cf24p-13, 0x1.1107605230bc4p-7), s)
	c := math.FMA(r2, -0x1.ffffffd0c621cp-2, 1)
	c = math.FMA(r4, 0x1.55553e1068f19p-5, c)
	c = math.FMA(float64(r4*r2), math.FMA(r2, 0x1.99343027bf8c3p-16, -0x1.6c087e89a359dp-10), c)

	sin, cos = float32(s), float32(c)
	switch n & 3 {
	case 1:
		return cos, -sin
	case 2:
		return -sin, -cos
	case 3:
		return -cos, sin
	}
	return sin, cos
}
