package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/fmath"
)

// TestExpLevelsAgree: every level gives the bits of fmath.Exp, for all lengths,
// over the range and beyond it.
func TestExpLevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	odd := []float64{0, math.Copysign(0, -1), 5e-324, -5e-324, -708, -708.1, -745, -746, 709, 709.5, 710, math.Inf(1), math.Inf(-1), math.NaN(), 1e300, -1e300}
	for _, level := range Levels() {
		atLevel(t, level, func() {
			for trial := range 3000 {
				x := make([]float64, trial%70)
				for i := range x {
					switch r.IntN(3) {
					case 0:
						x[i] = -r.ExpFloat64() * 5
					case 1:
						x[i] = (r.Float64() - 0.5) * 1420
					default:
						x[i] = r.NormFloat64() * math.Pow(2, float64(r.IntN(80)-70))
					}
					if trial%4 == 0 && r.IntN(20) == 0 {
						x[i] = odd[r.IntN(len(odd))]
					}
				}
				got := append([]float64(nil), x...)
				before := SetLimits(LowLimits(r.IntN))
				Exp(got)
				SetLimits(before)
				for i, v := range x {
					want := fmath.Exp(v)
					if math.Float64bits(got[i]) != math.Float64bits(want) && (got[i] == got[i] || want == want) {
						t.Fatalf("%s: exp(%v) is %v, want %v", level, v, got[i], want)
					}
				}
			}
		})
	}
}
