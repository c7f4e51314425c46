package keras

import (
	"slices"
)

// connected reads the layers of a model and how they are connected.
func (m *Model) connected(l *Layer, depth int) error {
	list, ok := l.Config["layers"].([]any)
	if !ok {
		return m.fail("model %s: %v", short(l.Path), wrong("layers", l.Config["layers"], "a list"))
	}
	for _, v := range list {
		if err := m.add(l, v, "layer", depth); err != nil {
			return err
		}
	}
	if l.Class == "Sequential" {
		return m.sequence(l)
	}
	byName := map[string]*Layer{}
	for i, in := range l.Inner {
		if byName[in.Name] != nil {
			return m.fail("model %s: two layers are called %s", short(l.Path), short(in.Name))
		}
		byName[in.Name] = in
		nodes, _ := list[i].(map[string]any)["inbound_nodes"].([]any)
		for _, n := range nodes {
			c, err := call(n)
			if err != nil {
				return m.fail("layer %s: its inbound_nodes: %v", short(in.Path), err)
			}
			in.Calls = append(in.Calls, c)
		}
		if in.Class == "InputLayer" && len(in.Calls) == 0 {
			in.Calls = []Call{{}}
		}
	}
	var err error
	if l.Inputs, l.InputNames, err = ends(l.Config["input_layers"]); err != nil {
		return m.fail("model %s: its input_layers: %v", short(l.Path), err)
	}
	if l.Outputs, l.OutputNames, err = ends(l.Config["output_layers"]); err != nil {
		return m.fail("model %s: its output_layers: %v", short(l.Path), err)
	}
	return m.refer(l, byName)
}

// fromOne counts the calls of models inside a model from 0. Keras counts them
// from 1 where the model was built before it was called.
func fromOne(l *Layer, byName map[string]*Layer) {
	var all []Ref
	for _, in := range l.Inner {
		for _, c := range in.Calls {
			all = append(all, c.Refs()...)
		}
	}
	all = slices.Concat(all, l.Inputs, l.Outputs)
	least, most := map[string]int{}, map[string]int{}
	for _, r := range all {
		if n, ok := least[r.Layer]; !ok || r.Call < n {
			least[r.Layer] = r.Call
		}
		most[r.Layer] = max(most[r.Layer], r.Call)
	}
	change := func(r Ref) Ref {
		if to := byName[r.Layer]; to != nil && to.IsModel() && least[r.Layer] > 0 && most[r.Layer] == len(to.Calls) {
			r.Call--
		}
		return r
	}
	for _, in := range l.Inner {
		for i, c := range in.Calls {
			for k, a := range c.Args {
				c.Args[k] = replace(a, change)
			}
			for k, a := range c.Kwargs {
				c.Kwargs[k] = replace(a, change)
			}
			in.Calls[i] = c
		}
	}
	for i, r := range l.Inputs {
		l.Inputs[i] = change(r)
	}
	for i, r := range l.Outputs {
		l.Outputs[i] = change(r)
	}
}

// replace changes the references in a value.
func replace(v any, change func(Ref) Ref) any {
	switch v := v.(type) {
	case Ref:
		return change(v)
	case []any:
		for i, x := range v {
			v[i] = replace(x, change)
		}
	case map[string]any:
		for k, x := range v {
			v[k] = replace(x, change)
		}
	}
	return v
}

// refer checks that every value a model names is there.
func (m *Model) refer(l *Layer, byName map[string]*Layer) error {
	fromOne(l, byName)
	check := func(r Ref, who string) error {
		to := byName[r.Layer]
		if to == nil || r.Call < 0 || r.Call >= len(to.Calls) || r.Output < 0 {
			return m.fail("model %s: %s reads %s, which there is not", short(l.Path), who, short(r.String()))
		}
		return nil
	}
	for _, in := range l.Inner {
		for _, c := range in.Calls {
			for _, r := range c.Refs() {
				if err := check(r, "layer "+short(in.Name)); err != nil {
					return err
				}
			}
		}
	}
	for _, r := range slices.Concat(l.Inputs, l.Outputs) {
		if err := check(r, "the model"); err != nil {
			return err
		}
	}
	if len(l.Inputs) == 0 || len(l.Outputs) == 0 {
		return m.fail("model %s has %d inputs and %d outputs", short(l.Path), len(l.Inputs), len(l.Outputs))
	}
	return nil
}

// sequence connects the layers of a Sequential, and puts an InputLayer before
// them where only a layer's settings tell the shape.
func (m *Model) sequence(l *Layer) error {
	if len(l.Inner) == 0 {
		return m.fail("model %s has no layers", short(l.Path))
	}
	if l.Inner[0].Class != "InputLayer" {
		first := l.Inner[0]
		in := &Layer{Class: "InputLayer", Name: first.Name + "_input", Config: Config{}}
		for in.Path = in.Name; slices.ContainsFunc(l.Inner, func(x *Layer) bool { return x.Name == in.Name }); {
			in.Name += "_"
			in.Path = in.Name
		}
		if l.Path != "" {
			in.Path = l.Path + "/" + in.Name
		}
		for _, shape := range []any{first.Config["batch_input_shape"], first.Config["batch_shape"], l.Config["build_input_shape"]} {
			if shape != nil {
				in.Config["batch_shape"] = shape
				break
			}
		}
		if d, ok := first.Config["dtype"].(string); ok {
			in.Config["dtype"] = d
		}
		if first.Class == "Embedding" {
			in.Config["dtype"] = "int32"
		}
		l.Inner = slices.Insert(l.Inner, 0, in)
	}
	seen := map[string]bool{}
	for i, in := range l.Inner {
		if seen[in.Name] {
			return m.fail("model %s: two layers are called %s", short(l.Path), short(in.Name))
		}
		seen[in.Name] = true
		in.Calls = []Call{{}}
		if i > 0 {
			in.Calls[0].Args = []any{Ref{Layer: l.Inner[i-1].Name}}
		}
	}
	l.Inputs = []Ref{{Layer: l.Inner[0].Name}}
	l.Outputs = []Ref{{Layer: l.Inner[len(l.Inner)-1].Name}}
	return nil
}

// call reads one of a layer's inbound_nodes: a dictionary of args and kwargs in
// Keras 3, a list of [layer, call, output, kwargs] in Keras 2.
func call(v any) (Call, error) {
	switch v := v.(type) {
	case map[string]any:
		args, err := value(v["args"], false, 0)
		if err != nil {
			return Call{}, err
		}
		kwargs, err := value(v["kwargs"], false, 0)
		if err != nil {
			return Call{}, err
		}
		c := Call{}
		if c.Args, _ = args.([]any); args != nil && c.Args == nil {
			return c, wrong("args", v["args"], "a list")
		}
		if c.Kwargs, _ = kwargs.(map[string]any); kwargs != nil && c.Kwargs == nil {
			return c, wrong("kwargs", v["kwargs"], "a dictionary")
		}
		return c, nil
	case []any:
		return oldCall(v)
	}
	return Call{}, wrong("inbound_nodes", v, "a list or a dictionary")
}

// oldCall reads a call as Keras 2 writes it: the values are the first argument,
// a list where there are several.
func oldCall(list []any) (Call, error) {
	c := Call{}
	_, _, single := triple(list)
	_, _, constant := constantValue(list)
	if single || constant { // not in a list of its own
		list = []any{list}
	}
	var first []any
	for _, v := range list {
		item, _ := v.([]any)
		var at any
		r, kwargs, ok := triple(item)
		at = r
		if n, more, constant := constantValue(item); constant {
			at, kwargs, ok = n, more, true
		}
		if !ok {
			return c, wrong("inbound_nodes", v, "[layer, call, output, settings]")
		}
		first = append(first, at)
		k, err := value(kwargs, true, 0)
		if err != nil {
			return c, err
		}
		if object, ok := k.(map[string]any); ok && len(object) > 0 {
			c.Kwargs = object
		}
	}
	switch len(first) {
	case 0:
	case 1:
		c.Args = first
	default:
		c.Args = []any{first}
	}
	return c, nil
}

// constantValue reads what Keras 2 writes in the place of a value that is no layer's:
// ["_CONSTANT_VALUE", -1, what it is], with settings or without.
func constantValue(v []any) (value, kwargs any, ok bool) {
	if len(v) < 3 || len(v) > 4 || v[0] != "_CONSTANT_VALUE" {
		return nil, nil, false
	}
	if len(v) == 4 {
		kwargs = v[3]
	}
	return v[2], kwargs, true
}

// triple reads [layer, call, output] with settings or without.
func triple(v []any) (Ref, any, bool) {
	if len(v) < 3 || len(v) > 4 {
		return Ref{}, nil, false
	}
	name, ok := v[0].(string)
	call, ok1 := integer(v[1])
	output, ok2 := integer(v[2])
	if !ok || !ok1 || !ok2 {
		return Ref{}, nil, false
	}
	if len(v) == 4 {
		return Ref{name, call, output}, v[3], true
	}
	return Ref{name, call, output}, nil, true
}

// value turns the references within a value into Refs: Keras 3 marks them by
// their class, Keras 2 (old) by their form.
func value(v any, old bool, depth int) (any, error) {
	if depth > maxValueDepth {
		return nil, wrong("inbound_nodes", "...", "less than 16 lists in each other")
	}
	switch v := v.(type) {
	case []any:
		if r, _, ok := triple(v); ok && old && len(v) == 3 {
			return r, nil
		}
		out := make([]any, len(v))
		for i, x := range v {
			var err error
			if out[i], err = value(x, old, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		if v["class_name"] == "__keras_tensor__" {
			config, _ := v["config"].(map[string]any)
			history, _ := config["keras_history"].([]any)
			r, _, ok := triple(history)
			if !ok || len(history) != 3 {
				return nil, wrong("keras_history", config["keras_history"], "[layer, call, output]")
			}
			return r, nil
		}
		out := make(map[string]any, len(v))
		for k, x := range v {
			var err error
			if out[k], err = value(x, old, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// ends reads the inputs or outputs of a model: one reference, a list of them, or
// a dictionary, whose keys are returned sorted.
func ends(v any) ([]Ref, []string, error) {
	switch v := v.(type) {
	case []any:
		if r, _, ok := triple(v); ok {
			return []Ref{r}, nil, nil
		}
		var refs []Ref
		for _, x := range v {
			item, _ := x.([]any)
			r, _, ok := triple(item)
			if !ok {
				return nil, nil, wrong("value", x, "[layer, call, output]")
			}
			refs = append(refs, r)
		}
		return refs, nil, nil
	case map[string]any:
		names := make([]string, 0, len(v))
		for k := range v {
			names = append(names, k)
		}
		slices.Sort(names)
		refs := make([]Ref, len(names))
		for i, k := range names {
			item, _ := v[k].([]any)
			r, _, ok := triple(item)
			if !ok {
				return nil, nil, wrong(k, v[k], "[layer, call, output]")
			}
			refs[i] = r
		}
		return refs, names, nil
	}
	return nil, nil, wrong("value", v, "a list or a dictionary")
}
