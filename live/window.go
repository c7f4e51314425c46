package live

import (
	"errors"

	"github.com/unroll-ml/unroll/nn"
)

// OfWindow returns a target whose every step runs a model over the last steps
// inputs: a forecaster over its lags, a bidirectional model, one whose head needs
// more than the newest step. A sequence's state is a ring of its inputs, x [steps,I],
// and seen [1], how many of them came. A step reads x [I] and writes what the model
// gives last: y [C]. Until steps inputs came, the model sees those that did.
func OfWindow(m *nn.Model, steps int) (Target, error) {
	return nil, errors.New("live: not there yet")
}
