package kernel

// What the cross entropy of a row of logits does, a slice at a time.

// Largest returns the largest element of x, which is not empty; a NaN if one is. Of
// zeros of both signs it is either.
func Largest[F Float](x []F) F {
	if isFloat32[F]() && len(x) > 0 {
		if n, most := largestBlocks(slice32(x)); n > 0 {
			return largest(F(most), x[n:])
		}
	}
	return largest(x[0], x)
}

// largest is the larger of most and the elements of x.
func largest[F Float](most F, x []F) F {
	for _, v := range x {
		if v > most || v != v {
			most = v
		}
	}
	return most
}

// ExpShifted writes fmath.Exp(float64(x)-m) of every element x of src to dst, which is
// as long.
func ExpShifted[F Float](dst []float64, src []F, m float64) {
	dst = dst[:len(src)]
	for isFloat32[F]() && len(src) > 0 {
		n := expShiftedBlocks(dst, slice32(src), m)
		if n == 0 {
			break
		}
		dst, src = dst[n:], src[n:]
	}
	for i, x := range src {
		dst[i] = float64(x) - m
	}
	Exp(dst)
}

// Narrow writes src times k, the product and then the element of dst rounded, to dst,
// which is as long.
func Narrow[F Float](dst []F, src []float64, k float64) {
	src = src[:len(dst)]
	if isFloat32[F]() {
		n := narrowBlocks(slice32(dst), src, k)
		dst, src = dst[n:], src[n:]
	}
	for i, x := range src {
		dst[i] = F(float64(x * k))
	}
}
