package live

import (
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
)

// Target is what a pool steps: OfLayer, OfModel and OfWindow make one, and a
// program may bring its own. Its parameters must not change while a pool uses it.
// All methods may be called by many goroutines at once.
type Target interface {
	// Signature says in a line which states it can take; see unroll.Layer.Signature.
	Signature() string
	// Digest names its parameters too: equal ones compute the same.
	Digest() string
	// Sizes returns how many numbers a step of a sequence reads and writes.
	Sizes() (in, out int)
	// State returns the names and shapes of the float32 tensors that are the state
	// of one sequence. Flat and one after another they are what a step works on.
	State() []checkpoint.Info
	// Begin writes the state that a sequence begins with.
	Begin(state []float32)
	// Last writes the output of a sequence's last step to y, where the state has
	// it. If it reports false, a pool keeps the output beside the state.
	Last(y, state []float32) bool
	// Stepper returns a step of up to rows sequences, for one goroutine at a time and
	// ready for its first call: x [n,in], y [n,out], and n states, read and written in
	// place. The bits of a sequence must not depend on its company. A row with a
	// number that is not finite must stay as it was and be in a
	// *unroll.NonFiniteError; one that it does not take (a token that there is not)
	// likewise in a *model.RowError. The other rows step. errors.As finds both.
	Stepper(rows int) (func(y, x []float32, states [][]float32) error, error)
}

// OfLayer returns a layer that can stream as a target. Its state is h [L,H'] and,
// for an LSTM, c [L,H].
func OfLayer(l *unroll.Layer) Target { return layerTarget{l} }

type layerTarget struct{ *unroll.Layer }

func (l layerTarget) Sizes() (in, out int) {
	c := l.Config()
	return c.InputSize, c.OutputSize()
}

func (l layerTarget) State() []checkpoint.Info {
	c := l.Config()
	state := []checkpoint.Info{float32s("h", c.Layers(), c.StateSize())}
	if c.HasCell() {
		state = append(state, float32s("c", c.Layers(), c.HiddenSize))
	}
	return state
}

func (l layerTarget) Begin(state []float32) { clear(state) }

// Last is the top layer's hidden state.
func (l layerTarget) Last(y, state []float32) bool {
	c := l.Config()
	copy(y, state[(c.Layers()-1)*c.StateSize():])
	return true
}

func (l layerTarget) Stepper(rows int) (func(y, x []float32, states [][]float32) error, error) {
	w, err := l.NewRows(rows)
	if err != nil {
		return nil, err
	}
	w.SetFinite(unroll.RefuseNonFinite)
	return w.Step, w.Prepare()
}

// float32s describes a tensor of a state.
func float32s(name string, shape ...int) checkpoint.Info {
	i := checkpoint.Info{Name: name, DType: checkpoint.F32, Shape: slices.Clone(shape)}
	i.Bytes = 4 * int64(i.Len())
	return i
}
