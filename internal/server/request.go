package server

import (
	"math"
	"slices"
	"strconv"

	"github.com/unroll-ml/unroll/model"
)

// request is a request of either protocol.
type request struct {
	model, version, id string
	sequence           sequence
	inputs             []tensor
	few                [2]tensor // memory of inputs
	outputs            []string  // wanted, by name; nil: all
}

// sequence is what the parameters and the input "sequence_id" say.
type sequence struct {
	ids        []string // one, or one a row; none: no sequence
	one        [1]string
	many       bool // from the input
	start, end bool
	step       int64 // the expected step; -1: any
}

// sequenceInput is the input that names many sequences, one a row.
const sequenceInput = "sequence_id"

// param is the value of a parameter: bool, int64, uint64, float64, string or nil.
type param = any

// readSequence reads the parameters of a request that are about sequences.
// Parameters of other names are another's business and no error, as in Triton.
func (r *request) readSequence(get func(name string) (param, bool), most int) (f *failure) {
	s := &r.sequence
	s.step = -1
	if v, ok := get("sequence_id"); ok {
		id, f := identity(v, most)
		if f != nil {
			return f
		}
		if id != "" {
			s.ids = append(s.one[:0], id)
		}
	}
	if s.start, f = flag(get, "sequence_start"); f != nil {
		return f
	}
	if s.end, f = flag(get, "sequence_end"); f != nil {
		return f
	}
	if v, ok := get("sequence_step"); ok {
		n, ok := whole(v)
		if !ok || n > math.MaxInt64 {
			return failf(badRequest, "parameter sequence_step is %v, expected a whole number of 0 or more", v)
		}
		s.step = int64(n)
	}
	return nil
}

// identity is the id that a parameter says; 0 and "" are none.
func identity(v param, most int) (string, *failure) {
	switch v := v.(type) {
	case string:
		if len(v) > most {
			return "", failf(badRequest, "parameter sequence_id has %d bytes, expected at most %d", len(v), most)
		}
		return v, nil
	case int64:
		if v == 0 {
			return "", nil
		}
		return strconv.FormatInt(v, 10), nil
	case uint64:
		if v == 0 {
			return "", nil
		}
		return strconv.FormatUint(v, 10), nil
	}
	return "", failf(badRequest, "parameter sequence_id is %v, expected a whole number of 64 bits or a string", v)
}

// flag reads a bool; Triton's clients in C++ send 0 and 1.
func flag(get func(name string) (param, bool), name string) (bool, *failure) {
	v, ok := get(name)
	if !ok {
		return false, nil
	}
	if b, ok := v.(bool); ok {
		return b, nil
	}
	if n, ok := whole(v); ok && n <= 1 {
		return n == 1, nil
	}
	return false, failf(badRequest, "parameter %s is %v, expected true or false", name, v)
}

// whole is a parameter that is a whole number of 0 or more.
func whole(v param) (uint64, bool) {
	switch v := v.(type) {
	case int64:
		return uint64(v), v >= 0
	case uint64:
		return v, true
	}
	return 0, false
}

// check completes a request: the sequences agree with its flags.
func (r *request) check() *failure {
	s := &r.sequence
	if len(s.ids) == 0 && (s.start || s.end || s.step >= 0) {
		return failf(badRequest, "sequence_start, sequence_end or sequence_step is given without a sequence_id; 0 and \"\" are none")
	}
	if s.many && s.step >= 0 {
		return failf(badRequest, "sequence_step is given with an input sequence_id; it is for one sequence a request")
	}
	for i, t := range r.inputs {
		for _, other := range r.inputs[:i] {
			if t.name == other.name {
				return failf(badRequest, "input %.80q is there twice", t.name)
			}
		}
	}
	return nil
}

// setMany takes the ids of an input.
func (r *request) setMany(ids []string, most int) *failure {
	if len(r.sequence.ids) > 0 {
		return failf(badRequest, "sequence_id is both a parameter and an input")
	}
	if len(ids) == 0 { // else it would be a run without sequences
		return failf(badRequest, "input sequence_id has no element, expected [B] with B of 1 or more; leave it out for a run without sequences")
	}
	for i, id := range ids {
		if id == "" || id == "0" {
			return failf(badRequest, "input sequence_id has %q at %d, which means no sequence", id, i)
		}
		if len(id) > most {
			return failf(badRequest, "input sequence_id has %d bytes at %d, expected at most %d", len(id), i, most)
		}
	}
	r.sequence.ids, r.sequence.many = ids, true
	return nil
}

// idTexts are numbers as ids.
func idTexts(v model.Value) []string {
	if list := model.Data[int64](v); list != nil {
		return texts(list, func(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) })
	}
	return texts(model.Data[int32](v), func(b []byte, n int32) []byte { return strconv.AppendInt(b, int64(n), 10) })
}

// texts are numbers as strings, which share one memory.
func texts[T any](list []T, write func([]byte, T) []byte) []string {
	var b []byte
	ends := make([]int, len(list))
	for i, n := range list {
		b = write(b, n)
		ends[i] = len(b)
	}
	all, from, text := make([]string, len(list)), 0, string(b)
	for i, end := range ends {
		all[i], from = text[from:end], end
	}
	return all
}

// wants reports whether an output is asked for.
func (r *request) wants(name string) bool {
	return r.outputs == nil || slices.Contains(r.outputs, name)
}

// answer is what a request gets. Its values hold until release, or for ever.
type answer struct {
	model, version, id string
	outputs            []tensor
	own                bool  // for ever: nobody writes to the values any more
	steps              int64 // of the one sequence, after the request; -1: none
	release            func()
}
