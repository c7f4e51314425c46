package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// float32 returns the case with plain panels, which the definition multiplies.
func (c mulCase) float32() mulCase {
	c.half = false
	c.rounded, c.plain = true, true
	return c
}

// TestMul16IsMulOfRoundedWeights: every level, pure Go too, gives the bits of the
// definition of Mul with the same weights in float32, over random shapes and every
// microkernel, and touches nothing else.
func TestMul16IsMulOfRoundedWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	var cases []mulCase
	for range map[bool]int{true: 200, false: 800}[testing.Short()] {
		cases = append(cases, randomMulCase(r))
	}
	for gates := 1; gates <= 4; gates++ {
		for m := 1; m <= 17; m++ {
			for _, units := range []int{1, 16, 48, 130} {
				c := mulCase{k: m % 5, units: units, gates: gates, m: m, odd: 20, tail: m%2 == 0, transposed: m%3 == 0}
				p := NewPanels[float32](0, units, gates)
				c.p1, c.row = p.Len(), p.MaxCols()
				cases = append(cases, c)
			}
		}
	}
	for _, c := range cases {
		seed := r.Uint64()
		t.Run("", func(t *testing.T) {
			c.half = true
			want := c.float32().run(t, seed, "go")
			for _, level := range Levels() {
				sameBits(t, fmt.Sprintf("%s %+v", level, c), c.run(t, seed, level), want)
			}
		})
	}
}

// TestToHalf: the nearest of 8 binary digits, halves to the even one.
func TestToHalf(t *testing.T) {
	for _, c := range []struct{ x, want float32 }{
		{1, 1},
		{-0x1.01p0, -1},
		{0x1.03p0, 0x1.04p0},
		{0x1.01002p0, 0x1.02p0},
		{0x1.fffffep10, 0x1p11},
		{math.MaxFloat32, float32(math.Inf(1))},
		{float32(math.Inf(-1)), float32(math.Inf(-1))},
		{0x1p-126, 0x1p-126},
	} {
		if got := FromHalf(ToHalf(c.x)); got != c.want {
			t.Errorf("%g became %g, want %g", c.x, got, c.want)
		}
	}
	for _, bits := range []uint32{0x7f800001, 0x7fffffff, 0xffffffff} {
		if x := FromHalf(ToHalf(math.Float32frombits(bits))); x == x {
			t.Errorf("NaN %x became %g", bits, x)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 100000 {
		x := math.Float32frombits(r.Uint32()&0x807fffff | uint32(1+r.IntN(250))<<23)
		got := FromHalf(ToHalf(x))
		_, e := math.Frexp(float64(x))
		if math.Abs(float64(got-x)) > math.Ldexp(1, e-9) || FromHalf(ToHalf(got)) != got {
			t.Fatalf("%g became %g", x, got)
		}
	}
}
