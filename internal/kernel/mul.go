package kernel

import (
	"fmt"
	"math"
)

// Mul multiplies m rows with the panels [p0, p1) of w. For panel i, row r and
// every column c of the panel
//
//	acc := init(i, r, c)
//	for k := range w.K { acc = FMA(a(r)[k], weight(i, k, c), acc) }
//	dst(i, r, c) = acc
//
// init may be dst itself (accumulate) and may have Row 0 (one row for all, a
// bias); its Panel counts from p0 like that of dst; without Data it is zeros. If tail is not nil, the
// last gate of every block starts from tail instead: tail holds Lane values a
// block, counted from the first block of p0. Columns of a panel narrower than
// MaxCols leave the rest of dst untouched, as does a folded panel what lies beyond the
// Fold units of a gate. dst must not overlap a.
func Mul[F Float](w *Panels[F], p0, p1 int, dst, init Block[F], tail []F, a Rows[F], m int) {
	mul(w, p0, p1, dst, init, tail, left[F]{a.Data, a.Row, 1}, m)
}

// factors are what a product takes besides weights. They go from hand to hand by
// their address: a step of one sequence is short enough for copies to be seen.
type factors struct {
	dst, init Block[float32]
	tail      []float32
	a         left[float32]
	m         int
}

// mul is Mul for any left side.
func mul[F Float](w *Panels[F], p0, p1 int, dst, init Block[F], tail []F, a left[F], m int) {
	if m <= 0 || p0 >= p1 {
		return
	}
	if init.Data == nil {
		init = Block[F]{Data: zeroRow[F]()}
	}
	checkMul(&w.Layout, p0, p1, dst, init, tail, a, m)
	if isFloat32[F]() {
		f := factors{block32(dst), block32(init), slice32(tail), left32(a), m}
		if mulVector(as32(w), p0, p1, &f) {
			return
		}
	}
	for i := p0; i < p1; i++ {
		cols := w.Cols(i)
		j := i - p0
		var t []F
		if tail != nil {
			t = tail[j*w.Blocks*Lane:]
		}
		if w.folds(i) {
			mulFolded(w, i, dst.Data[j*dst.Panel:], dst.Row, init.Data[j*init.Panel:], init.Row, t, a, m)
			return // it is the last
		}
		mulPanel(w.Panel(i), w.K, cols, w.Gates, dst.Data[j*dst.Panel:], dst.Row, init.Data[j*init.Panel:], init.Row, t, a, m)
	}
}

func checkMul[F Float](w *Layout, p0, p1 int, dst, init Block[F], tail []F, a left[F], m int) {
	n, cols := p1-p0, w.span(p1-1)
	switch {
	case p0 < 0 || p1 > w.Len():
		panic(fmt.Sprintf("kernel: panels [%d,%d) of %d", p0, p1, w.Len()))
	case len(dst.Data) < (n-1)*dst.Panel+(m-1)*dst.Row+cols,
		len(init.Data) < (n-1)*init.Panel+(m-1)*init.Row+cols,
		w.K > 0 && len(a.Data) < (m-1)*a.Row+(w.K-1)*a.Col+1,
		tail != nil && len(tail) < ((n-1)*w.Blocks+w.blocks(p1-1))*Lane:
		panic("kernel: a slice of Mul is too short")
	}
}

// mulPanel is the defining loop of Mul for one panel.
func mulPanel[F Float](w []F, depth, cols, gates int, dst []F, ldd int, init []F, ldi int, tail []F, a left[F], m int) {
	if isFloat32[F]() {
		mulPanel32(any(w).([]float32), depth, cols, gates, any(dst).([]float32), ldd, any(init).([]float32), ldi, any(tail).([]float32), left32(a), m)
		return
	}
	var acc [4 * Lane]float64
	for r := range m {
		row := acc[:cols]
		for c := range row {
			row[c] = float64(init[r*ldi+c])
			if tail != nil && c/Lane%gates == gates-1 {
				row[c] = float64(tail[c/(Lane*gates)*Lane+c%Lane])
			}
		}
		for k := range depth {
			x := float64(a.Data[r*a.Row+k*a.Col])
			wk := w[k*cols : (k+1)*cols]
			for c, v := range wk {
				row[c] = math.FMA(x, float64(v), row[c])
			}
		}
		out := dst[r*ldd : r*ldd+cols]
		for c, v := range row {
			out[c] = F(v)
		}
	}
}

// mulFolded is mulPanel for the folded panel i.
func mulFolded[F Float](w *Panels[F], i int, dst []F, ldd int, init []F, ldi int, tail []F, a left[F], m int) {
	var from, to [2 * Lane]F
	cols := w.foldedCols()
	for r := range m {
		for c := range w.Gates * w.Fold {
			g, u := c/w.Fold, c%w.Fold
			from[c] = init[r*ldi+g*Lane+u]
			if tail != nil && g == w.Gates-1 {
				from[c] = tail[u]
			}
		}
		mulPanel(w.Panel(i), w.K, cols, 1, to[:], 0, from[:], 0, nil, left[F]{a.Data[min(r*a.Row, len(a.Data)):], a.Row, a.Col}, 1) // without steps there is no left side
		for c := range w.Gates * w.Fold {
			dst[r*ldd+c/w.Fold*Lane+c%w.Fold] = to[c]
		}
	}
}

// mulPanel32 is mulPanel for float32. The accumulators are float64 that hold
// float32 values, which saves conversions; FMA32 is written out in the loop.
func mulPanel32(w []float32, depth, cols, gates int, dst []float32, ldd int, init []float32, ldi int, tail []float32, a left[float32], m int) {
	var acc [4 * Lane]float64
	for r := range m {
		row := acc[:cols]
		for c := range row {
			row[c] = float64(init[r*ldi+c])
			if tail != nil && c/Lane%gates == gates-1 {
				row[c] = float64(tail[c/(Lane*gates)*Lane+c%Lane])
			}
		}
		for k := range depth {
			x := float64(a.Data[r*a.Row+k*a.Col])
			addProducts(row, x, w[k*cols:(k+1)*cols])
		}
		out := dst[r*ldd : r*ldd+cols]
		for c, v := range row {
			out[c] = float32(v)
		}
	}
}

// addProducts adds x times each weight to a row of sums, whose number is a multiple
// of 4, each rounded to float32 once.
func addProducts(row []float64, x float64, w []float32) {
	for len(w) >= 4 && len(row) >= 4 { // without tests of bounds
		p0, p1, p2, p3 := x*float64(w[0]), x*float64(w[1]), x*float64(w[2]), x*float64(w[3])
		s0, s1, s2, s3 := p0+row[0], p1+row[1], p2+row[2], p3+row[3]
		if rounds(s0) && rounds(s1) && rounds(s2) && rounds(s3) {
			row[0], row[1], row[2], row[3] = float64(float32(s0)), float64(float32(s1)), float64(float32(s2)), float64(float32(s3))
		} else {
			row[0], row[1] = float64(fma32Odd(p0, row[0], s0)), float64(fma32Odd(p1, row[1], s1))
			row[2], row[3] = float64(fma32Odd(p2, row[2], s2)), float64(fma32Odd(p3, row[3], s3))
		}
		w, row = w[4:], row[4:]
	}
}

// rounds reports that rounding the sum s of a product and a number to float32
// rounds once, as FMA32 explains. Zero, which padded units sum to, does: a sum of
// float64 is zero only if it is so without rounding.
func rounds(s float64) bool {
	t := math.Float64bits(s)
	return t&roundBits != roundHalf && t&^signBit-1 >= leastNormal-1
}
