package cell

import (
	"math"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
)

// Every activation, with and without a clip, has the same bits at every level, for
// every length past two blocks, over numbers that kernels get wrong first.
func TestFunctionsOfAllLevelsAgree(t *testing.T) {
	odd := []float32{
		0, float32(math.Copysign(0, -1)), 1, -1, 0.5, -0.25, 3, -3, 88, -88, 104, -104, 1e10, -1e10,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 0x1p-149, -0x1p-149, 0x1p-126, -0x1p-126,
		math.MaxFloat32, -math.MaxFloat32, 0x1p-100, -0x1p-101, 2.5, -2.5, 0.2, 0.7, -0.7,
	}
	for name := range functions {
		for _, clip := range []float64{0, 0.75} {
			f := activate[float32](Function{Name: name, Alpha: 0.3, Beta: 0.4}, clip)
			for n := 1; n <= 35; n++ {
				var want []float32
				levels.Each(func(level string) {
					x := make([]float32, n)
					for i := range x {
						x[i] = odd[(i*7+n)%len(odd)]
					}
					f.slice(x)
					if x = oneNaN(x); level == "go" {
						want = x
						return
					}
					if want != nil {
						testkit.Bits(t, name+" at level "+level, x, want)
					}
				})
			}
		}
	}
}

// The slope by a function's value is that of the function, by its own differences;
// the functions without one say so, and nothing else does.
func TestSlopesByValue(t *testing.T) {
	without := map[string]bool{"Swish": true, "Gelu": true, "Mish": true, "HardSwish": true, "TanhShrink": true, "Shrink": true}
	for name := range functions {
		f := Function{Name: name, Alpha: 0.3, Beta: 0.4}
		if f.Backwards() == without[name] {
			t.Errorf("%s: Backwards is %v", name, f.Backwards())
		}
		if without[name] {
			continue
		}
		a := activate[float64](f, 0)
		at := func(x float64) float64 {
			v := []float64{x}
			a.slice(v)
			return v[0]
		}
		for _, x := range []float64{-3.1, -1.2, -0.6, -0.05, 0.07, 0.35, 0.9, 2.2, 4} {
			const h = 1e-6
			want := (at(x+h) - at(x-h)) / (2 * h)
			if got := a.slope(at(x)); math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
				t.Errorf("the slope of %s at %g is %g, differences give %g", name, x, got, want)
			}
		}
	}
}
