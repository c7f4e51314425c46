// Package train makes models better: optimisers, gradient clipping, learning
// rate schedules (names, defaults and results of torch.optim), the loop that
// puts them together, and checkpoints from which a stopped run continues to the
// same bits.
//
// Nothing here is safe for use by several goroutines at once.
package train

import (
	"errors"
	"fmt"

	unroll "github.com/unroll-ml/unroll"
)

// The kinds of errors; errors.Is finds them, and errors.As finds an
// *unroll.ArgError, a *tensor.ShapeError or a *DivergedError with the facts.
var (
	// ErrArgument: a setting that torch.optim refuses too.
	ErrArgument = errors.New("train: invalid argument")
	// ErrState: a saved state that does not fit.
	ErrState = errors.New("train: state does not fit")
	// ErrDiverged: the loss became NaN or infinite.
	ErrDiverged = errors.New("train: the loss is no longer a number")
)

func badArg(arg string, got any, want string) error {
	return &unroll.ArgError{Kind: ErrArgument, Arg: arg, Got: fmt.Sprint(got), Want: want}
}

func badState(arg, got, want string) error {
	return &unroll.ArgError{Kind: ErrState, Arg: arg, Got: got, Want: want}
}

// DivergedError says which number was no longer one, and when. It is an
// ErrDiverged.
type DivergedError struct {
	What  string // "training loss", "validation loss" or "norm of the gradients"
	Got   float64
	Step  int // from 1
	Epoch int // from 1
}

// Error returns one line.
func (e *DivergedError) Error() string {
	return fmt.Sprintf("the %s is no longer a number: it is %v in step %d (epoch %d); a lower learning rate or clipping may help", e.What, e.Got, e.Step, e.Epoch)
}

// Unwrap returns ErrDiverged.
func (e *DivergedError) Unwrap() error { return ErrDiverged }
