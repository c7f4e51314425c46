//go:build amd64 && !purego

package kernel

import (
	"fmt"
	"unsafe"
)

// chainArgs are the arguments of a chain in assembly; distances are bytes.
// _asm/chain.go has the offsets.
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

// chainLimit bounds the steps of one call, which cannot be preempted; a step
// takes 25 to 100 ns.
const chainLimit = 2048

// canChain reports whether the level in use has chains for so many units.
func canChain(units int) bool {
	switch level.Load() {
	case levelAVX512:
		return units <= 16
	case levelAVX2:
		return units <= 8
	}
	return false
}

func chain(op ChainOp, steps int, w *Panels[float32], tail []float32, sums Steps[float32], h0, c []float32, y Steps[float32]) {
	cols := w.Cols(0)
	sums.check(steps, cols)
	y.check(steps, w.Units)
	if len(h0) < w.Units || w.Len() != 1 || w.K != w.Units || op == LSTMChain && len(c) < w.Units || op == GRUChain && len(tail) < Lane {
		panic(fmt.Sprintf("kernel: a chain of %d units with %d of h, %d of c", w.Units, len(h0), len(c)))
	}
	a := chainArgs{
		depth: w.K, lanes: w.Units, w: unsafe.Pointer(&w.Data[0]), wRow: cols * 4,
		sumsRow: sums.By * 4, yRow: y.By * 4,
		c: unsafe.Pointer(unsafe.SliceData(c)), tail: unsafe.Pointer(unsafe.SliceData(tail)),
	}
	copy(a.h[:], h0[:w.Units])
	for t := 0; t < steps; t += chainLimit {
		a.steps = min(chainLimit, steps-t)
		a.sums = unsafe.Pointer(&sums.Data[sums.First+t*sums.By])
		a.y = unsafe.Pointer(&y.Data[y.First+t*y.By])
		if level.Load() == levelAVX512 {
			switch op {
			case TanhChain:
				tanhChain512(&a)
			case ReLUChain:
				reluChain512(&a)
			case LSTMChain:
				lstmChain512(&a)
			case GRUChain:
				gruChain512(&a)
			}
			continue
		}
		switch op {
		case TanhChain:
			tanhChain256(&a)
		case ReLUChain:
			reluChain256(&a)
		case LSTMChain:
			lstmChain256(&a)
		case GRUChain:
			gruChain256(&a)
		}
	}
}
