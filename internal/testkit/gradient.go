package testkit

import (
	"fmt"
	"math"
	"testing"
)

// gradientStep is 2⁻¹⁷, near the cube root of float64's precision, where the
// central difference's two errors balance: step²·f‴/6 from the curve and
// about 2⁻⁵²·|f|/step from rounding, both near 1e-11 for values near 1. A
// power of two, so that x+step-x loses nothing.
const gradientStep = 0x1p-17

// GradientError compares grad, the gradient of loss by x, with central
// differences at every element: loss reads x, which is changed in place and
// restored. Tolerance: 1e-6 of the slope plus 1e-8 (of the loss where that is
// beyond 1), which leaves the step's own error a factor of 100.
func GradientError(loss func() float64, x, grad []float64) error {
	if len(x) != len(grad) {
		return fmt.Errorf("%d values have a gradient of %d", len(x), len(grad))
	}
	numeric := make([]float64, len(x))
	for i, v := range x {
		// The step grows with large values, in powers of two.
		_, exp := math.Frexp(max(1, math.Abs(v)))
		h := math.Ldexp(gradientStep, exp-1)
		x[i] = v + h
		up := loss()
		x[i] = v - h
		down := loss()
		x[i] = v
		numeric[i] = (up - down) / (2 * h)
	}
	return Near(grad, numeric, Tol{Abs: 1e-8 * max(1, math.Abs(loss())), Rel: 1e-6})
}

// Gradient reports a test error if GradientError finds one.
func Gradient(t testing.TB, what string, loss func() float64, x, grad []float64) {
	t.Helper()
	if err := GradientError(loss, x, grad); err != nil {
		t.Errorf("gradient of %s: %v", what, err)
	}
}
