package torchfile

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/unroll-ml/unroll/checkpoint"
)

// walk goes through what a pickle held and names every tensor and value by its
// path. Opening a file walks once and keeps tensors and modules; listing its
// values walks again and gives each to emit. It stops when the file expands to
// more than its size allows, and passes over what has no place in a path.
type walk struct {
	f         *File
	emit      func(Value) bool // nil: tensors and modules are kept instead
	open      map[any]opened   // containers the walk is inside of
	met       map[*object]string
	buffers   map[any]map[any]bool // sets of names, as maps
	objects   int                  // of open, objects
	visits    int64                // left
	pathBytes int64                // left
	dataBytes int64                // left
	held      int64                // bytes of memory left
	noTensors int                  // above 0: inside a module's attributes
}

type opened struct {
	path    string
	objects int
}

// rootTensor is the name of a tensor saved by itself.
const rootTensor = "tensor"

// errStopped is how a listing that wants no more values ends.
var errStopped = errors.New("stopped")

func (f *File) newWalk(emit func(Value) bool) *walk {
	return &walk{
		f: f, emit: emit,
		open: make(map[any]opened), met: make(map[*object]string), buffers: make(map[any]map[any]bool),
		visits:    visitsFixed + visitsFactor*f.pickle,
		pathBytes: pathBytesFixed + pathBytesFactor*f.pickle,
		dataBytes: dataFixed + dataFactor*f.size,
		held:      heldFixed + heldFactor*f.size - f.held,
	}
}

func (w *walk) fail(path, format string, args ...any) error {
	if path == "" {
		path = "the object saved"
	}
	return w.f.fail(short(path), format, args...)
}

// visit adds v under path.
func (w *walk) visit(v any, path string, depth int) error {
	if err := w.count(len(path), path); err != nil {
		return err
	}
	switch v := v.(type) {
	case *stored:
		if w.noTensors > 0 {
			return nil
		}
		return w.tensor(v, path)
	case *dict, *tuple, *list, *set, *object:
		return w.container(v, path, depth)
	}
	return w.leaf(v, path)
}

// container enters v unless the walk is inside of it already.
func (w *walk) container(v any, path string, depth int) error {
	if depth >= maxDepth {
		return w.fail(path, "containers are nested more than %d deep", maxDepth)
	}
	o, isObject := v.(*object)
	if back, ok := w.open[v]; ok {
		if !isObject && w.objects == back.objects {
			return w.fail(path, "a container contains itself")
		}
		return w.value(path, Same(back.path))
	}
	if isObject && !isModule(o) && !isNumpy(o) && packed(o) == nil { // objects refer to each other in webs
		if first, ok := w.met[o]; ok {
			return w.value(path, Same(first))
		}
		if err := w.hold(entryBytes+len(path), path); err != nil {
			return err
		}
		w.met[o] = path
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

// count spends one visit and n bytes of paths.
func (w *walk) count(n int, path string) error {
	w.visits--
	w.pathBytes -= int64(n)
	if n > maxPath {
		return w.fail(path, "the path has %d bytes, at most %d are read", n, maxPath)
	}
	if w.visits < 0 || w.pathBytes < 0 {
		return w.fail(path, "shared containers expand to more places than a file of this size has")
	}
	return nil
}

// hold counts n bytes of memory, as the machine does.
func (w *walk) hold(n int, path string) error {
	if w.held -= int64(n); w.held < 0 && w.emit == nil {
		return w.fail(path, "what the file holds takes more memory than %d times its %d bytes and %d", heldFactor, w.f.size, heldFixed)
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

// quiet reports whether v leaves no trace in this walk, so that its path need
// not be made.
func (w *walk) quiet(v any) bool {
	switch v.(type) {
	case *dict, *tuple, *list, *set, *object, *stored:
		return false
	}
	return w.emit == nil
}

func (w *walk) items(all []any, path string, depth int) error {
	for i, x := range all {
		if w.quiet(x) {
			if err := w.count(len(path)+2, path); err != nil {
				return err
			}
			continue
		}
		if err := w.visit(x, join(path, strconv.Itoa(i)), depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) dict(d *dict, path string, depth int) error {
	odd := 0
	var example any
	for _, e := range d.entries {
		key, ok := keyText(e.key, 3)
		if !ok {
			odd, example = odd+1, e.key
			if err := w.count(len(path), path); err != nil {
				return err
			}
			continue
		}
		if len(key) > maxPath { // before it is copied
			return w.fail(path, "a key has %d bytes, at most %d are read", len(key), maxPath)
		}
		if w.quiet(e.value) {
			if err := w.count(len(path)+1+len(key), path); err != nil {
				return err
			}
			continue
		}
		if err := w.visit(e.value, join(path, key), depth); err != nil {
			return err
		}
	}
	if odd > 0 {
		return w.skip(path, "%d entries whose keys are no part of a path, such as %s", odd, kind(example))
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
	if w.emit != nil {
		return nil
	}
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
	if err := w.hold(2*entryBytes+len(name), name); err != nil {
		return err
	}
	w.f.index[name] = len(w.f.tensors)
	w.f.tensors = grow(w.f.tensors, named{name, t})
	return nil
}

func (w *walk) value(path string, data any) error { return w.add(Value{Path: path, Data: data}) }

func (w *walk) skip(path, format string, args ...any) error {
	if w.emit == nil {
		return nil
	}
	return w.value(path, Skipped(fmt.Sprintf(format, args...)))
}

func (w *walk) add(v Value) error {
	if w.emit != nil && !w.emit(v) {
		return errStopped
	}
	return nil
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
		return w.add(Value{Path: path, Class: "torch.storage"})
	}
	return w.skip(path, "it is %s", kind(v))
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
		if err := w.hold(tensorBytes, path); err != nil {
			return err
		}
		return w.tensor(t, path)
	}
	if parts := packed(o); parts != nil {
		return w.packed(parts, path)
	}
	if isModule(o) {
		base := path
		if base != "" {
			base += "/"
		}
		return w.root(o, base, depth)
	}
	if err := w.add(Value{Path: path, Class: o.class.String()}); err != nil {
		return err
	}
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
