package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
)

func TestBatchAxes(t *testing.T) {
	any := Dim{Size: -1, Name: "batch"}
	for name, c := range map[string]struct {
		write func(b *Builder, x string) string // x [B,4,6]
		axis  int                               // of the output, -1: none
		why   string
	}{
		"element-wise": {func(b *Builder, x string) string {
			return b.Op("Mul", nil, b.Op("Tanh", nil, x), b.Constant("", must(New(F32, 6))))
		}, 0, ""},
		"turned":            {func(b *Builder, x string) string { return b.Op("Transpose", Attrs{"perm": []int64{2, 0, 1}}, x) }, 1, ""},
		"softmax of it":     {func(b *Builder, x string) string { return b.Op("Softmax", Attrs{"axis": 0}, x) }, -1, "Softmax"},
		"softmax of others": {func(b *Builder, x string) string { return b.Op("Softmax", nil, x) }, 0, ""},
		"mean of it":        {func(b *Builder, x string) string { return b.Op("Sub", nil, x, b.Op("ReduceMean", nil, x, b.Ints(0))) }, -1, "ReduceMean"},
		"its first":         {func(b *Builder, x string) string { return b.Op("Gather", Attrs{"axis": 0}, x, b.Ints(0)) }, -1, "Gather"},
		"turned around": {func(b *Builder, x string) string {
			return b.Op("Slice", nil, x, b.Ints(-1), b.Ints(-100), b.Ints(0), b.Ints(-1))
		}, -1, "Slice"},
		"joined and parted": {func(b *Builder, x string) string {
			y := b.Op("Gemm", nil, b.Op("Reshape", nil, x, b.Ints(-1, 6)), b.Constant("", must(New(F32, 6, 3))))
			return b.Op("Reshape", nil, y, b.Ints(-1, 4, 3))
		}, 0, ""},
		"joined":           {func(b *Builder, x string) string { return b.Op("Reshape", nil, x, b.Ints(-1, 6)) }, -1, "no axis of its own"},
		"parted otherwise": {func(b *Builder, x string) string { return b.Op("Reshape", nil, x, b.Ints(4, -1, 6)) }, -1, "no axis of its own"},
		"its size as number": {func(b *Builder, x string) string {
			return b.Op("Div", nil, x, b.Op("Cast", Attrs{"to": 1}, b.Op("Gather", nil, b.Op("Shape", nil, x), b.Constant("", Scalar(int64(0))))))
		}, -1, "depends on the size"},
		"zeros of its size": {func(b *Builder, x string) string {
			return b.Op("Add", nil, x, b.Op("ConstantOfShape", nil, b.Op("Shape", nil, x)))
		}, 0, ""},
		"counted": {func(b *Builder, x string) string {
			r := b.Op("Range", nil, b.Constant("", Scalar(int64(0))), b.Op("Gather", nil, b.Op("Shape", nil, x), b.Constant("", Scalar(int64(0)))), b.Constant("", Scalar(int64(1))))
			return b.Op("Add", nil, x, b.Op("Reshape", nil, b.Op("Cast", Attrs{"to": 1}, r), b.Ints(-1, 1, 1)))
		}, -1, "Add"},
		"attention": {func(b *Builder, x string) string {
			y := b.Op("MatMul", nil, x, b.Op("Transpose", Attrs{"perm": []int64{0, 2, 1}}, x))
			return b.Op("MatMul", nil, b.Op("Softmax", nil, y), x)
		}, 0, ""},
		"attention over it": {func(b *Builder, x string) string {
			x = b.Op("Transpose", Attrs{"perm": []int64{1, 0, 2}}, x)
			y := b.Op("MatMul", nil, x, b.Op("Transpose", Attrs{"perm": []int64{0, 2, 1}}, x))
			return b.Op("MatMul", nil, y, x)
		}, -1, "MatMul"},
		"summed up to each": {func(b *Builder, x string) string { return b.Op("CumSum", nil, x, b.Constant("", Scalar(int64(1)))) }, 0, ""},
		"summed over it":    {func(b *Builder, x string) string { return b.Op("CumSum", nil, x, b.Constant("", Scalar(int64(0)))) }, -1, "CumSum"},
		"picked of each": {func(b *Builder, x string) string {
			i := b.Op("ArgMax", Attrs{"axis": 2}, x) // [B,4,1]
			return b.Op("GatherND", Attrs{"batch_dims": 1}, b.Op("Transpose", Attrs{"perm": []int64{0, 2, 1}}, x), i)
		}, 0, ""},
		"picked of all": {func(b *Builder, x string) string {
			return b.Op("GatherND", nil, b.Constant("", must(New(F32, 6, 3))), b.Op("ArgMax", Attrs{"axis": 2}, x))
		}, -1, "GatherND"},
		"convolved by points": {func(b *Builder, x string) string {
			y := b.Op("Transpose", Attrs{"perm": []int64{1, 2, 0}}, x) // [4,6,B]
			return b.Op("Conv", nil, y, b.Constant("", must(New(F32, 3, 6, 1))))
		}, 2, ""},
		"convolved over it": {func(b *Builder, x string) string {
			y := b.Op("Transpose", Attrs{"perm": []int64{1, 2, 0}}, x)
			return b.Op("Conv", Attrs{"pads": []int64{1, 1}}, y, b.Constant("", must(New(F32, 3, 6, 3))))
		}, -1, "Conv"},
		"normalised by channels": {func(b *Builder, x string) string {
			one := b.Constant("", must(New(F32, 6)))
			return b.Op("BatchNormalization", nil, b.Op("Transpose", Attrs{"perm": []int64{1, 2, 0}}, x), one, one, one, one)
		}, 2, ""},
		"the channel itself": {func(b *Builder, x string) string {
			one := b.Constant("", must(New(F32, 2)))
			return b.Op("BatchNormalization", nil, b.Op("Transpose", Attrs{"perm": []int64{1, 0, 2}}, x), one, one, one, one)
		}, -1, "BatchNormalization"},
		"scaled at run time": {func(b *Builder, x string) string {
			return b.Op("DequantizeLinear", nil, func() []string { q := b.Ops("DynamicQuantizeLinear", 3, nil, x); return q }()...)
		}, -1, "DynamicQuantizeLinear"},
	} {
		t.Run(name, func(t *testing.T) {
			var b Builder
			x := b.Input("x", F32, any, Dim{Size: 4}, Dim{Size: 6})
			b.Output("y", F32, c.write(&b, x))
			p := compiled(t, &b, Limits{})
			in, out, ok, why, err := p.BatchAxes([]Value{must(New(F32, 1, 4, 6))})
			if err != nil || ok != (c.axis >= 0) || ok && (in[0] != 0 || out[0] != c.axis) || !strings.Contains(why, c.why) {
				t.Errorf("got %v %v %v %q %v, want axis %d, %q", in, out, ok, why, err, c.axis, c.why)
			}
		})
	}
}

// What BatchAxes says of a whole network holds: three sequences joined give the
// bits of each.
func TestBatchesJoinSequences(t *testing.T) {
	var b Builder
	network(t, &b)
	p := compiled(t, &b, Limits{})
	in, out, ok, why, err := p.BatchAxes([]Value{must(New(F32, 1, 3, 20))})
	if err != nil || !ok || !slices.Equal(in, []int{0}) || !slices.Equal(out, []int{0, 1}) {
		t.Fatal(in, out, ok, why, err)
	}
	x := drawn(t, rng.New(3), 3, 3, 20)
	whole := make([]Value, 2)
	if err := p.Run([]Value{x}, whole); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		one := make([]Value, 2)
		if err := p.Run([]Value{must(Of(Data[float32](x)[i*60:(i+1)*60], 1, 3, 20))}, one); err != nil {
			t.Fatal(err)
		}
		for k, axis := range out {
			inner, outer := product(whole[k].Shape[axis+1:]), product(whole[k].Shape[:axis])
			for o := range outer {
				got := Data[float32](whole[k])[(o*3+i)*inner:][:inner]
				if err := testkit.SameBits(got, Data[float32](one[k])[o*inner:][:inner]); err != nil {
					t.Errorf("output %d, sequence %d: %v", k, i, err)
				}
			}
		}
	}
}

func TestStates(t *testing.T) {
	port := func(name string, sizes ...int) Port {
		p := Port{Name: name, Type: F32, Shape: []Dim{}}
		for _, s := range sizes {
			p.Shape = append(p.Shape, Dim{Size: s})
		}
		return p
	}
	for name, c := range map[string]struct {
		g    Graph
		want []State
	}{
		"h0 and hn":        {Graph{Inputs: []Port{port("x", 1, 3), port("h0", 1, 4), port("c0", 1, 4)}, Outputs: []Port{port("y", 1, 4), port("hn", 1, 4), port("cn", 1, 4)}}, []State{{"h0", "hn"}, {"c0", "cn"}}},
		"state and stateN": {Graph{Inputs: []Port{port("input", 1, 3), port("state", 2, -1)}, Outputs: []Port{port("output", 1, 1), port("stateN", -1, -1)}}, []State{{"state", "stateN"}}},
		"in and out":       {Graph{Inputs: []Port{port("x", 1, 3), port("cache_in", 1, 9), port("h_prev", 1, 4)}, Outputs: []Port{port("y", 1, 3), port("h_next", 1, 4), port("cache_out", 1, 9)}}, []State{{"cache_in", "cache_out"}, {"h_prev", "h_next"}}},
		"h_n and h_0":      {Graph{Inputs: []Port{port("h_0", 1, 4)}, Outputs: []Port{port("h_n", 1, 4)}}, []State{{"h_0", "h_n"}}},
		"other shapes":     {Graph{Inputs: []Port{port("h0", 1, 4)}, Outputs: []Port{port("hn", 1, 5)}}, nil},
		"input and output": {Graph{Inputs: []Port{port("input", 1, 4)}, Outputs: []Port{port("output", 1, 4)}}, nil},
		"by the node": {Graph{
			Inputs: []Port{port("in0", 1, 1, 4), port("in1", 2, 1, 4)}, Outputs: []Port{port("7", 1, 1, 4), port("9", 2, 1, 4)},
			Nodes: []Node{
				{Op: "Split", Inputs: []string{"in1"}, Outputs: []string{"a", "b"}},
				{Op: "GRU", Inputs: []string{"in0", "", "", "", "", "a"}, Outputs: []string{"y", "ha"}},
				{Op: "Squeeze", Inputs: []string{"y"}, Outputs: []string{"z"}},
				{Op: "GRU", Inputs: []string{"z", "", "", "", "", "b"}, Outputs: []string{"7", "hb"}},
				{Op: "Concat", Inputs: []string{"ha", "hb"}, Outputs: []string{"9"}},
			},
		}, []State{{"in1", "9"}}},
	} {
		if got := States(&c.g); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
