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
//	CX   bytes between k of a; where a table says where they are, the table
//
// The microkernel uses SI (weights), AX (a) and DX (k steps left) freely.

// arg is a field of the arguments.
func arg(name string) string { return field("mulArgs_" + name) }

const maxVecs = 4

// rowsOf is the number of rows the registers allow for nv vectors of 16.
func rowsOf(s isa, nv int) int {
	if s.lanes == 8 || nv == 4 {
		return 6
	}
	return 8
}

// sideBySide is how many panels a microkernel of few rows walks at once, so
// that there are enough sums to hide the latency of one.
func sideBySide(s isa, rows, nv int) int {
	switch {
	case s.at: // the panels of its driver are lines
	case s.lanes == 16 && rows == 1 && nv == 3:
		return 3
	case s.lanes == 16 && rows <= 2 && nv >= 3, s.lanes == 8 && rows == 1 && nv == 3:
		return 2
	}
	return 1
}

// mulFile writes the microkernels of a level, the table of them and the driver.
// The package finds out from the table which there are.
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
	fmt.Fprintln(w)
	for p := 1; p <= 3; p++ {
		for rows := 1; rows <= rowsOf(s, 1); rows++ {
			for nv := 1; nv <= maxVecs; nv++ {
				if name := microName(s, rows, nv, p); micros[name] {
					fmt.Fprintf(w, "DATA ·micro%s+(8*((%d*const_microRows+%d)*const_microVecs+%d))(SB)/8, $%s(SB)\n", s.suffix(), p-1, rows-1, nv-1, name)
				}
			}
		}
	}
	fmt.Fprintf(w, "GLOBL ·micro%s(SB), RODATA|NOPTR, $(8*const_microSides*const_microRows*const_microVecs)\n", s.suffix())
	driver(w, s)
}

func microName(s isa, rows, nv, p int) string {
	name := fmt.Sprintf("micro%s_%dx%d", s.suffix(), rows, nv)
	if p > 1 {
		name += fmt.Sprintf("x%d", p)
	}
	return name + "<>"
}

// driver writes the driver of the products of float32 with weights of a kind.
func driver(w *writer, s isa) {
	moves := advances
	if s.at {
		moves = advancesAt
	}
	drive(w, "·mul"+s.suffix(), arg, moves, func() {
		if !s.at {
			w.op("MOVQ", arg("col"), "CX")
		}
	}, func() {
		w.op("MOVQ", arg("prefetch"), "R11")
	}, func(string) {
		w.op("ADDQ", arg("prefetchBy"), "R11")
	})
}

// drive writes a driver: for every panel, `big` blocks of rows with the microkernel
// `kernel`, then `small` blocks with the one for a row less. A microkernel of
// several panels side by side moves the arguments on by the others. What registers
// a kind of product needs besides is set at the begin of all and of a panel, and
// moved after a block of rows.
func drive(w *writer, name string, arg func(string) string, advances [][2]string, begin, panel func(), moved func(part string)) {
	w.text(name, "0", 32, 8)
	const big, small, left = "big-8(SP)", "small-16(SP)", "left-24(SP)"
	w.op("MOVQ", "p+0(FP)", "DI")
	w.op("MOVQ", arg("row"), "BX")
	begin()
	w.op("LEAQ", "(BX)(BX*2)", "R8")
	w.op("LEAQ", "(BX)(BX*4)", "R9")
	w.op("LEAQ", "(R8)(BX*4)", "R10")
	w.op("MOVQ", arg("kernel"), "SI")
	w.op("MOVQ", "SI", big)
	w.op("MOVQ", arg("kernelSmall"), "SI")
	w.op("MOVQ", "SI", small)
	w.label("panel")
	w.op("MOVQ", arg("dst"), "R12")
	w.op("MOVQ", arg("init"), "R13")
	w.op("MOVQ", arg("last"), "R15")
	w.op("MOVQ", arg("a"), "R14")
	panel()
	for _, part := range []struct{ name, kernel string }{{"big", big}, {"small", small}} {
		w.op("MOVQ", arg(part.name), "AX")
		w.jump("JMP", part.name+"Next")
		w.label(part.name)
		w.op("MOVQ", "AX", left)
		w.op("MOVQ", part.kernel, "DX")
		w.op("CALL", "DX")
		w.op("ADDQ", arg(part.name+"Bytes"), "R14")
		moved(part.name)
		w.op("MOVQ", left, "AX")
		w.label(part.name + "Next")
		w.op("SUBQ", 1, "AX")
		w.jump("JGE", part.name)
	}
	// The arguments are pointers that the garbage collector sees after the call:
	// they stay at the last panel and do not move beyond it.
	w.op("SUBQ", 1, arg("panels"))
	w.jump("JEQ", "done")
	for _, p := range advances {
		w.op("MOVQ", arg(p[0]), "AX")
		w.op("ADDQ", "AX", arg(p[1]))
	}
	w.jump("JMP", "panel")
	w.label("done")
	w.op("VZEROUPPER")
	w.ret()
}

// advances are the arguments that move on with the panel, and by which.
var advances = [][2]string{{"panel", "w"}, {"dstPanel", "dst"}, {"initPanel", "init"}, {"lastPanel", "last"}}

// advancesAt are those where the panels are lines of positions that one panel of
// weights is multiplied with, found by a table; see slide.go of the package.
var advancesAt = [][2]string{{"line", "a"}, {"dstPanel", "dst"}, {"initPanel", "init"}, {"lastPanel", "last"}}
