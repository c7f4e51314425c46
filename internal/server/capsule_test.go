package server

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// A request about a sequence says whom it is about, refuses ids that are none, and
// lets go of the version of the model that it held.
func TestRequestsAboutASequence(t *testing.T) {
	src, _ := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}})
	v.do("POST", infer, stepBody([]float32{1, 2, 3}, jmap{"sequence_id": "a", "sequence_start": true}))
	for _, c := range []struct {
		method, id string
		code       int
		say        string
	}{
		{"GET", "0", 400, "means no sequence"},
		{"GET", strings.Repeat("a", 257), 400, "257 bytes"},
		{"GET", strings.Repeat("a", 256), 409, "never started"},
		{"GET", "a", 200, ""},
		{"DELETE", "a", 200, ""},
		{"DELETE", "a", 409, "has ended"},
	} {
		code, body, _ := v.do(c.method, "/v2/models/m/sequences/"+c.id+"/state", nil)
		if code != c.code || !strings.Contains(body, c.say) {
			t.Errorf("%s of %.10s: %d %.200s, expected %d and %q", c.method, c.id, code, body, c.code, c.say)
		}
		if c.method != "DELETE" || code != 200 {
			continue
		}
		var got jmap
		must(t, json.Unmarshal([]byte(body), &got))
		if got["ended"] != true || got["model_name"] != "m" || got["sequence_id"] != "a" {
			t.Errorf("%s", body)
		}
	}
	users := &v.s.hosts["m"].now.users
	for start := time.Now(); users.Load() != 1; time.Sleep(time.Millisecond) { // an answer may be read before
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%d users of the version, expected the host alone", users.Load())
		}
	}
}
