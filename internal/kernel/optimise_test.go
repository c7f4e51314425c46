package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// TestSumsLevelsAgree: sums of squares and scaled differences have the bits of
// their defining loops at every level, for all lengths past some blocks and one
// past a call's limit, on guarded memory.
func TestSumsLevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	lengths := []int{sumsTestLong}
	for n := range 70 {
		lengths = append(lengths, n)
	}
	for i, n := range lengths {
		s := source{r, []int{0, 15}[i%2]}
		x := testkit.AtBorder[float32](t, n, i%3 == 0)
		s.fill(x)
		start := make([]float32, n)
		s.fill(start)
		a := float32(r.NormFloat64())
		var part [4]float64
		want := make([]float32, n)
		for j, v := range x {
			part[j%4] += float64(float64(v) * float64(v))
			want[j] = start[j] - float32(a*v)
		}
		sum := part[0] + part[1] + part[2] + part[3]
		for _, level := range Levels() {
			atLevel(t, level, func() {
				if n < sumsTestLong {
					defer SetLimits(SetLimits(LowLimits(r.IntN)))
				}
				if got := SumSquares(x); math.Float64bits(got) != math.Float64bits(sum) && (got == got || sum == sum) {
					t.Errorf("%s, %d elements: sum %v, want %v", level, n, got, sum)
				}
				dst := testkit.AtBorder[float32](t, n, i%3 == 1)
				copy(dst, start)
				SubScaled(dst, x, a)
				sameBits(t, fmt.Sprint(level, " ", n), dst, want)
			})
		}
	}
}

// sumsTestLong is beyond what one call of assembly does.
const sumsTestLong = 8*(1<<14) + 13
