package train_test

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train"
)

// newLoop is a run with everything that has a state: shuffled sequences of
// different lengths, dropout in both places, Adam, a schedule.
func newLoop(t testing.TB, kind string, epochs int) *train.Loop {
	t.Helper()
	dir := t.TempDir()
	var of task.Task
	path := ""
	if kind == "text" {
		path = filepath.Join(dir, "t.txt")
		must(t, os.WriteFile(path, []byte(repeat("to be, or not to be: that is the question.\n", 40)), 0o666))
		of = &task.Text{Cut: task.Cut{Batch: 4, Valid: .1, Test: .1}, Level: "char", Window: 20}
	} else {
		path = filepath.Join(dir, "t.csv")
		s := "text,label\n"
		for i := range 60 {
			s += repeat("ab", 1+i%7) + strconv.Itoa(i) + "," + []string{"x", "y", "z"}[i%3] + "\n"
		}
		must(t, os.WriteFile(path, []byte(s), 0o666))
		of = &task.Classify{Cut: task.Cut{Batch: 8, Valid: .1, Test: .1, Seed: 1}, Level: "char", TextColumn: "text", LabelColumn: "label"}
	}
	d, err := of.Load(path)
	must(t, err)
	cfg := of.Network()
	cfg.EmbeddingDim = 6
	cfg.RNN = unroll.Config{Mode: unroll.LSTM, HiddenSize: 9, NumLayers: 2, Dropout: .2}
	cfg.HeadDropout = .3
	m, err := nn.New(cfg)
	must(t, err)
	g := rng.New(7)
	m.ResetParameters(g)
	o, err := train.NewOptimizer[float32](train.Adam{LR: .01})
	must(t, err)
	return &train.Loop{
		Model: m, Data: d.Train, Objective: d.Objective, Optimizer: o, Generator: g, ClipNorm: 1, Epochs: epochs, PerStep: true,
		Scheduler: &train.SequentialLR{First: &train.LinearLR{}, Next: &train.CosineAnnealingLR{TMax: 30}, Milestone: 5},
		Validate:  func() (float64, error) { return train.Evaluate(m, d.Valid, d.Objective, 1, nil) },
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func repeat(s string, n int) (out string) {
	for range n {
		out += s
	}
	return out
}

func runAll(t testing.TB, l *train.Loop, stopAfter int) (losses []float64) {
	t.Helper()
	for s, err := range train.Run(context.Background(), l) {
		must(t, err)
		losses = append(losses, s.Loss)
		if s.EpochDone {
			losses = append(losses, s.Valid)
		}
		if s.Number == stopAfter {
			break
		}
	}
	return losses
}

func sameModel(t testing.TB, a, b *nn.Model) {
	t.Helper()
	for n, v := range a.StateDict() {
		testkit.BitsDense(t, n, b.StateDict()[n], v)
	}
}

// A run that is stopped anywhere, in the middle of an epoch too, and restored
// into a new process's objects ends in the bits of one that was not.
func TestResumedRunEndsInTheSameBits(t *testing.T) {
	for _, task := range []string{"text", "classify"} {
		whole := newLoop(t, task, 4)
		want := runAll(t, whole, 0)
		for _, stop := range []int{1, 7, whole.Data.Len(), whole.Data.Len() + 3} {
			path := filepath.Join(t.TempDir(), "c.safetensors")
			first := newLoop(t, task, 4)
			got := runAll(t, first, stop)
			must(t, first.Save(path, "extra"))
			second := newLoop(t, task, 4)
			must(t, second.Restore(path))
			got = append(got, runAll(t, second, 0)...)
			testkit.Bits(t, task+" losses", got, want)
			sameModel(t, whole.Model, second.Model)
			if e, err := train.Extra(path); err != nil || e != "extra" {
				t.Errorf("extra %q, %v", e, err)
			}
		}
	}
}

func TestTrainingLearns(t *testing.T) {
	l := newLoop(t, "text", 12)
	losses := runAll(t, l, 0)
	if first, last := losses[0], l.Progress().Best; !(last < first/2) {
		t.Errorf("loss went from %v to %v", first, last)
	}
}

func TestRestoreRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.safetensors")
	l := newLoop(t, "text", 1)
	runAll(t, l, 2)
	must(t, l.Save(path, ""))
	other := newLoop(t, "text", 1)
	other.Optimizer, _ = train.NewOptimizer[float32](train.SGD{})
	if err := other.Restore(path); !errors.Is(err, train.ErrState) {
		t.Errorf("another optimiser: %v", err)
	}
	other = newLoop(t, "text", 1)
	other.Scheduler = nil
	if err := other.Restore(path); !errors.Is(err, train.ErrState) {
		t.Errorf("another schedule: %v", err)
	}
	if err := newLoop(t, "classify", 1).Restore(path); !errors.Is(err, train.ErrState) {
		t.Errorf("another model: %v", err)
	}
	must(t, os.WriteFile(path, []byte("nonsense"), 0o666))
	if err := newLoop(t, "text", 1).Restore(path); err == nil {
		t.Error("nonsense was restored")
	}
}

func TestCancelledRunStopsBetweenSteps(t *testing.T) {
	l := newLoop(t, "text", 100)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	for _, err := range train.Run(ctx, l) {
		must(t, err)
		if n++; n == 5 {
			cancel()
		}
	}
	if n != 5 || l.Progress().Step != 5 {
		t.Errorf("%d steps yielded, %d taken, want 5", n, l.Progress().Step)
	}
}

func TestDivergedLossStopsBeforeTheUpdate(t *testing.T) {
	l := newLoop(t, "text", 3)
	runAll(t, l, 3)
	l.Model.Update(func() { l.Model.StateDict()["fc.bias"].Data[0] = float32(math.NaN()) })
	before := l.Model.StateDict()["fc.weight"].Clone()
	var got error
	for _, err := range train.Run(context.Background(), l) {
		got = err
	}
	if !errors.Is(got, train.ErrDiverged) || l.Progress().Step != 3 {
		t.Errorf("%v after %d steps", got, l.Progress().Step)
	}
	testkit.BitsDense(t, "fc.weight", l.Model.StateDict()["fc.weight"], before)
}

// Steps that spoil the parameters without a bad training loss are found by the
// validation loss, before anything can be saved.
func TestDivergedValidationIsAnError(t *testing.T) {
	l := newLoop(t, "text", 3)
	for s, err := range train.Run(context.Background(), l) {
		last := s.Number == l.Data.Len()
		if last != (err != nil) || last && !errors.Is(err, train.ErrDiverged) {
			t.Fatalf("step %d of %d: %v", s.Number, l.Data.Len(), err)
		}
		if s.Number == l.Data.Len()-1 {
			l.Optimizer.LR = 1e300
		}
	}
}

// A process that saves over and over is killed at random moments; what it
// leaves is always a whole checkpoint, and runs on to the same bits.
func TestKillDuringSave(t *testing.T) {
	if path := os.Getenv("UNROLL_TEST_SAVE"); path != "" {
		l := newLoop(t, "classify", 1<<30)
		for _, err := range train.Run(context.Background(), l) {
			must(t, err)
			must(t, l.Save(path, ""))
		}
	}
	path := filepath.Join(t.TempDir(), "c.safetensors")
	for k := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKillDuringSave$")
		cmd.Env = append(os.Environ(), "UNROLL_TEST_SAVE="+path)
		must(t, cmd.Start())
		for wait := 0; wait < 1000; wait++ { // until there is one
			if _, err := os.Stat(path); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Duration(13+k*7) * time.Millisecond)
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
		l := newLoop(t, "classify", 1<<30)
		must(t, l.Restore(path))
		at := l.Progress().Step
		runAll(t, l, at+3)
		whole := newLoop(t, "classify", 1<<30)
		runAll(t, whole, at+3)
		sameModel(t, whole.Model, l.Model)
	}
}
