package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// mul8Case is one call of Mul8 or Sums8.
type mul8Case struct {
	k, units, gates, blocks, m, p0, p1 int
	row, initRow, extra                int // leading dimension of dst; of init; added to that of a
	tail, inPlace, raw, extremes       bool
	limits                             Limits // zero: the default
}

func randomMul8Case(r *rand.Rand) mul8Case {
	c := mul8Case{k: r.IntN(150), units: 1 + r.IntN(200), gates: 1 + r.IntN(4), m: 1 + r.IntN(20)}
	if r.IntN(20) == 0 {
		c.k, c.m = 700, 21+r.IntN(80)
	}
	c.blocks = NewLayout(c.k, c.units, c.gates).Blocks
	if r.IntN(4) == 0 {
		c.blocks = 1 // as the panels of a late gate
	}
	l := c.layout()
	c.p0 = r.IntN(l.Len())
	c.p1 = c.p0 + 1 + r.IntN(l.Len()-c.p0)
	c.row = l.MaxCols() + r.IntN(3)*r.IntN(9)
	c.initRow = r.IntN(2) * (l.MaxCols() + r.IntN(9))
	c.extra = r.IntN(3) * r.IntN(9)
	c.tail, c.inPlace, c.raw, c.extremes = r.IntN(2) == 0, r.IntN(3) == 0, r.IntN(3) == 0, r.IntN(3) == 0
	if r.IntN(2) == 0 {
		c.limits = LowLimits(r.IntN)
	}
	return c
}

func (c mul8Case) layout() *Layout {
	l := NewLayout(c.k, c.units, c.gates)
	if c.blocks > 0 {
		l.Blocks = c.blocks
	}
	return &l
}

// integer draws one of all values of a byte, or with extremes of those at the ends.
func (c mul8Case) integer(r *rand.Rand) int8 {
	if c.extremes {
		return []int8{-128, -127, 127}[r.IntN(3)]
	}
	return int8(r.IntN(256))
}

// operands are what a case multiplies, drawn from a seed, at the border of
// forbidden memory.
type operands8 struct {
	w     []int8  // [gates][units][k]
	a     []uint8 // [m][k]
	p     *Panels8
	rows  Rows8
	shift []int32
	init  Block[float32]
	tail  []float32
	dst   []float32
}

func (c mul8Case) operands(t *testing.T, seed uint64) *operands8 {
	r := rand.New(rand.NewPCG(seed, 8))
	s := source{r, 0}
	o := &operands8{w: make([]int8, c.gates*c.units*c.k), a: make([]uint8, c.m*c.k), p: &Panels8{}}
	l := c.layout()
	o.p.Data = testkit.AtBorder[int8](t, l.Groups()*4*l.Gates*Pad(l.Units), seed%2 == 0)
	o.p.Scale = testkit.AtBorder[float32](t, l.Len()*l.MaxCols(), seed%3 == 0)
	o.p.Resize(*l)
	for i := range o.w {
		o.w[i] = c.integer(r)
	}
	for i := range l.Len() {
		o.p.fill(i, func(g, u int) ([]int8, float32) {
			return o.w[(g*c.units+u)*c.k:][:c.k], float32(r.NormFloat64())
		})
	}
	o.shift = o.p.Shift
	if c.raw {
		o.shift = make([]int32, len(o.p.Shift))
		for i := range o.shift {
			o.shift[i] = int32(r.IntN(2001) - 1000)
		}
	}
	o.rows.Row = l.Groups()*4 + c.extra
	o.rows.Data = testkit.AtBorder[uint8](t, (c.m-1)*o.rows.Row+l.Groups()*4, seed%5 == 0)
	for i := range o.rows.Data {
		o.rows.Data[i] = uint8(r.Uint32())
	}
	for i := range o.a {
		o.a[i] = uint8(c.integer(r)) ^ 128
		o.rows.Data[i/c.k*o.rows.Row+i%c.k] = o.a[i]
	}
	if !c.raw && seed%4 > 0 {
		memory := testkit.AtBorder[float32](t, 2*c.m, seed%7 == 0)
		o.rows.Steps = unsafe.Slice((*Steps)(unsafe.Pointer(&memory[0])), c.m)
		scales := make([]float32, c.m)
		s.fill(scales)
		for i, scale := range scales {
			o.rows.Steps[i] = Steps{scale, int32(c.integer(r)) + 128}
		}
	}
	n, cols := c.p1-c.p0, l.Cols(c.p1-1)
	o.dst = testkit.AtBorder[float32](t, (n-1)*c.m*c.row+(c.m-1)*c.row+cols, seed%3 == 0)
	s.fill(o.dst)
	o.init = Block[float32]{o.dst, c.m * c.row, c.row}
	if !c.inPlace {
		panel := c.initRow * c.m
		if c.initRow == 0 {
			panel = l.MaxCols()
		}
		o.init = Block[float32]{testkit.AtBorder[float32](t, (n-1)*panel+(c.m-1)*c.initRow+cols, seed%3 == 1), panel, c.initRow}
		s.fill(o.init.Data)
	}
	if c.tail {
		o.tail = testkit.AtBorder[float32](t, ((n-1)*l.Blocks+l.blocks(c.p1-1))*Lane, seed%5 == 0)
		s.fill(o.tail)
	}
	return o
}

// run returns dst of the case at a level.
func (c mul8Case) run(t *testing.T, seed uint64, level string) []float32 {
	o := c.operands(t, seed)
	if c.limits != (Limits{}) {
		defer SetLimits(SetLimits(c.limits))
	}
	atLevel(t, level, func() {
		if c.raw {
			Sums8(o.p, c.p0, c.p1, words(o.dst), c.m*c.row, c.row, o.shift, o.rows, c.m)
		} else {
			Mul8(o.p, c.p0, c.p1, Block[float32]{o.dst, c.m * c.row, c.row}, o.init, o.tail, o.rows, c.m)
		}
	})
	return o.dst
}

// words are the bits of float32 as integers, in the same memory.
func words(x []float32) []int32 {
	return *(*[]int32)(unsafe.Pointer(&x))
}

// TestMul8IsItsDefinition: the products are what 64-bit integers give, element by
// element, without the sums that overflow only on their way.
func TestMul8IsItsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for range 200 {
		c, seed := randomMul8Case(r), r.Uint64()
		c.inPlace = false
		o, got, l := c.operands(t, seed), c.run(t, seed, "go"), c.layout()
		for i := c.p0; i < c.p1; i++ {
			for at := range c.m * l.Cols(i) {
				row, col := at/l.Cols(i), at%l.Cols(i)
				u, g := i*l.UnitsPer()+col/(c.gates*Lane)*Lane+col%Lane, col/Lane%c.gates
				if u >= c.units {
					continue
				}
				sum := int64(0)
				for k := range c.k {
					a, w := int64(o.a[row*c.k+k]), int64(o.w[(g*c.units+u)*c.k+k])
					if o.rows.Steps != nil {
						a -= int64(o.rows.Steps[row].Zero)
					}
					sum += a * w
				}
				scale := float32(1)
				if o.rows.Steps != nil {
					scale = o.rows.Steps[row].Scale
				} else if !c.raw {
					sum += int64(o.shift[i*l.MaxCols()+col])
				}
				x := got[(i-c.p0)*c.m*c.row+row*c.row+col]
				if c.raw {
					if want := sum + int64(o.shift[i*l.MaxCols()+col]); int64(int32(math.Float32bits(x))) != want {
						t.Fatalf("%+v: %d, want %d", c, int32(math.Float32bits(x)), want)
					}
					continue
				}
				start := o.init.Data[(i-c.p0)*o.init.Panel+row*o.init.Row+col]
				if c.tail && g == c.gates-1 {
					start = o.tail[(i-c.p0)*l.UnitsPer()+u-i*l.UnitsPer()]
				}
				want := float32(math.FMA(float64(float32(sum)), float64(scale*o.p.Scale[i*l.MaxCols()+col]), float64(start)))
				if math.Abs(float64(x-want)) > 1e-7*math.Abs(float64(want)) { // want rounds twice
					t.Fatalf("%+v: %g, want %g", c, x, want)
				}
			}
		}
	}
}

// eachLevel8 is eachLevel, with the level AVX-512 of processors without VNNI.
func eachLevel8(t *testing.T, f func(t *testing.T, level string)) {
	eachLevel(t, f)
	if best := Levels()[len(Levels())-1]; best == "avx512" {
		t.Run("avx512 without vnni", func(t *testing.T) {
			withoutVNNI(func() { f(t, best) })
		})
	}
}

// TestMul8LevelsAgree: every level gives the bits of the definition and touches
// nothing else.
func TestMul8LevelsAgree(t *testing.T) {
	trials := 1500
	if testing.Short() {
		trials = 300
	}
	r := rand.New(rand.NewPCG(31, 32))
	eachLevel8(t, func(t *testing.T, level string) {
		for range trials {
			c, seed := randomMul8Case(r), r.Uint64()
			t.Run("", func(t *testing.T) {
				want := c.run(t, seed, "go")
				sameBits(t, fmt.Sprintf("%+v", c), c.run(t, seed, level), want)
			})
		}
	})
}

// TestMul8EveryRowCount walks every microkernel, with each rest of the groups of k
// that it takes at once.
func TestMul8EveryRowCount(t *testing.T) {
	eachLevel8(t, func(t *testing.T, level string) {
		seed := uint64(0)
		for gates := 1; gates <= 4; gates++ {
			for m := 1; m <= 17; m++ {
				for _, units := range []int{1, 16, 17, 48, 64, 130} {
					for _, k := range []int{0, 1, 4, 7, 15, 16, 17, 40} {
						seed++
						c := mul8Case{k: k, units: units, gates: gates, m: m, tail: seed%2 == 0, raw: seed%3 == 0, extremes: seed%5 == 0}
						c.p1, c.row = c.layout().Len(), c.layout().MaxCols()
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

// TestQuantiseLevelsAgree: bytes and scales have the same bits at every level, for
// every length and number, and nothing else is touched.
func TestQuantiseLevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 43))
	run := func(n, m int, seed uint64, odd int, low Limits) Rows8 {
		s := source{rand.New(rand.NewPCG(seed, 1)), odd}
		src := testkit.AtBorder[float32](t, m*n, seed%2 == 0)
		s.fill(src)
		var x Rows8
		x.Data = testkit.AtBorder[uint8](t, m*((n+3)/4*4), seed%3 == 0)
		defer SetLimits(SetLimits(low))
		Quantise(&x, Rows[float32]{src, n}, m, n)
		return x
	}
	for n := range 200 {
		for _, odd := range []int{0, 3, 100} {
			seed, low := r.Uint64(), LowLimits(r.IntN)
			var want Rows8
			for _, level := range Levels() {
				atLevel(t, level, func() {
					got := run(n, 3, seed, odd, low)
					if level == "go" {
						want = got
					}
					sameBits(t, level, scales(got), scales(want))
					for r, s := range got.Steps {
						if s.Zero != want.Steps[r].Zero {
							t.Fatalf("%s: %d numbers: zero %d, want %d", level, n, s.Zero, want.Steps[r].Zero)
						}
					}
					if string(got.Data) != string(want.Data) {
						t.Fatalf("%s: %d numbers: %v, want %v", level, n, got.Data, want.Data)
					}
				})
			}
		}
	}
}

// scales are those of the rows.
func scales(x Rows8) []float32 {
	s := make([]float32, len(x.Steps))
	for r := range s {
		s[r] = x.Steps[r].Scale
	}
	return s
}

// TestQuantiseRoundsToTheNearest: a number is at most half a step from what its byte
// stands for, but for the rounding of the step, 0 is whole, and 255 steps are the way
// from the least number to the largest.
func TestQuantiseRoundsToTheNearest(t *testing.T) {
	r := rand.New(rand.NewPCG(45, 46))
	for _, level := range Levels() {
		atLevel(t, level, func() {
			for range 500 {
				n := 1 + r.IntN(100)
				src := make([]float32, n)
				size := math.Exp(r.Float64()*80 - 40)
				middle, lo, hi := []float64{0, 3, -3}[n%3], 0.0, 0.0
				for i := range src {
					src[i] = float32((r.NormFloat64() + middle) * size)
				}
				src[r.IntN(n)] = 0
				for _, v := range src {
					lo, hi = min(lo, float64(v)), max(hi, float64(v))
				}
				var x Rows8
				Quantise(&x, Rows[float32]{src, n}, 1, n)
				step, zero := float64(x.Steps[0].Scale), int(x.Steps[0].Zero)
				for i, v := range src {
					q := int(x.Data[i]) - zero
					if d := math.Abs(float64(q)*step - float64(v)); d > step*0.50004 {
						t.Fatalf("%g became %d steps of %g", v, q, step)
					}
					if v == 0 && q != 0 {
						t.Fatalf("0 became %d steps", q)
					}
				}
				if math.Abs(step*255-(hi-lo)) > 2e-7*(hi-lo) {
					t.Fatalf("255 steps of %g, from %g to %g", step, lo, hi)
				}
			}
		})
	}
}

// TestQuantiseOddRows: zeros and what is too small are zeros, and a row with a
// number that is not finite has no scale.
func TestQuantiseOddRows(t *testing.T) {
	for _, c := range []struct{ x, scale float32 }{
		{0, 0},
		{0x1p-101, 0},
		{0x1p-149, 0},
		{0x1p-100, 0x1p-100 / 255},
		{-0x1p-100, 0x1p-100 / 255},
		{math.MaxFloat32, math.MaxFloat32 / 255},
		{-math.MaxFloat32, math.MaxFloat32 / 255},
		{float32(math.Inf(1)), float32(math.NaN())},
		{float32(math.Inf(-1)), float32(math.NaN())},
		{float32(math.NaN()), float32(math.NaN())},
	} {
		for _, level := range Levels() {
			atLevel(t, level, func() {
				src := make([]float32, 33)
				src[20] = c.x
				var x Rows8
				Quantise(&x, Rows[float32]{src, 33}, 1, 33)
				sameBits(t, fmt.Sprint(level, c), scales(x), []float32{c.scale})
				want, q := 0, int(x.Data[20])-int(x.Steps[0].Zero)
				switch {
				case c.scale > 0 && c.x > 0:
					want = 255
				case c.scale > 0:
					want = -255
				}
				if q != want {
					t.Errorf("%s: %g became %d", level, c.x, q)
				}
			})
		}
	}
}

// TestRoundedWeightsStay: what weights are rounded to is exact, at most half a step
// away, and rounding again changes no bit and gives the same integers.
func TestRoundedWeightsStay(t *testing.T) {
	r := rand.New(rand.NewPCG(47, 48))
	for range 2000 {
		w := make([]float32, 1+r.IntN(50))
		size := math.Exp(r.Float64()*60 - 40)
		for i := range w {
			w[i] = float32(r.NormFloat64() * size)
		}
		q, again := make([]int8, len(w)), make([]int8, len(w))
		s := QuantiseWeights(q, w)
		once := append([]float32(nil), w...)
		RoundWeights(once)
		for i, v := range once {
			if float64(v) != float64(q[i])*float64(s) || math.Abs(float64(v-w[i])) > float64(s)*0.50001 {
				t.Fatalf("%g became %d steps of %g, %g", w[i], q[i], s, v)
			}
		}
		if s2 := QuantiseWeights(again, once); s2 != s || fmt.Sprint(again) != fmt.Sprint(q) {
			t.Fatalf("%v in steps of %g became %v in steps of %g", q, s, again, s2)
		}
	}
}

// TestWeightsOfOtherProgramsStay: numbers that are whole multiples of any float32, as
// PyTorch and ONNX Runtime dequantise them, are kept as they are, also where few of the
// steps occur; one number beside them changes that.
func TestWeightsOfOtherProgramsStay(t *testing.T) {
	r := rand.New(rand.NewPCG(49, 50))
	for trial := range 2000 {
		s := float32(math.Exp(r.Float64()*40-30) * (1 + r.Float64()))
		w := make([]float32, 1+r.IntN(300))
		most := []int{1, 3, 40, 127}[r.IntN(4)]
		for i := range w {
			w[i] = float32(r.IntN(2*most+1)-most) * s
		}
		if trial%5 == 0 {
			w[0] = -128 * s
		}
		q := make([]int8, len(w))
		got := QuantiseWeights(q, w)
		for i, v := range w {
			if float32(q[i])*got != v {
				t.Fatalf("%g of steps of %g became %d steps of %g", v, s, q[i], got)
			}
		}
		once := append([]float32(nil), w...)
		RoundWeights(once)
		sameBits(t, "rounded", once, w)
		if len(w) < 3 || most < 40 {
			continue
		}
		w[1], w[2] = 127*s, 50.5*s
		if got := QuantiseWeights(q, w); float32(q[2])*got == w[2] {
			t.Fatalf("50.5 steps of %g are kept as %d of %g", s, q[2], got)
		}
	}
}

func TestMul8AllocatesNothing(t *testing.T) {
	var p Panels8
	p.Resize(NewLayout(40, 32, 4))
	w, src := make([]float32, 4*32*40), make([]float32, 2*40)
	for i := range p.Len() {
		PackPanel8(&p, i, w, 32*40, 40, 1)
	}
	dst, x := make([]float32, 2*2*64), Rows8{}
	x.Resize(2, 40)
	if n := testing.AllocsPerRun(10, func() {
		Quantise(&x, Rows[float32]{src, 40}, 2, 40)
		Mul8(&p, 0, 2, Block[float32]{dst, 128, 64}, Block[float32]{}, nil, x, 2)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestMul8ChecksBounds: a slice one element too short is refused before assembly
// runs.
func TestMul8ChecksBounds(t *testing.T) {
	c := mul8Case{k: 9, units: 20, gates: 4, m: 3, tail: true, p1: 2, row: 64, initRow: 64}
	for name, shorten := range map[string]func(*operands8){
		"dst":   func(o *operands8) { o.dst = o.dst[1:] },
		"init":  func(o *operands8) { o.init.Data = o.init.Data[1:] },
		"tail":  func(o *operands8) { o.tail = o.tail[1:] },
		"a":     func(o *operands8) { o.rows.Data = o.rows.Data[1:] },
		"steps": func(o *operands8) { o.rows.Steps = o.rows.Steps[1:] },
		"shift": func(o *operands8) { o.p.Shift = o.p.Shift[1:] },
	} {
		o := c.operands(t, 1)
		shorten(o)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a short %s was accepted", name)
				}
			}()
			Mul8(o.p, 0, 2, Block[float32]{o.dst, 3 * 64, 64}, o.init, o.tail, o.rows, 3)
		}()
	}
}

// TestMul8LongestSum: the largest sum that a row of MaxK8 numbers can have fits.
func TestMul8LongestSum(t *testing.T) {
	var p Panels8
	p.Resize(NewLayout(MaxK8, 1, 1))
	least := make([]int8, MaxK8)
	for k := range least {
		least[k] = -128
	}
	p.PackInt8(func(_ int, to []int8) { copy(to, least) })
	for _, c := range []struct {
		number uint8
		zero   int32
		want   float32
	}{{255, 0, -255 * 128 * MaxK8}, {0, 255, 255 * 128 * MaxK8}} {
		rows := Rows8{Data: make([]uint8, MaxK8), Row: MaxK8, Steps: []Steps{{1, c.zero}}}
		for k := range rows.Data {
			rows.Data[k] = c.number
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				dst := make([]float32, p.MaxCols())
				Mul8(&p, 0, 1, Block[float32]{Data: dst}, Block[float32]{}, nil, rows, 1)
				if dst[0] != c.want {
					t.Errorf("%s: %g, want %g", level, dst[0], c.want)
				}
			})
		}
	}
}

// BenchmarkMul8 is BenchmarkMul of 8-bit integers, the rounding of the left side
// included; its share is that of the float32 peak.
func BenchmarkMul8(b *testing.B) {
	for _, c := range []struct{ k, units, gates, m int }{
		{256, 256, 4, 1}, {128, 128, 3, 1}, {650, 650, 4, 20}, {650, 650, 4, 700}, {1024, 1024, 3, 64}, {256, 256, 4, 256},
	} {
		b.Run(fmt.Sprintf("k%d_u%d_g%d_m%d", c.k, c.units, c.gates, c.m), func(b *testing.B) {
			var p Panels8
			p.Resize(NewLayout(c.k, c.units, c.gates))
			w, a := make([]float32, c.gates*c.units*c.k), make([]float32, c.m*c.k)
			s := source{rand.New(rand.NewPCG(1, 2)), 0}
			s.fill(w)
			s.fill(a)
			for i := range p.Len() {
				PackPanel8(&p, i, w, c.units*c.k, c.k, 1)
			}
			cols := p.MaxCols()
			dst, init := make([]float32, p.Len()*c.m*cols), make([]float32, p.Len()*cols)
			var x Rows8
			for b.Loop() {
				Quantise(&x, Rows[float32]{a, c.k}, c.m, c.k)
				Mul8(&p, 0, p.Len(), Block[float32]{dst, c.m * cols, cols}, Block[float32]{init, cols, 0}, nil, x, c.m)
			}
			b.ReportMetric(2*float64(c.m*c.k*c.gates*c.units)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GOP/s")
		})
	}
}

// TestMulRows8IsMul8: row-major memory holds what panel memory does, at every level,
// and nothing beyond the units is touched.
func TestMulRows8IsMul8(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	for trial := range 100 {
		k, units, m := r.IntN(60), 1+r.IntN(300), 1+r.IntN(90)
		s := source{r, []int{0, 40}[trial%2]}
		w, a, bias := make([]float32, units*k), make([]float32, m*k), make([]float32, units)
		s.fill(w)
		s.fill(a)
		s.fill(bias)
		var p Panels8
		p.Resize(NewLayout(k, units, 1))
		for i := range p.Len() {
			PackPanel8(&p, i, w, 0, k, 1)
		}
		for _, level := range Levels() {
			atLevel(t, level, func() {
				var x Rows8
				var scratch Scratch[float32]
				cols, ldd := p.MaxCols(), units+r.IntN(3)
				want := make([]float32, p.Len()*m*cols)
				start := make([]float32, p.Len()*cols)
				copy(start, bias)
				Quantise(&x, Rows[float32]{a, k}, m, k)
				Mul8(&p, 0, p.Len(), Block[float32]{want, m * cols, cols}, Block[float32]{start, cols, 0}, nil, x, m)
				dst := testkit.AtBorder[float32](t, (m-1)*ldd+units, trial%2 == 0)
				MulRows8(&p, 0, p.Len(), Rows[float32]{dst, ldd}, Rows[float32]{Data: bias}, Rows[float32]{a, k}, m, &scratch)
				for i, got := range dst {
					row, u := i/ldd, i%ldd
					if u >= units {
						if got != 0 {
							t.Fatalf("beyond the units: %g", got)
						}
						continue
					}
					sameBits(t, fmt.Sprint(level, row, u), []float32{got}, want[u/cols*m*cols+row*cols+u%cols:][:1])
				}
			})
		}
	}
}
