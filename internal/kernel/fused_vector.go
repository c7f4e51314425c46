//go:build (amd64 || arm64) && !purego

package kernel

import (
	"fmt"
	"unsafe"
)

// gateArgs are the arguments of a fused routine, which changes them; distances
// are bytes.
type gateArgs struct {
	m, n   int
	gate   int // between the gates of a gradient
	record int // not 0: write the record
	consts [4]float32
	p      [mostOperands]gateRows
}

// gateRows is a pointer to the first row and the distance of rows.
type gateRows struct {
	p  unsafe.Pointer
	ld int
}

// fused is Fused for float32.
func fused(op Op, g Gates, rows []Rows[float32]) bool {
	routine := fusedRoutines[level.Load()][op]
	if routine == 0 || g.M <= 0 || g.N <= 0 {
		return false
	}
	a := gateArgs{m: g.M, n: g.N, gate: g.Gate * 4, consts: g.Constants}
	if g.Record {
		a.record = 1
	}
	for i := range fusedOps[op].operands {
		o := &fusedOps[op].operands[i]
		if o.recorded && !g.Record {
			continue
		}
		x := rows[i]
		if o.once {
			x.Row = 0
		}
		if last := o.last(&g); len(x.Data) < (g.M-1)*x.Row+last {
			panic(fmt.Sprintf("kernel: %s: %s has %d elements, %d rows of %d, %d apart, need more",
				fusedOps[op].name, o.name, len(x.Data), g.M, last, x.Row))
		}
		a.p[i] = gateRows{unsafe.Pointer(unsafe.SliceData(x.Data)), x.Row * 4}
		raceFused(o, &g, x)
	}
	if g.M <= limits.Rows && g.N <= limits.Rows*Lane {
		call(routine, unsafe.Pointer(&a))
		return true
	}
	a.inParts(op, routine)
	return true
}

// inParts calls a routine for parts of bounded rows and units.
func (a *gateArgs) inParts(op Op, routine uintptr) {
	rows, units := limits.Rows, limits.Rows*Lane
	for n0 := 0; n0 < a.n; n0 += units {
		for m0 := 0; m0 < a.m; m0 += rows {
			part := *a
			part.m, part.n = min(a.m-m0, rows), min(a.n-n0, units)
			for i := range fusedOps[op].operands {
				if p := &part.p[i]; p.p != nil {
					p.p = unsafe.Add(p.p, m0*p.ld)
					if !fusedOps[op].operands[i].single {
						p.p = unsafe.Add(p.p, n0*4)
					}
				}
			}
			call(routine, unsafe.Pointer(&part))
		}
	}
}

// transposeFrom writes dst[k*ldd+u] = src[u*lds+k] for the units u < Lane, and +0 for
// what lies closer to zero than limit; and returns k: all, or 0 where they do not fill
// one block. The last block overlaps the one before it.
func transposeFrom(limit float32, k int, dst []float32, ldd int, src []float32, lds int) int {
	lv := level.Load()
	if lv == levelGo {
		return 0
	}
	lanes := lanesOf(lv)
	if k < lanes {
		return 0
	}
	if len(src) < (Lane-1)*lds+k || len(dst) < (k-1)*ldd+Lane {
		panic(fmt.Sprintf("kernel: %d rows of %d, %d and %d apart, of slices of %d and %d", k, Lane, ldd, lds, len(dst), len(src)))
	}
	raceRows(Rows[float32]{src, lds}, Lane, k, reads)
	raceRows(Rows[float32]{dst, ldd}, k, Lane, writes)
	for u := 0; u < Lane; u += lanes {
		for from, blocks := range [2]int{k / lanes, (k%lanes + lanes - 1) / lanes} {
			from *= k - lanes
			g := gateArgs{m: blocks, gate: lds * 4, consts: [4]float32{limit}}
			g.p[0].p = unsafe.Pointer(&src[u*lds+from])
			g.p[1] = gateRows{unsafe.Pointer(&dst[from*ldd+u]), ldd * 4}
			if blocks > 0 {
				transposeRoutine(lv, &g)
			}
		}
	}
	return k
}
