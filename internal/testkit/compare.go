package testkit

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/tensor"
)

// Tol is how far a number may be from the one expected:
// |got - want| <= Abs + Rel*|want|.
type Tol struct{ Abs, Rel float64 }

// Default returns the tolerance of torch.testing.assert_close for F.
func Default[F tensor.Float]() Tol {
	if _, ok := any(F(0)).(float64); ok {
		return Tol{Abs: 1e-7, Rel: 1e-7}
	}
	return Tol{Abs: 1e-5, Rel: 1.3e-6}
}

// Near is the one comparison of numbers: nil if each got is within tol of its
// want, else an error with the worst index, both numbers and what was
// allowed. A NaN equals a NaN and nothing else; an infinity equals itself.
func Near[F, G tensor.Float](got []F, want []G, tol Tol) error {
	if len(got) != len(want) {
		return fmt.Errorf("got %d elements, want %d", len(got), len(want))
	}
	worst, excess, bad := -1, 0.0, 0
	for i := range got {
		g, w := float64(got[i]), float64(want[i])
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		// How many times too far; whatever is not a number is infinitely far.
		over := math.Abs(g-w) / (tol.Abs + tol.Rel*math.Abs(w))
		if math.IsNaN(over) || math.IsInf(w, 0) {
			over = math.Inf(1)
		}
		if over <= 1 {
			continue
		}
		bad++
		if over > excess {
			worst, excess = i, over
		}
	}
	if bad == 0 {
		return nil
	}
	g, w := float64(got[worst]), float64(want[worst])
	return fmt.Errorf("%d of %d elements differ; worst at %d: got %v, want %v, difference %.3g, allowed %.3g",
		bad, len(got), worst, g, w, math.Abs(g-w), tol.Abs+tol.Rel*math.Abs(w))
}

// Close reports a test error if got and want are not Near each other.
func Close[F, G tensor.Float](t testing.TB, what string, got []F, want []G, tol Tol) {
	t.Helper()
	if err := Near(got, want, tol); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// CloseDense is Close for tensors, whose shapes must be equal.
func CloseDense[F, G tensor.Float](t testing.TB, what string, got tensor.DenseOf[F], want tensor.DenseOf[G], tol Tol) {
	t.Helper()
	if !slices.Equal(got.Shape, want.Shape) {
		t.Errorf("%s: shape %v, want %v", what, got.Shape, want.Shape)
		return
	}
	Close(t, what, got.Data, want.Data, tol)
}

// GoldenTol returns how far a result of type F may be from the truth of a
// golden case: for float32, 4 times PyTorch's own error plus 1e-6 times the
// truth's largest value; for float64, 1e-12, and 1e-12 times the largest value
// where that is beyond 1.
func GoldenTol[F tensor.Float](f *File, name string) Tol {
	f.t.Helper()
	largest := 0.0
	for _, x := range f.Truth(name).Data {
		largest = max(largest, math.Abs(x))
	}
	if _, ok := any(F(0)).(float64); ok {
		return Tol{Abs: 1e-12 * max(1, largest)}
	}
	e, ok := f.F32Error[name]
	if !ok && f.DType != "float64" {
		f.t.Fatalf("%s: no f32_error for %q", f.Name, name)
	}
	return Tol{Abs: 4*e + 1e-6*largest}
}

// CloseGolden compares a result with a golden case's truth of that name, in
// shape and within GoldenTol.
func CloseGolden[F tensor.Float](t testing.TB, f *File, name string, got tensor.DenseOf[F]) {
	t.Helper()
	CloseDense(t, f.Name+": "+name, got, f.Truth(name), GoldenTol[F](f, name))
}

// SameBits is the one comparison of bits: nil if got and want are the same,
// NaN payloads and signs of zero included, else an error with the first
// index that differs.
func SameBits[F tensor.Float](got, want []F) error {
	if len(got) != len(want) {
		return fmt.Errorf("got %d elements, want %d", len(got), len(want))
	}
	first, bad := -1, 0
	for i := range got {
		if bitsOf(got[i]) != bitsOf(want[i]) {
			if bad++; first < 0 {
				first = i
			}
		}
	}
	if bad == 0 {
		return nil
	}
	g, w := got[first], want[first]
	return fmt.Errorf("%d of %d elements differ in bits; first at %d: got %v (%#x), want %v (%#x)", bad, len(got), first, g, bitsOf(g), w, bitsOf(w))
}

// Bits reports a test error if got and want are not the SameBits.
func Bits[F tensor.Float](t testing.TB, what string, got, want []F) {
	t.Helper()
	if err := SameBits(got, want); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// BitsDense is Bits for tensors, whose shapes must be equal.
func BitsDense[F tensor.Float](t testing.TB, what string, got, want tensor.DenseOf[F]) {
	t.Helper()
	if !slices.Equal(got.Shape, want.Shape) {
		t.Errorf("%s: shape %v, want %v", what, got.Shape, want.Shape)
		return
	}
	Bits(t, what, got.Data, want.Data)
}

func bitsOf[F tensor.Float](x F) uint64 {
	switch x := any(x).(type) {
	case float32:
		return uint64(math.Float32bits(x))
	case float64:
		return math.Float64bits(x)
	}
	panic("unreachable: tensor.Float has two types")
}
