package kernel

import (
	"math"
	"runtime"
	"unsafe"
)

// Products of 8-bit integers. Weights are whole numbers from -127 to 127 times a
// scale for each column; the left side is quantised row by row, at run time, with
// a scale for each row. Sums of products of integers are exact in any order, so
// there is nothing to agree on but how numbers become integers (here) and how a
// sum becomes a float32 (Mul8).

// group8 is how many numbers along k stand beside each other in packed weights:
// what one instruction multiplies and adds.
const group8 = 4

// MaxK8 is the longest inner dimension: sums of 255 * 127 so often fit 32 bits
// with the shift taken off again.
const MaxK8 = 1 << 17

// leastScaled is what Flush leaves of the positive numbers: below it a row or a
// column is all zeros.
const leastScaled = 0x1p-100

// Panels8 is a packed right-hand side of 8-bit integers. Column c of panel i has,
// for every four k from 4*g on, its four weights at
// Data[offset(i)+(g*Cols(i)+c)*4]; weights beyond K are zeros.
//
// Panels are read-only while products use them, from any number of goroutines.
type Panels8 struct {
	Layout
	Data []int8
	// Scale is what a column's weights are multiples of, and Shift what a sum
	// starts from, -128 times the sum of the weights, because a left side has 128
	// added to it; both in rows of MaxCols, one a panel.
	Scale []float32
	Shift []int32
}

// Groups returns how many groups of four the inner dimension is.
func (l *Layout) Groups() int { return (l.K + group8 - 1) / group8 }

// Resize sets the layout, keeping memory where it suffices; the contents are
// undefined until the next Pack.
func (p *Panels8) Resize(l Layout) {
	p.Layout = l
	n := l.Len() * l.MaxCols()
	p.Data = Large(p.Data, l.Groups()*group8*l.Gates*Pad(l.Units))
	p.Scale, p.Shift = growAny(p.Scale, n), growAny(p.Shift, n)
}

// Panel returns the packed weights of panel i: Groups rows of 4*Cols(i).
func (p *Panels8) Panel(i int) []int8 {
	depth := p.Groups() * group8
	full := depth * p.Blocks * p.Gates * Lane
	return p.Data[i*full : i*full+depth*p.Cols(i)]
}

// PackPanel8 fills panel i from float32 weights: that of gate g, unit u, row k is
// w[g*gate+u*unit+k*row]. Each column is rounded by QuantiseWeights.
func PackPanel8[F Float](p *Panels8, i int, w []F, gate, unit, row int) {
	col := make([]int8, p.K)
	src := make([]float32, p.K)
	p.fill(i, func(g, u int) ([]int8, float32) {
		from := slice32(w)[g*gate+u*unit:]
		for k := range src {
			src[k] = from[k*row]
		}
		return col, QuantiseWeights(col, src)
	})
}

// PackInt8 fills the panels with integers: column is asked for those of unit u, K of
// them. Panels have one gate, and the scales are 1.
func (p *Panels8) PackInt8(column func(u int, to []int8)) {
	col := make([]int8, p.K)
	for i := range p.Len() {
		p.fill(i, func(_, u int) ([]int8, float32) {
			column(u, col)
			return col, 1
		})
	}
}

// Written is called after integers were written to Data by the caller, laid out as
// PackInt8 lays them: what the sums of a processor with signed products alone start
// from is made of them.
func (p *Panels8) Written() {
	if runtime.GOARCH != "arm64" { // no other level reads it where Sums8 is told what sums start from
		return
	}
	groups := p.Groups()
	for i := range p.Len() {
		data, cols, shift := p.Panel(i), p.Cols(i), p.Shift[i*p.MaxCols():]
		for c := range cols {
			sum := int32(0)
			for g := range groups {
				at := (g*cols + c) * group8
				for _, v := range data[at : at+group8] {
					sum += int32(v)
				}
			}
			shift[c] = -128 * sum
		}
	}
}

// fill fills panel i column by column; column is asked for those of real units.
func (p *Panels8) fill(i int, column func(g, u int) ([]int8, float32)) {
	dst, cols, row := p.Panel(i), p.Cols(i), i*p.MaxCols()
	clear(dst)
	clear(p.Scale[row : row+cols])
	clear(p.Shift[row : row+cols])
	for c := range cols {
		u := i*p.UnitsPer() + c/(p.Gates*Lane)*Lane + c%Lane
		if u >= p.Units {
			continue
		}
		col, scale := column(c/Lane%p.Gates, u)
		sum := int32(0)
		for k, v := range col {
			dst[(k/group8*cols+c)*group8+k%group8] = v
			sum += int32(v)
		}
		p.Scale[row+c], p.Shift[row+c] = scale, -128*sum
	}
}

// QuantiseWeights writes the weights of one output as integers and returns what
// they are multiples of:
//
//	s = max|w|/127, rounded up to 17 binary digits
//	q = w/s, rounded to the nearest integer, halves to the even one
//
// q*s is exact in float32, so weights that were rounded once are not rounded
// again. Nor are those that another program rounded: where each weight is
// float32(q*s) for one s and whole numbers q from -128 to 127, that is what it
// gives. A weight that is not finite gives the scale NaN and zeros; a largest one
// below 2^-100 gives zeros.
func QuantiseWeights(q []int8, w []float32) (s float32) {
	clear(q)
	most := absMax(w)
	switch {
	case !(most <= math.MaxFloat32):
		return float32(math.NaN())
	case most < leastScaled:
		return 0
	}
	s = math.Float32frombits((math.Float32bits(most/127) + 0x7f) &^ 0x7f)
	stays := true
	for k, v := range w {
		i := nearest(v / s)
		q[k] = int8(i)
		stays = stays && float32(i)*s == v
	}
	if !stays {
		if step, ok := stepsOf(w, most); ok {
			s = step
			for k, v := range w {
				q[k] = int8(nearest(v / s))
			}
		}
	}
	return s
}

// stepsOf returns what all weights are whole multiples of, of -128 to 127 times, each
// product rounded once. The least of them is one such multiple, which leaves few steps
// to try: with more than 128 of the least in the largest, none.
func stepsOf(w []float32, most float32) (s float32, ok bool) {
	least := most
	for _, v := range w {
		if a := math.Float32frombits(math.Float32bits(v) &^ (1 << 31)); a > 0 {
			least = min(least, a)
		}
	}
	for n := float32(1); n*most <= 128.5*least; n++ {
		// Near the step lies what the largest one tells best.
		times := nearest(most / (least / n))
		near := math.Float32bits(most / float32(times))
		for _, bits := range [...]uint32{near, near - 1, near + 1} {
			if s = math.Float32frombits(bits); areSteps(w, s) {
				return s, true
			}
		}
	}
	return 0, false
}

// areSteps reports whether all weights are whole multiples of s, as stepsOf says.
func areSteps(w []float32, s float32) bool {
	for _, v := range w {
		x := v / s
		if !(x > -128.5 && x < 127.5) {
			return false
		}
		if float32(nearest(x))*s != v {
			return false
		}
	}
	return true
}

// RoundWeights puts the number that each weight of one output stands for in its
// place: q*s of QuantiseWeights. F is float32.
func RoundWeights[F Float](w []F) {
	q := make([]int8, len(w))
	s := QuantiseWeights(q, slice32(w))
	for k, v := range q {
		w[k] = F(float32(v) * s)
	}
}

// Rows8 is a left side as integers: byte k of row r is Data[r*Row+k], and its
// number (byte-128)*Scale[r]. A row is filled up to whole groups of four.
type Rows8 struct {
	Data  []uint8
	Row   int
	Scale []float32
}

// From returns the rows from row r on.
func (x Rows8) From(r int) Rows8 {
	return Rows8{x.Data[r*x.Row:], x.Row, x.Scale[r:]}
}

// Resize makes room for m rows of k numbers; the contents are undefined.
func (x *Rows8) Resize(m, k int) {
	x.Row = (k + group8 - 1) / group8 * group8
	x.Data, x.Scale = growAny(x.Data, m*x.Row), growAny(x.Scale, m)
}

// Quantise fills x with m rows of k numbers of src, each row on its own:
//
//	scale = max|a|/127
//	byte  = 128 + a*(127/max|a|), rounded to the nearest integer, halves to the
//	        even one
//
// every operation rounded to float32. A row with a number that is not finite gets
// the scale NaN, one whose largest is below 2^-100 the scale 0; both hold bytes
// of 128.
func Quantise[F Float](x *Rows8, src Rows[F], m, k int) {
	x.Resize(m, k)
	from := Rows[float32]{slice32(src.Data), src.Row}
	for r := range m {
		x.Scale[r] = quantiseRow(x.Data[r*x.Row:(r+1)*x.Row], from.At(r, k))
	}
}

func quantiseRow(dst []uint8, src []float32) (scale float32) {
	for i := len(src); i < len(dst); i++ {
		dst[i] = 128
	}
	most := absMax(src)
	if !(most <= math.MaxFloat32) || most < leastScaled {
		for i := range dst {
			dst[i] = 128
		}
		if most < leastScaled {
			return 0
		}
		return float32(math.NaN())
	}
	times := 127 / most
	for i := quantiseBlocks(dst, src, times); i < len(src); i++ {
		dst[i] = uint8(128 + nearest(float32(src[i]*times)))
	}
	return most / 127
}

// absMax returns the largest magnitude; infinity or NaN if one of them is.
// Magnitudes are in the order of their bits.
func absMax(x []float32) float32 {
	most, n := absMaxBlocks(x)
	for _, v := range x[n:] {
		most = max(most, math.Float32bits(v)&^(1<<31))
	}
	return math.Float32frombits(most)
}

// nearest rounds to the nearest integer, halves to the even one, for |x| below
// 2^22: adding 1.5 * 2^23 leaves no room for a fraction.
func nearest(x float32) int32 {
	const shift = 3 << 22
	return int32(math.Float32bits(float32(x+shift))) - 0x4b400000
}

// growAny is grow for any element.
func growAny[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}

// bytes32 are the memory of integers as that of float32, for what moves words.
func bytes32(x []int32) []float32 { return *(*[]float32)(unsafe.Pointer(&x)) }
