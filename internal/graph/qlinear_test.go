package graph

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
	"github.com/unroll-ml/unroll/rng"
)

// TestQuantisedNetworksOfONNXRuntime: what onnxruntime.quantization writes, static and
// dynamic, gives ONNX Runtime's numbers: integers exactly, also those between operators,
// and float32 but for the order of its sums. testdata/quantized.py made them.
func TestQuantisedNetworksOfONNXRuntime(t *testing.T) {
	for file, b := range zipped(t, "testdata/quantized.zip") {
		levels.Each(func(level string) {
			if err := runNode(t, b, file, testkit.Tol{Abs: 1e-6, Rel: 2e-6}); err != nil {
				t.Errorf("%s, %s: %v", file, level, err)
			}
		})
		f, err := onnx.Parse(b, file)
		if err != nil {
			t.Fatal(err)
		}
		g, err := FromONNX(f)
		if err != nil {
			t.Fatal(err)
		}
		if q := Summarize(g).Quantised; strings.Contains(file, ".qdq.") && (q.Integers < 2 || len(q.Floats) > 0) {
			t.Errorf("%s: %+v", file, q)
		}
	}
}

// qdq is a product with DequantizeLinear around it, whose parts a test changes.
type qdq struct {
	op           string
	left, right  Type
	axis         int64
	scales       int
	zero         bool // the left side has a zero point
	quantised    bool
	bias, relu   bool
	twice        bool // somebody else reads the product
	biasIsFloat  bool
	biasScaledBy float32
}

func (q qdq) graph(t *testing.T) *Graph {
	t.Helper()
	const k, n = 12, 9
	var b Builder
	g := rng.New(3)
	ints := func(typ Type, shape ...int) Value {
		v := must(New(typ, shape...))
		for i := range v.bytes() {
			v.bytes()[i] = byte(g.Uint32())
		}
		return v
	}
	scale := func(n int) Value {
		list := make([]float32, max(n, 1))
		for i := range list {
			list[i] = 0.01 + 0.003*float32(i)
		}
		if n == 0 {
			return must(Of(list))
		}
		return must(Of(list, n))
	}
	x := b.Input("x", F32, Dim{Size: -1}, Dim{Size: k})
	sx, zx := b.Constant("", must(Of([]float32{0.02}))), b.Constant("", ints(q.left))
	xq := b.Op("QuantizeLinear", nil, x, sx, zx)
	in := []string{xq, sx}
	if q.zero {
		in = append(in, zx)
	}
	left := b.Op("DequantizeLinear", nil, in...)
	w := b.Op("DequantizeLinear", Attrs{"axis": q.axis}, b.Constant("", ints(q.right, k, n)), b.Constant("", scale(q.scales)))
	args := []string{left, w}
	if q.bias {
		v := must(New(I32, n))
		for i := range Data[int32](v) {
			Data[int32](v)[i] = int32(i*1000 - 4000)
		}
		s := scale(q.scales)
		for i := range Data[float32](s) {
			Data[float32](s)[i] *= 0.02 * q.biasScaledBy
		}
		args = append(args, b.Op("DequantizeLinear", Attrs{"axis": int64(0)}, b.Constant("", v), b.Constant("", s)))
	}
	if q.biasIsFloat {
		args = append(args, b.Constant("", must(Of(make([]float32, n), n))))
	}
	y := b.Op(q.op, nil, args...)
	b.Name("product")
	if q.twice {
		b.Output("twice", F32, y)
	}
	if q.relu {
		y = b.Op("Relu", nil, y)
	}
	if !q.quantised {
		b.Output("y", F32, y)
		return b.Graph()
	}
	b.Output("y", U8, b.Op("QuantizeLinear", nil, y, b.Constant("", must(Of([]float32{0.05}))), b.Constant("", must(New(U8)))))
	return b.Graph()
}

// TestQDQIsFloatWithinARounding: what runs on integers has the numbers of the file's own
// float operators but for their rounding, whatever the form; forms that do not fit run
// in float32 and say why.
func TestQDQIsFloatWithinARounding(t *testing.T) {
	full := qdq{op: "Gemm", left: U8, right: I8, axis: 1, scales: 9, zero: true, bias: true, biasScaledBy: 1}
	for name, c := range map[string]struct {
		change func(q *qdq)
		why    string
	}{
		"channels":             {func(*qdq) {}, ""},
		"one scale":            {func(q *qdq) { q.scales = 0 }, ""},
		"a scale of shape [1]": {func(q *qdq) { q.scales = 1 }, ""},
		"uint8 weights":        {func(q *qdq) { q.right = U8 }, ""},
		"int8 left":            {func(q *qdq) { q.left = I8 }, ""},
		"no zero point":        {func(q *qdq) { q.zero = false }, ""},
		"no bias":              {func(q *qdq) { q.bias = false }, ""},
		"another bias scale":   {func(q *qdq) { q.biasScaledBy = 1.5 }, ""},
		"quantised":            {func(q *qdq) { q.quantised = true }, ""},
		"quantised with relu":  {func(q *qdq) { q.quantised, q.relu = true, true }, ""},
		"read twice":           {func(q *qdq) { q.quantised, q.twice = true, true }, ""},
		"MatMul":               {func(q *qdq) { q.op, q.bias = "MatMul", false }, ""},
		"along the inputs":     {func(q *qdq) { q.axis, q.scales, q.bias = 0, 12, false }, "scales"},
		"a float bias":         {func(q *qdq) { q.bias, q.biasIsFloat = false, true }, "bias"},
	} {
		t.Run(name, func(t *testing.T) {
			q := full
			c.change(&q)
			g := q.graph(t)
			s := Summarize(g).Quantised
			if fused := s.Integers == 1; fused != (c.why == "") || !fused && !strings.Contains(fmt.Sprint(s.Floats), c.why) {
				t.Errorf("%s: %+v", name, s)
			}
			x := drawn(t, rng.New(4), 5, 12)
			got := must2(t, g, x)
			floats := must2(t, unfused(g), x)
			for i := range got {
				tol := testkit.Tol{Abs: 1e-6, Rel: 1e-5}
				if got[i].Type == F32 {
					if err := testkit.Near(Data[float32](got[i]), Data[float32](floats[i]), tol); err != nil {
						t.Errorf("%s: output %d: %v", name, i, err)
					}
					continue
				}
				for j, v := range got[i].bytes() { // a last bit may round to the next step
					if d := int(v) - int(floats[i].bytes()[j]); d < -1 || d > 1 {
						t.Errorf("%s: element %d is %d, want %d", name, j, v, floats[i].bytes()[j])
					}
				}
			}
		})
	}
}

// unfused is a graph whose DequantizeLinears no pattern finds: their scales come from a
// sum.
func unfused(g *Graph) *Graph {
	to := *g
	to.Nodes, to.Constants = nil, append([]Constant{}, g.Constants...)
	to.Constants = append(to.Constants, Constant{Name: "nothing", Type: F32, Shape: []int{}, Value: must(New(F32))})
	for i, n := range g.Nodes {
		if n.Op == "DequantizeLinear" {
			n.Inputs = append([]string{}, n.Inputs...)
			own := fmt.Sprint("scale.", i)
			to.Nodes = append(to.Nodes, Node{Op: "Add", Inputs: []string{n.Inputs[1], "nothing"}, Outputs: []string{own}})
			n.Inputs[1] = own
		}
		to.Nodes = append(to.Nodes, n)
	}
	return &to
}

func must2(t *testing.T, g *Graph, x Value) []Value {
	t.Helper()
	p, err := Compile(g, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	in, out := []Value{x}, make([]Value, len(g.Outputs))
	for range 2 {
		if err := p.Run(in, out); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(3, func() {
		if err := p.Run(in, out); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations in a steady run", n)
	}
	return out
}
