package unroll

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/scan"
)

// Finite says what a stream does about a NaN or an infinity in an input or in
// the states a step gives. A NaN in a state stays there for ever.
type Finite int

const (
	// AnyNumber means that they are not looked for, which is the default.
	AnyNumber Finite = iota
	// ReportNonFinite means that the step is taken, and is an ErrNonFinite.
	ReportNonFinite
	// RefuseNonFinite means that the step is an ErrNonFinite, the states stay as
	// they were, and y is zeros.
	RefuseNonFinite
)

// NonFiniteError says which rows of a step were not finite. It is an
// ErrNonFinite.
type NonFiniteError struct {
	// Inputs are the rows whose x was not finite, Results those whose x was and
	// whose new state was not.
	Inputs, Results []int
	// Refused: the rows' states are those before the step.
	Refused bool
}

// Error names the rows.
func (e *NonFiniteError) Error() string {
	s := "a step with numbers that are not finite"
	if len(e.Inputs) > 0 {
		s += fmt.Sprintf(", in x of rows %v", e.Inputs)
	}
	if len(e.Results) > 0 {
		s += fmt.Sprintf(", in the new state of rows %v", e.Results)
	}
	if e.Refused {
		return s + "; it was refused, and the states are those before it"
	}
	return s + "; it was taken, and the states have them now"
}

// Unwrap returns ErrNonFinite.
func (e *NonFiniteError) Unwrap() error { return ErrNonFinite }

// SetFinite says what Step does about numbers that are not finite. To refuse
// costs the memory of another copy of the states.
func (s *StreamOf[F]) SetFinite(f Finite) {
	if s.made() != nil {
		return
	}
	if s.finite, s.kept = f, nil; f == RefuseNonFinite {
		s.kept = make([][]F, s.batch)
		for i := range s.kept {
			s.kept[i] = make([]F, s.run.Stack.StateLen())
		}
	}
}

// checkedStep is Step of a stream that looks at its numbers. A stream steps all
// its sequences or none.
func (s *StreamOf[F]) checkedStep(y, x []F) error {
	refuse := s.finite == RefuseNonFinite
	var bad *NonFiniteError
	in := s.layer.cfg.InputSize
	for i := range s.batch {
		bad = addRow(bad, i, scan.Finite(x[i*in:(i+1)*in]), true, refuse)
	}
	if refuse {
		if bad != nil {
			clear(y)
			return bad
		}
		for i, st := range s.kept {
			s.run.Give(i, st)
		}
	}
	s.step(y, x)
	for i := range s.batch {
		if scan.Finite(x[i*in : (i+1)*in]) {
			bad = addRow(bad, i, true, s.run.Finite(i), refuse)
		}
	}
	if bad == nil {
		return nil
	}
	if refuse {
		s.run.Take(s.kept)
		clear(y)
	}
	return bad
}

// addRow puts a row with an input or a result that is not finite on the list.
func addRow(e *NonFiniteError, row int, input, result, refused bool) *NonFiniteError {
	if input && result {
		return e
	}
	if e == nil {
		e = &NonFiniteError{Refused: refused}
	}
	if !input {
		e.Inputs = append(e.Inputs, row)
	} else {
		e.Results = append(e.Results, row)
	}
	return e
}
