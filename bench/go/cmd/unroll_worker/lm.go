package main

import (
	"os"
	"strconv"
	"time"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/bench/go/internal/wl"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/train"
)

// languageModel serves W5b, which has no data file: like PyTorch's peer it
// draws a model and tokens, and a call is a training step with clipping.
func languageModel() {
	threads, err := strconv.Atoi(os.Args[3])
	must(err)
	const vocab, hidden, steps, batch = 10000, 650, 35, 20
	m, err := nn.New(nn.Config{
		NumEmbeddings: vocab, OutFeatures: vocab,
		RNN: unroll.Config{Mode: unroll.LSTM, InputSize: hidden, HiddenSize: hidden, NumLayers: 2},
	})
	must(err)
	g := rng.New(7)
	m.ResetParameters(g)
	in := nn.Input{Tokens: make([]int, steps*batch), T: steps, B: batch}
	targets := make([]int, steps*batch)
	for i := range targets {
		in.Tokens[i], targets[i] = int(g.Uint32()%vocab), int(g.Uint32()%vocab)
	}
	opt, err := train.NewOptimizer(train.NewSGD(1e-3))
	must(err)
	opt.Workers = threads
	clip := train.NormClip{Workers: threads}
	p := &nn.Pass{Model: m, Train: true, Generator: g, Workers: threads}
	loss := nn.CrossEntropy{Workers: threads}
	call := func() {
		p.Zero()
		logits, _, err := p.Forward(in, unroll.State{})
		must(err)
		_, err = loss.Loss(logits, targets, logits.Data)
		must(err)
		must(p.Backward(logits))
		_, err = clip.Clip(p.Params(), 0.25)
		must(err)
		m.Update(func() { must(opt.Step(p.Params())) })
	}
	start := time.Now()
	call()
	wl.Serve(map[string]any{"err": nil, "version": kernel.Level(), "first_s": time.Since(start).Seconds()}, call)
}
