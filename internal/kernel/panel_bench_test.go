package kernel

import "testing"

// BenchmarkDefinition is the defining loop of products, which pure Go and WebAssembly
// run: a panel of 64 columns, K = 64, of one row and of eight, and one that is padded.
func BenchmarkDefinition(b *testing.B) {
	const depth, cols = 64, 64
	for _, c := range []struct {
		name       string
		rows, full int
	}{{"1row", 1, cols}, {"8rows", 8, cols}, {"1row-of-4-units", 1, 4}} {
		w, x, out := make([]float32, depth*cols), make([]float32, c.rows*depth), make([]float32, c.rows*cols)
		for i := range w {
			if i%Lane < c.full {
				w[i] = float32(i%37)/37 - 0.5
			}
		}
		for i := range x {
			x[i] = float32(i%29)/29 - 0.5
		}
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				mulPanel32(w, depth, cols, 4, out, cols, out, cols, nil, left[float32]{x, depth, 1}, c.rows)
			}
		})
	}
}
