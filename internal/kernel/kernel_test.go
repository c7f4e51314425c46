package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// oddFloats are values that hit the corners of float32 rounding.
func oddFloat(r *rand.Rand) float32 {
	switch r.IntN(8) {
	case 0:
		return math.Float32frombits(r.Uint32())
	case 1:
		return math.Float32frombits(r.Uint32() & 0x807fffff) // denormals and zeros
	case 2:
		return float32(r.IntN(4097)-2048) * 0x1p-10
	case 3:
		return math.Float32frombits(r.Uint32()&0x80000000 | uint32(r.IntN(3)+1)<<23 | r.Uint32()&0x7fffff)
	default:
		return float32(r.NormFloat64())
	}
}

// TestFMA32RoundsOnce compares with arbitrary precision: the product and sum
// are exact there, so the only rounding is the one to float32.
func TestFMA32RoundsOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	long := 0
	for range 300000 {
		a, b := oddFloat(r), oddFloat(r)
		c := oddFloat(r)
		if r.IntN(3) == 0 { // a sum near a midpoint of two float32
			c = float32(float64(a) * float64(b) * float64(r.IntN(1<<24)) * 0x1p-24)
			a = math.Float32frombits(math.Float32bits(a) & 0xfffff000)
		}
		got := FMA32(a, b, c)
		if isBad(a) || isBad(b) || isBad(c) {
			if want := float32(float64(a)*float64(b) + float64(c)); got != want && (got == got || want == want) {
				t.Fatalf("FMA32(%g, %g, %g) = %g, want %g", a, b, c, got, want)
			}
			continue
		}
		x := new(big.Float).SetPrec(2000).SetFloat64(float64(a))
		x.Mul(x, new(big.Float).SetFloat64(float64(b)))
		x.Add(x, new(big.Float).SetFloat64(float64(c)))
		want, _ := x.Float32()
		if got != want {
			t.Fatalf("FMA32(%x, %x, %x) = %x, want %x", a, b, c, got, want)
		}
		if s := float64(a)*float64(b) + float64(c); float32(s) != want {
			long++
		}
	}
	if long < 20 {
		t.Errorf("only %d of the cases need the long way: the test does not reach it", long)
	}
}

func isBad(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }

// ulp32 is the distance of got from want in units in the last place of want.
func ulp32(got float32, want float64) float64 {
	_, e := math.Frexp(math.Max(math.Abs(want), 0x1p-126))
	return math.Abs(float64(got)-want) / math.Ldexp(1, e-24)
}

func TestActivations32(t *testing.T) {
	step := uint64(4099) // a prime, so that all exponents and low bits occur
	if testing.Short() {
		step *= 16
	}
	worst := map[string]float64{}
	for i := uint64(0); i < 1<<32; i += step {
		x := math.Float32frombits(uint32(i))
		th, sg := Tanh32(x), Sigmoid32(x)
		if x != x {
			if th == th || sg == sg {
				t.Fatalf("a NaN gave %g, %g", th, sg)
			}
			continue
		}
		if !(th >= -1 && th <= 1 && sg >= 0 && sg <= 1) {
			t.Fatalf("x = %g: tanh %g, sigmoid %g out of range", x, th, sg)
		}
		worst["tanh"] = max(worst["tanh"], ulp32(th, math.Tanh(float64(x))))
		worst["sigmoid"] = max(worst["sigmoid"], ulp32(sg, sigmoidRef(float64(x))))
	}
	for name, u := range worst {
		if u > 2.5 {
			t.Errorf("%s is %.3f ulp off, want at most 2.5", name, u)
		}
	}
	t.Log(worst)
}

// sigmoidRef keeps its digits where exp(-x) leaves the range of float64.
func sigmoidRef(x float64) float64 {
	if x < 0 {
		return math.Exp(x) / (1 + math.Exp(x))
	}
	return 1 / (1 + math.Exp(-x))
}

func TestActivations64(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200000 {
		x := r.NormFloat64() * math.Exp(r.Float64()*60-54)
		for _, c := range []struct {
			name      string
			got, want float64
		}{{"tanh", Tanh64(x), math.Tanh(x)}, {"sigmoid", Sigmoid64(x), sigmoidRef(x)}} {
			if d := math.Abs(c.got - c.want); d > 6e-16*math.Abs(c.want)+0x1p-1074*4 {
				t.Fatalf("%s(%g) = %.17g, want %.17g", c.name, x, c.got, c.want)
			}
		}
	}
	for _, x := range []float64{0, math.Inf(1), math.Inf(-1), 800, -800, 0x1p-1074} {
		if got := Tanh64(x); got != math.Tanh(x) {
			t.Errorf("tanh(%g) = %g", x, got)
		}
		if got, want := Sigmoid64(x), sigmoidRef(x); math.Abs(got-want) > 0 {
			t.Errorf("sigmoid(%g) = %g, want %g", x, got, want)
		}
	}
	if !math.IsNaN(Tanh64(math.NaN())) || !math.IsNaN(Sigmoid64(math.NaN())) {
		t.Error("NaN did not stay NaN")
	}
}

// TestMul checks the packed product against the definition in its doc comment,
// entry by entry, for all options.
func TestMul(t *testing.T) {
	t.Run("float32", testMul[float32])
	t.Run("float64", testMul[float64])
}

func testMul[F Float](t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for trial := range 300 {
		k, units, gates, m := r.IntN(40), 1+r.IntN(140), []int{1, 3, 4}[r.IntN(3)], 1+r.IntN(9)
		w := make([]F, gates*units*k)
		for i := range w {
			w[i] = F(r.NormFloat64())
		}
		p := NewPanels[F](k, units, gates)
		p.Pack(w, units*k, k, 1)
		bias, tail := make([]F, gates*units), make([]F, p.Len()*p.UnitsPer())
		for i := range bias {
			bias[i] = F(r.NormFloat64())
		}
		init := make([]F, p.Len()*p.MaxCols())
		p.PackRow(init, bias, units)
		for i := range tail {
			tail[i] = F(r.NormFloat64())
		}
		var useTail []F
		if trial%2 == 0 {
			useTail = tail
		}
		lda := k + r.IntN(3)
		a := make([]F, m*lda+k)
		for i := range a {
			a[i] = F(r.NormFloat64())
		}
		p0 := r.IntN(p.Len())
		p1 := p0 + 1 + r.IntN(p.Len()-p0)
		row := p.MaxCols() + r.IntN(3)
		dst := make([]F, (p1-p0)*m*row)
		if useTail != nil {
			useTail = tail[p0*p.UnitsPer():]
		}
		Mul(p, p0, p1, Block[F]{dst, m * row, row}, Block[F]{init[p0*p.MaxCols():], p.MaxCols(), 0}, useTail, Rows[F]{a, lda}, m)
		for i := p0; i < p1; i++ {
			for rr := range m {
				for c := range p.Cols(i) {
					u, g := i*p.UnitsPer()+c/(gates*Lane)*Lane+c%Lane, c/Lane%gates
					if u >= units {
						continue
					}
					acc := bias[g*units+u]
					if useTail != nil && g == gates-1 {
						acc = tail[u]
					}
					for kk := range k {
						acc = FMA(a[rr*lda+kk], w[g*units*k+u*k+kk], acc)
					}
					if got := dst[(i-p0)*m*row+rr*row+c]; got != acc {
						t.Fatalf("trial %d: panel %d row %d column %d: %g, want %g", trial, i, rr, c, got, acc)
					}
				}
			}
		}
	}
}

func TestMulAllocatesNothing(t *testing.T) {
	p := NewPanels[float32](8, 32, 4)
	dst, a := make([]float32, 2*64), make([]float32, 8)
	if n := testing.AllocsPerRun(10, func() {
		Mul(p, 0, 2, Block[float32]{dst, 64, 64}, Block[float32]{dst, 64, 64}, nil, Rows[float32]{a, 8}, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFlush(t *testing.T) {
	for _, c := range []struct{ x, want float32 }{
		{0x1p-100, 0x1p-100}, {-0x1p-100, -0x1p-100}, {0x1.fffffep-101, 0}, {-0x1p-149, 0}, {1, 1},
	} {
		if got := Flush(c.x); got != c.want {
			t.Errorf("Flush(%g) = %g", c.x, got)
		}
	}
	if x := Flush(math.Float32frombits(0x7fc00000)); x == x {
		t.Error("NaN did not stay NaN")
	}
}

func BenchmarkMulGo(b *testing.B) {
	p := NewPanels[float32](256, 16, 4)
	for i := range p.Data {
		p.Data[i] = float32(i%17) * 0.01
	}
	dst, a := make([]float32, 64), make([]float32, 256)
	for i := range a {
		a[i] = float32(i%13) * 0.1
	}
	for b.Loop() {
		Mul(p, 0, 1, Block[float32]{dst, 64, 64}, Block[float32]{dst, 64, 0}, nil, Rows[float32]{a, 256}, 1)
	}
	b.ReportMetric(256*64*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "fma/ns")
}
