package graph

import (
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
)

// TestGemmOfTheTranspose: with transA a product has the bits it has of the transpose,
// with a right-hand side that is known or comes later, is rounded or not.
func TestGemmOfTheTranspose(t *testing.T) {
	g := rng.New(3)
	for _, c := range []struct {
		m, k, n int
		attrs   Attrs
	}{
		{7, 5, 9, Attrs{}},
		{40, 300, 70, Attrs{"alpha": float32(1)}},
		{1, 30, 20, Attrs{}},
		{30, 1, 20, Attrs{}},
		{20, 33, 1, Attrs{"alpha": float32(0.5), "beta": float32(2)}},
	} {
		x, turned := drawn(t, g, c.m, c.k), must(New(F32, c.k, c.m))
		for i, v := range Data[float32](x) {
			Data[float32](turned)[i%c.k*c.m+i/c.k] = v
		}
		w, bias := drawn(t, g, c.k, c.n), drawn(t, g, c.n)
		for _, known := range []bool{true, false} {
			for _, precision := range []unroll.Precision{unroll.Full, unroll.Int8} {
				run := func(x Value, transA int64) []float32 {
					var b Builder
					input := func(name string, v Value) string {
						return b.Input(name, F32, Dim{Size: v.Shape[0]}, Dim{Size: v.Shape[1]})
					}
					in := []Value{x}
					left := input("x", x)
					right := ""
					if known {
						right = b.Constant("", w)
					} else {
						right, in = input("w", w), append(in, w)
					}
					attrs := Attrs{"transA": transA}
					for k, v := range c.attrs {
						attrs[k] = v
					}
					b.Output("y", F32, b.Op("Gemm", attrs, left, right, b.Constant("", bias)), Dim{Size: c.m}, Dim{Size: c.n})
					p, err := CompileIn(b.Graph(), Limits{}, always(precision))
					if err != nil {
						t.Fatal(err)
					}
					out := make([]Value, 1)
					if err := p.Run(in, out); err != nil {
						t.Fatal(err)
					}
					return Data[float32](out[0])
				}
				if err := testkit.SameBits(run(turned, 1), run(x, 0)); err != nil {
					t.Errorf("%d x %d x %d, known %v, %v: %v", c.m, c.k, c.n, known, precision, err)
				}
			}
		}
	}
}
