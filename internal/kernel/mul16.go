package kernel

import "math"

// Panels16 is Panels of float32 whose weights were rounded to bfloat16: the upper
// half of a float32, with 8 binary digits. Products are those of float32 with the
// rounded weights, bit for bit; the weights are half the bytes.
type Panels16 struct {
	Layout
	Data []uint16
}

// Resize sets the layout, keeping memory where it suffices; the contents are
// undefined until the next Pack.
func (p *Panels16) Resize(l Layout) {
	p.Layout = l
	p.Data = Large(p.Data, l.K*l.Gates*Pad(l.Units))
}

// Panel returns the packed weights of panel i: K rows of Cols(i).
func (p *Panels16) Panel(i int) []uint16 {
	full := p.K * p.Blocks * p.Gates * Lane
	return p.Data[i*full : i*full+p.K*p.Cols(i)]
}

// PackPanel16 is Panels.PackPanel of float32 weights, each rounded by ToHalf.
func PackPanel16[F Float](p *Panels16, i int, w []F, gate, unit, row int) {
	dst, src, cols := p.Panel(i), slice32(w), p.Cols(i)
	for c := range cols {
		u := i*p.UnitsPer() + c/(p.Gates*Lane)*Lane + c%Lane
		for k := range p.K {
			v := uint16(0)
			if u < p.Units {
				v = ToHalf(Flush(src[c/Lane%p.Gates*gate+u*unit+k*row]))
			}
			dst[k*cols+c] = v
		}
	}
}

// ToHalf rounds to bfloat16, to the nearest, halves to the even one; a NaN stays
// one.
func ToHalf(x float32) uint16 {
	b := math.Float32bits(x)
	if x != x {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// FromHalf is the float32 of a bfloat16.
func FromHalf(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// Mul16 is Mul with weights of bfloat16. F is float32.
func Mul16[F Float](w *Panels16, p0, p1 int, dst, init Block[F], tail []F, a Rows[F], m int) {
	if init.Data == nil {
		init = Block[F]{Data: zeroRow[F]()}
	}
	mul16(w, p0, p1, block32(dst), block32(init), slice32(tail), left32(left[F]{a.Data, a.Row, 1}), m)
}

func mul16(w *Panels16, p0, p1 int, dst, init Block[float32], tail []float32, a left[float32], m int) {
	if m <= 0 || p0 >= p1 {
		return
	}
	checkMul(&w.Layout, p0, p1, dst, init, tail, a, m)
	if mul16Vector(w, p0, p1, &factors{dst, init, tail, a, m}) {
		return
	}
	for i := p0; i < p1; i++ {
		j := i - p0
		var t []float32
		if tail != nil {
			t = tail[j*w.Blocks*Lane:]
		}
		w.mulPanel16(i, dst.Data[j*dst.Panel:], dst.Row, init.Data[j*init.Panel:], init.Row, t, a, m)
	}
}

// mulPanel16 is the loop of Mul for one panel.
func (p *Panels16) mulPanel16(i int, dst []float32, ldd int, init []float32, ldi int, tail []float32, a left[float32], m int) {
	w, cols := p.Panel(i), p.Cols(i)
	var acc [4 * Lane]float32
	for r := range m {
		row := acc[:cols]
		for c := range row {
			row[c] = init[r*ldi+c]
			if tail != nil && c/Lane%p.Gates == p.Gates-1 {
				row[c] = tail[c/(Lane*p.Gates)*Lane+c%Lane]
			}
		}
		for k := range p.K {
			x := a.Data[r*a.Row+k*a.Col]
			for c, v := range w[k*cols : (k+1)*cols] {
				row[c] = FMA32(x, FromHalf(v), row[c])
			}
		}
		copy(dst[r*ldd:r*ldd+cols], row)
	}
}
