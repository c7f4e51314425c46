package modelfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/statedict"
	"github.com/unroll-ml/unroll/nn"
)

// read reads a part of src, into the model around it where there is one; used is told
// what that takes. Nothing but the parameters takes memory.
func (l *Loaded) read(src checkpoint.Source, used map[string]bool, reads string) (err error) {
	prefix, cfg, around := surrounding(src, l.Part)
	if !around {
		l.Layer, err = statedict.Load[float32](src, l.Part)
		return err
	}
	cfg.Output = reads
	m, err := nn.New(cfg)
	if err != nil {
		return err
	}
	if err := statedict.Into(m.RNN(), src, l.Part); err != nil {
		return err
	}
	m.Update(func() {
		params := m.StateDict()
		for _, name := range slices.Sorted(maps.Keys(params)) {
			if strings.HasPrefix(name, "rnn.") || err != nil {
				continue
			}
			v := params[name]
			used[prefix+name] = true
			if info, _ := src.Info(prefix + name); !slices.Equal(info.Shape, v.Shape) {
				err = &unroll.LoadError{Layer: "the model", Shapes: []string{fmt.Sprintf("%s has shape %v, expected %v", name, info.Shape, v.Shape)}}
				return
			}
			err = checkpoint.FloatInto(src, prefix+name, v.Data)
		}
	})
	l.Model, l.Layer = m, m.RNN()
	if reads == "" {
		l.Notes = append(l.Notes, NoteHead)
	}
	return err
}

// surrounding is the model of a layer whose source also has embedding.weight or
// fc.weight beside it, under nn.Model's names after prefix. A checkpoint of other names
// stays a lone layer.
func surrounding(src checkpoint.Source, part statedict.Part) (prefix string, cfg nn.Config, ok bool) {
	prefix, ok = strings.CutSuffix(part.Prefix, "rnn.")
	if !ok {
		return "", cfg, false
	}
	head, ok := src.Info(prefix + "fc.weight")
	if !ok || len(head.Shape) != 2 || head.Shape[1] != part.Config.OutputSize() {
		return "", cfg, false
	}
	cfg = nn.Config{RNN: part.Config, OutFeatures: head.Shape[0]}
	if _, ok := src.Info(prefix + "fc.bias"); !ok {
		cfg.NoHeadBias = true
	}
	if e, ok := src.Info(prefix + "embedding.weight"); ok && len(e.Shape) == 2 && e.Shape[1] == cfg.RNN.InputSize {
		cfg.NumEmbeddings, cfg.EmbeddingDim = e.Shape[0], e.Shape[1]
	}
	return prefix, cfg, true
}

// ProofLimits bound what recognising a network takes.
var ProofLimits = graph.Limits{Memory: 1 << 30, Work: 1 << 34}

// fromONNX makes a layer or model of a graph.
func (f *File) fromONNX() (*Loaded, error) {
	p, err := f.Program(ProofLimits)
	if err != nil {
		return nil, err
	}
	l, err := Recognise(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return l, nil
}

// Program returns the program of an ONNX file. Errors name the file.
func (f *File) Program(limits graph.Limits) (*graph.Program, error) {
	g, err := graph.FromONNX(f.ONNX)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	p, err := graph.Compile(g, limits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return p, nil
}
