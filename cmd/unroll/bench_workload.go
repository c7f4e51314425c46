package main

import (
	"math"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// workload is one thing to measure. The table equals that of
// bench/py/workloads.py, whose peers run the same.
type workload struct {
	name   string
	cfg    unroll.Config
	steps  int  // T
	batch  int  // B
	stream bool // one step a call, the state carried
	train  bool // forward, backward and a step of SGD
	vocab  int  // of an embedding and a linear head; 0: neither
}

var workloads = []workload{
	{name: "W0", cfg: unroll.Config{Mode: unroll.RNNTanh, InputSize: 3, HiddenSize: 4, NumLayers: 2}, steps: 5, batch: 1},
	{name: "W1", cfg: unroll.Config{Mode: unroll.LSTM, InputSize: 256, HiddenSize: 256, NumLayers: 2}, steps: 1, batch: 1, stream: true},
	{name: "W2", cfg: unroll.Config{Mode: unroll.GRU, InputSize: 40, HiddenSize: 128, NumLayers: 2}, steps: 1, batch: 1, stream: true},
	{name: "W3", cfg: unroll.Config{Mode: unroll.RNNTanh, InputSize: 64, HiddenSize: 256, NumLayers: 2}, steps: 2000, batch: 1},
	{name: "W4", cfg: unroll.Config{Mode: unroll.LSTM, InputSize: 650, HiddenSize: 650, NumLayers: 2}, steps: 35, batch: 20},
	{name: "W5", cfg: unroll.Config{Mode: unroll.LSTM, InputSize: 650, HiddenSize: 650, NumLayers: 2}, steps: 35, batch: 20, train: true},
	{name: "W5b", cfg: unroll.Config{Mode: unroll.LSTM, InputSize: 650, HiddenSize: 650, NumLayers: 2}, steps: 35, batch: 20, train: true, vocab: 10000},
	{name: "W6", cfg: unroll.Config{Mode: unroll.GRU, InputSize: 1024, HiddenSize: 1024, NumLayers: 3}, steps: 100, batch: 64},
	{name: "W7", cfg: unroll.Config{Mode: unroll.LSTM, InputSize: 128, HiddenSize: 256, NumLayers: 2, Bidirectional: true}, steps: 64, batch: 32},
	{name: "W8", cfg: unroll.Config{Mode: unroll.LSTM, InputSize: 64, HiddenSize: 256, NumLayers: 2}, steps: 1, batch: 256, stream: true},
}

// flops returns the operations of a call's products, a multiplication and an
// addition counted apart; backward counts twice.
func (w workload) flops() float64 {
	weights := w.cfg
	weights.NoBias = true // a step multiplies with each weight once
	sum := 2 * weights.NumParameters()
	sum += 2 * float64(w.cfg.OutputSize()*w.vocab)
	sum *= float64(w.steps) * float64(w.batch)
	if w.train {
		sum *= 3
	}
	return sum
}

// call returns one call of the workload over drawn parameters and inputs.
func (w workload) call(workers int) (func() error, error) {
	g := rng.New(1)
	if w.vocab > 0 {
		return w.languageModel(g, workers)
	}
	layer, err := unroll.New(w.cfg)
	if err != nil {
		return nil, err
	}
	layer.ResetParameters(g)
	shape := []int{w.steps, w.batch, w.cfg.InputSize}
	if w.cfg.BatchFirst {
		shape[0], shape[1] = w.batch, w.steps
	}
	x := tensor.New(shape...)
	rng.Randn(g, x.Data)
	switch {
	case w.stream:
		s, err := layer.NewStream(w.batch)
		if err != nil {
			return nil, err
		}
		s.SetWorkers(workers)
		y := make([]float32, w.batch*w.cfg.OutputSize())
		return func() error { return s.Step(y, x.Data) }, nil
	case w.train:
		return trainingCall(layer, x, g, workers)
	}
	p := &unroll.Pass{Layer: layer, Workers: workers}
	return func() error {
		_, _, err := p.Forward(x, unroll.State{})
		return err
	}, nil
}

func trainingCall(layer *unroll.Layer, x tensor.Dense, g *rng.Generator, workers int) (func() error, error) {
	p := &unroll.Pass{Layer: layer, Train: true, Generator: g, Workers: workers, Grads: layer.NewGrads()}
	opt, err := train.NewOptimizer(train.NewSGD(1e-3))
	if err != nil {
		return nil, err
	}
	opt.Workers = workers
	var params []nn.Param
	for i, q := range p.Grads.Params() {
		params = append(params, nn.Param{Name: q.Name, Value: layer.Params()[i].Value, Grad: q.Value})
	}
	step := func([]unroll.Param) { err = opt.Step(params) }
	dy := tensor.Dense{}
	return func() error {
		p.Grads.Zero()
		y, _, e := p.Forward(x, unroll.State{})
		if e != nil {
			return e
		}
		if dy.IsZero() {
			dy = tensor.New(y.Shape...)
			rng.Randn(g, dy.Data)
		}
		if _, _, e := p.Backward(dy, unroll.State{}); e != nil {
			return e
		}
		layer.Update(step)
		return err
	}, nil
}

// languageModel is a training step of embedding, layer and linear head under
// cross entropy, the gradient clipped at 0.25.
func (w workload) languageModel(g *rng.Generator, workers int) (func() error, error) {
	m, err := nn.New(nn.Config{NumEmbeddings: w.vocab, RNN: w.cfg, OutFeatures: w.vocab})
	if err != nil {
		return nil, err
	}
	m.ResetParameters(g)
	n := w.steps * w.batch
	tokens, targets := make([]int, n), make([]int, n)
	for i := range tokens {
		tokens[i], targets[i] = int(g.Uint32())%w.vocab, int(g.Uint32())%w.vocab
	}
	opt, err := train.NewOptimizer(train.NewSGD(1e-3))
	if err != nil {
		return nil, err
	}
	opt.Workers = workers
	p := &nn.Pass{Model: m, Train: true, Generator: g, Workers: workers}
	loss, clip := nn.CrossEntropy{Workers: workers}, train.NormClip{Workers: workers}
	in := nn.Input{Tokens: tokens, T: w.steps, B: w.batch}
	return func() error {
		p.Zero()
		logits, _, err := p.Forward(in, unroll.State{})
		if err != nil {
			return err
		}
		v, err := loss.Loss(logits, targets, logits.Data)
		if err != nil || math.IsNaN(v) {
			return err
		}
		if err := p.Backward(logits); err != nil {
			return err
		}
		if _, err := clip.Clip(p.Params(), 0.25); err != nil {
			return err
		}
		m.Update(func() { err = opt.Step(p.Params()) })
		return err
	}, nil
}
