package nn

import (
	"fmt"
	"slices"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// ModelOf is an embedding (or raw features), a recurrent layer and a linear
// head. The names of its parameters are those of the PyTorch module
//
//	self.embedding = nn.Embedding(...)
//	self.rnn = nn.LSTM(...)
//	self.fc = nn.Linear(...)
//
// Many goroutines may use a model at once, each with its own Pass, while none
// changes it (ResetParameters, Load, Update).
type ModelOf[F tensor.Float] struct {
	cfg       Config
	embedding *EmbeddingOf[F] // nil for raw features
	rnn       *unroll.LayerOf[F]
	fc        *LinearOf[F]
	checked   bool
}

// Model is a ModelOf of float32.
type Model = ModelOf[float32]

// New returns a float32 model of zeros. It is an ErrConfig, of this package or
// of unroll, if no model can have the config.
func New(cfg Config) (*Model, error) { return NewOf[float32](cfg) }

// NewOf is New for the element type F.
func NewOf[F tensor.Float](cfg Config) (*ModelOf[F], error) {
	cfg, err := cfg.normal()
	if err != nil {
		return nil, err
	}
	m := &ModelOf[F]{cfg: cfg}
	if cfg.NumEmbeddings > 0 {
		if m.embedding, err = NewEmbeddingOf[F](cfg.NumEmbeddings, cfg.EmbeddingDim, cfg.PaddingIdx); err != nil {
			return nil, err
		}
	}
	if m.rnn, err = unroll.NewOf[F](cfg.RNN); err != nil {
		return nil, err
	}
	if m.rnn, err = lowered(cfg, m.rnn); err != nil {
		return nil, err
	}
	if m.fc, err = NewLinearOf[F](cfg.RNN.OutputSize(), cfg.OutFeatures, !cfg.NoHeadBias); err != nil {
		return nil, err
	}
	if cfg.TieWeights {
		m.fc.weight = m.embedding.Weight
	}
	m.fc.precision = cfg.Precision[headPart]
	return m, nil
}

// Config returns what the model is, derived fields filled in.
func (m *ModelOf[F]) Config() Config { return m.cfg }

// Checked reports whether the model was opened from a folder whose files held
// checksums, and these are right. Folders of the first release have none.
func (m *ModelOf[F]) Checked() bool { return m.checked }

// RNN returns the recurrent layer.
func (m *ModelOf[F]) RNN() *unroll.LayerOf[F] { return m.rnn }

// Embedding returns the embedding, nil if the input is features.
func (m *ModelOf[F]) Embedding() *EmbeddingOf[F] { return m.embedding }

// Head returns the linear head.
func (m *ModelOf[F]) Head() *LinearOf[F] { return m.fc }

// ResetParameters draws all parameters as PyTorch does when the modules are
// constructed in the order embedding, rnn, fc. With TieWeights the head's
// weights are drawn, and then given up for the embedding's
// (fc.weight = embedding.weight).
func (m *ModelOf[F]) ResetParameters(g *rng.Generator) {
	if m.embedding != nil {
		m.embedding.ResetParameters(g)
	}
	m.rnn.ResetParameters(g)
	if !m.cfg.TieWeights {
		m.fc.ResetParameters(g)
		return
	}
	drawn, _ := NewLinearOf[F](m.fc.in, m.fc.out, !m.cfg.NoHeadBias)
	drawn.ResetParameters(g)
	m.fc.Update(func(_, b tensor.DenseOf[F]) { copy(b.Data, drawn.bias.Data) })
}

// named calls f for each parameter in the order of PyTorch's state_dict; tied
// weights come twice.
func (m *ModelOf[F]) named(f func(name string, v tensor.DenseOf[F])) {
	if m.embedding != nil {
		f("embedding.weight", m.embedding.Weight)
	}
	for _, p := range m.rnn.Params() {
		f("rnn."+p.Name, p.Value)
	}
	f("fc.weight", m.fc.weight)
	if !m.cfg.NoHeadBias {
		f("fc.bias", m.fc.bias)
	}
}

// StateDict returns the parameters by name; they share memory with the model
// and must only be read.
func (m *ModelOf[F]) StateDict() map[string]tensor.DenseOf[F] {
	d := map[string]tensor.DenseOf[F]{}
	m.named(func(n string, v tensor.DenseOf[F]) { d[n] = v })
	return d
}

// Load copies parameters by name into the model, strictly: a missing, an
// unexpected or a wrongly shaped one is an unroll.ErrParams that names them
// all, and the model is as before. With TieWeights fc.weight may be missing. What
// Config.Precision names is rounded.
func (m *ModelOf[F]) Load(tensors map[string]tensor.DenseOf[F]) error {
	e := &unroll.LoadError{Layer: "the model"}
	rest := map[string]bool{}
	for n := range tensors {
		rest[n] = true
	}
	m.named(func(n string, v tensor.DenseOf[F]) {
		d, ok := tensors[n]
		delete(rest, n)
		switch {
		case !ok && m.cfg.TieWeights && n == "fc.weight":
		case !ok:
			e.Missing = append(e.Missing, n)
		case !sameShape(d.Shape, v.Shape) || len(d.Data) != len(v.Data):
			e.Shapes = append(e.Shapes, fmt.Sprintf("%s has shape %v, expected %v", n, d.Shape, v.Shape))
		}
	})
	for n := range rest {
		e.Unexpected = append(e.Unexpected, n)
	}
	slices.Sort(e.Unexpected)
	if len(e.Missing)+len(e.Unexpected)+len(e.Shapes) > 0 {
		return e
	}
	if w, ok := tensors["fc.weight"]; ok && m.cfg.TieWeights {
		for i, v := range tensors["embedding.weight"].Data {
			if w.Data[i] != v {
				return &unroll.ArgError{
					Kind: unroll.ErrParams, Arg: "fc.weight", Got: fmt.Sprintf("%v at element %d", w.Data[i], i),
					Want: fmt.Sprintf("embedding.weight's %v, for tie_weights", v),
				}
			}
		}
	}
	m.Update(func() {
		m.named(func(n string, v tensor.DenseOf[F]) {
			if d, ok := tensors[n]; ok {
				copy(v.Data, d.Data)
				unroll.RoundWeights(m.cfg.precisionOf(n), v)
			}
		})
	})
	return nil
}

// Update lets f change the values of the parameters in place (an optimiser's
// step over Pass.Params), and outdates the copies that products use.
func (m *ModelOf[F]) Update(f func()) {
	m.rnn.Update(func([]unroll.ParamOf[F]) {
		m.fc.Update(func(_, _ tensor.DenseOf[F]) { f() })
	})
}
