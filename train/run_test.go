package train_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train"
)

// Same seed, same run as PyTorch: split, parameters, order of the batches and
// dropout masks come from the one generator in PyTorch's order, and so the
// losses of all steps are PyTorch's to float32 accuracy. testdata/run.py made
// the numbers.
func TestASeedGivesPyTorchsRun(t *testing.T) {
	b, err := os.ReadFile("testdata/run.json")
	must(t, err)
	checkRun(t, b)
}

// Where PyTorch is installed, it is asked for a run of another seed.
func TestASeedGivesTheInstalledPyTorchsRun(t *testing.T) {
	checkRun(t, testkit.Torch(t, "testdata/run.py", "4"))
}

func checkRun(t *testing.T, golden []byte) {
	var want struct {
		Seed                 uint64
		Texts, Labels        []string
		Epochs               int
		Losses, Norms, Valid []float64
	}
	must(t, json.Unmarshal(golden, &want))
	s := "text,label\n"
	for i, text := range want.Texts {
		s += text + "," + want.Labels[i] + "\n"
	}
	path := filepath.Join(t.TempDir(), "t.csv")
	must(t, os.WriteFile(path, []byte(s), 0o666))
	c := task.NewClassify()
	c.Cut = task.Cut{Batch: 8, Valid: .2, Test: .1, Seed: want.Seed}
	d, err := c.Load(path)
	must(t, err)
	cfg := c.Network()
	cfg.EmbeddingDim, cfg.HeadDropout = 6, .3
	cfg.RNN = unroll.Config{Mode: unroll.LSTM, HiddenSize: 9, NumLayers: 2, Dropout: .2}
	m, err := nn.New(cfg)
	must(t, err)
	g := rng.New(want.Seed)
	m.ResetParameters(g)
	o, err := train.NewOptimizer(train.NewAdam(.02))
	must(t, err)
	l := &train.Loop{
		Model: m, Data: d.Train, Objective: d.Objective, Optimizer: o, Generator: g, ClipNorm: 1, Epochs: want.Epochs,
		Scheduler: train.NewOneCycleLR(.02, len(want.Losses)), PerStep: true,
		Validate: func() (float64, error) { return train.Evaluate(m, d.Valid, d.Objective, 1, nil) },
	}
	var losses, norms, valid []float64
	for s, err := range l.Run(context.Background()) {
		must(t, err)
		losses, norms = append(losses, s.Loss), append(norms, s.Norm)
		if s.EpochDone {
			valid = append(valid, s.Valid)
		}
	}
	within(t, "loss", losses, want.Losses, 1e-5)
	within(t, "norm", norms, want.Norms, 1e-5)
	within(t, "validation", valid, want.Valid, 1e-5)
}
