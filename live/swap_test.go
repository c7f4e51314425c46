package live

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/unroll-ml/unroll"
)

// By Swap sequences end, with their steps in line, or go on if that is asked and
// their states fit.
func TestSwap(t *testing.T) {
	before, after := layer(t, small, 1), layer(t, small, 2)
	other := layer(t, unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 5}, 1)
	x, y := []float32{1, 2}, make([]float32, 3)
	for _, f := range []Foreign{RefuseForeign, EndForeign, KeepForeign} {
		var gone []string
		p := pool(t, before, Options{Shards: 1, Foreign: f, Ended: func(key string, why Reason) { gone = append(gone, key+" "+string(why)) }})
		must(t, p.Step(ctx, "a", y, x))
		capsule, err := p.Capsule("a")
		must(t, err)
		_, state, err := asState(p, "a")
		must(t, err)
		release := held(p)
		q, err := p.Submit(ctx, "a", x)
		must(t, err)
		swapped := make(chan error)
		go func() { swapped <- p.Swap(OfLayer(after)) }()
		release()
		must(t, <-swapped)
		_, err = q.Result() // before the swap, or by it
		if f != KeepForeign {
			if err != nil {
				wants(t, "in line", err, ErrEnded)
			}
			if p.Len() != 0 || !slices.Equal(gone, []string{"a model_changed"}) {
				t.Errorf("%d sequences, ended %v", p.Len(), gone)
			}
			var e *Error
			if err := p.StepAt(ctx, "a", 1, y, x); !errors.As(err, &e) || e.Ended != ModelChanged {
				t.Errorf("%v, expected to be told that the model changed", err)
			}
			wants(t, "a capsule from before", p.Restore("b", capsule), ErrForeign)
		} else {
			must(t, err)
			if n, err := p.Steps("a"); n != 2 || err != nil || gone != nil {
				t.Errorf("%d steps, %v, ended %v; expected 2 and none", n, err, gone)
			}
			// The next step is the new layer's, from the old state.
			must(t, p.Restore("b", capsule))
			w, err := after.NewRows(1)
			must(t, err)
			want := make([]float32, 3)
			must(t, w.Step(want, x, [][]float32{state}))
			if must(t, p.Step(ctx, "b", y, x)); !sameBits(y, want) {
				t.Errorf("%v, expected %v", y, want)
			}
		}
		if p.Target() != OfLayer(after) {
			t.Error("the target is not the new one")
		}
		must(t, p.Swap(OfLayer(other)))
		if p.Len() != 0 {
			t.Errorf("%d sequences after a swap to another shape", p.Len())
		}
		wants(t, "y of the old size", p.Step(ctx, "a", y, x), ErrShape)
		must(t, p.Step(ctx, "a", make([]float32, 5), x))
		if b := p.Stats().Bytes; b != int64(4*5+overhead+1) {
			t.Errorf("%d bytes are counted, expected %d", b, 4*5+overhead+1)
		}
		wants(t, "none", p.Swap(nil), unroll.ErrUsage)
		must(t, p.Close())
		wants(t, "closed", p.Swap(OfLayer(before)), ErrClosed)
	}
}

// asState returns the state of a sequence, flat.
func asState(p *Pool, key string) (uint64, []float32, error) {
	from, _, err := p.shard(key).copy(key, false)
	return from.steps, from.state, err
}

// A thousand swaps under load leave memory flat, and no step is of two layers.
func TestSwapsLeaveMemoryFlat(t *testing.T) {
	c := unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 64}
	layers := []*unroll.Layer{layer(t, c, 1), layer(t, c, 2)}
	p := pool(t, layers[0], Options{Shards: 2})
	x := []float32{1, 2}
	var first [2][]float32 // a first step of each
	for i, l := range layers {
		s, err := l.NewStream(1)
		must(t, err)
		first[i] = make([]float32, c.HiddenSize)
		must(t, s.Step(first[i], x))
	}
	var stop atomic.Bool
	var hands sync.WaitGroup
	for h := range 2 {
		hands.Go(func() {
			y := make([]float32, c.HiddenSize)
			for i := 0; !stop.Load(); i++ {
				key := fmt.Sprint(h, i%50)
				err := p.StepAt(ctx, key, 0, y, x)
				switch {
				case err == nil && !sameBits(y, first[0]) && !sameBits(y, first[1]):
					t.Errorf("%s: a first step of no layer", key)
				case err != nil && !errors.Is(err, ErrEnded):
					t.Error(err)
				}
				_ = p.End(key)
			}
		})
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // and the pools of jobs
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	swaps := 1000
	if testing.Short() {
		swaps = 100
	}
	var before int64
	for i := range swaps {
		must(t, p.Swap(OfLayer(layers[i%2])))
		if i == swaps/10 {
			before = heap()
		}
	}
	stop.Store(true)
	hands.Wait()
	grown := heap() - before
	t.Logf("%d bytes more after %d swaps", grown, swaps-swaps/10)
	if most := int64(400_000); grown > most {
		t.Errorf("%d bytes more after %d swaps, expected under %d", grown, swaps, most)
	}
}
