package main

import (
	"fmt"
)

// callNEONFile writes the way from Go to a routine, which finds its arguments at
// R0.
func callNEONFile(w *writer) {
	w.text("·call", "NOSPLIT|NOFRAME", 0, 16)
	fmt.Fprintf(w, "\tMOVD args+8(FP), R0\n\tMOVD routine+0(FP), R1\n\tJMP (R1)\n")
}

// gatesNEONFile writes what gatesFile does.
func gatesNEONFile(w *writer) {
	v := newVec(w, neon)
	v.constTable = "gateConstants<>"
	fusedRoutines(v)
}

// transposeNEONFile writes transposeNEON: gateArgs.m times a block of four by four
// numbers, read row by row (rows gate apart) from p[0], which moves on by a vector,
// and written column by column to p[1]; what lies closer to zero than consts[0]
// becomes +0.
func transposeNEONFile(w *writer) {
	v := newVec(w, neon)
	v.constTable = "transposeConstants<>"
	v.text("·transposeNEON", "NOSPLIT", 0, 8)
	v.line64("MOVD a+0(FP), R0")
	v.line64("MOVD $%s(SB), %s", v.constTable, constBase)
	v.line64("MOVD %s, R8", fieldNEON("gateArgs_m"))
	v.line64("MOVD %s, R2", fieldNEON("gateArgs_gate"))
	v.line64("MOVD %s, R1", atNEON("gateArgs_p", 0, "gateRows", "p"))
	v.line64("MOVD %s, R3", atNEON("gateArgs_p", 1, "gateRows", "p"))
	v.line64("MOVD %s, R4", atNEON("gateArgs_p", 1, "gateRows", "ld"))
	limit := v.get()
	v.constNEON(limit, 0)
	v.label("block")
	var in, mid, out [4]string
	for i := range 4 {
		in[i], mid[i] = v.get(), v.get()
	}
	out = in
	v.ldrq(in[0], "R1", 0)
	v.addr("R5", "R1", "R2")
	for i := 1; i < 4; i++ {
		v.ldrq(in[i], "R5", 0)
		if i < 3 {
			v.addr("R5", "R5", "R2")
		}
	}
	for i := 0; i < 4; i += 2 { // pairs of columns of two rows
		v.v3("trn1", mid[i], in[i], in[i+1])
		v.v3("trn2", mid[i+1], in[i], in[i+1])
	}
	for i := range 2 { // columns 0 and 1, and 2 and 3, of all four
		v.d3("zip1", out[i], mid[i], mid[2+i])
		v.d3("zip2", out[2+i], mid[i], mid[2+i])
	}
	for i := range 4 {
		v.flushBelow(out[i], limit)
		v.strq(out[i], "R3", 0)
		if i < 3 {
			v.addr("R3", "R3", "R4")
		}
	}
	// The pointers may not stand beyond their memory after the last block, where
	// nobody uses them.
	v.addr("R3", "R3", "R4")
	v.addi("R1", "R1", 16)
	v.countDown("R8", "block")
	v.ret()
	v.tables()
}

// chainNEONFile writes the chains of as many units as a vector has.
func chainNEONFile(w *writer) {
	v := newVec(w, neon)
	v.constTable = "chainConstants<>"
	chains(v)
}

// chainNEON is chain for arm64: R1 is the step's sums, R2 its output, R3 the cell
// state.
func (v *vec) chainNEON(op string, gates int, hasCell, tail bool, body func(g []string, h, c string)) {
	v.beginNEON(op)
	v.line64("MOVD %s, %s", fieldNEON("chainArgs_lanes"), laneCount)
	v.line64("MOVD %s, R1", fieldNEON("chainArgs_sums"))
	v.line64("MOVD %s, R2", fieldNEON("chainArgs_y"))
	v.line64("MOVD %s, R8", fieldNEON("chainArgs_steps"))
	v.line64("MOVD %s, R4", fieldNEON("chainArgs_sumsRow"))
	v.line64("MOVD %s, R5", fieldNEON("chainArgs_yRow"))
	v.line64("MOVD %s, R6", fieldNEON("chainArgs_wRow"))
	v.line64("ADD $chainArgs_h, R0, R7")
	h, c := v.get(), ""
	v.ldrq(h, "R7", 0)
	if hasCell {
		c = v.get()
		v.line64("MOVD %s, R3", fieldNEON("chainArgs_c"))
		v.partly(func() { v.load("(R3)", c) })
	}
	v.label("step")
	var g []string
	for i := range gates {
		g = append(g, v.get())
		if tail && i == gates-1 {
			v.line64("MOVD %s, R9", fieldNEON("chainArgs_tail"))
			v.ldrq(g[i], "R9", 0)
			continue
		}
		v.ldrq(g[i], "R1", 64*i)
	}
	v.line64("MOVD %s, R9", fieldNEON("chainArgs_w"))
	v.line64("MOVD %s, R10", fieldNEON("chainArgs_depth"))
	v.line64("MOVD R7, R11")
	b, x := v.get(), v.get()
	v.label("k")
	v.ldrs(b, "R11", 0)
	for i := range g {
		v.ldrq(x, "R9", 64*i)
		v.fmlaLane(g[i], x, b)
	}
	v.addi("R11", "R11", 4)
	v.addr("R9", "R9", "R6")
	v.countDown("R10", "k")
	v.put(b, x)
	body(g, h, c)
	v.put(g...)
	v.strq(h, "R7", 0)
	v.partly(func() { v.store(h, "(R2)") })
	v.addr("R1", "R1", "R4")
	v.addr("R2", "R2", "R5")
	v.countDown("R8", "step")
	if hasCell {
		v.partly(func() { v.store(c, "(R3)") })
		v.put(c)
	}
	v.put(h)
	v.ret()
}

// partly writes code for the units of a chain, one to four.
func (v *vec) partly(do func()) {
	whole, after := v.newLabel("whole"), v.newLabel("after")
	v.line64("CMP $4, %s", laneCount)
	v.jump("BEQ", whole)
	v.masked = true
	do()
	v.masked = false
	v.jump("B", after)
	v.label(whole)
	do()
	v.label(after)
}

// optimiseNEONFile writes what optimiseFile does.
func optimiseNEONFile(w *writer) {
	w.text("·squaresNEON", "NOSPLIT", 0, 24)
	fmt.Fprintf(w, "\tMOVD x+0(FP), R1\n\tMOVD n+8(FP), R2\n\tMOVD sums+16(FP), R3\n")
	w.ldpq("V0", "V1", "R3", 0)
	w.label("loop")
	w.ldrq("V2", "R1", 0)
	w.word(0x0e617800|2<<5|3, "fcvtl v3.2d, v2.2s")
	w.word(0x4e617800|2<<5|4, "fcvtl2 v4.2d, v2.4s")
	for i, sum := range []string{"V0", "V1"} {
		x := fmt.Sprintf("V%d", 3+i)
		w.d3("fmul", x, x, x)
		w.d3("fadd", sum, sum, x)
	}
	w.addi("R1", "R1", 16)
	w.countDown("R2", "loop")
	w.strq("V0", "R3", 0)
	w.strq("V1", "R3", 16)
	w.ret()

	w.text("·subScaledNEON", "NOSPLIT", 0, 28)
	fmt.Fprintf(w, "\tMOVD dst+0(FP), R1\n\tMOVD src+8(FP), R2\n\tMOVD n+16(FP), R3\n\tMOVD $a+24(FP), R4\n")
	w.broadcast("V0", "R4")
	w.label("loop")
	for i := range 2 {
		x, y := fmt.Sprintf("V%d", 1+2*i), fmt.Sprintf("V%d", 2+2*i)
		w.ldrq(x, "R2", 16*i)
		w.v3("fmul", x, x, "V0")
		w.ldrq(y, "R1", 16*i)
		w.v3("fsub", y, y, x)
		w.strq(y, "R1", 16*i)
	}
	w.addi("R1", "R1", 32)
	w.addi("R2", "R2", 32)
	w.countDown("R3", "loop")
	w.ret()

	adamNEON(w)
}

// adamNEON is adam for arm64.
func adamNEON(w *writer) {
	w.text("·adamNEON", "NOSPLIT", 0, 48)
	for i, name := range []string{"p", "d", "m", "v", "n", "by"} {
		fmt.Fprintf(w, "\tMOVD %s+%d(FP), R%d\n", name, 8*i, i+1)
	}
	by := map[string]string{}
	for i, name := range adamNumbers {
		by[name] = neonReg(i)
		fmt.Fprintf(w, "\tADD $AdamStep_%s, R6, R7\n", name)
		w.broadcast(by[name], "R7")
	}
	w.label("block")
	for at := 0; at < 64; at += 16 {
		const p, g, m, v, t = "V10", "V11", "V12", "V13", "V14"
		w.ldrq(p, "R1", at)
		w.v3("fmul", p, p, by["Shrink"])
		w.ldrq(g, "R2", at)
		w.v3("fmul", g, g, by["Sign"])
		w.v3("fmul", t, p, by["Decay"])
		w.v3("fadd", g, g, t)
		w.ldrq(m, "R3", at)
		w.v3("fmul", m, m, by["A"])
		w.v3("fmul", t, g, by["A1"])
		w.v3("fadd", m, m, t)
		w.strq(m, "R3", at)
		w.v3("fmul", g, g, g)
		w.ldrq(v, "R4", at)
		w.v3("fmul", v, v, by["B"])
		w.v3("fmul", t, g, by["B1"])
		w.v3("fadd", v, v, t)
		w.strq(v, "R4", at)
		w.word(0x6ea1f800|reg(v)<<5|reg(v), "fsqrt v%d.4s, v%d.4s", reg(v), reg(v))
		w.v3("fdiv", v, v, by["Root"])
		w.v3("fadd", v, v, by["Small"])
		w.v3("fdiv", m, m, v)
		w.v3("fmul", m, m, by["LR"])
		w.v3("fsub", p, p, m)
		w.strq(p, "R1", at)
	}
	for _, r := range []string{"R1", "R2", "R3", "R4"} {
		w.addi(r, r, 64)
	}
	w.countDown("R5", "block")
	w.ret()
}

// peakNEONFile writes what peakFile and pauseFile do.
func peakNEONFile(w *writer) {
	const sums = 24
	w.text("·peakNEON", "NOSPLIT", 0, 8)
	fmt.Fprintf(w, "\tMOVD n+0(FP), R1\n")
	for i := range sums + 2 {
		r := fmt.Sprintf("V%d", i)
		w.v3("eor", r, r, r)
	}
	w.label("loop")
	for i := range sums {
		w.v3("fmla", fmt.Sprintf("V%d", i), fmt.Sprintf("V%d", sums), fmt.Sprintf("V%d", sums+1))
	}
	w.countDown("R1", "loop")
	w.ret()

	w.text("·pause", "NOSPLIT", 0, 8)
	fmt.Fprintf(w, "\tMOVD n+0(FP), R1\n")
	w.label("loop")
	fmt.Fprintf(w, "\tYIELD\n")
	w.countDown("R1", "loop")
	w.ret()
}
