package live

import (
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// whoTarget counts the steps that were made in a goroutine.
type whoTarget struct {
	idleTarget
	me         *atomic.Pointer[string]
	mine, rest *atomic.Int64
}

func goroutine() string {
	b := make([]byte, 64)
	return strings.Fields(string(b[:runtime.Stack(b, false)]))[1]
}

func (w whoTarget) Stepper(n int) (func(y, x []float32, states [][]float32) error, error) {
	step, err := w.idleTarget.Stepper(n)
	return func(y, x []float32, states [][]float32) error {
		if me := w.me.Load(); me != nil && *me == goroutine() {
			w.mine.Add(1)
		} else {
			w.rest.Add(1)
		}
		return step(y, x, states)
	}, err
}

// A caller who is alone steps in his own goroutine, but for the first steps and one
// in 16; one who has company does not, and neither does one who does not wait.
func TestALoneCallerStepsHimself(t *testing.T) {
	w := whoTarget{me: &atomic.Pointer[string]{}, mine: &atomic.Int64{}, rest: &atomic.Int64{}}
	p, err := Over(w, Options{Shards: 1})
	must(t, err)
	defer p.Close()
	me := goroutine()
	w.me.Store(&me)
	x, y := []float32{1}, []float32{0}
	const n = 160
	want := int64(n - loneRounds - n/probe)
	for turn := 1; ; turn++ { // a shard that is slow to rest after a step takes more of them
		w.mine.Store(0)
		w.rest.Store(0)
		for range n {
			must(t, p.Step(ctx, "a", y, x))
		}
		if y[0] != float32(turn*n) || w.mine.Load()+w.rest.Load() != n || w.rest.Load() < n/probe {
			t.Fatalf("%d steps of %d were made by the caller and %d by the shard; the last is %v", w.mine.Load(), n, w.rest.Load(), y[0])
		}
		if w.mine.Load() >= want {
			break
		}
		if turn == 50 {
			t.Fatalf("%d steps of %d were made by the caller, expected %d in one of %d turns", w.mine.Load(), n, want, turn)
		}
	}
	w.mine.Store(0)
	must(t, p.StepAll(ctx, []string{"a", "b"}, []float32{0, 0}, []float32{1, 1}))
	must(t, p.Step(ctx, "a", y, x)) // there was company
	q, err := p.Submit(ctx, "a", x)
	must(t, err)
	_, err = q.Result()
	must(t, err)
	if w.mine.Load() != 0 {
		t.Errorf("%d steps were made by a caller who had company, or did not wait", w.mine.Load())
	}
}

// Who steps himself wakes the shard for those who came meanwhile, since they saw
// somebody in line and woke nobody; and if the shard is in a round he leaves it to
// the shard.
func TestALoneCallerLeavesNobodyBehind(t *testing.T) {
	p, err := Over(idleTarget{}, Options{Shards: 1, Rows: 1})
	must(t, err)
	defer p.Close()
	s := p.shards[0]
	s.lone.Store(loneRounds)
	a, b := p.job([]float32{0}, []float32{1}, -1), p.job([]float32{0}, []float32{2}, -1)
	must(t, s.put(a, "a", false))
	must(t, s.put(b, "b", false))
	if !s.stepHere(a) {
		t.Fatal("the caller did not step")
	}
	for _, j := range []*job{a, b} {
		select {
		case <-j.done:
		case <-time.After(20 * time.Second):
			t.Fatal("a step is left in line")
		}
		if j.y[0] != j.x[0] {
			t.Errorf("%v, expected %v", j.y, j.x)
		}
	}
	s.lone.Store(loneRounds)
	release := held(p)
	c := p.job([]float32{0}, []float32{1}, -1)
	must(t, s.put(c, "a", false))
	if s.stepHere(c) || s.lone.Load() != 0 {
		t.Error("the caller stepped while the shard was in a round")
	}
	release()
	s.wakeFor(c)
	<-c.done
}

// TryStep steps where a lone caller does, and else does nothing: in the first rounds,
// in a round of the shard, and with somebody in line.
func TestTryStepNeverWaits(t *testing.T) {
	w := whoTarget{me: &atomic.Pointer[string]{}, mine: &atomic.Int64{}, rest: &atomic.Int64{}}
	p, err := Over(w, Options{Shards: 1, Strict: true})
	must(t, err)
	defer p.Close()
	me := goroutine()
	w.me.Store(&me)
	must(t, p.Open("a"))
	x, y := []float32{1}, []float32{0}
	try := func(key string, what string, want bool) {
		t.Helper()
		s, before := p.shards[0], p.Stats().Steps
		s.here.Store(0) // this call is not the one in 16
		ok, err := p.TryStep(key, y, x)
		if ok != want || key == "a" && err != nil || !ok && err != nil {
			t.Errorf("%s: ok is %v and the error %v, expected %v", what, ok, err, want)
		}
		made := p.Stats().Steps - before
		if want := map[bool]uint64{true: 1}[want && err == nil]; made != want {
			t.Errorf("%s: %d steps were made, expected %d", what, made, want)
		}
	}
	s := p.shards[0]
	try("a", "before it is known that nobody else is there", false)
	s.lone.Store(loneRounds)
	try("a", "alone", true)
	if y[0] != 1 || w.mine.Load() != 1 || w.rest.Load() != 0 {
		t.Errorf("the step gave %v; %d steps of the caller and %d of the shard", y, w.mine.Load(), w.rest.Load())
	}
	if ok, err := p.TryStep("b", y, x); !ok || !errors.Is(err, ErrUnknown) {
		t.Errorf("a sequence that is not there: ok is %v and the error %v", ok, err)
	}
	if ok, err := p.TryStep("a", y, nil); !ok || !errors.Is(err, ErrShape) {
		t.Errorf("an input of another length: ok is %v and the error %v", ok, err)
	}
	try("a", "after errors", true)

	s.lone.Store(loneRounds)
	release := held(p)
	try("a", "while the shard is in a round", false)
	release()
	if s.lone.Load() != 0 {
		t.Error("one who met a round is still taken for alone")
	}
	s.lone.Store(loneRounds)
	j := p.job([]float32{0}, []float32{1}, -1)
	must(t, s.put(j, "a", false))
	try("a", "with somebody in line", false)
	s.wakeFor(j)
	<-j.done
	s.here.Store(probe - 1)
	if ok, _ := p.TryStep("a", y, x); ok {
		t.Error("one of 16 steps was not left to the shard")
	}
}

// A sequence that may be in the store is loaded by who can wait.
func TestTryStepDoesNotAskTheStore(t *testing.T) {
	p, err := Over(idleTarget{}, Options{Shards: 1, Store: &memoryStore{}})
	must(t, err)
	defer p.Close()
	p.shards[0].lone.Store(loneRounds)
	y := []float32{0}
	if ok, err := p.TryStep("a", y, []float32{1}); ok || err != nil {
		t.Errorf("ok is %v and the error %v, expected neither", ok, err)
	}
	must(t, p.Step(ctx, "a", y, []float32{1}))
	if y[0] != 1 {
		t.Errorf("%v, expected 1", y[0])
	}
}
