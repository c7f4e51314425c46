package kernel

import "github.com/unroll-ml/unroll/internal/fmath"

// Exp replaces every element of x by fmath.Exp of it.
func Exp(x []float64) {
	for len(x) > 0 {
		x = x[expBlocks(x):]
		// What fills no block, or lies where the result is not normal.
		n := min(len(x), 8)
		for i, v := range x[:n] {
			x[i] = fmath.Exp(v)
		}
		x = x[n:]
	}
}
