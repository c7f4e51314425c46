package scan

import "github.com/unroll-ml/unroll/internal/kernel"

// Precision is the form of a layer's weights.
type Precision int

// The forms. Only float32 layers have others than Full.
const (
	Full     Precision = iota // as they are
	Int8                      // 8-bit integers; what they multiply is made one row by row
	BFloat16                  // rounded to 8 binary digits
)

// product is the packed weights of a product. Where they are not Full, only the
// layout stands in Panels.
type product[F kernel.Float] struct {
	kernel.Panels[F]
	precision Precision
	int8      kernel.Panels8
	half      kernel.Panels16
}

// lay sets the sizes and makes memory for the numbers; with narrow, panels have
// one block whatever the number of gates.
func (p *product[F]) lay(precision Precision, k, units, gates int, narrow bool) {
	p.precision = precision
	layout := kernel.NewLayout(k, units, gates)
	if narrow {
		layout.Blocks = 1
	}
	switch precision {
	case Int8:
		p.int8.Resize(layout)
	case BFloat16:
		p.half.Resize(layout)
	default:
		p.Panels.Resize(k, units, gates) // whose layout may be folded
		p.Blocks = layout.Blocks
		return
	}
	p.Layout = layout
}

// PackPanel packs a panel in the product's form.
func (p *product[F]) PackPanel(i int, w []F, gate, unit, row int) {
	switch p.precision {
	case Int8:
		kernel.PackPanel8(&p.int8, i, w, gate, unit, row)
	case BFloat16:
		kernel.PackPanel16(&p.half, i, w, gate, unit, row)
	default:
		p.Panels.PackPanel(i, w, gate, unit, row)
	}
}

// left is the left side of products: rows, and their integers where weights are.
type left[F kernel.Float] struct {
	rows kernel.Rows[F]
	int8 *kernel.Rows8
}

// left prepares m rows for the product, in the hand's memory, which holds one left
// side at a time. Each worker prepares all rows by itself: that costs less than
// meeting the others.
func (p *product[F]) left(rows kernel.Rows[F], m int, h *hand[F]) left[F] {
	if p.precision != Int8 {
		return left[F]{rows: rows}
	}
	kernel.Quantise(&h.int8, rows, m, p.K)
	return left[F]{rows, &h.int8}
}

// mul multiplies m rows of a left side, from row r on, with panels [p0,p1), as
// kernel.Mul does.
func (p *product[F]) mul(p0, p1 int, dst, init kernel.Block[F], tail []F, a left[F], r, m int) {
	switch p.precision {
	case Int8:
		kernel.Mul8(&p.int8, p0, p1, dst, init, tail, a.int8.From(r), m)
	case BFloat16:
		kernel.Mul16(&p.half, p0, p1, dst, init, tail, a.rows.From(r), m)
	default:
		kernel.Mul(&p.Panels, p0, p1, dst, init, tail, a.rows.From(r), m)
	}
}
