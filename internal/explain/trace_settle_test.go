package explain

import (
	"testing"

	"github.com/unroll-ml/unroll"
)

// grow makes recurrent weights so large that no edit is forgotten.
func grow(t *testing.T, tr *Trace, by float32) *Trace {
	t.Helper()
	tr.Layer.Update(func(params []unroll.Param) {
		for _, p := range params {
			if len(p.Value.Shape) == 2 {
				for k := range p.Value.Data {
					p.Value.Data[k] *= by
				}
			}
		}
	})
	grown, err := NewTrace(tr.Layer, tr.X, tr.S0)
	if err != nil {
		t.Fatal(err)
	}
	if err := grown.Run(nil); err != nil {
		t.Fatal(err)
	}
	return grown
}

// A number far after an edit costs the steps until the run is the one before again, bit
// for bit, and not those between; it is the number of a run from the beginning.
func TestSessionAFarNumberAfterAnEdit(t *testing.T) {
	const steps = 64 * 100
	for _, cfg := range []unroll.Config{
		{InputSize: 3, HiddenSize: 4, NumLayers: 2},
		{Mode: unroll.RNNReLU, InputSize: 3, HiddenSize: 4, NumLayers: 2},
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 3},
		{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, NumLayers: 2},
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 6, ProjSize: 2, NumLayers: 2},
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, Variant: unroll.Variant{Reverse: true}},
		{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4, NumLayers: 2, Bidirectional: true},
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 3, Bidirectional: true},
	} {
		tr := traceOf(t, cfg, steps)
		s := thin(t, tr)
		x, s0 := tr.X.Clone(), unroll.State{H: tr.S0.H.Clone(), C: tr.S0.C}
		for _, e := range []struct{ step, far int }{{10, steps - 300}, {steps - 700, 200}, {3000, 5}, {3000, steps - 2}} {
			ask(t, s, "edit", map[string]any{"name": "input", "index": 3 * e.step, "value": 5}, nil)
			x.Data[3*e.step] = 5
			again, err := NewTrace(tr.Layer, x.Clone(), s0)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Run(nil); err != nil {
				t.Fatal(err)
			}
			top := cfg.Layers() - 1
			for d := range cfg.Directions() {
				unit, n := unitAt(t, s, top, d, e.far, 1)
				if want := Num(row(again.H[top*cfg.Directions()+d], e.far)[1]); !unit.Same || unit.H != want {
					t.Errorf("%v: after an edit of step %d, step %d is %v, a run has %v", cfg, e.step, e.far, unit.H, want)
				}
				// An edit is forgotten within a few segments here, each layer's after those below.
				bound := 3 * stride * longest * tr.Lanes()
				if cfg.Bidirectional {
					bound *= cfg.Layers()
				}
				if n > bound {
					t.Errorf("%v: after an edit of step %d, step %d took %d steps of lanes, expected at most %d of %d", cfg, e.step, e.far, n, bound, steps*tr.Lanes())
				}
			}
		}
		ask(t, s, "edit", map[string]any{"name": "h_0", "index": 1, "value": 2}, nil)
		s0.H.Data[1] = 2
		asARun(t, s, tr.Layer, x, s0)
	}
}

// Where no edit is forgotten, a number far after one takes the steps between. What is in
// view is answered meanwhile, and it is said what is computed.
func TestSessionAnswersTheViewBesideADearNumber(t *testing.T) {
	const steps = 3000
	tr := grow(t, traceOf(t, unroll.Config{InputSize: 8, HiddenSize: 256, NumLayers: 2}, steps), 8)
	s := thin(t, tr)
	ask(t, s, "edit", map[string]any{"name": "input", "index": 8 * 10, "value": 5}, nil)
	pieces, viewed, last := 0, 0, Work{}
	s.Pause = func(w Work) {
		if !w.Opening {
			return
		}
		pieces++
		if w.Done < last.Done || w.Done > 1 || pieces > 1 && w.Step == 0 {
			t.Errorf("after %+v comes %+v", last, w)
		}
		last = w
		if pieces == clickWork/work+1 {
			before := s.trace.computed
			got := ask(t, s, "values", map[string]any{"what": "h", "lane": 0, "from": 0, "to": 20, "view": true}, nil)
			if viewed = len(got); s.trace.computed-before > 2*longest {
				t.Errorf("the view took %d steps", s.trace.computed-before)
			}
		}
	}
	x := tr.X.Clone()
	x.Data[8*10] = 5
	again, err := NewTrace(tr.Layer, x, tr.S0)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Run(nil); err != nil {
		t.Fatal(err)
	}
	unit, n := unitAt(t, s, 1, 0, steps-5, 7)
	if want := Num(row(again.H[1], steps-5)[7]); !unit.Same || unit.H != want {
		t.Errorf("the number is %v, a run has %v", unit.H, want)
	}
	if viewed != 20*256 || n < steps || last.Done < .9 {
		t.Errorf("%d numbers of the view came, the number took %d steps, the last share was %v", viewed, n, last.Done)
	}
}
