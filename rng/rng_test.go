package rng

import (
	"bytes"
	"encoding"
	"errors"
	"math"
	"slices"
	"testing"
)

// drawSome draws with every kind of function, in a fixed order.
func drawSome(g *Generator) []float64 {
	var out []float64
	for _, n := range []int{1, 3, 16, 19, 700} {
		a, b := make([]float32, n), make([]float64, n)
		Randn(g, a)
		Randn(g, b)
		_ = Uniform(g, a[:1], -3, 5)
		_ = Bernoulli(g, b[:1], 0.5)
		for i := range a {
			out = append(out, float64(a[i]), b[i])
		}
	}
	return out
}

func TestEngineIsTheReferenceMT19937(t *testing.T) {
	// The 10000th draw of the default seed, as the C++ standard fixes it for
	// std::mt19937 ([rand.predef]).
	g := New(5489)
	var y uint32
	for range 10000 {
		y = g.Uint32()
	}
	if y != 4123659995 {
		t.Errorf("10000th draw is %d, want 4123659995", y)
	}
}

func TestSeedUsesTheLow32Bits(t *testing.T) {
	if a, b := New(1<<32+5).Uint64(), New(5).Uint64(); a != b {
		t.Errorf("seeds 2^32+5 and 5 give %#x and %#x", a, b)
	}
	if got := New(1<<32 + 5).InitialSeed(); got != 1<<32+5 {
		t.Errorf("InitialSeed is %d", got)
	}
}

func TestZeroValueIsSeedZero(t *testing.T) {
	var g Generator
	if !bytes.Equal(g.State(), New(0).State()) {
		t.Error("State of the zero value is not that of New(0)")
	}
	if a, b := drawSome(&g), drawSome(New(0)); !slices.Equal(a, b) {
		t.Error("the zero value does not draw what New(0) draws")
	}
}

func TestSeedDropsTheKeptNormal(t *testing.T) {
	g := New(1)
	Randn(g, make([]float32, 1))
	g.Seed(2)
	if a, b := drawSome(g), drawSome(New(2)); !slices.Equal(a, b) {
		t.Error("a generator seeded again does not draw what a new one draws")
	}
}

func TestCloneIsIndependent(t *testing.T) {
	g := New(3)
	Randn(g, make([]float32, 5))
	c := g.Clone()
	a := drawSome(g)
	if b := drawSome(c); !slices.Equal(a, b) {
		t.Error("a clone draws other numbers")
	}
}

// TestFillsDoNotDependOnSplitting: values drawn one by one are those drawn at
// once, across the ends of the engine's 624 words.
func TestFillsDoNotDependOnSplitting(t *testing.T) {
	whole := make([]float32, 2000)
	Rand(New(9), whole)
	for _, step := range []int{1, 7, 623, 624, 625} {
		g := New(9)
		parts := make([]float32, len(whole))
		for i := 0; i < len(parts); i += step {
			Rand(g, parts[i:min(i+step, len(parts))])
		}
		if !slices.Equal(whole, parts) {
			t.Errorf("steps of %d give other values", step)
		}
	}
}

func TestBothKernelsAdvanceTheStreamAlike(t *testing.T) {
	a, b := New(4), New(4)
	b.Scalar = true
	drawSome(a)
	drawSome(b)
	if a.Uint64() != b.Uint64() {
		t.Error("the kernels leave the stream at different places")
	}
}

func TestUniformStaysInItsBounds(t *testing.T) {
	x := make([]float64, 10000)
	g := New(5)
	if err := Uniform(g, x, -2, 3); err != nil {
		t.Fatal(err)
	}
	if slices.Min(x) < -2 || slices.Max(x) > 3 || slices.Max(x)-slices.Min(x) < 4.9 {
		t.Errorf("values from %v to %v", slices.Min(x), slices.Max(x))
	}
	if err := Uniform(g, x, 2, 2); err != nil || slices.Min(x) != 2 || slices.Max(x) != 2 {
		t.Errorf("on [2,2): %v to %v, %v", slices.Min(x), slices.Max(x), err)
	}
}

func TestDropoutWithCertainty(t *testing.T) {
	g := New(6)
	before := g.State()
	x := []float32{5, 5}
	if err := Dropout(g, x, 0); err != nil || x[0] != 1 || x[1] != 1 {
		t.Errorf("p=0: %v, %v", x, err)
	}
	if err := Dropout(g, x, 1); err != nil || x[0] != 0 || x[1] != 0 {
		t.Errorf("p=1: %v, %v", x, err)
	}
	if !bytes.Equal(before, g.State()) {
		t.Error("something was drawn")
	}
}

// TestBadArgumentsDrawNothing: every parameter out of range is an ErrArgument
// that leaves the stream where it was.
func TestBadArgumentsDrawNothing(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	x, p := make([]float32, 20), make([]float32, 20)
	p[19] = 1.5
	g := New(7)
	multinomial := func(w []float64, n int, replacement bool) error {
		_, err := Multinomial(g, w, n, replacement)
		return err
	}
	before := g.State()
	for name, err := range map[string]error{
		"Uniform hi<lo":          Uniform(g, x, 1, 0),
		"Uniform NaN":            Uniform(g, x, nan, 1),
		"Uniform infinite":       Uniform(g, x, 0, inf),
		"Uniform too wide":       Uniform(g, x, -3e38, 3e38),
		"Normal std<0":           Normal(g, x, 0, -1),
		"Normal NaN":             Normal(g, x, 0, nan),
		"NormalScattered std<0":  NormalScattered(g, x, 0, -1),
		"Bernoulli p<0":          Bernoulli(g, x, -0.1),
		"Bernoulli p>1":          Bernoulli(g, x, 1.1),
		"Bernoulli NaN":          Bernoulli(g, x, nan),
		"BernoulliTensor p>1":    BernoulliTensor(g, x, p),
		"BernoulliTensor length": BernoulliTensor(g, x, p[:1]),
		"Dropout p>1":            Dropout(g, x, 1.1),
		"Exponential 0":          Exponential(g, x, 0),
		"Randint empty":          Randint(g, make([]int64, 3), 5, 5),
		"Multinomial n=0":        multinomial([]float64{1}, 0, true),
		"Multinomial n>len":      multinomial([]float64{1}, 2, false),
		"Multinomial no weights": multinomial(nil, 1, true),
		"Multinomial negative":   multinomial([]float64{1, -1}, 1, true),
		"Multinomial infinite":   multinomial([]float64{1, inf}, 1, true),
		"Multinomial NaN":        multinomial([]float64{1, nan}, 1, true),
		"Multinomial zeros":      multinomial([]float64{0, 0}, 1, true),
		"XavierUniform fan":      XavierUniform(g, x, 0, 0, 1),
		"XavierNormal gain":      XavierNormal(g, x, 1, 1, nan),
		"KaimingUniform fan":     KaimingUniform(g, x, 0, 0),
		"KaimingNormal slope":    KaimingNormal(g, x, 1, inf),
		"TruncNormal std":        TruncNormal(g, x, 0, 0, -1, 1),
		"TruncNormal bounds":     TruncNormal(g, x, 0, 1, 1, 1),
	} {
		var facts *ArgumentError
		if !errors.Is(err, ErrArgument) || !errors.As(err, &facts) || facts.Func == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !bytes.Equal(before, g.State()) {
		t.Error("a refused call has drawn")
	}
	if p := Randperm(g, -1); p != nil {
		t.Errorf("Randperm(-1) = %v", p)
	}
}

func TestMultinomialWithoutReplacementTakesZeroWeightsLast(t *testing.T) {
	for seed := range uint64(100) {
		p, err := Multinomial(New(seed), []float32{0, 1, 0, 2}, 4, false)
		if err != nil {
			t.Fatal(err)
		}
		if p[2] != 0 || p[3] != 2 || p[0]+p[1] != 4 {
			t.Fatalf("seed %d: %v, want 1 and 3 in any order, then 0 and 2", seed, p)
		}
	}
}

func TestStateRoundTrip(t *testing.T) {
	var _ interface {
		encoding.BinaryMarshaler
		encoding.BinaryUnmarshaler
	} = new(Generator)
	for draws := range 630 {
		g := New(8)
		for range draws {
			g.Uint32()
		}
		if draws%3 == 1 {
			Randn(g, make([]float32, 1)) // keeps a second value
		}
		b, err := g.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var h Generator
		if err := h.UnmarshalBinary(b); err != nil {
			t.Fatalf("after %d draws: %v", draws, err)
		}
		if !bytes.Equal(b, h.State()) {
			t.Fatalf("after %d draws: the state differs after a round trip", draws)
		}
		if x, y := drawSome(g), drawSome(&h); !slices.Equal(x, y) {
			t.Fatalf("after %d draws: another stream", draws)
		}
	}
}

func TestSetStateRefuses(t *testing.T) {
	good := New(1).State()
	for name, change := range map[string]func(b []byte) []byte{
		"nothing":         func([]byte) []byte { return nil },
		"one byte less":   func(b []byte) []byte { return b[1:] },
		"one byte more":   func(b []byte) []byte { return append(b, 0) },
		"not seeded":      func(b []byte) []byte { b[offSeeded] = 0; return b },
		"left 0":          func(b []byte) []byte { b[offLeft] = 0; return b },
		"left 625":        func(b []byte) []byte { b[offLeft], b[offLeft+1] = 113, 2; return b },
		"left negative":   func(b []byte) []byte { b[offLeft+3] = 0xff; return b },
		"next and left":   func(b []byte) []byte { b[offNext] = 9; return b },
		"next huge":       func(b []byte) []byte { b[offNext+7] = 0x80; return b },
		"word of 64 bits": func(b []byte) []byte { b[offWords+8*5+4] = 1; return b },
		"mark of normal":  func(b []byte) []byte { b[offHasNormal] = 2; return b },
		"normal NaN":      func(b []byte) []byte { b[offHasNormal] = 1; b[offNormal+7], b[offNormal+6] = 0x7f, 0xf8; return b },
		"float32 normal":  func(b []byte) []byte { b[offHasFloat] = 1; return b },
	} {
		g := New(2)
		before := g.State()
		if err := g.SetState(change(slices.Clone(good))); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(before, g.State()) {
			t.Errorf("%s: the generator changed", name)
		}
	}
}

// FuzzSetState: no state makes the generator panic, and what is accepted comes
// out again.
func FuzzSetState(f *testing.F) {
	g := New(1)
	f.Add(g.State())
	Randn(g, make([]float32, 1))
	f.Add(g.State())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		g := New(2)
		if err := g.SetState(b); err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatal(err)
			}
			return
		}
		var h Generator
		if err := h.SetState(g.State()); err != nil {
			t.Fatal(err)
		}
		if x, y := drawSome(g), drawSome(&h); !slices.Equal(x, y) {
			t.Fatal("a state that came out draws other numbers than the one that went in")
		}
	})
}
