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
