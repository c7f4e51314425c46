package explain

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// session returns a session that holds a trace as the page loads it.
func session(t *testing.T, tr *Trace, example bool) *Session {
	t.Helper()
	var block []float32
	for _, p := range tr.Layer.Params() {
		block = append(block, p.Value.Data...)
	}
	block = append(block, tr.X.Data...)
	block = append(append(block, tr.S0.H.Data...), tr.S0.C.Data...)
	for _, rec := range append(slices.Clone(tr.H), tr.C...) {
		block = append(block, rec.Data...)
	}
	s := &Session{}
	ask(t, s, "load", map[string]any{"config": tr.Config(), "steps": tr.Steps(), "state": true, "recorded": true, "example": example}, floats(block))
	return s
}

// ask carries out a command and returns its numbers.
func ask(t *testing.T, s *Session, cmd string, args map[string]any, block []byte) []float32 {
	t.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	_, out, err := s.Do(cmd, text, block)
	if err != nil {
		t.Fatalf("%s %s: %v", cmd, text, err)
	}
	v := make([]float32, len(out)/4)
	r := reader{block: out}
	r.read(v)
	return v
}

// What the page draws is the record, whole or some units of some steps.
func TestSessionGivesTheRecord(t *testing.T) {
	for _, cfg := range configs() {
		tr := traceOf(t, cfg, 6)
		s := session(t, tr, false)
		for i := range tr.H {
			if got := ask(t, s, "values", map[string]any{"what": "h", "lane": i}, nil); differ(got, tr.H[i].Data) > 0 {
				t.Errorf("%v lane %d: h differs", cfg, i)
			}
			got := ask(t, s, "values", map[string]any{"what": "h", "lane": i, "from": 2, "to": 4, "units": []int{1, 0}}, nil)
			if want := []float32{row(tr.H[i], 2)[1], row(tr.H[i], 2)[0], row(tr.H[i], 3)[1], row(tr.H[i], 3)[0]}; !slices.Equal(got, want) {
				t.Errorf("%v lane %d: %v, expected %v", cfg, i, got, want)
			}
		}
		if got := ask(t, s, "numbers", map[string]any{"name": "h_0"}, nil); differ(got, tr.S0.H.Data) > 0 {
			t.Errorf("%v: h_0 differs", cfg)
		}
	}
}

// After any edits the session holds what a run of the edited model gives.
func TestSessionEditsAsARunFromTheBeginning(t *testing.T) {
	all := configs()
	for _, v := range variants {
		all = append(all, v.cfg)
	}
	for _, cfg := range all {
		tr := traceOf(t, cfg, 5)
		s := session(t, tr, false)
		names := []string{"input", "h_0"}
		if cfg.HasCell() {
			names = append(names, "c_0")
		}
		for _, p := range tr.Layer.Params() {
			names = append(names, p.Name)
		}
		g := rng.New(5)
		changed := 0
		for k := range 3 * len(names) {
			name := names[k%len(names)]
			n := len(ask(t, s, "numbers", map[string]any{"name": name}, nil))
			ask(t, s, "edit", map[string]any{"name": name, "index": int(g.Uint32()>>1) % n, "value": float64(k%7)/8 - 0.4}, nil)
			again := asARun(t, s, s.layer, s.x, s.s0)
			for i := range again.H {
				changed += differ(again.H[i].Data, tr.H[i].Data)
			}
		}
		if changed == 0 {
			t.Errorf("%v: the edits changed nothing", cfg)
		}
	}
}

// The mean gates are the means of the layer's own record of gates.
func TestMeanGates(t *testing.T) {
	for _, cfg := range configs() {
		if !cfg.HasCell() && cfg.Mode != unroll.GRU {
			continue
		}
		tr := traceOf(t, cfg, 7)
		pass := unroll.Pass{Layer: tr.Layer, Record: true}
		if _, _, err := pass.Forward(tr.X, tr.S0); err != nil {
			t.Fatal(err)
		}
		d := cfg.Directions() - 1
		means, err := tr.MeanGates(0, d, 2, 6, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, name := range tr.Layer.Gates() {
			g, err := pass.Gate(0, d, name)
			if err != nil {
				t.Fatal(err)
			}
			if len(means[k]) != 4 {
				t.Fatalf("%v: %d means, expected 4", cfg, len(means[k]))
			}
			for s, got := range means[k] {
				want := 0.0
				for u := range cfg.HiddenSize {
					want += float64(g.Data[(2+s)*cfg.HiddenSize+u]) / float64(cfg.HiddenSize)
				}
				if math.Abs(got-want) > 1e-12 {
					t.Errorf("%v gate %s step %d: mean %v, expected %v", cfg, name, 2+s, got, want)
				}
			}
		}
	}
}

// A newer edit ends what is computed for an older one.
func TestSessionANewerEditWins(t *testing.T) {
	tr := traceOf(t, unroll.Config{InputSize: 3, HiddenSize: 4, NumLayers: 2}, 5)
	s := session(t, tr, false)
	nested := false
	s.Pause = func(Work) {
		if !nested {
			nested = true
			ask(t, s, "edit", map[string]any{"name": "input", "index": 4 * 3, "value": 2}, nil)
		}
	}
	ask(t, s, "edit", map[string]any{"name": "input", "index": 3, "value": 1}, nil)
	reply, _, err := s.Do("values", []byte(`{"what":"h","lane":1}`), nil)
	if m, ok := reply.(map[string]any); err != nil || !ok || m["superseded"] != true {
		t.Fatalf("%v %v", reply, err)
	}
	// Both edits are in the newer run, though its own is at a later step.
	x := tr.X.Clone()
	x.Data[3], x.Data[4*3] = 1, 2
	y, _, err := tr.Layer.Forward(x, tr.S0)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, "values", map[string]any{"what": "h", "lane": 1}, nil); differ(got, y.Data) > 0 {
		t.Error("the run lacks an edit")
	}
}

// Whatever a page sends, the answer is an answer or an error in words.
func TestSessionRefusesInWords(t *testing.T) {
	if _, _, err := (&Session{}).Do("unit", nil, nil); !errors.Is(err, unroll.ErrUsage) {
		t.Errorf("before there is a model: %v", err)
	}
	tr := exampleTrace(t)
	for _, c := range []struct{ cmd, args, want string }{
		{"dance", `{}`, `no command "dance"`},
		{"unit", `{"layer":2}`, "0 to 1"},
		{"unit", `{"unit":"x"}`, "unit"},
		{"unit", `{`, "JSON"},
		{"values", `{"what":"h","lane":2}`, "0 to 1"},
		{"values", `{"what":"h","lane":0,"units":[4]}`, "0 to 3"},
		{"values", `{"what":"h","lane":0,"from":-1,"to":2}`, "from"},
		{"values", `{"what":"h","lane":0,"from":4,"to":2}`, "from"},
		{"values", `{"what":"soul","lane":0}`, "soul"},
		{"values", `{"what":"d","lane":0}`, "no run is kept"},
		{"numbers", `{"name":"weight_ih_l7"}`, "weight_ih_l7"},
		{"edit", `{"name":"c_0"}`, "c_0"},
		{"edit", `{"name":"input","index":15}`, "0 to 14"},
		{"edit", `{"name":"weight_hh_l1","index":-1}`, "0 to 15"},
		{"layers", `{"n":0}`, "1 to 64"},
		{"layers", `{"n":65}`, "1 to 64"},
		{"inputs", `{"n":4}`, "example"},
		{"influence", `{"unit":4}`, "0 to 3"},
		{"openness", `{"layer":9}`, "0 to 1"},
		{"load", `{"config":{"mode":"RNN_TANH","input_size":2,"hidden_size":2},"steps":3}`, "expected"},
		{"load", `{"config":{"mode":"RNN_TANH","input_size":0}}`, "hidden_size"},
		{"open", `{"name":"a.pt"}`, "a.pt"},
		{"open", `{"name":"a.safetensors"}`, "safetensors"},
	} {
		s := session(t, tr, false)
		_, _, err := s.Do(c.cmd, []byte(c.args), []byte{1, 2, 3, 4, 5, 6, 7, 8})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, expected words with %q", c.cmd, c.args, err, c.want)
		}
		if s.trace == nil || differ(s.trace.H[1].Data, tr.H[1].Data) > 0 {
			t.Errorf("%s %s: the run is gone", c.cmd, c.args)
		}
	}
}

// The example with four inputs is PyTorch's: manual_seed(0), randn(5, 4),
// RNN(4, 4, 2). The loop of the old documentation on it gives the numbers that
// the same loop gives in PyTorch 1.13.
func TestExampleWhereTheSizesFit(t *testing.T) {
	layer, x, err := example(4, 2)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := NewTrace(layer, x, unroll.State{})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Run(nil); err != nil {
		t.Fatal(err)
	}
	res, err := tr.Loop(Loop{EveryLayer: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want []float32
	}{
		{"output[4]", row(tr.H[1], 4), []float32{-0.733098, 0.091655, -0.275837, 0.333060}},
		{"the loop's output[4]", row(res.Output, 4), []float32{-0.670407, 0.858512, -0.037526, 0.225693}},
		{"the loop's output[0]", row(res.Output, 0), []float32{0.179417, 0.580078, 0.244457, -0.154543}},
	} {
		for u, v := range c.got {
			if math.Abs(float64(v-c.want[u])) > 1e-6 {
				t.Errorf("%s: %v, PyTorch has %v", c.name, c.got, c.want)
			}
		}
	}
}

// asARun fails unless the session's states are those of a new run, which it returns.
func asARun(t *testing.T, s *Session, layer *unroll.Layer, x tensor.Dense, s0 unroll.State) *Trace {
	t.Helper()
	again, err := NewTrace(layer, x, s0)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Run(nil); err != nil {
		t.Fatal(err)
	}
	for i := range again.H {
		if got := ask(t, s, "values", map[string]any{"what": "h", "lane": i}, nil); differ(got, again.H[i].Data) > 0 {
			t.Fatalf("%v: lane %d is not that of a run", layer.Config(), i)
		}
	}
	return again
}
