package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/internal/fmath"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// elementwiseOps are the functions over slices that have routines.
var elementwiseOps = []struct {
	name string
	run  func(dst, src []float32)
	one  func(x float32) float32
}{
	{"FlushTo", FlushTo[float32], Flush[float32]},
	{"TanhTo", TanhTo[float32], Tanh32},
	{"SigmoidTo", SigmoidTo[float32], Sigmoid32},
	{"ReLUTo", ReLUTo[float32], ReLU[float32]},
	{"ExpTo", ExpTo, func(x float32) float32 { return float32(fmath.Exp(float64(x))) }},
}

// TestElementwiseLevelsAgree: every level gives the bits of the function of one
// number, for all lengths past some vectors and one past a call's limit, also in
// place, and touches nothing else.
func TestElementwiseLevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	lengths := []int{200_001}
	for n := range 150 {
		lengths = append(lengths, n)
	}
	for _, op := range elementwiseOps {
		for _, n := range lengths {
			src := testkit.AtBorder[float32](t, n, n%2 == 0)
			source{r, []int{0, 3, 30}[n%3]}.fill(src)
			want := make([]float32, n)
			for i, x := range src {
				want[i] = op.one(x)
			}
			for _, level := range Levels() {
				atLevel(t, level, func() {
					if n < 150 {
						defer SetLimits(SetLimits(LowLimits(r.IntN)))
					}
					dst := testkit.AtBorder[float32](t, n, n%4 > 1)
					op.run(dst, src)
					sameBits(t, fmt.Sprint(op.name, " ", level, " ", n), dst, want)
					again := slices.Clone(src)
					op.run(again, again)
					sameBits(t, fmt.Sprint(op.name, " in place ", level, " ", n), again, want)
				})
			}
		}
	}
}

// TestPairsLevelsAgree is TestElementwiseLevelsAgree for functions of two numbers,
// NaN, infinities and zeros of both signs among them.
func TestPairsLevelsAgree(t *testing.T) {
	ops := []struct {
		name string
		run  func(dst, a, b []float32)
		one  func(a, b float32) float32
	}{
		{"Product", Product[float32], func(a, b float32) float32 { return a * b }},
		{"LargerTo", LargerTo[float32], Larger[float32]},
	}
	special := []float32{0, float32(math.Copysign(0, -1)), float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 1}
	r := rand.New(rand.NewPCG(25, 26))
	for _, op := range ops {
		for n := range 150 {
			a, b := testkit.AtBorder[float32](t, n, n%2 == 0), testkit.AtBorder[float32](t, n, n%4 > 1)
			for i := range a {
				a[i], b[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
				if i%3 > 0 { // every two of the special ones in turn
					a[i], b[i] = special[(i+n)%len(special)], special[(i/len(special)+n)%len(special)]
				}
			}
			want := make([]float32, n)
			for i := range want {
				want[i] = op.one(a[i], b[i])
			}
			for _, level := range Levels() {
				atLevel(t, level, func() {
					defer SetLimits(SetLimits(LowLimits(r.IntN)))
					dst := testkit.AtBorder[float32](t, n, n%3 == 0)
					op.run(dst, a, b)
					sameBits(t, fmt.Sprint(op.name, " ", level, " ", n), dst, want)
					again := slices.Clone(a)
					op.run(again, again, b)
					sameBits(t, fmt.Sprint(op.name, " in place ", level, " ", n), again, want)
				})
			}
		}
	}
}

// TestLargest4: the maximum of four in order, at every level.
func TestLargest4(t *testing.T) {
	special := []float32{0, float32(math.Copysign(0, -1)), float32(math.NaN()), 1, -1}
	for n := range 40 {
		var x [4][]float32
		for k := range x {
			x[k] = testkit.AtBorder[float32](t, n, k%2 == 0)
		}
		want := make([]float32, n)
		for i := range want { // every four of the special ones in turn
			for k, at := range []int{i + n, (i + n) / 5, (i + n) / 25, (i*7 + n)} {
				x[k][i] = special[at%5]
			}
			want[i] = Larger(Larger(Larger(x[0][i], x[1][i]), x[2][i]), x[3][i])
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				dst := testkit.AtBorder[float32](t, n, n%3 == 0)
				rows := func(k int) Rows[float32] { return Rows[float32]{Data: x[k]} }
				Largest4Rows(min(n, 1), n, Rows[float32]{Data: dst}, rows(0), rows(1), rows(2), rows(3))
				sameBits(t, fmt.Sprint(level, " ", n), dst, want)
			})
		}
	}
}

// TestElementwiseAllocatesNothing: steps call them for every row.
func TestElementwiseAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("with the race detector memory escapes")
	}
	x := make([]float32, 256)
	for _, level := range Levels() {
		atLevel(t, level, func() {
			for _, op := range elementwiseOps {
				if n := testing.AllocsPerRun(10, func() { op.run(x, x) }); n != 0 {
					t.Errorf("%s, %s: %v allocations", op.name, level, n)
				}
			}
		})
	}
}
