package modelfile

import (
	"fmt"
	"io"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/internal/cell"
)

// Save writes what was loaded to path in a format and says what the format
// cannot hold. A file is replaced as a whole or not at all. opset is for ONNX,
// 0 for the default. A file of PyTorch's is a state_dict.
func (l *Loaded) Save(path string, to Format, opset int64) (left []string, err error) {
	if to == Folder {
		if l.Model == nil {
			return nil, fmt.Errorf("a model folder holds a layer with a linear head; this is a lone layer, which safetensors holds")
		}
		return nil, l.Model.Save(path, "")
	}
	r := row(to)
	if r == nil || !r.Writes() {
		return nil, fmt.Errorf("%w: %q; %s and folder are written", ErrUnknown, to, written())
	}
	if cfg := l.Layer.Config(); to != ONNX && !cfg.Variant.IsZero() {
		return nil, fmt.Errorf("%w: %s has settings that torch.nn's layers do not have, and %s holds tensors alone; ONNX holds them", ErrVariant, cfg, to)
	}
	return l.lost(to), r.save(l, path, opset)
}

// written lists the formats that Save takes.
func written() string {
	var all []string
	for _, r := range formats {
		if r.Writes() {
			all = append(all, string(r.Format))
		}
	}
	return strings.Join(all, ", ")
}

// lost says what a format cannot hold.
func (l *Loaded) lost(to Format) (left []string) {
	cfg := l.Layer.Config()
	if to == ONNX {
		if cfg.Dropout > 0 {
			left = append(left, "dropout, which an ONNX graph for inference has not")
		}
		if l.Model != nil {
			left = append(left, "the model's config (task, vocabulary, scaling)")
		}
		return left
	}
	if l.Model != nil {
		return append(left, "the model's config (task, vocabulary, scaling); a model folder keeps it")
	}
	if k := cell.Kinds()[cfg.Mode]; k.Options != "" {
		left = append(left, "the "+strings.ReplaceAll(k.Options, "=", " "))
	}
	if cfg.BatchFirst {
		left = append(left, "batch_first")
	}
	if cfg.Dropout > 0 {
		left = append(left, "dropout")
	}
	return left
}

func saveTorch(l *Loaded, path string, _ int64) error { return torchfile.WriteFile(path, l.tensors()) }

func saveNPZ(l *Loaded, path string, _ int64) error {
	return atomicfile.Write(path, func(w io.Writer) error { return npy.WriteArchive(w, l.tensors()) })
}

func saveSafetensors(l *Loaded, path string, _ int64) error {
	return safetensors.WriteFile(path, l.tensors(), map[string]string{"format": "pt"})
}

func saveONNX(l *Loaded, path string, opset int64) error {
	n, err := l.Network()
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error { return onnx.Write(w, n, opset) })
}

// tensors returns all parameters under PyTorch's names.
func (l *Loaded) tensors() checkpoint.Set {
	var set checkpoint.Set
	if l.Model == nil {
		for _, p := range l.Layer.Params() {
			set = append(set, checkpoint.Of(p.Name, p.Value))
		}
		return set
	}
	if e := l.Model.Embedding(); e != nil {
		set = append(set, checkpoint.Of("embedding.weight", e.Weight))
	}
	for _, p := range l.Layer.Params() {
		set = append(set, checkpoint.Of("rnn."+p.Name, p.Value))
	}
	head := l.Model.Head()
	set = append(set, checkpoint.Of("fc.weight", head.Weight()))
	if b := head.Bias(); !b.IsZero() {
		set = append(set, checkpoint.Of("fc.bias", b))
	}
	return set
}

// Network returns the layer or model as ONNX writes it. A projection is an
// ErrVariant: the LSTM of ONNX has none; so is a cell without an operator.
func (l *Loaded) Network() (*onnx.Network, error) {
	c := l.Layer.Config()
	if c.ProjSize > 0 {
		return nil, fmt.Errorf("%w: ONNX's LSTM has no projection (proj_size %d)", ErrVariant, c.ProjSize)
	}
	kind := cell.Kinds()[c.Mode]
	if kind.ONNX.Name == "" {
		return nil, fmt.Errorf("%w: ONNX has no operator for %s", ErrVariant, c.Mode)
	}
	n := &onnx.Network{BatchFirst: c.BatchFirst}
	sets := make([]checkpoint.Set, c.Layers())
	for _, p := range l.Layer.Params() {
		var i int
		at := strings.LastIndex(p.Name, "_l")
		if _, err := fmt.Sscanf(p.Name[at:], "_l%d", &i); err != nil {
			return nil, err
		}
		name := strings.Replace(p.Name, fmt.Sprintf("_l%d", i), "_l0", 1)
		sets[i] = append(sets[i], checkpoint.Of(name, p.Value))
	}
	for i, set := range sets {
		in := c.InputSize
		if i > 0 {
			in = c.OutputSize()
		}
		n.Layers = append(n.Layers, node(c, kind, in, set))
	}
	if l.Model == nil {
		return n, nil
	}
	n.Final = l.Model.Config().Output == "last"
	one := func(t checkpoint.Tensor) *checkpoint.Tensor { return &t }
	if e := l.Model.Embedding(); e != nil {
		n.Embedding = one(checkpoint.Of("embedding.weight", e.Weight))
	}
	n.Head = one(checkpoint.Of("fc.weight", l.Model.Head().Weight()))
	if b := l.Model.Head().Bias(); !b.IsZero() {
		n.Bias = one(checkpoint.Of("fc.bias", b))
	}
	return n, nil
}

// node is one layer as a recurrent node of ONNX.
func node(c unroll.Config, kind *cell.Kind, inputs int, params checkpoint.Set) *onnx.Recurrent {
	v := c.Variant
	r := &onnx.Recurrent{
		Op: kind.ONNX.Name, InputSize: inputs, HiddenSize: c.HiddenSize, Direction: "forward", NoBias: c.NoBias, Params: params,
		Clip: float32(v.Clip), InputForget: v.InputForget, Peepholes: v.Peepholes, LinearBeforeReset: kind.Takes.ResetBefore && !v.ResetBefore,
	}
	switch {
	case c.Bidirectional:
		r.Direction = "bidirectional"
	case v.Reverse:
		r.Direction = "reverse"
	}
	for d := range c.Directions() {
		list := v.Activations
		if d == 1 && v.ReverseActivations != [3]unroll.Activation{} {
			list = v.ReverseActivations
		}
		for i, name := range kind.Functions {
			a := list[i]
			if a.Name == "" {
				a.Name = name
			}
			r.Activations = append(r.Activations, onnx.Activation{Name: a.Name, Alpha: float32(a.Alpha), Beta: float32(a.Beta)})
		}
	}
	return r
}
