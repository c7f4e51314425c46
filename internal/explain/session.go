package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/internal/statedict"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// Session answers the page's questions. The page talks to it through messages:
// a command, arguments as JSON, and a block of float32 or of a file's bytes;
// the answer is a value for JSON and a block. It is not for several goroutines
// at once, but Pause may let other calls in while a run is under way.
type Session struct {
	// Pause, if set, is called between pieces of long work with the share done.
	Pause func(done float64)

	layer   *unroll.Layer
	trace   *Trace // the last finished run
	kept    *Trace // the run that others are compared with
	x       tensor.Dense
	s0      unroll.State
	example bool // the layer is Example's, so that more layers are drawn as PyTorch would
	run     int  // counts edits and runs; a run that is no longer the newest stops
}

// errSuperseded ends a run that a newer edit has made pointless.
var errSuperseded = errors.New("explain: a newer edit replaced this run")

// errNoModel is the answer before there is a model.
var errNoModel = fmt.Errorf("%w: no model is loaded", unroll.ErrUsage)

// Do carries out one command. It never panics on what a page can send.
func (s *Session) Do(cmd string, args, block []byte) (reply any, out []byte, err error) {
	f, ok := commands[cmd]
	if !ok {
		return nil, nil, fmt.Errorf("%w: there is no command %q", unroll.ErrUsage, cmd)
	}
	a := Args{Lane: -1, From: 0, To: -1}
	if len(args) > 0 {
		if err := json.Unmarshal(args, &a); err != nil {
			return nil, nil, err
		}
	}
	if s.trace == nil && cmd != "load" && cmd != "open" {
		return nil, nil, errNoModel
	}
	return f(s, a, block)
}

// Args are the arguments of all commands; each reads those it knows.
type Args struct {
	Config   unroll.Config `json:"config"`
	Steps    int           `json:"steps"`
	State    bool          `json:"state"`
	Recorded bool          `json:"recorded"`
	Example  bool          `json:"example"`

	Name      string  `json:"name"`
	What      string  `json:"what"`
	Layer     int     `json:"layer"`
	Direction int     `json:"direction"`
	Step      int     `json:"step"`
	Unit      int     `json:"unit"`
	Inner     bool    `json:"inner"`
	Lane      int     `json:"lane"`
	From      int     `json:"from"`
	To        int     `json:"to"`
	Units     []int   `json:"units"`
	Index     int     `json:"index"`
	Value     float64 `json:"value"`
	N         int     `json:"n"`
	Window    int     `json:"window"`
	Loop      Loop    `json:"loop"`
}

var commands = map[string]func(*Session, Args, []byte) (any, []byte, error){
	"load": (*Session).load, "open": (*Session).open, "run": (*Session).compute,
	"values": (*Session).values, "unit": (*Session).unit, "edit": (*Session).edit,
	"layers": (*Session).layers, "influence": (*Session).influence, "keep": (*Session).keep,
	"chain": (*Session).chain, "loop": (*Session).loop, "params": (*Session).params,
}

// load takes the page's own model and run: parameters in the order of
// Layer.Params, x, the initial states if there are any, then the record.
func (s *Session) load(a Args, block []byte) (any, []byte, error) {
	layer, err := unroll.New(a.Config)
	if err != nil {
		return nil, nil, err
	}
	r := reader{block: block}
	layer.Update(func(params []unroll.Param) {
		for _, p := range params {
			r.read(p.Value.Data)
		}
	})
	if a.Steps < 1 || a.Steps > len(block) {
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "steps", Got: fmt.Sprint(a.Steps), Want: "as many as there are rows of input"}
	}
	cfg := layer.Config()
	x, s0 := tensor.New(a.Steps, cfg.InputSize), unroll.State{}
	r.read(x.Data)
	if a.State {
		s0.H = tensor.New(cfg.Layers()*cfg.Directions(), cfg.StateSize())
		r.read(s0.H.Data)
		if cfg.HasCell() {
			s0.C = tensor.New(cfg.Layers()*cfg.Directions(), cfg.HiddenSize)
			r.read(s0.C.Data)
		}
	}
	t, err := NewTrace(layer, x, s0)
	if err != nil {
		return nil, nil, err
	}
	if a.Recorded {
		for _, rec := range [][]tensor.Dense{t.H, t.C} {
			for _, d := range rec {
				r.read(d.Data)
			}
		}
	}
	if r.short {
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrShape, Arg: "block", Got: fmt.Sprintf("%d bytes", len(block)), Want: "all parameters, the input and the record"}
	}
	s.layer, s.trace, s.kept, s.x, s.s0, s.example = layer, t, nil, x, s0, a.Example
	s.run++
	if !a.Recorded {
		return s.compute(a, nil)
	}
	return s.about(), nil, nil
}

// open reads a dropped checkpoint: the first recurrent layer in it. The input
// stays if it fits, otherwise a random one of 12 steps is drawn from seed 0.
func (s *Session) open(a Args, block []byte) (any, []byte, error) {
	var src checkpoint.Source
	var err error
	if strings.HasSuffix(a.Name, ".safetensors") {
		src, err = safetensors.NewReader(bytes.NewReader(block), int64(len(block)))
	} else {
		src, err = torchfile.New(bytes.NewReader(block), int64(len(block)), a.Name)
	}
	if err != nil {
		return nil, nil, err
	}
	parts, err := statedict.Find(src, statedict.Options{})
	if err != nil {
		return nil, nil, err
	}
	if parts[0].Err != nil {
		return nil, nil, parts[0].Err
	}
	layer, err := unroll.New(parts[0].Config)
	if err != nil {
		return nil, nil, err
	}
	values := map[string]tensor.Dense{}
	for name, stored := range parts[0].Params {
		if values[name], err = checkpoint.Float[float32](src, stored); err != nil {
			return nil, nil, err
		}
	}
	if err := layer.Load(values); err != nil {
		return nil, nil, err
	}
	x := s.x
	if x.IsZero() || x.Shape[1] != parts[0].Config.InputSize {
		x = tensor.New(12, parts[0].Config.InputSize)
		rng.Randn(rng.New(0), x.Data)
	}
	return s.replace(layer, x, unroll.State{}, false)
}

// replace makes another layer the session's and runs it.
func (s *Session) replace(layer *unroll.Layer, x tensor.Dense, s0 unroll.State, example bool) (any, []byte, error) {
	t, err := NewTrace(layer, x, s0)
	if err != nil {
		return nil, nil, err
	}
	s.layer, s.x, s.s0, s.kept, s.example, s.trace = layer, x, s0, nil, example, t
	return s.compute(Args{}, nil)
}

// compute runs the layer on the input as they are now, and makes the record the
// session's when it is whole. Steps before From keep their record if there is
// one direction.
func (s *Session) compute(a Args, _ []byte) (any, []byte, error) {
	s.run++
	mine := s.run
	t, err := NewTrace(s.layer, s.x, s.s0)
	if err != nil {
		return nil, nil, err
	}
	err = t.Run(func(done float64) error {
		if s.Pause != nil {
			s.Pause(done)
		}
		if s.run != mine {
			return errSuperseded
		}
		return nil
	})
	if errors.Is(err, errSuperseded) {
		return map[string]any{"superseded": true}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	s.trace = t
	return s.about(), nil, nil
}

// about describes the model for the page.
func (s *Session) about() any {
	c := s.trace.cfg
	type param struct {
		Name  string `json:"name"`
		Shape []int  `json:"shape"`
	}
	var ps []param
	for _, p := range s.layer.Params() {
		ps = append(ps, param{p.Name, p.Value.Shape})
	}
	return map[string]any{"config": c, "steps": s.trace.Steps(), "params": ps, "gates": s.layer.Gates(), "kept": s.kept != nil}
}

// values returns numbers for drawing, [To-From, len(Units)] or all units: x, h,
// c, a gate, d (h less the kept run's), h0 or c0 (one row).
func (s *Session) values(a Args, _ []byte) (any, []byte, error) {
	t := s.trace
	if a.To < 0 || a.To > t.Steps() {
		a.To = t.Steps()
	}
	if a.What == "x" {
		return s.rows(t.X, nil, a)
	}
	if a.Lane < 0 || a.Lane >= t.Lanes() {
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "lane", Got: fmt.Sprint(a.Lane), Want: fmt.Sprintf("0 to %d", t.Lanes()-1)}
	}
	switch a.What {
	case "h":
		return s.rows(t.H[a.Lane], nil, a)
	case "d":
		if s.kept == nil || s.kept.Steps() != t.Steps() || s.kept.Lanes() != t.Lanes() || s.kept.cfg.StateSize() != t.cfg.StateSize() {
			return s.rows(tensor.New(t.Steps(), t.cfg.StateSize()), nil, a)
		}
		return s.rows(t.H[a.Lane], s.kept.H[a.Lane].Data, a)
	case "c":
		if t.cfg.HasCell() {
			return s.rows(t.C[a.Lane], nil, a)
		}
	case "h0":
		return s.rows(tensor.Dense{Shape: []int{1, t.cfg.StateSize()}, Data: row(t.S0.H, a.Lane)}, nil, Args{To: 1, Units: a.Units})
	}
	if t.cfg.HasCell() || t.cfg.Mode == unroll.GRU {
		d := t.cfg.Directions()
		g, err := t.Gate(a.Lane/d, a.Lane%d, a.From, a.To, a.What)
		if err != nil {
			return nil, nil, err
		}
		a.From, a.To = 0, g.Shape[0]
		return s.rows(g, nil, a)
	}
	return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "what", Got: a.What, Want: "x, h, c, d, h0 or a gate"}
}

func (s *Session) rows(d tensor.Dense, less []float32, a Args) (any, []byte, error) {
	n := d.Shape[1]
	if a.From < 0 || a.To > d.Shape[0] || a.From > a.To {
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "from", Got: fmt.Sprint(a.From), Want: fmt.Sprintf("0 to %d", d.Shape[0])}
	}
	for _, u := range a.Units {
		if u < 0 || u >= n {
			return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "units", Got: fmt.Sprint(u), Want: fmt.Sprintf("0 to %d", n-1)}
		}
	}
	var out []float32
	for r := a.From; r < a.To; r++ {
		if a.Units == nil {
			out = append(out, row(d, r)...)
		}
		for _, u := range a.Units {
			out = append(out, row(d, r)[u])
		}
		if less != nil {
			k := len(out) - n
			if a.Units != nil {
				for j, u := range a.Units {
					out[len(out)-len(a.Units)+j] -= less[r*n+u]
				}
				continue
			}
			for j := range n {
				out[k+j] -= less[r*n+j]
			}
		}
	}
	return nil, floats(out), nil
}

// unit spells out one number: what Unit says, and the formulas in LaTeX.
func (s *Session) unit(a Args, _ []byte) (any, []byte, error) {
	u, err := s.trace.Unit(a.Layer, a.Direction, a.Step, a.Unit, a.Inner)
	if err != nil {
		return nil, nil, err
	}
	return map[string]any{"unit": u, "equations": s.trace.Equations(a.Layer, a.Direction, a.Step), "numbers": s.trace.Numbers(u)}, nil, nil
}

// edit changes one number: of x, of h_0 or c_0, or of the named parameter.
func (s *Session) edit(a Args, _ []byte) (any, []byte, error) {
	var err error
	set := func(d tensor.Dense) {
		if a.Index < 0 || a.Index >= len(d.Data) {
			err = &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "index", Got: fmt.Sprint(a.Index), Want: fmt.Sprintf("0 to %d", len(d.Data)-1)}
			return
		}
		d.Data[a.Index] = float32(a.Value)
	}
	if a.Name == "input" {
		s.x = s.x.Clone() // the kept run still shows the old one
		set(s.x)
	} else {
		err = &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "name", Got: a.Name, Want: "input or a parameter's name"}
		next, e := unroll.New(s.layer.Config())
		if e != nil {
			return nil, nil, e
		}
		values := map[string]tensor.Dense{}
		for _, p := range s.layer.Params() {
			values[p.Name] = p.Value
			if p.Name == a.Name {
				values[p.Name] = p.Value.Clone()
				err = nil
				set(values[p.Name])
			}
		}
		if err == nil {
			err = next.Load(values)
			s.layer = next
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return s.compute(a, nil)
}

// layers makes the number of layers N. Those that stay keep their parameters;
// new ones are drawn: in the example as PyTorch would have, otherwise from
// seed 0.
func (s *Session) layers(a Args, _ []byte) (any, []byte, error) {
	if a.N < 1 || a.N > 64 {
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "num_layers", Got: fmt.Sprint(a.N), Want: "1 to 64"}
	}
	cfg := s.layer.Config()
	cfg.NumLayers = a.N
	next, err := unroll.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	next.ResetParameters(rng.New(0))
	if s.example {
		if next, _, err = Example(a.N); err != nil {
			return nil, nil, err
		}
	}
	values := map[string]tensor.Dense{}
	for _, p := range next.Params() {
		values[p.Name] = p.Value.Clone()
	}
	for _, p := range s.layer.Params() {
		if _, ok := values[p.Name]; ok {
			values[p.Name] = p.Value
		}
	}
	if err := next.Load(values); err != nil {
		return nil, nil, err
	}
	return s.replace(next, s.x, unroll.State{}, s.example)
}

// influence answers with the norms: XNorm, then H of every lane, [1+L*D,T].
func (s *Session) influence(a Args, _ []byte) (any, []byte, error) {
	inf, err := s.trace.Influence(Target{a.Layer, a.Direction, a.Step, a.Unit}, a.Window, func(done float64) error {
		if s.Pause != nil {
			s.Pause(done)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	var out []float32
	for _, v := range append([][]float64{inf.XNorm}, inf.H...) {
		for _, x := range v {
			out = append(out, float32(x))
		}
	}
	return map[string]any{"from": inf.From, "to": inf.To}, floats(out), nil
}

func (s *Session) keep(Args, []byte) (any, []byte, error) {
	s.kept = s.trace
	return s.about(), nil, nil
}

func (s *Session) chain(Args, []byte) (any, []byte, error) {
	n, wrong, err := s.trace.Chain()
	return map[string]int{"numbers": n, "wrong": wrong}, nil, err
}

// loop answers with what went wrong, and per lane and step how many numbers of
// the cell differ ([L,T]; -1 where the loop never came).
func (s *Session) loop(a Args, _ []byte) (any, []byte, error) {
	res, err := s.trace.Loop(a.Loop)
	if err != nil {
		return nil, nil, err
	}
	var out []float32
	for l, h := range res.H {
		for t := range s.trace.Steps() {
			n := float32(differ(row(h, t), row(s.trace.H[l], t)))
			if b := res.Break; b != nil && (t > b.Step || t == b.Step && l >= b.Layer) {
				n = -1
			}
			out = append(out, n)
		}
	}
	reply := map[string]any{
		"states": res.WrongStates, "output": res.WrongOutput, "hn": res.WrongHN, "numbers": len(res.Output.Data),
		"firstStep": res.FirstStep, "firstLayer": res.FirstLayer, "overwritten": res.Overwritten,
	}
	if res.Break != nil {
		reply["break"], reply["message"] = res.Break, res.Break.Error()
	}
	return reply, floats(out), nil
}

// params returns the named parameter.
func (s *Session) params(a Args, _ []byte) (any, []byte, error) {
	for _, p := range s.layer.Params() {
		if p.Name == a.Name {
			return nil, floats(p.Value.Data), nil
		}
	}
	return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "name", Got: a.Name, Want: "a parameter's name"}
}
