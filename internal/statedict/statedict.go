// Package statedict finds recurrent layers among named tensors and makes layers
// of them: what a state dict says by its names and shapes alone.
//
// Names are PyTorch's: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0,
// weight_hr_l0, with _reverse for the second direction, or without _l0 for the
// cells (weight_ih, weight_hh, ...). Whatever stands before them, up to a dot or
// a slash, is the prefix: "rnn.", "module.encoder.", "model_state_dict/rnn.".
//
// Letters in shapes: I inputs, H hidden units, D directions, P size of the
// projection, H' P where there is a projection, else H, G gates (RNN 1, GRU 3,
// LSTM 4).
package statedict

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
)

// Kinds of errors of this package.
var (
	// ErrNone: no tensor bears the name of a recurrent layer's parameter.
	ErrNone = errors.New("no recurrent layer")
	// ErrAmbiguous: there are several recurrent layers and none was chosen.
	ErrAmbiguous = errors.New("several recurrent layers")
	// ErrPrefix: no recurrent layer has the prefix asked for.
	ErrPrefix = errors.New("no recurrent layer of that prefix")
	// ErrInconsistent: names or shapes that do not make up a layer.
	ErrInconsistent = errors.New("parameters do not make up a layer")
)

// Options say what names and shapes cannot.
type Options struct {
	// Mode is the kind of layer. Names and shapes tell LSTM, GRU and RNN apart,
	// but not the RNN's nonlinearity: nil means tanh, PyTorch's default. A mode
	// that the shapes contradict is an ErrInconsistent.
	Mode *unroll.Mode
	// BatchFirst is copied to the Config.
	BatchFirst bool
}

// Part is one recurrent layer among the tensors of a source.
type Part struct {
	// Prefix is what stands before the parameters' names, its last dot or slash
	// included; empty for a lone layer.
	Prefix string
	// Config is what names and shapes say; Dropout is unknown and 0.
	Config unroll.Config
	// Params maps the layer's parameter names (weight_ih_l0) to the tensors'
	// names in the source.
	Params map[string]string
	// Cell reports that the names lack _l0, as those of LSTMCell, GRUCell and
	// RNNCell do.
	Cell bool
	// ModeGuessed reports that the part is an RNN whose nonlinearity nothing told.
	ModeGuessed bool
	// Err is why the part cannot be loaded, of Find's an ErrInconsistent; then
	// Config and Params hold what was understood so far.
	Err error
}

// Label returns the prefix without its last separator, as Choose takes it.
func (p Part) Label() string { return strings.TrimRight(p.Prefix, "./") }

var paramName = regexp.MustCompile(`^((?s:.*)[./])?(weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)(?:_l([0-9]{1,6})(_reverse)?)?$`)

// Find returns the recurrent layers of a source, in the order of their first
// tensors. It is an ErrNone if there are none; a layer that is inconsistent has
// its Err set, so that others can still be used. It reads names and shapes only.
func Find(src checkpoint.Source, opt Options) ([]Part, error) {
	var order []string
	found := map[string]*group{}
	names := src.Names()
	for _, name := range names {
		m := paramName.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		info, ok := src.Info(name)
		if !ok {
			continue
		}
		prefix, kind := m[1], m[2]
		g := found[prefix]
		if g == nil {
			g = &group{prefix: prefix, params: map[key]param{}}
			found[prefix] = g
			order = append(order, prefix)
		}
		layer, _ := strconv.Atoi(m[3]) // at most six digits, or none: a cell
		g.add(key{layer, m[4] != "", kind}, param{name, info.Shape}, m[3] == "")
	}
	if len(order) == 0 {
		return nil, fmt.Errorf("%w: none of the %d tensors is called weight_ih_l0 or weight_ih, with or without a prefix", ErrNone, len(names))
	}
	parts := make([]Part, len(order))
	for i, prefix := range order {
		parts[i] = found[prefix].infer(opt)
	}
	return parts, nil
}

// Choose returns the part with that prefix, the last dot or slash and leading
// wrappers ("module.", "_orig_mod.", "model_state_dict/") left out or not. An
// empty prefix chooses the only part, or the only one without a prefix; with
// several it is an ErrAmbiguous that lists them. It returns the Err of a part
// that has one.
func Choose(parts []Part, prefix string) (Part, error) {
	var hits []Part
	for _, p := range parts {
		if p.Prefix == prefix || p.Label() == prefix {
			hits = []Part{p} // exact, and prefixes are unique
			break
		}
		if prefix == "" && len(parts) == 1 || prefix != "" && unwrapped(p.Label()) == unwrapped(strings.TrimRight(prefix, "./")) {
			hits = append(hits, p)
		}
	}
	switch {
	case len(hits) == 1:
		return hits[0], hits[0].Err
	case len(parts) == 0:
		return Part{}, ErrNone
	case len(hits) > 1 || prefix == "":
		return Part{}, fmt.Errorf("%w: %s; choose one by its prefix (--prefix)", ErrAmbiguous, list(parts))
	}
	return Part{}, fmt.Errorf("%w: %q; there is %s", ErrPrefix, prefix, list(parts))
}

// unwrapped cuts what training frameworks put before a model's own names.
func unwrapped(label string) string {
	for {
		before := label
		for _, w := range []string{"module.", "_orig_mod.", "model_state_dict/", "state_dict/", "model/"} {
			label = strings.TrimPrefix(label, w)
		}
		if label == before {
			return label
		}
	}
}

func list(parts []Part) string {
	const most = 8
	var s []string
	for i, p := range parts {
		if i == most {
			s = append(s, fmt.Sprintf("%d more", len(parts)-most))
			break
		}
		what := p.Config.Mode.String()
		if errors.Is(p.Err, ErrInconsistent) {
			what = "damaged"
		}
		s = append(s, fmt.Sprintf("%q (%s)", p.Label(), what))
	}
	return strings.Join(s, ", ")
}
