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
