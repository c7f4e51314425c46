package graph

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
)

// hidden is a model as exporters write it: an LSTM from zeros of the batch's size,
// another from a constant of zeros, whose last state is read, and a head. The state
// of the third node is learned.
func hidden(t *testing.T, learned bool) *Graph {
	t.Helper()
	g, b := rng.New(3), &Builder{}
	param := func(shape ...int) string { return b.Constant("", drawn(t, g, shape...)) }
	x := b.Input("x", F32, Dim{Size: -1, Name: "time"}, Dim{Size: -1, Name: "batch"}, Dim{Size: 3})
	n := b.Op("Gather", nil, b.Op("Shape", nil, x), b.Ints(1))
	zeros := b.Op("ConstantOfShape", nil, b.Op("Concat", Attrs{"axis": 0}, b.Ints(2), n, b.Ints(4)))
	first := b.Op("Slice", nil, zeros, b.Ints(0), b.Ints(1), b.Ints(0))
	y := b.Ops("LSTM", 1, Attrs{"hidden_size": int64(4)}, x, param(1, 16, 3), param(1, 16, 4), "", "", first, first)
	z := b.Ops("GRU", 2, Attrs{"hidden_size": int64(5)}, b.Op("Squeeze", nil, y[0], b.Ints(1)), param(1, 15, 4), param(1, 15, 5), "", "",
		b.Op("Expand", nil, b.Constant("", must(New(F32, 1, 1, 5))), b.Op("Concat", Attrs{"axis": 0}, b.Ints(1), n, b.Ints(5))))
	out := b.Op("Tanh", nil, z[1])
	if learned {
		h := b.Op("Expand", nil, b.Constant("", drawn(t, g, 1, 1, 2)), b.Op("Concat", Attrs{"axis": 0}, b.Ints(1), n, b.Ints(2)))
		out = b.Ops("RNN", 2, Attrs{"hidden_size": int64(2)}, b.Op("Squeeze", nil, z[0], b.Ints(1)), param(1, 2, 5), param(1, 2, 2), "", "", h)[1]
	}
	b.Output("y", F32, out)
	return b.Graph()
}

// A graph with its states as inputs and outputs gives from zeros what it gave, and
// in two parts what it gives at once; its steps are of time.
func TestWithStates(t *testing.T) {
	g := hidden(t, false)
	nodes := len(g.Nodes)
	with, notes, err := WithStates(g, Limits{})
	if err != nil || len(notes) != 0 {
		t.Fatal(notes, err)
	}
	if len(g.Inputs) != 1 || len(g.Outputs) != 1 || len(g.Nodes) != nodes {
		t.Error("the graph was changed")
	}
	var ports []string
	for _, p := range with.Inputs[1:] {
		ports = append(ports, p.Name+" "+p.String())
	}
	want := []string{"h_0.LSTM.8 float32 [1 batch 4]", "c_0.LSTM.8 float32 [1 batch 4]", "h_0.GRU.20 float32 [1 batch 5]"}
	for i, p := range ports {
		if name, shape, _ := strings.Cut(p, " "); len(ports) != 3 || name[:4] != want[i][:4] || !strings.HasSuffix(want[i], shape) {
			t.Errorf("states %q", ports)
		}
	}
	states := States(with)
	if len(states) != 3 {
		t.Fatalf("pairs %v", states)
	}
	p, err := Compile(with, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	before, err := Compile(g, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	x := drawn(t, rng.New(8), 5, 2, 3)
	alone := make([]Value, 1)
	if err := before.Run([]Value{x}, alone); err != nil {
		t.Fatal(err)
	}
	zeros := func() []Value {
		return []Value{must(New(F32, 1, 2, 4)), must(New(F32, 1, 2, 4)), must(New(F32, 1, 2, 5))}
	}
	whole, first, second := make([]Value, 4), make([]Value, 4), make([]Value, 4)
	if err := p.Run(append([]Value{x}, zeros()...), whole); err != nil {
		t.Fatal(err)
	}
	testkit.Bits(t, "from zeros", Data[float32](whole[0]), Data[float32](alone[0]))
	if err := p.Run(append([]Value{must(Of(Data[float32](x)[:12], 2, 2, 3))}, zeros()...), first); err != nil {
		t.Fatal(err)
	}
	in := []Value{must(Of(Data[float32](x)[12:], 3, 2, 3))}
	for _, s := range states {
		in = append(in, first[slices.IndexFunc(with.Outputs, func(p Port) bool { return p.Name == s.Output })])
	}
	if err := p.Run(in, second); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		testkit.Bits(t, with.Outputs[i].Name, Data[float32](second[i]), Data[float32](whole[i]))
	}
	open := [][]bool{{true, false, false}, make([]bool, 3), make([]bool, 3), make([]bool, 3)}
	if _, _, ok, why, err := p.TimeAxes(append([]Value{must(New(F32, 1, 1, 3))}, must(New(F32, 1, 1, 4)), must(New(F32, 1, 1, 4)), must(New(F32, 1, 1, 5))), open, states); !ok || err != nil {
		t.Errorf("no axis of time: %s, %v", why, err)
	}
}

// A state that was learnt is one too, which begins with what was: written and read
// again as well.
func TestWithStatesLearnt(t *testing.T) {
	g := hidden(t, true)
	with, notes, err := WithStates(g, Limits{})
	if err != nil || len(with.Inputs) != 5 || len(notes) != 1 || !strings.Contains(notes[0], "(RNN) begins with the state that the file holds") {
		t.Fatal(err, with.Inputs, notes)
	}
	for _, in := range with.Inputs[:4] {
		if !in.Start.IsZero() {
			t.Errorf("%s begins with %v", in.Name, in.Start)
		}
	}
	var file bytes.Buffer
	if err := WriteONNX(&file, with); err != nil {
		t.Fatal(err)
	}
	f, err := onnx.Parse(file.Bytes(), "")
	if err != nil {
		t.Fatal(err)
	}
	again, err := FromONNX(f)
	if err != nil || len(again.Inputs) != 5 {
		t.Fatal(err, again)
	}
	x := drawn(t, rng.New(8), 5, 2, 3)
	want, parts := runStates(t, g, x), must(Of(Data[float32](x)[12:], 3, 2, 3))
	for _, with := range []*Graph{with, again} {
		testkit.Bits(t, "from the beginning", Data[float32](runStates(t, with, x)[0]), Data[float32](want[0]))
		first := runStates(t, with, must(Of(Data[float32](x)[:12], 2, 2, 3)))
		var carried []Value
		for _, s := range States(with) {
			carried = append(carried, first[slices.IndexFunc(with.Outputs, func(p Port) bool { return p.Name == s.Output })])
		}
		testkit.Bits(t, "in parts", Data[float32](runStates(t, with, parts, carried...)[0]), Data[float32](want[0]))
	}
}

// runStates runs a graph on x and on states, or on what they begin with.
func runStates(t *testing.T, g *Graph, x Value, states ...Value) []Value {
	t.Helper()
	p, err := Compile(g, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	in := []Value{x}
	for i, port := range g.Inputs[1:] {
		v := must(New(F32, 1, x.Shape[1], port.Shape[2].Size))
		if len(states) > 0 {
			v = states[i]
		} else if !port.Start.IsZero() {
			v = must(port.Start.Repeated(v.Shape...))
		}
		in = append(in, v)
	}
	out := make([]Value, len(g.Outputs))
	if err := p.Run(in, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// What a node begins with is no state to carry if inputs say it, or lengths; the
// notes say so. Nor has a node of both directions one.
func TestWithStatesLeavesWhatBeginsOtherwise(t *testing.T) {
	g := rng.New(3)
	for _, c := range []struct {
		name, why string
		begin     func(b *Builder, x string) string
	}{
		{"computed", "it begins with a value that is computed from the inputs", func(b *Builder, x string) string {
			return b.Op("ReduceMean", Attrs{"axes": []int64{0}}, x)
		}},
		{"by length", "the state that it begins with is not the same for every sequence and length", func(b *Builder, x string) string {
			n := b.Op("Cast", Attrs{"to": int64(1)}, b.Op("Shape", nil, x))
			return b.Op("Mul", nil, b.Constant("", drawn(t, g, 1, 2, 3)), b.Op("Gather", nil, n, b.Ints(0)))
		}},
		{"rows", "the state that it begins with is not the same for every sequence and length", func(b *Builder, x string) string {
			n := b.Op("Slice", nil, b.Op("Shape", nil, x), b.Ints(1), b.Ints(2))
			return b.Op("Slice", nil, b.Constant("", drawn(t, g, 1, 9, 3)), b.Ints(0), n, b.Ints(1))
		}},
	} {
		b := &Builder{}
		x := b.Input("x", F32, Dim{Size: -1, Name: "time"}, Dim{Size: -1, Name: "batch"}, Dim{Size: 3})
		y := b.Ops("GRU", 1, Attrs{"hidden_size": int64(3)}, x, b.Constant("", drawn(t, g, 1, 9, 3)), b.Constant("", drawn(t, g, 1, 9, 3)), "", "", c.begin(b, x))
		b.Output("y", F32, y[0])
		of := b.Graph()
		if with, notes, err := WithStates(of, Limits{}); err != nil || with != of || len(notes) != 1 || !strings.Contains(notes[0], c.why) {
			t.Errorf("%s: %v %q", c.name, err, notes)
		}
	}
	b := &Builder{}
	x := b.Input("x", F32, Dim{Size: 7}, Dim{Size: 2}, Dim{Size: 3})
	y := b.Ops("RNN", 1, Attrs{"hidden_size": int64(4), "direction": "bidirectional"}, x, b.Constant("", drawn(t, g, 2, 4, 3)), b.Constant("", drawn(t, g, 2, 4, 4)))
	b.Output("y", F32, y[0])
	both := b.Graph()
	if with, notes, err := WithStates(both, Limits{}); err != nil || with != both || len(notes) != 1 || !strings.Contains(notes[0], "reads sequences from their end too") {
		t.Errorf("%v %v", notes, err)
	}
	b = &Builder{} // a batch of a fixed size
	x = b.Input("x", F32, Dim{Size: 7}, Dim{Size: 2}, Dim{Size: 3})
	y = b.Ops("RNN", 1, Attrs{"hidden_size": int64(4)}, x, b.Constant("", drawn(t, g, 1, 4, 3)), b.Constant("", drawn(t, g, 1, 4, 4)))
	b.Output("y", F32, y[0])
	if with, _, err := WithStates(b.Graph(), Limits{}); err != nil || with.Inputs[1].String() != "float32 [1 2 4]" || with.Outputs[1].String() != "float32 [1 2 4]" {
		t.Errorf("%v %v", with.Inputs, err)
	}
}
