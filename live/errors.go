package live

import (
	"errors"
	"fmt"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/model"
)

// Kinds of errors; errors.Is finds them.
var (
	// ErrFull means that a limit of Options is reached: sequences, bytes, or steps
	// that wait.
	ErrFull = errors.New("live: the pool is full")
	// ErrUnknown means that there is no sequence under the key.
	ErrUnknown = errors.New("live: no such sequence")
	// ErrExists means that there is one already.
	ErrExists = errors.New("live: the sequence exists")
	// ErrEnded means that the sequence ended while the step waited.
	ErrEnded = errors.New("live: the sequence ended")
	// ErrMarked means that the sequence got a number that is not finite and has no
	// state any more.
	ErrMarked = errors.New("live: the sequence is marked")
	// ErrStep means that the sequence has made another number of steps than was
	// expected.
	ErrStep = errors.New("live: another step was expected")
	// ErrClosed means that the pool is closed.
	ErrClosed = errors.New("live: the pool is closed")
	// ErrForeign means that a state was made with other parameters or by another
	// model.
	ErrForeign = errors.New("live: the state is of another model")
	// ErrCapsule means that bytes are not a whole capsule or snapshot.
	ErrCapsule = errors.New("live: not a whole capsule or snapshot")
	// ErrInput means that the model does not take the numbers of a step; the
	// sequence is as it was.
	ErrInput = model.ErrInput
	// ErrNonFinite is unroll.ErrNonFinite.
	ErrNonFinite = unroll.ErrNonFinite
	// ErrShape is unroll.ErrShape.
	ErrShape = unroll.ErrShape
)

// Error says which sequence it was and why.
type Error struct {
	Kind   error // one of the package's Err values
	Key    string
	Reason string // a sentence, or empty
	Ended  Reason // with ErrUnknown and ErrEnded: why the sequence ended; empty: no memory of it
	Cause  error  // of the model, with ErrInput; or nil
	Steps  uint64 // with ErrStep: how many steps the sequence has made
}

// Error returns one line.
func (e *Error) Error() string {
	s := e.Kind.Error()
	if e.Key != "" {
		s = fmt.Sprintf("sequence %.80q: %s", e.Key, s)
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// RowError is the error of one row of StepAll.
type RowError struct {
	Row int
	Err error
}

// RowErrors are the errors of StepAll, by rising row; the other rows stepped.
type RowErrors []RowError

// Error returns the first and how many there are.
func (e RowErrors) Error() string {
	if len(e) == 0 {
		return "no row"
	}
	s := fmt.Sprintf("row %d: %v", e[0].Row, e[0].Err)
	if len(e) > 1 {
		s += fmt.Sprintf(" (and %d rows more)", len(e)-1)
	}
	return s
}

// Unwrap returns the errors of all rows.
func (e RowErrors) Unwrap() []error {
	all := make([]error, len(e))
	for i, r := range e {
		all[i] = r.Err
	}
	return all
}
