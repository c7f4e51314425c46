package statedict

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Some layers keep their parameters in pieces: weight norm, spectral norm,
// pruning, dropout of weights, dynamic quantisation. Fold puts them together
// under the names that a plain layer has, as PyTorch does in eval mode.

// Settings tells a setting of the module whose tensors' names begin with path and
// a dot: "bidirectional" of "encoder.rnn". A state_dict has none.
type Settings func(path, name string) (value any, ok bool)

// Folded is a Source with every parameter under its plain name. Tensors that are
// computed of others are computed when they are read, in float32, or in float64
// where one of the pieces is.
type Folded struct {
	src     checkpoint.Source
	names   []string
	derived map[string]derived
	// Notes say what was put together, one sentence each.
	Notes []string
	// Faults are layers whose pieces have more than one reading, by prefix.
	Faults []Part
}

// derived is a tensor under another name, or computed of others.
type derived struct {
	info checkpoint.Info
	from string // of the source, where it is only a name
	make func(checkpoint.Source) (checkpoint.Tensor, error)
}

var _ checkpoint.Opener = (*Folded)(nil)

// Fold returns src with its layers' pieces put together; settings may be nil. It
// reads names and shapes only.
func Fold(src checkpoint.Source, settings Settings) *Folded {
	if settings == nil {
		settings = func(string, string) (any, bool) { return nil, false }
	}
	f := &folder{src: src, settings: settings, names: src.Names(), taken: map[string]bool{}, at: map[string][]string{}, have: map[string]bool{}}
	f.out = &Folded{src: src, derived: map[string]derived{}}
	for _, n := range f.names {
		f.have[n] = true
	}
	for _, rule := range []func(*folder){(*folder).quantized, (*folder).parametrized, (*folder).normed, (*folder).original, (*folder).raw, (*folder).list} {
		rule(f)
	}
	f.finish()
	return f.out
}

// folder is Fold at work.
type folder struct {
	src      checkpoint.Source
	settings Settings
	names    []string
	have     map[string]bool
	taken    map[string]bool     // names that are pieces
	at       map[string][]string // names that appear where a piece stood
	out      *Folded
}

// put lets name stand where the first of its pieces stood.
func (f *folder) put(name string, d derived, pieces ...string) {
	d.info.Name = name
	f.out.derived[name] = d
	f.at[pieces[0]] = append(f.at[pieces[0]], name)
	for _, p := range pieces {
		f.taken[p] = true
	}
}

// rename lets a tensor be known by another name.
func (f *folder) rename(name, from string, besides ...string) {
	info, _ := f.src.Info(from)
	f.put(name, derived{info: info, from: from}, append([]string{from}, besides...)...)
}

func (f *folder) note(format string, a ...any) {
	f.out.Notes = append(f.out.Notes, checkpoint.Printable(fmt.Sprintf(format, a...)))
}

func (f *folder) fault(prefix, format string, a ...any) {
	f.out.Faults = append(f.out.Faults, Part{Prefix: prefix, Err: printable(fmt.Errorf("%w: %s", ErrInconsistent, fmt.Sprintf(format, a...)))})
}

// shape returns a tensor's shape; nil if there is none.
func (f *folder) shape(name string) []int {
	info, ok := f.src.Info(name)
	if !ok || !f.have[name] || f.taken[name] {
		return nil
	}
	return info.Shape
}

func (f *folder) finish() {
	for _, n := range f.names {
		f.out.names = append(f.out.names, f.at[n]...)
		if _, again := f.out.derived[n]; !f.taken[n] && !again {
			f.out.names = append(f.out.names, n)
		}
	}
}

// Name returns the name of the file behind it.
func (f *Folded) Name() string {
	if n, ok := f.src.(interface{ Name() string }); ok {
		return n.Name()
	}
	return ""
}

// Names returns the tensors' names, what was put together where its first piece
// stood.
func (f *Folded) Names() []string { return append([]string{}, f.names...) }

// Info describes one tensor.
func (f *Folded) Info(name string) (checkpoint.Info, bool) {
	if d, ok := f.derived[name]; ok {
		return d.info, true
	}
	return f.src.Info(name)
}

// Tensor reads or computes one tensor.
func (f *Folded) Tensor(name string) (checkpoint.Tensor, error) {
	d, ok := f.derived[name]
	switch {
	case !ok:
		return f.src.Tensor(name)
	case d.make != nil:
		t, err := d.make(f.src)
		t.Name = name
		return t, err
	}
	t, err := f.src.Tensor(d.from)
	t.Name = name
	return t, err
}

// OpenTensor is Tensor piece by piece where the source has it.
func (f *Folded) OpenTensor(name string) (checkpoint.Info, io.Reader, error) {
	d, ok := f.derived[name]
	at := name
	if ok {
		at = d.from
	}
	if o, opener := f.src.(checkpoint.Opener); opener && d.make == nil {
		info, r, err := o.OpenTensor(at)
		info.Name = name
		return info, r, err
	}
	t, err := f.Tensor(name)
	return t.Info, bytes.NewReader(t.Data), err
}

// Quantized returns the integers of a quantized tensor; false for any other.
func (f *Folded) Quantized(name string) (checkpoint.Quantized, bool, error) {
	d, ok := f.derived[name]
	q, quantizer := f.src.(checkpoint.Quantizer)
	if !quantizer || d.make != nil {
		return checkpoint.Quantized{}, false, nil
	}
	if ok {
		name = d.from
	}
	return q.Quantized(name)
}

// split cuts a name at its last separator, which stays with the first part.
func split(name string) (prefix, last string) {
	i := strings.LastIndexAny(name, "./") + 1
	return name[:i], name[i:]
}
