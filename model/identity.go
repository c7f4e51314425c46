package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/graph"
)

// Signature says in a line what the model reads, gives and carries as state, such
// as
//
//	input float32 [T, B, 3] -> output float32, state h_0 float32 [1, B, 4]
//
// That of a recurrent layer alone is the layer's own.
func (m *Model) Signature() string {
	if l := m.alone(); l != nil {
		return l.Signature()
	}
	var in, out, state []string
	for _, p := range m.Inputs() {
		if m.isState(p.Name) {
			state = append(state, p.String())
		} else {
			in = append(in, p.String())
		}
	}
	for _, p := range m.Outputs() {
		if !slices.ContainsFunc(m.states, func(s State) bool { return s.Output == p.Name }) {
			out = append(out, p.String())
		}
	}
	s := strings.Join(in, ", ") + " -> " + strings.Join(out, ", ")
	if len(state) > 0 {
		s += ", state " + strings.Join(state, ", ")
	}
	return s
}

// alone is the layer of a model that is one recurrent layer and nothing else.
func (m *Model) alone() *Layer {
	if m.single && len(m.layers) == 1 {
		return &m.layers[0]
	}
	return nil
}

// Digest returns the SHA-256, in hexadecimal, of the signature, of what the model
// computes and of its parameters: models that have the same one compute the same.
// That of a recurrent layer alone is the layer's own. It is computed once. It is
// empty if the parameters cannot be read, as after Close.
func (m *Model) Digest() string {
	if l := m.alone(); l != nil {
		return l.Digest()
	}
	m.digest.Do(func() {
		h := sha256.New()
		fmt.Fprintln(h, m.Signature())
		if m.identify(h) == nil {
			m.digested = hex.EncodeToString(h.Sum(nil))
		}
	})
	return m.digested
}

// identify writes what the file says. Of ONNX that is its nodes and constants; of
// other formats, whose nodes another version of this engine may write otherwise,
// what those are made from.
func (m *Model) identify(h hash.Hash) error {
	f := m.file
	if m.rounded != "" && m.trained == nil { // of a folder its settings tell
		fmt.Fprintln(h, m.rounded)
	}
	switch {
	case f.ONNX != nil:
		return m.program.Describe(h)
	case f.Keras != nil && f.Keras.Root != nil:
		config, err := json.Marshal(f.Keras.Root.Config)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "keras %s\n", config)
	case m.trained != nil:
		c := m.trained.Config()
		c.RNN.Dropout = 0
		fmt.Fprintf(h, "folder %+v\n", c)
	default:
		fmt.Fprintf(h, "chain %s\n", m.said)
	}
	names := f.Source.Names()
	slices.Sort(names)
	for _, name := range names {
		if info, _ := f.Source.Info(name); info.TypeName != "" {
			continue // a type that nothing here reads
		}
		t, err := f.Source.Tensor(name)
		if err != nil {
			return err
		}
		fmt.Fprintln(h, name, t.DType, t.Shape)
		h.Write(t.Data)
	}
	return nil
}

// Signature is the model's, with the shapes of one sequence's state and the inputs
// that are set: it says which states Step can take.
func (r *Rows) Signature() string {
	if r.m.alone() != nil && len(r.opt.Set) == 0 {
		return r.m.Signature()
	}
	s := r.m.Signature() + " of one sequence"
	for i, p := range r.States() {
		if i > 0 {
			s += ","
		}
		s += " " + p.String()
	}
	ports := r.m.program.Graph().Inputs
	for _, name := range slices.Sorted(maps.Keys(r.opt.Set)) {
		i := slices.IndexFunc(ports, func(p graph.Port) bool { return p.Name == name })
		s += fmt.Sprintf(", %s = %s", ports[i].Name, text(r.opt.Set[name].v))
	}
	return s
}

// text is a value in a line: its numbers, or what they hash to where there are
// many.
func text(v graph.Value) string {
	const most = 4
	if v.Len() > most {
		h := sha256.New()
		v.Describe(h)
		return fmt.Sprintf("%v %s", v, hex.EncodeToString(h.Sum(nil)))
	}
	var b strings.Builder
	v.Describe(&b)
	return b.String()
}

// Digest is the model's, with Signature: sequences of rows that have the same one
// can go on from each other's states. It is empty where the model's is.
func (r *Rows) Digest() string {
	whole := r.m.Digest()
	if whole == "" || r.Signature() == r.m.Signature() {
		return whole
	}
	h := sha256.New()
	_, _ = io.WriteString(h, whole+"\n"+r.Signature())
	return hex.EncodeToString(h.Sum(nil))
}
