package main

import "fmt"

// The routine of a product has two parts. The driver mul walks the panels and,
// within a panel, the blocks of rows; it calls a microkernel for each block.
// A microkernel keeps rows x columns accumulators in registers and walks k.
//
// Registers between driver and microkernel:
//
//	DI   arguments           BX   bytes between rows of a
//	R14  first row of a      R8, R9, R10   3, 5 and 7 times BX
//	R11  bytes from the weights to the prefetch
//	R12  dst, R13 init, R15 init of the last vector: the microkernel moves them
//	     on by the rows it did
//	CX   bytes between k of a
//
// The microkernel uses SI (weights), AX (a) and DX (k steps left) freely.

// Offsets of mulArgs in mul_amd64.go.
const (
	argW           = 0
	argPanel       = 8
	argDepth       = 16
	argDst         = 24
	argDstPanel    = 32
	argDstRow      = 40
	argInit        = 48
	argInitPanel   = 56
	argInitRow     = 64
	argLast        = 72
	argLastPanel   = 80
	argLastRow     = 88
	argA           = 96
	argRow         = 104
	argCol         = 112
	argPanels      = 120
	argKernel      = 128
	argBig         = 136
	argBigBytes    = 144
	argKernelSmall = 152
	argSmall       = 160
	argSmallBytes  = 168
	argPrefetch    = 176
	argPrefetchBy  = 184
)

const (
	maxRows = 8
	maxVecs = 4
)

// rowsOf is the number of rows the registers allow for nv vectors of 16.
func rowsOf(s isa, nv int) int {
	if s.lanes == 8 || nv == 4 {
		return 6
	}
	return maxRows
}

// sideBySide is how many panels a microkernel of few rows walks at once, so
// that there are enough sums to hide the latency of one.
func sideBySide(s isa, rows, nv int) int {
	switch {
	case s.lanes == 16 && rows == 1 && nv == 3:
		return 3
	case s.lanes == 16 && rows <= 2 && nv >= 3, s.lanes == 8 && rows == 1 && nv == 3:
		return 2
	}
	return 1
}

func mulFile(w *writer, s isa) {
	micros := map[string]bool{}
	for nv := 1; nv <= maxVecs; nv++ {
		for rows := 1; rows <= rowsOf(s, nv); rows++ {
			for p := 1; p <= sideBySide(s, rows, nv); p++ {
				micro(w, s, rows, nv, p)
				micros[microName(s, rows, nv, p)] = true
			}
		}
	}
	for p := 1; p <= 3; p++ {
		for rows := 1; rows <= maxRows; rows++ {
			for nv := 1; nv <= maxVecs; nv++ {
				if name := microName(s, rows, nv, p); micros[name] {
					fmt.Fprintf(w, "\nDATA %s+%d(SB)/8, $%s(SB)", table(s), 8*microIndex(rows, nv, p), name)
				}
			}
		}
	}
	fmt.Fprintf(w, "\nGLOBL %s(SB), RODATA, $%d\n", table(s), 8*microIndex(1, 1, 4))
	driver(w, s)
}

func table(s isa) string { return "micro" + s.name + "<>" }

// microIndex must equal microIndex in mul_amd64.go.
func microIndex(rows, nv, p int) int { return ((p-1)*maxRows+rows-1)*maxVecs + nv - 1 }

func microName(s isa, rows, nv, p int) string {
	name := fmt.Sprintf("micro%s_%dx%d", s.name, rows, nv)
	if p > 1 {
		name += fmt.Sprintf("x%d", p)
	}
	return name + "<>"
}

// driver: for every panel, argBig blocks of rows with the microkernel
// argKernel, then argSmall blocks with the one for a row less. A microkernel
// of several panels side by side moves the arguments on by the others.
func driver(w *writer, s isa) {
	w.text("·mul"+s.name, "0", 32, 8)
	const big, small, left = "big-8(SP)", "small-16(SP)", "left-24(SP)"
	w.op("MOVQ", "p+0(FP)", "DI")
	w.op("MOVQ", mem("DI", argRow), "BX")
	w.op("MOVQ", mem("DI", argCol), "CX")
	w.op("LEAQ", "(BX)(BX*2)", "R8")
	w.op("LEAQ", "(BX)(BX*4)", "R9")
	w.op("LEAQ", "(R8)(BX*4)", "R10")
	w.op("LEAQ", table(s)+"(SB)", "AX")
	w.op("MOVQ", mem("DI", argKernel), "DX")
	w.op("MOVQ", "(AX)(DX*8)", "SI")
	w.op("MOVQ", "SI", big)
	w.op("MOVQ", mem("DI", argKernelSmall), "DX")
	w.op("MOVQ", "(AX)(DX*8)", "SI")
	w.op("MOVQ", "SI", small)
	w.label("panel")
	w.op("MOVQ", mem("DI", argDst), "R12")
	w.op("MOVQ", mem("DI", argInit), "R13")
	w.op("MOVQ", mem("DI", argLast), "R15")
	w.op("MOVQ", mem("DI", argA), "R14")
	w.op("MOVQ", mem("DI", argPrefetch), "R11")
	for _, part := range []struct {
		name, kernel string
		count, bytes int
	}{{"big", big, argBig, argBigBytes}, {"small", small, argSmall, argSmallBytes}} {
		w.op("MOVQ", mem("DI", part.count), "AX")
		w.jump("JMP", part.name+"Next")
		w.label(part.name)
		w.op("MOVQ", "AX", left)
		w.op("MOVQ", part.kernel, "DX")
		w.op("CALL", "DX")
		w.op("ADDQ", mem("DI", part.bytes), "R14")
		w.op("ADDQ", mem("DI", argPrefetchBy), "R11")
		w.op("MOVQ", left, "AX")
		w.label(part.name + "Next")
		w.op("SUBQ", 1, "AX")
		w.jump("JGE", part.name)
	}
	// The arguments are pointers that the garbage collector sees after the call:
	// they stay at the last panel and do not move beyond it.
	w.op("SUBQ", 1, mem("DI", argPanels))
	w.jump("JEQ", "done")
	for _, p := range advances {
		w.op("MOVQ", mem("DI", p[0]), "AX")
		w.op("ADDQ", "AX", mem("DI", p[1]))
	}
	w.jump("JMP", "panel")
	w.label("done")
	w.op("VZEROUPPER")
	w.ret()
}

// advances are the arguments that move on with the panel, and by which.
var advances = [][2]int{{argPanel, argW}, {argDstPanel, argDst}, {argInitPanel, argInit}, {argLastPanel, argLast}}
