package explain

import (
	"fmt"
	"testing"

	"github.com/unroll-ml/unroll"
)

// count returns how many segments of a session's run are known.
func (s *Session) count() int {
	n := 0
	for _, k := range s.trace.known {
		for _, all := range k.all {
			if all {
				n++
			}
		}
	}
	return n
}

// thin returns a session that has of a trace the states at the ends of segments, as a long page has.
func thin(t *testing.T, tr *Trace) *Session {
	t.Helper()
	var block []float32
	for _, p := range tr.Layer.Params() {
		block = append(block, p.Value.Data...)
	}
	block = append(block, tr.X.Data...)
	block = append(append(block, tr.S0.H.Data...), tr.S0.C.Data...)
	tr.record(true, func(rows []float32) { block = append(block, rows...) })
	s := &Session{}
	ask(t, s, "load", map[string]any{"config": tr.Config(), "steps": tr.Steps(), "state": true, "recorded": true, "ends": true}, floats(block))
	return s
}

// Of the states that are held any steps follow, to the bit, and no more is computed than
// leads there.
func TestSessionComputesWhatIsAskedFor(t *testing.T) {
	all := append(configs(), unroll.Config{InputSize: 3, HiddenSize: 4, Variant: unroll.Variant{Reverse: true}})
	for _, cfg := range all {
		for _, steps := range []int{1, 63, 64, 65, 200, 256} {
			tr := traceOf(t, cfg, steps)
			s := thin(t, tr)
			if s.count() != 0 {
				t.Fatalf("%v: %d segments are known", cfg, s.count())
			}
			top := tr.Lanes() - 1
			from := steps * 2 / 3
			got := ask(t, s, "values", map[string]any{"what": "h", "lane": top, "from": from, "to": from + 1}, nil)
			if differ(got, row(tr.H[top], from)) > 0 {
				t.Fatalf("%v, %d steps: step %d differs", cfg, steps, from)
			}
			// The state before and the step after may lie in other segments, and a
			// reverse lane's begin elsewhere.
			if n := s.count(); n > 4*tr.Lanes() {
				t.Errorf("%v, %d steps: %d segments were computed for one step", cfg, steps, n)
			}
			for i := range tr.H {
				if got := ask(t, s, "values", map[string]any{"what": "h", "lane": i}, nil); differ(got, tr.H[i].Data) > 0 {
					t.Errorf("%v, %d steps: lane %d differs", cfg, steps, i)
				}
			}
		}
	}
}

// An edit in a long run answers the steps in view before it computes those after
// them, and forgets no state before it.
func TestSessionAnswersWhatIsInViewFirst(t *testing.T) {
	tr := traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 2}, 64*100)
	s := thin(t, tr)
	at := 64*50 + 10
	ask(t, s, "edit", map[string]any{"name": "input", "index": 3 * at, "value": 5}, nil)
	if n := s.count(); n != 0 {
		t.Errorf("the edit computed %d segments, none was asked for", n)
	}
	view := map[string]any{"what": "h", "lane": 1, "from": at - 64, "to": at + 64}
	got := ask(t, s, "values", view, nil)
	if n := s.count(); n > 2*4 {
		t.Errorf("%d segments were computed for three in view in two layers", n)
	}
	x := tr.X.Clone()
	x.Data[3*at] = 5
	again, err := NewTrace(tr.Layer, x, tr.S0)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Run(nil); err != nil {
		t.Fatal(err)
	}
	if differ(got, again.H[1].Data[4*(at-64):4*(at+64)]) > 0 {
		t.Error("the steps in view are not those of a run")
	}
	ask(t, s, "edit", map[string]any{"name": "input", "index": 3 * 64 * 90, "value": 5}, nil)
	if got := ask(t, s, "values", view, nil); differ(got, again.H[1].Data[4*(at-64):4*(at+64)]) > 0 || s.count() > 2*4 {
		t.Errorf("after a later edit they are others, or computed again: %d segments", s.count())
	}
	x.Data[3*64*90] = 5
	if again, err = NewTrace(tr.Layer, x, tr.S0); err != nil {
		t.Fatal(err)
	}
	if err := again.Run(nil); err != nil {
		t.Fatal(err)
	}
	for i := range again.H {
		if got := ask(t, s, "values", map[string]any{"what": "c", "lane": i}, nil); differ(got, again.C[i].Data) > 0 {
			t.Errorf("lane %d: the whole run differs", i)
		}
	}
	if got := fmt.Sprint(ask(t, s, "openness", map[string]any{"layer": 1, "from": 3, "to": 4}, nil)); got == "" {
		t.Error("no gates")
	}
}
