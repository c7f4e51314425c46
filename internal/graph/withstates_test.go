package graph

import (
	"slices"
	"strings"
	"testing"

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

// A state that is learned stays, and so does one of both directions, which is said.
func TestWithStatesLeavesWhatBeginsOtherwise(t *testing.T) {
	with, _, err := WithStates(hidden(t, true), Limits{})
	if err != nil || len(with.Inputs) != 4 {
		t.Fatal(err, with.Inputs)
	}
	p, err := Compile(with, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	open := [][]bool{{true, false, false}, make([]bool, 3), make([]bool, 3), make([]bool, 3)}
	_, _, ok, why, err := p.TimeAxes([]Value{must(New(F32, 1, 1, 3)), must(New(F32, 1, 1, 4)), must(New(F32, 1, 1, 4)), must(New(F32, 1, 1, 5))}, open, States(with))
	if err != nil || ok || !strings.Contains(why, "(RNN) begins anew with every run") {
		t.Errorf("it streams: %v %q %v", ok, why, err)
	}
	b, g := &Builder{}, rng.New(3)
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
