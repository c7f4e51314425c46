package live

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

func trained(t testing.TB, c nn.Config) *nn.Model {
	t.Helper()
	m, err := nn.New(c)
	must(t, err)
	m.ResetParameters(rng.New(1))
	return m
}

// Each step over a ring of inputs has the bits of a pass over the last of them, in
// any company and through a capsule.
func TestWindowsArePassesOverTheLastSteps(t *testing.T) {
	const steps, n, long = 5, 30, 13
	rnn := unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 7}
	both, first := rnn, rnn
	both.Bidirectional, both.NumLayers = true, 2
	first.BatchFirst = true
	for name, c := range map[string]nn.Config{
		"last":            {RNN: rnn, Output: "last", OutFeatures: 4},
		"both directions": {RNN: both, OutFeatures: 4},
		"batch first":     {RNN: first, OutFeatures: 4},
		"tokens":          {NumEmbeddings: 6, EmbeddingDim: 3, RNN: rnn, OutFeatures: 6},
	} {
		t.Run(name, func(t *testing.T) {
			m := trained(t, c)
			target, err := OfWindow(m, Window{Steps: steps})
			must(t, err)
			p, err := Over(target, Options{Shards: 2})
			must(t, err)
			defer p.Close()
			var hands sync.WaitGroup
			for i := range n {
				hands.Go(func() {
					rnd := rand.New(rand.NewPCG(uint64(i), 5))
					pass := nn.Pass{Model: m, Workers: 1}
					var seen []float32
					in, _ := target.Sizes()
					key, y := fmt.Sprint(i), make([]float32, c.OutFeatures)
					for at := range long {
						x := randoms(rnd, in)
						if in == 1 {
							x[0] = float32(rnd.IntN(6))
						}
						seen = append(seen, x...)
						seen = seen[max(0, len(seen)-steps*in):]
						given, _, err := pass.Forward(inputOf(seen, in, c), unroll.State{})
						must(t, err)
						want := given.Data[len(given.Data)-c.OutFeatures:]
						if err := p.Step(ctx, key, y, x); err != nil || !sameBits(y, want) {
							t.Errorf("step %d: %v, %v, a pass over %d gives %v", at, err, y, len(seen)/in, want)
						}
						if at == 3 || at == 9 {
							b, err := p.Capsule(key)
							must(t, err)
							key += "'"
							must(t, p.Restore(key, b))
						}
					}
				})
			}
			hands.Wait()
		})
	}
}

func inputOf(seen []float32, in int, c nn.Config) nn.Input {
	if c.NumEmbeddings == 0 {
		return nn.Input{Features: tensor.Dense{Shape: []int{len(seen) / in, in}, Data: seen}}
	}
	var tokens []int
	for _, x := range seen {
		tokens = append(tokens, int(x))
	}
	return nn.Input{Tokens: tokens}
}

func TestWindowsRefuseRows(t *testing.T) {
	m := trained(t, nn.Config{NumEmbeddings: 6, EmbeddingDim: 3, RNN: unroll.Config{Mode: unroll.GRU, HiddenSize: 4}, OutFeatures: 2})
	target, err := OfWindow(m, Window{Steps: 3})
	must(t, err)
	p, err := Over(target, Options{Shards: 1})
	must(t, err)
	defer p.Close()
	y := make([]float32, 4)
	wants(t, "no such token", p.Step(ctx, "a", y[:2], []float32{6}), ErrInput)
	wants(t, "half a token", p.Step(ctx, "a", y[:2], []float32{1.5}), ErrInput)
	must(t, p.StepAt(ctx, "a", 0, y[:2], []float32{5}))
	must(t, p.Step(ctx, "b", y[2:], []float32{5}))
	if !sameBits(y[:2], y[2:]) {
		t.Errorf("%v after refused steps, %v without", y[:2], y[2:])
	}
	wants(t, "NaN", p.Step(ctx, "a", y[:2], []float32{float32(math.NaN())}), ErrNonFinite)
	for _, w := range []Window{{}, {Steps: 3, Keep: 2}, {Steps: 3, In: 2}, {Steps: 3, Out: 1}, {Steps: 1 << 30}, {Steps: 2, Row: 2}} {
		_, err := OfWindow(m, w)
		wants(t, fmt.Sprintf("%+v", w), err, unroll.ErrConfig)
	}
	_, err = OfWindow(nil, Window{Steps: 3})
	wants(t, "no model", err, unroll.ErrUsage)
	other := trained(t, m.Config())
	other.Update(func() { other.Head().Bias().Data[0]++ })
	two, err := OfWindow(other, Window{Steps: 3})
	must(t, err)
	if two.Digest() == target.Digest() || two.Signature() != target.Signature() {
		t.Error("another parameter is not another digest alone")
	}
}
