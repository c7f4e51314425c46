package cell

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
)

// cells32 are the cells whose steps levels are compared for.
var cells32 = []Cell[float32]{Tanh[float32]{}, ReLU[float32]{}, LSTM[float32]{}, GRU[float32]{}}

// drawn is the memory of a step, each operand at the border of forbidden memory,
// filled from a seed, whatever a step of the cell writes or leaves alone.
type drawn struct {
	*rand.Rand
	t    *testing.T
	odd  int // one number in so many is odd: any bits; 0: none
	step Step[float32]
}

// rows draws m rows whose last one has need elements; some are far tails.
func (d *drawn) rows(m, need int) kernel.Rows[float32] {
	row := need + d.IntN(3)*d.IntN(20)
	x := testkit.AtBorder[float32](d.t, (m-1)*row+need, d.IntN(2) == 0)
	for i := range x {
		x[i] = float32(d.NormFloat64())
		if d.IntN(4) == 0 {
			x[i] *= 20
		}
		if d.odd > 0 && d.IntN(d.odd) == 0 {
			x[i] = math.Float32frombits(d.Uint32() >> (d.IntN(2) * 9) << (d.IntN(2) * 9))
		}
	}
	return kernel.Rows[float32]{Data: x, Row: row}
}

// drawStep draws m rows and n units of a cell from a seed.
func drawStep(t *testing.T, c Cell[float32], m, n int, seed uint64) *drawn {
	d := &drawn{Rand: rand.New(rand.NewPCG(seed, 1)), t: t}
	d.odd = []int{0, 3, 30}[d.IntN(3)]
	g := c.Traits().Gates
	s := &d.step
	s.Gates = kernel.Gates{M: m, N: n, Gate: n + d.IntN(20), Record: d.IntN(2) == 0}
	panel := g * kernel.Lane
	if g == 1 {
		panel = n
	}
	s.Z, s.X, s.Apart = d.rows(m, panel), d.rows(m, panel), d.rows(m, n)
	s.HPrev, s.H, s.C, s.CPrev = d.rows(m, n), d.rows(m, n), d.rows(m, n), d.rows(m, n)
	if k := c.Traits().PerUnit; k > 0 {
		s.PerUnit = kernel.Rows[float32]{Data: d.rows(1, (k-1)*s.Gate+n).Data}
	}
	s.Late = d.rows(m, n)
	s.DH, s.DC, s.DX, s.DZ = d.rows(m, n), d.rows(m, n), d.rows(m, (g-1)*s.Gate+n), d.rows(m, (g-1)*s.Gate+n)
	if d.IntN(2) == 0 {
		s.H = s.HPrev // a state that is replaced
	}
	if !c.Traits().Apart && d.IntN(2) == 0 {
		s.Z = s.X // gates over the sums
	}
	return d
}

// all returns everything that a step may have written, each NaN as one and the
// same.
func (d *drawn) all() map[string][]float32 {
	s := &d.step
	all := map[string][]float32{}
	for name, x := range map[string]kernel.Rows[float32]{
		"Z": s.Z, "X": s.X, "Apart": s.Apart, "HPrev": s.HPrev, "H": s.H, "C": s.C, "CPrev": s.CPrev,
		"DH": s.DH, "DC": s.DC, "DX": s.DX, "DZ": s.DZ, "Late": s.Late,
	} {
		all[name] = oneNaN(x.Data)
	}
	return all
}

func oneNaN(x []float32) []float32 {
	x = slices.Clone(x)
	for i, v := range x {
		if v != v {
			x[i] = float32(math.NaN())
		}
	}
	return x
}

// Every level leaves the memory that the cell's own loops leave, forward and
// backward, for every number of units and many of rows, with and without a
// record, and touches nothing else.
func TestStepsOfAllLevelsAgree(t *testing.T) {
	for _, c := range cells32 {
		units := kernel.Lane
		if c.Traits().Gates == 1 {
			units *= 4
		}
		t.Run(fmt.Sprintf("%T", c), func(t *testing.T) {
			r := rand.New(rand.NewPCG(21, 22))
			for n := 1; n <= units; n++ {
				for _, m := range []int{1, 2, 3, 1 + r.IntN(20)} {
					t.Run("", func(t *testing.T) { sameAtAllLevels(t, c, m, n, r.Uint64()) })
				}
			}
		})
	}
}

// So do those of cells with settings: functions with constants, clips, coupled gates,
// peepholes, the reset before the product.
func TestStepsWithSettingsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 42))
	names := slices.Sorted(maps.Keys(functions))
	for trial := range 400 {
		k := kinds[trial%len(kinds)]
		s := Settings{
			InputForget: k.Takes.InputForget && r.IntN(3) == 0, ResetBefore: k.Takes.ResetBefore && r.IntN(2) == 0,
			Peepholes: k.Takes.Peepholes && r.IntN(2) == 0, Clip: []float64{0, 0, 0.7}[r.IntN(3)],
		}
		for i := range k.Functions {
			if r.IntN(4) > 0 {
				s.Functions[i] = Function{names[r.IntN(len(names))], 0.1 + r.Float64(), r.Float64()}
			}
		}
		if s = k.Plain(s); s == (Settings{}) {
			continue
		}
		t.Run(fmt.Sprintf("%s %+v", k.Name, s), func(t *testing.T) {
			sameAtAllLevels(t, Of[float32](k, s), 1+r.IntN(9), 1+r.IntN(kernel.Lane), r.Uint64())
		})
	}
}

// More rows than one call of a routine does, and units, with limits lowered.
func TestManyRowsOfAllLevelsAgree(t *testing.T) {
	for i, c := range cells32 {
		sameAtAllLevels(t, c, 9000, 5, uint64(i))
		for rows := 1; rows < 5; rows++ {
			low := kernel.LimitsInUse()
			low.Rows = rows
			before := kernel.SetLimits(low)
			for m := 1; m < 12; m++ {
				sameAtAllLevels(t, c, m, kernel.Lane, uint64(i+m))
			}
			kernel.SetLimits(before)
		}
	}
}

func sameAtAllLevels(t *testing.T, c Cell[float32], m, n int, seed uint64) {
	t.Helper()
	grad := make([]float32, 3*(n+kernel.Lane+4))
	var back bool
	switch c := c.(type) {
	case *rnnSet[float32]:
		back = c.f.slope != nil
	case *gruSet[float32]:
		back = c.f.slope != nil && c.g.slope != nil
	case *gruBefore[float32]:
		back = c.f.slope != nil && c.g.slope != nil
	case *lstmSet[float32]:
		back = c.f.slope != nil && c.g.slope != nil && c.h.slope != nil
	default:
		back = true
	}
	for name, run := range map[string]func(*Step[float32]){
		"forward": func(s *Step[float32]) { c.Forward(s); c.ForwardLate(s) },
		"backward": func(s *Step[float32]) {
			c.Backward(s)
			c.BackwardLate(s)
			clear(grad)
			c.PerUnitGrads(s, grad)
			copy(s.Late.Data, grad) // compared like the rest
		},
	} {
		if name == "backward" && !back {
			continue
		}
		at := map[string]map[string][]float32{}
		levels.Each(func(level string) {
			d := drawStep(t, c, m, n, seed)
			run(&d.step)
			at[level] = d.all()
		})
		for level, got := range at {
			for operand, want := range at["go"] {
				testkit.Bits(t, fmt.Sprintf("%s, %d rows of %d units, seed %d, %s: %s", name, m, n, seed, level, operand), got[operand], want)
			}
		}
	}
}

// Steps of a stream call a cell for every panel.
func TestStepsAllocateNothing(t *testing.T) {
	for _, c := range cells32 {
		levels.Each(func(level string) {
			s := &drawStep(t, c, 3, 16, 1).step
			if n := testing.AllocsPerRun(10, func() {
				c.Forward(s)
				c.Backward(s)
			}); n != 0 {
				t.Errorf("%T, %s: %v allocations", c, level, n)
			}
		})
	}
}

// torch.relu of [nan, 1, 0, 0] has the gradient [1, 1, 0, 0].
func TestReLUBackwardOfNaN(t *testing.T) {
	rows := func(x ...float32) kernel.Rows[float32] { return kernel.Rows[float32]{Data: x, Row: len(x)} }
	levels.Each(func(level string) {
		s := &Step[float32]{
			Gates: kernel.Gates{M: 1, N: 4}, H: rows(float32(math.NaN()), 1, 0, 0),
			DH: rows(1, 1, 1, 1), DX: rows(7, 7, 7, 7),
		}
		ReLU[float32]{}.Backward(s)
		testkit.Bits(t, level, s.DX.Data, []float32{1, 1, 0, 0})
	})
}

// A walk over steps is as many products and steps, at every level that has
// chains, forwards and backwards, with more steps than one call does, of 2 or of
// the default.
func TestChainsAreTheirSteps(t *testing.T) {
	chains := 0
	for _, c := range cells32 {
		levels.Each(func(level string) {
			for n := 1; n <= 2*kernel.Lane; n++ {
				if !kernel.CanChain[float32](c.Chain(), n) {
					continue
				}
				chains++
				for trial, steps := range []int{1, 3, 7, 5000} {
					if steps > 7 && n%5 > 0 {
						continue
					}
					t.Run("", func(t *testing.T) {
						low := kernel.LimitsInUse()
						if steps < 5000 {
							low.Steps = 2
						}
						defer kernel.SetLimits(kernel.SetLimits(low))
						chainIsSteps(t, c, n, steps, trial%2 == 1, uint64(n+trial))
					})
				}
			}
		})
	}
	if kernel.Level() != "go" && chains == 0 {
		t.Error("no chain was walked")
	}
}

func chainIsSteps(t *testing.T, c Cell[float32], n, steps int, back bool, seed uint64) {
	d := &drawn{Rand: rand.New(rand.NewPCG(seed, 2)), t: t}
	g := c.Traits().Gates
	w := kernel.NewPanels[float32](n, n, g)
	w.Pack(d.rows(1, g*n*n).Data, n*n, n, 1)
	cols, panels := w.MaxCols(), w.Len()
	sums, h0, c0 := d.rows(panels*steps, cols), d.rows(1, n), d.rows(1, n)
	panel := steps * sums.Row
	var tail []float32
	if c.Traits().Apart {
		tail = d.rows(1, kernel.Pad(n)).Data
	}
	for i := range h0.Data { // as a state before would be
		h0.Data[i] = kernel.Flush(kernel.Tanh(h0.Data[i]))
	}

	gotC, got := slices.Clone(c0.Data), d.rows(steps, n)
	want := kernel.Rows[float32]{Data: slices.Clone(got.Data), Row: got.Row}
	kernel.Chain(c.Chain(), &kernel.Walk[float32]{
		Steps: steps, Back: back, W: w, Tail: tail, Sums: sums, Panel: panel, H0: h0.Data, C: gotC, Y: got,
	})

	h, z := h0.Data, make([]float32, panels*cols)
	for i := range steps {
		if back {
			i = steps - 1 - i
		}
		x, y := sums.Data[i*sums.Row:], want.Data[i*want.Row:]
		kernel.Mul(w, 0, panels, kernel.Block[float32]{Data: z, Panel: cols, Row: cols},
			kernel.Block[float32]{Data: x, Panel: panel, Row: cols}, tail, kernel.Rows[float32]{Data: h}, 1)
		one := func(x []float32) kernel.Rows[float32] { return kernel.Rows[float32]{Data: x} }
		for p := range panels {
			u := p * w.UnitsPer()
			c.Forward(&Step[float32]{
				Gates: kernel.Gates{M: 1, N: min(n-u, w.UnitsPer())}, Z: one(z[p*cols:]), X: one(x[p*panel:]),
				HPrev: one(h[u:]), H: one(y[u:]), C: one(c0.Data[u:]),
			})
		}
		h = y[:n]
	}
	testkit.Bits(t, fmt.Sprintf("%T, %s, %d units, %d steps: h", c, kernel.Level(), n, steps), oneNaN(got.Data), oneNaN(want.Data))
	testkit.Bits(t, fmt.Sprintf("%T, %s, %d units, %d steps: c", c, kernel.Level(), n, steps), oneNaN(gotC), oneNaN(c0.Data))
}

// BenchmarkLSTMForward is the gates of one panel.
func BenchmarkLSTMForward(b *testing.B) {
	for _, m := range []int{1, 20} {
		b.Run(fmt.Sprint("m", m), func(b *testing.B) {
			rows := func(n int) kernel.Rows[float32] {
				x := kernel.Rows[float32]{Data: make([]float32, m*n), Row: n}
				for i := range x.Data {
					x.Data[i] = float32(i%19)*0.2 - 2
				}
				return x
			}
			s := &Step[float32]{Gates: kernel.Gates{M: m, N: 16}, Z: rows(64), X: rows(64), C: rows(16), H: rows(16)}
			for b.Loop() {
				LSTM[float32]{}.Forward(s)
			}
		})
	}
}
