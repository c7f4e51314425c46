package kernel

import "fmt"

// Lines is memory of lines of rows: row r of line l starts at Data[l*Line+r*Row].
type Lines struct {
	Data      []float32
	Line, Row int
}

// at returns the first n elements of a row.
func (x Lines) at(l, r, n int) []float32 {
	i := l*x.Line + r*x.Row
	return x.Data[i : i+n]
}

// Places are where the number of each k is, from a position's own place on.
type Places struct {
	at   []int
	most int // beyond the last one
}

// NewPlaces makes a table, which it keeps; none is below 0.
func NewPlaces(at []int) Places {
	p := Places{at: at}
	for _, i := range at {
		if i < 0 {
			panic(fmt.Sprintf("kernel: a number %d places before its position", -i))
		}
		p.most = max(p.most, i+1)
	}
	return p
}

// Slide is the product of a convolution: lines of m positions, of which position r of
// line l sees the numbers that a table says, with panels of one gate. For every
// column c of panel i
//
//	acc := init[i*w.MaxCols()+c]
//	for k := range w.K { acc = FMA(a(l, r)[at[k]], weight(i, k, c), acc) }
//	dst(l, r)[i*w.MaxCols()+c] = floor where acc < floor, else acc
//
// so that a NaN stays one. init has as many numbers as a row of dst: Pad(w.Units).
// dst must overlap nothing of a.
func Slide(w *Panels[float32], dst Lines, init []float32, a Lines, at Places, floor float32, lines, m int) {
	if lines <= 0 || m <= 0 || w.Len() == 0 {
		return
	}
	checkSlide(w, dst, init, a, at, lines, m)
	if slideVector(w, dst, init, a, at, floor, lines, m) {
		return
	}
	var acc [4 * Lane]float64
	for l := range lines {
		for r := range m {
			x := a.Data[l*a.Line+r*a.Row:]
			for i := range w.Len() {
				cols, first := w.Cols(i), i*w.MaxCols()
				row := acc[:cols]
				for c := range row {
					row[c] = float64(init[first+c])
				}
				for k, from := range at.at {
					addProducts(row, float64(x[from]), w.Data[w.K*first+k*cols:][:cols])
				}
				out := dst.at(l, r, first+cols)[first:]
				for c, v := range row {
					s := float32(v)
					if s < floor {
						s = floor
					}
					out[c] = s
				}
			}
		}
	}
}

func checkSlide(w *Panels[float32], dst Lines, init []float32, a Lines, at Places, lines, m int) {
	width := Pad(w.Units)
	switch {
	case w.Gates != 1 || len(at.at) != w.K:
		panic(fmt.Sprintf("kernel: Slide with %d gates and a table of %d places for %d", w.Gates, len(at.at), w.K))
	case len(dst.Data) < (lines-1)*dst.Line+(m-1)*dst.Row+width,
		len(init) < width,
		at.most > 0 && len(a.Data) < (lines-1)*a.Line+(m-1)*a.Row+at.most:
		panic("kernel: a slice of Slide is too short")
	}
}
