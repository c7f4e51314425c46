package live

import "github.com/unroll-ml/unroll"

// target is what a pool steps: a layer today. A model of state pairs can be one:
// its pairs, flat and one after another, are the state.
type target interface {
	signature() string
	sizes() (in, out, state int)
	// last writes the output of a sequence's last step, if its state has it.
	last(y, state []float32) bool
	// stepper returns one for a goroutine, ready for its first step.
	stepper(rows int) (stepper, error)
}

// stepper steps rows in place and refuses those that are not finite with a
// *unroll.NonFiniteError; see unroll.Rows.
type stepper interface {
	Step(y, x []float32, states [][]float32) error
}

type layerTarget struct{ *unroll.Layer }

func (l layerTarget) signature() string { return l.Signature() }

func (l layerTarget) sizes() (in, out, state int) {
	c := l.Config()
	return c.InputSize, c.OutputSize(), c.StateLen()
}

// last is the top layer's hidden state.
func (l layerTarget) last(y, state []float32) bool {
	c := l.Config()
	copy(y, state[(c.Layers()-1)*c.StateSize():])
	return true
}

func (l layerTarget) stepper(rows int) (stepper, error) {
	w, err := l.NewRows(rows)
	if err != nil {
		return nil, err
	}
	w.SetFinite(unroll.RefuseNonFinite)
	return w, w.Prepare()
}
