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
)

// The kinds of errors; errors.Is finds them.
var (
	// ErrArgument: a setting that torch.optim refuses too.
	ErrArgument = errors.New("train: invalid argument")
	// ErrState: a saved state that does not fit.
	ErrState = errors.New("train: state does not fit")
	// ErrDiverged: the loss became NaN or infinite.
	ErrDiverged = errors.New("train: the loss is no longer a number")
)

func badArg(arg string, got any, want string) error {
	return fmt.Errorf("%w: %s is %v, expected %s", ErrArgument, arg, got, want)
}
