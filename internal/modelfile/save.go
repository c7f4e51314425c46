package modelfile

import (
	"fmt"
	"io"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/internal/cell"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/nn"
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
	return l.SaveLoose(path, to, opset)
}

// SaveLoose is Save for a file: settings that a format does not hold are lost.
func (l *Loaded) SaveLoose(path string, to Format, opset int64) (left []string, err error) {
	r := row(to)
	if r == nil || !r.Writes() {
		return nil, fmt.Errorf("%w: %q; %s and folder are written", ErrUnknown, to, written())
	}
	return l.lost(to), r.save(l, path, opset)
}

// Config is that of the model, or nil for a lone layer.
func (l *Loaded) Config() *nn.Config {
	if l.Model == nil {
		return nil
	}
	c := l.Model.Config()
	return &c
}

// SaveTensors writes named tensors in a format that holds them.
func SaveTensors(path string, to Format, set checkpoint.Set) error {
	switch to {
	case Safetensors:
		return WriteTensors(path, set, map[string]string{"format": "pt"})
	case Torch:
		return torchfile.WriteFile(path, set)
	case NPZ:
		return atomicfile.Write(path, func(w io.Writer) error { return npy.WriteArchive(w, set) })
	}
	return fmt.Errorf("%w: %q; %s and folder are written", ErrUnknown, to, written())
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

func saveTorch(l *Loaded, path string, _ int64) error { return SaveTensors(path, Torch, l.Tensors()) }

func saveNPZ(l *Loaded, path string, _ int64) error { return SaveTensors(path, NPZ, l.Tensors()) }

func saveSafetensors(l *Loaded, path string, _ int64) error {
	return safetensors.WriteFile(path, l.Tensors(), map[string]string{"format": "pt"})
}

// defaultOpset is the version of ONNX's operators that a layer is written in.
const defaultOpset = 17

func saveONNX(l *Loaded, path string, opset int64) error {
	if opset == 0 {
		opset = defaultOpset
	}
	if opset < graph.MinWritten || opset > graph.MaxWritten {
		return fmt.Errorf("opset %d, expected %d to %d", opset, graph.MinWritten, graph.MaxWritten)
	}
	names := Names{H0: "h0", C0: "c0", Output: "output", Opset: opset}
	if l.Model != nil {
		names.Output = "logits"
	}
	g := l.Graph(names)
	return atomicfile.Write(path, func(w io.Writer) error {
		if err := graph.WriteONNX(w, g); err != nil {
			return fmt.Errorf("%w: %w", ErrVariant, err)
		}
		return nil
	})
}

// Tensors returns all parameters under PyTorch's names.
func (l *Loaded) Tensors() checkpoint.Set {
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
