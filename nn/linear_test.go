package nn_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

func random(g *rng.Generator, shape ...int) tensor.DenseOf[float64] {
	d := tensor.NewOf[float64](shape...)
	rng.Randn(g, d.Data)
	return d
}

func TestLinearIsAChainFromTheBias(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, in, out := rapid.IntRange(0, 9).Draw(rt, "n"), rapid.IntRange(1, 40).Draw(rt, "in"), rapid.IntRange(1, 150).Draw(rt, "out")
		bias := rapid.Bool().Draw(rt, "bias")
		g := rng.New(uint64(n*in + out))
		l, err := nn.NewLinearOf[float64](in, out, bias)
		if err != nil {
			rt.Fatal(err)
		}
		l.ResetParameters(g)
		x := random(g, n, in)
		y, err := l.Forward(x)
		if err != nil {
			rt.Fatal(err)
		}
		for r := range n {
			for o := range out {
				acc := 0.0
				if bias {
					acc = l.Bias().Data[o]
				}
				for i := range in {
					acc = math.FMA(x.Data[r*in+i], l.Weight().Data[o*in+i], acc)
				}
				if got := y.Data[r*out+o]; got != acc {
					rt.Fatalf("y[%d,%d] = %v, the chain gives %v", r, o, got, acc)
				}
			}
		}
	})
}

func TestLinearGradients(t *testing.T) {
	for _, c := range []struct{ n, in, out int }{{1, 1, 1}, {3, 5, 7}, {4, 70, 65}, {2, 16, 130}, {9, 33, 64}} {
		g := rng.New(3)
		l, _ := nn.NewLinearOf[float64](c.in, c.out, true)
		l.ResetParameters(g)
		x, up := random(g, c.n, c.in), random(g, c.n, c.out)
		loss := func() float64 {
			l.Update(func(_, _ tensor.DenseOf[float64]) {}) // the check changes weights in place
			y, err := l.Forward(x)
			if err != nil {
				t.Fatal(err)
			}
			s := 0.0
			for i, v := range y.Data {
				s += v * up.Data[i]
			}
			return s
		}
		gw, gb := tensor.NewOf[float64](c.out, c.in), tensor.NewOf[float64](c.out)
		gw.Data[0], gb.Data[0] = 5, 7
		dx, err := l.Backward(x, up, gw, gb)
		if err != nil {
			t.Fatal(err)
		}
		gw.Data[0] -= 5 // gradients are added
		gb.Data[0] -= 7
		testkit.Gradient(t, "x", loss, x.Data, dx.Data)
		testkit.Gradient(t, "weight", loss, l.Weight().Data, gw.Data)
		testkit.Gradient(t, "bias", loss, l.Bias().Data, gb.Data)
	}
}

func TestEmbedding(t *testing.T) {
	pad := -4
	e, err := nn.NewEmbeddingOf[float64](5, 3, &pad)
	if err != nil || e.PaddingIdx != 1 {
		t.Fatal(err, e.PaddingIdx)
	}
	e.ResetParameters(rng.New(1))
	tokens := []int{4, 1, 0, 4}
	x := make([]float64, 12)
	if err := e.Forward(x, tokens); err != nil {
		t.Fatal(err)
	}
	testkit.Bits(t, "embedded", x[:3], e.Weight.Data[12:])
	testkit.Bits(t, "padding", x[3:6], []float64{0, 0, 0})
	g := nn.NewRowGradOf[float64](5, 3)
	d := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	if err := e.Backward(d, tokens, g); err != nil {
		t.Fatal(err)
	}
	testkit.Bits(t, "gradient", g.Value.Data, []float64{7, 8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11, 13, 15})
	if len(g.Rows) != 2 || g.Rows[0] != 4 || g.Rows[1] != 0 {
		t.Errorf("touched rows %v, want [4 0]", g.Rows)
	}
	g.Zero()
	testkit.Bits(t, "zeroed", g.Value.Data, make([]float64, 15))
	if len(g.Rows) != 0 {
		t.Error("rows stay marked")
	}
	if err := e.Forward(x[:3], []int{5}); !errors.Is(err, nn.ErrIndex) { // errors.json: embedding_index_out_of_range
		t.Errorf("token 5 of 5: %v", err)
	}
	if err := e.Backward(x[:3], []int{-1}, g); !errors.Is(err, nn.ErrIndex) {
		t.Errorf("token -1: %v", err)
	}
}

func TestSizesAreBounded(t *testing.T) {
	for _, c := range []struct{ a, b int }{{0, 1}, {1, 0}, {-1, 2}, {1 << 20, 1 << 20}} {
		if _, err := nn.NewLinear(c.a, c.b, true); !errors.Is(err, nn.ErrConfig) {
			t.Errorf("Linear(%d, %d): %v", c.a, c.b, err)
		}
		if _, err := nn.NewEmbedding(c.a, c.b, nil); !errors.Is(err, nn.ErrConfig) {
			t.Errorf("Embedding(%d, %d): %v", c.a, c.b, err)
		}
	}
	if pad := 7; true {
		if _, err := nn.NewEmbedding(7, 1, &pad); !errors.Is(err, nn.ErrConfig) {
			t.Errorf("padding_idx 7 of 7: %v", err)
		}
	}
}

// A step's cost must not grow with the vocabulary: 20 tokens of a table of a
// million rows touch 20 rows.
func BenchmarkEmbeddingBackward(b *testing.B) {
	for _, v := range []int{1000, 1000000} {
		b.Run(map[int]string{1000: "V=1000", 1000000: "V=1000000"}[v], func(b *testing.B) {
			e, _ := nn.NewEmbedding(v, 64, nil)
			g := nn.NewRowGrad(v, 64)
			d, tokens := make([]float32, 20*64), make([]int, 20)
			for i := range tokens {
				tokens[i] = i * (v / 20)
			}
			b.ReportAllocs()
			for b.Loop() {
				_ = e.Backward(d, tokens, g)
				g.Zero()
			}
		})
	}
}
