package server

import (
	"math"
	"strings"
	"testing"
)

// Parameters of a sequence in every type that the protocols have, at the bounds of
// what is taken and one beyond.
func TestParametersOfSequences(t *testing.T) {
	none := sequence{step: -1}
	for _, c := range []struct {
		params jmap
		want   sequence // of which ids, start, end and step are compared
		part   string   // of the failure
	}{
		{jmap{}, none, ""},
		{jmap{"another": 1.5}, none, ""},
		{jmap{"sequence_id": "12345678"}, sequence{ids: []string{"12345678"}, step: -1}, ""},
		{jmap{"sequence_id": "123456789"}, none, "sequence_id has 9 bytes, expected at most 8"},
		{jmap{"sequence_id": ""}, none, ""},
		{jmap{"sequence_id": int64(0)}, none, ""},
		{jmap{"sequence_id": uint64(0)}, none, ""},
		{jmap{"sequence_id": "0"}, sequence{ids: []string{"0"}, step: -1}, ""},
		{jmap{"sequence_id": int64(math.MinInt64)}, sequence{ids: []string{"-9223372036854775808"}, step: -1}, ""},
		{jmap{"sequence_id": uint64(math.MaxUint64)}, sequence{ids: []string{"18446744073709551615"}, step: -1}, ""},
		{jmap{"sequence_id": 1.0}, none, "sequence_id is 1, expected a whole number of 64 bits or a string"},
		{jmap{"sequence_id": true}, none, "sequence_id is true"},
		{jmap{"sequence_id": nil}, none, "sequence_id is <nil>"},
		{jmap{"sequence_id": "a", "sequence_start": true, "sequence_end": false}, sequence{ids: []string{"a"}, start: true, step: -1}, ""},
		{jmap{"sequence_id": "a", "sequence_start": int64(0), "sequence_end": int64(1)}, sequence{ids: []string{"a"}, end: true, step: -1}, ""},
		{jmap{"sequence_id": "a", "sequence_start": uint64(1)}, sequence{ids: []string{"a"}, start: true, step: -1}, ""},
		{jmap{"sequence_id": "a", "sequence_start": int64(2)}, none, "sequence_start is 2, expected true or false"},
		{jmap{"sequence_id": "a", "sequence_end": int64(-1)}, none, "sequence_end is -1, expected true or false"},
		{jmap{"sequence_id": "a", "sequence_end": "true"}, none, "sequence_end is true"},
		{jmap{"sequence_id": "a", "sequence_step": int64(0)}, sequence{ids: []string{"a"}}, ""},
		{jmap{"sequence_id": "a", "sequence_step": uint64(math.MaxInt64)}, sequence{ids: []string{"a"}, step: math.MaxInt64}, ""},
		{jmap{"sequence_id": "a", "sequence_step": uint64(math.MaxInt64 + 1)}, none, "sequence_step is 9223372036854775808"},
		{jmap{"sequence_id": "a", "sequence_step": int64(-1)}, none, "sequence_step is -1, expected a whole number of 0 or more"},
		{jmap{"sequence_id": "a", "sequence_step": 2.0}, none, "sequence_step is 2,"},
		{jmap{"sequence_start": true}, none, "without a sequence_id"},
		{jmap{"sequence_id": int64(0), "sequence_end": true}, none, "without a sequence_id"},
		{jmap{"sequence_id": "", "sequence_step": int64(0)}, none, "without a sequence_id"},
		{jmap{"sequence_start": false, "sequence_end": int64(0)}, none, ""},
	} {
		var r request
		f := r.readSequence(func(name string) (param, bool) { v, ok := c.params[name]; return v, ok }, 8)
		if f == nil {
			f = r.check()
		}
		failedAs(t, c.params, f, c.part)
		if s := &r.sequence; c.part == "" && (strings.Join(s.ids, "|") != strings.Join(c.want.ids, "|") || s.start != c.want.start || s.end != c.want.end || s.step != c.want.step || s.many) {
			t.Errorf("%v: ids %q, start %v, end %v, step %d, many %v; expected %+v", c.params, s.ids, s.start, s.end, s.step, s.many, c.want)
		}
	}
}

// failedAs checks a failure: bad_request, with a part of what it says, or "" for none.
func failedAs(t *testing.T, what any, f *failure, part string) {
	t.Helper()
	switch {
	case part == "" && f != nil:
		t.Errorf("%v: refused: %s", what, f.say)
	case part != "" && f == nil:
		t.Errorf("%v: taken, expected %q", what, part)
	case part != "" && (f.kind != badRequest || !strings.Contains(f.say, part)):
		t.Errorf("%v: %s: %s, expected a bad request with %q", what, f.reason, f.say, part)
	}
}

// The input that names many sequences, and what does not go with it.
func TestIDsOfARequest(t *testing.T) {
	for _, c := range []struct {
		ids  []string
		with func(*request)
		part string
	}{
		{[]string{"a", "00", "12345678"}, nil, ""},
		{[]string{"a", "123456789"}, nil, "sequence_id has 9 bytes at 1, expected at most 8"},
		{[]string{"a", "b", "0"}, nil, `sequence_id has "0" at 2, which means no sequence`},
		{[]string{""}, nil, `sequence_id has "" at 0`},
		{[]string{"a"}, func(r *request) { r.sequence.ids = []string{"b"} }, "both a parameter and an input"},
		{[]string{"a"}, func(r *request) { r.sequence.step = 0 }, "sequence_step is given with an input sequence_id"},
		{[]string{"a", "b"}, func(r *request) { r.sequence.start, r.sequence.end = true, true }, ""},
		{nil, nil, "sequence_id has no element"},
		{[]string{"a"}, func(r *request) { r.inputs = []tensor{{name: "x"}, {name: "y"}} }, ""},
		{[]string{"a"}, func(r *request) { r.inputs = []tensor{{name: "x"}, {name: "y"}, {name: "x"}} }, `"x" is there twice`},
	} {
		r := request{sequence: sequence{step: -1}}
		if c.with != nil {
			c.with(&r)
		}
		f := r.setMany(c.ids, 8)
		if f == nil {
			f = r.check()
		}
		failedAs(t, c.ids, f, c.part)
		if c.part == "" && (!r.sequence.many || len(r.sequence.ids) != len(c.ids)) {
			t.Errorf("%q: %+v", c.ids, r.sequence)
		}
	}
}
