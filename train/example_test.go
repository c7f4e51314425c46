package train_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train"
)

// Run is an iterator over steps: the loop body sees every loss, may save, and
// may stop.
func ExampleLoop() {
	dir, err := os.MkdirTemp("", "train")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "text.txt")
	if err := os.WriteFile(path, []byte(strings.Repeat("to be, or not to be. ", 40)), 0o666); err != nil {
		fmt.Println(err)
		return
	}
	text := task.NewText()
	text.Batch, text.Window = 4, 20
	set, err := text.Load(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := text.Network()
	cfg.EmbeddingDim, cfg.RNN = 8, unroll.Config{Mode: unroll.GRU, HiddenSize: 24}
	m, err := nn.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	g := rng.New(1)
	m.ResetParameters(g)
	opt, err := train.NewOptimizer(train.NewAdam(1e-2))
	if err != nil {
		fmt.Println(err)
		return
	}
	l := &train.Loop{
		Model: m, Data: set.Train, Objective: set.Objective, Optimizer: opt, Generator: g, ClipNorm: 1, Epochs: 12,
		Scheduler: train.NewReduceLROnPlateau(),
		Validate:  func() (float64, error) { return train.Evaluate(m, set.Valid, set.Objective, 1, nil) },
	}
	for s, err := range l.Run(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if s.EpochDone && s.Epoch%4 == 3 {
			fmt.Printf("epoch %d, step %d: training %.2f, validation %.2f\n", s.Epoch+1, s.Number, s.EpochLoss, s.Valid)
		}
	}
	if err := l.Save(filepath.Join(dir, "checkpoint.safetensors"), "settings of mine"); err != nil {
		fmt.Println(err)
	}
	// Output:
	// epoch 4, step 36: training 0.40, validation 0.28
	// epoch 8, step 72: training 0.08, validation 0.10
	// epoch 12, step 108: training 0.07, validation 0.08
}

// Optimisers and schedules are plain data with the names and defaults of
// torch.optim.
func ExampleOneCycleLR() {
	sgd := train.NewSGD(.1)
	sgd.Momentum, sgd.Nesterov = .9, true
	opt, err := train.NewOptimizer(sgd)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := train.NewOneCycleLR(.1, 5)
	opt.Hyper = s.Start(opt.Hyper)
	for range 5 {
		fmt.Printf("%.4f ", opt.LR)
		opt.Hyper = s.Step(opt.Hyper, 0)
	}
	fmt.Println()
	// Output:
	// 0.0040 0.0950 0.0611 0.0188 0.0000
}
