//go:build amd64 && !purego

package kernel

import (
	"fmt"
	"unsafe"
)

// gateArgs are the arguments of the fused gates in assembly, which changes
// them; distances are bytes. _asm/gates.go has the offsets.
type gateArgs struct {
	m, n   int
	gate   int // between the gates of a gradient
	record int // not 0: write the record
	p      [7]gateRows
}

// gateRows is a pointer to the first row and the distance of rows.
type gateRows struct {
	p  unsafe.Pointer
	ld int
}

// rowLimit bounds the rows of one call of assembly, which cannot be preempted;
// a row of one vector takes some 30 ns.
const rowLimit = 4096

// gateOp names a routine, at either level.
type gateOp int

const (
	opLSTMForward gateOp = iota
	opGRUForward
	opTanhForward
	opReLUForward
	opLSTMBackward
	opGRUBackward
	opTanhBackward
	opReLUBackward
	opTanhTo
	opSigmoidTo
	opFlushTo
)

// set gives row slice i, which has need elements in its last row.
func (g *gateArgs) set(i int, x []float32, ld, need int) {
	if len(x) < (g.m-1)*ld+need {
		panic(fmt.Sprintf("kernel: %d rows of %d, %d apart, of a slice of %d", g.m, need, ld, len(x)))
	}
	g.p[i] = gateRows{unsafe.Pointer(unsafe.SliceData(x)), ld * 4}
}

// run calls the routine for parts of at most rowLimit rows.
func (g *gateArgs) run(op gateOp, lv int32) {
	if g.m <= rowLimit {
		g.call(op, lv)
		return
	}
	for left := g.m; left > 0; left -= rowLimit {
		part := *g
		part.m = min(left, rowLimit)
		part.call(op, lv)
		for i := range g.p {
			if g.p[i].p != nil {
				g.p[i].p = unsafe.Add(g.p[i].p, min(left-1, rowLimit)*g.p[i].ld)
			}
		}
	}
}

func (g *gateArgs) call(op gateOp, lv int32) {
	if lv == levelAVX512 {
		switch op {
		case opLSTMForward:
			lstmForward512(g)
		case opGRUForward:
			gruForward512(g)
		case opTanhForward:
			tanhForward512(g)
		case opReLUForward:
			reluForward512(g)
		case opLSTMBackward:
			lstmBackward512(g)
		case opGRUBackward:
			gruBackward512(g)
		case opTanhBackward:
			tanhBackward512(g)
		case opReLUBackward:
			reluBackward512(g)
		case opTanhTo:
			tanhTo512(g)
		case opSigmoidTo:
			sigmoidTo512(g)
		case opFlushTo:
			flushTo512(g)
		}
		return
	}
	switch op {
	case opLSTMForward:
		lstmForward256(g)
	case opGRUForward:
		gruForward256(g)
	case opTanhForward:
		tanhForward256(g)
	case opReLUForward:
		reluForward256(g)
	case opLSTMBackward:
		lstmBackward256(g)
	case opGRUBackward:
		gruBackward256(g)
	case opTanhBackward:
		tanhBackward256(g)
	case opReLUBackward:
		reluBackward256(g)
	case opTanhTo:
		tanhTo256(g)
	case opSigmoidTo:
		sigmoidTo256(g)
	case opFlushTo:
		flushTo256(g)
	}
}

// The functions below do what their namesakes in gates.go and activation.go do
// if a vector level is in use, and report whether it is.

func lstmForward(m, n int, z []float32, ldz int, c []float32, ldc int, h []float32, ldh int, rec []float32, ldr int) bool {
	lv := level.Load()
	if lv == levelGo || m <= 0 || n <= 0 {
		return false
	}
	g := gateArgs{m: m, n: n}
	g.set(0, z, ldz, 4*Lane)
	g.set(1, c, ldc, n)
	g.set(2, h, ldh, n)
	if rec != nil {
		g.record = 1
		g.set(3, rec, ldr, 4*Lane)
	}
	g.run(opLSTMForward, lv)
	return true
}

func gruForward(m, n int, z []float32, ldz int, x []float32, ldx int, hp []float32, ldp int, h []float32, ldh int, rec []float32, ldr int, nh []float32, ldn int) bool {
	lv := level.Load()
	if lv == levelGo || m <= 0 || n <= 0 {
		return false
	}
	g := gateArgs{m: m, n: n}
	g.set(0, z, ldz, 3*Lane)
	g.set(1, x, ldx, 3*Lane)
	g.set(2, hp, ldp, n)
	g.set(3, h, ldh, n)
	if rec != nil {
		g.record = 1
		g.set(4, rec, ldr, 3*Lane)
		g.set(5, nh, ldn, n)
	}
	g.run(opGRUForward, lv)
	return true
}

func lstmBackward(m, n int, rec []float32, ldr int, c []float32, ldc int, cp []float32, ldp int, dh []float32, ldh int, dc []float32, lddc int, dz []float32, lddz, gate int) bool {
	lv := level.Load()
	if lv == levelGo || m <= 0 || n <= 0 {
		return false
	}
	g := gateArgs{m: m, n: n, gate: gate * 4}
	g.set(0, rec, ldr, 4*Lane)
	g.set(1, c, ldc, n)
	g.set(2, cp, ldp, n)
	g.set(3, dh, ldh, n)
	g.set(4, dc, lddc, n)
	g.set(5, dz, lddz, 3*gate+n)
	g.run(opLSTMBackward, lv)
	return true
}

func gruBackward(m, n int, rec []float32, ldr int, nh []float32, ldn int, hp []float32, ldp int, dh []float32, ldh int, dp []float32, lddp int, dx, dz []float32, lddz, gate int) bool {
	lv := level.Load()
	if lv == levelGo || m <= 0 || n <= 0 {
		return false
	}
	g := gateArgs{m: m, n: n, gate: gate * 4}
	g.set(0, rec, ldr, 3*Lane)
	g.set(1, nh, ldn, n)
	g.set(2, hp, ldp, n)
	g.set(3, dh, ldh, n)
	g.set(4, dp, lddp, n)
	g.set(5, dx, lddz, 2*gate+n)
	g.set(6, dz, lddz, 2*gate+n)
	g.run(opGRUBackward, lv)
	return true
}

// unary runs an op of one input and one output.
func unary(op gateOp, m, n int, z []float32, ldz int, h []float32, ldh int) bool {
	lv := level.Load()
	if lv == levelGo || m <= 0 || n <= 0 {
		return false
	}
	g := gateArgs{m: m, n: n}
	g.set(0, z, ldz, n)
	g.set(1, h, ldh, n)
	g.run(op, lv)
	return true
}

// binary runs an op of two inputs and one output.
func binary(op gateOp, m, n int, h []float32, ldh int, dh []float32, lddh int, dz []float32, lddz int) bool {
	lv := level.Load()
	if lv == levelGo || m <= 0 || n <= 0 {
		return false
	}
	g := gateArgs{m: m, n: n}
	g.set(0, h, ldh, n)
	g.set(1, dh, lddh, n)
	g.set(2, dz, lddz, n)
	g.run(op, lv)
	return true
}

// transpose writes dst[k*ldd+u] = Flush(src[u*lds+k]) for the units u < Lane
// and as many k as fill whole blocks, and returns their number.
func transpose(k int, dst []float32, ldd int, src []float32, lds int) int {
	lanes := 16
	lv := level.Load()
	switch lv {
	case levelGo:
		return 0
	case levelAVX2:
		lanes = 8
	}
	k = k / lanes * lanes
	if k == 0 {
		return 0
	}
	if len(src) < (Lane-1)*lds+k || len(dst) < (k-1)*ldd+Lane {
		panic(fmt.Sprintf("kernel: %d rows of %d, %d and %d apart, of slices of %d and %d", k, Lane, ldd, lds, len(dst), len(src)))
	}
	for u := 0; u < Lane; u += lanes {
		g := gateArgs{m: k / lanes, gate: lds * 4}
		g.p[0].p = unsafe.Pointer(&src[u*lds])
		g.p[1] = gateRows{unsafe.Pointer(&dst[u]), ldd * 4}
		if lv == levelAVX512 {
			transpose512(&g)
		} else {
			transpose256(&g)
		}
	}
	return k
}

// elementwise runs an op over a slice, in parts of bounded length.
func elementwise(op gateOp, dst, src []float32) bool {
	const part = rowLimit * Lane
	for ; len(src) > part; src, dst = src[part:], dst[part:] {
		if !unary(op, 1, part, src, 0, dst, 0) {
			return false
		}
	}
	return unary(op, 1, len(src), src, 0, dst, 0)
}
