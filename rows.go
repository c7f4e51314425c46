package unroll

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/scan"
	"github.com/unroll-ml/unroll/tensor"
)

// StateLen returns how many numbers the state of one sequence is when it stands
// flat: h [L*D,H'] and then, for an LSTM, c [L*D,H].
func (c Config) StateLen() int {
	n := c.StateSize()
	if c.HasCell() {
		n += c.HiddenSize
	}
	return c.Layers() * c.Directions() * n
}

// RowsOf steps any of many sequences together, whose states the caller keeps,
// each in a slice of its own: a sequence costs its state and nothing else. The
// bits are those of each sequence alone. Package live puts keys and goroutines
// around it.
//
// A value belongs to one goroutine at a time and runs on it alone; a layer serves
// many. Use NewRows; the zero value answers with ErrUsage.
type RowsOf[F tensor.Float] struct {
	layer  *LayerOf[F]
	run    scan.Run[F]
	most   int
	finite Finite
}

// Rows are rows of float32.
type Rows = RowsOf[float32]

// NewRows returns a stepper of up to most rows at once. Errors are those of
// NewStream.
func (l *LayerOf[F]) NewRows(most int) (*RowsOf[F], error) {
	if err := l.streams("most", most); err != nil {
		return nil, err
	}
	w := &RowsOf[F]{layer: l, most: most}
	r := &w.run
	r.Stack, r.Continue, r.T, r.Workers, r.Even = &l.stack, true, 1, 1, true
	r.X.Seq, r.Y.Seq = l.cfg.InputSize, l.cfg.OutputSize()
	return w, nil
}

func (w *RowsOf[F]) made() error {
	if w == nil || w.layer == nil {
		return &ArgError{Kind: ErrUsage, Arg: "rows", Got: "nil or the zero value", Want: "rows made by Layer.NewRows"}
	}
	return nil
}

// SetFinite says what Step does about numbers that are not finite. Rows are
// judged one by one: with RefuseNonFinite, those that are finite step.
func (w *RowsOf[F]) SetFinite(f Finite) {
	if w.made() == nil {
		w.finite = f
	}
}

// Prepare packs the layer's parameters and makes all memory, which the first
// Step would else do. It changes no
// result, and zeros are what it steps, so that nothing is said of their results.
func (w *RowsOf[F]) Prepare() error {
	if err := w.made(); err != nil {
		return err
	}
	c := w.layer.cfg
	states := make([][]F, w.most)
	zero := make([]F, c.StateLen())
	for i := range states {
		states[i] = zero
	}
	_ = w.step(make([]F, w.most*c.OutputSize()), make([]F, w.most*c.InputSize), states)
	return nil
}

// Step computes one step of n sequences, n from 0 to the most: it reads x [n,I],
// writes the output of the last layer to y [n,H'], and reads and writes the
// states in place, each of Config.StateLen numbers: h [L,H'] and then, for an
// LSTM, c [L,H]; zeros begin a sequence. Slices must not overlap. It allocates
// nothing after Prepare.
//
// It is an ErrShape, and nothing changes, if a slice has the wrong length. With
// SetFinite it may be a *NonFiniteError.
func (w *RowsOf[F]) Step(y, x []F, states [][]F) error {
	if err := w.made(); err != nil {
		return err
	}
	c, n := w.layer.cfg, len(states)
	bad := func(arg, got string, want int) error {
		return &ArgError{Kind: ErrShape, Arg: arg + " of " + w.layer.describe(), Got: got, Want: fmt.Sprintf("%d values for %d rows", want, n)}
	}
	switch {
	case n > w.most:
		return &ArgError{Kind: ErrShape, Arg: "states", Got: fmt.Sprintf("%d rows", n), Want: fmt.Sprintf("at most %d, as NewRows was told", w.most)}
	case len(x) != n*c.InputSize:
		return bad("x", fmt.Sprintf("%d values", len(x)), n*c.InputSize)
	case len(y) != n*c.OutputSize():
		return bad("y", fmt.Sprintf("room for %d values", len(y)), n*c.OutputSize())
	}
	size := w.layer.stack.StateLen()
	for i, st := range states {
		if len(st) != size {
			return &ArgError{Kind: ErrShape, Arg: fmt.Sprintf("states[%d] of %s", i, w.layer.describe()), Got: fmt.Sprintf("%d values", len(st)), Want: fmt.Sprint(size)}
		}
	}
	if n == 0 {
		return nil
	}
	if bad := w.step(y, x, states); bad != nil {
		return bad
	}
	return nil
}

func (w *RowsOf[F]) step(y, x []F, states [][]F) *NonFiniteError {
	r := &w.run
	r.B = len(states)
	r.Take(states)
	r.X.Data, r.Y.Data = x, y
	r.Forward()
	r.X.Data, r.Y.Data = nil, nil
	var bad *NonFiniteError
	in, out := w.layer.cfg.InputSize, w.layer.cfg.OutputSize()
	for i, st := range states {
		if w.finite != AnyNumber {
			input := scan.Finite(x[i*in : (i+1)*in])
			if result := r.Finite(i); !input || !result {
				refuse := w.finite == RefuseNonFinite
				if bad = addRow(bad, i, input, result, refuse); refuse {
					clear(y[i*out : (i+1)*out])
					continue
				}
			}
		}
		r.Give(i, st)
	}
	return bad
}
