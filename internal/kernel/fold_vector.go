//go:build (amd64 || arm64) && !purego

package kernel

// The microkernels of a folded panel hold its few columns in as few registers and
// put each gate's units where those of any other panel would stand. With few rows that
// is too little work to hide the latency of a sum: there they walk one to three
// whole panels too, which stand before the folded one.
//
// Their table is one of micros for three and for four gates: by whole panels before
// it, rows, and vectors of Lane columns.

// foldLevel is the microkernels of a level for three and for four gates.
type foldLevel [2]microLevel

func newFoldLevel(k *[2]micros) foldLevel {
	return foldLevel{newMicroLevel(&k[0]), newMicroLevel(&k[1])}
}

// beside returns how many of n whole panels the microkernel of m rows walks with the
// folded one of w, so that the others go as many side by side as they can with those
// of the set whole.
func (l *microLevel) beside(w *Layout, n, m int, whole *microLevel) int {
	if n == 0 || m > whole.maxRows[w.Gates] {
		return 0
	}
	p := (n-1)%whole.sides[m][w.Gates] + 1
	if l.kernels[p][m-1][w.foldedCols()/Lane-1] == 0 || m*w.K*(p*w.MaxCols()+w.foldedCols()) > limits.Work {
		return 0
	}
	return p
}

// mulFoldedVector multiplies the folded panel, which is p1-1, and what whole panels
// from p0 on beside returned.
func mulFoldedVector(w *Layout, data packed, p0, p1 int, lv int32, f *factors) {
	set, whole := &foldLevels[lv][w.Gates-3], p1-1-p0
	var g mulArgs
	g.of(w, data, p0, (w.Gates-1)*Lane*4, set, f)
	nv := w.foldedCols() / Lane
	if whole == 0 {
		raceMul(w, data, p0, p1, f.dst, f.init, f.tail, f.a, f.m)
		g.run(lv, 1, nv, f.m)
		return
	}
	rest := f.from(w, whole)
	raceMul(w, data, p0, p1-1, f.dst, f.init, f.tail, f.a, f.m)
	raceMul(w, data, p1-1, p1, rest.dst, rest.init, rest.tail, f.a, f.m)
	g.prefetch = g.panel
	g.panels, g.big, g.kernel = 1, 1, set.kernels[whole][f.m-1][nv-1]
	mulRoutine(lv, &g)
}
