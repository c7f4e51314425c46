package graph

import (
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// The operator Layer is a pass of its layer: state in and out, lengths, a mask of
// steps, and in float64 the layer of as wide parameters.
func TestLayerIsAPassOfIt(t *testing.T) {
	for _, cfg := range []unroll.Config{
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 5, NumLayers: 2, ProjSize: 2, Bidirectional: true},
		{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, BatchFirst: true},
	} {
		l, err := unroll.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		g := rng.New(1)
		l.ResetParameters(g)
		x, h0, c0 := tensor.New(4, 4, 3), tensor.New(cfg.Layers()*cfg.Directions(), 4, cfg.StateSize()), tensor.New(cfg.Layers()*cfg.Directions(), 4, cfg.HiddenSize)
		for _, d := range []tensor.Dense{x, h0, c0} {
			rng.Randn(g, d.Data)
		}
		lengths, counts := []int64{4, 2, 3, 4}, make([]bool, 16)
		p := unroll.Pass{Layer: l, Lengths: []int{4, 2, 3, 4}, Masked: make([]bool, 16)}
		for i := range counts {
			counts[i] = i%3 > 0
			at := i
			if cfg.BatchFirst { // the pass's mask is time first
				at = i%4*4 + i/4
			}
			p.Masked[at] = !counts[i]
		}
		var b Builder
		in := []string{b.Input("x", F32), b.Input("h", F32), b.Input("c", F32), b.Input("n", I64), b.Input("mask", Bool)}
		s0 := unroll.State{H: h0, C: c0}
		if !cfg.HasCell() {
			s0.C, in[2] = tensor.Dense{}, ""
		}
		y, hn, cn := b.Layer(l, in[0], in[1], in[2], in[3], in[4])
		b.Output("y", F32, y)
		b.Output("hn", F32, hn)
		if cn != "" {
			b.Output("cn", F32, cn)
		}
		program, err := Compile(b.Graph(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		value := func(d tensor.Dense) Value { return must(Of(d.Data, d.Shape...)) }
		inputs := []Value{value(x), value(h0), value(c0), Vector(lengths...), must(Of(counts, 4, 4))}
		out := make([]Value, len(program.graph.Outputs))
		for range 2 {
			if err := program.Run(inputs, out); err != nil {
				t.Fatal(err)
			}
		}
		want, sn, err := p.Forward(x, s0)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Bits(t, "y", Data[float32](out[0]), want.Data)
		testkit.Bits(t, "h_n", Data[float32](out[1]), sn.H.Data)
		if cn != "" {
			testkit.Bits(t, "c_n", Data[float32](out[2]), sn.C.Data)
		}
		if n := testing.AllocsPerRun(10, func() {
			if err := program.Run(inputs, out); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations in a steady run", n)
		}
	}
}
