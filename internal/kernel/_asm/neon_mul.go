package main

import "fmt"

// The product on arm64 has the same two parts as elsewhere (mul.go). Registers
// between driver and microkernel:
//
//	R0   arguments           R4, R5   bytes between rows and between k of a
//	R6   first row of a
//	R7   dst, R8 init, R9 init of the last 16 columns: the microkernel moves them
//	     on by the rows it did
//
// The microkernel uses R1 (weights), R2 (index into a), R3 (k steps left), R11
// (bytes of a row of weights), R12, R13 and R15 (dst and inits of a group) and R19
// to R24 (rows of a) freely.

// mostRowsNEON and mostSumsNEON are how many rows and sums a microkernel holds;
// what is left of 32 registers is for weights and numbers of a.
const mostRowsNEON, mostSumsNEON = 6, 24

func argNEON(name string) string { return fieldNEON("mulArgs_" + name) }

// form is what weights are: float32, or bfloat16, whose numbers are the upper halves of
// float32.
type form struct {
	name  string
	bytes int  // of four columns
	at    bool // a table, at R5, says where the left side is
}

var (
	singles = form{"", 16, false}
	halves  = form{"h", 8, false}
	sliding = form{"a", 16, true}
)

// mulNEONFile writes the microkernels for weights of a form, their table and, beside
// the first, the driver of all.
func mulNEONFile(w *writer, f form) {
	name := func(rows, nv int) string { return microName(isa{name: "NEON" + f.name}, rows, nv, 1) }
	for nv := 1; nv <= maxVecs; nv++ {
		for rows := 1; rows <= mostRowsNEON; rows++ {
			microNEON(w, f, name(rows, nv), rows, wholeNEON(nv))
		}
	}
	fmt.Fprintln(w)
	for rows := 1; rows <= mostRowsNEON; rows++ {
		for nv := 1; nv <= maxVecs; nv++ {
			fmt.Fprintf(w, "DATA ·microNEON%s+(8*(%d*const_microVecs+%d))(SB)/8, $%s(SB)\n", f.name, rows-1, nv-1, name(rows, nv))
		}
	}
	fmt.Fprintf(w, "GLOBL ·microNEON%s(SB), RODATA|NOPTR, $(8*const_microSides*const_microRows*const_microVecs)\n", f.name)
	switch f {
	case singles:
		driverNEON(w, "mulNEON", argNEON, advances, "")
	case sliding:
		driverNEON(w, "mulNEONa", argNEON, advancesAt, "")
	}
}

// columns are those of a panel, four a register: how many registers they fill, how many
// of these have sums, and where the sums of one begin and go.
type columns struct {
	vecs, used int
	init       func(v int) (base string, disp int)
	dst        func(v int) int
}

// wholeNEON are the columns of a panel of nv*16 columns.
func wholeNEON(nv int) columns {
	last := (nv - 1) * 4 // from here on init comes from R15
	return columns{nv * 4, nv * 4, func(v int) (string, int) {
		if v < last {
			return "R13", v * 16
		}
		return "R15", (v - last) * 16
	}, func(v int) int { return v * 16 }}
}

// microNEON writes the microkernel of so many rows.
func microNEON(w *writer, f form, name string, rows int, c columns) {
	w.text(name, "NOSPLIT|NOFRAME", 0, 0)
	most := mostSumsNEON / rows
	n := (c.used + most - 1) / most
	fmt.Fprintf(w, "\tMOVD $%d, R11\n", c.vecs*f.bytes)
	for r := range rows {
		if r == 0 {
			fmt.Fprintf(w, "\tMOVD R6, R19\n")
		} else {
			w.addr(rowNEON(r), rowNEON(r-1), "R4")
		}
	}
	for i := range n {
		groupNEON(w, f, rows, f.cut(i, n, c.used), c, i)
	}
	fmt.Fprintf(w, "\tMOVD R12, R7\n\tMOVD R13, R8\n\tMOVD R15, R9\n")
	w.ret()
}

func rowNEON(r int) string { return fmt.Sprintf("R%d", 19+r) }

// groupNEON writes the sums of some columns of all rows.
func groupNEON(w *writer, f form, rows int, g group, c columns, index int) {
	n := g.hi - g.lo
	acc := func(r, v int) string { return neonReg(r*n + v) }
	loop, end := fmt.Sprintf("k%d", index), fmt.Sprintf("end%d", index)
	fmt.Fprintf(w, "\tMOVD R7, R12\n\tMOVD R8, R13\n\tMOVD R9, R15\n")
	fmt.Fprintf(w, "\tMOVD %s, R1\n\tMOVD %s, R3\n\tMOVD ZR, R2\n", argNEON("w"), argNEON("depth"))
	fmt.Fprintf(w, "\tMOVD %s, R16\n\tMOVD %s, R17\n", argNEON("initRow"), argNEON("lastRow"))
	if g.lo > 0 {
		w.addi("R1", "R1", g.lo*f.bytes)
	}
	for r := range rows {
		for v := range n {
			base, disp := c.init(g.lo + v)
			w.ldrq(acc(r, v), base, disp)
		}
		w.addr("R13", "R13", "R16")
		w.addr("R15", "R15", "R17")
	}
	if f.at {
		fmt.Fprintf(w, "\tMOVD %s, R5\n", argNEON("at"))
	}
	fmt.Fprintf(w, "\tCBZ R3, %s\n", end)
	w.align16()
	w.label(loop)
	if f.at {
		w.scalar("ldr x2, [x5], #8", "MOVD.P 8(R5), R2")
		w.scalar("lsl x2, x2, #2", "LSL $2, R2, R2")
	}
	f.step(w, rows, n, acc)
	w.addr("R1", "R1", "R11")
	if !f.at {
		w.addr("R2", "R2", "R5")
	}
	w.countDown("R3", loop)
	w.label(end)
	fmt.Fprintf(w, "\tMOVD %s, R16\n", argNEON("dstRow"))
	if f.at {
		fmt.Fprintf(w, "\tADD $mulArgs_floor, R0, R17\n")
		w.broadcast(tmpC, "R17")
	}
	for r := range rows {
		for v := range n {
			if f.at { // the sum where it is not below the floor, or NaN
				w.v3("fcmgt", tmpB, tmpC, acc(r, v))
				w.v3("bsl", tmpB, tmpC, acc(r, v))
				w.strq(tmpB, "R12", c.dst(g.lo+v))
				continue
			}
			w.strq(acc(r, v), "R12", c.dst(g.lo+v))
		}
		w.addr("R12", "R12", "R16")
	}
}

// cut is part i of n of a panel's vectors; those of halves are pairs.
func (f form) cut(i, n, vecs int) group {
	if f == halves {
		return group{2 * (i * (vecs / 2) / n), 2 * ((i + 1) * (vecs / 2) / n)}
	}
	return group{i * vecs / n, (i + 1) * vecs / n}
}

// step writes one step of k: the numbers of a stand in the last registers, and weights
// come two at a time into those between.
func (f form) step(w *writer, rows, n int, acc func(r, v int) string) {
	a := func(r int) string { return neonReg(31 - r) }
	first := rows * n
	spare := 32 - first - rows // for weights
	if spare < 2 {
		panic("no registers left")
	}
	spare = spare / 2 * 2
	for r := range rows {
		w.ldrsAt(a(r), rowNEON(r), "R2")
	}
	for v := 0; v < n; v += 2 {
		x, y := neonReg(first+v%spare), neonReg(first+v%spare+1)
		switch {
		case f == halves:
			w.ldrq(y, "R1", v*8)
			w.widen(x, y, false)
			w.widen(y, y, true)
		case v+1 == n:
			w.ldrq(x, "R1", v*16)
		default:
			w.ldpq(x, y, "R1", v*16)
		}
		for r := range rows {
			w.fmlaLane(acc(r, v), x, a(r))
		}
		for r := 0; r < rows && v+1 < n; r++ {
			w.fmlaLane(acc(r, v+1), y, a(r))
		}
	}
}

func neonReg(i int) string {
	if i < 0 || i > 31 {
		panic(fmt.Sprint("register ", i))
	}
	return fmt.Sprintf("V%d", i)
}

// driverNEON is driver for arm64. R25 is the steps of the first row, where there are
// steps.
func driverNEON(w *writer, name string, argNEON func(string) string, advances [][2]string, steps string) {
	w.text("·"+name, "0", 32, 8)
	line := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	line("MOVD p+0(FP), R0")
	line("MOVD %s, R4", argNEON("row"))
	if steps == "" {
		line("MOVD %s, R5", argNEON("col"))
	}
	w.label("panel")
	for _, p := range [][2]string{{"dst", "R7"}, {"init", "R8"}, {"last", "R9"}, {"a", "R6"}} {
		line("MOVD %s, %s", argNEON(p[0]), p[1])
	}
	if steps != "" {
		line("MOVD %s, R25", argNEON(steps))
	}
	for _, part := range []struct{ name, kernel, bytes string }{{"big", "kernel", "bigBytes"}, {"small", "kernelSmall", "smallBytes"}} {
		line("MOVD %s, R10", argNEON(part.name))
		line("B %sNext", part.name)
		w.label(part.name)
		line("MOVD %s, R17", argNEON(part.kernel))
		line("CALL (R17)")
		line("MOVD %s, R17", argNEON(part.bytes))
		line("ADD R17, R6")
		if steps != "" {
			line("MOVD %s, R17", argNEON(part.name+"Steps"))
			line("ADD R17, R25")
		}
		line("SUB $1, R10")
		w.label(part.name + "Next")
		line("CBNZ R10, %s", part.name)
	}
	// The arguments are pointers that the garbage collector sees after the call:
	// they stay at the last panel and do not move beyond it.
	line("MOVD %s, R16", argNEON("panels"))
	line("SUB $1, R16")
	line("MOVD R16, %s", argNEON("panels"))
	line("CBZ R16, done")
	for _, p := range advances {
		line("MOVD %s, R16", argNEON(p[0]))
		line("MOVD %s, R17", argNEON(p[1]))
		line("ADD R16, R17")
		line("MOVD R17, %s", argNEON(p[1]))
	}
	line("B panel")
	w.label("done")
	w.ret()
}
