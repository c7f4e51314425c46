package kernel

import "math"

// What a cell with settings does between its sums and its states, piece by piece:
// m rows of n units of each operand, which may be the same memory where it is both
// read and written. The loops here are the definitions; each has a routine in the
// table of fused operations, at the level that has it.

// TanhRows applies tanh to m rows of n units of x, in place.
func TanhRows[F Float](m, n int, x Rows[F]) {
	if !Fused(tanhOf, Gates{M: m, N: n}, x, x) {
		eachUnit(m, n, x, Tanh[F])
	}
}

// SigmoidRows is TanhRows of the logistic function.
func SigmoidRows[F Float](m, n int, x Rows[F]) {
	if !Fused(sigmoidOf, Gates{M: m, N: n}, x, x) {
		eachUnit(m, n, x, Sigmoid[F])
	}
}

// ReLURows is TanhRows of ReLU.
func ReLURows[F Float](m, n int, x Rows[F]) {
	if !Fused(reluOf, Gates{M: m, N: n}, x, x) {
		eachUnit(m, n, x, ReLU[F])
	}
}

// eachUnit applies f to x in place.
func eachUnit[F Float](m, n int, x Rows[F], f func(F) F) {
	for r := range m {
		row := x.At(r, n)
		for j, v := range row {
			row[j] = f(v)
		}
	}
}

// Line is a straight line between two bounds:
//
//	y = fma(Slope, x, Offset); Lo where y < Lo, Hi where y > Hi
//
// so that a NaN stays one and -0 is within a bound of 0. With the slope 1 and the
// offset -0 it bounds x and changes nothing else.
type Line[F Float] struct{ Slope, Offset, Lo, Hi F }

// At returns the line's y.
func (l *Line[F]) At(x F) F {
	y := FMA(l.Slope, x, l.Offset)
	if y < l.Lo {
		y = l.Lo
	}
	if y > l.Hi {
		y = l.Hi
	}
	return y
}

// copies is the line that changes nothing.
var copies = Line[float32]{1, float32(math.Copysign(0, -1)), float32(math.Inf(-1)), float32(math.Inf(1))}

// copyRows copies m rows of n units, without a call for each row.
func copyRows[F Float](m, n int, dst, src Rows[F]) {
	if Fused(lineOf, Gates{M: m, N: n, Constants: copies.constants()}, src, dst) {
		return
	}
	for r := range m {
		copy(dst.At(r, n), src.At(r, n))
	}
}

// constants returns the line as a routine takes it.
func (l *Line[F]) constants() [4]float32 {
	return [4]float32{float32(l.Slope), float32(l.Offset), float32(l.Lo), float32(l.Hi)}
}

// LineRows writes the line of src to dst.
func LineRows[F Float](m, n int, dst, src Rows[F], l *Line[F]) {
	if Fused(lineOf, Gates{M: m, N: n, Constants: l.constants()}, src, dst) {
		return
	}
	for r := range m {
		d := dst.At(r, n)
		for j, x := range src.At(r, n) {
			d[j] = l.At(x)
		}
	}
}

// LeakyRows multiplies what of x is negative with alpha, in place.
func LeakyRows[F Float](m, n int, x Rows[F], alpha F) {
	if Fused(leakyOf, Gates{M: m, N: n, Constants: [4]float32{float32(alpha)}}, x, x) {
		return
	}
	for r := range m {
		row := x.At(r, n)
		for j, v := range row {
			if v < 0 {
				row[j] = alpha * v
			}
		}
	}
}

// ThresholdRows makes what of x is at most alpha 0, in place.
func ThresholdRows[F Float](m, n int, x Rows[F], alpha F) {
	if Fused(thresholdOf, Gates{M: m, N: n, Constants: [4]float32{float32(alpha)}}, x, x) {
		return
	}
	for r := range m {
		row := x.At(r, n)
		for j, v := range row {
			if v <= alpha {
				row[j] = 0
			}
		}
	}
}

// SoftsignRows makes x x/(1+|x|), in place.
func SoftsignRows[F Float](m, n int, x Rows[F]) {
	if !Fused(softsignOf, Gates{M: m, N: n}, x, x) {
		eachUnit(m, n, x, func(v F) F { return v / (1 + max(v, -v)) })
	}
}

// TimesRows writes Flush(a*b) to dst.
func TimesRows[F Float](m, n int, dst, a, b Rows[F]) {
	if Fused(timesOf, Gates{M: m, N: n}, a, b, dst) {
		return
	}
	for r := range m {
		d, x, y := dst.At(r, n), a.At(r, n), b.At(r, n)
		for j := range d {
			d[j] = Flush(F(x[j] * y[j]))
		}
	}
}

// FMARows writes fma(a, b, c) to dst.
func FMARows[F Float](m, n int, dst, a, b, c Rows[F]) {
	if Fused(fmaOf, Gates{M: m, N: n}, a, b, c, dst) {
		return
	}
	for r := range m {
		d, x, y, z := dst.At(r, n), a.At(r, n), b.At(r, n), c.At(r, n)
		for j := range d {
			d[j] = FMA(x[j], y[j], z[j])
		}
	}
}

// AddRows writes a+b to dst.
func AddRows[F Float](m, n int, dst, a, b Rows[F]) {
	if Fused(addOf, Gates{M: m, N: n}, a, b, dst) {
		return
	}
	for r := range m {
		d, x, y := dst.At(r, n), a.At(r, n), b.At(r, n)
		for j := range d {
			d[j] = x[j] + y[j]
		}
	}
}

// AddFlushRows writes Flush(a+b) to dst.
func AddFlushRows[F Float](m, n int, dst, a, b Rows[F]) {
	if Fused(addFlushOf, Gates{M: m, N: n}, a, b, dst) {
		return
	}
	for r := range m {
		d, x, y := dst.At(r, n), a.At(r, n), b.At(r, n)
		for j := range d {
			d[j] = Flush(x[j] + y[j])
		}
	}
}

// AddColumns adds the m rows of src, of n units, one after another to sum [n].
func AddColumns[F Float](m, n int, sum []F, src Rows[F]) {
	if Fused(columnsOf, Gates{M: m, N: n}, src, Rows[F]{Data: sum}) {
		return
	}
	for r := range m {
		for j, x := range src.At(r, n) {
			sum[j] += x
		}
	}
}

// LSTMStateRows turns the gates i f g of panel memory and the cell state c into the
// new one, which it also writes to h: c = flush(fma(f, c, i*g)).
func LSTMStateRows[F Float](m, n int, z, c, h Rows[F]) {
	if Fused(lstmStateOf, Gates{M: m, N: n}, z, c, h) {
		return
	}
	for r := range m {
		i, cell, out := z.At(r, 2*Lane+n), c.At(r, n), h.At(r, n)
		f, g := i[Lane:], i[2*Lane:]
		for j, v := range cell {
			v = Flush(FMA(f[j], v, F(i[j]*g[j])))
			cell[j], out[j] = v, v
		}
	}
}

// GRUStateRows writes the state between the candidate x and the state hp before,
// at u, to h: flush(fma(u, hp-x, x)).
func GRUStateRows[F Float](m, n int, u, x, hp, h Rows[F]) {
	if Fused(gruStateOf, Gates{M: m, N: n}, u, x, hp, h) {
		return
	}
	for r := range m {
		out, update, before := h.At(r, n), u.At(r, n), hp.At(r, n)
		for j, v := range x.At(r, n) {
			out[j] = Flush(FMA(update[j], before[j]-v, v))
		}
	}
}

// FlushRows writes Flush of src to dst.
func FlushRows[F Float](m, n int, dst, src Rows[F]) {
	flushRows(m, n, dst.Data, dst.Row, src.Data, src.Row)
}
