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
	// Pause, if set, is called between pieces of long work with what is done.
	Pause func(Work)

	layer   *unroll.Layer
	trace   *Trace // the run, known as far as it was asked for
	fresh   []int  // of each lane, steps of trace that an edit under way does not change
	kept    *Trace // the run that others are compared with
	x       tensor.Dense
	s0      unroll.State
	example bool // the layer is an example's, so that more layers are drawn as PyTorch would
	drawn   bool // no input came with the model: x is drawn
	history []snapshot
	turns   turns
	changes int // counts changes
	at      int // the change that made what there is now; 0: what was loaded
}

// Work is how far a question is.
type Work struct {
	Done    float64 // its share
	Opening bool    // a number is to be opened
	Layer   int     // that the last steps were computed of, from 0,
	Step    int     // and the last of these
}

// record reads or writes the record's rows: h of every lane, then c; all of them, or
// those that end segments. What is visited is known then.
func (t *Trace) record(ends bool, visit func(rows []float32)) {
	for _, list := range [][]tensor.Dense{t.H, t.C} {
		for i, d := range list {
			if !ends {
				visit(d.Data)
			}
			t.ends(i, func(k, time int) {
				if ends {
					visit(row(d, time))
				}
				t.known[i].end[k], t.known[i].all[k] = true, t.known[i].all[k] || !ends
			})
		}
	}
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
	reply, out, err = f(s, a, block)
	if errors.Is(err, errSuperseded) {
		return map[string]any{"superseded": true}, nil, nil
	}
	return reply, out, err
}

// Args are the arguments of all commands; each reads those it knows.
type Args struct {
	Config   unroll.Config `json:"config"`
	Steps    int           `json:"steps"`
	State    bool          `json:"state"`
	Recorded bool          `json:"recorded"`
	Ends     bool          `json:"ends"` // the record has the last step of each segment
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
	View      bool    `json:"view"` // what is in view: a newer view takes its place
	Loop      Loop    `json:"loop"`
}

var commands = map[string]func(*Session, Args, []byte) (any, []byte, error){
	"load": (*Session).load, "open": (*Session).open,
	"values": (*Session).values, "unit": (*Session).unit, "edit": (*Session).edit,
	"layers": (*Session).layers, "influence": (*Session).influence, "keep": (*Session).keep,
	"chain": (*Session).chain, "loop": (*Session).loop, "numbers": (*Session).numbers,
	"openness": (*Session).openness, "inputs": (*Session).inputs, "fit": (*Session).fit, "input": (*Session).input,
	"undo": (*Session).undo, "reset": (*Session).reset, "export": (*Session).export,
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
		t.record(a.Ends, r.read)
	}
	if r.short {
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrShape, Arg: "block", Got: fmt.Sprintf("%d bytes", len(block)), Want: "all parameters, the input and the record"}
	}
	s.layer, s.kept, s.x, s.s0, s.example = layer, nil, x, t.S0, a.Example
	s.drawn, s.history, s.at = false, nil, 0
	s.hold(t)
	return s.about(), nil, nil
}

// open reads a dropped checkpoint: the first recurrent layer in it. The input
// stays if it fits, otherwise a random one of 12 steps is drawn from seed 0, and
// the answer says that it was drawn.
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
	x, drawn := s.x, s.drawn
	if x.IsZero() || x.Shape[1] != parts[0].Config.InputSize {
		x = tensor.New(12, parts[0].Config.InputSize)
		rng.Randn(rng.New(0), x.Data)
		drawn = true
	}
	return s.replace(layer, x, unroll.State{}, false, drawn)
}

// replace makes another layer the session's and runs it.
func (s *Session) replace(layer *unroll.Layer, x tensor.Dense, s0 unroll.State, example, drawn bool) (any, []byte, error) {
	t, err := NewTrace(layer, x, s0)
	if err != nil {
		return nil, nil, err
	}
	s.remember()
	s.layer, s.x, s.s0, s.kept, s.example, s.drawn = layer, x, t.S0, nil, example, drawn
	s.hold(t)
	s.spoil(0, 0)
	return s.compute()
}

// compute begins a run of the layer on the input as they are now. What no edit since
// the last run can have changed is taken from it; the rest is computed when it is
// asked for, as far as it leads there.
func (s *Session) compute() (any, []byte, error) {
	t, err := newTrace(s.layer, s.x, s.s0, s.trace)
	if err != nil {
		return nil, nil, err
	}
	t.reuse(s.trace, s.fresh)
	t.follow(s.trace)
	s.hold(t)
	return s.about(), nil, nil
}

// need makes steps of a layer's direction (-1: of all) known for a question. It ends
// with errSuperseded when the session's run is another meanwhile, or a newer question
// has taken the place of this one.
func (s *Session) need(q question, layer, direction, from, to int) error {
	mine, turn := s.trace, s.turn(q)
	layer, direction = min(max(layer, 0), mine.cfg.NumLayers-1), min(direction, mine.cfg.Directions()-1)
	for _, t := range []*Trace{mine, s.kept} {
		if t == nil || t != mine && (t.Steps() != mine.Steps() || layer >= t.cfg.NumLayers) {
			continue
		}
		if err := t.need(layer, min(direction, t.cfg.Directions()-1), from, to, turn); err != nil {
			return err
		}
	}
	return nil
}

// whole makes all of the run known.
func (s *Session) whole() error {
	return s.need(patient, s.trace.cfg.NumLayers-1, -1, 0, s.trace.Steps())
}

// hold makes a whole run the session's.
func (s *Session) hold(t *Trace) {
	s.trace = t
	s.fresh = make([]int, t.Lanes())
	for i := range s.fresh {
		s.fresh[i] = t.Steps()
	}
}

// spoil says that an edit changes lanes from first on, from a step on in each
// direction's order.
func (s *Session) spoil(first, step int) {
	d := s.trace.cfg.Directions()
	for i := first; i < len(s.fresh); i++ {
		if d == 2 {
			step = 0 // what comes from the reverse direction changes from its beginning
		}
		s.fresh[i] = min(s.fresh[i], step)
	}
}

// about describes the model for the page.
func (s *Session) about() any {
	facts := s.trace.facts()
	facts["kept"], facts["drawn"] = s.kept != nil, s.drawn
	facts["at"], facts["edits"] = s.at, len(s.history)
	return facts
}
