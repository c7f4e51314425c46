package unroll

import (
	"fmt"
	"testing"

	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// BenchmarkSmall is forward passes and training steps (forward and backward) of
// small layers, where gates, states and calls weigh as much as products.
func BenchmarkSmall(b *testing.B) {
	for _, s := range []struct {
		mode             Mode
		in, hidden, t, b int
	}{
		{LSTM, 16, 16, 24, 512},
		{LSTM, 17, 17, 100, 1},
		{LSTM, 1, 50, 24, 64},
		{LSTM, 1, 64, 96, 64},
		{LSTM, 64, 64, 24, 64},
		{LSTM, 64, 64, 1, 512},
		{GRU, 1, 32, 24, 64},
		{GRU, 64, 64, 24, 64},
		{RNNTanh, 32, 32, 24, 64},
	} {
		for _, train := range []bool{false, true} {
			name := fmt.Sprintf("%v_I%d_H%d_T%d_B%d/train=%v", s.mode, s.in, s.hidden, s.t, s.b, train)
			b.Run(name, func(b *testing.B) {
				l, err := New(Config{Mode: s.mode, InputSize: s.in, HiddenSize: s.hidden})
				if err != nil {
					b.Fatal(err)
				}
				g := rng.New(1)
				l.ResetParameters(g)
				x, dy := tensor.New(s.t, s.b, s.in), tensor.New(s.t, s.b, s.hidden)
				rng.Randn(g, x.Data)
				rng.Randn(g, dy.Data)
				p := Pass{Layer: l, Workers: 1, Train: train}
				for b.Loop() {
					if _, _, err := p.Forward(x, State{}); err != nil {
						b.Fatal(err)
					}
					if !train {
						continue
					}
					if _, _, err := p.Backward(dy, State{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
