package statedict

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/cell"
)

// key is the place of a parameter in a layer.
type key struct {
	layer   int
	reverse bool
	kind    string // weight_ih and so on
	cell    bool   // the name has no number; false in a group
}

// String returns the name torch.nn gives the parameter.
func (k key) String() string {
	s := fmt.Sprintf("%s_l%d", k.kind, k.layer)
	if k.reverse {
		s += "_reverse"
	}
	return s
}

// param is a tensor that bears a parameter's name.
type param struct {
	stored string
	shape  []int
}

// group is the tensors of one prefix.
type group struct {
	prefix       string
	params       map[key]param
	cell, layers bool // names without and with _l0
	layerMax     int
	reverse      bool
	twice        string // a parameter that two names give
	extra        []string
}

func (g *group) add(k key, p param, cell bool) {
	if _, ok := g.params[k]; ok {
		g.twice = k.String()
	}
	g.params[k] = p
	g.cell, g.layers = g.cell || cell, g.layers || !cell
	g.layerMax = max(g.layerMax, k.layer)
	g.reverse = g.reverse || k.reverse
}

// infer turns names and shapes into a Config.
func (g *group) infer(opt Options) Part {
	p := Part{Prefix: g.prefix, Cell: g.cell && !g.layers, Params: map[string]string{}}
	p.Config.BatchFirst = opt.BatchFirst
	if err := g.config(&p, opt); err != nil {
		p.Err = printable(fmt.Errorf("%w: %w", ErrInconsistent, err))
	}
	p.Extra = g.extra
	if p.Err == nil && len(p.Extra) > 0 && !opt.Loose {
		p.Err = fmt.Errorf("%w: %s under %q; torch's load_state_dict refuses them too. What they do is not known here: --loose leaves them out", ErrExtra, quotedNames(p.Extra), p.Label())
	}
	return p
}

// printable keeps what names from a file do to a terminal out of a message.
func printable(err error) error { return &printed{err} }

type printed struct{ error }

// Error returns the message with what is not printable escaped.
func (p *printed) Error() string { return checkpoint.Printable(p.error.Error()) }

// Unwrap returns the error itself.
func (p *printed) Unwrap() error { return p.error }

// quotedNames lists names from a file.
func quotedNames(names []string) string {
	const most = 6
	var s []string
	for i, n := range names {
		if i == most {
			s = append(s, fmt.Sprintf("%d more", len(names)-most))
			break
		}
		s = append(s, strconv.Quote(n))
	}
	return strings.Join(s, ", ")
}

func (g *group) config(p *Part, opt Options) error {
	if g.cell && g.layers {
		return fmt.Errorf("%q has names with and without _l0", p.Label())
	}
	if g.twice != "" {
		return fmt.Errorf("%q has %s twice", p.Label(), g.twice)
	}
	// A name may claim any layer; what is there bounds what is worth asking for.
	if g.layerMax >= len(g.params) {
		return fmt.Errorf("%s names layer %d, but there are only %d parameters", g.last().stored, g.layerMax, len(g.params))
	}
	c := &p.Config
	c.NumLayers, c.Bidirectional = g.layerMax+1, g.reverse
	hh, err := g.matrix(key{kind: "weight_hh"})
	if err != nil {
		return err
	}
	ih, err := g.matrix(key{kind: "weight_ih"})
	if err != nil {
		return err
	}
	c.InputSize, c.HiddenSize = ih.shape[1], hh.shape[1]
	if _, ok := g.params[key{kind: "weight_hr"}]; ok {
		hr, err := g.matrix(key{kind: "weight_hr"})
		if err != nil {
			return err
		}
		c.ProjSize, c.HiddenSize = hr.shape[0], hr.shape[1]
	}
	if err := g.mode(p, opt, hh); err != nil {
		return err
	}
	_, bias := g.params[key{kind: "bias_ih"}]
	_, biasH := g.params[key{kind: "bias_hh"}]
	c.NoBias = !bias && !biasH
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%s and its neighbours make no layer: %w", hh.stored, err)
	}
	return g.complete(p)
}

// mode tells the kind of layer by the rows of weight_hh_l0, [G*H,H'].
func (g *group) mode(p *Part, opt Options, hh param) error {
	c := &p.Config
	rows, h := hh.shape[0], c.HiddenSize
	var fit []unroll.Mode
	for m, k := range cell.Kinds() {
		if h > 0 && rows == k.Traits.Gates*h && (c.ProjSize == 0 || k.Projects) {
			fit = append(fit, unroll.Mode(m))
		}
	}
	switch {
	case len(fit) > 0:
		c.Mode, p.ModeGuessed = fit[0], len(fit) > 1 && opt.Mode == nil
	case c.ProjSize > 0:
		return fmt.Errorf("%s has %d rows, expected 4 times the %d columns of weight_hr (only an LSTM has a projection)", hh.stored, rows, h)
	default:
		return fmt.Errorf("%s has shape %v, expected 1 (RNN), 3 (GRU) or 4 (LSTM) times as many rows as columns", hh.stored, hh.shape)
	}
	if opt.Mode == nil {
		return nil
	}
	if !slices.Contains(fit, *opt.Mode) {
		return fmt.Errorf("%s has shape %v, which fits %s and not %s", hh.stored, hh.shape, c.Mode, *opt.Mode)
	}
	c.Mode = *opt.Mode
	return nil
}

// Gates returns G, the number of gates of a mode.
func Gates(m unroll.Mode) int { return cell.Kinds()[m].Traits.Gates }

// complete checks that every parameter of the Config is there with its shape,
// and nothing else, and fills Params.
func (g *group) complete(p *Part) error {
	c := p.Config
	rows, h := Gates(c.Mode)*c.HiddenSize, c.StateSize()
	for layer := range c.Layers() {
		in := c.InputSize
		if layer > 0 {
			in = c.OutputSize()
		}
		for d := range c.Directions() {
			want := []struct {
				kind  string
				shape []int
				is    bool
			}{
				{"weight_ih", []int{rows, in}, true},
				{"weight_hh", []int{rows, h}, true},
				{"bias_ih", []int{rows}, !c.NoBias},
				{"bias_hh", []int{rows}, !c.NoBias},
				{"weight_hr", []int{h, c.HiddenSize}, c.ProjSize > 0},
			}
			for _, w := range want {
				k := key{layer: layer, reverse: d == 1, kind: w.kind}
				got, ok := g.params[k]
				switch {
				case ok && !w.is:
					return fmt.Errorf("%s is there, but layer 0 has no %s", got.stored, w.kind)
				case w.is && !ok:
					return fmt.Errorf("%s%s is missing: other names say %d layers, %d directions, bias %t", g.prefix, k, c.Layers(), c.Directions(), !c.NoBias)
				case ok && !slices.Equal(got.shape, w.shape):
					return fmt.Errorf("%s has shape %v, expected %v for %s with input_size %d and hidden_size %d", got.stored, got.shape, w.shape, c.Mode, c.InputSize, c.HiddenSize)
				case ok:
					p.Params[k.String()] = got.stored
				}
			}
		}
	}
	return nil
}

// matrix returns a parameter that must be there with two dimensions.
func (g *group) matrix(k key) (param, error) {
	p, ok := g.params[k]
	if !ok {
		return p, fmt.Errorf("%s%s is missing beside %s", g.prefix, k, g.last().stored)
	}
	if len(p.shape) != 2 {
		return p, fmt.Errorf("%s has shape %v, expected two dimensions", p.stored, p.shape)
	}
	return p, nil
}

// last returns the parameter of the highest layer, the first by name there.
func (g *group) last() (best param) {
	for k, p := range g.params {
		if k.layer == g.layerMax && (best.stored == "" || p.stored < best.stored) {
			best = p
		}
	}
	return best
}
