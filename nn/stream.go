package nn

import (
	"fmt"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// StreamOf runs a model one step at a time over B live sequences and carries
// their states: embedding, layer, head. Logits have the bits a Pass gives for the
// whole sequence; with Output "last" those of a Pass that ends at this step.
//
// A stream belongs to one goroutine at a time; a model serves many streams while
// none changes it. Use NewStream; the zero value answers with ErrUsage.
type StreamOf[F tensor.Float] struct {
	model *ModelOf[F]
	rnn   *unroll.StreamOf[F]
	prod  productOf[F]
	x, y  []F // [B,I], [B,H']
}

// Stream is a StreamOf of float32.
type Stream = StreamOf[float32]

// NewStream returns a stream of batch sequences, all starting from zeros. It is an
// ErrUsage if New or Open did not make m, and an error of unroll.Layer.NewStream
// for a bidirectional model, whose reverse direction would have to know the future,
// and for a batch below 1.
func (m *ModelOf[F]) NewStream(batch int) (*StreamOf[F], error) {
	if m == nil || m.fc == nil {
		return nil, badUse("model", "none", "the result of New or Open")
	}
	rnn, err := m.rnn.NewStream(batch)
	if err != nil {
		return nil, err
	}
	s := &StreamOf[F]{model: m, rnn: rnn, y: make([]F, batch*m.fc.in)}
	if m.embedding != nil {
		s.x = make([]F, batch*m.cfg.EmbeddingDim)
	}
	return s, nil
}

func (s *StreamOf[F]) made() error {
	if s == nil || s.model == nil {
		return badUse("stream", "nil or the zero value", "the result of Model.NewStream")
	}
	return nil
}

// Batch returns B, the number of sequences.
func (s *StreamOf[F]) Batch() int {
	if s.made() != nil {
		return 0
	}
	return s.rnn.Batch()
}

// SetWorkers sets how many goroutines share a step; 0 lets the engine choose for
// the layer, and is one for the head. The bits are the same for any number.
func (s *StreamOf[F]) SetWorkers(n int) {
	if s.made() != nil {
		return
	}
	s.rnn.SetWorkers(n)
	s.prod.n = max(n, 1)
}

// Step computes one step of all sequences of a model without embedding: it reads
// x [B,I] and writes the head's output to logits [B,C], both row-major; they must
// not overlap. It allocates nothing after the first call. It is an ErrUsage for a
// model that reads tokens, and an ErrShape for a slice of the wrong length; the
// states stay as they were.
func (s *StreamOf[F]) Step(logits, x []F) error {
	if err := s.made(); err != nil {
		return err
	}
	if s.model.embedding != nil {
		return badUse("stream", "features", "tokens: the model has an embedding, and StepTokens reads them")
	}
	return s.step(logits, x)
}

// StepTokens is Step for a model with an embedding: it reads one token a sequence,
// tokens [B]. A token outside the embedding is an ErrIndex, and the states stay as
// they were.
func (s *StreamOf[F]) StepTokens(logits []F, tokens []int) error {
	if err := s.made(); err != nil {
		return err
	}
	if s.model.embedding == nil {
		return badUse("stream", "tokens", "features: the model has no embedding, and Step reads them")
	}
	if len(tokens) != s.rnn.Batch() {
		return badShape("tokens", []int{len(tokens)}, fmt.Sprintf("[%d], one for each sequence", s.rnn.Batch()))
	}
	if err := s.model.embedding.Forward(s.x, tokens); err != nil {
		return err
	}
	return s.step(logits, s.x)
}

func (s *StreamOf[F]) step(logits, x []F) error {
	b, fc := s.rnn.Batch(), s.model.fc
	if len(logits) != b*fc.out {
		return badShape("logits", []int{len(logits)}, fmt.Sprintf("B*C = %d*%d elements", b, fc.out))
	}
	if err := s.rnn.Step(s.y, x); err != nil {
		return err
	}
	fc.forward(&s.prod, logits, s.y, b)
	return nil
}

// State returns a copy of the layer's states, as unroll.Stream.State does.
func (s *StreamOf[F]) State() unroll.StateOf[F] {
	if s.made() != nil {
		return unroll.StateOf[F]{}
	}
	return s.rnn.State()
}

// SetState sets the layer's states to a copy of st; the zero value sets zeros. It
// is an ErrShape, and the states stay as they were, if st has not State's shapes.
func (s *StreamOf[F]) SetState(st unroll.StateOf[F]) error {
	if err := s.made(); err != nil {
		return err
	}
	return s.rnn.SetState(st)
}

// Reset sets the states of the given sequences to zeros, or those of all if none
// is given. It is an unroll.ErrUsage, and nothing changes, if there is no such
// sequence.
func (s *StreamOf[F]) Reset(sequences ...int) error {
	if err := s.made(); err != nil {
		return err
	}
	return s.rnn.Reset(sequences...)
}
