//go:build (amd64 || arm64) && !purego

package kernel

import (
	"fmt"
	"unsafe"
)

// chainArgs are the arguments of a chain in assembly; distances are bytes.
type chainArgs struct {
	steps, depth, lanes int
	w                   unsafe.Pointer
	wRow                int
	sums                unsafe.Pointer
	sumsRow             int
	y                   unsafe.Pointer
	yRow                int
	c, tail             unsafe.Pointer
	wPanel, sumsPanel   int // from the first vector of units to the second
	h                   [2 * Lane]float32
}

// canChain reports whether the level in use has the chain for so many units.
func canChain(op ChainOp, units int) bool { return chainRoutine(op, units) != 0 }

// chainRoutine returns the chain of a cell for so many units, 0 if there is none.
func chainRoutine(op ChainOp, units int) uintptr {
	l := &chainLevels[level.Load()]
	switch {
	case units <= l.units:
		return l.routines[op]
	case units <= 2*l.units && op != NoChain:
		return l.routines[op+1]
	}
	return 0
}

func chain(op ChainOp, w *Walk[float32]) {
	cols, n, has := w.W.Cols(0), w.W.Units, &chainOps[op]
	panels := w.W.Len()
	if !canChain(op, n) || panels > 2 || w.W.K != n || w.W.Gates != has.gates || len(w.H0) < n ||
		has.cell && len(w.C) < n || has.tail && len(w.Tail) < Pad(n) ||
		len(w.Sums.Data) < (panels-1)*w.Panel+(w.Steps-1)*w.Sums.Row+cols || len(w.Y.Data) < (w.Steps-1)*w.Y.Row+n {
		panic(fmt.Sprintf("kernel: %s of %d steps of %d units does not have the weights, the level or the memory",
			has.name, w.Steps, n))
	}
	a := chainArgs{
		depth: n, lanes: n, w: unsafe.Pointer(&w.W.Data[0]), wRow: cols * 4,
		sumsRow: w.Sums.Row * 4, yRow: w.Y.Row * 4,
		c: unsafe.Pointer(unsafe.SliceData(w.C)), tail: unsafe.Pointer(unsafe.SliceData(w.Tail)),
	}
	if a.wPanel, a.sumsPanel = Lane*4, Lane*4; panels > 1 {
		a.wPanel, a.sumsPanel = w.W.K*cols*4, w.Panel*4
	}
	if w.Back {
		a.sumsRow, a.yRow = -a.sumsRow, -a.yRow
	}
	for p := range panels {
		raceRange(w.W.Panel(p), reads)
		raceRows(Rows[float32]{w.Sums.Data[p*w.Panel:], w.Sums.Row}, w.Steps, cols, reads)
	}
	raceRows(w.Y, w.Steps, n, writes)
	if has.cell {
		raceRange(w.C[:n], reads|writes)
	}
	if has.tail {
		raceRange(w.Tail[:Pad(n)], reads)
	}
	copy(a.h[:], w.H0[:n])
	for t := 0; t < w.Steps; t += limits.Steps {
		a.steps = min(limits.Steps, w.Steps-t)
		row := t
		if w.Back {
			row = w.Steps - 1 - t
		}
		a.sums = unsafe.Pointer(&w.Sums.Data[row*w.Sums.Row])
		a.y = unsafe.Pointer(&w.Y.Data[row*w.Y.Row])
		call(chainRoutine(op, n), unsafe.Pointer(&a))
	}
}
