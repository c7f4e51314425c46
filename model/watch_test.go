package model

import (
	"errors"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll"
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
