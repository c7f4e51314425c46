package unroll_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
)

// randoms returns n numbers from -1 to 1.
func randoms(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = 2*r.Float32() - 1
	}
	return v
}

// Sequences that step in random company have the bits of a stream of each alone.
func TestRowsAreTheBitsOfEachAlone(t *testing.T) {
	const sequences, rounds, most = 20, 30, 9
	levels.Each(func(level string) {
		for _, l := range stacks(t) {
			c, rnd := l.Config(), rand.New(rand.NewPCG(1, 2))
			w, err := l.NewRows(most)
			must(t, err)
			must(t, w.Prepare())
			states, alone := make([][]float32, sequences), make([]*unroll.Stream, sequences)
			for i := range states {
				states[i] = make([]float32, c.StateLen())
				alone[i], err = l.NewStream(1)
				must(t, err)
			}
			for range rounds {
				who := rnd.Perm(sequences)[:rnd.IntN(most+1)]
				x, y := randoms(rnd, len(who)*c.InputSize), make([]float32, len(who)*c.OutputSize())
				var rows [][]float32
				for _, i := range who {
					rows = append(rows, states[i])
				}
				must(t, w.Step(y, x, rows))
				for k, i := range who {
					want := make([]float32, c.OutputSize())
					must(t, alone[i].Step(want, x[k*c.InputSize:(k+1)*c.InputSize]))
					if got := y[k*c.OutputSize() : (k+1)*c.OutputSize()]; !sameBits(got, want) {
						t.Fatalf("%s %s: sequence %d: %v, alone %v", level, c, i, got, want)
					}
					st := alone[i].State()
					if flat := slices.Concat(st.H.Data, st.C.Data); !sameBits(states[i], flat) {
						t.Fatalf("%s %s: state %d: %v, alone %v", level, c, i, states[i], flat)
					}
				}
			}
		}
	})
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRowsAllocateNothingAfterPrepare(t *testing.T) {
	for _, l := range stacks(t) {
		c := l.Config()
		w, err := l.NewRows(7)
		must(t, err)
		w.SetFinite(unroll.RefuseNonFinite)
		must(t, w.Prepare())
		states := make([][]float32, 7)
		for i := range states {
			states[i] = make([]float32, c.StateLen())
		}
		x, y := make([]float32, 7*c.InputSize), make([]float32, 7*c.OutputSize())
		never(t, c.String(), func() {
			for n := range 8 {
				must(t, w.Step(y[:n*c.OutputSize()], x[:n*c.InputSize], states[:n]))
			}
		})
	}
}

func TestRowsRefuse(t *testing.T) {
	l := newTrial[float32](t, unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 3}, 1).layer
	w, err := l.NewRows(2)
	must(t, err)
	st := func(n int) [][]float32 { return [][]float32{make([]float32, 6), make([]float32, n)} }
	both, _ := unroll.New(unroll.Config{InputSize: 1, HiddenSize: 1, Bidirectional: true})
	_, oneWay := both.NewRows(1)
	_, none := l.NewRows(0)
	for name, c := range map[string]struct{ got, want error }{
		"zero value":    {new(unroll.Rows).Step(nil, nil, nil), unroll.ErrUsage},
		"x":             {w.Step(make([]float32, 6), make([]float32, 3), st(6)), unroll.ErrShape},
		"y":             {w.Step(make([]float32, 5), make([]float32, 4), st(6)), unroll.ErrShape},
		"state":         {w.Step(make([]float32, 6), make([]float32, 4), st(5)), unroll.ErrShape},
		"too many":      {w.Step(nil, nil, make([][]float32, 3)), unroll.ErrShape},
		"bidirectional": {oneWay, unroll.ErrUsage},
		"no rows":       {none, unroll.ErrUsage},
		"none due":      {w.Step(nil, nil, nil), nil},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, expected %v", name, c.got, c.want)
		}
	}
}

// A stream costs its states and a few times the sums of a step, no fixed
// scratch: it was 16 KiB of it, whatever the size.
func TestStreamsAreSmall(t *testing.T) {
	for _, c := range []struct {
		cfg  unroll.Config
		most uint64
	}{
		{unroll.Config{Mode: unroll.GRU, InputSize: 8, HiddenSize: 64}, 6 << 10},
		{unroll.Config{Mode: unroll.LSTM, InputSize: 8, HiddenSize: 32}, 5 << 10},
	} {
		l := newTrial[float32](t, c.cfg, 1).layer
		x, y := make([]float32, 8), make([]float32, c.cfg.HiddenSize)
		open := func() *unroll.Stream {
			s, err := l.NewStream(1)
			must(t, err)
			must(t, s.Step(y, x))
			return s
		}
		all := []*unroll.Stream{open()}
		const n = 200
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range n {
			all = append(all, open())
		}
		runtime.ReadMemStats(&after)
		each := (after.TotalAlloc - before.TotalAlloc) / n
		t.Logf("%s: %d bytes a stream, state %d", c.cfg, each, 4*c.cfg.StateLen())
		if each > c.most && !raced { // what escapes to the heap is not the same there
			t.Errorf("%s: %d bytes a stream, expected at most %d", c.cfg, each, c.most)
		}
		runtime.KeepAlive(all)
	}
}

func TestNonFiniteSteps(t *testing.T) {
	cfg := unroll.Config{Mode: unroll.RNNReLU, InputSize: 1, HiddenSize: 2}
	l := newTrial[float32](t, cfg, 1).layer
	l.Update(func(params []unroll.Param) {
		for _, p := range params {
			for i := range p.Value.Data {
				p.Value.Data[i] = 0
				if len(p.Value.Shape) == 2 {
					p.Value.Data[i] = 3e38 // a finite input, and a sum that is not
				}
			}
		}
	})
	nan := float32(math.NaN())
	x := []float32{nan, 3e38, -1}
	want := func(err error, refused bool) {
		t.Helper()
		var bad *unroll.NonFiniteError
		if !errors.As(err, &bad) || !errors.Is(err, unroll.ErrNonFinite) || bad.Refused != refused || !slices.Equal(bad.Inputs, []int{0}) {
			t.Errorf("%v, expected row 0 among the inputs, refused %v", err, refused)
		}
	}
	for _, f := range []unroll.Finite{unroll.ReportNonFinite, unroll.RefuseNonFinite} {
		refused := f == unroll.RefuseNonFinite
		w, err := l.NewRows(3)
		must(t, err)
		w.SetFinite(f)
		states := [][]float32{{.5, .5}, {.5, .5}, {0, 0}}
		y := make([]float32, 6)
		err = w.Step(y, x, states)
		want(err, refused)
		if kept := slices.Equal(states[1], []float32{.5, .5}) && slices.Equal(states[0], []float32{.5, .5}); kept != refused {
			t.Errorf("%v: rows with such numbers have %v", f, states)
		}
		if states[2][0] != 0 || y[4] != 0 {
			t.Errorf("%v: the good row has state %v", f, states[2])
		}

		s, err := l.NewStream(3)
		must(t, err)
		s.SetFinite(f)
		st := s.State()
		st.H.Data[4] = .25
		must(t, s.SetState(st))
		want(s.Step(y, x), refused)
		if kept := s.State().H.Data[4] == .25; kept != refused {
			t.Errorf("%v: a stream's state is %v", f, s.State().H.Data)
		}
		must(t, s.SetState(st))
		err = s.Step(y, []float32{0, 3e38, 0})
		var bad *unroll.NonFiniteError
		if !errors.As(err, &bad) || len(bad.Inputs) > 0 || !slices.Contains(bad.Results, 1) {
			t.Errorf("%v: %v, expected row 1 among the results", f, err)
		}
		if kept := s.State().H.Data[4] == .25; kept != refused {
			t.Errorf("%v: after a result a stream's state is %v", f, s.State().H.Data)
		}
	}
}

func TestStatesKnowTheirLayer(t *testing.T) {
	cfg := unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3, Dropout: 0.5}
	a, b := newTrial[float32](t, cfg, 1).layer, newTrial[float32](t, cfg, 2).layer
	batchFirst := cfg
	batchFirst.BatchFirst, batchFirst.Dropout = true, 0
	same := newTrial[float32](t, batchFirst, 1).layer
	if a.Signature() != "GRU(2, 3) float32 h[1,3]" || a.Signature() != b.Signature() || len(a.Digest()) != 64 {
		t.Errorf("signatures %q and %q, digest %q", a.Signature(), b.Signature(), a.Digest())
	}
	if a.Digest() == b.Digest() {
		t.Error("layers with other parameters have one digest")
	}
	same.Update(func(params []unroll.Param) {
		for i, p := range a.Params() {
			copy(params[i].Value.Data, p.Value.Data)
		}
	})
	if a.Digest() != same.Digest() {
		t.Error("layers that compute the same have two digests")
	}
	before := a.Digest()
	stream := func(l *unroll.Layer) *unroll.Stream {
		s, err := l.NewStream(1)
		must(t, err)
		return s
	}
	st := stream(a).State()
	if err := stream(b).SetState(st); !errors.Is(err, unroll.ErrState) {
		t.Errorf("another layer's state: %v, expected ErrState", err)
	}
	if err := stream(b).SetState(st.Clone()); !errors.Is(err, unroll.ErrState) {
		t.Errorf("a clone of another layer's state: %v, expected ErrState", err)
	}
	must(t, stream(a).SetState(st))
	must(t, stream(same).SetState(st))
	must(t, stream(b).SetState(unroll.State{H: st.H})) // by hand: anybody's
	a.Update(func(params []unroll.Param) { params[0].Value.Data[0]++ })
	if a.Digest() == before {
		t.Error("the digest stays when a parameter changes")
	}
	must(t, stream(a).SetState(st))
	runtime.KeepAlive(a)
}
