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
	if cfg.Mode == unroll.RNNReLU {
		left = append(left, "the nonlinearity relu")
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
// ErrVariant: the LSTM of ONNX has none.
func (l *Loaded) Network() (*onnx.Network, error) {
	c := l.Layer.Config()
	if c.ProjSize > 0 {
		return nil, fmt.Errorf("%w: ONNX's LSTM has no projection (proj_size %d)", ErrVariant, c.ProjSize)
	}
	op, act := c.Mode.String(), ""
	switch c.Mode {
	case unroll.RNNTanh:
		op, act = "RNN", "Tanh"
	case unroll.RNNReLU:
		op, act = "RNN", "Relu"
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
		n.Layers = append(n.Layers, onnx.Layer(op, in, c.HiddenSize, c.Bidirectional, c.NoBias, act, set))
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
