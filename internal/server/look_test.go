//go:build !js

package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
	dense "github.com/unroll-ml/unroll/tensor"
)

// explained is an answer of explain.
type explained struct {
	First, Steps int
	Page         string
}

func (v *served) explain(model, id string) (e explained) {
	v.t.Helper()
	code, body, _ := v.do("POST", "/v2/models/"+model+"/sequences/"+id+"/explain", nil)
	if err := json.Unmarshal([]byte(body), &e); err != nil || code != 200 {
		v.t.Fatalf("%d %s", code, body)
	}
	return e
}

// The steps of a sequence, of a layer and of whole models, are explained as they were
// made: the state after the last that is kept is the sequence's.
func TestStepsAreExplainedAsTheyWereMade(t *testing.T) {
	rate, err := model.Of([]int64{2})
	must(t, err)
	layer, _ := layerSource(t, small)
	sources := []Source{
		layer,
		{Path: frames(t), Rows: model.RowsOptions{Set: map[string]model.Value{"sr": rate}, Sizes: map[string]int{"input[1]": 6}}},
		folderSource(t, "words", nn.Config{NumEmbeddings: 9, EmbeddingDim: 4, RNN: unroll.Config{Mode: unroll.GRU, HiddenSize: 6, NumLayers: 2}, OutFeatures: 9}),
	}
	v := serve(t, Options{Models: sources})
	for _, name := range v.s.names {
		h := v.s.hosts[name]
		must(t, h.pool.Open("a"))
		step := func(n int) {
			x, y := make([]float32, h.now.step.in), make([]float32, h.now.step.out)
			for i := range x {
				if x[i] = float32(n*(i+1)%7) / 8; name == "words" {
					x[i] = float32(n % 9)
				}
			}
			must(t, h.pool.Step(ctx, "a", y, x))
		}
		step(1)
		if e := v.explain(name, "a"); e.First != 1 || e.Steps != 0 || e.Page != "" {
			t.Errorf("%s: %+v before a step is kept", name, e)
		}
		for n := range lookSteps + 3 {
			step(n)
		}
		e := v.explain(name, "a")
		if e.First != 1 || e.Steps != lookSteps+3 {
			t.Errorf("%s: %+v", name, e)
		}
		if code, body, head := v.do("GET", e.Page, nil); code != 200 || !strings.Contains(body, name+", a") || head.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, %d bytes", name, code, len(body))
		}
		kept, err := h.pool.Watched("a")
		must(t, err)
		h.pool.Unwatch("a")
		must(t, h.pool.Watch("a", 1))
		now, err := h.pool.Watched("a")
		must(t, err)
		l := &looker{}
		must(t, l.steps(h.now, kept))
		parts, err := l.parts()
		must(t, err)
		state := append(parts[0].Trace.HN().Data, parts[0].Trace.CN().Data...)
		if len(parts) != 1 || bits(state) != bits(now.State) {
			t.Errorf("%s: %d layers end with %v, the sequence with %v", name, len(parts), state, now.State)
		}
	}
}

// A layer that begins anew in every step, inside a model that carries another state,
// is explained on its last step alone.
func TestLayersThatBeginAnew(t *testing.T) {
	l, err := unroll.New(small)
	must(t, err)
	see := func(k *looker, x float32, h0, hn float32) {
		in := make([]float32, 3)
		in[0] = x
		one := func(v float32, n int) model.Value {
			data := make([]float32, n)
			data[0] = v
			out, err := model.FromDense(dense.Dense{Shape: []int{n}, Data: data})
			must(t, err)
			return out
		}
		must(t, k.see(model.Seen{Name: "rnn", Layer: l, Own: true, In: []model.Value{one(x, 3), one(h0, 10), one(0, 10)}, Out: []model.Value{one(0, 5), one(hn, 10), one(0, 10)}}))
	}
	goes, begins := &looker{layers: map[string]*reached{}}, &looker{layers: map[string]*reached{}}
	for i := range 3 {
		see(goes, 1, float32(i), float32(i+1))
		see(begins, 1, 0, 5)
	}
	if a, b := len(goes.layers["rnn"].x), len(begins.layers["rnn"].x); a != 9 || b != 3 {
		t.Errorf("%d numbers of 3 steps that go on, %d of those that begin anew, expected 9 and 3", a, b)
	}
}

// Few sequences are looked into and few pages kept, and what cannot be is refused.
func TestLookingIsBounded(t *testing.T) {
	src, _ := layerSource(t, small)
	low := src
	low.Name, low.Open.Precision = "low", unroll.Int8
	v := serve(t, Options{Models: []Source{src, low}})
	p := v.s.hosts["m"].pool
	x, y := make([]float32, 3), make([]float32, 5)
	var pages []string
	for i := range lookMost + 2 {
		id := fmt.Sprint("s", i)
		must(t, p.Open(id))
		v.explain("m", id)
		must(t, p.Step(ctx, id, y, x))
		if i < gridMost+1 {
			pages = append(pages, v.explain("m", id).Page)
		}
	}
	for i, page := range pages {
		if code, body, _ := v.do("GET", page, nil); i == 0 {
			v.refused("the oldest page", code, body, 404, "not_found", "the last 4 are")
		} else if code != 200 {
			t.Errorf("page %d: %d", i, code)
		}
	}
	watched := 0
	for i := range lookMost + 2 {
		if _, err := p.Watched(fmt.Sprint("s", i)); err == nil {
			watched++
		}
	}
	if watched != lookMost {
		t.Errorf("%d sequences are watched, expected %d", watched, lookMost)
	}
	code, body, _ := v.do("POST", "/v2/models/m/sequences/none/explain", nil)
	v.refused("no sequence", code, body, 409, "never_started", "never started")
	must(t, v.s.hosts["low"].pool.Open("a"))
	code, body, _ = v.do("POST", "/v2/models/low/sequences/a/explain", nil)
	v.refused("low precision", code, body, 400, "bad_request", "int8")
	for name, want := range map[string]string{"m": "true", "low": "false"} {
		if h := v.s.hosts[name]; h.properties(h.now)["explain"] != want {
			t.Errorf("the metadata of %s says %q of explain", name, h.properties(h.now)["explain"])
		}
	}
}
