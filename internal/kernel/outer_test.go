package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// addOuters are AddOuter and its two ways. The scratch has what AddOuter makes sure of.
var addOuters = []struct {
	name string
	add  func(m int, a Rows[float32], n int, sums []float32, s *Scratch[float32], sides ...Outer[float32])
}{
	{"chosen", AddOuter[float32]},
	{"upright", func(m int, a Rows[float32], n int, sums []float32, s *Scratch[float32], sides ...Outer[float32]) {
		s.right = make([]Panels[float32], len(sides))
		s.addUpright(m, a, n, sums, sides)
	}},
	{"transposed", func(m int, a Rows[float32], n int, sums []float32, s *Scratch[float32], sides ...Outer[float32]) {
		s.right = make([]Panels[float32], 1)
		s.addTransposed(m, a, n, sums, sides)
	}},
}

// TestAddOuterLevelsAgree: AddOuter is the loop it names, at every level, by both of its
// ways, for one and two right-hand sides, and touches nothing beyond their units.
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
		for i := range len(Levels()) * len(addOuters) {
			level, way := Levels()[i/len(addOuters)], addOuters[i%len(addOuters)]
			atLevel(t, level, func() {
				defer SetLimits(SetLimits(low))
				scratch := Scratch[float32]{sums: append([]float32(nil), starts[0]...)} // what was there before
				what := fmt.Sprintf("%s, %s: n %d m %d", level, way.name, n, m)
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
				way.add(m, Rows[float32]{a, lda}, n, total, &scratch, outer...)
				for i, units := range sides {
					sameBits(t, fmt.Sprintf("%s units %d side %d", what, units, i), outer[i].Dst.Data, want[i])
				}
				for row, got := range total {
					want := sums[row]
					for k := range n {
						want += a[k*lda+row]
					}
					sameBits(t, fmt.Sprintf("%s sum %d", what, row), []float32{got}, []float32{want})
				}
			})
		}
	}
}

// TestAddOuterChoosesByWork: the transpose is computed where it fills up less, by more
// than what is moved for it.
func TestAddOuterChoosesByWork(t *testing.T) {
	for _, c := range []struct {
		m, n  int
		units []int
		want  bool
		why   string
	}{
		{200, 1536, []int{50, 50}, true, "100 rows of 13 vectors, or 200 of 8"},
		{200, 1536, []int{1, 50}, true, "51 of 13, or 200 of 5"},
		{200, 64, []int{50, 50}, true, "few steps, but sums of 50 are moved either way"},
		{400, 1536, []int{100, 100}, true, "200 of 25, or 400 of 14"},
		{150, 1536, []int{50}, true, "a GRU's 50 of 10, or 150 of 4"},
		{50, 1536, []int{50}, false, "50 of 4 either way"},
		{256, 1536, []int{64, 64}, false, "nothing is filled up"},
		{512, 1536, []int{128, 128}, false, "nothing is filled up"},
		{2600, 700, []int{650, 650}, false, "1300 of 163, or 2600 of 82: more is moved than saved"},
		{2600, 1 << 20, []int{650, 650}, false, "the 163 that are packed more cost what is saved"},
		{200, 1, []int{50, 50}, false, "one step is less than moving the sums"},
		{2, 1536, []int{50}, false, "50 of 1, or 2 of 4"},
		{10000, 700, []int{650}, false, "the sums of a head are much to move"},
		{10000, 1 << 24, []int{650, 1}, true, "651 of 625, or 10000 of 42: more than 32 bits count"},
	} {
		var sides []Outer[float32]
		for _, u := range c.units {
			sides = append(sides, Outer[float32]{Units: u})
		}
		if got := transposes(c.m, c.n, sides); got != c.want {
			t.Errorf("%d columns, %d steps, %d units: transposed %v, want %v: %s", c.m, c.n, c.units, got, c.want, c.why)
		}
	}
}

// TestAddOuterAllocatesNothing: after the first call, by either way.
func TestAddOuterAllocatesNothing(t *testing.T) {
	const m, n, units = 40, 200, 20
	for _, moves := range []int{1, 1 << 20} {
		defer SetLimits(SetLimits(limits))
		limits.Moves = moves
		x, sums := make([]float32, n*m), make([]float32, m)
		var s Scratch[float32]
		side := Outer[float32]{Rows[float32]{make([]float32, m*units), units}, Rows[float32]{x, m}, units}
		if got := testing.AllocsPerRun(5, func() { AddOuter(m, Rows[float32]{x, m}, n, sums, &s, side) }); got > 0 {
			t.Errorf("moves %d: %g allocations", moves, got)
		}
	}
}

// TestTransposeRowsLevelsAgree: the transpose has the bits of its source, those of
// denormals and of -0 too, and nothing else is touched.
func TestTransposeRowsLevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(53, 54))
	for trial := range 300 {
		m, n := 1+r.IntN(70), 1+r.IntN(70)
		lds, ldd := n+r.IntN(3), m+r.IntN(3)
		src := make([]float32, (m-1)*lds+n)
		for i := range src {
			src[i] = oddFloat(r)
		}
		want := make([]float32, (n-1)*ldd+m)
		for i := range want {
			if i%ldd < m {
				want[i] = src[i%ldd*lds+i/ldd]
			}
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				dst := testkit.AtBorder[float32](t, len(want), trial%2 == 0)
				transposeRows(m, n, Rows[float32]{dst, ldd}, Rows[float32]{src, lds})
				sameBits(t, fmt.Sprintf("%s: %d rows of %d", level, m, n), dst, want)
			})
		}
	}
}

// TestAddOuterFloat64: both ways have the bits of the loop in float64 too.
func TestAddOuterFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(55, 56))
	for range 20 {
		n, m, units := 1+r.IntN(120), 1+r.IntN(70), 1+r.IntN(40)
		drawn := func(n int) []float64 {
			x := make([]float64, n)
			for i := range x {
				x[i] = r.NormFloat64() * []float64{1, 0, 0x1p-1000}[r.IntN(3)]
			}
			return x
		}
		a, b, start := drawn(n*m), drawn(n*units), drawn(m*units)
		want := append([]float64(nil), start...)
		for i := range want {
			for k := range n {
				want[i] = FMA(a[k*m+i/units], Flush(b[k*units+i%units]), want[i])
			}
		}
		for _, transposed := range []bool{false, true} {
			s := Scratch[float64]{right: make([]Panels[float64], 1)}
			side := []Outer[float64]{{Rows[float64]{append([]float64(nil), start...), units}, Rows[float64]{b, units}, units}}
			add := s.addUpright
			if transposed {
				add = s.addTransposed
			}
			add(m, Rows[float64]{a, m}, n, nil, side)
			for i, got := range side[0].Dst.Data {
				if math.Float64bits(got) != math.Float64bits(want[i]) {
					t.Fatalf("n %d m %d units %d transposed %v: %d is %g, want %g", n, m, units, transposed, i, got, want[i])
				}
			}
		}
	}
}
