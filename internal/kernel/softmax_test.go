package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// logitsOf draws a row, often with numbers that are none or lie far apart.
func logitsOf(r *rand.Rand, t *testing.T, n int) []float32 {
	x := testkit.AtBorder[float32](t, n, r.IntN(2) == 0)
	odd := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)), -900, 3e38, 1e-40}
	far := r.IntN(4) == 0
	for i := range x {
		if x[i] = float32(r.NormFloat64() * 4); far && r.IntN(10) == 0 {
			x[i] = odd[r.IntN(len(odd))]
		}
	}
	return x
}

// TestSoftmaxLevelsAgree: what a cross entropy does to a row has the bits of its
// loops at every level, for all lengths past some blocks, on guarded memory.
func TestSoftmaxLevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(71, 72))
	for trial := range 600 {
		n := 1 + trial%90
		x := logitsOf(r, t, n)
		most := x[0]
		for _, v := range x {
			if v > most || v != v {
				most = v
			}
		}
		m, k := float64(most), r.NormFloat64()
		if m != m {
			m = 1
		}
		e, g := make([]float64, n), make([]float32, n)
		for i, v := range x {
			e[i] = fmath.Exp(float64(v) - m)
			g[i] = float32(float64(e[i] * k))
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				defer SetLimits(SetLimits(LowLimits(r.IntN)))
				what := fmt.Sprint(level, " ", x)
				if got := Largest(x); got != most && (got == got || most == most) {
					t.Fatalf("%s: the largest is %v, want %v", what, got, most)
				}
				gotE, gotG := testkit.AtBorder[float64](t, n, trial%2 == 0), testkit.AtBorder[float32](t, n, trial%3 == 0)
				ExpShifted(gotE, x, m)
				Narrow(gotG, e, k)
				sameBits(t, what, gotG, g)
				for i, want := range e {
					if math.Float64bits(gotE[i]) != math.Float64bits(want) && (gotE[i] == gotE[i] || want == want) {
						t.Fatalf("%s: number %d is %v, want %v", what, i, gotE[i], want)
					}
				}
			})
		}
	}
}
