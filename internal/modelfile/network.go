package modelfile

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
)

// surround makes a model of a layer whose source also has embedding.weight or
// fc.weight beside it, under nn.Model's names; used is told what it takes. A
// checkpoint of other names stays a lone layer.
func (l *Loaded) surround(src checkpoint.Source, used map[string]bool, reads string) error {
	prefix, ok := strings.CutSuffix(l.Part.Prefix, "rnn.")
	if !ok {
		return nil
	}
	head, ok := src.Info(prefix + "fc.weight")
	if !ok || len(head.Shape) != 2 || head.Shape[1] != l.Layer.Config().OutputSize() {
		return nil
	}
	cfg := nn.Config{RNN: l.Layer.Config(), OutFeatures: head.Shape[0], Output: reads}
	names := []string{"fc.weight"}
	if _, ok := src.Info(prefix + "fc.bias"); ok {
		names = append(names, "fc.bias")
	} else {
		cfg.NoHeadBias = true
	}
	if e, ok := src.Info(prefix + "embedding.weight"); ok && len(e.Shape) == 2 && e.Shape[1] == cfg.RNN.InputSize {
		cfg.NumEmbeddings, cfg.EmbeddingDim = e.Shape[0], e.Shape[1]
		names = append(names, "embedding.weight")
	}
	values := map[string]tensor.Dense{}
	for _, p := range l.Layer.Params() {
		values["rnn."+p.Name] = p.Value
	}
	for _, name := range names {
		d, err := checkpoint.Float[float32](src, prefix+name)
		if err != nil {
			return err
		}
		values[name] = d
		used[prefix+name] = true
	}
	m, err := nn.New(cfg)
	if err != nil {
		return err
	}
	if err := m.Load(values); err != nil {
		return err
	}
	l.Model, l.Layer = m, m.RNN()
	if reads == "" {
		l.Notes = append(l.Notes, NoteHead)
	}
	return nil
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
