package torchfile

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
)

// walk goes through what a pickle held, names every tensor and value by its
// path, and stops when the file expands to more than its size allows.
type walk struct {
	f         *File
	open      map[any]opened // containers the walk is inside of
	objects   int            // of them, objects
	visits    int64          // left
	pathBytes int64          // left
	dataBytes int64          // left
	noTensors int            // above 0: inside a module's attributes
}

type opened struct {
	path    string
	objects int
}

// rootTensor is the name of a tensor saved by itself.
const rootTensor = "tensor"

func (f *File) walk(root any, pickleBytes int64) error {
	f.index = make(map[string]int)
	w := &walk{
		f: f, open: make(map[any]opened),
		visits:    visitsFixed + visitsFactor*pickleBytes,
		pathBytes: pathBytesFixed + pathBytesFactor*pickleBytes,
		dataBytes: dataFixed + dataFactor*f.size,
	}
	return w.visit(root, "", 0)
}

func (w *walk) fail(path, format string, args ...any) error {
	if path == "" {
		path = "the object saved"
	}
	return w.f.fail(short(path), format, args...)
}

// visit adds v under path.
func (w *walk) visit(v any, path string, depth int) error {
	if err := w.count(path); err != nil {
		return err
	}
	switch v := v.(type) {
	case *stored:
		if w.noTensors > 0 {
			return nil
		}
		return w.tensor(v, path)
	case *dict, *tuple, *list, *set, *object:
		if depth >= maxDepth {
			return w.fail(path, "containers are nested more than %d deep", maxDepth)
		}
		_, isObject := v.(*object)
		if back, ok := w.open[v]; ok {
			if !isObject && w.objects == back.objects {
				return w.fail(path, "a container contains itself")
			}
			return w.value(path, Same(back.path))
		}
		w.open[v] = opened{path, w.objects}
		if isObject {
			w.objects++
		}
		err := w.inside(v, path, depth+1)
		if isObject {
			w.objects--
		}
		delete(w.open, v)
		return err
	}
	return w.leaf(v, path)
}

// count spends one visit and the path's bytes.
func (w *walk) count(path string) error {
	w.visits--
	w.pathBytes -= int64(len(path))
	if len(path) > maxPath {
		return w.fail(path, "the path has %d bytes, at most %d are read", len(path), maxPath)
	}
	if w.visits < 0 || w.pathBytes < 0 {
		return w.fail(path, "shared containers expand to more places than a file of this size has")
	}
	return nil
}

func (w *walk) inside(v any, path string, depth int) error {
	switch v := v.(type) {
	case *dict:
		return w.dict(v, path, depth)
	case *object:
		return w.object(v, path, depth)
	}
	all, _ := items(v)
	return w.items(all, path, depth)
}

func (w *walk) items(all []any, path string, depth int) error {
	for i, x := range all {
		if err := w.visit(x, join(path, strconv.Itoa(i)), depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) dict(d *dict, path string, depth int) error {
	for _, e := range d.entries {
		key, ok := keyText(e.key, 3)
		if !ok {
			return w.fail(path, "a key is %s, which cannot be part of a path", kind(e.key))
		}
		if len(key) > maxPath { // before it is copied
			return w.fail(path, "a key has %d bytes, at most %d are read", len(key), maxPath)
		}
		if err := w.visit(e.value, join(path, key), depth); err != nil {
			return err
		}
	}
	return nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "/" + key
}

func (w *walk) tensor(t *stored, path string) error {
	name := path
	if name == "" {
		name = rootTensor
	}
	if _, ok := w.f.index[name]; ok {
		return &checkpoint.Error{File: w.f.name, Tensor: name, Reason: "two tensors have this path"}
	}
	if w.dataBytes -= t.bytes(); w.dataBytes < 0 {
		return &checkpoint.Error{File: w.f.name, Tensor: name, Reason: fmt.Sprintf("with it the tensors have more than %d bytes in all, more than %d times the file and %d bytes", dataFixed+dataFactor*w.f.size, dataFactor, dataFixed)}
	}
	w.f.index[name] = len(w.f.tensors)
	w.f.tensors = grow(w.f.tensors, named{name, t})
	return nil
}

func (w *walk) value(path string, data any) error {
	w.add(Value{Path: path, Data: data})
	return nil
}

// add keeps values in chunks, as most files have few and some have millions.
func (w *walk) add(v Value) {
	n := len(w.f.values)
	if n == 0 || len(w.f.values[n-1]) == cap(w.f.values[n-1]) {
		size := 8
		if n > 0 {
			size = min(2*cap(w.f.values[n-1]), 4096)
		}
		w.f.values = append(w.f.values, make([]Value, 0, size))
		n++
	}
	w.f.values[n-1] = append(w.f.values[n-1], v)
}

func (w *walk) leaf(v any, path string) error {
	switch v := v.(type) {
	case none:
		return w.value(path, nil)
	case bool, int64, *big.Int, float64, complex128, string:
		return w.value(path, v)
	case pyBytes:
		return w.value(path, []byte(v))
	case *global:
		return w.value(path, Name(v.String()))
	case *storage:
		w.add(Value{Path: path, Class: "torch.storage"})
		return nil
	}
	return w.fail(path, "it is %s", kind(v))
}

// object adds what an object of an unknown class holds: attributes and items
// under their names, arguments of its making under "args", a state that is no
// dictionary under "state".
func (w *walk) object(o *object, path string, depth int) error {
	if n, ok := numpyScalar(o); ok {
		return w.value(path, n)
	}
	if t, err := numpyArray(o); err != nil {
		return w.fail(path, "%v", err)
	} else if t != nil {
		if w.noTensors > 0 {
			return nil
		}
		return w.tensor(t, path)
	}
	if isModule(o) {
		base := path
		if base != "" {
			base += "/"
		}
		return w.module(o, base, "", depth)
	}
	w.add(Value{Path: path, Class: o.class.String()})
	if len(o.args) > 0 {
		if err := w.items(o.args, join(path, "args"), depth); err != nil {
			return err
		}
	}
	if err := w.state(o.state, path, depth); err != nil {
		return err
	}
	if o.items != nil {
		if err := w.dict(o.items, path, depth); err != nil {
			return err
		}
	}
	return w.items(o.elems, path, depth)
}

// state adds the attributes in an object's state: a dictionary, or a pair of
// it and one of slots.
func (w *walk) state(state any, path string, depth int) error {
	switch s := state.(type) {
	case nil, none:
		return nil
	case *dict:
		return w.dict(s, path, depth)
	case *tuple:
		if len(s.items) == 2 {
			slots, ok := s.items[1].(*dict)
			attrs, ok2 := s.items[0].(*dict)
			if ok && (ok2 || s.items[0] == none{}) {
				if ok2 {
					if err := w.dict(attrs, path, depth); err != nil {
						return err
					}
				}
				return w.dict(slots, path, depth)
			}
		}
	}
	return w.visit(state, join(path, "state"), depth)
}

// isModule reports whether an object is a torch.nn.Module.
func isModule(o *object) bool {
	s, ok := o.state.(*dict)
	if !ok {
		return false
	}
	_, params := s.get("_parameters").(*dict)
	_, modules := s.get("_modules").(*dict)
	return params && modules
}

// module adds the tensors of a module's state_dict under base and their names
// in it, which begin with prefix: parameters, persistent buffers, then the
// modules inside, each followed by its plain attributes as values.
func (w *walk) module(o *object, base, prefix string, depth int) error {
	s := o.state.(*dict)
	w.add(Value{Path: strings.TrimRight(base+strings.TrimSuffix(prefix, "."), "/"), Class: o.class.String()})
	for _, e := range s.entries { // hyper-parameters
		name, ok := e.key.(string)
		if !ok || strings.HasPrefix(name, "_") || len(name) > maxPath {
			continue
		}
		w.noTensors++
		err := w.visit(e.value, base+prefix+name, depth)
		w.noTensors--
		if err != nil {
			return err
		}
	}
	skip, _ := items(s.get("_non_persistent_buffers_set"))
	for _, group := range []string{"_parameters", "_buffers"} {
		d, ok := s.get(group).(*dict)
		if !ok {
			continue
		}
		for _, e := range d.entries {
			if group == "_buffers" && contains(skip, e.key) {
				continue
			}
			if e.value == (none{}) { // bias=False, for instance
				continue
			}
			if err := w.part(e, base, prefix, func(path string) error {
				t, ok := e.value.(*stored)
				if !ok {
					return w.fail(path, "a module's parameter is %s, expected a tensor", kind(e.value))
				}
				return w.visit(t, path, depth)
			}); err != nil {
				return err
			}
		}
	}
	for _, e := range s.get("_modules").(*dict).entries {
		if e.value == (none{}) {
			continue
		}
		if err := w.part(e, base, prefix, func(path string) error { return w.submodule(e.value, base, path, depth) }); err != nil {
			return err
		}
	}
	return nil
}

// part gives f the path of a module's part.
func (w *walk) part(e entry, base, prefix string, f func(path string) error) error {
	name, ok := e.key.(string)
	if !ok || len(name) > maxPath {
		return w.fail(base+prefix, "a part of a module is called %s, expected a short str", kind(e.key))
	}
	return f(base + prefix + name)
}

func (w *walk) submodule(v any, base, path string, depth int) error {
	o, ok := v.(*object)
	if !ok || !isModule(o) {
		return w.fail(path, "it is %s, expected a module", kind(v))
	}
	if err := w.count(path); err != nil {
		return err
	}
	if _, ok := w.open[o]; ok {
		return w.fail(path, "a module contains itself")
	}
	if depth >= maxDepth {
		return w.fail(path, "modules are nested more than %d deep", maxDepth)
	}
	w.open[o] = opened{path, w.objects}
	w.objects++
	err := w.module(o, base, strings.TrimPrefix(path, base)+".", depth+1)
	w.objects--
	delete(w.open, o)
	return err
}

func contains(set []any, key any) bool {
	for _, x := range set {
		if x == key {
			return true
		}
	}
	return false
}
