package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// TestScaleLevelsAgree: products with one number, denormals and odd ones too.
func TestScaleLevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(73, 74))
	for n := range 90 {
		s := source{r, []int{0, 10}[n%2]}
		x, a := testkit.AtBorder[float32](t, n, n%3 == 0), float32(r.NormFloat64())
		s.fill(x)
		start, want := append([]float32(nil), x...), make([]float32, n)
		for i, v := range x {
			want[i] = v * a
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				copy(x, start)
				Scale(x, a)
				sameBits(t, fmt.Sprint(level, n), x, want)
			})
		}
	}
}

// TestAdamStepIsItsLoop: whole blocks have the bits of the optimiser's loop, the rest
// is left to it.
func TestAdamStepIsItsLoop(t *testing.T) {
	r := rand.New(rand.NewPCG(75, 76))
	root := func(x float32) float32 { return float32(math.Sqrt(float64(x))) }
	for n := range 120 {
		by := AdamStep{
			Shrink: 0.999, Sign: []float32{1, -1}[n%2], Decay: float32(n%3) * 0.01, A: 0.9, A1: 0.1, B: 0.999, B1: 0.001,
			Root: r.Float32() + 0.01, Small: 1e-8, LR: r.Float32(),
		}
		var start, x [4][]float32
		for i := range start {
			start[i], x[i] = make([]float32, n), testkit.AtBorder[float32](t, n, n%2 == 0)
			source{r, []int{0, 12}[n%2]}.fill(start[i])
		}
		for i, v := range start[3] { // a sum of squares
			start[3][i] = v * v
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				defer SetLimits(SetLimits(LowLimits(r.IntN)))
				for i := range x {
					copy(x[i], start[i])
				}
				done := by.Step(x[0], x[1], x[2], x[3])
				if done > n || level != "go" && done != n/Lane*Lane {
					t.Fatalf("%s: %d of %d", level, done, n)
				}
				var want [4][]float32
				for i := range want {
					want[i] = append([]float32(nil), start[i]...)
				}
				p, d, m, v := want[0], want[1], want[2], want[3]
				for i := range done {
					w := float32(p[i] * by.Shrink)
					g := float32(by.Sign*d[i]) + float32(by.Decay*w)
					m[i] = float32(m[i]*by.A) + float32(by.A1*g)
					v[i] = float32(v[i]*by.B) + float32(by.B1*float32(g*g))
					p[i] = w - float32(by.LR*(m[i]/(root(v[i])/by.Root+by.Small)))
				}
				for i := range x {
					sameBits(t, fmt.Sprint(level, n, i), x[i], want[i])
				}
			})
		}
	}
}

// BenchmarkAdamStep is a step of 16 Ki parameters, which stay in the caches.
func BenchmarkAdamStep(b *testing.B) {
	by := AdamStep{Shrink: 1, Sign: 1, A: 0.9, A1: 0.1, B: 0.999, B1: 0.001, Root: 1, Small: 1e-8, LR: 1e-3}
	var x [4][]float32
	for i := range x {
		x[i] = make([]float32, 1<<14)
	}
	for b.Loop() {
		by.Step(x[0], x[1], x[2], x[3])
	}
}
