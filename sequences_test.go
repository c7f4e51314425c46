package unroll

import (
	"fmt"
	"testing"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/scan"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// Workers that have a part of the sequences to themselves give the bits of one
// worker, whichever runs first: outputs, states and gradients of a pass, and a stream,
// whose state goes on.
func TestSharedSequencesGiveTheSameBits(t *testing.T) {
	low := scan.LimitsInUse()
	low.AloneRows, low.ChunkRows, low.AloneWeights, low.RowTile = 1, 25, 1000, 4
	defer scan.SetLimits(scan.SetLimits(low))
	batches, counts := []int{3, 10}, []int{2, 3}
	if testing.Short() {
		batches, counts = []int{10}, []int{3}
	}
	for _, cfg := range []Config{
		{Mode: RNNTanh, InputSize: 3, HiddenSize: 70, NumLayers: 2, BatchFirst: true},
		{Mode: LSTM, InputSize: 5, HiddenSize: 33, NumLayers: 2},
		{Mode: GRU, InputSize: 5, HiddenSize: 24, NumLayers: 1},
		{Mode: LSTM, InputSize: 5, HiddenSize: 20, NumLayers: 2, Bidirectional: true},
		{Mode: LSTM, InputSize: 5, HiddenSize: 24, NumLayers: 1, ProjSize: 7}, // goes another way
	} {
		levels.Each(func(level string) {
			for _, b := range batches {
				want := sequencesRun(t, cfg, b, 1)
				for _, workers := range counts {
					for name, next := range map[string]func(phase, n int) []int{
						"first to last": func(_, n int) []int { return upTo(n, false) },
						"last to first": func(_, n int) []int { return upTo(n, true) },
						"side by side":  nil,
					} {
						kernel.RunInTurns(next)
						got := sequencesRun(t, cfg, b, workers)
						kernel.RunInTurns(nil)
						for i := range want {
							testkit.Bits(t, fmt.Sprintf("%v, B=%d, %d workers, %s, %s: result %d", cfg, b, workers, level, name, i), got[i], want[i])
						}
					}
				}
			}
		})
	}
}

func upTo(n int, back bool) (all []int) {
	for i := range n {
		if back {
			i = n - 1 - i
		}
		all = append(all, i)
	}
	return all
}

// sequencesRun returns all results of a pass, of a recorded one, and of some steps of
// a stream.
func sequencesRun(t *testing.T, cfg Config, b, workers int) (all [][]float32) {
	was := kernel.RunExactly(true)
	defer kernel.RunExactly(was)
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g := rng.New(3)
	l.ResetParameters(g)
	x := tensor.New(7, b, cfg.InputSize)
	if cfg.BatchFirst {
		x = tensor.New(b, 7, cfg.InputSize)
	}
	rng.Randn(g, x.Data)
	add := func(all [][]float32, d ...[]float32) [][]float32 {
		for _, v := range d {
			all = append(all, append([]float32(nil), v...))
		}
		return all
	}
	p := Pass{Layer: l, Workers: workers}
	for range 2 { // the second time in the same memory
		y, sn, err := p.Forward(x, State{})
		if err != nil {
			t.Fatal(err)
		}
		all = add(all, y.Data, sn.H.Data, sn.C.Data)
	}
	p.Record = true
	y, sn, err := p.Forward(x, State{})
	if err != nil {
		t.Fatal(err)
	}
	all = add(all, y.Data, sn.H.Data, sn.C.Data)
	dx, ds, err := p.Backward(y, State{})
	if err != nil {
		t.Fatal(err)
	}
	all = add(all, dx.Data, ds.H.Data, ds.C.Data)
	for _, q := range p.Grads.Params() {
		all = add(all, q.Value.Data)
	}
	if cfg.Bidirectional {
		return all
	}
	s, err := l.NewStream(b)
	if err != nil {
		t.Fatal(err)
	}
	s.SetWorkers(workers)
	step := make([]float32, b*cfg.OutputSize())
	for i := range 3 {
		if err := s.Step(step, x.Data[i*cfg.InputSize*b:(i+1)*cfg.InputSize*b]); err != nil {
			t.Fatal(err)
		}
		st := s.State()
		all = add(all, step, st.H.Data, st.C.Data)
	}
	return all
}
