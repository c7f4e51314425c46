package model

import (
	"errors"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
)

// A watched run gives the run's own numbers, shows every operator that an input
// reaches, and its recurrent layers run by themselves to the same bits.
func TestWatchShowsTheRun(t *testing.T) {
	m := folder(t, nn.Config{RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 5, NumLayers: 2, Bidirectional: true}, OutFeatures: 2})
	data := make([]float32, 7*3)
	rng.Randn(rng.New(1), data)
	x, err := Of(data, 7, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Run(map[string]Value{"input": x})
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	values := map[string][]float32{}
	err = m.Watch(map[string]Value{"input": x}, func(s Seen) error {
		ops = append(ops, s.Op)
		for i, name := range s.Outputs {
			values[name] = slices.Clone(Data[float32](s.Out[i]))
		}
		if s.Layer == nil {
			return nil
		}
		y, _, err := s.Layer.Forward(s.In[0].Dense(), unroll.State{})
		if err != nil {
			return err
		}
		if !slices.Equal(y.Data, Data[float32](s.Out[0])) || !s.Own {
			t.Errorf("%s: the layer alone gives other numbers", s.Name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(ops, "Layer") || len(ops) < 2 {
		t.Errorf("operators %v", ops)
	}
	for name, v := range want {
		if !slices.Equal(values[name], Data[float32](v)) {
			t.Errorf("%s: the watched run has %v, the run %v", name, values[name], Data[float32](v))
		}
	}
	stop := errors.New("enough")
	if err := m.Watch(map[string]Value{"input": x}, func(Seen) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a stopped run: %v", err)
	}
	if err := m.Watch(nil, func(Seen) error { return nil }); !errors.Is(err, ErrInput) {
		t.Errorf("without an input: %v", err)
	}
}

// Last is told once, when no recurrent operator comes any more: after an If whose branch
// may have one, and before what follows it.
func TestWatchTellsTheLastLayer(t *testing.T) {
	g := rng.New(2)
	b := &graph.Builder{}
	x := b.Input("input", graph.F32, anySize(""), anySize(""), sized(3))
	sr := b.Input("sr", graph.I64)
	y := b.Op("Squeeze", nil, b.Ops("LSTM", 3, graph.Attrs{"hidden_size": int64(4)}, x, drawnValue(t, b, g, 1, 16, 3), drawnValue(t, b, g, 1, 16, 4))[0], b.Ints(1))
	w, r := drawnValue(t, b, g, 1, 8, 4), drawnValue(t, b, g, 1, 8, 2)
	branch := func(name, op string, attrs graph.Attrs, in ...string) *graph.Graph {
		var g graph.Builder
		g.Output(name, graph.F32, g.Ops(op, 1, attrs, in...)[0])
		return g.Graph()
	}
	is := b.Op("Equal", nil, sr, b.Constant("", graph.Scalar(int64(1))))
	y = b.Op("If", graph.Attrs{
		"then_branch": branch("inner", "LSTM", graph.Attrs{"hidden_size": int64(2)}, y, w, r),
		"else_branch": branch("other", "Relu", nil, y),
	}, is)
	b.Output("output", graph.F32, b.Op("Sigmoid", nil, y))
	m := written(t, b)
	for rate, want := range map[int64]int{1: 2, 0: 1} {
		layers, last, after := 0, 0, ""
		err := m.Watch(map[string]Value{"input": of(t, make([]float32, 5*3), 5, 1, 3), "sr": of(t, []int64{rate})}, func(s Seen) error {
			if s.Layer != nil {
				if layers++; last > 0 {
					t.Errorf("%d: a layer after the last", rate)
				}
			}
			if last > 0 {
				after += s.Op
			}
			if s.Last {
				last++
			}
			return nil
		})
		if err != nil || layers != want || last != 1 || after != "SigmoidIdentity" {
			t.Errorf("%d: %d layers, want %d; the last told %d times, before %q; %v", rate, layers, want, last, after, err)
		}
	}
}
