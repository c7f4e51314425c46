package nn

import (
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/tensor"
)

// Softmax turns rows of classes logits each into probabilities: it writes
// exp(x-m)/sum of exp(x-m), m the largest of the row, to dst, which is as long as x
// and may be x. Each row is computed in float64, its sum in index order, and
// rounded once; the bits are the same on every platform. A row with a NaN or a
// positive infinity is NaN, as in PyTorch. It is an ErrShape if x is no number of
// whole rows or dst is not as long. It allocates nothing.
func Softmax[F tensor.Float](dst, x []F, classes int) error {
	return rowwise(dst, x, classes, func(row []F) (m, z float64) { return shifted(row) },
		func(v, m, z float64) float64 { return fmath.Exp(v-m) / z })
}

// LogSoftmax writes the logarithms of the probabilities that Softmax writes,
// x - m - log of the sum of exp(x-m), which do not vanish where those do.
func LogSoftmax[F tensor.Float](dst, x []F, classes int) error {
	return rowwise(dst, x, classes, func(row []F) (m, z float64) {
		m, z = shifted(row)
		return m, fmath.Log(z)
	}, func(v, m, z float64) float64 { return v - m - z })
}

// Argmax returns the index of the largest element of x, the first of equal ones; a
// NaN counts as larger than any number, as in PyTorch. Of nothing it is -1.
func Argmax[F tensor.Float](x []F) int {
	best := -1
	for i, v := range x {
		switch {
		case v != v:
			return i
		case best < 0 || v > x[best]:
			best = i
		}
	}
	return best
}

// shifted returns the largest element of a row and the sum of exp(x-m).
func shifted[F tensor.Float](row []F) (m, z float64) {
	m = math.Inf(-1)
	for _, v := range row {
		m = max(m, float64(v)) // NaN stays
	}
	for _, v := range row {
		z += fmath.Exp(float64(v) - m)
	}
	return m, z
}

func rowwise[F tensor.Float](dst, x []F, classes int, first func(row []F) (m, z float64), then func(v, m, z float64) float64) error {
	if classes < 1 || len(x)%classes != 0 {
		return badShape("x", []int{len(x)}, fmt.Sprintf("whole rows of %d classes, at least one", classes))
	}
	if len(dst) != len(x) {
		return badShape("dst", []int{len(dst)}, fmt.Sprintf("%d elements, as x", len(x)))
	}
	for at := 0; at < len(x); at += classes {
		row := x[at : at+classes]
		m, z := first(row)
		for i, v := range row {
			dst[at+i] = F(then(float64(v), m, z))
		}
	}
	return nil
}
