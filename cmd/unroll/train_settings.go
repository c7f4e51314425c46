package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train"
)

// flags registers the settings of network and training.
func (t *trainFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&t.Mode, "mode", "LSTM", cell.Names())
	f.IntVar(&t.Hidden, "hidden", 128, "hidden units")
	f.IntVar(&t.Layers, "layers", 1, "stacked layers")
	f.IntVar(&t.Embedding, "embedding", 64, "text, classify, tag: numbers for a token")
	f.BoolVar(&t.Bidir, "bidirectional", false, "read both ways (classify, tag)")
	f.Float64Var(&t.Dropout, "dropout", 0, "dropout between layers")
	f.Float64Var(&t.HeadDropout, "head-dropout", 0, "dropout before the head")
	f.BoolVar(&t.Tie, "tie-weights", false, "text: one matrix for embedding and head")
	f.IntVar(&t.Epochs, "epochs", 20, "passes over the training part")
	f.StringVar(&t.Optimizer, "optimizer", "Adam", "SGD, Adam, AdamW, RMSprop or Adagrad")
	f.Float64Var(&t.LR, "lr", 2e-3, "learning rate")
	f.Float64Var(&t.WeightDecay, "weight-decay", 0, "weight decay (AdamW: 0.01 if not given)")
	f.Float64Var(&t.Momentum, "momentum", 0, "momentum of SGD and RMSprop")
	f.Float64Var(&t.ClipNorm, "clip", 1, "clip the norm of the gradients; 0: no")
	f.Float64Var(&t.ClipValue, "clip-value", 0, "limit every element of the gradients; 0: no")
	f.StringVar(&t.Schedule, "schedule", "none", "learning rate: none, plateau, cosine or onecycle")
	f.IntVar(&t.Patience, "patience", 3, "plateau: epochs without a better validation loss")
	f.Float64Var(&t.Factor, "factor", 0.5, "plateau: what the rate is multiplied by")
	f.IntVar(&t.Warmup, "warmup", 0, "steps (plateau: epochs) of linear warm-up")
	f.IntVar(&t.Stop, "stop", 0, "end after so many epochs without a better validation loss; 0: never")
	f.IntVar(&t.Workers, "workers", 1, "goroutines that share a step; the bits are the same")
}

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

// recipe is what the flags ask for.
func (t *trainFlags) recipe(of task.Task) (r task.Recipe, err error) {
	if r.Mode, err = parseMode(t.Mode); err != nil {
		return r, err
	}
	if r.Algorithm, err = t.algorithm(); err != nil {
		return r, err
	}
	if _, _, err = t.schedule(1); err != nil {
		return r, err
	}
	r.Schedule = func(steps int) (train.Scheduler, bool) {
		s, perStep, _ := t.schedule(steps) // checked above
		return s, perStep
	}
	if r.Seed, err = optionFlags(of).GetUint64("seed"); err != nil {
		return r, err
	}
	r.Hidden, r.Layers, r.Embedding, r.Bidirectional = t.Hidden, t.Layers, t.Embedding, t.Bidir
	r.Dropout, r.HeadDropout, r.TieWeights = t.Dropout, t.HeadDropout, t.Tie
	r.ClipNorm, r.ClipValue, r.Epochs, r.Workers = t.ClipNorm, t.ClipValue, t.Epochs, t.Workers
	return r, nil
}
