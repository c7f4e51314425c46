package nn_test

import (
	"errors"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

func streamConfigs() map[string]nn.Config {
	return map[string]nn.Config{
		"tokens":      {NumEmbeddings: 7, EmbeddingDim: 5, OutFeatures: 4, HeadDropout: .5, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 18, NumLayers: 2, ProjSize: 3}},
		"tied":        {NumEmbeddings: 7, EmbeddingDim: 6, OutFeatures: 7, TieWeights: true, NoHeadBias: true, RNN: unroll.Config{Mode: unroll.GRU, HiddenSize: 6}},
		"features":    {OutFeatures: 3, RNN: unroll.Config{Mode: unroll.RNNTanh, InputSize: 3, HiddenSize: 20}},
		"last":        {OutFeatures: 3, Output: "last", RNN: unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 9, NumLayers: 2}},
		"batch first": {NumEmbeddings: 7, EmbeddingDim: 5, OutFeatures: 4, RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 8, BatchFirst: true}},
	}
}

// Step by step a stream gives the bits of a pass over the whole, with its states
// set in the middle from another's; with Output "last" those of passes that end at
// each step.
func TestStreamIsThePassStepByStep(t *testing.T) {
	const steps, batch = 5, 3
	for name, cfg := range streamConfigs() {
		m, err := nn.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		g := rng.New(1)
		m.ResetParameters(g)
		x := tensor.New(steps, batch, 3)
		rng.Randn(g, x.Data)
		tokens := []int{0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0, 1, 2}
		c := m.Config()
		whole := func(n int) []float32 { // the logits of the last of n steps
			in := nn.Input{Features: tensor.Dense{Shape: []int{n, batch, 3}, Data: x.Data[:n*batch*3]}}
			if c.NumEmbeddings > 0 {
				in = nn.Input{Tokens: tokens[:n*batch], T: n, B: batch}
				if c.RNN.BatchFirst {
					in.Tokens = nil
					for b := range batch {
						for k := range n {
							in.Tokens = append(in.Tokens, tokens[k*batch+b])
						}
					}
				}
			}
			y, _, err := (&nn.Pass{Model: m}).Forward(in, unroll.State{})
			if err != nil {
				t.Fatal(err)
			}
			if c.RNN.BatchFirst {
				var last []float32
				for b := range batch {
					last = append(last, y.Data[((b+1)*n-1)*c.OutFeatures:][:c.OutFeatures]...)
				}
				return last
			}
			return y.Data[len(y.Data)-batch*c.OutFeatures:]
		}
		s, err := m.NewStream(batch)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, batch*c.OutFeatures)
		step := func(s *nn.Stream, k int) error {
			if c.NumEmbeddings > 0 {
				return s.StepTokens(got, tokens[k*batch:(k+1)*batch])
			}
			return s.Step(got, x.Data[k*batch*3:(k+1)*batch*3])
		}
		for k := range steps {
			if k == 2 { // another stream takes over, on two workers
				other, err := m.NewStream(batch)
				if err != nil {
					t.Fatal(err)
				}
				other.SetWorkers(2)
				if err := other.SetState(s.State()); err != nil {
					t.Fatal(err)
				}
				s = other
			}
			if err := step(s, k); err != nil {
				t.Fatal(err)
			}
			testkit.Bits(t, name, got, whole(k+1))
		}
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		if err := step(s, 0); err != nil {
			t.Fatal(err)
		}
		testkit.Bits(t, name+" after a reset", got, whole(1))
		if n := testing.AllocsPerRun(20, func() { _ = step(s, 1) }); n != 0 {
			t.Errorf("%s: %v allocations a step", name, n)
		}
		if s.Batch() != batch {
			t.Errorf("%s: a batch of %d", name, s.Batch())
		}
	}
}

func TestStreamRefuses(t *testing.T) {
	words, err := nn.New(nn.Config{NumEmbeddings: 5, EmbeddingDim: 4, OutFeatures: 2, RNN: unroll.Config{Mode: unroll.GRU, HiddenSize: 3}})
	if err != nil {
		t.Fatal(err)
	}
	words.ResetParameters(rng.New(1))
	numbers, err := nn.New(nn.Config{OutFeatures: 2, RNN: unroll.Config{Mode: unroll.GRU, InputSize: 4, HiddenSize: 3}})
	if err != nil {
		t.Fatal(err)
	}
	both, err := nn.New(nn.Config{OutFeatures: 2, RNN: unroll.Config{Mode: unroll.GRU, InputSize: 4, HiddenSize: 3, Bidirectional: true}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := words.NewStream(2)
	if err != nil {
		t.Fatal(err)
	}
	n, err := numbers.NewStream(2)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, 4)
	if err := w.StepTokens(out, []int{1, 2}); err != nil {
		t.Fatal(err)
	}
	before := w.State().H.Clone()
	_, noModel := new(nn.Model).NewStream(1)
	_, noBatch := words.NewStream(0)
	_, twoWays := both.NewStream(1)
	for name, c := range map[string]struct{ err, kind error }{
		"no model": {noModel, nn.ErrUsage}, "no batch": {noBatch, unroll.ErrUsage}, "both ways": {twoWays, unroll.ErrUsage},
		"zero stream":        {new(nn.Stream).Step(out, out), nn.ErrUsage},
		"zero stream tokens": {new(nn.Stream).StepTokens(out, nil), nn.ErrUsage},
		"zero stream state":  {new(nn.Stream).SetState(unroll.State{}), nn.ErrUsage},
		"zero stream reset":  {new(nn.Stream).Reset(), nn.ErrUsage},
		"features":           {w.Step(out, make([]float32, 8)), nn.ErrUsage},
		"tokens":             {n.StepTokens(out, []int{1, 2}), nn.ErrUsage},
		"one token":          {w.StepTokens(out, []int{1}), nn.ErrShape},
		"no such token":      {w.StepTokens(out, []int{1, 5}), nn.ErrIndex},
		"short logits":       {w.StepTokens(out[:3], []int{1, 2}), nn.ErrShape},
		"short x":            {n.Step(out, make([]float32, 7)), nn.ErrShape},
		"no such sequence":   {w.Reset(2), unroll.ErrUsage},
	} {
		if !errors.Is(c.err, c.kind) {
			t.Errorf("%s: %v, want %v", name, c.err, c.kind)
		}
	}
	testkit.BitsDense(t, "state after what was refused", w.State().H, before)
	if z := new(nn.Stream); z.Batch() != 0 || !z.State().H.IsZero() {
		t.Error("the zero stream has a batch or a state")
	}
	new(nn.Stream).SetWorkers(2)
}

// One sequence without a batch dimension gives the bits of a batch of one, also
// backwards, without that dimension.
func TestUnbatchedIsABatchOfOne(t *testing.T) {
	for name, cfg := range streamConfigs() {
		if name == "last" {
			cfg.RNN.Bidirectional = true
		}
		m, err := nn.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		m.ResetParameters(rng.New(1))
		x := tensor.New(4, 1, 3)
		if cfg.RNN.BatchFirst {
			x.Shape = []int{1, 4, 3}
		}
		rng.Randn(rng.New(2), x.Data)
		run := func(in nn.Input) (y tensor.Dense, sn unroll.State, grads [][]float32) {
			p := nn.Pass{Model: m, Train: true, Generator: rng.New(3)}
			if cfg.NumEmbeddings > 0 {
				in.Features = tensor.Dense{}
			} else {
				in = nn.Input{Features: in.Features}
			}
			y, sn, err := p.Forward(in, unroll.State{})
			if err != nil {
				t.Fatal(name, err)
			}
			if err := p.Backward(y.Clone()); err != nil {
				t.Fatal(name, err)
			}
			for _, q := range p.Params() {
				grads = append(grads, q.Grad.Data)
			}
			return y, sn, grads
		}
		tokens := []int{3, 0, 6, 3}
		want, wantState, wantGrads := run(nn.Input{Tokens: tokens, T: 4, B: 1, Features: x})
		got, state, grads := run(nn.Input{Tokens: tokens, Features: tensor.Dense{Shape: []int{4, 3}, Data: x.Data}})
		testkit.Bits(t, name+" logits", got.Data, want.Data)
		testkit.Bits(t, name+" state", state.H.Data, wantState.H.Data)
		for i := range grads {
			testkit.Bits(t, name+" gradient", grads[i], wantGrads[i])
		}
		if got.Rank() != want.Rank()-1 || state.H.Rank() != 2 {
			t.Errorf("%s: logits %v, states %v, want those without a batch dimension", name, got.Shape, state.H.Shape)
		}
	}
}
