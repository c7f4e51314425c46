package kernel

import "fmt"

// Mul8 is Mul for a quantised left and right side. For panel i, row r and every
// column c of the panel
//
//	sum := a.Steps[r].Zero * w.Shift[i][c]
//	for k := range w.K { sum += int32(a(r)[k]) * int32(weight(i, k, c)) }
//	dst(i, r, c) = FMA(float32(sum), a.Steps[r].Scale*w.Scale[i][c], init(i, r, c))
//
// with int32 that wrap (a true sum fits), one rounding for the number of the sum,
// one for the product of the scales and one for the last step. init and tail are
// those of Mul. F is float32.
func Mul8[F Float](w *Panels8, p0, p1 int, dst, init Block[F], tail []F, a Rows8, m int) {
	if init.Data == nil {
		init = Block[F]{Data: zeroRow[F]()}
	}
	mul8(w, p0, p1, block32(dst), block32(init), slice32(tail), w.Shift, a, m, false)
}

// Sums8 writes the sums alone, as int32 in the memory of dst (row r of panel i at
// dst[i*panel+r*row], i counted from p0), each from its column's value in shift,
// which is laid out like w.Shift; a has no Steps. Who writes w.Data himself calls
// Written before.
func Sums8(w *Panels8, p0, p1 int, dst []int32, panel, row int, shift []int32, a Rows8, m int) {
	mul8(w, p0, p1, Block[float32]{bytes32(dst), panel, row}, Block[float32]{Data: zeroRow[float32]()}, nil, shift, a, m, true)
}

func mul8(w *Panels8, p0, p1 int, dst, init Block[float32], tail []float32, shift []int32, a Rows8, m int, raw bool) {
	if m <= 0 || p0 >= p1 {
		return
	}
	n, cols := p1-p0, w.Cols(p1-1)
	own := a.Steps != nil
	switch {
	case p0 < 0 || p1 > w.Len() || own && w.K > MaxK8:
		panic(fmt.Sprintf("kernel: panels [%d,%d) of %d, of %d rows", p0, p1, w.Len(), w.K))
	case len(dst.Data) < (n-1)*dst.Panel+(m-1)*dst.Row+cols,
		len(init.Data) < (n-1)*init.Panel+(m-1)*init.Row+cols,
		len(shift) < w.Len()*w.MaxCols(),
		len(a.Data) < (m-1)*a.Row+w.Groups()*group8,
		own && (raw || len(a.Steps) < m),
		tail != nil && len(tail) < ((n-1)*w.Blocks+w.blocks(p1-1))*Lane:
		panic("kernel: a slice of Mul8 is too short")
	}
	if mul8Vector(w, p0, p1, dst, init, tail, shift, a, m, raw) {
		return
	}
	for i := p0; i < p1; i++ {
		j := i - p0
		var t []float32
		if tail != nil {
			t = tail[j*w.Blocks*Lane:]
		}
		w.mulPanel8(i, dst.Data[j*dst.Panel:], dst.Row, init.Data[j*init.Panel:], init.Row, t, shift, a, m, raw)
	}
}

// mulPanel8 is the defining loop of Mul8 for one panel.
func (p *Panels8) mulPanel8(i int, dst []float32, ldd int, init []float32, ldi int, tail []float32, shift []int32, a Rows8, m int, raw bool) {
	w, cols, at := p.Panel(i), p.Cols(i), i*p.MaxCols()
	var sums [4 * Lane]int32
	for r := range m {
		sum, steps := sums[:cols], a.steps(r)
		for c, v := range shift[at : at+cols] {
			sum[c] = steps.Zero * v
		}
		x := a.Data[r*a.Row:]
		for g := range p.Groups() {
			x0, x1, x2, x3 := int32(x[g*4]), int32(x[g*4+1]), int32(x[g*4+2]), int32(x[g*4+3])
			wg := w[g*cols*4 : (g+1)*cols*4]
			for c := range sum {
				v := wg[c*4 : c*4+4 : c*4+4]
				sum[c] += x0*int32(v[0]) + x1*int32(v[1]) + x2*int32(v[2]) + x3*int32(v[3])
			}
		}
		if raw {
			copy(dst[r*ldd:r*ldd+cols], bytes32(sum))
			continue
		}
		for c, v := range sum {
			start := init[r*ldi+c]
			if tail != nil && c/Lane%p.Gates == p.Gates-1 {
				start = tail[c/(Lane*p.Gates)*Lane+c%Lane]
			}
			dst[r*ldd+c] = FMA32(float32(v), float32(steps.Scale*p.Scale[at+c]), start)
		}
	}
}

// one are the steps of rows that have none, as many as a microkernel has rows: their
// sums start from the columns' own values.
var one = [...]Steps{{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}

// steps are those of row r as products read them.
func (x Rows8) steps(r int) Steps {
	if x.Steps == nil {
		return one[0]
	}
	return x.Steps[r]
}
