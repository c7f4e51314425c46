package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// TestExtremes: every level gives the least and the largest of every column, for odd
// numbers and strides, and touches nothing else; Span is that of all and 0.
func TestExtremes(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for trial := range 300 {
		m, n := 1+r.IntN(9), 1+r.IntN(200)
		src := Rows[float32]{Row: n + r.IntN(4)}
		src.Data = testkit.AtBorder[float32](t, (m-1)*src.Row+n, trial%2 == 0)
		source{r, []int{0, 3, 2000}[trial%3]}.fill(src.Data)
		wantLo, wantHi := make([]float32, n), make([]float32, n)
		least, most := float32(0), float32(0)
		for j := range n {
			wantLo[j], wantHi[j] = src.Data[j], src.Data[j]
			for i := range m {
				x := src.At(i, n)[j]
				if x < wantLo[j] {
					wantLo[j] = x
				}
				if x > wantHi[j] || x != x {
					wantHi[j] = x
				}
				if wantHi[j] != wantHi[j] || most != most {
					most = float32(math.NaN())
				} else {
					most = max(most, x)
				}
				if x < least {
					least = x
				}
			}
			for i := range m { // a NaN stays
				if x := src.At(i, n)[j]; x != x {
					wantHi[j] = x
				}
			}
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				if trial%4 > 0 {
					defer SetLimits(SetLimits(LowLimits(r.IntN)))
				}
				what := fmt.Sprintf("%s, %d x %d", level, m, n)
				lo, hi := Span(m, n, src, make([]float32, SpanMemory))
				if lo != least || hi != most && most == most || most != most && hi == hi {
					t.Fatalf("%s: %g to %g, want %g to %g", what, lo, hi, least, most)
				}
				a, b := testkit.AtBorder[float32](t, n, trial%3 == 0), testkit.AtBorder[float32](t, n, trial%3 == 1)
				Extremes(m, n, a, b, src)
				for j := range a { // zeros are equal
					a[j], b[j], wantLo[j], wantHi[j] = a[j]+0, b[j]+0, wantLo[j]+0, wantHi[j]+0
				}
				sameBits(t, what, b, wantHi)
				if src.Data[0] == src.Data[0] && trial%3 != 1 {
					sameBits(t, what, a, wantLo)
				}
			})
		}
	}
}

// TestBytes: every level rounds the quotient as float64 does, and keeps to a byte.
func TestBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	for n := range 120 {
		src, scale, zero := testkit.AtBorder[float32](t, n, n%2 == 0), float32(0.01+r.Float64()), int32(r.IntN(256))
		want := make([]uint8, n)
		for i := range src {
			src[i] = float32(r.IntN(800)-400) * scale / 2
			if i%3 == 0 {
				src[i] = float32(r.NormFloat64()) * 100 * scale
			}
			want[i] = uint8(max(0, min(255, math.RoundToEven(float64(src[i]/scale))+float64(zero))))
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				if n%2 == 0 {
					defer SetLimits(SetLimits(LowLimits(r.IntN)))
				}
				dst := testkit.AtBorder[uint8](t, n, n%4 > 1)
				Bytes(dst, src, scale, zero)
				if string(dst) != string(want) {
					t.Fatalf("%s, %d: %v, want %v", level, n, dst, want)
				}
			})
		}
	}
}

// TestFromSums: every level gives the bits of its sentence.
func TestFromSums(t *testing.T) {
	r := rand.New(rand.NewPCG(35, 36))
	for trial := range 200 {
		m, n := 1+r.IntN(7), 1+r.IntN(90)
		row, scale := n+r.IntN(3), float32(r.NormFloat64())
		sums, start := testkit.AtBorder[int32](t, (m-1)*row+n, trial%2 == 0), testkit.AtBorder[int32](t, m, trial%3 == 0)
		for i := range sums {
			sums[i] = int32(r.Uint32()) >> r.IntN(28)
		}
		for i := range start {
			start[i] = int32(r.Uint32()) >> r.IntN(28)
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				if trial%2 == 0 {
					defer SetLimits(SetLimits(LowLimits(r.IntN)))
				}
				dst := Rows[float32]{testkit.AtBorder[float32](t, m*n, trial%5 == 0), n}
				FromSums(m, n, dst, sums, row, start, scale)
				for i := range m {
					for j := range n {
						want := float32(sums[i*row+j]+start[i]) * scale
						sameBits(t, fmt.Sprintf("%s, %d x %d", level, m, n), dst.At(i, n)[j:], []float32{want})
					}
				}
			})
		}
	}
}

// TestTimesInts: products of integers wrap at every level.
func TestTimesInts(t *testing.T) {
	r := rand.New(rand.NewPCG(37, 38))
	for n := range 70 {
		src, x := testkit.AtBorder[int32](t, n, n%2 == 0), int32(r.Uint32())>>r.IntN(30)
		for i := range src {
			src[i] = int32(r.Uint32()) >> r.IntN(30)
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				dst := testkit.AtBorder[int32](t, n, n%3 == 0)
				TimesInts(dst, src, x)
				for i, v := range src {
					if dst[i] != v*x {
						t.Fatalf("%s: %d times %d is %d, want %d", level, v, x, dst[i], v*x)
					}
				}
			})
		}
	}
}
