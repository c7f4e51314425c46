package main

import (
	"strings"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/train"
)

// algorithm is the optimiser the flags ask for.
func (t *trainFlags) algorithm() (train.Algorithm, error) {
	switch strings.ToLower(t.Optimizer) {
	case "sgd":
		a := train.NewSGD(t.LR)
		a.Momentum, a.WeightDecay = t.Momentum, t.WeightDecay
		return a, nil
	case "adam":
		a := train.NewAdam(t.LR)
		a.WeightDecay = t.WeightDecay
		return a, nil
	case "adamw":
		a := train.NewAdamW(t.LR)
		a.WeightDecay = t.WeightDecay
		return a, nil
	case "rmsprop":
		a := train.NewRMSprop(t.LR)
		a.Momentum, a.WeightDecay = t.Momentum, t.WeightDecay
		return a, nil
	case "adagrad":
		a := train.NewAdagrad(t.LR)
		a.WeightDecay = t.WeightDecay
		return a, nil
	}
	return nil, usagef("--optimizer is %q, expected SGD, Adam, AdamW, RMSprop or Adagrad", t.Optimizer)
}

// schedule is the schedule the flags ask for, and whether it counts steps.
func (t *trainFlags) schedule(steps int) (s train.Scheduler, perStep bool, err error) {
	switch t.Schedule {
	case "none", "":
		if t.Warmup == 0 {
			return nil, false, nil
		}
		return t.warmup(), true, nil
	case "plateau":
		p := train.NewReduceLROnPlateau()
		p.Factor, p.Patience = t.Factor, t.Patience
		s = p
	case "cosine":
		s, perStep = train.NewCosineAnnealingLR(max(steps-t.Warmup, 1)), true
	case "onecycle":
		return train.NewOneCycleLR(t.LR, steps), true, nil
	default:
		return nil, false, usagef("--schedule is %q, expected none, plateau, cosine or onecycle", t.Schedule)
	}
	if t.Warmup > 0 {
		s = train.NewSequentialLR(t.warmup(), s, t.Warmup)
	}
	return s, perStep, nil
}

// warmup is the rise of the rate before the schedule.
func (t *trainFlags) warmup() *train.LinearLR {
	s := train.NewLinearLR()
	s.TotalIters = t.Warmup
	return s
}

// config completes what follows from the data.
func (t *trainFlags) config(c nn.Config) (nn.Config, error) {
	mode, err := unroll.ParseMode(t.Mode)
	if err != nil {
		return c, err
	}
	if t.Bidir && (t.Task == "text" || t.Task == "music") {
		return c, usagef("--bidirectional would show a %s model the answer", t.Task)
	}
	c.RNN.Mode, c.RNN.HiddenSize, c.RNN.NumLayers, c.RNN.Dropout, c.RNN.Bidirectional = mode, t.Hidden, t.Layers, t.Dropout, t.Bidir
	c.HeadDropout, c.TieWeights = t.HeadDropout, t.Tie
	c.Source = t.source()
	if c.NumEmbeddings > 0 {
		c.EmbeddingDim = t.Embedding
	}
	return c, nil
}
