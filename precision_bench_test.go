package unroll_test

import (
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// BenchmarkPrecision is the workloads of the benchmark whose weights may be rounded,
// in each precision, with one worker: a step of a stream, or a pass.
func BenchmarkPrecision(b *testing.B) {
	for _, w := range []struct {
		name         string
		cfg          unroll.Config
		steps, batch int
	}{
		{"W1", unroll.Config{Mode: unroll.LSTM, InputSize: 256, HiddenSize: 256, NumLayers: 2}, 1, 1},
		{"W2", unroll.Config{Mode: unroll.GRU, InputSize: 40, HiddenSize: 128, NumLayers: 2}, 1, 1},
		{"W4", unroll.Config{Mode: unroll.LSTM, InputSize: 650, HiddenSize: 650, NumLayers: 2}, 35, 20},
		{"W6", unroll.Config{Mode: unroll.GRU, InputSize: 1024, HiddenSize: 1024, NumLayers: 3}, 100, 64},
		{"W8", unroll.Config{Mode: unroll.LSTM, InputSize: 64, HiddenSize: 256, NumLayers: 2}, 1, 256},
		{"beyond the caches", unroll.Config{Mode: unroll.LSTM, InputSize: 2048, HiddenSize: 2048, NumLayers: 2}, 1, 1},
	} {
		b.Run(w.name, func(b *testing.B) {
			full, err := unroll.New(w.cfg)
			if err != nil {
				b.Fatal(err)
			}
			full.ResetParameters(rng.New(1))
			for p := unroll.Full; p <= lastPrecision; p++ {
				b.Run(p.String(), func(b *testing.B) {
					l, err := full.Quantize(p)
					if err != nil {
						b.Fatal(err)
					}
					benchLayer(b, l, w.steps, w.batch)
				})
			}
		})
	}
}

// benchLayer runs a stream's steps, or passes of several steps.
func benchLayer(b *testing.B, l *unroll.Layer, steps, batch int) {
	x := tensor.New(steps, batch, l.Config().InputSize)
	rng.Randn(rng.New(2), x.Data)
	if steps > 1 {
		pass := &unroll.Pass{Layer: l, Workers: 1}
		for b.Loop() {
			if _, _, err := pass.Forward(x, unroll.State{}); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
	s, err := l.NewStream(batch)
	if err != nil {
		b.Fatal(err)
	}
	s.SetWorkers(1)
	y := make([]float32, batch*l.Config().HiddenSize)
	for b.Loop() {
		if err := s.Step(y, x.Data); err != nil {
			b.Fatal(err)
		}
	}
}
