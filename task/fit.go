package task

import (
	"context"
	"errors"
	"fmt"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// Recipe says what network is trained and how. DefaultRecipe has what the
// command's flags have when they are not given.
type Recipe struct {
	Mode          unroll.Mode
	Hidden        int // units
	Layers        int
	Embedding     int  // numbers for a token, where the task reads tokens
	Bidirectional bool // not for tasks that are causal
	Dropout       float64
	HeadDropout   float64
	TieWeights    bool

	Algorithm train.Algorithm
	// Schedule, if not nil, gives the schedule for a number of steps, and
	// whether it is stepped by steps or by epochs.
	Schedule  func(steps int) (s train.Scheduler, perStep bool)
	ClipNorm  float64 // 0: no clipping
	ClipValue float64
	Epochs    int
	Seed      uint64 // of the parameters, the order of the epochs and dropout
	Workers   int
}

// DefaultRecipe is an LSTM of 128 units and an embedding of 64, Adam at 0.002,
// gradients clipped at a norm of 1, 20 epochs.
func DefaultRecipe() Recipe {
	return Recipe{
		Mode: unroll.LSTM, Hidden: 128, Layers: 1, Embedding: 64,
		Algorithm: train.NewAdam(2e-3), ClipNorm: 1, Epochs: 20, Seed: 1, Workers: 1,
	}
}

// Network is the whole config of a network for t, which has loaded data. It is
// an ErrArgument if the recipe does not suit the task; nn.New says what else is
// wrong.
func (r Recipe) Network(t Task) (nn.Config, error) {
	c := t.Network()
	if r.Bidirectional && t.Kind().Causal {
		return c, badArg("bidirectional", "would show a %s model the answer", t.Kind().Name)
	}
	c.RNN.Mode, c.RNN.HiddenSize, c.RNN.NumLayers, c.RNN.Dropout, c.RNN.Bidirectional = r.Mode, r.Hidden, r.Layers, r.Dropout, r.Bidirectional
	c.HeadDropout, c.TieWeights = r.HeadDropout, r.TieWeights
	if c.NumEmbeddings > 0 {
		c.EmbeddingDim = r.Embedding
	}
	return Describe(c, t)
}

// Loop makes the training run of the recipe: a new network with drawn
// parameters, and all that train.Run needs. Its model's config describes t, so
// that Model.Save writes a folder that Open opens. It is an ErrArgument, or an
// error of the network's or the optimiser's config.
func (r Recipe) Loop(t Task, s *Set) (*train.Loop, error) {
	if r.Epochs < 1 {
		return nil, badArg("epochs", "is %d, expected at least 1", r.Epochs)
	}
	cfg, err := r.Network(t)
	if err != nil {
		return nil, err
	}
	m, err := nn.New(cfg)
	if err != nil {
		return nil, err
	}
	opt, err := train.NewOptimizer(r.Algorithm)
	if err != nil {
		return nil, err
	}
	g := rng.New(r.Seed)
	m.ResetParameters(g)
	l := &train.Loop{
		Model: m, Data: s.Train, Objective: s.Objective, Optimizer: opt, Generator: g,
		ClipNorm: r.ClipNorm, ClipValue: r.ClipValue, Epochs: r.Epochs, Workers: r.Workers,
		Validate: func() (float64, error) {
			return train.Evaluate(m, s.Valid, s.Objective, r.Workers, nil)
		},
	}
	if r.Schedule != nil {
		l.Scheduler, l.PerStep = r.Schedule(r.Epochs * s.Train.Len())
	}
	return l, nil
}

// Fit trains a new network on s, which t loaded, and returns it as it was after
// the epoch that was best on the validation part. A ctx that ends stops it
// after the step: the best so far is returned with ctx's error, nil if there is
// none. Other errors are those of Loop and of train.Run.
func (r Recipe) Fit(ctx context.Context, t Task, s *Set) (*nn.Model, error) {
	l, err := r.Loop(t, s)
	if err != nil {
		return nil, err
	}
	var best map[string]tensor.Dense
	for step, err := range l.Run(ctx) {
		if err != nil {
			return nil, err
		}
		if step.Better {
			best = copied(l.Model.StateDict(), best)
		}
	}
	if best == nil {
		return nil, errors.Join(ctx.Err(), fmt.Errorf("%w: no epoch was finished", train.ErrState))
	}
	if err := l.Model.Load(best); err != nil {
		return nil, err
	}
	return l.Model, ctx.Err()
}

// copied copies parameters into the memory of old, if there is any.
func copied(params, old map[string]tensor.Dense) map[string]tensor.Dense {
	if old == nil {
		old = map[string]tensor.Dense{}
	}
	for name, v := range params {
		old[name] = tensor.Dense{Shape: v.Shape, Data: append(old[name].Data[:0], v.Data...)}
	}
	return old
}
