package explain

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/unroll-ml/unroll"
)

// unitAt opens a number and returns what the session says of it.
func unitAt(t *testing.T, s *Session, layer, direction, step, u int) (got Unit, computed int) {
	t.Helper()
	args := fmt.Sprintf(`{"layer":%d,"direction":%d,"step":%d,"unit":%d,"n":8}`, layer, direction, step, u)
	reply, _, err := s.Do("unit", []byte(args), nil)
	if err != nil {
		t.Fatalf("unit %s: %v", args, err)
	}
	text, err := json.Marshal(reply)
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Unit     Unit
		Computed int
	}
	if err := json.Unmarshal(text, &said); err != nil {
		t.Fatalf("unit %s: %v in %s", args, err, text)
	}
	return said.Unit, said.Computed
}

// A number far from the one before costs a bounded number of multiply-adds, however
// long the run and large the layer, and is the record's.
func TestSessionOpensAFarNumberAtABoundedCost(t *testing.T) {
	for _, c := range []struct {
		cfg     unroll.Config
		steps   int
		segment int // what clickWork pays for
	}{
		{unroll.Config{Mode: unroll.LSTM, InputSize: 8, HiddenSize: 512, NumLayers: 2}, 400, clickWork / (2048 * (8 + 512 + 512 + 512))},
		{unroll.Config{Mode: unroll.LSTM, InputSize: 8, HiddenSize: 256, NumLayers: 2, Bidirectional: true}, 700, clickWork / (2 * 1024 * (8 + 256 + 512 + 256))},
		{unroll.Config{Mode: unroll.GRU, InputSize: 8, HiddenSize: 512, Variant: unroll.Variant{Reverse: true}}, 1200, clickWork / (1536 * (8 + 512))},
		{unroll.Config{InputSize: 3, HiddenSize: 16, NumLayers: 2}, 20000, longest},
	} {
		tr := traceOf(t, c.cfg, c.steps)
		s := thin(t, tr)
		if got := s.trace.known[0].steps; got != c.segment {
			t.Fatalf("%v: every %d-th state is held, expected every %d-th", c.cfg, got, c.segment)
		}
		// In a layer below, steps of both directions lead to a segment.
		bound := 1
		for l := range c.cfg.Layers() {
			bound += c.segment * (1 + l*c.cfg.Directions()*c.cfg.Directions())
		}
		for k := range 15 {
			at := (k*5 + 3) % 15 * (c.steps - 1) / 14
			l, d, u := k%c.cfg.Layers(), k%c.cfg.Directions(), k
			unit, n := unitAt(t, s, l, d, at, u)
			if n > bound {
				t.Errorf("%v: step %d of layer %d took %d steps of lanes, expected at most %d", c.cfg, at, l, n, bound)
			}
			if want := Num(row(tr.H[l*c.cfg.Directions()+d], at)[u]); !unit.Same || unit.H != want {
				t.Errorf("%v: step %d of layer %d unit %d is %v, the record has %v", c.cfg, at, l, u, unit.H, want)
			}
		}
	}
}

// What is in view is computed in pieces, between which an opened number is answered;
// a newer view ends an older one, which keeps what it has.
func TestSessionAnswersAClickBeforeTheView(t *testing.T) {
	tr := traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 8, HiddenSize: 512, NumLayers: 2}, 400)
	s, pieces := thin(t, tr), 0
	s.Pause = func(Work) {
		if pieces++; pieces != 8 {
			return
		}
		if unit, _ := unitAt(t, s, 1, 0, 390, 7); unit.H != Num(row(tr.H[1], 390)[7]) {
			t.Errorf("a number that is opened meanwhile is %v", unit.H)
		}
		if n := s.trace.computed; n > 60 {
			t.Errorf("it was answered after %d steps of the view's 800", n)
		}
		ask(t, s, "values", map[string]any{"what": "h", "lane": 0, "from": 200, "to": 202, "view": true}, nil)
	}
	reply, _, err := s.Do("values", []byte(`{"what":"h","lane":1,"from":0,"to":400,"view":true}`), nil)
	if m, ok := reply.(map[string]any); err != nil || !ok || m["superseded"] != true {
		t.Errorf("the older view: %v, %v", reply, err)
	}
	if n := s.trace.computed; n > 80 {
		t.Errorf("the older view went on: %d steps were computed", n)
	}
	if !s.trace.known[0].has(0) {
		t.Error("what the older view computed is forgotten")
	}
}
