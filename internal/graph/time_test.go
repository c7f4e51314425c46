package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
)

// timed is a GRU of 4 units over x [T,1,3] from h [1,1,4], its outputs squeezed to
// [T,1,4], and where it ends.
func timed(t *testing.T, b *Builder, attrs Attrs, x, h string) (y, hn string) {
	t.Helper()
	g := rng.New(4)
	a := Attrs{"hidden_size": int64(4)}
	for k, v := range attrs {
		a[k] = v
	}
	d := 1
	if a["direction"] == "bidirectional" {
		d = 2
	}
	out := b.Ops("GRU", 2, a, x, b.Constant("", drawn(t, g, d, 12, 3)), b.Constant("", drawn(t, g, d, 12, 4)), "", "", h)
	return b.Op("Reshape", nil, out[0], b.Ints(-1, 1, int64(4*d))), out[1]
}

func TestTimeAxes(t *testing.T) {
	free := Dim{Size: -1, Name: "T"}
	forward := func(write func(b *Builder, x, h, y, hn string) (out, state string)) func(*Builder, string, string) (string, string) {
		return func(b *Builder, x, h string) (string, string) {
			y, hn := timed(t, b, nil, x, h)
			return write(b, x, h, y, hn)
		}
	}
	for name, c := range map[string]struct {
		write func(b *Builder, x, h string) (y, hn string)
		axis  int // of the output; -1 of the last step, -2 none
		why   string
	}{
		"its outputs": {forward(func(b *Builder, _, _, y, hn string) (string, string) { return b.Op("Tanh", nil, y), hn }), 0, ""},
		"a head on joined rows": {forward(func(b *Builder, _, _, y, hn string) (string, string) {
			y = b.Op("Gemm", nil, b.Op("Reshape", nil, y, b.Ints(-1, 4)), b.Constant("", must(New(F32, 4, 2))))
			return b.Op("Reshape", nil, y, b.Ints(-1, 1, 2)), hn
		}), 0, ""},
		"the last of them": {forward(func(b *Builder, _, _, y, hn string) (string, string) {
			return b.Op("Relu", nil, b.Op("Gather", Attrs{"axis": 0}, y, b.Constant("", Scalar(int64(-1))))), hn
		}), -1, ""},
		"the last, sliced": {forward(func(b *Builder, _, _, y, hn string) (string, string) {
			return b.Op("Slice", nil, y, b.Ints(-1), b.Ints(1<<40), b.Ints(0)), hn
		}), -1, ""},
		"the last state": {forward(func(b *Builder, _, _, _, hn string) (string, string) { return b.Op("Tanh", nil, hn), hn }), -1, ""},
		"an input behind": {forward(func(b *Builder, x, _, y, hn string) (string, string) {
			return b.Op("Concat", Attrs{"axis": -1}, x, y), hn
		}), 0, ""},
		"the first of them": {forward(func(b *Builder, _, _, y, hn string) (string, string) { return b.Op("Gather", nil, y, b.Ints(0)), hn }), -2, "mix"},
		"the last but one": {forward(func(b *Builder, _, _, y, hn string) (string, string) {
			return b.Op("Slice", nil, y, b.Ints(-2), b.Ints(-1), b.Ints(0)), hn
		}), -2, "mix"},
		"their mean": {forward(func(b *Builder, _, _, y, hn string) (string, string) {
			return b.Op("ReduceMean", nil, y, b.Ints(0)), hn
		}), -2, "ReduceMean"},
		"turned around": {forward(func(b *Builder, _, _, y, hn string) (string, string) {
			return b.Op("Slice", nil, y, b.Ints(-1), b.Ints(-100), b.Ints(0), b.Ints(-1)), hn
		}), -2, "Slice"},
		"with the last":   {forward(func(b *Builder, _, _, y, hn string) (string, string) { return b.Op("Mul", nil, y, hn), hn }), -2, "together"},
		"with the first":  {forward(func(b *Builder, _, h, y, hn string) (string, string) { return b.Op("Mul", nil, y, h), hn }), -2, "together"},
		"last and first":  {forward(func(b *Builder, _, h, _, hn string) (string, string) { return b.Op("Mul", nil, hn, h), hn }), -2, "together"},
		"the first state": {forward(func(b *Builder, _, h, _, hn string) (string, string) { return b.Op("Tanh", nil, h), hn }), -2, "before the first step"},
		"counted once a run": {forward(func(b *Builder, _, h, y, _ string) (string, string) {
			return y, b.Op("Add", nil, h, b.Constant("", Scalar(float32(1))))
		}), -2, ""},
		"a state that another begins": {func(b *Builder, x, h string) (string, string) {
			y, _ := timed(t, b, nil, x, "")
			return y, b.Op("Identity", nil, h)
		}, -2, "begins anew"},
		"from its end": {func(b *Builder, x, h string) (string, string) {
			return timed(t, b, Attrs{"direction": "reverse"}, x, h)
		}, -2, "from its end"},
		"once a run": {func(b *Builder, x, h string) (string, string) {
			y, hn := timed(t, b, nil, b.Constant("", must(New(F32, 1, 1, 3))), h)
			return b.Op("Mul", nil, y, b.Op("ReduceMax", nil, x, b.Ints(2))), hn
		}, -2, "once a run"},
		"convolved": {func(b *Builder, x, h string) (string, string) {
			z := b.Op("Conv", Attrs{"pads": []int64{1, 1}}, b.Op("Transpose", Attrs{"perm": []int64{1, 2, 0}}, x), b.Constant("", must(New(F32, 3, 3, 3))))
			return timed(t, b, nil, b.Op("Transpose", Attrs{"perm": []int64{2, 0, 1}}, z), h)
		}, -2, "Conv"},
	} {
		t.Run(name, func(t *testing.T) {
			var b Builder
			x := b.Input("x", F32, free, Dim{Size: 1}, Dim{Size: 3})
			h := b.Input("h0", F32, Dim{Size: 1}, Dim{Size: 1}, Dim{Size: 4})
			y, hn := c.write(&b, x, h)
			b.Output("y", F32, y)
			b.Output("hn", F32, hn)
			p := compiled(t, &b, Limits{})
			states := []State{{"h0", "hn"}}
			example := []Value{must(New(F32, 1, 1, 3)), must(New(F32, 1, 1, 4))}
			in, out, ok, why, err := p.TimeAxes(example, [][]bool{{true, false, false}, {false, false, false}}, states)
			if err != nil || ok != (c.axis > -2) || ok && (!slices.Equal(in, []int{0, -1}) || !slices.Equal(out, []int{c.axis, -1})) || !strings.Contains(why, c.why) {
				t.Fatalf("got %v %v %v %q %v, want axis %d, %q", in, out, ok, why, err, c.axis, c.why)
			}
			if back := p.Backward(states); (back != "") != (name == "from its end") {
				t.Errorf("it is said to read from the end: %q", back)
			}
			if whole, cut := inParts(t, p); ok {
				if err := testkit.SameBits(cut, whole); err != nil {
					t.Errorf("whole and in parts: %v", err)
				}
			}
		})
	}
}

// inParts runs 5 steps at once, and 2 and 3 with the state between; the numbers of
// the output, those of the last step if it has no others, and of the state.
func inParts(t *testing.T, p *Program) (whole, cut []float32) {
	t.Helper()
	x, h := drawn(t, rng.New(8), 5, 1, 3), drawn(t, rng.New(9), 1, 1, 4)
	all, first, second := make([]Value, 2), make([]Value, 2), make([]Value, 2)
	for _, r := range []struct{ in, out []Value }{
		{[]Value{x, h}, all},
		{[]Value{must(Of(Data[float32](x)[:6], 2, 1, 3)), h}, first},
	} {
		if err := p.Run(r.in, r.out); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Run([]Value{must(Of(Data[float32](x)[6:], 3, 1, 3)), first[1]}, second); err != nil {
		t.Skip(err) // a state that changes its shape
	}
	if all[0].Len() > second[0].Len() {
		cut = slices.Clone(Data[float32](first[0]))
	}
	return slices.Concat(Data[float32](all[0]), Data[float32](all[1])), slices.Concat(cut, Data[float32](second[0]), Data[float32](second[1]))
}
