package rng

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
)

// currentCall is one of testdata/current.json's.
type currentCall struct {
	Call  string
	Seed  uint64
	Args  map[string]any
	DType string
	N     int
	Hex   string
	After int64
}

func (c currentCall) num(name string) float64 { return c.Args[name].(float64) }

// TestCurrentPyTorch draws what PyTorch 2.x drew, and then stands where it stood.
func TestCurrentPyTorch(t *testing.T) {
	b, err := os.ReadFile("testdata/current.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Torch string
		Calls []currentCall
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Calls) < 150 {
		t.Errorf("%d calls", len(all.Calls))
	}
	ulps := 0
	for _, c := range all.Calls {
		g := New(c.Seed)
		raw, err := hex.DecodeString(c.Hex)
		if err != nil {
			t.Fatal(err)
		}
		var got drawing
		switch c.DType {
		case "float32":
			got, err = draw(c.N, func(x []float32) error { return current(g, c, x) })
		case "float64":
			got, err = draw(c.N, func(x []float64) error { return current(g, c, x) })
		default:
			got.i64, err = currentInts(g, c)
		}
		what := fmt.Sprintf("%s%v of %d %s, seed %d", c.Call, c.Args, c.N, c.DType, c.Seed)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		off, err := compareRaw(got, raw)
		if ulps += off; err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if after := Random63(g); after != c.After {
			t.Errorf("%s: the next number is %d, expected %d", what, after, c.After)
		}
	}
	t.Logf("PyTorch %s: %d calls, %d float64 values one unit in the last place off", all.Torch, len(all.Calls), ulps)
}

// current makes the call for floats.
func current[F Float](g *Generator, c currentCall, x []F) error {
	switch c.Call {
	case "rand":
		Rand(g, x)
	case "randn":
		Randn(g, x)
	case "uniform":
		return Uniform(g, x, c.num("lo"), c.num("hi"))
	case "exponential":
		return Exponential(g, x, c.num("rate"))
	case "bernoulli":
		return Bernoulli(g, x, c.num("p"))
	case "dropout":
		return Dropout(g, x, c.num("p"))
	case "trunc_normal":
		return TruncNormal(g, x, c.num("mean"), c.num("std"), c.num("lo"), c.num("hi"))
	case "xavier_normal":
		return XavierNormal(g, x, 7, 5, 1)
	case "kaiming_uniform":
		return KaimingUniform(g, x, 7, math.Sqrt(5))
	default:
		return fmt.Errorf("no test understands this call")
	}
	return nil
}

func currentInts(g *Generator, c currentCall) (x []int64, err error) {
	x = make([]int64, c.N)
	var p []int
	switch c.Call {
	case "randint":
		return x, Randint(g, x, int64(c.num("lo")), int64(c.num("hi")))
	case "randperm":
		p = Randperm(g, c.N)
	case "multinomial":
		p, err = Multinomial(g, []float32{.1, .4, 0, .2, .3}, c.N, c.Args["replacement"].(bool))
	case "loader_order":
		p = LoaderOrder(g, c.N)
	default:
		err = fmt.Errorf("no test understands this call")
	}
	return indices(p).i64, err
}

// compareRaw compares with little-endian bytes: float32 and integers to the bit,
// float64 to one unit in the last place, which PyTorch's C library may be off; it
// returns how many values were.
func compareRaw(got drawing, raw []byte) (off int, err error) {
	le := binary.LittleEndian
	switch {
	case got.f32 != nil:
		for i, x := range got.f32 {
			if w := math.Float32frombits(le.Uint32(raw[4*i:])); math.Float32bits(x) != math.Float32bits(w) {
				return off, fmt.Errorf("element %d is %v, expected %v", i, x, w)
			}
		}
	case got.f64 != nil:
		for i, x := range got.f64 {
			w := math.Float64frombits(le.Uint64(raw[8*i:]))
			if d := int64(math.Float64bits(x) - math.Float64bits(w)); d < -1 || d > 1 {
				return off, fmt.Errorf("element %d is %v, expected %v", i, x, w)
			} else if d != 0 {
				off++
			}
		}
	default:
		var want []int64
		for i := 0; i < len(raw); i += 8 {
			want = append(want, int64(le.Uint64(raw[i:])))
		}
		if !slices.Equal(got.i64, want) {
			return 0, fmt.Errorf("%v, expected %v", got.i64, want)
		}
	}
	return off, nil
}
