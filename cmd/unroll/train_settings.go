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
		return train.SGD{LR: t.LR, Momentum: t.Momentum, WeightDecay: t.WeightDecay}, nil
	case "adam":
		return train.Adam{LR: t.LR, WeightDecay: t.WeightDecay}, nil
	case "adamw":
		return train.AdamW{LR: t.LR, WeightDecay: &t.WeightDecay}, nil
	case "rmsprop":
		return train.RMSprop{LR: t.LR, Momentum: t.Momentum, WeightDecay: t.WeightDecay}, nil
	case "adagrad":
		return train.Adagrad{LR: t.LR, WeightDecay: t.WeightDecay}, nil
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
		return &train.LinearLR{TotalIters: t.Warmup}, true, nil
	case "plateau":
		s = &train.ReduceLROnPlateau{Factor: t.Factor, Patience: &t.Patience}
	case "cosine":
		s, perStep = &train.CosineAnnealingLR{TMax: max(steps-t.Warmup, 1)}, true
	case "onecycle":
		return &train.OneCycleLR{MaxLR: t.LR, TotalSteps: steps}, true, nil
	default:
		return nil, false, usagef("--schedule is %q, expected none, plateau, cosine or onecycle", t.Schedule)
	}
	if t.Warmup > 0 {
		s = &train.SequentialLR{First: &train.LinearLR{TotalIters: t.Warmup}, Next: s, Milestone: t.Warmup}
	}
	return s, perStep, nil
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
