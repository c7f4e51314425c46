package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// TestMulRowsLevelsAgree: MulRows is the defining loop in row-major memory at
// every level, for left sides in both orientations, starts of every kind, and
// touches nothing beyond the units.
func TestMulRowsLevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 42))
	trials := 300
	if testing.Short() {
		trials = 60
	}
	for trial := range trials {
		k, units, m := r.IntN(90), 1+r.IntN(400), 1+r.IntN(40)
		if trial%20 == 0 {
			k, m = 900, 150 // more than a part of a transposed left side
		}
		s := source{r, []int{0, 30}[trial%2]}
		w, a := make([]float32, units*k), make([]float32, k*m)
		s.fill(w)
		s.fill(a)
		ldd := units + r.IntN(3)
		mul, left := MulRows[float32], left[float32]{a, k, 1}
		if trial%3 > 0 {
			mul, left.Row, left.Col = MulColumns[float32], 1, m
		}
		start, bias := make([]float32, m*ldd), make([]float32, units)
		s.fill(start)
		s.fill(bias)
		kind := r.IntN(3)
		low := limits
		if trial%2 == 0 {
			low = LowLimits(r.IntN)
		}
		var want []float32
		for _, level := range Levels() {
			atLevel(t, level, func() {
				p := NewPanels[float32](k, units, 1)
				p.Pack(w, 0, max(k, 1), 1)
				dst := testkit.AtBorder[float32](t, (m-1)*ldd+units, trial%2 == 0)
				copy(dst, start)
				var scratch Scratch[float32]
				defer SetLimits(SetLimits(low))
				to := Rows[float32]{dst, ldd}
				init := to
				switch kind {
				case 1:
					init = Rows[float32]{Data: bias}
				case 2:
					init = Rows[float32]{}
				}
				p0, rows := p.Len()/3, Rows[float32]{a, max(left.Row, left.Col)}
				mul(p, 0, p0, to, init, rows, m, &scratch)
				mul(p, p0, p.Len(), to, init, rows, m, &scratch)
				if level == "go" {
					want = dst
					loop := make([]float32, len(dst))
					for i := range want { // against the loop itself
						row, u := i/ldd, i%ldd
						acc := start[i]
						switch {
						case u >= units: // not touched
						case kind == 1:
							acc = bias[u]
						case kind == 2:
							acc = 0
						}
						for j := 0; u < units && j < k; j++ {
							acc = FMA32(left.Data[row*left.Row+j*left.Col], Flush(w[u*k+j]), acc)
						}
						loop[i] = acc
					}
					sameBits(t, fmt.Sprintf("the loop: k %d units %d rows %d kind %d", k, units, m, kind), want, loop)
				}
				sameBits(t, fmt.Sprintf("%s: k %d units %d rows %d kind %d", level, k, units, m, kind), dst, want)
			})
		}
	}
}

// TestMulColumnsWalksParts: of a left side that no cache holds, no more rows than
// AddOuter takes at a time; of few columns, which are read from first to last, all.
func TestMulColumnsWalksParts(t *testing.T) {
	const k = 8000
	a, p := make([]float32, k*100), NewPanels[float32](k, 5, 1)
	for m, want := range map[int]int{20: 0, 100: limits.OuterSteps} {
		var s Scratch[float32]
		dst := Rows[float32]{make([]float32, m*5), 5}
		MulColumns(p, 0, 1, dst, Rows[float32]{}, Rows[float32]{a, m}, m, &s)
		if got := s.part.K; got > want || got < want*9/10 {
			t.Errorf("%d columns: the last part has %d rows of %d, want %d or a few fewer", m, got, k, want)
		}
	}
}
