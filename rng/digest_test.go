package rng

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"testing"
)

// TestDigests draws long streams and compares their SHA-256 with PyTorch's:
// testdata/digests.json, written by testdata/digests.py, which has the calls.
func TestDigests(t *testing.T) {
	fill := func(n int, f func(*Generator, []float32) error) func(*Generator) (any, error) {
		return func(g *Generator) (any, error) {
			x := make([]float32, n)
			return x, f(g, x)
		}
	}
	integers := func(p []int) []int64 {
		out := make([]int64, len(p))
		for i, v := range p {
			out[i] = int64(v)
		}
		return out
	}
	multinomial := func(replacement bool) func(*Generator) (any, error) {
		return func(g *Generator) (any, error) {
			w := make([]float32, 300)
			Rand(g, w)
			p, err := Multinomial(g, w, 100, replacement)
			return integers(p), err
		}
	}
	calls := map[string]func(*Generator) (any, error){
		"rand.f32": fill(100_001, func(g *Generator, x []float32) error { Rand(g, x); return nil }),
		"rand.f64": func(g *Generator) (any, error) {
			x := make([]float64, 100_001)
			Rand(g, x)
			return x, nil
		},
		"uniform.f32": fill(100_001, func(g *Generator, x []float32) error { return Uniform(g, x, -0.37, 1.91) }),
		"uniform.f64": func(g *Generator) (any, error) {
			x := make([]float64, 100_001)
			return x, Uniform(g, x, -0.37, 1.91)
		},
		"randn.f32":  fill(100_001, func(g *Generator, x []float32) error { Randn(g, x); return nil }),
		"normal.f32": fill(100_001, func(g *Generator, x []float32) error { return Normal(g, x, 1.7, 0.3) }),
		"normal.f32 by 3": fill(9000, func(g *Generator, x []float32) error {
			for ; len(x) > 0; x = x[3:] {
				if err := Normal(g, x[:3], 1.7, 0.3); err != nil {
					return err
				}
			}
			return nil
		}),
		"exponential.f32":              fill(100_001, func(g *Generator, x []float32) error { return Exponential(g, x, 0.7) }),
		"dropout.f32":                  fill(100_001, func(g *Generator, x []float32) error { return Dropout(g, x, 0.3) }),
		"trunc_normal.f32":             fill(20_001, func(g *Generator, x []float32) error { return TruncNormal(g, x, 0, 1, -2, 2) }),
		"trunc_normal.f32 wide":        fill(20_001, func(g *Generator, x []float32) error { return TruncNormal(g, x, 0.5, 2, -4, 9) }),
		"multinomial":                  multinomial(false),
		"multinomial with replacement": multinomial(true),
		"randperm":                     func(g *Generator) (any, error) { return integers(Randperm(g, 100_001)), nil },
		"state after seeding":          func(g *Generator) (any, error) { return g.State(), nil },
		"state along the way": func(g *Generator) (any, error) {
			var out []byte
			for _, n := range []int{1, 2, 3, 16, 17, 586, 624, 5} {
				Randn(g, make([]float32, n))
				out = append(out, g.State()...)
			}
			return out, nil
		},
	}
	raw, err := os.ReadFile("testdata/digests.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]map[string]string // kernels, call, seed
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	if len(want) != 2 || len(want["avx2"]) != len(calls) || len(want["scalar"]) != len(calls) {
		t.Fatalf("digests of %d and %d calls, want %d", len(want["avx2"]), len(want["scalar"]), len(calls))
	}
	for kernels, names := range want {
		for name, seeds := range names {
			if len(seeds) != 5 || calls[name] == nil {
				t.Errorf("%s: %d seeds, known %v", name, len(seeds), calls[name] != nil)
				continue
			}
			for seed, digest := range seeds {
				s, err := strconv.ParseUint(seed, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				g := WithVersion(s, PyTorch1)
				g.Scalar = kernels == "scalar"
				x, err := calls[name](g)
				if err != nil {
					t.Errorf("%s, seed %s: %v", name, seed, err)
					continue
				}
				h := sha256.New()
				if err := binary.Write(h, binary.LittleEndian, x); err != nil {
					t.Fatal(err)
				}
				if got := hex.EncodeToString(h.Sum(nil)); got != digest {
					t.Errorf("%s, seed %s, %s kernels: other values than PyTorch's", name, seed, kernels)
				}
			}
		}
	}
}
