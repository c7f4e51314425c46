package explain

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/tensor"
)

// bits is all that a session would answer about its run.
func bits(t *testing.T, s *Session) string {
	t.Helper()
	var out strings.Builder
	for _, p := range s.layer.Params() {
		fmt.Fprint(&out, p.Name, p.Value.Data)
	}
	fmt.Fprint(&out, s.x.Data, s.s0.H.Data, s.s0.C.Data, s.kept != nil, s.drawn, s.example)
	for i := range s.trace.H {
		fmt.Fprint(&out, ask(t, s, "values", map[string]any{"what": "h", "lane": i}, nil))
	}
	return out.String()
}

// Undo goes back through every kind of change, one at a time, and reset through all
// of them, also where the runs of the past were forgotten.
func TestSessionUndoes(t *testing.T) {
	changes := []struct {
		cmd   string
		args  map[string]any
		block []byte
	}{
		{"edit", map[string]any{"name": "input", "index": 4, "value": 2}, nil},
		{"edit", map[string]any{"name": "h_0", "index": 1, "value": -1}, nil},
		{"keep", nil, nil},
		{"edit", map[string]any{"name": "weight_hh_l1", "index": 3, "value": 0.5}, nil},
		{"layers", map[string]any{"n": 3}, nil},
		{"inputs", map[string]any{"n": 4}, nil},
		{"input", map[string]any{"name": "a.txt"}, []byte("1 2 3 4\n5 6 7 8")},
	}
	for _, forget := range []bool{false, true} {
		s := session(t, exampleTrace(t), true)
		past := []string{bits(t, s)}
		for _, c := range changes {
			ask(t, s, c.cmd, c.args, c.block)
			if c.cmd == "keep" {
				past[len(past)-1] = bits(t, s)
				continue
			}
			past = append(past, bits(t, s))
		}
		for i := range s.history {
			if forget {
				s.history[i].trace = nil
			}
		}
		first := past[0]
		for i := len(past) - 1; i > 0; i-- {
			if bits(t, s) != past[i] || past[i] == past[i-1] {
				t.Fatalf("forget %v: before undo %d the session is another", forget, i)
			}
			if i == 2 {
				ask(t, s, "reset", nil, nil)
				if bits(t, s) != first {
					t.Errorf("forget %v: reset does not give the first run", forget)
				}
				break
			}
			ask(t, s, "undo", nil, nil)
		}
		if _, _, err := s.Do("undo", nil, nil); !errors.Is(err, unroll.ErrUsage) {
			t.Errorf("undo of nothing: %v", err)
		}
	}
}

// A change that fails is none.
func TestSessionRemembersNoFailure(t *testing.T) {
	s := session(t, exampleTrace(t), true)
	for _, c := range []string{`{"name":"weight_ih_l9"}`, `{"name":"input","index":99}`} {
		if _, _, err := s.Do("edit", []byte(c), nil); err == nil {
			t.Errorf("%s: no error", c)
		}
	}
	if _, _, err := s.Do("input", []byte(`{"name":"a.csv"}`), []byte("1,2\n")); err == nil || s.drawn {
		t.Errorf("a refused input: %v", err)
	}
	if len(s.history) != 0 || s.at != 0 {
		t.Errorf("%d changes are remembered, the last is %d", len(s.history), s.at)
	}
}

// The memory of the past is bounded; the first state stays.
func TestSessionForgetsTheMiddle(t *testing.T) {
	s := session(t, exampleTrace(t), true)
	first := bits(t, s)
	big := &Trace{H: []tensor.Dense{{Data: make([]float32, historyRuns/8)}}}
	for k := range 5 {
		ask(t, s, "edit", map[string]any{"name": "input", "index": k, "value": 2}, nil)
		s.history[k].trace = big
	}
	ask(t, s, "edit", map[string]any{"name": "input", "index": 6, "value": 2}, nil)
	held := 0
	for _, h := range s.history {
		if h.trace == big {
			held++
		}
	}
	if held != 1 {
		t.Errorf("%d runs of half the bound beside one small are held, expected 1", held)
	}
	s.history[0].trace = nil
	ask(t, s, "reset", nil, nil)
	if bits(t, s) != first {
		t.Error("reset does not give the first run")
	}
}

// What is exported is read back to the bit: the edited model and its input give the
// edited run, and the table has every number of it.
func TestSessionExports(t *testing.T) {
	for _, cfg := range configs() {
		tr := traceOf(t, cfg, 4)
		s := session(t, tr, false)
		ask(t, s, "edit", map[string]any{"name": "weight_hh_l0", "index": 1, "value": 0.625}, nil)
		ask(t, s, "edit", map[string]any{"name": "h_0", "index": 1, "value": 0.25}, nil)
		layer, err := unroll.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		values := read(t, s, "model")
		if err := layer.Load(values); err != nil {
			t.Fatal(err)
		}
		in := read(t, s, "input")
		again, err := NewTrace(layer, in["input"], unroll.State{H: in["hx"], C: in["cx"]})
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Run(nil); err != nil {
			t.Fatal(err)
		}
		_, table, err := s.Do("export", []byte(`{"what":"numbers"}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]float64{}
		for _, r := range rows[1:] {
			v, err := strconv.ParseFloat(r[5], 32)
			if err != nil {
				t.Fatal(err)
			}
			found[strings.Join(r[:5], " ")] = v
		}
		if want := len(again.X.Data) + again.recordBytes()/4 + len(again.S0.H.Data) + len(again.S0.C.Data); len(found) != want {
			t.Errorf("%v: %d numbers, expected %d", cfg, len(found), want)
		}
		for i := range again.H {
			dir := map[bool]string{false: "forward", true: "reverse"}[again.reversed(i%cfg.Directions())]
			for st := range 4 {
				for u, v := range row(again.H[i], st) {
					key := fmt.Sprintf("h %d %s %d %d", i/cfg.Directions()+1, dir, st, u)
					if float32(found[key]) != v {
						t.Fatalf("%v: %s is %v, expected %v", cfg, key, found[key], v)
					}
				}
			}
		}
	}
	s := session(t, traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 3, Variant: unroll.Variant{Clip: 0.5}}, 3), false)
	if _, _, err := s.Do("export", []byte(`{"what":"model"}`), nil); !errors.Is(err, unroll.ErrUsage) {
		t.Errorf("a variant without words in a state dict: %v", err)
	}
	if _, _, err := s.Do("export", []byte(`{"what":"smoke"}`), nil); !errors.Is(err, unroll.ErrUsage) {
		t.Errorf("smoke: %v", err)
	}
	long := &Trace{X: tensor.New(exportRows+1, 1)}
	if _, err := long.table(); err == nil || !strings.Contains(err.Error(), "1000001 rows") {
		t.Errorf("a table too long: %v", err)
	}
}

// read returns the tensors of an exported file.
func read(t *testing.T, s *Session, what string) map[string]tensor.Dense {
	t.Helper()
	text, err := json.Marshal(map[string]string{"what": what})
	if err != nil {
		t.Fatal(err)
	}
	_, b, err := s.Do("export", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]tensor.Dense{}
	for _, name := range f.Names() {
		if values[name], err = checkpoint.Float[float32](f, name); err != nil {
			t.Fatal(err)
		}
	}
	return values
}
