// Package kernel is the arithmetic of the engine: products with packed
// weights, activations, the fused gates of each cell, and the worker pool.
//
// The pure Go code here is the definition of the result: every output element
// is a chain of fused multiply-adds along the inner dimension in index order,
// starting from a stated value, and every activation is one fixed sequence of
// IEEE operations. Whatever runs instead of it (vector instructions, more
// workers, other blocking) must give the same bits; NaNs are equal as a class,
// their payload is not defined. docs/numerics.md has the whole contract.
//
// The package knows nothing of layers, time or parameter names. Lengths are
// checked here, in Go, before any assembly runs; a wrong length is a defect of
// the caller and panics.
//
// Letters: B rows of a step, H hidden units, K the inner dimension.
package kernel

// Float is the set of element types. float64 always runs on pure Go.
type Float interface{ float32 | float64 }

// Lane is the number of hidden units of a block: one AVX-512 register of
// float32. Within a panel, Lane columns of one gate stand beside each other.
const Lane = 16

// Rows is a strided run of rows: row r starts at Data[r*Row]. Where an operand is
// only read, Row may be 0: one row for all.
type Rows[F Float] struct {
	Data []F
	Row  int
}

// At returns the first n elements of row r.
func (x Rows[F]) At(r, n int) []F { return x.Data[r*x.Row : r*x.Row+n] }

// From returns the rows from row r on; none where there is no Data.
func (x Rows[F]) From(r int) Rows[F] {
	if x.Data != nil {
		x.Data = x.Data[r*x.Row:]
	}
	return x
}

// left is the left side of a product: element (r, k) stands at Data[r*Row+k*Col].
// One of Row and Col is 1.
type left[F Float] struct {
	Data     []F
	Row, Col int
}

// Block is panel-major memory: element (panel i, row r, column c) stands at
// Data[i*Panel+r*Row+c], where i counts from the first panel of a call.
type Block[F Float] struct {
	Data       []F
	Panel, Row int
}
