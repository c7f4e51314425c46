package live

import (
	"math"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll"
)

// What is kept of a sequence leads from its state to its present one, with the bits
// that it has, however many steps it made and in whatever company.
func TestWatchedStepsAreThoseMade(t *testing.T) {
	l := layer(t, stacked, 1)
	p := pool(t, l, Options{Shards: 2})
	c := l.Config()
	all := tracks(t, l, 3)
	y := make([]float32, c.OutputSize())
	const most = 5
	for step := range 4 * most {
		for _, k := range all {
			x, _ := k.next(stacked)
			must(t, p.Step(ctx, k.key, y, x))
		}
		key := all[1].key
		if step < 2 {
			_, err := p.Watched(key)
			wants(t, "not watched", err, ErrUnknown)
			continue
		}
		must(t, p.Watch(key, most)) // again and again
		w, err := p.Watched(key)
		must(t, err)
		n := len(w.X) / c.InputSize
		if kept := int(w.First) + n; kept != step+1 || n < min(step-2, most) || n > 2*most {
			t.Errorf("after %d steps %d are kept after the first %d", step+1, n, w.First)
		}
		rows, err := l.NewRows(1)
		must(t, err)
		for i := range n {
			must(t, rows.Step(y, w.X[i*c.InputSize:(i+1)*c.InputSize], [][]float32{w.State}))
		}
		st := all[1].alone.State()
		if want := slices.Concat(st.H.Data, st.C.Data); !sameBits(w.State, want) {
			t.Errorf("step %d: %v after the steps that are kept, alone %v", step, w.State, want)
		}
	}
	_, err := p.Watched(all[0].key)
	wants(t, "another", err, ErrUnknown)
	p.Unwatch(all[1].key)
	_, err = p.Watched(all[1].key)
	wants(t, "no more", err, ErrUnknown)
	wants(t, "none", p.Watch("none", 1), ErrUnknown)
	wants(t, "no steps", p.Watch(all[1].key, 0), unroll.ErrUsage)
}

// Watching ends with the sequence, when it is marked, and begins anew with a new
// model.
func TestWatchingEnds(t *testing.T) {
	l := layer(t, small, 1)
	p := pool(t, l, Options{Shards: 1, Foreign: KeepForeign})
	x, y := []float32{1, 2}, make([]float32, 3)
	for _, key := range []string{"ended", "marked", "swapped"} {
		must(t, p.Step(ctx, key, y, x))
		must(t, p.Watch(key, 4))
		must(t, p.Step(ctx, key, y, x))
	}
	must(t, p.End("ended"))
	wants(t, "NaN", p.Step(ctx, "marked", y, []float32{1, float32(math.NaN())}), ErrNonFinite)
	wants(t, "marked", p.Watch("marked", 4), ErrMarked)
	must(t, p.Swap(OfLayer(layer(t, small, 2))))
	if n := len(p.shards[0].watched); n != 1 {
		t.Errorf("%d are watched, expected 1", n)
	}
	w, err := p.Watched("swapped")
	if err != nil || len(w.X) != 0 || w.First != 2 || w.Target.Digest() != p.Target().Digest() {
		t.Errorf("after a swap: %+v, %v", w, err)
	}
}
