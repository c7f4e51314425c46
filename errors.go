package unroll

import (
	"errors"
	"fmt"

	"github.com/unroll-ml/unroll/tensor"
)

// The kinds of errors; errors.Is finds them in what the package returns, and
// errors.As finds an *ArgError or a *LoadError with the facts.
var (
	// ErrConfig: a Config that no layer can have.
	ErrConfig = errors.New("unroll: invalid config")
	// ErrShape: a tensor or slice of the wrong shape or length. It is
	// tensor.ErrShape.
	ErrShape = tensor.ErrShape
	// ErrLengths: sequence lengths that do not fit the input.
	ErrLengths = errors.New("unroll: invalid lengths")
	// ErrParams: parameters that are missing, unexpected or of the wrong shape.
	ErrParams = errors.New("unroll: parameters do not fit the layer")
	// ErrUsage: a call that the layer or the pass cannot answer as it stands.
	ErrUsage = errors.New("unroll: invalid use")
	// ErrState: a state that another layer gave.
	ErrState = errors.New("unroll: the state of another layer")
	// ErrNonFinite: an input or a result with a NaN or an infinity in it, where
	// that is looked for.
	ErrNonFinite = errors.New("unroll: a number that is not finite")
)

// ArgError says which argument was wrong, what came and what was expected.
type ArgError struct {
	Kind error  // one of the package's Err values
	Arg  string // the argument, by PyTorch's name where it has one
	Got  string
	Want string
	Hint string // what to do, where that does not follow from Want
}

// Error returns one line.
func (e *ArgError) Error() string {
	s := fmt.Sprintf("%s: got %s, expected %s", e.Arg, e.Got, e.Want)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap returns the kind.
func (e *ArgError) Unwrap() error { return e.Kind }
