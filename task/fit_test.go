package task_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train"
)

// Fit returns the network of the epoch that was best on the validation part,
// which is not the last of a run that learns too fast.
func TestFitReturnsTheBest(t *testing.T) {
	r := task.DefaultRecipe()
	r.Hidden, r.Embedding, r.Epochs, r.Algorithm = 6, 4, 8, train.NewAdam(0.5)
	load := func() (task.Task, *task.Set) {
		of := task.NewMusic()
		of.Batch = 1
		s, err := of.Load("testdata/v0/rolls.json")
		if err != nil {
			t.Fatal(err)
		}
		return of, s
	}
	of, s := load()
	l, err := r.Loop(of, s)
	if err != nil {
		t.Fatal(err)
	}
	best, last := math.Inf(1), 0.0
	for step, err := range l.Run(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if step.EpochDone {
			best, last = min(best, step.Valid), step.Valid
		}
	}
	if last == best {
		t.Fatalf("the last epoch is the best, %v: nothing is tested", best)
	}
	of, s = load()
	m, err := r.Fit(context.Background(), of, s)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := train.Evaluate(m, s.Valid, s.Objective, 1, nil); err != nil || got != best {
		t.Errorf("validation loss %v, %v; the best was %v", got, err, best)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if m, err := r.Fit(ended, of, s); m != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v, %v", m, err)
	}
	r.Epochs = 0
	if _, err := r.Fit(context.Background(), of, s); !errors.Is(err, task.ErrArgument) {
		t.Errorf("no epochs: %v", err)
	}
	of2 := task.NewText()
	if s, err = of2.Load("testdata/v0/poem.txt"); err != nil {
		t.Fatal(err)
	}
	r.Epochs, r.Bidirectional = 1, true
	if _, err := r.Fit(context.Background(), of2, s); !errors.Is(err, task.ErrArgument) {
		t.Errorf("a text read both ways: %v", err)
	}
}
