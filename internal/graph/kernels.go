package graph

import k "github.com/unroll-ml/unroll/internal/kernel"

// This file and integers.go are all that the operators use of package kernel.

// tanhTo and sigmoidTo are those of the recurrent cells.
func tanhTo(dst, x []float32)    { k.TanhTo(dst, x) }
func sigmoidTo(dst, x []float32) { k.SigmoidTo(dst, x) }

// flushTo puts +0 for numbers closer to zero than 2^-100, as packing does.
func flushTo(dst, x []float32) { k.FlushTo(dst, x) }

// relu32 is relu of float32.
func relu32(dst, x []float32) { k.ReLUTo(dst, x) }

// add32 writes a+b.
func add32(dst, a, b []float32) {
	k.AddRows(1, len(dst), k.Rows[float32]{Data: dst}, k.Rows[float32]{Data: a}, k.Rows[float32]{Data: b})
}

// mul32 writes a*b.
func mul32(dst, a, b []float32) { k.Product(dst, a, b) }

// largerTo puts x in the place of dst where it is larger or NaN, and dst is a number.
func largerTo(dst, x []float32) { k.LargerTo(dst, dst, x) }

// largerRows is largerTo for m rows of n numbers; those of x lie step apart.
func largerRows(dst, x []float32, m, n, step int) {
	rows := k.Rows[float32]{Data: dst, Row: n}
	k.LargerRows(m, n, rows, rows, k.Rows[float32]{Data: x, Row: step})
}

// fmaRows writes a*b+c, rounded once.
func fmaRows(dst, a, b, c []float32) {
	k.FMARows(1, len(dst), k.Rows[float32]{Data: dst}, k.Rows[float32]{Data: a}, k.Rows[float32]{Data: b}, k.Rows[float32]{Data: c})
}

// scaleRows makes every row of x, as long as scale, x*scale+bias, rounded once.
func scaleRows(x, scale, bias []float32) {
	n := len(scale)
	rows := k.Rows[float32]{Data: x, Row: n}
	k.FMARows(len(x)/n, n, rows, rows, k.Rows[float32]{Data: scale}, k.Rows[float32]{Data: bias})
}

// addToRows writes every row of x, as long as y, plus y.
func addToRows(dst, x, y []float32) {
	n := len(y)
	k.AddRows(len(x)/n, n, k.Rows[float32]{Data: dst, Row: n}, k.Rows[float32]{Data: x, Row: n}, k.Rows[float32]{Data: y})
}

func tanh64(x float64) float64      { return k.Tanh64(x) }
func sigmoid64(x float64) float64   { return k.Sigmoid64(x) }
func fma32(a, b, c float32) float32 { return k.FMA32(a, b, c) }

// panels are a packed right-hand side of products.
type panels struct {
	p *k.Panels[float32]
}

// pack packs depth rows of units columns: the weight of column u, row r is
// w[u*unit+r*row].
func pack(w []float32, depth, units, unit, row int) panels {
	p := k.NewPanels[float32](depth, units, 1)
	p.Pack(w, 0, unit, row)
	return panels{p}
}

// maxDepth8 is how many products a sum of integers may have.
const maxDepth8 = k.MaxK8

// mulRows8 is mulRows with weights of integers, for rows that lie one after another:
// each is rounded with a scale of its own.
func mulRows8(w *panels8, dst []float32, ldd int, init []float32, ldi int, a []float32, m int, s *scratchRows) {
	k.MulRows8(&w.Panels8, 0, w.Len(), k.Rows[float32]{Data: dst, Row: ldd}, k.Rows[float32]{Data: init, Row: ldi}, k.Rows[float32]{Data: a, Row: w.K}, m, s)
}

// quantiseWeights writes the weights of an output as integers and returns their scale.
func quantiseWeights(q []int8, w []float32) float32 { return k.QuantiseWeights(q, w) }

// scratchRows is the memory of products for one goroutine.
type scratchRows = k.Scratch[float32]

// mulRows adds the products of m rows of a, element (r, k) at a[r*row+k*col], to
// what dst starts from: init, its rows ldi elements apart, or zeros for nil. One of
// row and col is 1.
func mulRows(w panels, dst []float32, ldd int, init []float32, ldi int, a []float32, row, col, m int, s *scratchRows) {
	to, from := k.Rows[float32]{Data: dst, Row: ldd}, k.Rows[float32]{Data: init, Row: ldi}
	if row == 1 && col != 1 {
		k.MulColumns(w.p, 0, w.p.Len(), to, from, k.Rows[float32]{Data: a, Row: col}, m, s)
		return
	}
	k.MulRows(w.p, 0, w.p.Len(), to, from, k.Rows[float32]{Data: a, Row: row}, m, s)
}

// packing is the memory in which a right-hand side that changes is packed.
type packing struct {
	panels panels
	rows   scratchRows
}

func newPacking(depth, n int) *packing {
	return &packing{panels: panels{k.NewPanels[float32](depth, n, 1)}}
}

func (p *packing) pack(w []float32, unit, row int) { p.panels.p.Pack(w, 0, unit, row) }

// resize sets the sizes of what is packed next, at most those it was made for.
func (p *packing) resize(depth, n int) { p.panels.p.Resize(depth, n, 1) }

// expAll replaces every element by its exponential.
func expAll(x []float64) { k.Exp(x) }
