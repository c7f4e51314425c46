package main

// bytesFile writes bytes512 or bytes256.
func bytesFile(w *writer, s isa) {
	v := newVec(w, s)
	v.toBytes("bytes", "scale", "VDIVPS")
	v.tables()
}

// toBytes writes a routine of blocks of 16 numbers: over a scale or times one, rounded,
// plus a zero point, to the bounds of a byte.
func (v *vec) toBytes(name, factor, op string) {
	v.text("·"+name+v.s.name, "NOSPLIT", 0, 32)
	v.op("MOVQ", "dst+0(FP)", "DI")
	v.op("MOVQ", "src+8(FP)", "SI")
	v.op("MOVQ", "n+16(FP)", "DX")
	scale, zero, none := v.get(), v.get(), v.get()
	v.op("VBROADCASTSS", factor+"+24(FP)", scale)
	v.op("VBROADCASTSS", "zero+28(FP)", zero)
	v.op("VXORPS", none, none, none)
	v.align()
	v.label("block")
	var x []string
	for i := range 16 / v.s.lanes {
		x = append(x, v.get())
		v.op("VMOVUPS", mem("SI", i*v.s.bytes()), x[i])
		v.op(op, scale, x[i], x[i])
		v.op("VCVTPS2DQ", x[i], x[i])
		v.op("VPADDD", zero, x[i], x[i])
	}
	if v.s.lanes == 16 {
		v.op("VPMAXSD", none, x[0], x[0])
		v.op("VPMOVUSDB", x[0], "(DI)")
	} else {
		v.op("VPACKUSDW", x[1], x[0], x[0]) // columns 0-3 8-11 | 4-7 12-15
		v.op("VPERMQ", 0xd8, x[0], x[0])    // 0-3 4-7 | 8-11 12-15
		v.op("VPACKUSWB", x[0], x[0], x[0]) // 0-7 0-7 | 8-15 8-15
		v.op("VPERMQ", 0xd8, x[0], x[0])    // 0-15 | 0-15
		v.op("VMOVDQU", "X"+x[0][1:], "(DI)")
	}
	v.op("ADDQ", 16, "DI")
	v.op("ADDQ", 64, "SI")
	v.op("SUBQ", 1, "DX")
	v.jump("JNE", "block")
	v.op("VZEROUPPER")
	v.ret()
	v.put(append(x, scale, zero, none)...)
}

// bytesNEONFile writes bytesNEON.
func bytesNEONFile(w *writer) { toBytesNEON(w, "bytes", "scale", "fdiv") }

// toBytesNEON is toBytes for arm64.
func toBytesNEON(w *writer, name, factor, op string) {
	w.text("·"+name+"NEON", "NOSPLIT", 0, 32)
	for _, load := range []string{"MOVD dst+0(FP), R1", "MOVD src+8(FP), R2", "MOVD n+16(FP), R3", "MOVD $" + factor + "+24(FP), R4", "MOVD $zero+28(FP), R5"} {
		w.WriteString("\t" + load + "\n")
	}
	w.broadcast("V16", "R4")
	w.broadcast("V17", "R5")
	w.label("loop")
	w.ldpq("V0", "V1", "R2", 0)
	w.ldpq("V2", "V3", "R2", 32)
	for i := range 4 {
		x := neonReg(i)
		w.v3(op, x, x, "V16")
		w.nearest(x, x)
		w.v3("add", x, x, "V17")
	}
	w.saturate(true, false, "V4", "V0")
	w.saturate(true, true, "V4", "V1")
	w.saturate(true, false, "V5", "V2")
	w.saturate(true, true, "V5", "V3")
	w.saturate(false, false, "V6", "V4")
	w.saturate(false, true, "V6", "V5")
	w.strq("V6", "R1", 0)
	w.addi("R1", "R1", 16)
	w.addi("R2", "R2", 64)
	w.countDown("R3", "loop")
	w.ret()
}

// extremes writes Extremes: the least and the largest of each of several vectors of
// columns stay in registers while the rows go by.
func (v *vec) extremes(op string) {
	if v.s.lanes == 4 {
		v.extremesNEON(op)
		return
	}
	const src, lo, hi = "SI", "AX", "BX"
	v.routine(op)
	v.op("MOVQ", gateN, "R13")
	v.op("MOVQ", gatePtr(0), "R8")
	v.op("MOVQ", gatePtr(1), lo)
	v.op("MOVQ", gatePtr(2), hi)
	v.op("MOVQ", gateStride(0), "R9")
	walk := func(label string, vectors int) {
		v.op("MOVQ", gateM, "DX")
		v.op("MOVQ", "R8", src)
		x, y, z := make([]string, vectors), make([]string, vectors), v.get()
		for i := range x {
			x[i], y[i] = v.get(), v.get()
			v.load(mem(src, i*v.s.bytes()), x[i])
			v.op("VMOVAPS", x[i], y[i])
		}
		v.align()
		v.label(label + "row")
		for i := range x {
			v.load(mem(src, i*v.s.bytes()), z)
			v.op("VMINPS", x[i], z, x[i])
			v.larger(y[i], z)
		}
		v.op("ADDQ", "R9", src)
		v.op("SUBQ", 1, "DX")
		v.jump("JNE", label+"row")
		for i := range x {
			v.store(x[i], mem(lo, i*v.s.bytes()))
			v.store(y[i], mem(hi, i*v.s.bytes()))
		}
		v.put(x...)
		v.put(append(y, z)...)
	}
	v.columnGroups("R13", []string{"R8", lo, hi}, []int{4, 2, 1}, walk)
}

// columnGroups walks columns, some vectors at a time, and then those that are left.
// The pointers do not move beyond the last vector.
func (v *vec) columnGroups(left string, pointers []string, groups []int, walk func(label string, vectors int)) {
	for _, vectors := range groups {
		label := v.newLabel("by")
		v.label(label)
		v.op("CMPQ", left, vectors*v.s.lanes)
		v.jump("JLT", label+"end")
		walk(label, vectors)
		v.op("SUBQ", vectors*v.s.lanes, left)
		v.jump("JEQ", "done")
		for _, p := range pointers {
			v.op("ADDQ", vectors*v.s.bytes(), p)
		}
		v.jump("JMP", label)
		v.label(label + "end")
	}
	v.mask(left)
	v.masked = true
	walk("some", 1)
	v.masked = false
	v.label("done")
	v.op("VZEROUPPER")
	v.ret()
}

// extremesNEON is extremes for arm64: R1 is the source, R2 and R3 the results, R5 the
// bytes between rows.
func (v *vec) extremesNEON(op string) {
	v.beginNEON(op)
	v.line64("MOVD %s, %s", fieldNEON("gateArgs_n"), laneCount)
	for i, r := range []string{"R1", "R2", "R3"} {
		v.line64("MOVD %s, %s", atNEON("gateArgs_p", i, "gateRows", "p"), r)
	}
	v.line64("MOVD %s, R5", atNEON("gateArgs_p", 0, "gateRows", "ld"))
	walk := func(label string, vectors int) {
		v.line64("MOVD %s, R8", fieldNEON("gateArgs_m"))
		v.line64("MOVD R1, R4")
		x, y, z := make([]string, vectors), make([]string, vectors), v.get()
		for i := range x {
			x[i], y[i] = v.get(), v.get()
			v.load(mem("R4", 16*i), x[i])
			v.move(y[i], x[i])
		}
		v.label(label + "row")
		for i := range x {
			v.load(mem("R4", 16*i), z)
			v.op("VMINPS", x[i], z, x[i])
			v.larger(y[i], z)
		}
		v.addr("R4", "R4", "R5")
		v.countDown("R8", label+"row")
		for i := range x {
			v.store(x[i], mem("R2", 16*i))
			v.store(y[i], mem("R3", 16*i))
		}
		v.put(x...)
		v.put(append(y, z)...)
	}
	for _, vectors := range []int{4, 1} {
		label := v.newLabel("by")
		v.label(label)
		v.line64("CMP $%d, %s", vectors*4, laneCount)
		v.jump("BLT", label+"end")
		walk(label, vectors)
		v.line64("SUBS $%d, %s", vectors*4, laneCount)
		v.jump("BEQ", "done")
		for _, p := range []string{"R1", "R2", "R3"} {
			v.addi(p, p, 16*vectors)
		}
		v.jump("B", label)
		v.label(label + "end")
	}
	v.masked = true
	walk("some", 1)
	v.masked = false
	v.label("done")
	v.ret()
}

// fromSums writes FromSums: sums of integers and a number for each row become
// float32 and are scaled.
func (v *vec) fromSums(op string) {
	v.single = pointers[1]
	if v.s.lanes == 4 {
		v.single = pointersNEON[1]
	}
	defer func() { v.single = "" }()
	v.rowwiseWith(op, 3, 1, func(p, k []string) {
		x, y := v.get(), v.get()
		v.load(mem(p[0], 0), x)
		if v.s.lanes == 4 {
			v.broadcast(y, p[1])
		} else {
			v.op("VBROADCASTSS", mem(p[1], 0), y)
		}
		v.op("VPADDD", y, x, x)
		if v.s.lanes == 4 {
			v.toFloat(x, x)
		} else {
			v.op("VCVTDQ2PS", x, x)
		}
		v.op("VMULPS", k[0], x, x)
		v.store(x, mem(p[2], 0))
		v.put(x, y)
	})
}
