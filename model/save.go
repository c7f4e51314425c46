package model

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/modelfile"
)

// ErrLoss is a format that cannot hold all of a model; SaveOptions.Loose saves what it
// can.
var ErrLoss = errors.New("model: the format cannot hold it")

// SaveOptions say how a model is saved.
type SaveOptions struct {
	// Format is safetensors, pt, npz, onnx or folder; empty: what the path's ending
	// says, and folder for one without.
	Format string
	// Opset is the version of ONNX's operators of an ONNX file, 7 to 22; 0: that of the
	// model. An older one is an ErrUnsupported where operators have another form there.
	Opset int64
	// Loose saves a part where the format cannot hold all.
	Loose bool
}

// Saved is what was saved.
type Saved struct {
	// Lost says, a sentence each, what the file does not hold.
	Lost []string
	// Names are the names of the model's inputs and outputs in what was written,
	// where they have others there.
	Names map[string]string
	// Format is the one that was written.
	Format string
	// Layer and Head are what tensors alone do not tell of themselves: the settings of
	// the stacked layer, and whether a head reads "all" steps or the "last"; nil and
	// empty where a program was written, or there is none.
	Layer *unroll.Config
	Head  string
}

// Save writes the model in the format that the path's ending says: an ONNX file of
// every model that ONNX has operators for (weights that Options.Precision makes Int8 as
// integers with a scale for each output behind a DequantizeLinear: it runs anywhere in
// float32, and here, opened with that precision, with the bits of this model); safetensors, pt (a state_dict) or npz of
// an embedding, layer and head, or of the tensors of a chain; and a model folder of
// any, which Open opens without options. A file is replaced as a whole or not at all.
// What a format would lose is an ErrLoss that says it.
func (m *Model) Save(path string) error {
	_, err := m.SaveAs(path, SaveOptions{})
	return err
}

// SaveAs is Save with options; it says what was not held.
func (m *Model) SaveAs(path string, o SaveOptions) (*Saved, error) {
	format := modelfile.Format(o.Format)
	if format == "" {
		var err error
		if format, err = modelfile.FormatOf(path); err != nil {
			return nil, err
		}
	}
	s := &Saved{Format: string(format)}
	var err error
	switch format {
	case modelfile.ONNX:
		err = m.saveONNX(path, o.Opset)
	case modelfile.Folder:
		err = m.saveFolder(path, o, s)
	default:
		err = m.saveTensors(path, format, o, s)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// saveONNX writes the program into a file.
func (m *Model) saveONNX(path string, opset int64) error {
	return atomicfile.Write(path, func(w io.Writer) error { return m.writeONNX(w, opset) })
}

// writeONNX writes the program.
func (m *Model) writeONNX(w io.Writer, opset int64) error {
	if opset == 0 && m.program.Graph().Opsets[""] > graph.MaxWritten {
		opset = m.program.Graph().Opsets[""]
	}
	if err := graph.WriteRounded(w, m.program.Graph(), opset, m.written); err != nil {
		return fmt.Errorf("%s: %w", m.path, err)
	}
	return nil
}

// saveFolder writes a folder of a trained model, or one around a program.
func (m *Model) saveFolder(path string, o SaveOptions, s *Saved) error {
	if m.chain != nil {
		set, meta, err := m.chained()
		if err != nil {
			return err
		}
		if meta, err = checkpoint.WithChecksum(set, meta); err != nil {
			return err
		}
		return modelfile.SaveProgram(path, modelfile.Safetensors, func(w io.Writer) error { return safetensors.Write(w, set, meta) })
	}
	if l, err := m.network(); err == nil && l.Model != nil {
		s.rename(l)
		return l.Model.Save(path, "")
	}
	return modelfile.SaveProgram(path, modelfile.ONNX, func(w io.Writer) error { return m.writeONNX(w, o.Opset) })
}

// chained returns the tensors of a chain, with its line as metadata.
func (m *Model) chained() (checkpoint.Set, map[string]string, error) {
	var set checkpoint.Set
	for _, name := range m.file.Source.Names() {
		if !strings.HasPrefix(name, m.chain.Prefix) {
			continue
		}
		t, err := m.file.Source.Tensor(name)
		if err != nil {
			return nil, nil, err
		}
		set = append(set, t)
	}
	return set, map[string]string{"format": "pt", modelfile.MetaChain: m.chain.Chain.String(), modelfile.MetaPrefix: m.chain.Prefix}, nil
}

// saveTensors writes tensors alone.
func (m *Model) saveTensors(path string, format modelfile.Format, o SaveOptions, s *Saved) error {
	if m.chain != nil {
		set, meta, err := m.chained()
		if err != nil {
			return err
		}
		if format == modelfile.Safetensors {
			return modelfile.WriteTensors(path, set, meta)
		}
		if err := s.lose(o, format, fmt.Sprintf("the chain %q, which safetensors, a model folder and ONNX hold", m.chain.Chain)); err != nil {
			return err
		}
		return modelfile.SaveTensors(path, format, set)
	}
	l, err := m.network()
	if err == nil {
		if v := l.Layer.Config().Variant; !v.IsZero() {
			err := s.lose(o, format, fmt.Sprintf("settings that torch.nn's layers do not have (%s); ONNX holds them, and a model folder", l.Layer.Config()))
			if err != nil {
				return err
			}
		}
		lost, err := l.SaveLoose(path, format, o.Opset)
		s.Lost = append(s.Lost, lost...)
		s.rename(l)
		return err
	}
	nodes := len(m.program.Graph().Nodes)
	if err := s.lose(o, format, fmt.Sprintf("the program of %d nodes around the tensors (%v), which ONNX and a model folder hold", nodes, err)); err != nil {
		return err
	}
	var set checkpoint.Set
	for _, name := range m.file.Source.Names() {
		t, err := m.file.Source.Tensor(name)
		if err != nil {
			return err
		}
		set = append(set, t)
	}
	return modelfile.SaveTensors(path, format, set)
}

// lose notes what is lost, or refuses it.
func (s *Saved) lose(o SaveOptions, format modelfile.Format, what string) error {
	if s.Lost = append(s.Lost, what); o.Loose {
		return nil
	}
	return fmt.Errorf("%w: %s would lose %s", ErrLoss, format, what)
}

// rename says which names a network has for the model's.
func (s *Saved) rename(l *modelfile.Loaded) {
	c := l.Layer.Config()
	if s.Layer = &c; l.Model != nil {
		s.Head = l.Model.Config().Output
	}
	if l.Ports == nil {
		return
	}
	in, out := modelfile.LayerPorts(l.Layer.Config(), l.Config(), names)
	s.Names = map[string]string{l.Ports.Input: in[0].Name, l.Ports.H0: names.H0, l.Ports.C0: names.C0, l.Ports.Output: out[0].Name, l.Ports.HN: "h_n", l.Ports.CN: "c_n", l.Ports.Lengths: ""}
	maps.DeleteFunc(s.Names, func(k, _ string) bool { return k == "" })
}

// network returns the embedding, layer and head that the model is; an error says why
// it is none.
func (m *Model) network() (*modelfile.Loaded, error) {
	m.recognised.Do(func() {
		switch {
		case m.loaded != nil:
			m.net = m.loaded
		case m.trained != nil:
			m.net = &modelfile.Loaded{Layer: m.trained.RNN(), Model: m.trained, Told: true}
		default:
			var p *graph.Program
			if p, m.netErr = graph.Compile(m.program.Graph(), modelfile.ProofLimits); m.netErr == nil {
				m.net, m.netErr = modelfile.Recognise(p)
			}
		}
	})
	return m.net, m.netErr
}
