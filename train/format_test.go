package train_test

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train"
)

var update = flag.Bool("update", false, "write testdata anew")

// formatRuns are the runs whose checkpoints stand in testdata/format1, one for
// each optimiser, with every schedule among them.
func formatRuns() map[string]func() (train.Algorithm, train.Scheduler, bool) {
	return map[string]func() (train.Algorithm, train.Scheduler, bool){
		"sgd": func() (train.Algorithm, train.Scheduler, bool) {
			return with(train.NewSGD(.1), func(a *train.SGD) { a.Momentum, a.Nesterov = .9, true }), train.NewStepLR(3), true
		},
		"adam": func() (train.Algorithm, train.Scheduler, bool) {
			return with(train.NewAdam(.02), func(a *train.Adam) { a.AMSGrad = true }), train.NewSequentialLR(train.NewLinearLR(), train.NewCosineAnnealingLR(9), 5), true
		},
		"adamw": func() (train.Algorithm, train.Scheduler, bool) {
			return train.NewAdamW(.02), train.NewOneCycleLR(.05, 21), true
		},
		"rmsprop": func() (train.Algorithm, train.Scheduler, bool) {
			return with(train.NewRMSprop(.01), func(a *train.RMSprop) { a.Momentum, a.Centered = .5, true }), train.NewReduceLROnPlateau(), false
		},
		"adagrad": func() (train.Algorithm, train.Scheduler, bool) {
			return with(train.NewAdagrad(.05), func(a *train.Adagrad) { a.InitialAccumulator = .1 }), train.NewLinearLR(), true
		},
	}
}

// formatLoop is a small run on text, with a state carried between batches.
func formatLoop(t *testing.T, name string) *train.Loop {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.txt")
	must(t, os.WriteFile(path, []byte(repeat("she sells sea shells. ", 18)), 0o666))
	text := task.NewText()
	text.Batch, text.Window, text.Valid, text.Test = 2, 16, .1, .1
	d, err := text.Load(path)
	must(t, err)
	cfg := text.Network()
	cfg.EmbeddingDim, cfg.HeadDropout = 3, .1
	cfg.RNN = unroll.Config{Mode: unroll.LSTM, HiddenSize: 4}
	m, err := nn.New(cfg)
	must(t, err)
	g := rng.New(11)
	m.ResetParameters(g)
	alg, s, perStep := formatRuns()[name]()
	o, err := train.NewOptimizer(alg)
	must(t, err)
	return &train.Loop{
		Model: m, Data: d.Train, Objective: d.Objective, Optimizer: o, Generator: g, ClipNorm: 1, Epochs: 3,
		Scheduler: s, PerStep: perStep,
		Validate: func() (float64, error) { return train.Evaluate(m, d.Valid, d.Objective, 1, nil) },
	}
}

// formatStop is the step, within the first epoch, the checkpoints are of.
const formatStop = 6

// Checkpoints of format 1, written by an earlier release after six steps, go on
// to the bits of a run that was never stopped. They are not to be written anew.
func TestCheckpointsOfFormat1GoOn(t *testing.T) {
	for name := range formatRuns() {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata/format1", name+".safetensors")
			whole := formatLoop(t, name)
			want := runAll(t, whole, 0)
			old := formatLoop(t, name)
			must(t, old.Restore(path))
			if got := old.Progress().Step; got != formatStop {
				t.Fatalf("the checkpoint is of step %d, want %d", got, formatStop)
			}
			if old.Checked() {
				t.Error("a file without a checksum counts as checked")
			}
			testkit.Bits(t, "losses", runAll(t, old, 0), want[formatStop:])
			sameModel(t, whole.Model, old.Model)
			if e, err := train.Extra(path); err != nil || e != "settings of "+name {
				t.Errorf("extra %q, %v", e, err)
			}
		})
	}
}

// A bit of every 13th byte of a checkpoint is changed, one at a time: none is gone
// on from. checkpoint's own test changes all.
func TestBytesOfACheckpointAreUnderItsChecksum(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.safetensors")
	l := formatLoop(t, "sgd")
	runAll(t, l, formatStop)
	must(t, l.Save(path, "settings"))
	whole, err := os.ReadFile(path)
	must(t, err)
	must(t, l.Restore(path))
	if !l.Checked() {
		t.Error("the checkpoint has no checksum")
	}
	for i := 0; i < len(whole); i += 13 {
		b := slices.Clone(whole)
		b[i] ^= 1 << (i % 8)
		must(t, os.WriteFile(path, b, 0o666))
		if l.Restore(path) == nil {
			t.Errorf("byte %d, %q as %q, was not noticed", i, whole[i], b[i])
		}
	}
}

// The bits of training are the same from release to release and on every
// platform: testdata/digests.txt has hashes of losses, gradients and parameters,
// written by -update.
func TestTrainingKeepsItsBits(t *testing.T) {
	all := digests(t)
	for _, name := range []string{"sgd", "adam", "adamw", "rmsprop", "adagrad"} {
		sum := sha256.New()
		l := formatLoop(t, name)
		for s, err := range l.Run(context.Background()) {
			must(t, err)
			write(sum, []float64{s.Loss, s.Norm, s.LR, s.Valid})
		}
		for _, n := range []string{"embedding.weight", "rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0", "rnn.bias_hh_l0", "fc.weight", "fc.bias"} {
			write(sum, l.Model.StateDict()[n].Data)
		}
		all = append(all, fmt.Sprintf("run %s %x", name, sum.Sum(nil)[:12]))
	}
	got := strings.Join(all, "\n") + "\n"
	if *update {
		must(t, os.WriteFile("testdata/digests.txt", []byte(got), 0o666))
	}
	want, err := os.ReadFile("testdata/digests.txt")
	must(t, err)
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
