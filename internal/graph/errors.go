package graph

import (
	"errors"
	"fmt"
)

// Kinds of errors; what the package returns is one of them, or of package
// checkpoint where a constant could not be loaded.
var (
	// ErrGraph: the program does not hold together: a name twice, a value used
	// before it is made, shapes that an operator does not take.
	ErrGraph = errors.New("graph: the program is not valid")
	// ErrOperator: an operator, or a use of one, is not in the table.
	ErrOperator = errors.New("graph: operator not supported")
	// ErrInput: a value given to Run does not fit.
	ErrInput = errors.New("graph: wrong input")
	// ErrLimit: more memory or work is asked for than Limits allow.
	ErrLimit = errors.New("graph: limit exceeded")
)

// Error is what is wrong with a node, an input or the program.
type Error struct {
	Place  string // `node "y" (Conv)`, `input "x"`; empty: the program
	Reason string
	Err    error // kind
}

// Error returns place and reason in one line.
func (e *Error) Error() string {
	if e.Place == "" {
		return e.Reason
	}
	return e.Place + ": " + e.Reason
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Err }

func graphError(place, format string, a ...any) error {
	return &Error{Place: place, Reason: fmt.Sprintf(format, a...), Err: ErrGraph}
}

// at adds a node to an error that has no place yet.
func at(n *Node, err error) error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &e):
		return &Error{Place: n.String(), Reason: err.Error(), Err: errors.Join(ErrGraph, err)}
	case e.Place == "":
		with := *e
		with.Place = n.String()
		return &with
	}
	return err
}
