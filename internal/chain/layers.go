package chain

import (
	"fmt"
	"slices"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/statedict"
)

// recurrentOut is what a recurrent layer returns beside its output.
type recurrentOut struct {
	cfg       unroll.Config
	h, c      string
	typ       graph.Type
	batch     int
	unbatched bool
}

// state is h or c as a value [L*D,B,size], [L*D,size] without a batch.
func (r *recurrentOut) state(b *builder, id string, size int) *value {
	v := &value{id: id, typ: r.typ, dims: []int{r.cfg.Layers() * r.cfg.Directions(), r.batch, size}, time: -1}
	if r.unbatched {
		return b.squeezed(v, 1)
	}
	return v
}

// state is a pair of an input and an output of the graph.
type state struct {
	in, out, value string
	typ            graph.Type
	layers, size   int
}

// recurrentParams are the arguments of recurrent layers. What the tensors tell
// has to agree with them.
var recurrentParams = []param{
	opt("batch_first", nil), opt("nonlinearity", nil), opt("input_size", nil), opt("hidden_size", nil),
	opt("num_layers", nil), opt("bidirectional", nil), opt("proj_size", nil), opt("bias", nil), opt("dropout", nil),
	opt("h_0", nil), opt("c_0", nil),
}

// part returns the recurrent layer that a module is, nil if it is none.
func (s *solver) part(m *module) *statedict.Part {
	for i := range s.parts {
		if p := &s.parts[i]; p.Label() == m.label {
			return p
		}
	}
	return nil
}

// config is a part's with what the line and the file say besides.
func (c *call) config(p *statedict.Part, rank int, shape []int) (unroll.Config, error) {
	cfg := p.Config
	for name, is := range map[string]any{
		"input_size": int64(cfg.InputSize), "hidden_size": int64(cfg.HiddenSize), "num_layers": int64(cfg.Layers()),
		"bidirectional": cfg.Bidirectional, "proj_size": int64(cfg.ProjSize), "bias": !cfg.NoBias,
	} {
		if c.said[name] && !agree(c.args[name], is) {
			return cfg, c.fail("%s: %s is %s, and its tensors make it %s", c.what, name, literal(c.args[name]), literal(is))
		}
	}
	if mode, ok := c.m.attr("mode"); ok && mode == "RNN_RELU" && c.args["nonlinearity"] == nil {
		c.args["nonlinearity"] = "relu" // before there was an attribute of that name
	}
	if v := c.args["nonlinearity"]; v != nil {
		fits := cfg.Mode == unroll.RNNTanh || cfg.Mode == unroll.RNNReLU
		switch {
		case v == "tanh" && fits:
			cfg.Mode = unroll.RNNTanh
		case v == "relu" && fits:
			cfg.Mode = unroll.RNNReLU
		default:
			return cfg, c.fail("%s: nonlinearity is %s, expected 'tanh' or 'relu' of an RNN, and it is %s", c.what, literal(v), cfg.Mode)
		}
	} else if cfg.Mode == unroll.RNNTanh && c.m.tree == nil {
		note := fmt.Sprintf("the nonlinearity of %s is not in its weights: tanh is assumed; %s(nonlinearity='tanh') or %s(nonlinearity='relu') says which", c.what, c.what, c.what)
		if !slices.Contains(c.notes, note) {
			c.notes = append(c.notes, note)
		}
	}
	first := c.opt.Layout == BatchFirst
	if v := c.args["batch_first"]; v != nil {
		said, ok := v.(bool)
		if !ok {
			return cfg, c.wrong("batch_first", "True or False")
		}
		if c.opt.Layout != NotSaid && said != first {
			return cfg, c.fail("%s has batch_first=%s, and the caller says otherwise; say the one or the other", c.what, literal(said))
		}
		first = said
	} else if c.opt.Layout == NotSaid && rank == 3 {
		return cfg, &LayoutError{Module: c.what, Shape: shape}
	}
	cfg.BatchFirst = first && rank == 3
	cfg.Dropout = 0
	return cfg, nil
}

// learn notes the size of a dimension that the chain's input has, where a module
// that reads it tells.
func (c *call) learn(v *value, axis, n int) {
	if v.dims[axis] >= 0 {
		return
	}
	if v.of != nil {
		v.dims[axis] = n
		c.learn(v.of, v.perm[axis], n)
		return
	}
	for _, in := range c.inputs {
		if in == v {
			v.dims[axis] = n
		}
	}
}

// recurrent makes an RNN, LSTM or GRU, or one of their cells walked over time.
func (c *call) recurrent(p *statedict.Part) (*value, error) {
	if p.Err != nil {
		return nil, p.Err
	}
	v := c.in[0]
	unbatched := v.rank() == 2 && c.ranksSaid()
	if v.rank() != 3 && !unbatched {
		return nil, c.fail("%s is a recurrent layer and takes three dimensions, [sequences, steps, features] or [steps, sequences, features]; its input has %d: %s", c.what, v.rank(), dims(v.dims))
	}
	// Before the layout is asked: a guess of the input that does not fit asks nothing.
	if n := v.dims[v.rank()-1]; n >= 0 && n != p.Config.InputSize {
		return nil, c.fail("%s takes %d features, its input has %d: %s", c.what, p.Config.InputSize, n, dims(v.dims))
	}
	cfg, err := c.config(p, v.rank(), v.dims)
	if err != nil {
		return nil, err
	}
	c.learn(v, v.rank()-1, cfg.InputSize)
	v, err = c.numbers(v)
	if err != nil {
		return nil, err
	}
	if unbatched {
		v = c.unsqueezed(v, 1)
	}
	l, err := c.layer(p, cfg)
	if err != nil {
		return nil, err
	}
	c.builder.layers[c.what] = l
	time, batch := 0, v.dims[1]
	if cfg.BatchFirst {
		time, batch = 1, v.dims[0]
	}
	h0, c0, err := c.initial(cfg, unbatched, batch)
	if err != nil {
		return nil, err
	}
	pairs := c.opt.States && h0 == "" && !cfg.Bidirectional
	if pairs {
		h0, c0 = "h_0."+c.what, ""
		if cfg.HasCell() {
			c0 = "c_0." + c.what
		}
		if slices.ContainsFunc(c.states, func(s state) bool { return s.in == h0 }) {
			return nil, c.fail("%s runs twice in this line, and its states would have one name", c.what)
		}
	}
	y, hn, cn := c.g.Layer(l, v.id, h0, c0, "", "")
	c.g.Name(c.what)
	if pairs {
		c.states = append(c.states, state{h0, "h_n." + c.what, hn, v.typ, cfg.Layers(), cfg.StateSize()})
		if cn != "" {
			c.states = append(c.states, state{c0, "c_n." + c.what, cn, v.typ, cfg.Layers(), cfg.HiddenSize})
		}
	} else if c.opt.States && cfg.Bidirectional {
		c.notes = append(c.notes, fmt.Sprintf("%s runs in both directions and has no state to carry", c.what))
	}
	out := &value{id: y, typ: v.typ, dims: slices.Clone(v.dims), time: time}
	out.dims[2] = cfg.OutputSize()
	if unbatched {
		out = c.squeezed(out, 1)
	}
	out.rec = &recurrentOut{cfg: cfg, h: hn, c: cn, typ: v.typ, batch: batch, unbatched: unbatched}
	return out, nil
}

// ranksSaid reports whether the caller gave the shapes of all inputs, so that
// two dimensions are one sequence and no guess.
func (b *builder) ranksSaid() bool {
	for i := range b.inputs {
		if !b.said(i) {
			return false
		}
	}
	return true
}

// initial are the values of the arguments h_0 and c_0.
func (c *call) initial(cfg unroll.Config, unbatched bool, batch int) (h0, c0 string, err error) {
	var ids [2]string
	axis := 1
	if cfg.BatchFirst {
		axis = 0
	}
	for i, name := range []string{"h_0", "c_0"} {
		if c.args[name] == nil {
			continue
		}
		r, ok := c.args[name].(ref)
		if !ok {
			return "", "", c.wrong(name, "the name of a value")
		}
		v, err := c.lookup(string(r), c.at.pos)
		if err != nil {
			return "", "", err
		}
		if v == nil {
			return "", "", c.failAt(c.at.pos, ErrName, "%s: %s is no value named before", c.what, r)
		}
		if i == 1 && !cfg.HasCell() {
			return "", "", c.fail("%s is a %s and has no cell state c_0", c.what, cfg.Mode)
		}
		want := 3
		if unbatched {
			want = 2
		}
		if v.rank() != want || !isFloat(v.typ) {
			return "", "", c.fail("%s: %s is %s %s, expected %d dimensions of numbers", c.what, name, v.typ, dims(v.dims), want)
		}
		if unbatched {
			v = c.unsqueezed(v, 1)
		}
		if !unbatched && v.dims[1] == 1 && batch != 1 { // one state for every sequence
			n := c.g.Op("Slice", nil, c.g.Op("Shape", nil, c.in[0].id), c.vector(int64(axis)), c.vector(int64(axis)+1))
			v = c.shaped(v, []int{v.dims[0], batch, v.dims[2]}, -1, "Expand", nil, c.g.Op("Concat", graph.Attrs{"axis": int64(0)}, c.vector(1), n, c.vector(1)))
		}
		ids[i] = v.id
	}
	return ids[0], ids[1], nil
}

// layer loads a part once for each setting.
func (s *solver) layer(p *statedict.Part, cfg unroll.Config) (*unroll.Layer, error) {
	key := fmt.Sprint(p.Prefix, cfg)
	if l := s.layers[key]; l != nil {
		return l, nil
	}
	with := *p
	with.Config = cfg
	l, err := statedict.Load[float32](s.src, with)
	if err == nil {
		s.layers[key] = l
	}
	return l, err
}
