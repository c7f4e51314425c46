package keras

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
)

// give makes the dataset at a path a layer's weight.
func (m *Model) give(l *Layer, role, path string) error {
	info, ok := m.weights.Info(path)
	if !ok {
		return &checkpoint.Error{File: m.file, Tensor: path, Reason: fmt.Sprintf("the file does not have this %s of layer %s", role, short(l.Path)), Err: checkpoint.ErrMissing}
	}
	info.Name = l.Path + "/" + role
	if l.Path == "" {
		info.Name = role
	}
	if m.paths[info.Name] != "" {
		return &checkpoint.Error{File: m.file, Tensor: path, Reason: fmt.Sprintf("two weights would be called %s", short(info.Name))}
	}
	l.Weights = append(l.Weights, Weight{role, info})
	m.names, m.paths[info.Name], m.used[path] = append(m.names, info.Name), path, true
	return nil
}

// attach finds the weights of all layers in m.weights.
func (m *Model) attach() error {
	m.paths, m.used = map[string]string{}, map[string]bool{}
	root, old := m.layerGroup()
	var err error
	switch {
	case m.Root == nil && old:
		err = m.bareLayers(root)
	case m.Root == nil:
		err = m.bareVariables()
	case old:
		err = m.oldWeights(root)
	case m.isNew():
		err = m.newWeights(m.Root, "")
	default:
		err = &checkpoint.Error{File: m.file, Reason: "its HDF5 has neither layer_names nor layers with vars, so it holds no weights of Keras"}
	}
	if err != nil {
		return err
	}
	for _, path := range m.weights.Names() {
		if !m.used[path] {
			m.Unused = append(m.Unused, path)
		}
	}
	return nil
}

// newRoots are the groups of a model's layers in files of Keras 3, and of the
// first .keras files of Keras 2.
var newRoots = []string{"layers", "_layer_checkpoint_dependencies"}

func (m *Model) isNew() bool {
	for _, name := range append([]string{"vars"}, newRoots...) {
		if _, ok := m.weights.Children(name); ok {
			return true
		}
	}
	return false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// newWeights finds the weights of a layer and those inside it where Keras 3
// puts them: numbered under vars, in groups named after classes or attributes.
func (m *Model) newWeights(l *Layer, path string) error {
	t, f, known := l.roles()
	if l.Custom != "" || !known {
		return nil // it is named where the layer is used
	}
	own := path
	switch l.Class {
	case "LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D":
		own = join(path, "cell") // beside it may be states
	}
	roles := append(t, f...)
	if l.Class == "SpectralNormalization" {
		roles = slices.Insert(roles, 0, "kernel") // of the layer inside, once more
	}
	vars, _ := m.weights.Children(join(own, "vars"))
	if len(roles) > 0 && len(vars) != len(roles) {
		return &checkpoint.Error{File: m.file, Tensor: join(own, "vars"), Reason: fmt.Sprintf("layer %s (%s) has %d weights there, expected %d: %s", short(l.Path), l.Class, len(vars), len(roles), strings.Join(roles, ", "))}
	}
	for i, role := range roles {
		if err := m.give(l, role, join(own, "vars/"+strconv.Itoa(i))); err != nil {
			return err
		}
	}
	names := make([]string, len(l.Inner))
	switch {
	case l.IsModel():
		group := join(path, newRoots[0])
		if _, ok := m.weights.Children(group); !ok {
			group = join(path, newRoots[1])
		}
		names = classGroups(l.Inner, group)
	case l.Class == "Bidirectional":
		names = []string{join(path, "forward_layer"), join(path, "backward_layer")}
	case l.Class == "StackedRNNCells":
		names = classGroups(l.Inner, join(path, "cells"))
	case l.Class == "RNN":
		names = []string{join(path, "cell")}
	case l.IsAttention():
		names = m.projectionGroups(l.Inner, path)
	case l.Class == "TimeDistributed", l.Class == "SpectralNormalization":
		names = []string{join(path, "layer")}
	}
	for i, in := range l.Inner {
		if err := m.newWeights(in, names[i]); err != nil {
			return err
		}
	}
	return nil
}

// projectionGroups are the groups of an attention's projections: Keras called them
// _query_dense before it called them query_dense.
func (m *Model) projectionGroups(list []*Layer, path string) []string {
	names := make([]string, len(list))
	for i, l := range list {
		name := strings.TrimPrefix(l.Name, "attention_") + "_dense"
		if names[i] = join(path, name); !m.has(names[i]) {
			names[i] = join(path, "_"+name)
		}
	}
	return names
}

func (m *Model) has(group string) bool {
	_, ok := m.weights.Children(group)
	return ok
}

// classGroups are the groups of layers in a list: the class in small letters, with
// a number from the second of a class on.
func classGroups(list []*Layer, group string) []string {
	seen := map[string]int{}
	names := make([]string, len(list))
	for i, l := range list {
		if l.IsOperation() {
			continue // not saved with the layers
		}
		s := snake(l.Class)
		if l.Custom != "" {
			s = snake(l.Custom[strings.LastIndexAny(l.Custom, ">.")+1:])
		}
		names[i] = join(group, s)
		if n := seen[s]; n > 0 {
			names[i] += "_" + strconv.Itoa(n)
		}
		seen[s]++
	}
	return names
}

// bareVariables makes layers without settings of a file of Keras 3 that has
// weights alone: one for each group with vars.
func (m *Model) bareVariables() error {
	var layer *Layer
	for _, path := range m.weights.Names() {
		group, role, _ := cutLast(path)
		group, ok := strings.CutSuffix(group, "/vars")
		if !ok || strings.HasPrefix(path, "optimizer/") {
			continue
		}
		if layer == nil || layer.Path != group {
			layer = &Layer{Path: group, Config: Config{}}
			_, layer.Name, _ = cutLast(group)
			if a, ok := m.weights.Attribute(group+"/vars", "name"); ok {
				if s, ok := a.Text(); ok {
					layer.Name = s
				}
			}
			m.Layers = append(m.Layers, layer)
		}
		if err := m.give(layer, role, path); err != nil {
			return err
		}
	}
	if len(m.Layers) == 0 {
		return &checkpoint.Error{File: m.file, Reason: "its HDF5 has neither layer_names nor groups with vars, so it holds no weights of Keras"}
	}
	return nil
}

// cutLast cuts a path at its last slash.
func cutLast(path string) (before, last string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// layerGroup returns the group with layer_names: files of Keras 2, and .h5
// files of Keras 3.
func (m *Model) layerGroup() (string, bool) {
	for _, path := range []string{"model_weights", ""} {
		if _, ok := m.list(path, "layer_names"); ok {
			return path, true
		}
	}
	return "", false
}

// list reads an attribute that is a list of names. Keras cuts what does not fit
// into 64 KB into name0, name1 and so on.
func (m *Model) list(path, name string) ([]string, bool) {
	if a, ok := m.weights.Attribute(path, name); ok {
		return a.Strings, true
	}
	var all []string
	for i := 0; ; i++ {
		a, ok := m.weights.Attribute(path, name+strconv.Itoa(i))
		if !ok {
			return all, i > 0
		}
		all = append(all, a.Strings...)
	}
}

// stored are the weights of one layer in a file with layer_names.
type stored struct {
	layer string
	paths []string
}

// storedLayers lists the layers of such a file that have weights.
func (m *Model) storedLayers(root string) ([]stored, error) {
	names, _ := m.list(root, "layer_names")
	var out []stored
	for _, name := range names {
		group := join(root, name)
		weights, ok := m.list(group, "weight_names")
		if !ok {
			return nil, &checkpoint.Error{File: m.file, Tensor: group, Reason: "it is in layer_names, but there is no such group with weight_names", Err: checkpoint.ErrMissing}
		}
		s := stored{layer: name}
		for _, w := range weights {
			// States of a stateful layer are no weights.
			if _, last, _ := cutLast(w); strings.HasPrefix(last, "rnn_state") || strings.HasPrefix(last, "seed_generator_state") {
				continue
			}
			s.paths = append(s.paths, join(group, w))
		}
		if len(s.paths) > 0 {
			out = append(out, s)
		}
	}
	return out, nil
}

// bareLayers makes layers without settings of a file with weights alone.
func (m *Model) bareLayers(root string) error {
	list, err := m.storedLayers(root)
	if err != nil {
		return err
	}
	for _, s := range list {
		l := &Layer{Name: s.layer, Path: s.layer, Config: Config{}}
		for _, path := range s.paths {
			role := strings.TrimSuffix(strings.TrimPrefix(path, join(root, s.layer)+"/"), ":0")
			role = strings.TrimPrefix(role, s.layer+"/")
			if err := m.give(l, role, path); err != nil {
				return err
			}
		}
		m.Layers = append(m.Layers, l)
	}
	return nil
}

// oldWeights gives the weights in such a file to the layers of the model: by
// name, or in order if the names are others, as Keras itself does. Within a
// layer they are in Keras's order.
func (m *Model) oldWeights(root string) error {
	list, err := m.storedLayers(root)
	if err != nil {
		return err
	}
	var layers []*Layer
	for _, l := range m.Root.Inner {
		if t, f, known := l.slots(false); !known || len(t)+len(f) > 0 {
			layers = append(layers, l)
		}
	}
	named := func(name string) func(*Layer) bool { return func(l *Layer) bool { return l.Name == name } }
	byName := true
	for _, s := range list {
		byName = byName && slices.ContainsFunc(layers, named(s.layer))
	}
	if !byName && len(list) != len(layers) {
		return &checkpoint.Error{File: m.file, Tensor: root, Reason: fmt.Sprintf("it has weights of %d layers, the model has %d with weights, and their names differ", len(list), len(layers))}
	}
	have := map[*Layer]bool{}
	for i, s := range list {
		l := layers[min(i, len(layers)-1)]
		if byName {
			l = layers[slices.IndexFunc(layers, named(s.layer))]
		}
		if have[l] {
			return &checkpoint.Error{File: m.file, Tensor: join(root, s.layer), Reason: "the layer is there twice"}
		}
		have[l] = true
		if err := m.oldLayer(l, s, join(root, s.layer)); err != nil {
			return err
		}
	}
	for _, l := range layers {
		if _, _, known := l.slots(false); known && !have[l] {
			return &checkpoint.Error{File: m.file, Tensor: join(root, l.Name), Reason: fmt.Sprintf("there are no weights of layer %s (%s)", short(l.Path), l.Class), Err: checkpoint.ErrMissing}
		}
	}
	return nil
}

func (m *Model) oldLayer(l *Layer, s stored, group string) error {
	t, f, known := l.slots(false)
	if !known {
		return nil // it is named where the layer is used
	}
	slots := append(t, f...)
	if len(slots) != len(s.paths) {
		return &checkpoint.Error{File: m.file, Tensor: group, Reason: fmt.Sprintf("layer %s (%s) has %d weights there, expected %d", short(l.Path), l.Class, len(s.paths), len(slots))}
	}
	for i, at := range slots {
		_, last, _ := cutLast(s.paths[i])
		last = strings.TrimSuffix(last, ":0")
		if role := strings.TrimPrefix(last, "depthwise_"); last != at.role && role != at.role {
			return &checkpoint.Error{File: m.file, Tensor: s.paths[i], Reason: fmt.Sprintf("weight %d of layer %s (%s) is called %s, expected %s", i, short(l.Path), l.Class, short(last), at.role)}
		}
		if err := m.give(at.layer, at.role, s.paths[i]); err != nil {
			return err
		}
	}
	return nil
}
