package unroll_test

import (
	"errors"

	"github.com/unroll-ml/unroll"
)

// isArg reports whether err is an *ArgError of the kind that names argument,
// what came and what was expected.
func isArg(err, kind error) bool {
	var arg *unroll.ArgError
	return errors.Is(err, kind) && errors.As(err, &arg) && arg.Arg != "" && arg.Got != "" && arg.Want != ""
}
