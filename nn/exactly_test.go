package nn

import "github.com/unroll-ml/unroll/internal/kernel"

// Tests mean the numbers of workers that they ask for, also on a machine with
// fewer processors.
func init() { kernel.RunExactly(true) }
