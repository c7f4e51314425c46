package live

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Sequences that go to a store and come back at any moment, by idling, by call
// and by restarts, have the bits of the unbroken run.
func TestStoredSequencesGoOn(t *testing.T) {
	l := layer(t, stacked, 1)
	store := &memoryStore{}
	all := tracks(t, l, 60)
	for restart := range 3 {
		p, err := New(l, Options{Shards: 2, Store: store, Idle: 2 * time.Millisecond, Every: time.Millisecond, Failed: func(err error) { t.Error(err) }})
		must(t, err)
		var hands sync.WaitGroup
		for h := range 4 {
			hands.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(h), uint64(restart)))
				own := all[h*15 : (h+1)*15]
				for range 60 {
					who := rnd.Perm(len(own))[:rnd.IntN(len(own))]
					ways[rnd.IntN(len(ways))](t, p, stacked, own, who)
					k := own[rnd.IntN(len(own))].key
					if err := p.Unload(ctx, k); err != nil && !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrStep) {
						t.Error(err)
					}
				}
			})
		}
		// Others unload what these step, so that a load meets a step of its key.
		hands.Go(func() {
			for i := range 2000 {
				_ = p.Unload(ctx, all[i%len(all)].key)
			}
		})
		hands.Wait()
		must(t, p.Close())
	}
	if len(store.all) != len(all) {
		t.Errorf("%d keys in the store, expected %d", len(store.all), len(all))
	}
	t.Logf("%d loads, %d saves", store.loads, store.saves)
}

func TestStoreIsAskedAsSaid(t *testing.T) {
	l := layer(t, small, 1)
	store := &memoryStore{}
	c := &clock{now: time.Unix(1e9, 0)}
	var gone []string
	opt := Options{Shards: 1, Store: store, Idle: time.Hour, Now: c.Now, Ended: func(key string, why Reason) { gone = append(gone, key+" "+string(why)) }}
	p := pool(t, l, opt)
	k := tracks(t, l, 1)[0]
	k.run(t, p, "a", small, 3)
	if store.loads != 1 || store.saves != 0 {
		t.Errorf("%d loads, %d saves; expected one load of the first step", store.loads, store.saves)
	}
	must(t, p.Snapshot())
	must(t, p.Snapshot())
	if store.saves != 1 {
		t.Errorf("%d saves, expected one: nothing has stepped since", store.saves)
	}
	c.add(2 * time.Hour)
	p.Sweep()
	if p.Len() != 0 || !slices.Equal(gone, []string{"a stored"}) {
		t.Errorf("%d sequences, ended %v", p.Len(), gone)
	}
	k.run(t, p, "a", small, 1)
	var keys []string
	must(t, store.Save(ctx, "b", nil))
	for key, err := range p.Keys(ctx) {
		must(t, err)
		keys = append(keys, key)
	}
	if !slices.Equal(keys, []string{"a", "b"}) {
		t.Errorf("keys %v, expected a and b", keys)
	}
	wants(t, "a capsule of nothing", p.Step(ctx, "b", make([]float32, 3), []float32{1, 2}), ErrCapsule)

	// A store that fails keeps the sequence in the pool.
	store.fail = errors.New("the disk is full")
	k.run(t, p, "a", small, 1)
	if err := p.Unload(ctx, "a"); err != store.fail || p.Len() != 1 {
		t.Errorf("%v, %d sequences; expected the store's error and one", err, p.Len())
	}
	if err := p.Snapshot(); !errors.Is(err, store.fail) {
		t.Errorf("%v, expected the store's error", err)
	}
	store.fail = nil
	must(t, p.Unload(ctx, "a"))

	// A marked one stays marked.
	nan := []float32{0, float32(math.NaN())}
	wants(t, "NaN", p.Step(ctx, "m", make([]float32, 3), nan), ErrNonFinite)
	must(t, p.Unload(ctx, "m"))
	if err := p.Step(ctx, "m", make([]float32, 3), []float32{1, 2}); !errors.Is(err, ErrMarked) || !strings.Contains(err.Error(), "x has a number") {
		t.Errorf("%v, expected the mark", err)
	}

	// End deletes, and the next step begins anew; so does Open.
	must(t, p.End("a"))
	must(t, p.End("m"))
	if _, there := store.all["a"]; there {
		t.Error("an ended sequence is in the store")
	}
	tracks(t, l, 1)[0].run(t, p, "a", small, 2)
	must(t, p.Unload(ctx, "a"))
	must(t, p.Open("a"))
	tracks(t, l, 1)[0].run(t, p, "a", small, 2)

	// A caller who does not wait for the store leaves nothing.
	store.wait = make(chan struct{})
	short, stop := context.WithTimeout(ctx, time.Millisecond)
	defer stop()
	wants(t, "waiting", p.Step(short, "slow", make([]float32, 3), []float32{1, 2}), context.DeadlineExceeded)
	close(store.wait)
	if _, err := p.Steps("slow"); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
	wants(t, "no such key", p.StepAt(ctx, "slow", 2, make([]float32, 3), []float32{1, 2}), ErrUnknown)
	wants(t, "no store", pool(t, l, Options{}).Unload(ctx, "a"), ErrUnknown)
}

// What a store has of other parameters is refused, ends, or goes on.
func TestForeignStoredStates(t *testing.T) {
	for _, f := range []Foreign{RefuseForeign, EndForeign, KeepForeign} {
		store := &memoryStore{}
		p := pool(t, layer(t, small, 1), Options{Store: store})
		y, x := make([]float32, 3), []float32{1, 2}
		must(t, p.Step(ctx, "a", y, x))
		must(t, p.Close())
		p = pool(t, layer(t, small, 2), Options{Store: store, Foreign: f})
		err := p.StepAt(ctx, "a", 1, y, x)
		switch f {
		case RefuseForeign:
			if wants(t, "refused", err, ErrForeign); len(store.all) != 1 {
				t.Error("a state that was refused is gone")
			}
		case EndForeign:
			var e *Error
			if !errors.As(err, &e) || e.Kind != ErrUnknown || e.Ended != ModelChanged || len(store.all) != 0 {
				t.Errorf("%v, %d stored", err, len(store.all))
			}
		case KeepForeign:
			must(t, err)
		}
	}
}

// Ended keys are remembered, the last ones, until they are there again.
func TestEndsAreRemembered(t *testing.T) {
	p := pool(t, layer(t, small, 1), Options{Shards: 1, Remember: 3})
	for i := range 5 {
		must(t, p.Open(fmt.Sprint(i)))
		must(t, p.End(fmt.Sprint(i)))
	}
	for i := range 6 {
		_, err := p.Steps(fmt.Sprint(i))
		var e *Error
		want := EndedByCall
		if i < 2 || i == 5 {
			want = ""
		}
		if !errors.As(err, &e) || e.Ended != want {
			t.Errorf("sequence %d: %v, expected the end %q", i, err, want)
		}
	}
	must(t, p.Open("3"))
	_, err := p.Steps("3")
	must(t, err)
	if n := len(p.shards[0].ends.keys); n != 3 {
		t.Errorf("%d keys are remembered, expected 3", n)
	}
}
