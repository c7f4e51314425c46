package live

import (
	"errors"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/tensor"
)

// windowErrors gathers what is wrong with the rows of a step.
type windowErrors struct {
	refused *model.RowError
	numbers *unroll.NonFiniteError
}

func (e *windowErrors) row(r int, err error) {
	if e.refused == nil {
		e.refused = &model.RowError{}
	}
	e.refused.Rows, e.refused.Errs = append(e.refused.Rows, r), append(e.refused.Errs, err)
}

func (e *windowErrors) number(r int, input bool) {
	if e.numbers == nil {
		e.numbers = &unroll.NonFiniteError{Refused: true}
	}
	if input {
		e.numbers.Inputs = append(e.numbers.Inputs, r)
	} else {
		e.numbers.Results = append(e.numbers.Results, r)
	}
}

func (e *windowErrors) err() error {
	switch {
	case e.refused == nil && e.numbers == nil:
		return nil
	case e.numbers == nil:
		return e.refused
	case e.refused == nil:
		return e.numbers
	}
	return errors.Join(e.refused, e.numbers)
}

func dense(data []float32, shape ...int) tensor.Dense {
	return tensor.Dense{Shape: shape, Data: data}
}
