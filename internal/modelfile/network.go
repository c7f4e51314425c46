package modelfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
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

// fromONNX makes a layer or model of a graph.
func (f *File) fromONNX() (*Loaded, error) {
	n, err := f.ONNX.Network()
	if err != nil {
		return nil, err
	}
	l, err := FromNetwork(n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	l.Told = true
	return l, nil
}

// ErrVariant is a network that is no stacked layer, or one that a format cannot
// hold.
var ErrVariant = errors.New("not one stacked layer")

// FromNetwork makes a layer, or a model where there is an embedding or a head,
// of an ONNX network. Layers of several settings are an ErrVariant that names
// the first that differs.
func FromNetwork(n *onnx.Network) (*Loaded, error) {
	var cfg unroll.Config
	for i, r := range n.Layers {
		c, err := graph.LayerConfig(r)
		if err != nil {
			return nil, err
		}
		c.BatchFirst = n.BatchFirst
		if i == 0 {
			cfg = c
			cfg.NumLayers = len(n.Layers)
		}
		if c.Mode != cfg.Mode || c.Variant != cfg.Variant {
			return nil, fmt.Errorf("%w: %s is %s after %s", ErrVariant, r.Node, c, n.Layers[0].Node)
		}
	}
	values := map[string]tensor.Dense{}
	for i, r := range n.Layers {
		for _, t := range r.Params {
			d, err := checkpoint.FloatOf[float32](t)
			if err != nil {
				return nil, err
			}
			values["rnn."+strings.Replace(t.Name, "_l0", fmt.Sprintf("_l%d", i), 1)] = d
		}
	}
	if n.Head == nil && n.Embedding == nil {
		layer, err := unroll.New(cfg)
		if err != nil {
			return nil, err
		}
		plain := map[string]tensor.Dense{}
		for name, d := range values {
			plain[strings.TrimPrefix(name, "rnn.")] = d
		}
		return &Loaded{Layer: layer}, layer.Load(plain)
	}
	if n.Head == nil {
		return nil, fmt.Errorf("%w: an embedding without a linear head", ErrVariant)
	}
	model := nn.Config{RNN: cfg, OutFeatures: n.Head.Shape[0], NoHeadBias: n.Bias == nil}
	if n.Final {
		model.Output = "last"
	}
	for name, t := range map[string]*checkpoint.Tensor{"fc.weight": n.Head, "fc.bias": n.Bias, "embedding.weight": n.Embedding} {
		if t == nil {
			continue
		}
		d, err := checkpoint.FloatOf[float32](*t)
		if err != nil {
			return nil, err
		}
		values[name] = d
		if name == "embedding.weight" {
			model.NumEmbeddings, model.EmbeddingDim = d.Shape[0], d.Shape[1]
		}
	}
	m, err := nn.New(model)
	if err != nil {
		return nil, err
	}
	return &Loaded{Layer: m.RNN(), Model: m}, m.Load(values)
}
