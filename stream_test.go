package unroll_test

import (
	"math"
	"sync"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// stacks are layers of each mode, small ones and one whose units fill several
// panels.
func stacks(t testing.TB) []*unroll.Layer {
	t.Helper()
	var all []*unroll.Layer
	for mode := unroll.RNNTanh; mode <= unroll.GRU; mode++ {
		for _, c := range []unroll.Config{
			{Mode: mode, InputSize: 3, HiddenSize: 5, NumLayers: 2},
			{Mode: mode, InputSize: 20, HiddenSize: 150},
		} {
			all = append(all, newTrial[float32](t, c, 5).layer)
		}
	}
	c := unroll.Config{Mode: unroll.LSTM, InputSize: 4, HiddenSize: 40, ProjSize: 10, NumLayers: 2}
	return append(all, newTrial[float32](t, c, 5).layer)
}

// never fails if f allocates.
func never(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(20, f); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	for _, l := range stacks(t) {
		for _, workers := range []int{1, 2, 3} {
			for _, batch := range []int{1, 4} {
				s, err := l.NewStream(batch)
				if err != nil {
					t.Fatal(err)
				}
				s.SetWorkers(workers)
				x, y := make([]float32, batch*l.Config().InputSize), make([]float32, batch*l.Config().OutputSize())
				never(t, l.Config().String(), func() {
					if err := s.Step(y, x); err != nil {
						t.Fatal(err)
					}
					if err := s.Reset(0); err != nil {
						t.Fatal(err)
					}
				})
			}
		}
	}
}

// A pass that has run once on a shape allocates nothing on it any more, with
// lengths, resets, dropout and record too, forward and backward.
func TestPassInALoopAllocatesNothing(t *testing.T) {
	for _, c := range []unroll.Config{
		{InputSize: 3, HiddenSize: 20, NumLayers: 2, Dropout: 0.2},
		{Mode: unroll.GRU, InputSize: 3, HiddenSize: 20, NumLayers: 2, Bidirectional: true},
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 20, NumLayers: 2, ProjSize: 6, BatchFirst: true, Dropout: 0.2},
	} {
		for _, workers := range []int{1, 2, 3} {
			k := newTrial[float32](t, c, 5)
			k.t, k.b, k.lengths = 6, 3, []int{4, 6, 1}
			k.resets = make([]bool, k.t*k.b)
			k.resets[7] = true
			k.fill(true)
			p := k.pass()
			p.Workers = workers
			forward := func() {
				if _, _, err := p.Forward(k.x, k.s0); err != nil {
					t.Fatal(err)
				}
			}
			never(t, c.String()+" forward", forward)
			p.Train = true
			never(t, c.String()+" training", func() {
				forward()
				if _, _, err := p.Backward(k.dy, k.dsn); err != nil {
					t.Fatal(err)
				}
			})
			p.Lengths, p.Resets, p.Train = nil, nil, false
			never(t, c.String()+" forward in place", forward)
		}
	}
}

// Silence: an impulse, then zeros, and inputs below the normal range. States
// fade to zero, never through numbers that slow a processor down, and with the
// same bits at every level. 2^-100 is the bound of docs/numerics.md.
func TestSilenceFadesToZero(t *testing.T) {
	for _, c := range []unroll.Config{
		{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 20, NoBias: true},
		{Mode: unroll.GRU, InputSize: 2, HiddenSize: 20, NoBias: true},
		{Mode: unroll.RNNTanh, InputSize: 2, HiddenSize: 20, NoBias: true},
		{Mode: unroll.RNNReLU, InputSize: 2, HiddenSize: 20, NoBias: true},
		{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 20, ProjSize: 5, NumLayers: 2, NoBias: true},
	} {
		l := newTrial[float32](t, c, 3).layer
		l.Update(func(params []unroll.Param) { // fade by half a step
			for _, p := range params {
				for i := range p.Value.Data {
					p.Value.Data[i] *= 0.25
				}
			}
		})
		const steps = 400
		var first []float32
		levels.Each(func(level string) {
			s, err := l.NewStream(1)
			if err != nil {
				t.Fatal(err)
			}
			size := l.Config().OutputSize()
			all := make([]float32, steps*size)
			for i := range steps {
				x := []float32{0, 0}
				switch {
				case i == 0:
					x = []float32{1, -1}
				case i%2 == 0: // a denormal, and the smallest of them
					x = []float32{1e-39, math.SmallestNonzeroFloat32}
				}
				if err := s.Step(all[i*size:(i+1)*size], x); err != nil {
					t.Fatal(err)
				}
				st := s.State()
				for _, v := range append(st.H.Data, st.C.Data...) {
					if a := math.Abs(float64(v)); a > 0 && a < 0x1p-100 {
						t.Fatalf("%s, %s: a state of %v at step %d", c, level, v, i)
					}
				}
			}
			if first == nil {
				first = all
			}
			testkit.Bits(t, c.String()+" at "+level, all, first)
			for _, v := range all[(steps-1)*size:] {
				if v != 0 {
					t.Errorf("%s, %s: %v after %d steps of silence", c, level, v, steps)
					break
				}
			}
		})
	}
}

// One layer serves goroutines that each use it in their own way; the race
// detector watches, and every result has the bits of a goroutine alone.
func TestALayerServesManyGoroutines(t *testing.T) {
	for _, l := range stacks(t) {
		k := trial[float32]{layer: l, t: 7, b: 3, batched: true, seed: 5}
		k.fill(true)
		want := k.forward(t, k.pass())
		train := k.pass()
		train.Record = true
		k.forward(t, train)
		grads := k.backward(t, train)
		// A change makes the packed copies stale, so that all meet at packing.
		l.Update(func([]unroll.Param) {})
		var wait sync.WaitGroup
		for n := range 8 {
			wait.Go(func() {
				var err error
				switch n % 4 {
				case 0:
					y, sn, e := l.Forward(k.x, k.s0)
					if err = e; err == nil {
						err = results(y, sn).same(want)
					}
				case 1:
					err = inSteps(&k, want)
				case 2:
					p := k.pass()
					p.Workers = 2
					y, sn, e := p.Forward(k.x, k.s0)
					if err = e; err == nil {
						err = results(y, sn).same(want)
					}
				case 3:
					p := k.pass()
					p.Record, p.Workers = true, 1+n/4
					if _, _, err = p.Forward(k.x, k.s0); err != nil {
						break
					}
					dx, ds, e := p.Backward(k.dy, k.dsn)
					if err = e; err == nil {
						err = gradients(dx, ds, p.Grads).same(grads)
					}
				}
				if err != nil {
					t.Errorf("%s, goroutine %d: %v", l.Config(), n, err)
				}
			})
		}
		wait.Wait()
	}
}

// inSteps runs a batch as a stream and compares output and state.
func inSteps(k *trial[float32], want numbers[float32]) error {
	s, err := k.layer.NewStream(k.b)
	if err != nil {
		return err
	}
	if err := s.SetState(k.s0); err != nil {
		return err
	}
	in, out := k.b*k.layer.Config().InputSize, k.b*k.layer.Config().OutputSize()
	y := tensor.New(k.shape(k.layer.Config().OutputSize())...)
	for i := range k.t {
		if err := s.Step(y.Data[i*out:(i+1)*out], k.x.Data[i*in:(i+1)*in]); err != nil {
			return err
		}
	}
	return results(y, s.State()).same(want)
}

// After a change of the parameters the packed copies are made anew: a layer, a
// pass, a stream and a backward that ran before give what a fresh layer gives.
func TestUpdateOutdatesPackedCopies(t *testing.T) {
	for _, l := range stacks(t) {
		k := trial[float32]{layer: l, t: 3, b: 2, batched: true, seed: 5}
		k.fill(true)
		p := k.pass()
		p.Record = true
		old := k.forward(t, p)
		k.backward(t, p)
		s, err := l.NewStream(k.b)
		if err != nil {
			t.Fatal(err)
		}
		x1, y1 := k.x.Data[:k.b*l.Config().InputSize], make([]float32, k.b*l.Config().OutputSize())
		if err := s.Step(y1, x1); err != nil {
			t.Fatal(err)
		}
		l.ResetParameters(rng.New(77))

		fresh := k
		fresh.layer = newTrial[float32](t, l.Config(), 77).layer
		q := fresh.pass()
		q.Record = true
		want := fresh.forward(t, q)
		wantGrads := fresh.backward(t, q)
		if want.same(old) == nil {
			t.Fatal("the change changes nothing")
		}
		p.Grads.Zero()
		if err := k.forward(t, p).same(want); err != nil {
			t.Errorf("%s: pass: %v", l.Config(), err)
		}
		if err := k.backward(t, p).same(wantGrads); err != nil {
			t.Errorf("%s: backward: %v", l.Config(), err)
		}
		y, sn, err := l.Forward(k.x, k.s0)
		if err != nil {
			t.Fatal(err)
		}
		if err := results(y, sn).same(want); err != nil {
			t.Errorf("%s: layer: %v", l.Config(), err)
		}
		if err := s.SetState(k.s0); err != nil {
			t.Fatal(err)
		}
		if err := s.Step(y1, x1); err != nil {
			t.Fatal(err)
		}
		testkit.Bits(t, l.Config().String()+": stream", y1, want[0].data[:len(y1)])
	}
}

// A step that is refused leaves the states as they were.
func TestARefusedStepChangesNothing(t *testing.T) {
	l := newTrial[float32](t, unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 3}, 1).layer
	s, err := l.NewStream(2)
	if err != nil {
		t.Fatal(err)
	}
	x, y := []float32{1, 2, 3, 4}, make([]float32, 6)
	if err := s.Step(y, x); err != nil {
		t.Fatal(err)
	}
	before := results(tensor.Dense{}, s.State())
	for what, err := range map[string]error{
		"x too short":        s.Step(y, x[:3]),
		"y too short":        s.Step(y[:5], x),
		"y too long":         s.Step(append(y, 0), x),
		"state of one batch": s.SetState(unroll.State{H: tensor.New(1, 1, 3), C: tensor.New(1, 1, 3)}),
		"half a state":       s.SetState(unroll.State{H: tensor.New(1, 2, 3)}),
		"no such sequence":   s.Reset(0, 2),
		"negative sequence":  s.Reset(-1),
	} {
		if !isArg(err, unroll.ErrShape) && !isArg(err, unroll.ErrUsage) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := results(tensor.Dense{}, s.State()).same(before); err != nil {
		t.Error(err)
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	zeros := unroll.State{H: tensor.New(1, 2, 3), C: tensor.New(1, 2, 3)}
	if err := results(tensor.Dense{}, s.State()).same(results(tensor.Dense{}, zeros)); err != nil {
		t.Errorf("after Reset: %v", err)
	}
	both, err := unroll.New(unroll.Config{InputSize: 2, HiddenSize: 3, Bidirectional: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both.NewStream(1); !isArg(err, unroll.ErrUsage) {
		t.Errorf("a stream of two directions: %v", err)
	}
}
