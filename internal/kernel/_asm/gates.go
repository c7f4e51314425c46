package main

import "fmt"

// The arguments are gateArgs: rows, lanes, bytes between the gates of a gradient,
// whether there is a record, and then pointers, each with the bytes between rows.
var gateM, gateN, gateGate, gateRecord = field("gateArgs_m"), field("gateArgs_n"), field("gateArgs_gate"), field("gateArgs_record")

func gatePtr(i int) string    { return at("gateArgs_p", i, "gateRows", "p") }
func gateStride(i int) string { return at("gateArgs_p", i, "gateRows", "ld") }
func gateConst(i int) string  { return fmt.Sprintf("(gateArgs_consts+4*%d)(DI)", i) }

// pointers are the registers that hold the row pointers of a routine.
var pointers = []string{"SI", "AX", "BX", "CX", "R8", "R9", "R10"}

// rowwise writes the routine of an operation over m rows and n lanes with ptrs
// pointers: body is one row of one vector. Vectors of lanes are the outer loop.
func (v *vec) rowwise(op string, ptrs int, body func(p []string)) {
	v.rowwiseWith(op, ptrs, 0, func(p, _ []string) { body(p) })
}

// rowwiseWith is rowwise of an operation with constants, which stand in registers.
func (v *vec) rowwiseWith(op string, ptrs, constants int, body func(p, k []string)) {
	v.rowsOf(op, ptrs, constants, false, body)
}

// rowsOf writes the routine of any of them, two rows at a time where paired.
func (v *vec) rowsOf(op string, ptrs, constants int, paired bool, body func(p, k []string)) {
	if v.s.lanes == 4 {
		v.rowwiseNEON(op, ptrs, constants, body)
		return
	}
	v.routine(op)
	k := make([]string, constants)
	for i := range k {
		k[i] = v.get()
		v.op("VBROADCASTSS", gateConst(i), k[i])
	}
	defer v.put(k...)
	if !paired {
		v.op("MOVQ", gateGate, "R11")
		v.op("LEAQ", "(R11)(R11*2)", "R12") // gates 1, 2 and 3 stand at R11, R11*2 and R12
	}
	v.label("vector")
	for i, p := range pointers[:ptrs] {
		v.op("MOVQ", gatePtr(i), p)
	}
	v.op("MOVQ", gateM, "DX")
	v.op("MOVQ", gateN, "R13")
	v.op("CMPQ", "R13", v.s.lanes)
	v.jump("JLT", "part")
	loop := func(label string) {
		if paired {
			v.pair(label, ptrs, body)
			v.op("TESTQ", "DX", "DX")
			v.jump("JEQ", label+"end")
		}
		v.align()
		v.label(label)
		body(pointers[:ptrs], k)
		for i, p := range pointers[:ptrs] {
			v.op("ADDQ", gateStride(i), p)
		}
		v.op("SUBQ", 1, "DX")
		v.jump("JNE", label)
		if paired {
			v.label(label + "end")
		}
	}
	loop("full")
	// The pointers do not move beyond the last vector: the garbage collector may
	// see them after the call.
	v.op("SUBQ", v.s.lanes, gateN)
	v.jump("JEQ", "done")
	for i := range ptrs {
		if pointers[i] != v.single {
			v.op("ADDQ", v.s.bytes(), gatePtr(i))
		}
	}
	v.jump("JMP", "vector")
	v.label("done")
	v.op("VZEROUPPER")
	v.ret()
	v.label("part")
	v.mask("R13")
	v.masked = true
	loop("some")
	v.masked = false
	v.op("VZEROUPPER")
	v.ret()
}

// mask makes the mask of as many lanes as the register says, which it changes.
func (v *vec) mask(n string) {
	if v.s.lanes == 16 {
		v.op("MOVL", 1, "R14")
		v.op("SHLXQ", n, "R14", "R14")
		v.op("SUBQ", 1, "R14")
		v.op("KMOVW", "R14", "K1")
		return
	}
	v.op("LEAQ", v.maskTable()+"+32(SB)", "R14")
	v.op("SHLQ", 2, n)
	v.op("SUBQ", n, "R14")
	v.op("VMOVUPS", "(R14)", v.maskReg())
}

// routine begins the routine of an operation of the package, which finds its
// arguments at DI.
func (v *vec) routine(op string) {
	v.labels = 0
	v.ops = append(v.ops, op)
	v.text(routine(op, v.s.name), "NOSPLIT", 0, 0)
}

// callFile writes the way from Go to a routine.
func callFile(w *writer) {
	w.text("·call", "NOSPLIT", 0, 16)
	w.op("MOVQ", "args+8(FP)", "DI")
	w.op("MOVQ", "routine+0(FP)", "AX")
	w.op("JMP", "AX")
}

func gatesFile(w *writer, s isa) { fusedRoutines(newVec(w, s)) }

// fusedRoutines writes the fused routines of a level and their table.
func fusedRoutines(v *vec) {
	v.pairwise("LSTMForward", 4, func(p []string) {
		z, c, h, rec := p[0], p[1], p[2], p[3]
		var g [4]string
		for i, q := range []int{0, 1, 2, 3} {
			g[i] = v.get()
			v.load(mem(z, 64*q), g[i])
			if q == 2 {
				v.tanh(g[i])
			} else {
				v.sigmoid(g[i])
			}
		}
		v.recorded(func() {
			for i := range g {
				v.store(g[i], mem(rec, 64*i))
			}
		})
		x, y := v.get(), v.get()
		v.load(mem(c, 0), x)
		v.lstm(g[:], x, y)
		v.store(x, mem(c, 0))
		v.store(y, mem(h, 0))
		v.put(x, y)
		v.put(g[:]...)
	})
	v.pairwise("GRUForward", 6, func(p []string) {
		z, x, hp, h, rec, nh := p[0], p[1], p[2], p[3], p[4], p[5]
		r, u, n := v.get(), v.get(), v.get()
		v.load(mem(z, 0), r)
		v.sigmoid(r)
		v.load(mem(x, 128), n)
		b := v.get()
		v.load(mem(z, 128), b)
		v.op("VFMADD231PS", b, r, n) // r*nh + nx
		v.recorded(func() { v.store(b, mem(nh, 0)) })
		v.put(b)
		v.load(mem(z, 64), u)
		v.sigmoid(u)
		v.tanh(n)
		v.recorded(func() {
			for i, g := range []string{r, u, n} {
				v.store(g, mem(rec, 64*i))
			}
		})
		v.load(mem(hp, 0), r)
		v.gru(u, n, r)
		v.store(r, mem(h, 0))
		v.put(r, u, n)
	})
	v.elementwise("TanhForward", func(x string) { v.tanh(x); v.flush(x) })
	v.elementwise("ReLUForward", func(x string) { v.relu(x); v.flush(x) })
	backward(v)
	v.elementwise("tanhOf", v.tanh)
	v.elementwise("sigmoidOf", v.sigmoid)
	v.elementwise("reluOf", v.relu)
	v.elementwise("flushOf", v.flush)
	unitsOf(v)
	v.table("fused", "numOps", v.s.name, v.ops)
	v.tables()
}

// elementwise writes an operation of one source.
func (v *vec) elementwise(op string, f func(x string)) {
	v.rowwise(op, 2, func(p []string) {
		x := v.get()
		v.load(mem(p[0], 0), x)
		f(x)
		v.store(x, mem(p[1], 0))
		v.put(x)
	})
}

// recorded runs then only if there is a record to write.
func (v *vec) recorded(then func()) {
	skip := v.newLabel("skip")
	if v.s.lanes == 4 {
		v.line64("CBZ R10, %s", skip)
	} else {
		v.op("CMPQ", gateRecord, 0)
		v.jump("JEQ", skip)
	}
	then()
	v.label(skip)
}
