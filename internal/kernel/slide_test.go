package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// slideCase is one call of Slide.
type slideCase struct {
	k, units, lines, m int
	spread             int // of the table
	odd                int
	floor              float32
	limits             Limits // zero: the default
}

func randomSlideCase(r *rand.Rand) slideCase {
	c := slideCase{k: r.IntN(40), units: 1 + r.IntN(150), lines: 1 + r.IntN(4), m: 1 + r.IntN(20), spread: 1 + r.IntN(90)}
	if r.IntN(8) == 0 {
		c.k = 100 + r.IntN(500)
	}
	c.odd = []int{0, 0, 5, 50}[r.IntN(4)]
	c.floor = []float32{0, float32(math.Inf(-1)), 0.5}[r.IntN(3)]
	if r.IntN(2) == 0 {
		c.limits = LowLimits(r.IntN)
	}
	return c
}

// run fills all inputs from seed and returns dst, all in memory that begins or ends at
// a forbidden page.
func (c slideCase) run(t *testing.T, seed uint64, level string) []float32 {
	r := rand.New(rand.NewPCG(seed, 9))
	s := source{r, c.odd}
	w := make([]float32, c.units*c.k)
	s.fill(w)
	p := NewPanels[float32](c.k, c.units, 1)
	p.Data = testkit.AtBorder[float32](t, len(p.Data), seed%2 == 0)
	p.Pack(w, 0, c.k, 1)
	at := make([]int, c.k)
	most := 0
	for i := range at {
		at[i] = r.IntN(c.spread)
		most = max(most, at[i]+1)
	}
	wide := Pad(c.units)
	a := Lines{Row: r.IntN(7), Line: r.IntN(50)}
	a.Data = testkit.AtBorder[float32](t, (c.lines-1)*a.Line+(c.m-1)*a.Row+most, seed%3 == 0)
	s.fill(a.Data)
	init := testkit.AtBorder[float32](t, wide, seed%5 == 0)
	s.fill(init)
	dst := Lines{Row: wide + r.IntN(3)*5}
	dst.Line = c.m*dst.Row + r.IntN(2)*3
	dst.Data = testkit.AtBorder[float32](t, (c.lines-1)*dst.Line+(c.m-1)*dst.Row+wide, seed%2 == 1)
	if c.limits != (Limits{}) {
		defer SetLimits(SetLimits(c.limits))
	}
	atLevel(t, level, func() { Slide(p, dst, init, a, NewPlaces(at), c.floor, c.lines, c.m) })
	if level == "go" {
		c.check(t, p, dst, init, a, at)
	}
	return dst.Data
}

// check compares the Go loop with one that has no blocks and no panels.
func (c slideCase) check(t *testing.T, p *Panels[float32], dst Lines, init []float32, a Lines, at []int) {
	for l := range c.lines {
		for r := range c.m {
			for u := range c.units {
				i, cols := u/64, p.Cols(u/64)
				acc := init[u]
				for k, from := range at {
					acc = FMA32(a.Data[l*a.Line+r*a.Row+from], p.Panel(i)[k*cols+u%64], acc)
				}
				if acc < c.floor {
					acc = c.floor
				}
				sameBits(t, fmt.Sprintf("%+v, line %d, row %d, unit %d", c, l, r, u), dst.at(l, r, u+1)[u:], []float32{acc})
			}
		}
	}
}

// TestSlide: every level gives the bits of the definition, whatever the shape, the
// strides, the table and the values, and touches nothing else.
func TestSlide(t *testing.T) {
	trials := 200
	if testing.Short() {
		trials = 60
	}
	r := rand.New(rand.NewPCG(13, 14))
	var cases []slideCase
	for range trials {
		cases = append(cases, randomSlideCase(r))
	}
	for m := 1; m <= 17; m++ { // every microkernel
		for _, units := range []int{1, 17, 48, 130} {
			cases = append(cases, slideCase{k: m % 4, units: units, lines: 1 + m%3, m: m, spread: 30, odd: 20})
		}
	}
	for _, c := range cases {
		seed := r.Uint64()
		t.Run("", func(t *testing.T) {
			want := c.run(t, seed, "go")
			for _, level := range Levels() {
				sameBits(t, fmt.Sprintf("%s %+v", level, c), c.run(t, seed, level), want)
			}
		})
	}
}

// TestSlideRefuses: lengths are compared before anything is read.
func TestSlideRefuses(t *testing.T) {
	p := NewPanels[float32](2, 20, 1)
	dst, init, a := Lines{make([]float32, 3*32), 0, 32}, make([]float32, 32), Lines{make([]float32, 6), 0, 2}
	Slide(p, dst, init, a, NewPlaces([]int{0, 1}), 0, 1, 3)
	for name, f := range map[string]func(){
		"a place below 0":      func() { NewPlaces([]int{0, -1}) },
		"a place beyond a row": func() { Slide(p, dst, init, a, NewPlaces([]int{0, 2}), 0, 1, 3) },
		"a short table":        func() { Slide(p, dst, init, a, NewPlaces([]int{0}), 0, 1, 3) },
		"a short result":       func() { Slide(p, Lines{dst.Data[1:], 0, 32}, init, a, NewPlaces([]int{0, 1}), 0, 1, 3) },
		"a short start":        func() { Slide(p, dst, init[1:], a, NewPlaces([]int{0, 1}), 0, 1, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it ran")
				}
			}()
			f()
		})
	}
}
