package live

import (
	"math"
	"slices"
	"sync"
	"testing"
)

// A state that the caller keeps steps in company, and is as it was after an error.
func TestStatesOfTheCaller(t *testing.T) {
	l := layer(t, stacked, 1)
	p := pool(t, l, Options{Shards: 2})
	all := tracks(t, l, 40)
	var hands sync.WaitGroup
	for i, k := range all {
		hands.Go(func() {
			state, y := make([]float32, p.StateLen()), make([]float32, 4)
			for range 20 {
				x, want := k.next(stacked)
				var err error
				if i%2 == 0 {
					err = p.StepState(ctx, y, x, state)
				} else {
					err = p.Step(ctx, k.key, y, x)
				}
				if err != nil || !sameBits(y, want) {
					t.Errorf("%v, %v, alone %v", err, y, want)
				}
			}
			st := k.alone.State()
			if want := slices.Concat(st.H.Data, st.C.Data); i%2 == 0 && !sameBits(state, want) {
				t.Errorf("state %v, alone %v", state, want)
			}
		})
	}
	hands.Wait()
	if p.Len() != len(all)/2 {
		t.Errorf("%d sequences, expected those with a key: %d", p.Len(), len(all)/2)
	}
	state, y := make([]float32, p.StateLen()), make([]float32, 4)
	must(t, p.StepState(ctx, y, []float32{1, 2, 3}, state))
	was := slices.Clone(state)
	wants(t, "NaN", p.StepState(ctx, y, []float32{1, 2, float32(math.NaN())}, state), ErrNonFinite)
	if !sameBits(was, state) {
		t.Errorf("state %v after a refused step, before %v", state, was)
	}
	wants(t, "short", p.StepState(ctx, y, []float32{1, 2, 3}, state[1:]), ErrShape)
	wants(t, "x", p.StepState(ctx, y, []float32{1, 2}, state), ErrShape)

	release := held(p)
	done := make(chan error)
	go func() { done <- p.StepState(ctx, y, []float32{1, 2, 3}, state) }()
	for p.Stats().Waiting == 0 {
	}
	swapped := make(chan error)
	go func() { swapped <- p.Swap(OfLayer(layer(t, small, 1))) }()
	release()
	if err := <-done; err != nil { // or it stepped before
		wants(t, "by a swap", err, ErrEnded)
	}
	must(t, <-swapped)
}
