package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// TestAddOuterLevelsAgree: AddOuter is the loop it names, at every level, for one and
// two right-hand sides, and touches nothing beyond their units.
func TestAddOuterLevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	trials := 200
	if testing.Short() {
		trials = 50
	}
	for trial := range trials {
		n, m, lda, low := 1+r.IntN(90), 1+r.IntN(150), r.IntN(3), limits
		switch {
		case trial%20 == 0:
			n, m = 1100, 1+r.IntN(20) // more than a part
		case trial%2 == 0:
			low = LowLimits(r.IntN)
		}
		lda += m
		s := source{r, []int{0, 30}[trial%2]}
		drawn := func(n int) []float32 {
			x := make([]float32, n)
			s.fill(x)
			return x
		}
		a, sums := drawn((n-1)*lda+m), drawn(m)
		units, ldb, starts, b := [2]int{1 + r.IntN(150), 1 + r.IntN(40)}, [2]int{}, [2][]float32{}, [2][]float32{}
		for i := range units {
			ldb[i] = units[i] + r.IntN(3)
			starts[i], b[i] = drawn((m-1)*ldb[i]+units[i]), drawn((n-1)*ldb[i]+units[i])
		}
		sides := units[:1+trial%2]
		var want [2][]float32
		for i, units := range sides {
			want[i] = append(want[i], starts[i]...)
			for at := range want[i] {
				row, u := at/ldb[i], at%ldb[i]
				for k := 0; u < units && k < n; k++ {
					want[i][at] = FMA32(a[k*lda+row], Flush(b[i][k*ldb[i]+u]), want[i][at])
				}
			}
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				defer SetLimits(SetLimits(low))
				var scratch Scratch[float32]
				var outer []Outer[float32]
				for i, units := range sides {
					dst := testkit.AtBorder[float32](t, len(starts[i]), trial%2 == 0)
					copy(dst, starts[i])
					outer = append(outer, Outer[float32]{Rows[float32]{dst, ldb[i]}, Rows[float32]{b[i], ldb[i]}, units})
				}
				total := append([]float32(nil), sums...)
				if trial%3 == 0 {
					total = nil
				}
				AddOuter(m, Rows[float32]{a, lda}, n, total, &scratch, outer...)
				for i, units := range sides {
					sameBits(t, fmt.Sprintf("%s: n %d m %d units %d side %d", level, n, m, units, i), outer[i].Dst.Data, want[i])
				}
				for row, got := range total {
					want := sums[row]
					for k := range n {
						want += a[k*lda+row]
					}
					sameBits(t, fmt.Sprintf("%s: n %d m %d sum %d", level, n, m, row), []float32{got}, []float32{want})
				}
			})
		}
	}
}
