package kernel

// SumSquares returns the sum of the squares of x in float64, the same for every
// level: four sums, of elements 0, 4, 8 ..., 1, 5, 9 ... and so on, each square
// and each addition rounded, added in that order.
func SumSquares[F Float](x []F) float64 {
	var part [4]float64
	if isFloat32[F]() {
		x = x[squareBlocks(slice32(x), &part):]
	}
	for i, v := range x {
		part[i%4] += float64(float64(v) * float64(v))
	}
	return part[0] + part[1] + part[2] + part[3]
}

// SubScaled subtracts a*src from dst, the product and the difference each
// rounded: what gradient descent does. The slices are equally long.
func SubScaled[F Float](dst, src []F, a F) {
	src = src[:len(dst)]
	if isFloat32[F]() {
		n := subScaledBlocks(slice32(dst), slice32(src), float32(a))
		dst, src = dst[n:], src[n:]
	}
	for i, v := range src {
		dst[i] -= F(a * v)
	}
}

// Scale multiplies x with a, each product rounded.
func Scale[F Float](x []F, a F) {
	all, line := Rows[F]{Data: x}, copies
	line.Slope = float32(a)
	if Fused(lineOf, Gates{M: 1, N: len(x), Constants: line.constants()}, all, all) {
		return
	}
	for i, v := range x {
		x[i] = F(v * a)
	}
}

// AdamStep is the numbers of a step of Adam, float32 whatever the level.
type AdamStep struct {
	Shrink      float32 // what a parameter is multiplied with before all else
	Sign, Decay float32 // the gradient is Sign*d + Decay*p
	A, A1       float32 // the first momentum is A*m + A1*g
	B, B1       float32 // the second is B*v + B1*g*g
	Root, Small float32
	LR          float32 // p - LR*(m/(sqrt(v)/Root + Small))
}

// Step moves the parameters p along the gradients d with the momenta m and v, which
// are as long, for whole blocks at a level that has the routine, and returns how many
// elements it did. Each operation rounds once, in the order written above; the
// optimiser's own loop, which does the rest, is the definition.
func (by *AdamStep) Step(p, d, m, v []float32) int {
	return adamBlocks(p, d[:len(p)], m[:len(p)], v[:len(p)], by)
}
