package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

// checkpointFile stands in the model folder while a run can be continued.
const checkpointFile = "checkpoint.safetensors"

// trainFlags are all settings of a run, saved with its checkpoint.
type trainFlags struct {
	dataFlags
	Data        string // the path as given
	Mode        string
	Hidden      int
	Layers      int
	Embedding   int
	Bidir       bool
	Dropout     float64
	HeadDropout float64
	Tie         bool
	Epochs      int
	Optimizer   string
	LR          float64
	WeightDecay float64
	Momentum    float64
	ClipNorm    float64
	Schedule    string
	Patience    int
	Factor      float64
	Warmup      int
	Workers     int
	Stop        int
}

func newTrainCmd() *cobra.Command {
	var t trainFlags
	var out, log, board string
	var resume, plot bool
	cmd := &cobra.Command{
		Use:   "train DATA --task music|text|classify|forecast|tag",
		Short: "Train a model on a file and save it as a model folder",
		Long: `train makes a model folder of data as people have it:

  music     piano rolls as JSON: {"dim":88,"train":[...],"valid":[...],"test":[...]}
  text      a text file; the model foretells the next character or word
  classify  a folder with a file or folder for each class, a .csv, or JSON Lines
  forecast  a .csv with a time column and number columns
  tag       CoNLL columns: word and label, an empty line between sentences

The folder holds the model that was best on the validation part. An interrupt
(Ctrl-C) finishes the step and saves; --resume goes on from there, to the same
bits as a run that was never stopped.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("-o DIR is missing: where should the model go?")
			}
			t.Data = args[0]
			if resume {
				old, err := train.Extra(filepath.Join(out, checkpointFile))
				if err != nil {
					return fmt.Errorf("there is no run to go on with in %s: %w", out, err)
				}
				epochs, given, workers := t.Epochs, cmd.Flags().Changed("epochs"), t.Workers
				if err := json.Unmarshal([]byte(old), &t); err != nil {
					return err
				}
				if given {
					t.Epochs = epochs
				}
				t.Data, t.Workers = args[0], workers
			}
			r, err := newReport(cmd, log, board, plot)
			if err != nil {
				return err
			}
			defer r.close()
			return t.run(cmd, out, resume, r)
		},
	}
	f := cmd.Flags()
	t.register(cmd)
	f.StringVar(&t.Task, "task", "", "music, text, classify, forecast or tag")
	f.StringVarP(&out, "output", "o", "", "model folder to write")
	f.StringVar(&t.Mode, "mode", "LSTM", "RNN_TANH, RNN_RELU, LSTM or GRU")
	f.IntVar(&t.Hidden, "hidden", 128, "hidden units")
	f.IntVar(&t.Layers, "layers", 1, "stacked layers")
	f.IntVar(&t.Embedding, "embedding", 64, "numbers for a token")
	f.BoolVar(&t.Bidir, "bidirectional", false, "read both ways (classify, tag)")
	f.Float64Var(&t.Dropout, "dropout", 0, "dropout between layers")
	f.Float64Var(&t.HeadDropout, "head-dropout", 0, "dropout before the head")
	f.BoolVar(&t.Tie, "tie-weights", false, "text: one matrix for embedding and head")
	f.IntVar(&t.Epochs, "epochs", 20, "passes over the training part")
	f.StringVar(&t.Optimizer, "optimizer", "Adam", "SGD, Adam, AdamW, RMSprop or Adagrad")
	f.Float64Var(&t.LR, "lr", 2e-3, "learning rate")
	f.Float64Var(&t.WeightDecay, "weight-decay", 0, "weight decay")
	f.Float64Var(&t.Momentum, "momentum", 0, "momentum of SGD and RMSprop")
	f.Float64Var(&t.ClipNorm, "clip", 1, "clip the norm of the gradients; 0: no")
	f.StringVar(&t.Schedule, "schedule", "none", "learning rate: none, plateau, cosine or onecycle")
	f.IntVar(&t.Patience, "patience", 3, "plateau: epochs without a better validation loss")
	f.Float64Var(&t.Factor, "factor", 0.5, "plateau: what the rate is multiplied by")
	f.IntVar(&t.Warmup, "warmup", 0, "steps (plateau: epochs) of linear warm-up")
	f.IntVar(&t.Stop, "stop", 0, "end after so many epochs without a better validation loss; 0: never")
	f.IntVar(&t.Workers, "workers", 1, "goroutines that share a step; the bits are the same")
	f.BoolVar(&resume, "resume", false, "go on with the run in the model folder")
	f.StringVar(&log, "log", "", "write a JSON line for each epoch to this file")
	f.StringVar(&board, "tensorboard", "", "write TensorBoard event files to this folder")
	f.BoolVar(&plot, "plot", false, "draw the losses while training")
	return cmd
}

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
	if c.NumEmbeddings > 0 {
		c.EmbeddingDim = t.Embedding
	}
	return c, nil
}

func (t *trainFlags) run(cmd *cobra.Command, out string, resume bool, r *report) error {
	task, series, err := t.load(t.Data, nil)
	if err != nil {
		return err
	}
	cfg, err := t.config(task.Config)
	if err != nil {
		return err
	}
	m, err := nn.New(cfg)
	if err != nil {
		return err
	}
	alg, err := t.algorithm()
	if err != nil {
		return err
	}
	opt, err := train.NewOptimizer[float32](alg)
	if err != nil {
		return err
	}
	g := rng.New(t.Seed)
	m.ResetParameters(g)
	l := &train.Loop{
		Model: m, Data: task.Train, Objective: task.Objective, Optimizer: opt, Generator: g,
		ClipNorm: t.ClipNorm, Epochs: t.Epochs, Workers: t.Workers,
		Validate: func() (float64, error) {
			return train.Evaluate(m, task.Valid, task.Objective, t.Workers, nil)
		},
	}
	task.Train.Start(nil)
	if l.Scheduler, l.PerStep, err = t.schedule(t.Epochs * task.Train.Len()); err != nil {
		return err
	}
	point := filepath.Join(out, checkpointFile)
	if resume {
		if err := l.Restore(point); err != nil {
			return err
		}
	} else if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	n, _ := cfg.Parameters()
	r.line("%s; %s, %.0f parameters", task.About, m.Config().RNN, n)
	settings, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return t.steps(cmd, l, task, series, out, point, string(settings), r)
}

// steps runs the loop, and saves as it goes.
func (t *trainFlags) steps(cmd *cobra.Command, l *train.Loop, task *data.Task, series *data.Series, out, point, settings string, r *report) error {
	begin := time.Now()
	r.begin(l, task.Unit)
	stopped := false
	for s, err := range train.Run(cmd.Context(), l) {
		if errors.Is(err, train.ErrDiverged) {
			return fmt.Errorf("%w; the last good checkpoint is %s", err, point)
		}
		if err != nil {
			return err
		}
		if err := r.step(s); err != nil {
			return err
		}
		if !s.EpochDone {
			continue
		}
		if s.Better {
			if err := l.Model.Save(out, t.readme(l, task, "", time.Since(begin))); err != nil {
				return err
			}
		}
		if err := l.Save(point, settings); err != nil {
			return err
		}
		if t.Stop > 0 && s.Epoch-l.Progress().BestEpoch >= t.Stop {
			stopped = true
			break
		}
	}
	r.end()
	if at := l.Progress(); at.Epoch < t.Epochs && !stopped {
		if err := l.Save(point, settings); err != nil {
			return err
		}
		return fmt.Errorf("stopped in epoch %d after %d steps, saved in %s; go on with: unroll train %s -o %s --resume", at.Epoch+1, at.Step, point, t.Data, out)
	}
	best, err := nn.Open(out)
	if err != nil {
		return err
	}
	e, err := evaluate(best, task, series, t.Workers)
	if err != nil {
		return err
	}
	if err := best.Save(out, t.readme(l, task, e.text(), time.Since(begin))); err != nil {
		return err
	}
	r.line("best validation loss %.4f %s in epoch %d; %.0f s; model in %s", l.Progress().Best, task.Unit, l.Progress().BestEpoch+1, time.Since(begin).Seconds(), out)
	_, err = fmt.Fprint(cmd.OutOrStdout(), e.text())
	return err
}

// readme is the README.md of the model folder: on what, how and how well.
func (t *trainFlags) readme(l *train.Loop, task *data.Task, result string, took time.Duration) string {
	c := l.Model.Config()
	n, _ := c.Parameters()
	var b strings.Builder
	fmt.Fprintf(&b, "# A model for %s\n\n%s with a linear head of %d outputs, %.0f parameters.\n\n", t.Task, c.RNN, c.OutFeatures, n)
	fmt.Fprintf(&b, "## Trained on\n\n`%s`: %s.\n\n## How\n\n", filepath.Base(t.Data), task.About)
	fmt.Fprintf(&b, "%s, learning rate %g, schedule %s, batches of %d, gradient norm clipped at %g, dropout %g between layers and %g before the head, seed %d; %d of %d epochs in %.0f s. The model of epoch %d was the best on the validation part.\n\n",
		l.Optimizer.Algorithm().Name(), t.LR, t.Schedule, t.Batch, t.ClipNorm, t.Dropout, t.HeadDropout, t.Seed, l.Progress().Epoch, t.Epochs, took.Seconds(), l.Progress().BestEpoch+1)
	fmt.Fprintf(&b, "## How well\n\nValidation loss: %.4f %s.\n", l.Progress().Best, task.Unit)
	if result != "" {
		fmt.Fprintf(&b, "\n```\n%s```\n", result)
	}
	return b.String()
}
