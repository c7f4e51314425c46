package graph

import (
	"fmt"
	"math"
	"slices"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/ref"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
	"github.com/unroll-ml/unroll/rng"
)

// lowGraph is every operator that has a precision, one after another: x [N,3,T] to
// Conv of 3 taps, Conv of one position, Gemm, MatMul, LSTM of ONNX, Layer.
func lowGraph(t *testing.T) *Builder {
	t.Helper()
	var b Builder
	g := rng.New(5)
	constant := func(shape ...int) string { // small, so that gates are not full
		v := drawn(t, g, shape...)
		for i := range Data[float32](v) {
			Data[float32](v)[i] *= 0.2
		}
		return b.Constant("", v)
	}
	x := b.Input("x", F32, Dim{Size: -1}, Dim{Size: 3}, Dim{Size: -1})
	y := b.Op("Conv", Attrs{"pads": []int64{1, 1}}, x, constant(20, 3, 3), constant(20))
	b.Output("conv", F32, y)
	y = b.Op("Transpose", Attrs{"perm": []int64{0, 2, 1}}, y)
	y = b.Op("MatMul", nil, y, constant(20, 70))
	b.Output("matmul", F32, y)
	y = b.Op("Transpose", Attrs{"perm": []int64{1, 0, 2}}, y)
	y = b.Ops("LSTM", 1, Attrs{"hidden_size": int64(17)}, y, constant(1, 68, 70), constant(1, 68, 17), constant(1, 136))[0]
	b.Output("lstm", F32, y)
	y = b.Op("Squeeze", nil, y, b.Ints(1))
	l, err := unroll.New(unroll.Config{Mode: unroll.GRU, InputSize: 17, HiddenSize: 9, NumLayers: 2})
	if err != nil {
		t.Fatal(err)
	}
	l.ResetParameters(rng.New(6))
	y, _, _ = b.Layer(l, y, "", "", "", "")
	b.Output("layer", F32, y)
	y = b.Op("Reshape", nil, y, b.Ints(-1, 9))
	y = b.Op("Gemm", Attrs{"transB": int64(1)}, y, constant(5, 9), constant(5))
	b.Output("gemm", F32, y)
	return &b
}

func lowProgram(t *testing.T, precision func(string) unroll.Precision) *Program {
	t.Helper()
	p, err := CompileIn(lowGraph(t).Graph(), Limits{}, precision)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func runProgram(t *testing.T, p *Program, x Value) [][]float32 {
	t.Helper()
	out := make([]Value, len(p.Graph().Outputs))
	if err := p.Run([]Value{x}, out); err != nil {
		t.Fatal(err)
	}
	var all [][]float32
	for _, v := range out {
		all = append(all, slices.Clone(Data[float32](v)))
	}
	return all
}

func always(p unroll.Precision) func(string) unroll.Precision {
	return func(string) unroll.Precision { return p }
}

// TestInt8Program: outputs are close to those of full precision and not the same, a
// part alone changes what comes after it and nothing before, and the names of parts
// are those of the nodes.
func TestInt8Program(t *testing.T) {
	x := drawn(t, rng.New(1), 2, 3, 40)
	full := lowProgram(t, nil)
	want := runProgram(t, full, x)
	far := func(got []float32, i int) (d float64) {
		for j, v := range got {
			d = max(d, math.Abs(float64(v-want[i][j])))
		}
		return d
	}
	largest := func(x []float32) (m float64) {
		for _, v := range x {
			m = max(m, math.Abs(float64(v)))
		}
		return m
	}
	for i, got := range runProgram(t, lowProgram(t, always(unroll.Int8)), x) {
		if d := far(got, i); d == 0 || d > 0.1*largest(want[i]) {
			t.Errorf("output %d: the largest error is %g of %g", i, d, largest(want[i]))
		}
	}
	parts := full.Parts()
	if len(parts) != 6 { // Conv, MatMul, LSTM, two layers, Gemm
		t.Fatalf("parts %q", parts)
	}
	first := []int{0, 1, 2, 3, 3, 4} // the first output that a part changes
	for k, part := range parts {
		got := runProgram(t, lowProgram(t, func(p string) unroll.Precision {
			if p == part {
				return unroll.Int8
			}
			return unroll.Full
		}), x)
		for i := range got {
			if changed := far(got[i], i) > 0; changed != (i >= first[k]) {
				t.Errorf("%s alone: output %d changed %v", part, i, changed)
			}
		}
	}
}

// TestInt8ProgramsAgree: levels, the company of a sequence, and plans that know the
// input give the same bits, and a steady run allocates nothing.
func TestInt8ProgramsAgree(t *testing.T) {
	x := drawn(t, rng.New(1), 4, 3, 600) // more positions than a tile
	var want [][]float32
	levels.Each(func(level string) {
		p := lowProgram(t, always(unroll.Int8))
		got := runProgram(t, p, x)
		if want == nil {
			want = got
		}
		for i := range got {
			testkit.Bits(t, fmt.Sprint(level, " output ", i), got[i], want[i])
		}
		one := must(Of(Data[float32](x)[3*600:2*3*600], 1, 3, 600)) // the second sequence
		alone := runProgram(t, p, one)
		testkit.Bits(t, level+" conv alone", alone[0], want[0][20*600:2*20*600])
		for s := range 600 {
			testkit.Bits(t, level+" layer alone", alone[3][s*9:(s+1)*9], want[3][(s*4+1)*9:][:9])
		}
		out := make([]Value, len(p.Graph().Outputs))
		in := []Value{one}
		if n := testing.AllocsPerRun(3, func() {
			if err := p.Run(in, out); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations in a steady run", level, n)
		}
	})
}

// TestInt8ConvIsItsSums: a convolution is what 64-bit loops make of rounded weights and
// of each position's rounded window.
func TestInt8ConvIsItsSums(t *testing.T) {
	g := rng.New(9)
	x, w, bias := drawn(t, g, 2, 4, 9, 8), drawn(t, g, 16, 2, 3, 2), drawn(t, g, 16)
	var b Builder
	in := b.Input("x", F32, Dim{Size: -1}, Dim{Size: 4}, Dim{Size: -1}, Dim{Size: -1})
	b.Output("y", F32, b.Op("Conv", Attrs{"group": int64(2), "strides": []int64{2, 1}}, in, b.Constant("w", w), b.Constant("b", bias)))
	p, err := CompileIn(b.Graph(), Limits{}, always(unroll.Int8))
	if err != nil {
		t.Fatal(err)
	}
	got := runProgram(t, p, x)[0]
	data, weights := Data[float32](x), slices.Clone(Data[float32](w))
	rounded := make([][]float64, 16)
	for m := range rounded {
		rounded[m] = steps127(weights[m*12 : (m+1)*12])
	}
	at := 0
	for n := range 2 {
		for m := range 16 {
			for i := range 4 {
				for j := range 7 {
					var window []float64
					for c := range 2 {
						for ki := range 3 {
							for kj := range 2 {
								window = append(window, float64(data[((n*4+m/8*2+c)*9+2*i+ki)*8+j+kj]))
							}
						}
					}
					sum := float64(Data[float32](bias)[m])
					for k, v := range ref.Steps(window) {
						sum += v * rounded[m][k]
					}
					if d := math.Abs(sum - float64(got[at])); d > 1e-4 { // scales of weights have 17 digits
						t.Fatalf("[%d,%d,%d,%d] is %g, want %g", n, m, i, j, got[at], sum)
					}
					at++
				}
			}
		}
	}
}

// steps127 rounds numbers to 127ths of their largest.
func steps127(x []float32) []float64 {
	most := 0.0
	for _, v := range x {
		most = max(most, math.Abs(float64(v)))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = math.RoundToEven(float64(v)*127/most) * most / 127
	}
	return y
}

// TestBFloat16Program: layers round their weights, and products stay as they are.
func TestBFloat16Program(t *testing.T) {
	x := drawn(t, rng.New(1), 2, 3, 20)
	want, got := runProgram(t, lowProgram(t, nil), x), runProgram(t, lowProgram(t, always(unroll.BFloat16)), x)
	for i := range got {
		if same := testkit.SameBits(got[i], want[i]) == nil; same != (i < 2) {
			t.Errorf("output %d is the same: %v", i, same)
		}
	}
}
