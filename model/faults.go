package model

import (
	"errors"
	"fmt"

	"github.com/unroll-ml/unroll"
)

// RowError says which rows of a step the model refused, and why.
type RowError struct {
	Rows []int
	Errs []error // one a row
}

// Error names the rows and the first reason.
func (e *RowError) Error() string {
	if len(e.Rows) == 1 {
		return fmt.Sprintf("row %d of a step was refused: %v", e.Rows[0], e.Errs[0])
	}
	return fmt.Sprintf("rows %v of a step were refused, row %d because of this: %v", e.Rows, e.Rows[0], e.Errs[0])
}

// Unwrap returns the reasons.
func (e *RowError) Unwrap() []error { return e.Errs }

// faults gathers what is wrong with the rows of a step.
type faults struct {
	refused *RowError
	numbers *unroll.NonFiniteError
}

func (f *faults) row(i int, err error) {
	if f.refused == nil {
		f.refused = &RowError{}
	}
	f.refused.Rows, f.refused.Errs = append(f.refused.Rows, i), append(f.refused.Errs, err)
}

// number notes a row with a number that is not finite, in its input or its result.
func (f *faults) number(i int, input, refused bool) {
	if f.numbers == nil {
		f.numbers = &unroll.NonFiniteError{Refused: refused}
	}
	if !input {
		f.numbers.Inputs = append(f.numbers.Inputs, i)
	} else {
		f.numbers.Results = append(f.numbers.Results, i)
	}
}

func (f *faults) err() error {
	switch {
	case f.refused == nil && f.numbers == nil:
		return nil
	case f.numbers == nil:
		return f.refused
	case f.refused == nil:
		return f.numbers
	}
	return errors.Join(f.refused, f.numbers)
}
