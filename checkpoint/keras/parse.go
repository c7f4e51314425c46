package keras

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Limits on settings, as they are walked recursively.
const (
	// maxLayerDepth bounds how deep layers are inside each other.
	maxLayerDepth = 16
	// maxValueDepth bounds how deep lists and dictionaries of a call nest.
	maxValueDepth = 16
	// maxPath bounds the length of a layer's path.
	maxPath = 4096
)

// config reads the JSON of a model.
func (m *Model) config(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var root map[string]any
	if err := d.Decode(&root); err != nil {
		return m.fail("byte %d: it is no JSON of a model: %v", d.InputOffset(), err)
	}
	if _, err := d.Token(); err != io.EOF {
		return m.fail("byte %d: more follows the model", d.InputOffset())
	}
	if v, ok := root["keras_version"].(string); ok && m.Version == "" {
		m.Version = v
	}
	l, err := m.layer(root, nil, 0)
	if err != nil {
		return err
	}
	m.Root = l
	return nil
}

// models are the classes whose settings list connected layers.
var models = map[string]string{"Sequential": "Sequential", "Functional": "Functional", "Model": "Functional"}

// layer reads the description of one layer: class_name and config.
func (m *Model) layer(v map[string]any, in *Layer, depth int) (*Layer, error) {
	if depth > maxLayerDepth {
		return nil, m.fail("layers are more than %d deep inside each other", maxLayerDepth)
	}
	class, ok := v["class_name"].(string)
	if !ok || class == "" {
		return nil, m.fail("a layer has no class_name")
	}
	if class == "GroupQueryAttention" {
		class = "GroupedQueryAttention" // under which name it is saved depends on the form
	}
	l := &Layer{Class: class}
	registered, _ := v["registered_name"].(string)
	module, inKeras := v["module"].(string)
	l.Module = module
	switch package_, name, ok := strings.Cut(class, ">"); {
	case ok: // Keras 2: "Package>Class"
		l.Class, l.Custom = name, package_+">"+name
	case registered != "" && registered != class:
		l.Custom = registered
	case inKeras && module != "keras" && !strings.HasPrefix(module, "keras.") && !strings.HasPrefix(module, "tf_keras."):
		l.Custom = module + "." + class
	}
	switch c := v["config"].(type) {
	case map[string]any:
		l.Config = c
	case []any: // a Sequential before Keras 2.2.3
		l.Config = Config{"layers": c}
	case nil:
		l.Config = Config{}
	default:
		return nil, m.fail("the config of a %s is %T, expected a dictionary", class, c)
	}
	if !inKeras && isOperation(v, l.Config) {
		l.Module = operationsModule
	}
	l.Name, _ = v["name"].(string)
	if name, ok := l.Config["name"].(string); ok {
		l.Name = name
	}
	if l.Name == "" && in != nil {
		l.Name = snake(l.Class)
	}
	if in != nil {
		l.Path = l.Name
		if in.Path != "" {
			l.Path = in.Path + "/" + l.Name
		}
	}
	if len(l.Path) > maxPath {
		return nil, m.fail("the path of a layer has %d bytes, at most %d are read", len(l.Path), maxPath)
	}
	return l, m.inside(l, depth)
}

// Modules in which Keras has its operations, and the activations that are some too.
const (
	operationsModule  = "keras.src.ops."
	activationsModule = "keras.src.activations."
)

// isOperation reports whether what has no module is an operation of keras.ops, as
// whole .h5 files of Keras 3 have them: called in Keras 3's form, without the settings
// that every layer has but the spatial dropouts.
func isOperation(v map[string]any, c Config) bool {
	_, trained := c["trainable"]
	calls, _ := v["inbound_nodes"].([]any)
	class, _ := v["class_name"].(string)
	if trained || len(calls) == 0 || strings.HasPrefix(class, "SpatialDropout") {
		return false
	}
	call, ok := calls[0].(map[string]any)
	_, args := call["args"]
	return ok && args && models[class] == ""
}

// inside reads the layers that a layer has inside.
func (m *Model) inside(l *Layer, depth int) error {
	if l.Custom != "" {
		return nil
	}
	if class, ok := models[l.Class]; ok {
		if _, listed := l.Config["layers"]; !listed {
			l.Custom = l.Class // a class of the user's own, which does not say what it does
			return nil
		}
		l.Class = class
		return m.connected(l, depth)
	}
	switch l.Class {
	case "Bidirectional":
		return m.directions(l, depth)
	case "MultiHeadAttention", "GroupedQueryAttention":
		l.projections()
	case "TimeDistributed", "Wrapper", "SpectralNormalization":
		return m.wrapped(l, "layer", depth)
	case "RNN":
		return m.wrapped(l, "cell", depth)
	case "StackedRNNCells":
		cells, ok := l.Config["cells"].([]any)
		if !ok {
			return m.fail("layer %s: %v", short(l.Path), wrong("cells", l.Config["cells"], "a list of cells"))
		}
		for i, c := range cells {
			if err := m.add(l, c, fmt.Sprintf("cell %d", i), depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// add reads a layer inside another.
func (m *Model) add(l *Layer, v any, what string, depth int) error {
	object, ok := v.(map[string]any)
	if !ok {
		return m.fail("layer %s: its %s is %T, expected a dictionary", short(l.Path), what, v)
	}
	in, err := m.layer(object, l, depth+1)
	if err == nil {
		l.Inner = append(l.Inner, in)
	}
	return err
}

func (m *Model) wrapped(l *Layer, key string, depth int) error {
	return m.add(l, l.Config[key], key, depth)
}

// directions makes the two layers of a Bidirectional from the one that it is
// told, as Keras does: the second goes the other way.
func (m *Model) directions(l *Layer, depth int) error {
	if err := m.wrapped(l, "layer", depth); err != nil {
		return err
	}
	given := l.Config["backward_layer"] != nil
	if given {
		if err := m.wrapped(l, "backward_layer", depth); err != nil {
			return err
		}
	} else if err := m.wrapped(l, "layer", depth); err != nil {
		return err
	}
	base := l.Inner[0].Name
	for i, prefix := range []string{"forward_", "backward_"} {
		d := l.Inner[i]
		d.Config = maps.Clone(d.Config)
		if i == 1 && given {
			base = d.Name
		}
		d.rename(l, prefix+strings.TrimPrefix(base, prefix))
	}
	if !given {
		back, err := l.Inner[1].Config.Bool("go_backwards", false)
		if err != nil {
			return m.fail("layer %s: %v", short(l.Path), err)
		}
		l.Inner[1].Config["go_backwards"] = !back
	}
	return nil
}

// projections makes the layers that an attention of many heads has inside, in Keras's
// order. Their equations follow from the attention's settings.
func (l *Layer) projections() {
	names := []string{"query", "key", "value", "attention_output"}
	if l.flag("use_gate", false) {
		names = slices.Insert(names, 2, "gate")
	}
	for _, name := range names {
		l.Inner = append(l.Inner, &Layer{Class: "EinsumDense", Name: name, Path: l.Path + "/" + name, Config: Config{"use_bias": l.Config["use_bias"]}})
	}
}

// rename changes a layer's name, and the paths that begin with it.
func (l *Layer) rename(in *Layer, name string) {
	old := l.Path
	l.Name = name
	path := name
	if in.Path != "" {
		path = in.Path + "/" + name
	}
	l.Walk(func(x *Layer) bool {
		x.Path = path + strings.TrimPrefix(x.Path, old)
		return true
	})
}

// short is a name from a file, safe to print in an error.
func short(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return fmt.Sprintf("%q", s)
}

// snake is Keras's way from a class to a name: "LSTMCell" to "lstm_cell".
func snake(class string) string {
	var word []rune
	for _, r := range class {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			word = append(word, r)
		}
	}
	upper := func(r rune) bool { return r >= 'A' && r <= 'Z' }
	lower := func(r rune) bool { return r >= 'a' && r <= 'z' }
	var out []rune
	for i, r := range word {
		// Before a capital that a small letter follows, and between a small letter and a
		// capital.
		if i > 0 && upper(r) && (i+1 < len(word) && lower(word[i+1]) || lower(word[i-1])) && word[i-1] != '_' {
			out = append(out, '_')
		}
		out = append(out, r)
	}
	return strings.ToLower(string(out))
}
