package unroll

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/scan"
	"github.com/unroll-ml/unroll/tensor"
)

// StreamOf runs a layer one step at a time over B live sequences and carries
// their states. A stream of a layer of one is PyTorch's RNNCell, LSTMCell or
// GRUCell. The bits are those a Pass gives for the whole sequence.
//
// A stream belongs to one goroutine at a time; a layer serves many streams. Use
// NewStream; the zero value answers with ErrUsage.
type StreamOf[F tensor.Float] struct {
	layer *LayerOf[F]
	run   scan.Run[F]
	batch int

	finite Finite
	kept   [][]F // the states before a step that may be refused, one a sequence
}

// Stream is a stream of float32.
type Stream = StreamOf[float32]

// NewStream returns a stream of batch sequences, all starting from zeros. It is
// an ErrUsage for a bidirectional layer, whose reverse direction would have to
// know the future, and for a batch below 1, and an ErrShape for one whose
// buffers no machine has.
func (l *LayerOf[F]) NewStream(batch int) (*StreamOf[F], error) {
	if err := l.streams("batch", batch); err != nil {
		return nil, err
	}
	s := &StreamOf[F]{layer: l, batch: batch}
	r := &s.run
	r.Stack, r.Continue, r.T, r.B, r.Even = &l.stack, true, 1, batch, true
	r.Workers = l.workers(0, batch, autoStreamMin)
	r.X.Seq, r.Y.Seq = l.cfg.InputSize, l.cfg.OutputSize()
	r.SetState()
	return s, nil
}

// streams reports why the layer cannot step b sequences, which arg says.
func (l *LayerOf[F]) streams(arg string, b int) error {
	if err := l.made("layer"); err != nil {
		return err
	}
	if l.cfg.Bidirectional {
		return &ArgError{Kind: ErrUsage, Arg: "layer", Got: l.describe(), Want: "a layer of one direction", Hint: "the reverse direction reads a sequence from its end, which a stream does not have: use a Pass"}
	}
	if l.cfg.Variant.Reverse {
		return &ArgError{Kind: ErrUsage, Arg: "layer", Got: l.describe(), Want: "a layer that goes forward in time", Hint: "this one reads a sequence from its end, which a stream does not have: use a Pass"}
	}
	if b < 1 {
		return &ArgError{Kind: ErrUsage, Arg: arg, Got: fmt.Sprint(b), Want: "at least 1"}
	}
	return l.cfg.fits(1, b)
}

// made returns an ErrUsage if the stream is none that NewStream made.
func (s *StreamOf[F]) made() error {
	if s == nil || s.layer == nil {
		return &ArgError{Kind: ErrUsage, Arg: "stream", Got: "nil or the zero value", Want: "a stream made by Layer.NewStream"}
	}
	return nil
}

// Batch returns B, the number of sequences.
func (s *StreamOf[F]) Batch() int {
	if s.made() != nil {
		return 0
	}
	return s.batch
}

// SetWorkers sets how many goroutines share a step; 0 chooses by the work of a
// step. The bits are the same for any number.
func (s *StreamOf[F]) SetWorkers(n int) {
	if s.made() != nil {
		return
	}
	s.run.Workers = s.layer.workers(n, s.batch, autoStreamMin)
}

// Step computes one step of all sequences: it reads x [B,I] and writes the
// output of the last layer to y [B,H'], both row-major; they must not overlap.
// It allocates nothing after the first call. It is an ErrShape, and the states
// stay as they were, if a slice has the wrong length. SetFinite says what is done
// about numbers that are not finite.
func (s *StreamOf[F]) Step(y, x []F) error {
	if err := s.made(); err != nil {
		return err
	}
	in, out := s.run.X.Seq, s.run.Y.Seq
	if len(x) != s.batch*in {
		return &ArgError{Kind: ErrShape, Arg: "x of " + s.layer.describe(), Got: fmt.Sprintf("%d values", len(x)), Want: fmt.Sprintf("B*input_size = %d*%d", s.batch, in)}
	}
	if len(y) != s.batch*out {
		return &ArgError{Kind: ErrShape, Arg: "y of " + s.layer.describe(), Got: fmt.Sprintf("room for %d values", len(y)), Want: fmt.Sprintf("B*%d = %d", out, s.batch*out)}
	}
	if s.finite != AnyNumber {
		return s.checkedStep(y, x)
	}
	s.step(y, x)
	return nil
}

func (s *StreamOf[F]) step(y, x []F) {
	r := &s.run
	r.X.Data, r.Y.Data = x, y
	r.Forward()
	r.X.Data, r.Y.Data = nil, nil
}

// State returns a copy of the states: H [L,B,H'] and, for an LSTM, C [L,B,H].
func (s *StreamOf[F]) State() StateOf[F] {
	if s.made() != nil {
		return StateOf[F]{}
	}
	c := s.layer.cfg
	st := StateOf[F]{origin: s.layer.self, H: tensor.NewOf[F](c.Layers(), s.batch, c.StateSize())}
	if c.HasCell() {
		st.C = tensor.NewOf[F](c.Layers(), s.batch, c.HiddenSize)
	}
	s.run.HN, s.run.CN = st.H.Data, st.C.Data
	s.run.State()
	s.run.HN, s.run.CN = nil, nil
	return st
}

// SetState sets the states of all sequences to a copy of st, which has the
// shapes of State; the zero value sets zeros. It is an ErrShape, and the states
// stay as they were, if st does not fit, and an ErrState if another layer gave it
// whose settings or parameters are not the same. An encoder's state that is meant
// for a decoder goes in as State{H: st.H, C: st.C}.
func (s *StreamOf[F]) SetState(st StateOf[F]) error {
	if err := s.made(); err != nil {
		return err
	}
	if err := checkState(&s.layer.cfg, "state", st, true, false, s.batch); err != nil {
		return err
	}
	if from := st.origin.Value(); !st.IsZero() && from != nil && from != s.layer && from.Digest() != s.layer.Digest() {
		return &ArgError{Kind: ErrState, Arg: "state", Got: "one that another layer gave, " + from.describe(), Want: "one of this " + s.layer.describe() + ", with these parameters", Hint: "if that is meant, as from an encoder to a decoder, make a state by hand: State{H: st.H, C: st.C}"}
	}
	s.run.H0, s.run.C0 = given(st.H), given(st.C)
	s.run.SetState()
	s.run.H0, s.run.C0 = nil, nil
	return nil
}

// Reset sets the states of the given sequences to zeros, or those of all if
// none is given. It is an ErrUsage, and nothing changes, if there is no such
// sequence.
func (s *StreamOf[F]) Reset(sequences ...int) error {
	if err := s.made(); err != nil {
		return err
	}
	for _, i := range sequences {
		if i < 0 || i >= s.batch {
			return &ArgError{Kind: ErrUsage, Arg: "sequence", Got: fmt.Sprint(i), Want: fmt.Sprintf("0 to %d", s.batch-1)}
		}
	}
	if len(sequences) == 0 {
		return s.SetState(StateOf[F]{})
	}
	s.run.Zero(sequences)
	return nil
}
