package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// eachLevel runs f at every level of this machine but "go", which f compares
// with through atLevel.
func eachLevel(t *testing.T, f func(t *testing.T, level string)) {
	for _, name := range Levels() {
		if name != "go" {
			t.Run(name, func(t *testing.T) { f(t, name) })
		}
	}
}

// atLevel runs f at a level and then goes back to the one before.
func atLevel(t testing.TB, name string, f func()) {
	t.Helper()
	before := Level()
	defer func() { _ = SetLevel(before) }()
	if err := SetLevel(name); err != nil {
		t.Fatal(err)
	}
	f()
}

// sameBits fails if two slices differ; a NaN equals every NaN.
func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		g, w := math.Float32bits(got[i]), math.Float32bits(want[i])
		if g != w && (got[i] == got[i] || want[i] == want[i]) {
			t.Fatalf("%s: element %d is %x (%g), want %x (%g)", what, i, g, got[i], w, want[i])
		}
	}
}

// source draws test values: plain ones, or with odd ones (any bits, denormals,
// infinities, NaN) among them.
type source struct {
	*rand.Rand
	odd int // one in so many is odd; 0: none
}

func (s source) fill(x []float32) {
	for i := range x {
		x[i] = float32(s.NormFloat64())
		if s.odd > 0 && s.IntN(s.odd) == 0 {
			x[i] = oddFloat(s.Rand)
		}
	}
}

// mulCase is one call of Mul.
type mulCase struct {
	k, units, gates, m, p0, p1 int
	row, initRow, extra        int // leading dimension of dst; of init; added to that of a
	transposed, tail, inPlace  bool
	odd                        int
	rounded, half              bool   // weights of 8 binary digits; packed as bfloat16
	plain                      bool   // no panel is folded
	limits                     Limits // zero: the default
}

func randomMulCase(r *rand.Rand) mulCase {
	size := func() int {
		if r.IntN(12) == 0 {
			return 131 + r.IntN(500)
		}
		return r.IntN(131)
	}
	c := mulCase{k: size(), units: 1 + size(), gates: []int{1, 3, 4, 2}[r.IntN(4)], m: 1 + r.IntN(20)}
	if r.IntN(25) == 0 {
		c.m = 21 + r.IntN(150)
	}
	if c.k*c.units*c.m > 1<<21 { // the definition is slow
		c.m = 1 + r.IntN(9)
	}
	p := NewPanels[float32](0, c.units, c.gates)
	c.p0 = r.IntN(p.Len())
	c.p1 = c.p0 + 1 + r.IntN(p.Len()-c.p0)
	c.row = p.MaxCols() + r.IntN(3)*r.IntN(9)
	c.initRow = r.IntN(2) * (p.MaxCols() + r.IntN(9))
	c.extra = r.IntN(3) * r.IntN(9)
	c.transposed, c.tail, c.inPlace = r.IntN(3) == 0, r.IntN(2) == 0, r.IntN(3) == 0
	c.odd = []int{0, 0, 5, 50}[r.IntN(4)]
	if r.IntN(2) == 0 {
		c.limits = LowLimits(r.IntN)
	}
	return c
}

// panels returns panels with the layout of the case, in memory from memory.
func (c mulCase) panels(memory func(n int) []float32) *Panels[float32] {
	p := &Panels[float32]{Layout: NewLayout(c.k, c.units, c.gates)}
	if !c.half && !c.plain {
		p.Layout = p.folded()
	}
	p.Data = memory(p.size())
	return p
}

// run fills all inputs from seed and returns dst, which begins and ends at
// forbidden memory.
func (c mulCase) run(t *testing.T, seed uint64, level string) []float32 {
	r := rand.New(rand.NewPCG(seed, 7))
	s := source{r, c.odd}
	w := make([]float32, c.gates*c.units*c.k)
	s.fill(w)
	if c.rounded || c.half {
		for i := range w {
			w[i] = FromHalf(ToHalf(w[i]))
		}
	}
	p := c.panels(func(n int) []float32 { return testkit.AtBorder[float32](t, n, seed%2 == 0) })
	p.Pack(w, c.units*c.k, c.k, 1)
	h := &Panels16{}
	if c.half {
		h.Data = testkit.AtBorder[uint16](t, len(p.Data), seed%2 == 0)
		h.Resize(p.Layout)
		for i := range h.Len() {
			PackPanel16(h, i, w, c.units*c.k, c.k, 1)
		}
	}
	n, cols := c.p1-c.p0, p.span(c.p1-1)
	var tail []float32
	if c.tail {
		tail = testkit.AtBorder[float32](t, ((n-1)*p.Blocks+p.blocks(c.p1-1))*Lane, seed%5 == 0)
		s.fill(tail)
	}
	a := left[float32]{Row: c.k + c.extra, Col: 1}
	if c.transposed {
		a.Row, a.Col = 1, c.m+c.extra
	}
	length := 0
	if c.k > 0 {
		length = (c.m-1)*a.Row + (c.k-1)*a.Col + 1
	}
	a.Data = testkit.AtBorder[float32](t, length, seed%5 == 1)
	s.fill(a.Data)
	dst := testkit.AtBorder[float32](t, (n-1)*c.m*c.row+(c.m-1)*c.row+cols, seed%3 == 0)
	init := Block[float32]{dst, c.m * c.row, c.row}
	if !c.inPlace {
		panel := c.initRow * c.m
		if c.initRow == 0 {
			panel = p.MaxCols()
		}
		init = Block[float32]{testkit.AtBorder[float32](t, (n-1)*panel+(c.m-1)*c.initRow+cols, seed%3 == 1), panel, c.initRow}
		s.fill(init.Data)
	}
	s.fill(dst)
	if c.limits != (Limits{}) {
		defer SetLimits(SetLimits(c.limits))
	}
	atLevel(t, level, func() {
		if c.half {
			mul16(h, c.p0, c.p1, Block[float32]{dst, c.m * c.row, c.row}, init, tail, a, c.m)
			return
		}
		mul(p, c.p0, c.p1, Block[float32]{dst, c.m * c.row, c.row}, init, tail, a, c.m)
	})
	return dst
}

// TestMulLevelsAgree: every level gives the bits of the definition, whatever
// the shape, the strides and the values, and touches nothing else.
func TestMulLevelsAgree(t *testing.T) {
	trials := 1500
	if testing.Short() {
		trials = 300
	}
	r := rand.New(rand.NewPCG(11, 12))
	eachLevel(t, func(t *testing.T, level string) {
		for range trials {
			c, seed := randomMulCase(r), r.Uint64()
			t.Run("", func(t *testing.T) {
				want := c.run(t, seed, "go")
				sameBits(t, fmt.Sprintf("%+v", c), c.run(t, seed, level), want)
			})
		}
	})
}

// TestMulEveryRowCount walks every microkernel: rows, widths, and one or a few
// panels side by side.
func TestMulEveryRowCount(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		seed := uint64(0)
		for _, gates := range []int{1, 2, 3, 4} {
			for m := 1; m <= 20; m++ {
				for _, units := range []int{1, 16, 17, 32, 36, 40, 48, 50, 64, 72, 80, 84, 88, 128, 130} {
					for _, k := range []int{0, 1, 2, 7} {
						seed++
						c := mulCase{k: k, units: units, gates: gates, m: m, odd: 20, tail: seed%2 == 0, transposed: seed%3 == 0}
						p := NewPanels[float32](0, units, gates)
						c.p1, c.row = p.Len(), p.MaxCols()
						t.Run("", func(t *testing.T) {
							want := c.run(t, seed, "go")
							sameBits(t, fmt.Sprintf("%+v", c), c.run(t, seed, level), want)
						})
					}
				}
			}
		}
	})
}

// TestMulLong: inner dimensions that are cut into slices, rows that are cut
// into parts, with few rows and with many.
func TestMulLong(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		for i, c := range []mulCase{
			{k: 20000, units: 30, gates: 4, m: 6, tail: true},
			{k: 20000, units: 40, gates: 3, m: 1, inPlace: true},
			{k: 1100, units: 20, gates: 3, m: 230, tail: true},
			{k: 300, units: 100, gates: 1, m: 500, transposed: true, tail: true},
		} {
			p := NewPanels[float32](0, c.units, c.gates)
			c.p1, c.row, c.odd = p.Len(), p.MaxCols()+3, 1000
			want := c.run(t, uint64(i), "go")
			sameBits(t, fmt.Sprintf("%+v", c), c.run(t, uint64(i), level), want)
		}
	})
}
