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

// MaxK8 is the longest inner dimension of rows that Quantise made: sums of 255 * 128
// so often fit 32 bits.
const MaxK8 = 1 << 16

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
	// Scale is what a column's weights are multiples of, and Shift the sum of its
	// weights with a minus sign, which a row's zero point is multiplied with; both in
	// rows of MaxCols, one a panel.
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
			shift[c] = -sum
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
		p.Scale[row+c], p.Shift[row+c] = scale, -sum
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

// Rows8 is a left side as integers: byte k of row r is Data[r*Row+k], and its number
// (byte-Zero)*Scale of Steps[r]. Without Steps the numbers are the bytes, with Scale 1.
// A row is filled up to whole groups of four.
type Rows8 struct {
	Data  []uint8
	Row   int
	Steps []Steps
}

// Steps is what the bytes of a row count: Zero stands for 0, and a byte more for Scale
// more.
type Steps struct {
	Scale float32
	Zero  int32
}

// From returns the rows from row r on.
func (x Rows8) From(r int) Rows8 {
	from := Rows8{Data: x.Data[r*x.Row:], Row: x.Row}
	if x.Steps != nil {
		from.Steps = x.Steps[r:]
	}
	return from
}

// Resize makes room for m rows of k numbers; the contents are undefined.
func (x *Rows8) Resize(m, k int) {
	x.Row = (k + group8 - 1) / group8 * group8
	x.Data, x.Steps = growAny(x.Data, m*x.Row), growAny(x.Steps, m)
}

// Quantise fills x with m rows of k numbers of src, each row on its own. The 255 steps
// of a byte go from the least number of the row to the largest, 0 among them:
//
//	scale = max(a, 0)/255 - min(a, 0)/255
//	zero  = -min(a, 0)*(1/scale), rounded
//	byte  = zero + a*(1/scale), rounded; at most 255
//
// every operation rounded to float32, and what is said to be rounded to the nearest
// integer, halves to the even one. A row with a number that is not finite gets the scale
// NaN, one whose largest magnitude is below 2^-100 the scale 0; both are zeros.
func Quantise[F Float](x *Rows8, src Rows[F], m, k int) {
	x.Resize(m, k)
	from := Rows[float32]{slice32(src.Data), src.Row}
	for r := range m {
		x.Steps[r] = quantiseRow(x.Data[r*x.Row:(r+1)*x.Row], from.At(r, k))
	}
}

func quantiseRow(dst []uint8, src []float32) Steps {
	lo, hi := bounds(src)
	most := max(hi, -lo)
	if !(most <= math.MaxFloat32) || most < leastScaled {
		clear(dst)
		if most < leastScaled {
			return Steps{}
		}
		return Steps{Scale: float32(math.NaN())}
	}
	scale := float32(hi/255) - float32(lo/255)
	times := 1 / scale
	zero := nearest(float32(-lo * times))
	for i := quantiseBlocks(dst, src, times, zero); i < len(src); i++ {
		dst[i] = uint8(max(0, min(255, zero+nearest(float32(src[i]*times)))))
	}
	clear(dst[len(src):])
	return Steps{scale, zero}
}

// bounds returns the least and the largest of x and 0; one of them is infinite or NaN if
// a number is. Numbers above zero are in the order of their bits as signed integers, those
// below against it, and the latter lie above the former as unsigned ones.
func bounds(x []float32) (lo, hi float32) {
	least, most, n := boundsBlocks(x)
	for _, v := range x[n:] {
		bits := math.Float32bits(v)
		least, most = max(least, bits), max(most, int32(bits))
	}
	if int32(least) < 0 {
		lo = math.Float32frombits(least)
	}
	return lo, math.Float32frombits(uint32(most))
}

// absMax returns the largest magnitude; infinity or NaN if one of them is.
func absMax(x []float32) float32 {
	lo, hi := bounds(x)
	return max(hi, -lo)
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
