package graph

import k "github.com/unroll-ml/unroll/internal/kernel"

// Columns of a convolution that go where the product wants them: element (r, p)
// is what kernel element r sees at position p.

// whole reports whether the columns are the input as it stands: one place in the
// kernel, which slides over all of it.
func (w *window) whole() bool {
	if w.taps() != 1 || w.positions() != w.plane() {
		return false
	}
	for a := range w.from {
		for i, at := range w.from[a] {
			if at != i {
				return false
			}
		}
	}
	return true
}

// columnPacking is the memory in which columns are packed.
type columnPacking struct {
	packing
	columnRuns
}

// columnRuns remembers where the columns of a panel come from.
type columnRuns struct {
	runs  []columnRun
	index []int
}

// columnRun is a part of a row of columns whose elements are neighbours in the
// input, from from on; -1: outside.
type columnRun struct{ at, n, from int }

// columns packs the columns of the positions from p0 on, as many as the packing
// was sized for. x has the channels one after another, each number flushed.
func (l *columnPacking) columns(w *window, x []float32, channels, p0 int) {
	columnsTo(&l.columnRuns, l.panels.p.Data, &l.panels.p.Layout, w, x, channels, p0, 0)
}

// columnsTo writes the columns of the positions from p0 on to panels of a layout
// whose rows are of elements T: channels by places in the kernel.
func columnsTo[T float32 | uint32](l *columnRuns, panels []T, layout *k.Layout, w *window, x []T, channels, p0 int, outside T) {
	plane, taps := w.plane(), w.taps()
	for i := range layout.Len() {
		first, cols := i*layout.UnitsPer(), layout.Cols(i)
		dst := panels[channels*taps*first:]
		n := min(cols, layout.Units-first)
		for tap := range taps {
			l.find(w, tap, p0+first, n)
			if n < cols { // what pads the last panel
				l.runs = append(l.runs, columnRun{n, cols - n, -1})
			}
			for ch := range channels {
				d, from := dst[(ch*taps+tap)*cols:][:cols], x[ch*plane:(ch+1)*plane]
				for _, r := range l.runs {
					switch part := d[r.at : r.at+r.n]; {
					case r.from >= 0:
						copy(part, from[r.from:])
					case r.n < 16:
						for j := range part {
							part[j] = outside
						}
					default:
						fill(part, outside)
					}
				}
				for j, at := range l.index {
					d[j] = outside
					if at >= 0 {
						d[j] = from[at]
					}
				}
			}
		}
	}
}

// find finds where n positions from p on come from for a place in the kernel.
func (l *columnRuns) find(w *window, tap, p, n int) {
	kd, kh, kw := tap/(w.kernel[1]*w.kernel[2]), tap/w.kernel[2]%w.kernel[1], tap%w.kernel[2]
	if w.steady {
		l.findRuns(w, kd, kh, kw, p, n)
	} else {
		l.findEach(w, kd, kh, kw, p, n)
	}
}

// findRuns finds the runs of n positions from p on for a place in the kernel, of a
// window whose neighbours come from neighbours.
func (l *columnRuns) findRuns(w *window, kd, kh, kw, p, n int) {
	l.runs, l.index = l.runs[:0], l.index[:0]
	w.row(kd, kh, kw, p, p+n, func(at, count, base, kw, ow int) {
		from := w.from[2][kw*w.out[2]+ow:][:count]
		lo, hi := 0, count
		if base < 0 {
			lo = count
		}
		for lo < hi && from[lo] < 0 {
			lo++
		}
		for hi > lo && from[hi-1] < 0 {
			hi--
		}
		l.add(at, lo, -1)
		if hi > lo {
			l.add(at+lo, hi-lo, base+from[lo])
		}
		l.add(at+hi, count-hi, -1)
	})
}

// add appends a run, or makes the one before longer.
func (l *columnRuns) add(at, n, from int) {
	if n == 0 {
		return
	}
	if k := len(l.runs) - 1; k >= 0 {
		if last := &l.runs[k]; last.from < 0 && from < 0 || last.from >= 0 && last.from+last.n == from {
			last.n += n
			return
		}
	}
	l.runs = append(l.runs, columnRun{at, n, from})
}

// findEach finds where each of n positions comes from, of any window.
func (l *columnRuns) findEach(w *window, kd, kh, kw, p, n int) {
	l.runs, l.index = l.runs[:0], l.index[:0]
	w.row(kd, kh, kw, p, p+n, func(at, count, base, kw, ow int) {
		for _, at := range w.from[2][kw*w.out[2]+ow:][:count] {
			if base < 0 || at < 0 {
				l.index = append(l.index, -1)
			} else {
				l.index = append(l.index, base+at)
			}
		}
	})
}
