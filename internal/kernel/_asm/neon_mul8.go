package main

import "fmt"

// The product of 8-bit integers on arm64 multiplies signed bytes with signed ones: the
// left side has 128 taken off (the sign bit turned) as it is loaded, so that the sum of
// a column lacks 128 times the sum of its weights, which own has with a minus sign.
// Registers are those of neon_mul.go; the microkernel takes R25, the steps of the first
// row, too.

func arg8NEON(name string) string { return fieldNEON("mul8Args_" + name) }

const (
	mostRows8NEON = 6
	turned        = "V31" // 128 in every byte
)

func mul8NEONFile(w *writer) {
	name := func(rows, nv int) string { return fmt.Sprintf("micro8xNEON_%dx%d<>", rows, nv) }
	for rows := 1; rows <= mostRows8NEON; rows++ {
		for nv := 1; nv <= maxVecs; nv++ {
			micro8NEON(w, name(rows, nv), rows, nv)
		}
	}
	fmt.Fprintln(w)
	for rows := 1; rows <= mostRows8NEON; rows++ {
		for nv := 1; nv <= maxVecs; nv++ {
			fmt.Fprintf(w, "DATA ·micro8xNEON+(8*(%d*const_microVecs+%d))(SB)/8, $%s(SB)\n", rows-1, nv-1, name(rows, nv))
		}
	}
	fmt.Fprintf(w, "GLOBL ·micro8xNEON(SB), RODATA|NOPTR, $(8*const_microRows*const_microVecs)\n")
	driverNEON(w, "mul8xNEON", arg8NEON, append([][2]string{{"cols", "scale"}, {"cols", "shift"}, {"cols", "own"}}, advances...), "steps")
}

// micro8NEON writes the microkernel of rows x nv*16 columns.
func micro8NEON(w *writer, name string, rows, nv int) {
	w.text(name, "NOSPLIT|NOFRAME", 0, 0)
	fmt.Fprintf(w, "\tMOVD $%d, R11\n", nv*64)
	fmt.Fprintf(w, "\tMOVD R6, R19\n")
	for r := 1; r < rows; r++ {
		w.addr(rowNEON(r), rowNEON(r-1), "R4")
	}
	w.word(0x4f04e400|reg(turned), "movi v%d.16b, #128", reg(turned))
	vecs := nv * 4
	most := 20 / rows // columns by four at a time: 20 sums, and 12 registers for the rest
	n := (vecs + most - 1) / most
	for i := range n {
		group8NEON(w, rows, group{i * vecs / n, (i + 1) * vecs / n}, nv, i)
	}
	fmt.Fprintf(w, "\tMOVD R12, R7\n\tMOVD R13, R8\n\tMOVD R15, R9\n")
	w.ret()
}

// group8NEON writes the sums of some columns of all rows.
func group8NEON(w *writer, rows int, g group, nv, index int) {
	n := g.hi - g.lo
	acc := func(r, v int) string { return neonReg(r*n + v) }
	line := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	label := func(s string) string { return fmt.Sprint(s, index) }
	line("MOVD R7, R12")
	line("MOVD R8, R13")
	line("MOVD R9, R15")
	line("MOVD %s, R1", arg8NEON("w"))
	line("MOVD %s, R3", arg8NEON("groups"))
	line("MOVD ZR, R2")
	if g.lo > 0 {
		w.addi("R1", "R1", g.lo*16)
	}
	for r := range rows {
		for v := range n {
			w.v3("eor", acc(r, v), acc(r, v), acc(r, v))
		}
	}
	// Four steps at a time, whose 16 bytes of a row are loaded and turned together.
	line("SUBS $4, R3")
	line("BLT %s", label("rest"))
	w.align16()
	w.label(label("k"))
	step8NEON(w, rows, n, 4, acc)
	w.addi("R2", "R2", 16)
	w.scalar("subs x3, x3, #4", "SUBS $4, R3")
	w.scalar("b.ge "+label("k"), "BGE %s", label("k"))
	w.label(label("rest"))
	line("ADDS $4, R3")
	line("BEQ %s", label("end"))
	w.label(label("one"))
	step8NEON(w, rows, n, 1, acc)
	w.addi("R2", "R2", 4)
	w.countDown("R3", label("one"))
	w.label(label("end"))

	// Column by column what a sum starts from; registers beyond the sums are free.
	t, u, scale := neonReg(rows*n), neonReg(rows*n+1), neonReg(rows*n+2)
	zero := func(r int) string { return neonReg(rows*n + 3 + r) }
	line("ADD $4, R25, R2")
	for r := range rows {
		w.broadcast(zero(r), "R2")
		w.addi("R2", "R2", stepsSize)
	}
	line("MOVD %s, R1", arg8NEON("shift"))
	line("MOVD %s, R2", arg8NEON("own"))
	for v := range n {
		w.ldrq(t, "R1", (g.lo+v)*16)
		w.ldrq(u, "R2", (g.lo+v)*16)
		w.shiftLeft(7, u, u)
		for r := range rows {
			w.v3("sub", acc(r, v), acc(r, v), u)
			w.v3("mla", acc(r, v), t, zero(r))
		}
	}
	line("MOVD %s, R1", arg8NEON("scale"))
	line("MOVD R25, R2")
	for _, p := range [][2]string{{"dstRow", "R3"}, {"initRow", "R16"}, {"lastRow", "R17"}} {
		line("MOVD %s, %s", arg8NEON(p[0]), p[1])
	}
	line("MOVD %s, R14", arg8NEON("raw"))
	for r := range rows {
		raw, next := label(fmt.Sprintf("raw%d_", r)), label(fmt.Sprintf("next%d_", r))
		line("CBNZ R14, %s", raw)
		w.broadcast(scale, "R2")
		for v := range n {
			base, off := "R13", (g.lo+v)*16
			if lastVec := (nv - 1) * 4; g.lo+v >= lastVec {
				base, off = "R15", (g.lo+v-lastVec)*16
			}
			w.toFloat(acc(r, v), acc(r, v))
			w.ldrq(t, "R1", (g.lo+v)*16)
			w.v3("fmul", t, scale, t)
			w.ldrq(u, base, off)
			w.v3("fmla", u, acc(r, v), t)
			w.strq(u, "R12", (g.lo+v)*16)
		}
		line("B %s", next)
		w.label(raw)
		for v := range n {
			w.strq(acc(r, v), "R12", (g.lo+v)*16)
		}
		w.label(next)
		w.addi("R2", "R2", stepsSize)
		w.addr("R12", "R12", "R3")
		w.addr("R13", "R13", "R16")
		w.addr("R15", "R15", "R17")
	}
}

// step8NEON writes so many steps of four k, one or four, and moves the weights on.
func step8NEON(w *writer, rows, n, steps int, acc func(r, v int) string) {
	a := func(r int) string { return neonReg(30 - r) }
	first := rows * n
	spare := (31 - first - rows) / 2 * 2 // for weights
	if spare < 2 {
		panic("no registers left")
	}
	for r := range rows {
		if steps == 1 {
			w.ldrsAt(a(r), rowNEON(r), "R2")
		} else {
			w.ldrqAt(a(r), rowNEON(r), "R2")
		}
		w.v3("eor", a(r), a(r), turned)
	}
	for step := range steps {
		for v := 0; v < n; v += 2 {
			x, y := neonReg(first+v%spare), neonReg(first+v%spare+1)
			if v+1 == n {
				w.ldrq(x, "R1", v*16)
			} else {
				w.ldpq(x, y, "R1", v*16)
			}
			for r := range rows {
				w.sdotLane(acc(r, v), x, a(r), step)
			}
			for r := 0; r < rows && v+1 < n; r++ {
				w.sdotLane(acc(r, v+1), y, a(r), step)
			}
		}
		w.addr("R1", "R1", "R11")
	}
}

// quantiseNEONFile writes what quantiseFile does: the bounds of n vectors of 16 numbers,
// and their bytes.
func quantiseNEONFile(w *writer) {
	line := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	w.text("·boundsNEON", "NOSPLIT", 0, 24)
	line("MOVD x+0(FP), R1")
	line("MOVD n+8(FP), R2")
	for i := range 8 {
		r := neonReg(i)
		w.v3("eor", r, r, r)
	}
	w.label("loop")
	w.ldpq("V16", "V17", "R1", 0)
	w.ldpq("V18", "V19", "R1", 32)
	for i := range 4 {
		x := neonReg(16 + i)
		w.v3("umax", neonReg(i), neonReg(i), x)
		w.v3("smax", neonReg(4+i), neonReg(4+i), x)
	}
	w.addi("R1", "R1", 64)
	w.countDown("R2", "loop")
	for i, op := range []string{"umax", "smax"} {
		r := func(k int) string { return neonReg(4*i + k) }
		w.v3(op, r(0), r(0), r(1))
		w.v3(op, r(2), r(2), r(3))
		w.v3(op, r(0), r(0), r(2))
	}
	w.word(0x6eb0a800, "umaxv s0, v0.4s")
	w.word(0x4eb0a800|4<<5|4, "smaxv s4, v4.4s")
	line("FMOVS F0, R1")
	line("MOVW R1, least+16(FP)")
	line("FMOVS F4, R1")
	line("MOVW R1, most+20(FP)")
	w.ret()
	toBytesNEON(w, "quantise", "times", "fmul")
}
