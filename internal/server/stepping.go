package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/live"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/task"
)

// stepping is how a model's sequences are stepped: what a step reads and writes,
// and where sequences and time stand in the shapes of a request.
type stepping struct {
	target          live.Target
	layer           *unroll.Layer     // that is the model, or nil
	rows            model.RowsOptions // of a model that is none
	inputs, outputs []slot
	in, out         int // numbers of a step of one sequence
}

// slot is an input or output of a step.
type slot struct {
	name, kind string
	shape      []int // of one sequence
	axis       int   // of sequences in a request; -1: none, and several stand side by side
	time       int   // axis that may be longer than the step's 1; -1: none
	at, n      int   // among the flat numbers
}

// steppingOf returns how a model's sequences are stepped, or why it has none.
func steppingOf(m *model.Model, opt model.RowsOptions) (*stepping, error) {
	if len(m.States()) == 0 {
		return nil, errors.New("it has no inputs and outputs that carry a state")
	}
	opt, err := fitting(m, opt)
	if err != nil {
		return nil, err
	}
	rows, err := m.NewRows(1, opt)
	if err != nil {
		return nil, err
	}
	s := &stepping{rows: opt, in: rows.In(), out: rows.Out()}
	open := map[string][]string{}
	for _, p := range m.Inputs() {
		open[p.Name] = p.Shape
	}
	s.inputs = slots(rows.Inputs(), rows.InputAxes())
	s.outputs = slots(rows.Outputs(), rows.OutputAxes())
	for i := range s.inputs {
		s.inputs[i].time = timeAxis(&s.inputs[i], open[s.inputs[i].name])
	}
	s.outputTime()
	if s.layer = layerAlone(m, opt); s.layer != nil {
		s.target = live.OfLayer(s.layer)
		return s, nil
	}
	s.target, err = live.OfModel(m, opt)
	return s, err
}

// fitting leaves of the options what the model has, since they may be said once for
// several models, and gives a number the type and shape of its input.
func fitting(m *model.Model, opt model.RowsOptions) (fit model.RowsOptions, err error) {
	fit.Set, fit.Sizes = map[string]model.Value{}, map[string]int{}
	for _, p := range m.Inputs() {
		for k, d := range p.Shape {
			for _, name := range []string{d, fmt.Sprintf("%s[%d]", p.Name, k)} {
				if n, ok := opt.Sizes[name]; ok {
					fit.Sizes[name] = n
				}
			}
		}
		v, ok := opt.Set[p.Name]
		if !ok {
			continue
		}
		if fit.Set[p.Name] = v; len(v.Shape()) > 0 {
			continue
		}
		data, f := floats(p.Name, v)
		if f != nil {
			return fit, f
		}
		if fit.Set[p.Name], err = typed(p.Type, data, slices.Repeat([]int{1}, len(p.Shape))); err != nil {
			return fit, err
		}
	}
	return fit, nil
}

// UnknownError says that Source.Rows names what no model has.
type UnknownError struct {
	Field string   // "Set" or "Sizes"
	Name  string   // what was named
	Have  []string // what the models have
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("server: Source.Rows.%s: no model has %q; there are %q", e.Field, e.Name, e.Have)
}

// known reports whether every name of a Source's Rows is that of an input or an
// open size of a model it was said for. A name may be said for several models of
// which one has it.
func known(hosts map[string]*host) error {
	inputs, sizes := map[string]bool{}, map[string]bool{} // of all models, and
	asked := map[string]map[string]bool{"Set": {}, "Sizes": {}}
	for _, h := range hosts {
		set, open := map[string]bool{}, map[string]bool{} // of this one
		for _, p := range h.now.model.Inputs() {
			inputs[p.Name], set[p.Name] = true, true
			for k, d := range p.Shape {
				if _, err := strconv.Atoi(d); err == nil {
					continue
				}
				at := fmt.Sprintf("%s[%d]", p.Name, k)
				sizes[at], open[at], open[d] = true, true, true
				sizes[d] = sizes[d] || d != "?"
			}
		}
		for name := range h.source.Rows.Set {
			asked["Set"][name] = asked["Set"][name] || set[name]
		}
		for name := range h.source.Rows.Sizes {
			asked["Sizes"][name] = asked["Sizes"][name] || open[name]
		}
	}
	for field, have := range map[string]map[string]bool{"Set": inputs, "Sizes": sizes} {
		delete(have, "?")
		for _, name := range slices.Sorted(maps.Keys(asked[field])) {
			if !asked[field][name] {
				return &UnknownError{field, name, slices.Sorted(maps.Keys(have))}
			}
		}
	}
	return nil
}

// steppingOfForecast is how a forecaster's series are stepped: a row in, what
// follows out.
func steppingOfForecast(t *task.Forecast, m *nn.Model) (*stepping, error) {
	target, err := t.Target(m)
	if err != nil {
		return nil, err
	}
	s := &stepping{target: target}
	s.in, s.out = target.Sizes()
	s.inputs = []slot{{name: "row", kind: "float32", shape: []int{s.in}, axis: 0, time: -1, n: s.in}}
	s.outputs = []slot{{name: "forecast", kind: "float32", shape: []int{t.Horizon, s.out / t.Horizon}, axis: 0, time: -1, n: s.out}}
	return s, nil
}

// layerAlone is a recurrent layer alone, which is stepped without a program around
// it, or nil.
func layerAlone(m *model.Model, opt model.RowsOptions) *unroll.Layer {
	layers, err := m.Layers()
	if err != nil || len(layers) != 1 || m.Trained() != nil || len(opt.Set)+len(opt.Sizes) > 0 {
		return nil
	}
	count := 0
	for op, n := range m.Operators() {
		if op != "Identity" {
			count += n
		}
	}
	l := layers[0].Layer
	if count != 1 || m.Signature() != l.Signature() || l.Config().Bidirectional {
		return nil
	}
	return l
}

func slots(ports []model.Port, axes []int) []slot {
	all, at := make([]slot, len(ports)), 0
	for i, p := range ports {
		s := slot{name: p.Name, kind: p.Type, shape: make([]int, len(p.Shape)), axis: axes[i], time: -1, at: at, n: 1}
		for k, d := range p.Shape {
			s.shape[k], _ = strconv.Atoi(d) // a step's shapes are numbers
			s.n *= s.shape[k]
		}
		at += s.n
		all[i] = s
	}
	return all
}

// timeAxis is the axis of a request along which several steps may lie: one that the
// model leaves open and of which a step takes 1.
func timeAxis(s *slot, open []string) int {
	full := s.full(1)
	if len(open) != len(full) {
		return -1
	}
	for k, d := range open {
		if _, err := strconv.Atoi(d); err != nil && k != s.axis && full[k] == 1 {
			return k
		}
	}
	return -1
}

// outputTime finds the axis of time of outputs: that of the first input, where
// every output has a 1 there. Else a request is one step.
func (s *stepping) outputTime() {
	if len(s.inputs) == 0 {
		return
	}
	time := s.inputs[0].time
	for i := range s.outputs {
		full := s.outputs[i].full(1)
		if time < 0 || time >= len(full) || full[time] != 1 || time == s.outputs[i].axis || (s.outputs[i].axis < 0) != (s.inputs[0].axis < 0) {
			for k := range s.inputs {
				s.inputs[k].time = -1
			}
			return
		}
	}
	for i := range s.outputs {
		s.outputs[i].time = time
	}
}

// full is the shape of a value for n sequences.
func (p *slot) full(n int) []int { return p.appendFull(nil, n) }

// appendFull is full in memory of the caller.
func (p *slot) appendFull(to []int, n int) []int {
	at := p.axis
	if at < 0 {
		if n == 1 {
			return append(to, p.shape...)
		}
		at = 0
	}
	return append(append(append(to, p.shape[:at]...), n), p.shape[at:]...)
}

// want says which shapes are taken, for errors.
func (p *slot) want() string {
	var dims []string
	for k, d := range p.full(1) {
		text := strconv.Itoa(d)
		switch k {
		case p.axis:
			text = "B"
		case p.time:
			text = "T"
		}
		dims = append(dims, text)
	}
	text, compact := strings.Join(dims, ", "), fmt.Sprintf("B, %d", p.n)
	if text == compact {
		return fmt.Sprintf("%s [%s]", datatypeOf(p.kind), text)
	}
	return fmt.Sprintf("%s [%s], or [%s]", datatypeOf(p.kind), text, compact)
}

// like reports whether requests for one are requests for the other.
func (s *stepping) like(o *stepping) bool {
	same := func(a, b slot) bool {
		return a.name == b.name && a.kind == b.kind && a.axis == b.axis && a.time == b.time && slices.Equal(a.shape, b.shape)
	}
	return slices.EqualFunc(s.inputs, o.inputs, same) && slices.EqualFunc(s.outputs, o.outputs, same)
}

// String says the inputs and outputs of a step.
func (s *stepping) String() string {
	var parts []string
	for _, list := range [][]slot{s.inputs, s.outputs} {
		var all []string
		for _, p := range list {
			all = append(all, fmt.Sprintf("%s %v", p.name, p.shape))
		}
		parts = append(parts, strings.Join(all, ", "))
	}
	return strings.Join(parts, " to ")
}

// call is a request's steps: t of them for each of n sequences.
type call struct {
	n, t    int
	compact bool      // shapes are [B, numbers] or [numbers]
	flat    bool      // the latter
	x       []float32 // [t,n,in]
}

// call reads the inputs of a request for n sequences.
func (s *stepping) call(r *request, n int) (c call, f *failure) {
	c = call{n: n, t: 1}
	for _, t := range r.inputs {
		if !slices.ContainsFunc(s.inputs, func(p slot) bool { return p.name == t.name }) {
			return c, failf(badRequest, "input %.80q is not taken for a sequence, whose state the server keeps; expected %s", t.name, s)
		}
	}
	for i := range s.inputs {
		p := &s.inputs[i]
		k := slices.IndexFunc(r.inputs, func(t tensor) bool { return t.name == p.name })
		if k < 0 {
			return c, failf(badRequest, "input %q is missing", p.name)
		}
		if f := c.read(s, p, i, r.inputs[k].value); f != nil {
			return c, f
		}
	}
	return c, nil
}

// read reads the i-th input.
func (c *call) read(s *stepping, p *slot, i int, v model.Value) *failure {
	var memory [maxDims + 1]int
	shape, full := v.Shape(), p.appendFull(memory[:0], c.n)
	steps, compact, flat := 1, false, false
	switch {
	case fits(shape, full, p.time):
		if p.time >= 0 {
			steps = shape[p.time]
		}
	case len(shape) == 2 && shape[0] == c.n && shape[1] == p.n:
		compact = true
	case len(shape) == 1 && c.n == 1 && shape[0] == p.n:
		compact, flat = true, true
	default:
		return failf(badRequest, "input %q is %s, expected %s, for %d sequences", p.name, v, p.want(), c.n)
	}
	if v.Type() != p.kind || steps < 1 {
		return failf(badRequest, "input %q is %s, expected %s, for %d sequences", p.name, v, p.want(), c.n)
	}
	if i > 0 && (steps != c.t || compact != c.compact) {
		return failf(badRequest, "input %q has %d steps or another form of shape than the one before, which has %d", p.name, steps, c.t)
	}
	c.t, c.compact, c.flat = steps, compact, flat
	data, f := floats(p.name, v)
	if f != nil {
		return f
	}
	if len(s.inputs) == 1 && p.flat(full, c) {
		c.x = data
		return nil
	}
	if c.x == nil {
		c.x = make([]float32, c.t*c.n*s.in)
	}
	p.move(full, c, func(step, row, from, to, size int) {
		copy(c.x[(step*c.n+row)*s.in+p.at+from:][:size], data[to:])
	})
	return nil
}

func fits(shape, full []int, time int) bool {
	if len(shape) != len(full) {
		return false
	}
	for k := range shape {
		if shape[k] != full[k] && k != time {
			return false
		}
	}
	return true
}

// flat reports whether the numbers of a call lie in a value as they lie in x [t,n,in]:
// then there is nothing to move.
func (p *slot) flat(full []int, c *call) bool {
	if c.compact || c.n == 1 && c.t == 1 {
		return c.t == 1
	}
	want := 0 // steps, then sequences, then all else
	for k, d := range full {
		rank := 2
		switch {
		case k == p.time:
			d, rank = c.t, 0
		case k == p.axis || p.axis < 0 && c.n > 1 && k == 0:
			rank = 1
		}
		if d == 1 {
			continue
		}
		if rank < want {
			return false
		}
		want = rank
	}
	return true
}

// move calls each for every piece that lies side by side both among the numbers of
// a row and in the value of a call.
func (p *slot) move(full []int, c *call, each func(step, row, row0, value, size int)) {
	if c.compact {
		for row := range c.n {
			each(0, row, 0, row*p.n, p.n)
		}
		return
	}
	dims := slices.Clone(full)
	if p.time >= 0 {
		dims[p.time] = c.t
	}
	axis := p.axis
	if axis < 0 && c.n > 1 {
		axis = 0
	}
	// From the last axis that is of sequences or of time on, numbers lie side by side.
	last := max(axis, p.time)
	inner := 1
	for _, d := range dims[last+1:] {
		inner *= d
	}
	index := make([]int, last+1)
	total := 1
	for _, d := range dims[:last+1] {
		total *= d
	}
	for piece := range total {
		rest := piece
		for k := last; k >= 0; k-- {
			index[k] = rest % dims[k]
			rest /= dims[k]
		}
		step, row, from := 0, 0, 0
		for k, i := range index {
			switch k {
			case axis:
				row = i
			case p.time:
				step = i
			default:
				from = from*dims[k] + i
			}
		}
		each(step, row, from*inner, piece*inner, inner)
	}
}

// run steps the sequences of a call and returns y [t,n,out]. If several steps are
// asked for and one fails, those before it are made.
func (s *stepping) run(ctx context.Context, p *live.Pool, ids []string, at int64, c *call) ([]float32, error) {
	y := make([]float32, c.t*c.n*s.out)
	for t := range c.t {
		if err := stepOnce(ctx, p, ids, at, y[t*c.n*s.out:(t+1)*c.n*s.out], c.x[t*c.n*s.in:(t+1)*c.n*s.in]); err != nil {
			if t > 0 {
				err = fmt.Errorf("after %d of %d steps were made: %w", t, c.t, err)
			}
			return nil, err
		}
		if at >= 0 {
			at++
		}
	}
	return y, nil
}

func stepOnce(ctx context.Context, p *live.Pool, ids []string, at int64, y, x []float32) error {
	switch {
	case len(ids) > 1:
		return p.StepAll(ctx, ids, y, x)
	case at >= 0:
		return p.StepAt(ctx, ids[0], uint64(at), y, x)
	}
	return p.Step(ctx, ids[0], y, x)
}

// results are the outputs of a call that are wanted, of y [t,n,out].
func (s *stepping) results(r *request, c *call, y []float32) ([]tensor, error) {
	all := make([]tensor, 0, len(s.outputs))
	for i := range s.outputs {
		p := &s.outputs[i]
		if !r.wants(p.name) {
			continue
		}
		var memory [maxDims + 1]int
		full := p.appendFull(memory[:0], c.n)
		data := y
		if len(s.outputs) > 1 || !p.flat(full, c) {
			data = make([]float32, c.t*c.n*p.n)
			p.move(full, c, func(step, row, from, to, size int) {
				copy(data[to:to+size], y[(step*c.n+row)*s.out+p.at+from:])
			})
		}
		if c.compact {
			if full = append(full[:0], c.n, p.n); c.flat {
				full = full[1:]
			}
		} else if p.time >= 0 {
			full[p.time] = c.t
		}
		v, err := typed(p.kind, data, full)
		if err != nil {
			return nil, err
		}
		all = append(all, tensor{p.name, v})
	}
	return all, nil
}
