package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
)

// refused checks an error's code and reason and a part of what it says.
func (v *served) refused(what string, code int, body string, wantCode int, reason, part string) {
	v.t.Helper()
	var e struct{ Error, Reason string }
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		v.t.Errorf("%s: %v in %q", what, err, body)
		return
	}
	if code != wantCode || e.Reason != reason || !strings.Contains(e.Error, part) {
		v.t.Errorf("%s: %d %s %q, expected %d %s with %q", what, code, e.Reason, e.Error, wantCode, reason, part)
	}
}

const infer = "/v2/models/m/infer"

func TestSequencesOverREST(t *testing.T) {
	src, l := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}})
	k := newTrack(t, l, 1)
	step := func(x []float32, params jmap) (int, string) {
		code, body, _ := v.do("POST", infer, stepBody(x, params))
		return code, body
	}
	x, want := k.next()
	code, body := step(x, jmap{"sequence_id": 7})
	v.refused("a step before the start", code, body, 409, "never_started", `"7" was never started`)
	for i := range 5 {
		params := jmap{"sequence_id": uint64(1<<64 - 1), "sequence_start": i == 0}
		if i%2 == 1 {
			params["sequence_id"] = "18446744073709551615" // the same
		}
		code, body = step(x, params)
		if code != 200 {
			t.Fatalf("step %d: %d %s", i, code, body)
		}
		if got, shape := output(t, body, "output"); bits(got) != bits(want) || !slices.Equal(shape, []int{1, 1, 5}) {
			t.Errorf("step %d: %v %v, alone %v", i, got, shape, want)
		}
		if !strings.Contains(body, fmt.Sprintf(`"sequence_steps":%d`, i+1)) {
			t.Errorf("step %d: %s", i, body)
		}
		x, want = k.next()
	}
	if code, body = step(x, jmap{"sequence_id": uint64(1<<64 - 1), "sequence_end": true}); code != 200 {
		t.Errorf("the end: %d %s", code, body)
	}
	code, body = step(x, jmap{"sequence_id": uint64(1<<64 - 1)})
	v.refused("after the end", code, body, 409, "ended", "has ended")

	// 0 and "" are none: the model runs alone and gives its state.
	for _, none := range []any{0, ""} {
		code, body = step(x, jmap{"sequence_id": none})
		if _, shape := output(t, body, "h_n"); code != 200 || !slices.Equal(shape, []int{2, 1, 5}) {
			t.Errorf("sequence_id %v: %d %s", none, code, body)
		}
	}
	code, body = step(x, jmap{"sequence_id": 0, "sequence_start": true})
	v.refused("a start of none", code, body, 400, "bad_request", "without a sequence_id")
}

// A sequence that starts again begins from zeros, and what is sent again with its
// step steps once.
func TestStartAgainAndSendAgain(t *testing.T) {
	src, l := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}})
	do := func(x []float32, params jmap, want []float32) {
		t.Helper()
		code, body, _ := v.do("POST", infer, stepBody(x, params))
		if code != 200 {
			t.Fatalf("%v: %d %s", params, code, body)
		}
		if got, _ := output(t, body, "output"); bits(got) != bits(want) {
			t.Errorf("%v: %v, expected %v", params, got, want)
		}
	}
	for range 2 { // starts again
		k := newTrack(t, l, 3)
		for i := range 3 {
			x, want := k.next()
			do(x, jmap{"sequence_id": "a", "sequence_start": i == 0}, want)
		}
	}
	k := newTrack(t, l, 4)
	for i := range 4 {
		x, want := k.next()
		for range 3 { // each is sent three times
			do(x, jmap{"sequence_id": "b", "sequence_start": i == 0, "sequence_step": i}, want)
		}
	}
	x, want := k.next()
	code, body, _ := v.do("POST", infer, stepBody(x, jmap{"sequence_id": "b", "sequence_step": 6}))
	if v.refused("another step", code, body, 409, "wrong_step", "has made 4 steps, not 6"); !strings.Contains(body, `"steps":4`) {
		t.Error(body)
	}
	do(x, jmap{"sequence_id": "b", "sequence_step": 4}, want)
}

// Many sequences in a request, several steps in a request, and the forms of shapes
// give the bits of each alone.
func TestManySequencesInARequest(t *testing.T) {
	for _, batchFirst := range []bool{false, true} {
		src, l := layerSource(t, small)
		if batchFirst {
			src.Open.Layout = model.BatchFirst
		}
		v := serve(t, Options{Models: []Source{src}})
		const n, steps = 3, 4
		var tracks []*track
		for i := range n {
			tracks = append(tracks, newTrack(t, l, uint64(i)))
		}
		x, want := make([]float32, steps*n*3), make([]float32, steps*n*5)
		at := func(step, row int) int {
			if batchFirst {
				return row*steps + step
			}
			return step*n + row
		}
		for step := range steps {
			for row, k := range tracks {
				a, b := k.next()
				copy(x[3*at(step, row):], a)
				copy(want[5*at(step, row):], b)
			}
		}
		shape := []int{steps, n, 3}
		if batchFirst {
			shape = []int{n, steps, 3}
		}
		body := jmap{"parameters": jmap{"sequence_start": true}, "inputs": []jmap{
			{"name": "sequence_id", "datatype": "BYTES", "shape": []int{n}, "data": []string{"x", "y", "12"}},
			{"name": "input", "datatype": "FP32", "shape": shape, "data": x},
		}}
		code, text, _ := v.do("POST", infer, body)
		if got, _ := output(t, text, "output"); code != 200 || bits(got) != bits(want) {
			t.Errorf("batch first %v: %d %s, expected %v", batchFirst, code, text, want)
		}
		// One step of two of them, [B,I], and one of one, [I].
		a, wantA := tracks[2].next()
		b, wantB := tracks[0].next()
		code, text, _ = v.do("POST", infer, jmap{"inputs": []jmap{
			{"name": "sequence_id", "datatype": "BYTES", "shape": []int{2}, "data": []string{"12", "x"}},
			{"name": "input", "datatype": "FP32", "shape": []int{2, 3}, "data": [][]float32{a, b}},
		}})
		if got, shape := output(t, text, "output"); code != 200 || bits(got) != bits(append(wantA, wantB...)) || !slices.Equal(shape, []int{2, 5}) {
			t.Errorf("[B,I]: %d %s", code, text)
		}
		a, wantA = tracks[2].next()
		code, text, _ = v.do("POST", infer, jmap{"parameters": jmap{"sequence_id": 12}, "inputs": []jmap{{"name": "input", "datatype": "FP32", "shape": []int{3}, "data": a}}})
		if got, _ := output(t, text, "output"); code != 200 || bits(got) != bits(wantA) {
			t.Errorf("[I]: %d %s", code, text)
		}
	}
}

// A state that the client carries, and a capsule that moves to another server,
// go on with the bits of a stream.
func TestStatesMove(t *testing.T) {
	src, l := layerSource(t, small)
	v, other := serve(t, Options{Models: []Source{src}}), serve(t, Options{Models: []Source{src}})
	k := newTrack(t, l, 1)
	state := []jmap{}
	for i := range 4 {
		x, want := k.next()
		body := stepBody(x, nil)
		body["inputs"] = append(body["inputs"].([]jmap), state...)
		code, text, _ := v.do("POST", infer, body)
		if got, _ := output(t, text, "output"); code != 200 || bits(got) != bits(want) {
			t.Fatalf("step %d: %d %s", i, code, text)
		}
		state = nil
		for in, out := range map[string]string{"h_0": "h_n", "c_0": "c_n"} {
			data, shape := output(t, text, out)
			state = append(state, jmap{"name": in, "datatype": "FP32", "shape": shape, "data": data})
		}
	}
	k = newTrack(t, l, 2)
	const path = "/v2/models/m/sequences/a%2Fb/state"
	code, body, _ := v.do("GET", path, nil)
	v.refused("no capsule", code, body, 409, "never_started", "never started")
	for i := range 6 {
		x, want := k.next()
		at, from := v, other
		if i%2 == 1 {
			at, from = other, v
		}
		if i > 0 {
			code, capsule, _ := from.do("GET", path, nil)
			if code != 200 {
				t.Fatalf("GET: %d %s", code, capsule)
			}
			code, body, _ := at.do("PUT", path, capsule)
			if i > 1 { // an older state is there
				at.refused("PUT over another", code, body, 409, "conflict", "?replace=1")
				code, body, _ = at.do("PUT", path+"?replace=1", capsule)
			}
			if code != 200 || !strings.Contains(body, fmt.Sprintf(`"sequence_steps":%d`, i)) {
				t.Fatalf("PUT: %d %s", code, body)
			}
		}
		code, text, _ := at.do("POST", infer, stepBody(x, jmap{"sequence_id": "a/b", "sequence_start": i == 0}))
		if code != 200 {
			t.Fatal(text)
		}
		if got, _ := output(t, text, "output"); bits(got) != bits(want) {
			t.Errorf("step %d: %v, alone %v", i, got, want)
		}
	}
	code, body, _ = v.do("PUT", "/v2/models/m/sequences/c/state", "no capsule")
	v.refused("PUT of anything", code, body, 400, "bad_capsule", "capsule")
	code, body, _ = v.do("DELETE", path, nil)
	if code != 200 {
		t.Errorf("DELETE: %d %s", code, body)
	}
	code, body, _ = v.do("DELETE", path, nil)
	v.refused("DELETE again", code, body, 409, "ended", "has ended")
}

func TestWrongRequestsAreRefused(t *testing.T) {
	src, _ := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}, Limits: Limits{Body: 4096, Sequences: 2, Idle: 50 * time.Millisecond}})
	in := func(fields string) string {
		return `{"inputs":[{"name":"input","datatype":"FP32","shape":[1,1,3],"data":[1,2,3]` + fields + `}]}`
	}
	swap := func(old, new string) string { return strings.ReplaceAll(in(""), old, new) }
	for name, c := range map[string]struct {
		body         string
		code         int
		reason, part string
	}{
		"nothing":         {"", 400, "bad_request", "no JSON"},
		"NaN":             {swap("[1,2,3]", "[1,NaN,3]"), 400, "bad_request", "no JSON"},
		"huge number":     {swap("[1,2,3]", "[1,1e99,3]"), 400, "bad_request", `has "1e99" at place 1`},
		"string":          {swap("[1,2,3]", `[1,"2",3]`), 400, "bad_request", "place 1"},
		"null":            {swap("[1,2,3]", `[1,null,3]`), 400, "bad_request", "place 1"},
		"object":          {swap("[1,2,3]", `{"a":1}`), 400, "bad_request", "place 0"},
		"too few":         {swap("[1,2,3]", "[1,2]"), 400, "bad_request", "has 2 elements, expected 3"},
		"too many":        {swap("[1,2,3]", "[1,2,3,4]"), 400, "bad_request", "more than 3"},
		"nested wrongly":  {swap("[1,2,3]", "[[[1,2],[3]]]"), 400, "bad_request", "array of 2 at depth 3"},
		"nested too deep": {swap("[1,2,3]", "[[[[1,2,3]]]]"), 400, "bad_request", "nested deeper"},
		"no data":         {swap(`,"data":[1,2,3]`, ""), 400, "bad_request", "neither data"},
		"huge shape":      {swap("[1,1,3]", "[1000000,1000000,1000000]"), 413, "too_large", "more than"},
		"negative shape":  {swap("[1,1,3]", "[1,-1,3]"), 400, "bad_request", "dimensions of 0"},
		"datatype":        {swap("FP32", "FP16"), 400, "bad_request", "FP16"},
		"other type":      {swap("FP32", "FP64"), 400, "bad_request", "input"},
		"other name":      {swap(`"input"`, `"inptu"`), 400, "bad_request", `no input "inptu"`},
		"twice":           {strings.Replace(in(""), `[{`, `[{"name":"input","datatype":"FP32","shape":[0],"data":[]},{`, 1), 400, "bad_request", "twice"},
		"output":          {strings.Replace(in(""), `{`, `{"outputs":[{"name":"y"}],`, 1), 400, "bad_request", `no output "y"`},
		"id":              {strings.Replace(in(""), `{`, `{"parameters":{"sequence_id":1.5},`, 1), 400, "bad_request", "sequence_id is 1.5"},
		"long id":         {strings.Replace(in(""), `{`, `{"parameters":{"sequence_id":"`+strings.Repeat("x", 257)+`"},`, 1), 400, "bad_request", "257 bytes"},
		"start":           {strings.Replace(in(""), `{`, `{"parameters":{"sequence_id":1,"sequence_start":"yes"},`, 1), 400, "bad_request", "sequence_start"},
		"binary":          {swap(`,"data":[1,2,3]`, `,"parameters":{"binary_data_size":12}`), 400, "bad_request", "0 bytes are left"},
		"too large":       {in(strings.Repeat(" ", 5000)), 413, "too_large", "limit is 4096"},
		"not finite":      {strings.Replace(swap("[1,2,3]", "[3e38,3e38,3e38]"), `{`, `{"parameters":{"sequence_id":1,"sequence_start":true},`, 1), 200, "", ""},
	} {
		code, body, _ := v.do("POST", infer, c.body)
		if c.reason == "" {
			if code != c.code {
				t.Errorf("%s: %d %s", name, code, body)
			}
			continue
		}
		v.refused(name, code, body, c.code, c.reason, c.part)
	}
	code, body, _ := v.do("POST", "/v2/models/nobody/infer", in(""))
	v.refused("model", code, body, 404, "not_found", "the models are m")
	code, body, _ = v.do("POST", "/v2/models/m/versions/9/infer", in(""))
	v.refused("version", code, body, 404, "not_found", "has the version 1")
	code, body, _ = v.do("POST", infer, in(""), "Content-Encoding", "gzip")
	v.refused("encoding", code, body, 415, "unsupported_encoding", "gzip")
	code, body, _ = v.do("POST", infer, in(""), headerLength, "99999")
	v.refused("header length", code, body, 400, "bad_request", "99999")
	code, body, _ = v.do("POST", infer, in(""), "Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site")
	v.refused("another origin", code, body, 401, "unauthenticated", "another origin")

	for i := range 3 {
		code, body, head := v.do("POST", infer, stepBody([]float32{1, 2, 3}, jmap{"sequence_id": fmt.Sprint("s", i), "sequence_start": true}))
		if i < 2 {
			continue // "not finite" above has one, which may have expired
		}
		if v.refused("full", code, body, 429, "full", "limits 2"); head.Get("Retry-After") == "" {
			t.Error("a 429 says nothing of when")
		}
	}
	for end := time.Now().Add(5 * time.Second); v.s.hosts["m"].pool.Len() > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	code, body, _ = v.do("POST", infer, stepBody([]float32{1, 2, 3}, jmap{"sequence_id": "s0"}))
	v.refused("idle", code, body, 409, "expired", "idle for longer than 50ms")
}

// Numbers that are not finite come as bytes. A sequence refuses them; a run's answer
// in JSON is an error, and never empty.
func TestNonFiniteNumbersAreErrors(t *testing.T) {
	src, _ := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}})
	raw := func(parameters string, binary bool) (int, string) {
		head := fmt.Sprintf(`{"parameters":{%s"binary_data_output":%v},"inputs":[{"name":"input","datatype":"FP32","shape":[1,1,3],"parameters":{"binary_data_size":12}}]}`, parameters, binary)
		code, body, _ := v.do("POST", infer, head+"\x00\x00\xc0\x7f\x00\x00\x80\x3f\x00\x00\x80\x3f", headerLength, fmt.Sprint(len(head)))
		return code, body
	}
	code, body := raw("", false)
	v.refused("a run", code, body, 422, "non_finite", "which JSON cannot say")
	if code, body = raw("", true); code != 200 || len(body) == 0 {
		t.Errorf("as bytes: %d %q", code, body)
	}
	code, body = raw(`"sequence_id":5,"sequence_start":true,`, false)
	v.refused("a step", code, body, 422, "non_finite", "not finite")
	code, body, _ = v.do("POST", infer, stepBody([]float32{1, 2, 3}, jmap{"sequence_id": 5}))
	v.refused("a marked sequence", code, body, 409, "marked", "marked")
	code, body, _ = v.do("POST", infer, stepBody([]float32{1, 2, 3}, jmap{"sequence_id": 5, "sequence_start": true}))
	if code != 200 {
		t.Errorf("begun again: %d %s", code, body)
	}
}

func TestMetadataAndHealth(t *testing.T) {
	src, _ := layerSource(t, small)
	tokens := folderSource(t, "words", nn.Config{NumEmbeddings: 9, EmbeddingDim: 4, RNN: unroll.Config{Mode: unroll.GRU, HiddenSize: 6}, OutFeatures: 9})
	v := serve(t, Options{Models: []Source{src, tokens}, Version: "test"})
	for path, want := range map[string]string{
		"/v2/health/live":               `{"live":true}`,
		"/v2/health/ready":              `{"ready":true}`,
		"/v2/models/m/ready":            `{"name":"m","ready":true}`,
		"/v2/models/m/versions/1/ready": `{"name":"m","ready":true}`,
		"/v2/models/m":                  `"inputs":[{"name":"input","datatype":"FP32","shape":[-1,-1,3]}`,
		"/v2/models/words":              `"sequences":"true"`,
		"/v2":                           `"sequence(string_id)"`,
		"/v2/status":                    `"name":"words"`,
		"/metrics":                      "unroll_sequences{model=\"m\"} 0",
		"/":                             "<title>",
	} {
		if code, body, _ := v.do("GET", path, nil); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, expected %s", path, code, body, want)
		}
	}
	code, body, _ := v.do("GET", "/v2/models/no", nil)
	v.refused("no model", code, body, 404, "not_found", "the models are m, words")
	code, body, _ = v.do("GET", "/debug/pprof/", nil)
	v.refused("debug", code, body, 404, "not_found", "not found")
	code, body, _ = v.do("GET", infer, nil)
	v.refused("method", code, body, http.StatusMethodNotAllowed, "method_not_allowed", "GET")
	// Tokens step too.
	body2 := jmap{"parameters": jmap{"sequence_id": 3, "sequence_start": true}, "inputs": []jmap{{"name": "tokens", "datatype": "INT64", "shape": []int{1, 1}, "data": []int{4}}}}
	if code, body, _ := v.do("POST", "/v2/models/words/infer", body2); code != 200 || !strings.Contains(body, `"shape":[1,1,9]`) {
		t.Errorf("tokens: %d %s", code, body)
	}
	body2["inputs"].([]jmap)[0]["data"] = []int{9}
	code, body, _ = v.do("POST", "/v2/models/words/infer", body2)
	v.refused("a token that is none", code, body, 400, "bad_request", "9")
}
