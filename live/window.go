package live

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
)

// Window says what a model sees of the last inputs of a sequence. Each function
// must depend on its arguments alone, and many goroutines call it at once.
type Window struct {
	// Steps is how many inputs the model sees.
	Steps int
	// Keep is how many rows a sequence keeps; 0: Steps.
	Keep int
	// In is how many numbers a step reads, and Row how many are kept of it; 0: as
	// many as the model reads in a step, 1 if that is a token.
	In, Row int
	// Out is how many numbers a step writes; 0: the model's C.
	Out int
	// Feed writes a row [Row] from x [In]; nil: they are equal.
	Feed func(row, x []float32)
	// Input writes what the model sees, seen [Steps,I], from the n rows [n,Row] that
	// are kept, the oldest first, n from 1 to Keep. Nil: the last Steps of them, and
	// the model sees fewer until there are so many.
	Input func(seen, rows []float32, n int)
	// Output writes y [Out] from what the model gives, [C]; nil: they are equal.
	Output func(y, given, rows []float32, n int)
	// Name says what the functions do, and is part of the signature.
	Name string
}

// OfWindow returns a target whose every step runs a model over the last inputs: a
// forecaster over its lags, a model of both directions, one whose head needs more
// than the newest step. A sequence's state is the last rows, x [Keep,Row], and seen
// [1], how many of them came. y is what the model gives for the last step it sees,
// [C]. A step costs a pass over Window.Steps steps.
//
// It is an unroll.ErrUsage for no model, and an unroll.ErrConfig for a window that
// cannot be.
func OfWindow(m *nn.Model, w Window) (Target, error) {
	if m == nil || m.RNN() == nil {
		return nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "model", Got: "none", Want: "the result of nn.New or nn.Open"}
	}
	c := m.Config()
	i := c.RNN.InputSize
	if c.NumEmbeddings > 0 {
		i = 1
	}
	for _, n := range []struct {
		value *int
		std   int
	}{{&w.Keep, w.Steps}, {&w.In, i}, {&w.Row, i}, {&w.Out, c.OutFeatures}} {
		if *n.value == 0 {
			*n.value = n.std
		}
	}
	bad := func(got, want string) (Target, error) {
		return nil, &unroll.ArgError{Kind: unroll.ErrConfig, Arg: "Window", Got: got, Want: want}
	}
	const most = 1 << 24
	switch {
	case w.Steps < 1 || w.Keep < 1 || w.In < 1 || w.Row < 1 || w.Out < 1 || w.Keep > most/w.Row || w.Steps > most/max(i, 1):
		return bad(fmt.Sprintf("Steps %d, Keep %d, In %d, Row %d, Out %d", w.Steps, w.Keep, w.In, w.Row, w.Out), "1 or more, and at most 2^24 numbers")
	case w.Feed == nil && w.Row != w.In || w.Output == nil && w.Out != c.OutFeatures:
		return bad(fmt.Sprintf("In %d, Row %d, Out %d", w.In, w.Row, w.Out), "Feed and Output where sizes differ")
	case w.Input == nil && (w.Row != i || w.Keep < w.Steps):
		return bad(fmt.Sprintf("Steps %d, Keep %d, Row %d", w.Steps, w.Keep, w.Row), fmt.Sprintf("Input, or Row %d and as many rows as steps", i))
	}
	signature, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	t := &windowTarget{model: m, w: w, i: i}
	t.signature = fmt.Sprintf("window of %d steps %q over %s x[%d,%d] seen[1]", w.Steps, w.Name, signature, w.Keep, w.Row)
	t.digest = digest(t.signature, m)
	return t, nil
}

// digest names a signature and the parameters of a model.
func digest(signature string, m *nn.Model) string {
	h := sha256.New()
	fmt.Fprintln(h, signature)
	params := m.StateDict()
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(params)) {
		fmt.Fprintln(h, name, params[name].Shape)
		for _, x := range params[name].Data {
			if b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x)); len(b) > 1<<12 {
				h.Write(b)
				b = b[:0]
			}
		}
		h.Write(b)
		b = b[:0]
	}
	return hex.EncodeToString(h.Sum(nil))
}

type windowTarget struct {
	model             *nn.Model
	w                 Window
	i                 int // numbers of a step that the model reads, 1 for a token
	signature, digest string
}

func (t *windowTarget) Signature() string    { return t.signature }
func (t *windowTarget) Digest() string       { return t.digest }
func (t *windowTarget) Sizes() (in, out int) { return t.w.In, t.w.Out }
func (t *windowTarget) State() []checkpoint.Info {
	return []checkpoint.Info{float32s("x", t.w.Keep, t.w.Row), float32s("seen", 1)}
}
func (t *windowTarget) Begin(state []float32)    { clear(state) }
func (t *windowTarget) Last(_, _ []float32) bool { return false }
func (t *windowTarget) Stepper(rows int) (func(y, x []float32, states [][]float32) error, error) {
	s := &windowStepper{windowTarget: t, pass: nn.Pass{Model: t.model, Workers: 1}}
	s.next = make([]float32, rows*t.w.Keep*t.w.Row)
	s.n, s.lengths, s.good = make([]int, rows), make([]int, 0, rows), make([]int, 0, rows)
	s.seen, s.batch = make([]float32, t.w.Steps*t.i), make([]float32, rows*t.w.Steps*t.i)
	if t.model.Embedding() != nil {
		s.tokens = make([]int, rows*t.w.Steps)
	}
	return s.step, s.prepare(rows)
}

// windowStepper has the memory of a shard.
type windowStepper struct {
	*windowTarget
	pass    nn.Pass
	next    []float32 // [rows,Keep,Row] the rows with the new one
	n       []int     // [rows] how many of them there are
	good    []int     // the rows that are stepped
	lengths []int     // of those, of what the model sees
	seen    []float32 // [Steps,I] of one
	batch   []float32 // [Steps,B,I]
	tokens  []int     // [Steps,B]
}

// prepare runs the model once over zeros.
func (s *windowStepper) prepare(rows int) error {
	for range rows {
		s.lengths = append(s.lengths, s.w.Steps)
	}
	_, _, err := s.pass.Forward(s.input(rows), unroll.State{})
	return err
}

// input is what the model reads of b sequences.
func (s *windowStepper) input(b int) nn.Input {
	t, first := s.w.Steps, b
	s.pass.Lengths = nil
	if slices.Min(s.lengths[:b]) < s.w.Steps {
		s.pass.Lengths = s.lengths[:b]
	}
	if s.model.Config().RNN.BatchFirst {
		t, first = b, s.w.Steps
	}
	if s.tokens != nil {
		return nn.Input{Tokens: s.tokens[:s.w.Steps*b], T: s.w.Steps, B: b}
	}
	x := s.batch[:s.w.Steps*b*s.i]
	return nn.Input{Features: dense(x, t, first, s.i)}
}

// step is the function of Target.Stepper.
func (s *windowStepper) step(y, x []float32, states [][]float32) error {
	var e windowErrors
	s.good = s.good[:0]
	size := s.w.Keep * s.w.Row
	for r, state := range states {
		row, in := s.next[r*size:(r+1)*size], x[r*s.w.In:(r+1)*s.w.In]
		if notFinite(in) >= 0 {
			e.number(r, true)
			continue
		}
		s.n[r] = s.push(row, in, state)
		if err := s.check(row[:s.n[r]*s.w.Row]); err != nil {
			e.row(r, err)
			continue
		}
		s.good = append(s.good, r)
	}
	if len(s.good) > 0 {
		if err := s.run(&e, y, states); err != nil {
			return err
		}
	}
	return e.err()
}

// push writes a state's rows and the new one, and returns how many they are.
func (s *windowStepper) push(rows, x, state []float32) int {
	k, size := s.w.Row, s.w.Keep*s.w.Row
	n := int(state[size])
	if n < s.w.Keep {
		copy(rows, state[:n*k])
		n++
	} else {
		copy(rows, state[k:size])
	}
	if row := rows[(n-1)*k : n*k]; s.w.Feed != nil {
		s.w.Feed(row, x)
	} else {
		copy(row, x)
	}
	return n
}

// check reports whether the model takes the newest row.
func (s *windowStepper) check(rows []float32) error {
	if s.tokens == nil || s.w.Input != nil {
		return nil
	}
	x, most := float64(rows[len(rows)-1]), s.model.Config().NumEmbeddings
	if x != math.Trunc(x) || x < 0 || x >= float64(most) {
		return fmt.Errorf("%w: the token is %v, expected a whole number from 0 to %d", model.ErrInput, x, most-1)
	}
	return nil
}

// run runs the model over the good rows and gives them output and state.
func (s *windowStepper) run(e *windowErrors, y []float32, states [][]float32) error {
	b, size, k := len(s.good), s.w.Keep*s.w.Row, s.w.Row
	s.lengths = s.lengths[:0]
	for c, r := range s.good {
		rows, n := s.next[r*size:], s.n[r]
		length := s.w.Steps
		if s.w.Input != nil {
			s.w.Input(s.seen, rows[:n*k], n)
		} else {
			length = min(n, s.w.Steps)
			copy(s.seen, rows[(n-length)*k:n*k])
		}
		s.lengths = append(s.lengths, length)
		s.lay(c, b, length)
	}
	given, _, err := s.pass.Forward(s.input(b), unroll.State{})
	if err != nil {
		return err
	}
	for c, r := range s.good {
		out := s.output(given.Data, c, b)
		row := y[r*s.w.Out : (r+1)*s.w.Out]
		if s.w.Output != nil {
			s.w.Output(row, out, s.next[r*size:r*size+s.n[r]*k], s.n[r])
		} else {
			copy(row, out)
		}
		if notFinite(row) >= 0 {
			e.number(r, false)
			clear(row)
			continue
		}
		copy(states[r], s.next[r*size:r*size+s.n[r]*k])
		states[r][size] = float32(s.n[r])
	}
	return nil
}

// lay puts what the model sees of one sequence into column c of b.
func (s *windowStepper) lay(c, b, length int) {
	first := s.model.Config().RNN.BatchFirst
	for t := range s.w.Steps {
		at := t*b + c
		if first {
			at = c*s.w.Steps + t
		}
		if s.tokens != nil {
			s.tokens[at] = 0
			if t < length {
				s.tokens[at] = int(s.seen[t])
			}
			continue
		}
		dst := s.batch[at*s.i : (at+1)*s.i]
		if clear(dst); t < length {
			copy(dst, s.seen[t*s.i:])
		}
	}
}

// output is what the model gave for the last step of sequence c of b.
func (s *windowStepper) output(given []float32, c, b int) []float32 {
	cfg := s.model.Config()
	n, at := cfg.OutFeatures, c
	if cfg.Output != "last" {
		if last := s.lengths[c] - 1; cfg.RNN.BatchFirst {
			at = c*s.w.Steps + last
		} else {
			at = last*b + c
		}
	}
	return given[at*n : (at+1)*n]
}
