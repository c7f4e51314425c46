package live

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A walk meets every sequence that is there from its beginning to its end, however
// many go and come between its parts, and none that is gone.
func TestWalksMeetWhoStays(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		p := pool(t, layer(t, small, 1), Options{Shards: 1})
		const n = 50
		for i := range n {
			must(t, p.Open(fmt.Sprint(i)))
		}
		met, gone := map[string]bool{}, map[string]bool{}
		must(t, p.shards[0].walk(func(q *sequence) int {
			if q.gone || gone[q.key] {
				t.Errorf("%s is gone", q.key)
			}
			met[q.key] = true
			return 1 << 14 // four in a part
		}, func() error {
			for range rnd.IntN(12) {
				key := fmt.Sprint(rnd.IntN(n))
				if p.End(key) == nil {
					gone[key] = true
				}
			}
			if rnd.IntN(2) == 0 {
				must(t, p.Open(fmt.Sprint("new", rnd.Int())))
			}
			return nil
		}))
		for i := range n {
			if key := fmt.Sprint(i); !met[key] && !gone[key] {
				t.Errorf("%s was there all the time and was not met", key)
			}
		}
	}
	p := pool(t, layer(t, small, 1), Options{Shards: 1})
	must(t, p.Open("a"))
	stop := errors.New("enough")
	if err := p.shards[0].walk(func(*sequence) int { return 1 }, func() error { return stop }); err != stop {
		t.Errorf("%v, expected the error of flush", err)
	}
}

// StepAll whose context ends while its rows wait leaves each as it was, and one
// that ends after some rows have stepped answers those.
func TestStepAllCancelled(t *testing.T) {
	l := layer(t, small, 1)
	p := pool(t, l, Options{Shards: 2, Rows: 1})
	all := tracks(t, l, 20)
	keys := make([]string, len(all))
	for i, k := range all {
		keys[i] = k.key
		k.run(t, p, k.key, small, 1)
	}
	// One shard is held, the other one steps its rows, one a round.
	s := p.shards[0]
	s.work.Lock()
	c, stop := context.WithCancel(ctx)
	x, want := make([]float32, 0, 40), make([][]float32, 20)
	y := make([]float32, 60)
	waits := 0
	for i, k := range all {
		if p.shard(keys[i]) == s {
			x, waits = append(x, 1, 2), waits+1
			continue
		}
		in, out := k.next(small)
		x, want[i] = append(x, in...), out
	}
	steps := p.Stats().Steps
	done := make(chan error)
	go func() { done <- p.StepAll(c, keys, y, x) }()
	for p.Stats().Steps < steps+uint64(20-waits) {
		time.Sleep(time.Millisecond)
	}
	stop()
	err := <-done
	s.work.Unlock()
	var rows RowErrors
	if !errors.As(err, &rows) || len(rows) != waits || waits == 0 || waits == 20 {
		t.Fatalf("%v, expected errors of %d rows", err, waits)
	}
	for _, r := range rows {
		if wants(t, "row", r.Err, context.Canceled); want[r.Row] != nil {
			t.Errorf("row %d stepped and has an error", r.Row)
		}
	}
	for i, w := range want {
		if w != nil && !sameBits(y[3*i:3*i+3], w) {
			t.Errorf("row %d: %v, alone %v", i, y[3*i:3*i+3], w)
		}
	}
	for _, k := range all {
		k.run(t, p, k.key, small, 2)
	}
}

// States that went on through a Swap are saved again, as the new layer's.
func TestKeptStatesAreSavedAgain(t *testing.T) {
	store := &memoryStore{}
	before, after := layer(t, small, 1), layer(t, small, 2)
	p := pool(t, before, Options{Store: store, Foreign: KeepForeign})
	must(t, p.Step(ctx, "a", make([]float32, 3), []float32{1, 2}))
	must(t, p.Snapshot())
	old := slices.Clone(store.all["a"])
	must(t, p.Swap(OfLayer(after)))
	must(t, p.Close())
	if _, err := p.version.Load().read("a", old, RefuseForeign); !errors.Is(err, ErrForeign) {
		t.Errorf("what was saved before: %v", err)
	}
	if _, err := p.version.Load().read("a", store.all["a"], RefuseForeign); err != nil {
		t.Errorf("what was saved after: %v", err)
	}
}

// stopping is a target whose step ends a context.
type stopping struct {
	idleTarget
	stop *context.CancelFunc
}

func (s stopping) Stepper(n int) (func(y, x []float32, states [][]float32) error, error) {
	step, err := s.idleTarget.Stepper(n)
	return func(y, x []float32, states [][]float32) error {
		if *s.stop != nil {
			(*s.stop)()
		}
		return step(y, x, states)
	}, err
}

// A context that ends while all rows step takes none away, and the next StepAll,
// which has the memory of this one, waits for its own.
func TestStepAllCancelledInTheMidst(t *testing.T) {
	var stop context.CancelFunc
	p, err := Over(stopping{stop: &stop}, Options{Shards: 1})
	must(t, err)
	defer p.Close()
	keys, x, y := []string{"a", "b"}, []float32{1, 2}, make([]float32, 2)
	for n := float32(1); n < 500; n += 2 {
		var c context.Context
		c, stop = context.WithCancel(ctx)
		must(t, p.StepAll(c, keys, y, x))
		stop = nil
		must(t, p.StepAll(ctx, keys, y, x))
		if y[0] != n+1 || y[1] != 2*(n+1) {
			t.Fatalf("%v after %v steps", y, n+1)
		}
	}
}
