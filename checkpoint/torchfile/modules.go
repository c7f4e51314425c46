package torchfile

import (
	"regexp"
	"strings"
)

// Module is one torch.nn.Module of a module that was saved whole, or of a
// TorchScript program: what it is, what it was made with, and where its tensors
// are. It is read-only.
type Module struct {
	// Path stands before the names of its tensors, "model/rnn" or "rnn"; empty
	// for a module that is the file. Name is its name in the module around it.
	Path, Name string
	// Class is the Python class, "torch.nn.modules.rnn.LSTM".
	Class string
	// Attrs are its plain attributes without "_" in front, in the file's order.
	Attrs []Attr
	// Tensors are its own parameters and persistent buffers, in that order.
	Tensors []Ref
	// Modules are the modules inside it, in order.
	Modules []*Module
	// Hooks are the objects that act before its forward, such as those of
	// weight_norm, spectral_norm and pruning.
	Hooks []Hook
}

// Attr is a plain attribute: nil, a bool, int64, float64, string, Name, or a
// []any of these (a tuple or list). Others are not kept.
type Attr struct {
	Name  string
	Value any
}

// Ref is a tensor of a module: its name there, "weight", and its name in the
// file, "encoder.rnn.weight".
type Ref struct{ Name, Tensor string }

// Hook is an object that acts before a module's forward.
type Hook struct {
	Class string
	Attrs []Attr
}

// Attr returns an attribute's value; false if there is none of that name.
func (m *Module) Attr(name string) (any, bool) { return find(m.Attrs, name) }

// Attr returns an attribute's value; false if there is none of that name.
func (h *Hook) Attr(name string) (any, bool) { return find(h.Attrs, name) }

func find(attrs []Attr, name string) (any, bool) {
	for _, a := range attrs {
		if a.Name == name {
			return a.Value, true
		}
	}
	return nil, false
}

// Modules returns the outermost modules of the file in its order; none if it
// holds a state_dict alone.
func (f *File) Modules() []*Module { return f.modules }

// isModule reports whether an object is a torch.nn.Module, or one of a
// TorchScript program, whose classes are under __torch__.
func isModule(o *object) bool {
	s, ok := o.state.(*dict)
	if !ok {
		return false
	}
	if isScript(o) {
		return true
	}
	_, params := s.get("_parameters").(*dict)
	_, modules := s.get("_modules").(*dict)
	return params && modules
}

func isScript(o *object) bool {
	return o.class.module == "__torch__" || strings.HasPrefix(o.class.module, "__torch__.")
}

var mangled = regexp.MustCompile(`\b___torch_mangle_[0-9]+\.`)

// className is a class's name; that of a program's class without what
// TorchScript adds.
func className(g *global) string {
	s := g.String()
	if t, ok := strings.CutPrefix(s, "__torch__."); ok && len(s) < 1024 {
		return mangled.ReplaceAllString(t, "")
	}
	return s
}

// root adds an outermost module, whose tensors' names begin with base.
func (w *walk) root(o *object, base string, depth int) error {
	m := &Module{Path: strings.TrimSuffix(base, "/")}
	if w.emit == nil && w.noTensors == 0 {
		w.f.modules = append(w.f.modules, m)
	}
	return w.module(o, m, base, depth)
}

// module adds the tensors of a module's state_dict, whose names begin with
// prefix: parameters, persistent buffers, then the modules inside, each
// followed by its plain attributes as values.
func (w *walk) module(o *object, m *Module, prefix string, depth int) error {
	m.Class = className(o.class)
	if err := w.hold(2*objectBytes+len(m.Path), m.Path); err != nil {
		return err
	}
	if err := w.add(Value{Path: m.Path, Class: m.Class}); err != nil {
		return err
	}
	s := o.state.(*dict)
	if err := w.attributes(s, m, prefix, depth); err != nil {
		return err
	}
	if isScript(o) {
		return w.script(s, m, prefix, depth)
	}
	if err := w.hooks(s, m); err != nil {
		return err
	}
	skip, err := w.names(s.get("_non_persistent_buffers_set"))
	if err != nil {
		return err
	}
	for _, group := range []string{"_parameters", "_buffers"} {
		d, ok := s.get(group).(*dict)
		if !ok {
			continue
		}
		for _, e := range d.entries {
			if err := w.count(0, prefix); err != nil {
				return err
			}
			if group == "_buffers" && skip[e.key] || e.value == (none{}) { // bias=False, for instance
				continue
			}
			if err := w.own(e.key, e.value, m, prefix, depth); err != nil {
				return err
			}
		}
	}
	for _, e := range s.get("_modules").(*dict).entries {
		if err := w.submodule(e, m, prefix, depth); err != nil {
			return err
		}
	}
	return nil
}

// own adds a parameter or buffer of a module.
func (w *walk) own(key, v any, m *Module, prefix string, depth int) error {
	name, ok := key.(string)
	if !ok || len(name) > maxPath {
		return w.fail(prefix, "a part of a module is called %s, expected a short str", kind(key))
	}
	if _, ok := v.(*stored); !ok {
		return w.skip(prefix+name, "a module's parameter that is %s", kind(v))
	}
	m.tensor(w, name, prefix+name)
	return w.visit(v, prefix+name, depth)
}

func (m *Module) tensor(w *walk, name, path string) {
	if w.emit == nil {
		m.Tensors = append(m.Tensors, Ref{name, path})
	}
}

// attributes adds a module's plain attributes, as values and to m. Packed
// parameters are tensors whatever they are called, and beside them, in the
// quantized cells, so are the biases.
func (w *walk) attributes(s *dict, m *Module, prefix string, depth int) error {
	quantized := strings.Contains(m.Class, ".quantized.")
	for _, e := range s.entries {
		if err := w.count(0, prefix); err != nil {
			return err
		}
		name, ok := e.key.(string)
		if !ok || len(name) > maxPath {
			continue
		}
		if parts := packed(e.value); parts != nil {
			for _, p := range parts {
				m.tensor(w, name+"."+p.name, prefix+name+"."+p.name)
			}
			if err := w.packed(parts, prefix+name); err != nil {
				return err
			}
			continue
		}
		if _, ok := e.value.(*stored); ok && quantized {
			if err := w.own(name, e.value, m, prefix, depth); err != nil {
				return err
			}
			continue
		}
		if strings.HasPrefix(name, "_") {
			continue
		}
		if o, ok := e.value.(*object); ok && isScript(o) {
			continue // a module inside, which follows
		}
		if v, ok := w.plain(e.value, 2); ok && w.emit == nil {
			if err := w.hold(entryBytes, m.Path); err != nil {
				return err
			}
			m.Attrs = append(m.Attrs, Attr{name, v})
		}
		if w.quiet(e.value) {
			continue
		}
		w.noTensors++
		err := w.visit(e.value, prefix+name, depth)
		w.noTensors--
		if err != nil {
			return err
		}
	}
	return nil
}

// mostPlain is how many elements of a tuple an Attr keeps.
const mostPlain = 64

// plain is v as an Attr holds it.
func (w *walk) plain(v any, depth int) (any, bool) {
	switch v := v.(type) {
	case none:
		return nil, true
	case bool, int64, float64, string:
		return v, true
	case *global:
		return Name(v.String()), true
	case *tuple, *list:
		all, _ := items(v)
		if depth == 0 || len(all) > mostPlain {
			return nil, false
		}
		w.visits -= int64(len(all))
		w.held -= int64(slotBytes * len(all))
		out := make([]any, len(all))
		for i, x := range all {
			var ok bool
			if out[i], ok = w.plain(x, depth-1); !ok {
				return nil, false
			}
		}
		return out, true
	}
	return nil, false
}

// hooks adds the objects among a module's _forward_pre_hooks.
func (w *walk) hooks(s *dict, m *Module) error {
	d, ok := s.get("_forward_pre_hooks").(*dict)
	if !ok || w.emit != nil {
		return nil
	}
	for _, e := range d.entries {
		if err := w.count(0, m.Path); err != nil {
			return err
		}
		o, ok := e.value.(*object)
		if !ok {
			continue
		}
		h := Hook{Class: o.class.String()}
		if attrs, ok := o.state.(*dict); ok {
			for _, a := range attrs.entries {
				if err := w.count(0, m.Path); err != nil {
					return err
				}
				name, ok := a.key.(string)
				if v, plain := w.plain(a.value, 1); ok && plain {
					h.Attrs = append(h.Attrs, Attr{name, v})
				}
			}
		}
		if err := w.hold(objectBytes+entryBytes*len(h.Attrs), m.Path); err != nil {
			return err
		}
		m.Hooks = append(m.Hooks, h)
	}
	return nil
}

// names returns the elements of a set for looking up, made once for each set
// however many modules share it.
func (w *walk) names(set any) (map[any]bool, error) {
	all, _ := items(set)
	if len(all) == 0 {
		return nil, nil
	}
	if known, ok := w.buffers[set]; ok {
		return known, nil
	}
	w.visits -= int64(len(all))
	if err := w.count(0, ""); err != nil {
		return nil, err
	}
	if err := w.hold(entryBytes*len(all), ""); err != nil {
		return nil, err
	}
	known := make(map[any]bool, len(all))
	for _, x := range all {
		known[x] = true
	}
	w.buffers[set] = known
	return known, nil
}

// submodule adds a module inside m.
func (w *walk) submodule(e entry, m *Module, prefix string, depth int) error {
	if e.value == (none{}) {
		return w.count(0, prefix)
	}
	name, ok := e.key.(string)
	if !ok || len(name) > maxPath {
		return w.fail(prefix, "a part of a module is called %s, expected a short str", kind(e.key))
	}
	path := prefix + name
	if err := w.count(len(path), path); err != nil {
		return err
	}
	o, ok := e.value.(*object)
	if !ok || !isModule(o) {
		return w.skip(path, "a module's part that is %s", kind(e.value))
	}
	if _, ok := w.open[o]; ok {
		return w.fail(path, "a module contains itself")
	}
	if depth >= maxDepth {
		return w.fail(path, "modules are nested more than %d deep", maxDepth)
	}
	child := &Module{Path: path, Name: name}
	if w.emit == nil {
		m.Modules = append(m.Modules, child)
	}
	w.open[o] = opened{path, w.objects}
	w.objects++
	err := w.module(o, child, path+".", depth+1)
	w.objects--
	delete(w.open, o)
	return err
}

// script adds what a TorchScript module holds: its attributes that are tensors,
// which are parameters and buffers as far as the file tells, and its modules.
func (w *walk) script(s *dict, m *Module, prefix string, depth int) error {
	for _, e := range s.entries {
		if err := w.count(0, prefix); err != nil {
			return err
		}
		var err error
		switch v := e.value.(type) {
		case *stored:
			if name, ok := find2(m.Tensors, e.key); !ok {
				err = w.own(name, v, m, prefix, depth)
			}
		case *object:
			if isScript(v) && packed(v) == nil && isModule(v) {
				err = w.submodule(e, m, prefix, depth)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// find2 reports whether a tensor of that key is there already.
func find2(refs []Ref, key any) (string, bool) {
	name, _ := key.(string)
	for _, r := range refs {
		if r.Name == name {
			return name, true
		}
	}
	return name, false
}
