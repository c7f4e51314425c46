package train_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

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
	o, err := train.NewOptimizer(train.NewAdam(.01))
	must(t, err)
	return &train.Loop{
		Model: m, Data: d.Train, Objective: d.Objective, Optimizer: o, Generator: g, ClipNorm: 1, Epochs: epochs, PerStep: true,
		Scheduler: train.NewSequentialLR(train.NewLinearLR(), train.NewCosineAnnealingLR(30), 5),
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
	for s, err := range l.Run(context.Background()) {
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
	other.Optimizer, _ = train.NewOptimizer(train.NewSGD(1e-3))
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

func TestLoopRefuses(t *testing.T) {
	for name, change := range map[string]func(l *train.Loop){
		"no model":           func(l *train.Loop) { l.Model = nil },
		"no data":            func(l *train.Loop) { l.Data = nil },
		"no objective":       func(l *train.Loop) { l.Objective = nil },
		"no optimiser":       func(l *train.Loop) { l.Optimizer = nil },
		"clip norm -1":       func(l *train.Loop) { l.ClipNorm = -1 },
		"clip norm NaN":      func(l *train.Loop) { l.ClipNorm = math.NaN() },
		"clip value -1":      func(l *train.Loop) { l.ClipValue = -1 },
		"a literal schedule": func(l *train.Loop) { l.Scheduler = &train.LinearLR{StartFactor: .5, EndFactor: 1, TotalIters: 5} },
	} {
		l := newLoop(t, "text", 1)
		change(l)
		n := 0
		for _, err := range l.Run(context.Background()) {
			if n++; !errors.Is(err, train.ErrArgument) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d steps yielded, want one with the error", name, n)
		}
	}
}

func TestCancelledRunStopsBetweenSteps(t *testing.T) {
	l := newLoop(t, "text", 100)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	for _, err := range l.Run(ctx) {
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
	for _, err := range l.Run(context.Background()) {
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
	for s, err := range l.Run(context.Background()) {
		last := s.Number == l.Data.Len()
		if last != (err != nil) || last && !errors.Is(err, train.ErrDiverged) {
			t.Fatalf("step %d of %d: %v", s.Number, l.Data.Len(), err)
		}
		if s.Number == l.Data.Len()-1 {
			l.Optimizer.LR = 1e300
		}
	}
}

// A process that saves over and over is killed in the middle of that; what it
// leaves is always a whole checkpoint, and runs on to the same bits. It says when
// a save is done, and is killed after one more each time.
func TestKillDuringSave(t *testing.T) {
	if path := os.Getenv("UNROLL_TEST_SAVE"); path != "" {
		l := newLoop(t, "classify", 1<<30)
		for _, err := range l.Run(context.Background()) {
			must(t, err)
			must(t, l.Save(path, ""))
			fmt.Print(".")
		}
	}
	path := filepath.Join(t.TempDir(), "c.safetensors")
	for k := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKillDuringSave$")
		cmd.Env = append(os.Environ(), "UNROLL_TEST_SAVE="+path)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		_, err = io.ReadFull(out, make([]byte, 1+k))
		must(t, err)
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
