package torchfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
)

// call stands for calling class or function with args. What is in the table is
// interpreted; of any other the name and the arguments are kept as an opaque
// object. Nothing is called.
func (m *machine) call(callee any, args []any) any {
	if m.err != nil {
		return none{}
	}
	g, ok := callee.(*global)
	if !ok {
		m.fail("%s is called, expected a name", kind(callee))
		return none{}
	}
	if f, ok := calls[g.String()]; ok {
		if !m.hold(objectBytes) {
			return none{}
		}
		v, err := f(m, args)
		if errors.Is(err, errArgs) && !strings.HasPrefix(g.module, "torch") {
			return &object{class: g, args: args} // some other use of it
		}
		var known *checkpoint.Error
		switch {
		case errors.As(err, &known): // it tells its place
			m.err = firstError(m.err, known)
		case err != nil:
			m.fail("%s: %w", g, err)
		}
		return v
	}
	return m.newObject(g, args)
}

// newObject makes an opaque object, or the container that class stands for.
// It shares args.
func (m *machine) newObject(class any, args []any) any {
	g, ok := class.(*global)
	if !ok {
		if m.err == nil {
			m.fail("an object is made of %s, expected a class", kind(class))
		}
		return none{}
	}
	if !m.hold(objectBytes) {
		return none{}
	}
	switch g.String() {
	case "collections.OrderedDict", "collections.defaultdict", "collections.Counter", "builtins.dict":
		return new(dict)
	}
	return &object{class: g, args: args}
}

// calls are the functions and classes that only put data together.
var calls map[string]func(m *machine, args []any) (any, error)

func init() { // the table refers to itself through rebuildFromType
	calls = map[string]func(*machine, []any) (any, error){
		"collections.OrderedDict": callDict,
		"collections.Counter":     callDict,
		"builtins.dict":           callDict,
		"collections.defaultdict": func(m *machine, args []any) (any, error) { return callDict(m, args[min(1, len(args)):]) },
		"collections.deque":       callDeque,
		"builtins.list":           callList,
		"builtins.set":            func(m *machine, args []any) (any, error) { return callSet(m, args, false) },
		"builtins.frozenset":      func(m *machine, args []any) (any, error) { return callSet(m, args, true) },
		"builtins.tuple":          callTuple,
		"torch.Size":              callTuple,
		"builtins.bytes":          callBytes,
		"builtins.bytearray":      callBytes,
		"_codecs.encode":          callBytes,
		"builtins.complex":        callComplex,
		"builtins.getattr":        callGetattr,
		"copyreg._reconstructor":  callReconstructor,

		"torch.device":                     callDevice,
		"torch.serialization._get_layout":  callLayout,
		"torch.nn.parameter.Parameter":     first,
		"torch._utils._rebuild_parameter":  first,
		"torch.storage._load_from_bytes":   loadFromBytes,
		"torch._utils._rebuild_qtensor":    rebuildQuantized,
		"torch._utils._rebuild_tensor":     rebuildTensor,
		"torch._utils._rebuild_tensor_v2":  rebuildTensor,
		"torch._utils._rebuild_tensor_v3":  rebuildTensor3,
		"torch._tensor._rebuild_from_type": rebuildFromType,

		"torch._utils._rebuild_parameter_with_state": first,
		"torch._tensor._rebuild_from_type_v2":        rebuildFromType,

		"torch.jit._pickle.build_boollist":   first,
		"torch.jit._pickle.build_doublelist": first,
		"torch.jit._pickle.build_intlist":    first,
		"torch.jit._pickle.build_tensorlist": first,
		"torch.jit._pickle.restore_type_tag": first,

		"numpy.core.multiarray.scalar":        opaque("numpy.scalar"),
		"numpy._core.multiarray.scalar":       opaque("numpy.scalar"),
		"numpy.core.multiarray._reconstruct":  opaque("numpy.ndarray"),
		"numpy._core.multiarray._reconstruct": opaque("numpy.ndarray"),
		"numpy.core.numeric._frombuffer":      numpyBuffer,
		"numpy._core.numeric._frombuffer":     numpyBuffer,
		"numpy.dtype":                         opaque("numpy.dtype"),
	}
}

var errArgs = fmt.Errorf("its arguments are not those PyTorch and Python write")

// callDict is a dictionary made empty, from a list of pairs, or from another
// dictionary.
func callDict(m *machine, args []any) (any, error) {
	d := new(dict)
	if len(args) == 0 {
		return d, nil
	}
	if len(args) > 1 {
		return nil, errArgs
	}
	if from, ok := args[0].(*dict); ok {
		if m.spend(len(from.entries)) && m.hold(entryBytes*len(from.entries)) {
			for _, e := range from.entries {
				d.add(e.key, e.value)
			}
		}
		return d, nil
	}
	pairs, ok := items(args[0])
	if !ok {
		return nil, errArgs
	}
	if !m.spend(2 * len(pairs)) {
		return d, nil
	}
	for _, p := range pairs {
		kv, ok := items(p)
		if !ok || len(kv) != 2 {
			return nil, errArgs
		}
		m.setItem(d, kv[0], kv[1])
	}
	return d, nil
}

// copied returns the elements of a call's only argument, a container, in
// memory of their own.
func (m *machine) copyOf(args []any) ([]any, error) {
	if len(args) == 0 {
		return nil, nil
	}
	from, ok := items(args[0])
	if !ok {
		return nil, errArgs
	}
	if !m.spend(len(from)) {
		return nil, nil
	}
	return m.ownCopy(from), nil
}

func callDeque(m *machine, args []any) (any, error) { return callList(m, args[:min(1, len(args))]) }

func callList(m *machine, args []any) (any, error) {
	v, err := m.copyOf(args)
	return &list{v}, err
}

func callSet(m *machine, args []any, frozen bool) (any, error) {
	v, err := m.copyOf(args)
	return &set{v, frozen}, err
}

func callTuple(m *machine, args []any) (any, error) {
	v, err := m.copyOf(args)
	return &tuple{v}, err
}

// callBytes is bytes(x) and encode(text, "latin1"), with which Python 3 writes
// bytes in old protocols.
func callBytes(m *machine, args []any) (any, error) {
	if len(args) == 0 {
		return pyBytes(""), nil
	}
	switch v := args[0].(type) {
	case pyBytes:
		return v, nil
	case string:
		if len(args) != 2 || args[1] != "latin1" && args[1] != "latin-1" {
			return nil, errArgs
		}
		if !m.spend(len(v) / 8) {
			return pyBytes(""), nil
		}
		out := make([]byte, 0, len(v))
		for _, r := range v {
			if r > 0xff {
				return nil, errArgs
			}
			out = append(out, byte(r))
		}
		return pyBytes(out), nil
	}
	return nil, errArgs
}

func callComplex(_ *machine, args []any) (any, error) {
	if len(args) == 2 {
		re, ok := args[0].(float64)
		im, ok2 := args[1].(float64)
		if ok && ok2 {
			return complex(re, im), nil
		}
	}
	return nil, errArgs
}

// callGetattr names a part of a class, as pickles of torch.tanh do; the
// attribute of an object stays opaque.
func callGetattr(m *machine, args []any) (any, error) {
	if len(args) != 2 {
		return nil, errArgs
	}
	name, ok := args[1].(string)
	if !ok {
		return nil, errArgs
	}
	switch of := args[0].(type) {
	case *global:
		if !m.spend((len(of.name) + len(name)) / 8) {
			return nil, errArgs
		}
		return newGlobal(of.module, of.name+"."+name)
	case *object:
		return &object{class: &global{"builtins", "getattr"}, args: args}, nil
	}
	return nil, errArgs
}

// callReconstructor is how protocols before 2 make objects: class, the builtin
// type it is derived from, and that type's value.
func callReconstructor(m *machine, args []any) (any, error) {
	if len(args) != 3 {
		return nil, errArgs
	}
	var rest []any
	if args[2] != (none{}) {
		rest = args[2:]
	}
	return m.newObject(args[0], rest), nil
}

// callDevice keeps a device as its name, "cuda:1".
func callDevice(_ *machine, args []any) (any, error) {
	var parts []string
	for _, a := range args {
		s, ok := keyText(a, 0)
		if !ok || len(s) > maxKeyText {
			return nil, errArgs
		}
		parts = append(parts, s)
	}
	if len(parts) == 0 || len(parts) > 2 {
		return nil, errArgs
	}
	return strings.Join(parts, ":"), nil
}

func callLayout(_ *machine, args []any) (any, error) {
	if len(args) == 1 {
		if s, ok := args[0].(string); ok {
			return s, nil
		}
	}
	return nil, errArgs
}

// first is a call that changes nothing about its first argument.
func first(_ *machine, args []any) (any, error) {
	if len(args) == 0 {
		return nil, errArgs
	}
	return args[0], nil
}

// opaque keeps a call as an object of the given class; numpy.go reads it.
func opaque(class string) func(*machine, []any) (any, error) {
	module, name, _ := strings.Cut(class, ".")
	g := &global{module, name}
	return func(_ *machine, args []any) (any, error) { return &object{class: g, args: args}, nil }
}
