package unroll

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/scan"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// LayerOf is a stacked recurrent layer: a Config and its parameters. New and
// Split make layers; to a layer that they did not make, such as a nil one,
// methods that return an error answer with an ErrUsage, and the others with
// nothing.
//
// Any number of goroutines may use a layer at once, as long as none of them
// changes its parameters (ResetParameters, Load, Update).
type LayerOf[F tensor.Float] struct {
	cfg    Config
	params []ParamOf[F]
	stack  scan.Stack[F]
	passes sync.Pool // *PassOf[F], for Forward
	// precisions are those of the layers of the stack; nil: all full.
	precisions []Precision

	self   weak.Pointer[LayerOf[F]]
	digest atomic.Pointer[versionDigest]
	// part says which piece of a stack a layer made by Split is, and upper
	// whether it reads another layer's output: for errors.
	part  string
	upper bool
}

// Layer is a layer of float32.
type Layer = LayerOf[float32]

// ParamOf is a parameter under the name PyTorch gives it, such as
// weight_ih_l0 [G*H,I] or bias_hh_l1_reverse [G*H].
type ParamOf[F tensor.Float] struct {
	Name  string
	Value tensor.DenseOf[F]
}

// Param is a parameter of float32.
type Param = ParamOf[float32]

// New returns a float32 layer whose parameters are zeros until ResetParameters,
// Load or Update sets them. It is an ErrConfig if cfg cannot be.
func New(cfg Config) (*Layer, error) { return NewOf[float32](cfg) }

// NewOf is New for any element type.
func NewOf[F tensor.Float](cfg Config) (*LayerOf[F], error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l := &LayerOf[F]{cfg: cfg}
	for _, p := range layout(cfg) {
		n, err := tensor.Size(p.shape)
		if err != nil {
			return nil, err // Validate has counted them
		}
		l.params = append(l.params, ParamOf[F]{p.name, tensor.DenseOf[F]{Shape: p.shape, Data: kernel.Large[F](nil, n)}})
	}
	l.build(new(atomic.Uint64))
	return l, nil
}

// named is the name and shape of a parameter.
type named struct {
	name  string
	shape []int
}

// layout lists the parameters of a layer in the order of PyTorch's state_dict:
// for each layer and direction weight_ih, weight_hh, bias_ih, bias_hh,
// weight_hr, weight_peephole.
func layout(cfg Config) []named {
	var all []named
	rows := cfg.gates() * cfg.HiddenSize
	for l := range cfg.Layers() {
		in := cfg.InputSize
		if l > 0 {
			in = cfg.OutputSize()
		}
		for d := range cfg.Directions() {
			suffix := fmt.Sprintf("_l%d", l) + []string{"", "_reverse"}[d]
			all = append(all,
				named{"weight_ih" + suffix, []int{rows, in}},
				named{"weight_hh" + suffix, []int{rows, cfg.StateSize()}})
			if !cfg.NoBias {
				all = append(all, named{"bias_ih" + suffix, []int{rows}}, named{"bias_hh" + suffix, []int{rows}})
			}
			if cfg.ProjSize > 0 {
				all = append(all, named{"weight_hr" + suffix, []int{cfg.ProjSize, cfg.HiddenSize}})
			}
			if n := cfg.perUnit(); n > 0 {
				all = append(all, named{"weight_peephole" + suffix, []int{n * cfg.HiddenSize}})
			}
		}
	}
	return all
}

// build makes the engine's view of the parameters.
func (l *LayerOf[F]) build(version *atomic.Uint64) {
	c := l.cfg
	l.self = weak.Make(l)
	l.stack.Cells = nil
	for d := range c.Directions() {
		l.stack.Cells = append(l.stack.Cells, cell.Of[F](c.Mode.kind(), c.Variant.settings(c.Mode, d)))
	}
	l.stack.Traits, l.stack.Reverse = l.stack.Cells[0].Traits(), c.Variant.Reverse
	l.stack.I, l.stack.H, l.stack.P, l.stack.L, l.stack.D = c.InputSize, c.HiddenSize, c.ProjSize, c.Layers(), c.Directions()
	l.stack.Version = version
	l.stack.Params = view(nil, c, l.params)
	l.stack.Precisions = scanPrecisions(l.precisions)
}

// view groups parameters by layer and direction, as the engine wants them, in
// the memory of all where it suffices.
func view[F tensor.Float](all []scan.Params[F], c Config, params []ParamOf[F]) []scan.Params[F] {
	n := c.Layers() * c.Directions()
	if cap(all) < n {
		all = make([]scan.Params[F], n)
	}
	all = all[:n]
	next := func() []F {
		p := params[0].Value.Data
		params = params[1:]
		return p
	}
	for i := range all {
		all[i] = scan.Params[F]{IH: next(), HH: next()}
		if !c.NoBias {
			all[i].BiasIH, all[i].BiasHH = next(), next()
		}
		if c.ProjSize > 0 {
			all[i].HR = next()
		}
		if c.perUnit() > 0 {
			all[i].PerUnit = next()
		}
	}
	return all
}

// made returns an ErrUsage if the layer is none that New or Split made.
func (l *LayerOf[F]) made(arg string) error {
	switch {
	case l == nil:
		return &ArgError{Kind: ErrUsage, Arg: arg, Got: "nil", Want: "a layer made by New"}
	case l.stack.Cells == nil:
		return &ArgError{Kind: ErrUsage, Arg: arg, Got: "the zero value", Want: "a layer made by New"}
	}
	return nil
}

// Config returns what the layer is.
func (l *LayerOf[F]) Config() Config {
	if l.made("") != nil {
		return Config{}
	}
	return l.cfg
}

// Gates returns the names of the gates in the order in which the rows of the
// parameters hold them: i f g o, r z n, or h.
func (l *LayerOf[F]) Gates() []string {
	if l.made("") != nil {
		return nil
	}
	return l.cfg.Mode.kind().GateNames()
}

// Params returns the parameters in the order of PyTorch's state_dict. The
// values share the layer's memory and must not be written; see Update.
func (l *LayerOf[F]) Params() []ParamOf[F] {
	if l.made("") != nil {
		return nil
	}
	return slices.Clone(l.params)
}

// Update calls change with the parameters, whose values it may write in place,
// and lets the engine see them afterwards. Layers that Split made share the
// parameters and see them too. Nobody else may use the layer meanwhile, and a
// Backward needs a new Forward afterwards.
func (l *LayerOf[F]) Update(change func(params []ParamOf[F])) {
	if l.made("") != nil || change == nil {
		return
	}
	defer l.stack.Version.Add(1)
	change(slices.Clone(l.params))
}

// ResetParameters draws all parameters as torch.nn does when it makes a layer:
// uniform on +-1/sqrt(H), in the order of Params. After rng.New(seed) they are,
// bit for bit, those of a PyTorch layer made after torch.manual_seed(seed). A
// nil g stands for the zero Generator, which is rng.New(0).
func (l *LayerOf[F]) ResetParameters(g *rng.Generator) {
	if l.made("") != nil {
		return
	}
	if g == nil {
		g = new(rng.Generator)
	}
	bound := 1 / math.Sqrt(float64(l.cfg.HiddenSize))
	l.Update(func(params []ParamOf[F]) {
		for _, p := range params {
			_ = rng.Uniform(g, p.Value.Data, -bound, bound) // it refuses only bounds in the wrong order
		}
	})
}

// LoadError lists all that keeps parameters from fitting a layer. It is an
// ErrParams.
type LoadError struct {
	Layer      string   // the layer, as its config
	Missing    []string // names that did not come
	Unexpected []string // names that the layer does not have
	Shapes     []string // a sentence for each wrong shape
}

// Error lists all faults, separated by semicolons.
func (e *LoadError) Error() string {
	var parts []string
	if len(e.Missing) > 0 {
		parts = append(parts, "missing "+strings.Join(e.Missing, ", "))
	}
	if len(e.Unexpected) > 0 {
		parts = append(parts, "unexpected "+strings.Join(e.Unexpected, ", "))
	}
	parts = append(parts, e.Shapes...)
	return fmt.Sprintf("parameters do not fit %s: %s", e.Layer, strings.Join(parts, "; "))
}

// Unwrap returns ErrParams.
func (e *LoadError) Unwrap() error { return ErrParams }

// Load copies the parameters from tensors under their names, as PyTorch's
// load_state_dict(strict=True) does. A layer of one may also be given the names
// of torch.nn's cells, without the suffix _l0. If anything is missing,
// unexpected or of the wrong shape, the error is a *LoadError that lists all of
// it, and the layer keeps what it had.
func (l *LayerOf[F]) Load(tensors map[string]tensor.DenseOf[F]) error {
	if err := l.made("layer"); err != nil {
		return err
	}
	fault := &LoadError{Layer: l.describe()}
	got := make(map[string]tensor.DenseOf[F], len(tensors))
	for name, t := range tensors {
		if _, whole := tensors[name+"_l0"]; !whole && l.cfg.Layers() == 1 && l.cfg.Directions() == 1 && !strings.HasSuffix(name, "_l0") {
			name += "_l0"
		}
		got[name] = t
	}
	for _, p := range l.params {
		t, ok := got[p.Name]
		switch {
		case !ok:
			fault.Missing = append(fault.Missing, p.Name)
		case t.Check(p.Name) != nil || !slices.Equal(t.Shape, p.Value.Shape):
			fault.Shapes = append(fault.Shapes, l.shapeFault(p, t))
		}
	}
	known := make(map[string]bool, len(l.params))
	for _, p := range l.params {
		known[p.Name] = true
	}
	for name := range got {
		if !known[name] {
			if _, ok := tensors[name]; !ok {
				name = strings.TrimSuffix(name, "_l0")
			}
			fault.Unexpected = append(fault.Unexpected, name)
		}
	}
	if len(fault.Missing)+len(fault.Unexpected)+len(fault.Shapes) > 0 {
		slices.Sort(fault.Unexpected)
		return fault
	}
	l.Update(func(params []ParamOf[F]) {
		for _, p := range params {
			copy(p.Value.Data, got[p.Name].Data)
		}
	})
	return nil
}

// shapeFault says in a sentence what a parameter of the wrong shape should
// have been, and why: the layer it belongs to and what that layer reads.
func (l *LayerOf[F]) shapeFault(p ParamOf[F], t tensor.DenseOf[F]) string {
	s := fmt.Sprintf("%s has shape %v, expected %v", p.Name, t.Shape, p.Value.Shape)
	var n int
	if _, err := fmt.Sscanf(p.Name, "weight_ih_l%d", &n); err == nil && n > 0 && len(t.Shape) == 2 && t.Shape[0] == p.Value.Shape[0] {
		s += fmt.Sprintf(" (layer %d reads the output of layer %d, %d features, not the input)", n, n-1, p.Value.Shape[1])
	}
	return s
}

// describe writes the layer as PyTorch prints it, such as LSTM(10, 20,
// num_layers=2).
func (l *LayerOf[F]) describe() string { return l.cfg.String() + l.part }

// Forward computes output and final state of x in evaluation mode:
//
//	x  [T,B,I], with BatchFirst [B,T,I], or unbatched [T,I]
//	s0 H [L*D,B,H'], C [L*D,B,H] (without B if unbatched); State{} for zeros
//	y  [T,B,D*H'], laid out like x
//	sn like s0
//
// The results are new memory. Many goroutines may call it at once. Errors are
// those of Pass.Forward.
func (l *LayerOf[F]) Forward(x tensor.DenseOf[F], s0 StateOf[F]) (y tensor.DenseOf[F], sn StateOf[F], err error) {
	if err := l.made("layer"); err != nil {
		return y, sn, err
	}
	p, _ := l.passes.Get().(*PassOf[F])
	if p == nil {
		p = &PassOf[F]{Layer: l}
	}
	defer l.passes.Put(p)
	y, sn, err = p.Forward(x, s0)
	if err != nil {
		return y, sn, err
	}
	return y.Clone(), sn.Clone(), nil
}

// Check reports what Forward would refuse of x and s0, without running it: an
// ErrShape or, for a layer that New did not make, an ErrUsage.
func (l *LayerOf[F]) Check(x tensor.DenseOf[F], s0 StateOf[F]) error {
	if err := l.made("layer"); err != nil {
		return err
	}
	d, err := l.checkInput(x)
	if err != nil {
		return err
	}
	return checkState(&l.cfg, "s0", s0, d.batched, false, d.b)
}

// Split returns the layer's single layers, [L][D] of them, each of one layer
// and one direction. They share the parameters with l, which hold the names of
// a layer of one (weight_ih_l0, ...).
//
// Feeding layer n the joined outputs of the directions of layer n-1 gives what
// the stack gives, bit for bit; a reverse direction ([n][1]) is a layer that
// expects its input reversed in time and gives its output so. This is "Compare
// to set of RNN" of the page on stacked layers.
func (l *LayerOf[F]) Split() [][]*LayerOf[F] {
	if l.made("") != nil {
		return nil
	}
	one := l.cfg
	one.NumLayers, one.Bidirectional, one.Dropout = 1, false, 0
	params := l.params
	per := len(l.params) / (l.cfg.Layers() * l.cfg.Directions())
	all := make([][]*LayerOf[F], l.cfg.Layers())
	for n := range all {
		if n > 0 {
			one.InputSize = l.cfg.OutputSize()
		}
		names := layout(one)
		for d := range l.cfg.Directions() {
			one.Variant = l.cfg.Variant.of(d)
			s := &LayerOf[F]{cfg: one, upper: n > 0, precisions: []Precision{l.precision(n)}}
			s.part = fmt.Sprintf(", layer %d of the stack %s", n, l.cfg)
			if d == 1 {
				s.part += ", reverse direction"
			}
			for i, p := range params[:per] {
				s.params = append(s.params, ParamOf[F]{names[i].name, p.Value})
			}
			params = params[per:]
			s.build(l.stack.Version)
			all[n] = append(all[n], s)
		}
	}
	return all
}
