// Package nn puts a recurrent layer to work: Embedding before it, Linear
// after it, losses, and Model, which is all of them together and is saved and
// loaded as a folder. Names, shapes and results are those of torch.nn.
//
// Letters: T steps, B sequences, I features, H hidden units, C classes or
// columns of the head's output, N rows (T*B, or B where only the last state
// is used).
//
// Types are generic over the element type; the short names are float32.
package nn

import (
	"errors"
	"fmt"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// The kinds of errors; errors.Is finds them, and errors.As finds an
// *unroll.ArgError, a *tensor.ShapeError, an *IndexError, a *FolderError or an
// *unroll.LoadError with the facts.
var (
	// ErrConfig: a setting no model or loss can have.
	ErrConfig = errors.New("nn: invalid config")
	// ErrIndex: an embedding index or a target class out of range.
	ErrIndex = errors.New("nn: index out of range")
	// ErrShape: a tensor or slice of the wrong shape; it is tensor.ErrShape.
	ErrShape = tensor.ErrShape
	// ErrFolder: a model folder that is damaged or incomplete.
	ErrFolder = errors.New("nn: invalid model folder")
	// ErrUsage: a call that cannot be answered as things stand: values that no
	// constructor made, or calls in an order that makes no sense.
	ErrUsage = errors.New("nn: invalid use")
)

// IndexError says which index was out of range. It is an ErrIndex.
type IndexError struct {
	Arg   string // "token" or "target"
	At    int    // position in the flattened argument
	Got   int
	Limit int // the first index beyond the range
}

// Error returns one line.
func (e *IndexError) Error() string {
	return fmt.Sprintf("%s at position %d is %d, expected 0 to %d", e.Arg, e.At, e.Got, e.Limit-1)
}

// Unwrap returns ErrIndex.
func (e *IndexError) Unwrap() error { return ErrIndex }

// FolderError says what is wrong with a model folder. It is an ErrFolder.
type FolderError struct {
	Path   string // of the file
	Reason string
	Hint   string // what to do, where that does not follow from Reason
}

// Error returns one line.
func (e *FolderError) Error() string {
	s := e.Path + ": " + e.Reason
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap returns ErrFolder.
func (e *FolderError) Unwrap() error { return ErrFolder }

func badConfig(arg string, got any, want string) error {
	return &unroll.ArgError{Kind: ErrConfig, Arg: arg, Got: fmt.Sprint(got), Want: want}
}

func badUse(arg, got, want string) error {
	return &unroll.ArgError{Kind: ErrUsage, Arg: arg, Got: got, Want: want}
}

func badShape(arg string, got []int, want string) error {
	return &tensor.ShapeError{Arg: arg, Got: got, Want: want}
}

// grow returns a slice of length n with undefined contents, reusing s.
func grow[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}
