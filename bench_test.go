package unroll

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// benchStream returns a stream of an LSTM and a step of noise for it.
func benchStream(tb testing.TB) (s *Stream, y, noise []float32) {
	tb.Helper()
	l, err := New(Config{Mode: LSTM, InputSize: 64, HiddenSize: 256, NumLayers: 2})
	if err != nil {
		tb.Fatal(err)
	}
	g := rng.New(1)
	l.ResetParameters(g)
	// Without biases and with small recurrent weights silence fades, as in a
	// trained gate that has learnt to forget.
	l.Update(func(params []Param) {
		for _, p := range params {
			if len(p.Value.Shape) == 1 {
				clear(p.Value.Data)
			}
		}
	})
	if s, err = l.NewStream(1); err != nil {
		tb.Fatal(err)
	}
	s.SetWorkers(1)
	noise = make([]float32, 64)
	rng.Randn(g, noise)
	return s, make([]float32, 256), noise
}

// BenchmarkSilence is 10,000 steps of a stream, loud, and silent after one loud
// step: the states fade into the numbers below the normal range, which cost
// common processors up to 200 times as much as others.
func BenchmarkSilence(b *testing.B) {
	for _, c := range []struct {
		name   string
		silent bool
	}{{"loud", false}, {"silent", true}} {
		b.Run(c.name, func(b *testing.B) {
			s, y, noise := benchStream(b)
			silence := make([]float32, len(noise))
			for b.Loop() {
				if err := s.Reset(); err != nil {
					b.Fatal(err)
				}
				x := noise
				for range 10_000 {
					if err := s.Step(y, x); err != nil {
						b.Fatal(err)
					}
					if c.silent {
						x = silence
					}
				}
			}
		})
	}
}

// TestMemoryOfALayer: a layer that has run costs its parameters and one packed
// copy of them; a pass costs what its chunk of time needs.
func TestMemoryOfALayer(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const hidden = 512
	parameters := int64(4 * 2 * 4 * hidden * (2*hidden + 2)) // bytes of two layers
	before := heap()
	l, err := New(Config{Mode: LSTM, InputSize: hidden, HiddenSize: hidden, NumLayers: 2})
	if err != nil {
		t.Fatal(err)
	}
	l.ResetParameters(rng.New(1))
	p := &Pass{Layer: l, Workers: 1}
	if _, _, err := p.Forward(tensor.New(4, 1, hidden), State{}); err != nil {
		t.Fatal(err)
	}
	got := heap() - before
	if most := 2*parameters + parameters/10; got > most {
		t.Errorf("a layer of %d bytes costs %d, expected at most %d", parameters, got, most)
	}
	runtime.KeepAlive(p)
}

// BenchmarkVariant compares a plain LSTM with one whose functions differ, and a
// GRU with one that resets before the product.
func BenchmarkVariant(b *testing.B) {
	hard := Activation{Name: "HardSigmoid", Alpha: 0.2, Beta: 0.5}
	for _, row := range []struct {
		name string
		cfg  Config
	}{
		{"LSTM", Config{Mode: LSTM, InputSize: 64, HiddenSize: 256}},
		{"LSTM relu", Config{Mode: LSTM, InputSize: 64, HiddenSize: 256, Variant: Variant{Activations: [3]Activation{{}, {Name: "Relu"}, {Name: "Relu"}}}}},
		{"LSTM hard", Config{Mode: LSTM, InputSize: 64, HiddenSize: 256, Variant: Variant{Activations: [3]Activation{hard}}}},
		{"GRU", Config{Mode: GRU, InputSize: 64, HiddenSize: 256}},
		{"GRU hard", Config{Mode: GRU, InputSize: 64, HiddenSize: 256, Variant: Variant{Activations: [3]Activation{hard}}}},
		{"GRU reset before", Config{Mode: GRU, InputSize: 64, HiddenSize: 256, Variant: Variant{ResetBefore: true}}},
	} {
		for _, batch := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/B%d", row.name, batch), func(b *testing.B) {
				l, err := New(row.cfg)
				if err != nil {
					b.Fatal(err)
				}
				g := rng.New(1)
				l.ResetParameters(g)
				x := tensor.New(50, batch, 64)
				rng.Randn(g, x.Data)
				p := Pass{Layer: l, Workers: 1}
				for b.Loop() {
					if _, _, err := p.Forward(x, State{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
