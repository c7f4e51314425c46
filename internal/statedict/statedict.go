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
	"slices"
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
	// ErrExtra: tensors under a layer's own prefix that it does not take.
	ErrExtra = errors.New("tensors that the layer does not take")
)

// Options say what names and shapes cannot.
type Options struct {
	// Mode is the kind of layer. Names and shapes tell LSTM, GRU and RNN apart,
	// but not the RNN's nonlinearity: nil means tanh, PyTorch's default. A mode
	// that the shapes contradict is an ErrInconsistent.
	Mode *unroll.Mode
	// BatchFirst is copied to the Config.
	BatchFirst bool
	// Loose takes a layer also where tensors stand under its own prefix that none
	// of its parameters takes, as load_state_dict(strict=False) does.
	Loose bool
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
	// Extra are tensors under the layer's own prefix that it does not take.
	Extra []string
	// Err is why the part cannot be loaded, of Find's an ErrInconsistent; then
	// Config and Params hold what was understood so far.
	Err error
}

// Label returns the prefix without its last separator, as Choose takes it.
func (p Part) Label() string { return strings.TrimRight(p.Prefix, "./") }

// parameter reads the last part of a name, "weight_ih_l0_reverse"; nil if it is
// no parameter's. A cell's has no number.
func parameter(last string) *key {
	for _, kind := range []string{"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"} {
		rest, ok := strings.CutPrefix(last, kind)
		if !ok {
			continue
		}
		if rest == "" {
			return &key{kind: kind, cell: true}
		}
		digits, ok := strings.CutPrefix(rest, "_l")
		digits, reverse := strings.CutSuffix(digits, "_reverse")
		layer, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || len(digits) > 6 {
			return nil
		}
		return &key{layer: int(layer), reverse: reverse, kind: kind}
	}
	return nil
}

// unnamed says what names are that torch does not have.
func unnamed(names []string) string {
	for _, name := range names {
		if before, ok := strings.CutSuffix(name, "w_ih"); ok {
			to := strings.TrimRight(before, "._/")
			if to != "" {
				to += "."
			}
			return fmt.Sprintf("; %[1]s and its like are one under other names: save them as %[2]sweight_ih, %[2]sweight_hh, %[2]sbias_ih and %[2]sbias_hh (numpy.savez(file, **{%[3]q: old[%[1]q], ...}))", name, to, to+"weight_ih")
		}
	}
	for i, name := range names {
		if name != fmt.Sprintf("arr_%d", i) {
			return ""
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; arr_0 and so on are arrays that numpy.savez was given without names, as of Keras's get_weights(): save the model itself, model.save(\"m.keras\"), or numpy.savez(file, **state_dict)"
}

// Find returns the recurrent layers of a source, in the order of their first
// tensors. It is an ErrNone if there are none; a layer that is inconsistent, or
// beside whose parameters there are tensors that it does not take, has its Err
// set, so that others can still be used. It reads names and shapes only.
func Find(src checkpoint.Source, opt Options) ([]Part, error) {
	var order []string
	found := map[string]*group{}
	names := src.Names()
	for _, name := range names {
		prefix, last := split(name)
		k := parameter(last)
		if k == nil {
			continue
		}
		info, ok := src.Info(name)
		if !ok {
			continue
		}
		g := found[prefix]
		if g == nil {
			g = &group{prefix: prefix, params: map[key]param{}}
			found[prefix] = g
			order = append(order, prefix)
		}
		cell := k.cell
		k.cell = false
		g.add(*k, param{name, info.Shape}, cell)
	}
	var faults []Part
	if f, ok := src.(*Folded); ok {
		faults = f.Faults
	}
	if len(order)+len(faults) == 0 {
		return nil, fmt.Errorf("%w: none of the %d tensors is called weight_ih_l0 or weight_ih, with or without a prefix%s", ErrNone, len(names), unnamed(names))
	}
	strangers(found, names)
	parts := make([]Part, 0, len(order)+len(faults))
	for _, prefix := range order {
		parts = append(parts, found[prefix].infer(opt))
	}
	for _, f := range faults {
		if i := slices.IndexFunc(parts, func(p Part) bool { return p.Prefix == f.Prefix }); i >= 0 {
			parts[i].Err = f.Err // what is missing is missing because of it
		} else if found[f.Prefix] == nil {
			parts = append(parts, f)
		}
	}
	return parts, nil
}

// mostNested is how many modules around a tensor are looked at for a layer.
const mostNested = 32

// strangers gives each layer the tensors that stand under its own prefix and are
// no parameter's: those beside its parameters, and all below it where the prefix
// is a module's own and not the whole model's, which has other parts.
func strangers(found map[string]*group, names []string) {
	for _, name := range names {
		prefix, last := split(name)
		if g := found[prefix]; g != nil {
			if parameter(last) == nil {
				g.extra = append(g.extra, name)
			}
			continue
		}
		at := prefix
		for range mostNested {
			if at == "" {
				break
			}
			at, _ = split(at[:len(at)-1])
			g := found[at]
			if g == nil {
				continue
			}
			next, _, _ := strings.Cut(name[len(at):], ".")
			if parameter(next) != nil || next == "parametrizations" || strings.HasSuffix(at, ".") && unwrapped(strings.TrimRight(at, "./")) != "" && unwrapped(at) != "" {
				g.extra = append(g.extra, name)
			}
			break
		}
	}
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
		if errors.Is(p.Err, ErrExtra) {
			what += " with other tensors"
		}
		s = append(s, fmt.Sprintf("%q (%s)", p.Label(), what))
	}
	return strings.Join(s, ", ")
}
