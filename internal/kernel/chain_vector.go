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
	h                   [Lane]float32
}

// canChain reports whether the level in use has the chain for so many units.
func canChain(op ChainOp, units int) bool {
	l := &chainLevels[level.Load()]
	return units <= l.units && l.routines[op] != 0
}

func chain(op ChainOp, w *Walk[float32]) {
	cols, n, has := w.W.Cols(0), w.W.Units, &chainOps[op]
	if !canChain(op, n) || w.W.Len() != 1 || w.W.K != n || w.W.Gates != has.gates || len(w.H0) < n ||
		has.cell && len(w.C) < n || has.tail && len(w.Tail) < Lane ||
		len(w.Sums.Data) < (w.Steps-1)*w.Sums.Row+cols || len(w.Y.Data) < (w.Steps-1)*w.Y.Row+n {
		panic(fmt.Sprintf("kernel: %s of %d steps of %d units does not have the weights, the level or the memory",
			has.name, w.Steps, n))
	}
	a := chainArgs{
		depth: n, lanes: n, w: unsafe.Pointer(&w.W.Data[0]), wRow: cols * 4,
		sumsRow: w.Sums.Row * 4, yRow: w.Y.Row * 4,
		c: unsafe.Pointer(unsafe.SliceData(w.C)), tail: unsafe.Pointer(unsafe.SliceData(w.Tail)),
	}
	if w.Back {
		a.sumsRow, a.yRow = -a.sumsRow, -a.yRow
	}
	raceRange(w.W.Panel(0), reads)
	raceRows(w.Sums, w.Steps, cols, reads)
	raceRows(w.Y, w.Steps, n, writes)
	if has.cell {
		raceRange(w.C[:n], reads|writes)
	}
	if has.tail {
		raceRange(w.Tail[:Lane], reads)
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
		call(chainLevels[level.Load()].routines[op], unsafe.Pointer(&a))
	}
}
