package rng

import "math"

// Randn fills dst with standard normal values: Normal with mean 0 and standard
// deviation 1. PyTorch: torch.randn.
func Randn[F Float](g *Generator, dst []F) {
	normal(g, dst, 0, 1)
}

// Normal fills dst with normal values, by the Box-Muller transform. It is an
// ErrArgument if std is negative or not a number. PyTorch: Tensor.normal_ of a
// contiguous tensor.
//
// Fewer than 16 values are drawn one after the other as NormalScattered does.
// From 16 values on dst is filled with uniform values of its own type and
// transformed in blocks of 16; if the length is no multiple of 16, the last 16
// values are drawn once more.
func Normal[F Float](g *Generator, dst []F, mean, std float64) error {
	if !(std >= 0) {
		return &ArgumentError{Func: "Normal", Arg: "std", Got: std, Want: "at least 0"}
	}
	normal(g, dst, mean, std)
	return nil
}

// NormalScattered fills dst with normal values drawn one after the other, each
// pair computed in float64 from two float64 uniform values; the second of a
// pair is kept in the generator for the next call. It is an ErrArgument if std
// is negative or not a number. PyTorch: Tensor.normal_ of a tensor that is not
// contiguous (the values come in the order of memory), whatever its size.
func NormalScattered[F Float](g *Generator, dst []F, mean, std float64) error {
	if !(std >= 0) {
		return &ArgumentError{Func: "NormalScattered", Arg: "std", Got: std, Want: "at least 0"}
	}
	normalSingle(g, dst, mean, std)
	return nil
}

// block is the number of values PyTorch transforms together: the first half
// gives the radii, the second half the angles.
const block = 16

func normal[F Float](g *Generator, dst []F, mean, std float64) {
	if len(dst) < block {
		normalSingle(g, dst, mean, std)
		return
	}
	Rand(g, dst)
	n := len(dst) / block * block
	normalBlocks(g, dst[:n], mean, std)
	if n < len(dst) {
		last := dst[len(dst)-block:]
		Rand(g, last)
		normalBlocks(g, last, mean, std)
	}
}

func normalSingle[F Float](g *Generator, dst []F, mean, std float64) {
	for i := range dst {
		v := g.nextNormal()
		if g.Scalar {
			dst[i] = F(float64(v*std) + mean)
		} else {
			dst[i] = F(math.FMA(v, std, mean))
		}
	}
}

// nextNormal returns the kept value of the last pair, or makes a pair.
func (g *Generator) nextNormal() float64 {
	if g.hasNormal {
		v := g.normal
		g.normal, g.hasNormal = 0, false
		return v
	}
	u1, u2 := g.float64(), g.float64()
	r := math.Sqrt(-2 * log64(1-u2))
	sin, cos := sincos64(float64(2 * math.Pi * u1))
	g.normal, g.hasNormal = float64(r*sin), true
	return float64(r * cos)
}

// normalBlocks turns uniform values into normal ones in place. len(x) is a
// multiple of block.
func normalBlocks[F Float](g *Generator, x []F, mean, std float64) {
	switch x := any(x).(type) {
	case []float32:
		m, s := float32(mean), float32(std)
		for ; len(x) > 0; x = x[block:] {
			if g.Scalar {
				scalarBlock32((*[block]float32)(x), m, s)
			} else {
				avx2Block32((*[block]float32)(x), m, s)
			}
		}
	case []float64:
		for ; len(x) > 0; x = x[block:] {
			block64((*[block]float64)(x), mean, std, g.Scalar)
		}
	}
}

// avx2Block32 is the transform of PyTorch's AVX2 kernel.
func avx2Block32(x *[block]float32, mean, std float32) {
	var r, angle, sin, cos octet
	for j := range r {
		r[j] = float64(1 - x[j])
		angle[j] = float64(float32(2*math.Pi) * x[j+len(r)])
	}
	cephesLog(&r)
	cephesSincos(&angle, &sin, &cos)
	for j := range r {
		r := float64(float32(math.Sqrt(-2 * r[j])))
		x[j] = fma32(float32(r*cos[j]), std, mean)
		x[j+len(sin)] = fma32(float32(r*sin[j]), std, mean)
	}
}

// scalarBlock32 is the transform of PyTorch's portable kernel, whose angle is
// rounded from a float64 product.
func scalarBlock32(x *[block]float32, mean, std float32) {
	for j := range block / 2 {
		u1, u2 := 1-x[j], x[j+block/2]
		r := sqrt32(-2 * libcLog(u1))
		sin, cos := libcSincos(float32(2 * math.Pi * float64(u2)))
		x[j] = float32(float32(r*cos)*std) + mean
		x[j+block/2] = float32(float32(r*sin)*std) + mean
	}
}

// block64 is the transform of float64, whose two kernels differ in whether the
// last step is fused.
func block64(x *[block]float64, mean, std float64, scalar bool) {
	for j := range block / 2 {
		u1, u2 := 1-x[j], x[j+block/2]
		r := math.Sqrt(-2 * log64(u1))
		sin, cos := sincos64(float64(2 * math.Pi * u2))
		c, s := float64(r*cos), float64(r*sin)
		if scalar {
			x[j], x[j+block/2] = float64(c*std)+mean, float64(s*std)+mean
		} else {
			x[j], x[j+block/2] = math.FMA(c, std, mean), math.FMA(s, std, mean)
		}
	}
}

// sqrt32 returns the square root rounded once: float64 has more than twice the
// bits, so rounding its exact root a second time changes nothing.
func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }
