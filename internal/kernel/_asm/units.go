package main

import "fmt"

// unitsOf writes the pieces of cells with settings, the loops of units.go.
func unitsOf(v *vec) {
	v.elementwiseWith("lineOf", 4, v.line)
	v.elementwiseWith("leakyOf", 1, v.leaky)
	v.elementwiseWith("thresholdOf", 1, v.threshold)
	v.elementwise("softsignOf", v.softsign)
	v.rowwise("timesOf", 3, func(p []string) {
		x, y := v.get(), v.get()
		v.load(mem(p[0], 0), x)
		v.load(mem(p[1], 0), y)
		v.op("VMULPS", y, x, x)
		v.flush(x)
		v.store(x, mem(p[2], 0))
		v.put(x, y)
	})
	v.rowwise("fmaOf", 4, func(p []string) {
		x, y, z := v.get(), v.get(), v.get()
		v.load(mem(p[0], 0), x)
		v.load(mem(p[1], 0), y)
		v.load(mem(p[2], 0), z)
		v.op("VFMADD231PS", y, x, z)
		v.store(z, mem(p[3], 0))
		v.put(x, y, z)
	})
	for _, op := range []string{"addOf", "addFlushOf"} {
		v.rowwise(op, 3, func(p []string) {
			x, y := v.get(), v.get()
			v.load(mem(p[0], 0), x)
			v.load(mem(p[1], 0), y)
			v.op("VADDPS", y, x, x)
			if op == "addFlushOf" {
				v.flush(x)
			}
			v.store(x, mem(p[2], 0))
			v.put(x, y)
		})
	}
	v.rowwise("productOf", 3, func(p []string) {
		x, y := v.get(), v.get()
		v.load(mem(p[0], 0), x)
		v.load(mem(p[1], 0), y)
		v.op("VMULPS", y, x, x)
		v.store(x, mem(p[2], 0))
		v.put(x, y)
	})
	v.rowwise("largerOf", 3, func(p []string) {
		x, y := v.get(), v.get()
		v.load(mem(p[0], 0), x)
		v.load(mem(p[1], 0), y)
		v.larger(x, y)
		v.store(x, mem(p[2], 0))
		v.put(x, y)
	})
	v.rowwise("largest4Of", 5, func(p []string) {
		x, y := v.get(), v.get()
		v.load(mem(p[0], 0), x)
		for _, next := range p[1:4] {
			v.load(mem(next, 0), y)
			v.larger(x, y)
		}
		v.store(x, mem(p[4], 0))
		v.put(x, y)
	})
	v.columns("columnsOf")
	v.extremes("extremesOf")
	v.fromSums("fromSumsOf")
	v.elementwiseWith("timesIntsOf", 1, func(x string, k []string) { v.op("VPMULLD", k[0], x, x) })
	v.rowwise("lstmStateOf", 3, func(p []string) {
		i, f, g, c := v.get(), v.get(), v.get(), v.get()
		v.load(mem(p[0], 0), i)
		v.load(mem(p[0], 64), f)
		v.load(mem(p[0], 128), g)
		v.load(mem(p[1], 0), c)
		v.op("VMULPS", g, i, i)
		v.op("VFMADD231PS", f, c, i)
		v.flush(i)
		v.store(i, mem(p[1], 0))
		v.store(i, mem(p[2], 0))
		v.put(i, f, g, c)
	})
	v.rowwise("gruStateOf", 4, func(p []string) {
		u, x, h := v.get(), v.get(), v.get()
		v.load(mem(p[0], 0), u)
		v.load(mem(p[1], 0), x)
		v.load(mem(p[2], 0), h)
		v.gru(u, x, h)
		v.store(h, mem(p[3], 0))
		v.put(u, x, h)
	})
}

// columns writes AddColumns: the sums of several vectors of columns stay in registers
// while the rows go by.
func (v *vec) columns(op string) {
	if v.s.lanes == 4 {
		v.columnsNEON(op)
		return
	}
	const src, sum = "SI", "AX"
	v.routine(op)
	v.op("MOVQ", gateN, "R13")
	v.op("MOVQ", gatePtr(0), "R8")
	v.op("MOVQ", gatePtr(1), sum)
	v.op("MOVQ", gateStride(0), "R9")
	add := func(label string, vectors int) {
		v.op("MOVQ", gateM, "DX")
		v.op("MOVQ", "R8", src)
		x, y := make([]string, vectors), v.get()
		for i := range x {
			x[i] = v.get()
			v.load(mem(sum, i*v.s.bytes()), x[i])
		}
		v.align()
		v.label(label + "row")
		for i := range x {
			v.load(mem(src, i*v.s.bytes()), y)
			v.op("VADDPS", y, x[i], x[i])
		}
		v.op("ADDQ", "R9", src)
		v.op("SUBQ", 1, "DX")
		v.jump("JNE", label+"row")
		for i := range x {
			v.store(x[i], mem(sum, i*v.s.bytes()))
		}
		v.put(x...)
		v.put(y)
	}
	for _, vectors := range []int{4, 1} {
		label := fmt.Sprint("by", vectors)
		v.label(label)
		v.op("CMPQ", "R13", vectors*v.s.lanes)
		v.jump("JLT", label+"end")
		add(label, vectors)
		v.op("SUBQ", vectors*v.s.lanes, "R13")
		v.jump("JEQ", "done") // no pointer moves beyond the last vector
		v.op("ADDQ", vectors*v.s.bytes(), "R8")
		v.op("ADDQ", vectors*v.s.bytes(), sum)
		v.jump("JMP", label)
		v.label(label + "end")
	}
	v.mask("R13")
	v.masked = true
	add("some", 1)
	v.masked = false
	v.label("done")
	v.op("VZEROUPPER")
	v.ret()
}

// elementwiseWith is elementwise of an operation with constants.
func (v *vec) elementwiseWith(op string, constants int, f func(x string, k []string)) {
	v.rowwiseWith(op, 2, constants, func(p, k []string) {
		x := v.get()
		v.load(mem(p[0], 0), x)
		f(x, k)
		v.store(x, mem(p[1], 0))
		v.put(x)
	})
}

// line is Line.At, in place: maximum and minimum return x, their second source,
// where it is NaN or both are zero.
func (v *vec) line(x string, k []string) {
	v.op("VFMADD213PS", k[1], k[0], x)
	v.op("VMAXPS", x, k[2], x)
	v.op("VMINPS", x, k[3], x)
}

// leaky multiplies a negative x with the constant.
func (v *vec) leaky(x string, k []string) {
	const below = 0x11 // less; false for NaN, quiet
	zero := v.get()
	v.op("VXORPS", zero, zero, zero)
	if v.s.lanes == 16 {
		v.op("VCMPPS", below, zero, x, "K2")
		v.op("VMULPS", k[0], x, "K2", x)
	} else {
		v.op("VCMPPS", below, zero, x, zero)
		y := v.get()
		v.op("VMULPS", k[0], x, y)
		v.op("VBLENDVPS", zero, y, x, x)
		v.put(y)
	}
	v.put(zero)
}

// threshold leaves what of x is not at most the constant.
func (v *vec) threshold(x string, k []string) {
	const above = 0x16 // not less or equal, so a NaN too; quiet
	if v.s.lanes == 16 {
		v.op("VCMPPS", above, k[0], x, "K2")
		v.op("VMOVAPS.Z", x, "K2", x)
		return
	}
	y := v.get()
	v.op("VCMPPS", above, k[0], x, y)
	v.op("VANDPS", y, x, x)
	v.put(y)
}

// larger puts y in the place of x where y is larger or NaN, and x is a number.
func (v *vec) larger(x, y string) {
	const (
		above  = 0x16 // not less or equal, so a NaN too; quiet
		number = 0x07 // neither is NaN; quiet
	)
	if v.s.lanes == 16 {
		v.op("VCMPPS", above, x, y, "K2")
		v.op("VCMPPS", number, x, x, "K2", "K2")
		v.op("VMOVAPS", y, "K2", x)
		return
	}
	m, n := v.get(), v.get()
	v.op("VCMPPS", above, x, y, m)
	v.op("VCMPPS", number, x, x, n)
	v.op("VANDPS", n, m, m)
	v.op("VBLENDVPS", m, y, x, x)
	v.put(m, n)
}

// softsign is x/(1+|x|), in place.
func (v *vec) softsign(x string) {
	y := v.get()
	v.do("VANDPS", v.bits(absBits), x, y)
	v.do("VADDPS", v.float(1), y, y)
	v.op("VDIVPS", y, x, x)
	v.put(y)
}
