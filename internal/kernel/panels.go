package kernel

// Layout is how the right-hand side of products is cut into panels, whatever
// its numbers are: Gates x Units columns by K rows.
//
// A panel holds Blocks blocks of Lane units, each with all its gates, so that
// the worker that owns a panel owns everything of its units. Its columns stand
// in the order [block][gate][Lane]. With one gate a panel has four blocks (fewer
// in the last one), otherwise one.
//
// Where Fold is not 0, the last panel has so many units at most and is folded: its
// columns stand in the order [gate][Fold], in as few blocks of Lane columns as hold
// them, so that a product does not multiply what pads them. Its sums stand where
// those of any other panel would.
type Layout struct {
	K, Units, Gates int
	Blocks          int // blocks of Lane units in a full panel
	Fold            int // units that the last panel has room for, if it is folded
}

// NewLayout returns the layout of the sizes.
func NewLayout(k, units, gates int) Layout {
	l := Layout{K: k, Units: units, Gates: gates, Blocks: 1}
	if gates == 1 {
		l.Blocks = 4
	}
	return l
}

// folded returns the layout with its last panel folded, where that saves columns: of
// three or four gates and at most half a block of units. Layers that a chain may walk
// (Chain) stay as they are.
func (l Layout) folded() Layout {
	n := (l.Units-1)%Lane + 1
	if l.Gates < 3 || l.Gates > 4 || l.Units <= 2*Lane || n > Lane/2 {
		return l
	}
	l.Fold = Lane / 2
	if n <= Lane/4 {
		l.Fold = Lane / 4
	}
	return l
}

// folds reports whether panel i is folded.
func (l *Layout) folds(i int) bool { return l.Fold > 0 && i == l.Units/Lane }

// foldedCols returns the columns of a folded panel.
func (l *Layout) foldedCols() int { return Pad(l.Gates * l.Fold) }

// Panels is a packed right-hand side of products, which a kernel walks from
// first to last byte: row k of panel i starts at Data[offset(i)+k*Cols(i)].
// Columns of units beyond Units are zeros.
//
// Panels are read-only while products use them, from any number of goroutines.
type Panels[F Float] struct {
	Layout
	Data []F
}

// NewPanels returns panels of zeros for the sizes.
func NewPanels[F Float](k, units, gates int) *Panels[F] {
	p := &Panels[F]{}
	p.Resize(k, units, gates)
	return p
}

// Resize sets the sizes, keeping memory where it suffices; the contents are
// undefined until the next Pack.
func (p *Panels[F]) Resize(k, units, gates int) {
	p.Layout = NewLayout(k, units, gates).folded()
	p.Data = Large(p.Data, p.size())
}

// Pad returns n rounded up to whole blocks of Lane.
func Pad(n int) int { return (n + Lane - 1) / Lane * Lane }

// grow returns a slice of length n, with undefined contents, reusing s.
func grow[F Float](s []F, n int) []F {
	if cap(s) < n {
		return make([]F, n)
	}
	return s[:n]
}

// Len returns the number of panels.
func (l *Layout) Len() int { return (l.Units + l.UnitsPer() - 1) / l.UnitsPer() }

// UnitsPer returns the number of units of a full panel.
func (l *Layout) UnitsPer() int { return l.Blocks * Lane }

// blocks returns the number of blocks of panel i.
func (l *Layout) blocks(i int) int {
	return min(l.Blocks, Pad(l.Units)/Lane-i*l.Blocks)
}

// Cols returns the number of columns of panel i, padding included.
func (l *Layout) Cols(i int) int {
	if l.folds(i) {
		return l.foldedCols()
	}
	return l.blocks(i) * l.Gates * Lane
}

// span returns how far the sums of panel i reach.
func (l *Layout) span(i int) int {
	if l.folds(i) {
		return (l.Gates-1)*Lane + l.Fold
	}
	return l.Cols(i)
}

// size returns the number of weights, padding included.
func (l *Layout) size() int {
	last := l.Len() - 1
	if last < 0 {
		return 0
	}
	return l.K * (last*l.MaxCols() + l.Cols(last))
}

// MaxCols returns the number of columns of a full panel, which is the row
// length panel-major memory needs.
func (l *Layout) MaxCols() int { return l.Cols(0) }

// Panel returns the packed weights of panel i: K rows of Cols(i).
func (p *Panels[F]) Panel(i int) []F {
	full := p.K * p.Blocks * p.Gates * Lane
	return p.Data[i*full : i*full+p.K*p.Cols(i)]
}

// Pack fills the panels: the weight of gate g, unit u, row k is
// w[g*gate+u*unit+k*row]. Weights pass through Flush.
func (p *Panels[F]) Pack(w []F, gate, unit, row int) {
	for i := range p.Len() {
		p.PackPanel(i, w, gate, unit, row)
	}
}

// PackPanel is Pack for panel i alone, so that workers can share the work.
func (p *Panels[F]) PackPanel(i int, w []F, gate, unit, row int) {
	dst, cols := p.Panel(i), p.Cols(i)
	if p.K == 0 {
		return
	}
	if p.folds(i) {
		p.packFolded(dst, w[i*Lane*unit:], gate, unit, row)
		return
	}
	if unit == 1 {
		p.packUnits(i, w, gate, row)
		return
	}
	for c := 0; c < cols; c += Lane {
		u, k := i*p.UnitsPer()+c/(p.Gates*Lane)*Lane, 0
		n := min(Lane, p.Units-u)
		src := w[min(len(w), c/Lane%p.Gates*gate+u*unit):]
		if row == 1 && isFloat32[F]() && len(src) >= (Lane-1)*unit+p.K {
			// Units beyond the last are another gate's, and are not kept.
			k = transpose(p.K, slice32(dst[c:]), cols, slice32(src), unit)
			clearRows(k, Lane-n, dst[c+n:], cols)
		}
		for ; k < p.K; k++ {
			d := dst[k*cols+c : k*cols+c+Lane]
			for j := range n {
				d[j] = Flush(src[j*unit+k*row])
			}
			clear(d[n:])
		}
	}
}

// foldSteps is how many rows of a folded panel are packed at a time.
const foldSteps = 128

// packFolded packs the folded panel: w begins with its first unit. Units of weights
// whose k stand beside each other are gathered first, so that they can be transposed.
func (p *Panels[F]) packFolded(dst, w []F, gate, unit, row int) {
	cols := p.foldedCols()
	column := func(c int) int { // where its weights begin; -1: it has none
		if g, u := c/p.Fold, c%p.Fold; g < p.Gates && u < p.Units%Lane {
			return g*gate + u*unit
		}
		return -1
	}
	var units [Lane * foldSteps]F
	for c := 0; c < cols; c += Lane {
		for lo := 0; lo < p.K; lo += foldSteps {
			hi, k := min(lo+foldSteps, p.K), 0
			if row == 1 && isFloat32[F]() {
				for j := range Lane {
					part := units[j*foldSteps:][:hi-lo]
					if at := column(c + j); at >= 0 {
						copy(part, w[at+lo:])
					} else {
						clear(part)
					}
				}
				k = transpose(hi-lo, slice32(dst[lo*cols+c:]), cols, slice32(units[:]), foldSteps)
			}
			for k += lo; k < hi; k++ {
				for j := range Lane {
					d := &dst[k*cols+c+j]
					*d = 0
					if at := column(c + j); at >= 0 {
						*d = Flush(w[at+k*row])
					}
				}
			}
		}
	}
}

// packUnits is PackPanel where the units of a row stand beside each other.
func (p *Panels[F]) packUnits(i int, w []F, gate, row int) {
	dst, cols := p.Panel(i), p.Cols(i)
	for c := 0; c < cols; {
		u, run := i*p.UnitsPer()+c/(p.Gates*Lane)*Lane, Lane
		if p.Gates == 1 {
			run = cols // all blocks are of one gate
		}
		n := min(run, p.Units-u)
		flushRows(p.K, n, dst[c:], cols, w[c/Lane%p.Gates*gate+u:], row)
		clearRows(p.K, run-n, dst[min(c+n, len(dst)):], cols)
		c += run
	}
}

// copyPanel fills panel i of one gate with units of rows as they are, without Flush.
func (p *Panels[F]) copyPanel(i int, rows Rows[F]) {
	dst, cols, u := p.Panel(i), p.Cols(i), i*p.UnitsPer()
	n := min(cols, p.Units-u)
	copyRows(p.K, n, Rows[F]{dst, cols}, Rows[F]{rows.Data[u:], rows.Row})
	clearRows(p.K, cols-n, dst[min(n, len(dst)):], cols)
}

// flushRows is FlushTo for m rows of n elements.
func flushRows[F Float](m, n int, dst []F, ldd int, src []F, lds int) {
	if Fused(flushOf, Gates{M: m, N: n}, Rows[F]{src, lds}, Rows[F]{dst, ldd}) {
		return
	}
	for r := range m {
		d := dst[r*ldd : r*ldd+n]
		for j, x := range src[r*lds : r*lds+n] {
			d[j] = Flush(x)
		}
	}
}

// transpose is transposeFrom with the limit of Flush.
func transpose(k int, dst []float32, ldd int, src []float32, lds int) int {
	return transposeFrom(tinyLimit32, k, dst, ldd, src, lds)
}

// clearRows makes m rows of n elements, ld apart, zeros.
func clearRows[F Float](m, n int, dst []F, ld int) {
	if m > 0 && n > 0 {
		flushRows(m, n, dst, ld, zeroRow[F](), 0)
	}
}

// PackRow fills one row laid out like a row of panel memory: dst holds Len()
// rows of MaxCols, and the value of gate g, unit u is v[g*gate+u]; padding is
// zero. It lays out biases.
func (p *Panels[F]) PackRow(dst, v []F, gate int) {
	for u, at := 0, 0; at < p.Len()*p.MaxCols(); u += Lane {
		for g := range p.Gates {
			block := dst[at:][:Lane]
			n := max(0, min(Lane, p.Units-u))
			copy(block, v[min(g*gate+u, len(v)):][:n])
			clear(block[n:])
			at += Lane
		}
	}
}
