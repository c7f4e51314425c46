package main

import (
	"fmt"
	"math"
)

// expNumbers are the constants of the routines of exponentials, which stand in
// registers in this order.
var expNumbers = append([]float64{1.4426950408889634074, 3 << 51, -0.6931471805599453, -2.3190468138462996e-17, 1, -708, 709}, expTaylor...)

// expNEONFile writes what expFile does.
func expNEONFile(w *writer) {
	exponentialNEON(w, false)
	exponentialNEON(w, true)
	narrowNEON(w)
	largestNEON(w)
	fmt.Fprintln(w)
	for i, c := range expNumbers {
		for j := range 2 {
			fmt.Fprintf(w, "DATA expConstants<>+%d(SB)/8, $%#x\n", 16*i+8*j, math.Float64bits(c))
		}
	}
	fmt.Fprintf(w, "GLOBL expConstants<>(SB), RODATA|NOPTR, $%d\n", 16*len(expNumbers))
}

// exponentialNEON is exponential for arm64, in blocks of two.
func exponentialNEON(w *writer, shifted bool) {
	line := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	const log2e, shift, hi, lo, one, least, most, taylor = "V0", "V1", "V2", "V3", "V4", "V5", "V6", 7
	const x, t, m, q, r, minus = "V19", "V20", "V21", "V22", "V23", "V25"
	ret := "ret+16(FP)"
	if shifted {
		ret = "ret+32(FP)"
		w.text("·expShiftedNEON", "NOSPLIT", 0, 40)
		line("MOVD dst+0(FP), R1")
		line("MOVD src+8(FP), R7")
		line("MOVD n+16(FP), R2")
		line("MOVD $m+24(FP), R5")
		w.broadcast2(minus, "R5")
	} else {
		w.text("·expNEON", "NOSPLIT", 0, 24)
		line("MOVD x+0(FP), R1")
		line("MOVD n+8(FP), R2")
	}
	line("MOVD R2, R3")
	line("MOVD $expConstants<>(SB), R4")
	for i := range expNumbers { // 19 registers of constants
		w.ldrq(neonReg(i), "R4", 16*i)
	}
	line("CBZ R2, done")
	w.label("block")
	if shifted {
		w.word(0xfd400000|reg("R7")<<5|reg(x), "ldr d%d, [x7]", reg(x))
		w.word(0x0e617800|reg(x)<<5|reg(x), "fcvtl v%d.2d, v%d.2s", reg(x), reg(x))
		w.d3("fsub", x, x, minus)
	} else {
		w.ldrq(x, "R1", 0)
	}
	w.d3("fcmge", t, x, least)
	w.d3("fcmge", m, most, x)
	w.v3("and", t, t, m)
	line("VMOV %s.D[0], R5", t)
	line("VMOV %s.D[1], R6", t)
	line("AND R5, R6")
	line("CBZ R6, done")
	w.move(t, shift)
	w.d3("fmla", t, x, log2e) // t = x*log2e + shift
	w.d3("fsub", m, t, shift)
	w.move(r, x)
	w.d3("fmla", r, m, hi)
	w.d3("fmla", r, m, lo)
	w.move(q, neonReg(taylor))
	for i := range expTaylor[1:] {
		w.move("V24", neonReg(taylor+1+i))
		w.d3("fmla", "V24", q, r)
		w.move(q, "V24")
	}
	w.d3("fmul", x, r, r)
	w.d3("fmla", r, q, x) // q*(r*r) + r
	w.d3("fadd", q, r, one)
	w.word(0x4f005400|(64+52)<<16|reg(t)<<5|reg(t), "shl v%d.2d, v%d.2d, #52", reg(t), reg(t)) // the low bits of t are n
	w.d3("add", q, q, t)
	w.strq(q, "R1", 0)
	w.addi("R1", "R1", 16)
	if shifted {
		w.addi("R7", "R7", 8)
	}
	line("SUB $1, R2")
	line("CBNZ R2, block")
	w.label("done")
	line("SUB R2, R3")
	line("MOVD R3, %s", ret)
	w.ret()
}

// narrowNEON is narrow for arm64.
func narrowNEON(w *writer) {
	w.text("·narrowNEON", "NOSPLIT", 0, 32)
	fmt.Fprintf(w, "\tMOVD dst+0(FP), R1\n\tMOVD src+8(FP), R2\n\tMOVD n+16(FP), R3\n\tMOVD $k+24(FP), R4\n")
	w.broadcast2("V0", "R4")
	w.label("block")
	for i := range 2 {
		w.ldpq("V1", "V2", "R2", 32*i)
		w.d3("fmul", "V1", "V1", "V0")
		w.d3("fmul", "V2", "V2", "V0")
		w.word(0x0e616800|1<<5|3, "fcvtn v3.2s, v1.2d")
		w.word(0x4e616800|2<<5|3, "fcvtn2 v3.4s, v2.2d")
		w.strq("V3", "R1", 16*i)
	}
	w.addi("R1", "R1", 32)
	w.addi("R2", "R2", 64)
	w.countDown("R3", "block")
	w.ret()
}

// largestNEON is largest for arm64.
func largestNEON(w *writer) {
	w.text("·largestNEON", "NOSPLIT", 0, 28)
	fmt.Fprintf(w, "\tMOVD x+0(FP), R1\n\tMOVD n+8(FP), R2\n\tMOVD lanes+16(FP), R3\n")
	const same, t = "V8", "V9" // same has a bit for each lane that was never NaN
	for i := range 4 {
		w.ldrq(neonReg(i), "R1", 16*i)
	}
	w.v3("cmgt", same, same, same)
	w.invert(same, same)
	w.label("block")
	for i := range 4 {
		x := neonReg(4 + i)
		w.ldrq(x, "R1", 16*i)
		w.v3("fmax", neonReg(i), neonReg(i), x)
		w.v3("fcmeq", t, x, x)
		w.v3("and", same, same, t)
	}
	w.addi("R1", "R1", 64)
	w.countDown("R2", "block")
	for i := range 4 {
		w.strq(neonReg(i), "R3", 16*i)
	}
	fmt.Fprintf(w, "\tVMOV %s.D[0], R5\n\tVMOV %s.D[1], R6\n\tAND R5, R6\n\tMVN R6, R6\n", same, same)
	fmt.Fprintf(w, "\tLSR $32, R6, R5\n\tORR R5, R6\n\tMOVW R6, ret+24(FP)\n")
	w.ret()
}
