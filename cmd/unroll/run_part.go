package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/model"
)

// loadPart finds a recurrent layer: that of a file of weights or a folder, or one
// of a graph or a Keras model, where the prefix is the node's or layer's name and
// stacked layers without a prefix are one.
func loadPart(f *modelfile.File, opt modelfile.Options) (*modelfile.Loaded, error) {
	keras := f.Keras != nil && f.Keras.Root != nil && !opt.Keras
	if f.ONNX == nil && !keras {
		return f.Load(opt)
	}
	if f.ONNX != nil && opt.Prefix == "" {
		if l, err := f.Load(opt); err == nil {
			return l, nil
		}
	}
	m, err := openWhole(model.Options{}, f) // f is closed by who opened it
	if err != nil {
		return nil, err
	}
	layers, err := m.Layers()
	if err != nil {
		return nil, err
	}
	var names []string
	var found *modelfile.Loaded
	count := 0
	for _, l := range layers {
		names = append(names, fmt.Sprintf("%q (%v)", l.Name, l.Config()))
		if opt.Prefix == "" || l.Name == opt.Prefix {
			found = &modelfile.Loaded{Layer: l.Layer, Told: true}
			count++
		}
	}
	switch {
	case len(layers) == 0:
		return nil, fmt.Errorf("%s: it has no recurrent layer whose parameters are constants", f.Path)
	case count == 0:
		return nil, fmt.Errorf("%s: there is no recurrent layer %q; --prefix takes one of %s", f.Path, opt.Prefix, strings.Join(names, ", "))
	case count > 1:
		return nil, fmt.Errorf("%s: it has %d recurrent layers; --prefix takes one of %s", f.Path, count, strings.Join(names, ", "))
	}
	return found, nil
}

// besides names the modules of a file of weights that are no part of its layer;
// the first of them where there are many.
func besides(l *modelfile.Loaded) string {
	if l.Source == nil {
		return ""
	}
	own := map[string]bool{}
	for _, stored := range l.Part.Params {
		own[stored] = true
	}
	var modules []string
	for _, name := range l.Source.Names() {
		if own[name] {
			continue
		}
		if i := strings.LastIndexByte(name, '.'); i > 0 {
			name = name[:i]
		}
		if !slices.Contains(modules, name) {
			modules = append(modules, name)
		}
	}
	const most = 8
	more := ""
	if len(modules) > most {
		more = fmt.Sprintf(" and %d more", len(modules)-most)
		modules = modules[:most]
	}
	return visible(strings.Join(modules, ", ")) + more
}
