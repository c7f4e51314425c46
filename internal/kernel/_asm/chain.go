package main

import "fmt"

// chain writes a routine that walks steps of one row of at most a vector of
// units: sums of the input, plus h times w, then the cell's gates, whose result
// is h of the next step. h stands in the arguments, whole, so that the next
// step's broadcasts are forwarded from the store.
//
// body gets the sums of the gates, h (and c) in registers, and leaves the new h
// in the register of h. SI is the step's sums.
func (v *vec) chain(op string, gates int, hasCell, tail bool, body func(g []string, h, c string)) {
	if v.s.lanes == 4 {
		v.chainNEON(op, gates, hasCell, tail, body)
		return
	}
	v.routine(op)
	v.op("MOVQ", field("chainArgs_lanes"), "R13")
	v.mask("R13")
	v.op("MOVQ", field("chainArgs_sums"), "SI")
	v.op("MOVQ", field("chainArgs_y"), "R8")
	v.op("MOVQ", field("chainArgs_steps"), "DX")
	h, c := v.get(), ""
	v.op("VMOVUPS", field("chainArgs_h"), h)
	if hasCell {
		c = v.get()
		v.op("MOVQ", field("chainArgs_c"), "R9")
		v.masked = true
		v.load("(R9)", c)
		v.masked = false
	}
	v.align()
	v.label("step")
	var g []string
	for i := range gates {
		g = append(g, v.get())
		if tail && i == gates-1 {
			v.op("MOVQ", field("chainArgs_tail"), "AX")
			v.op("VMOVUPS", "(AX)", g[i])
			continue
		}
		v.op("VMOVUPS", mem("SI", 64*i), g[i])
	}
	v.op("MOVQ", field("chainArgs_w"), "AX")
	v.op("MOVQ", field("chainArgs_depth"), "CX")
	v.op("LEAQ", field("chainArgs_h"), "BX")
	b := v.get()
	v.label("k")
	v.op("VBROADCASTSS", "(BX)", b)
	for i := range g {
		v.op("VFMADD231PS", mem("AX", 64*i), b, g[i])
	}
	v.op("ADDQ", 4, "BX")
	v.op("ADDQ", field("chainArgs_wRow"), "AX")
	v.op("SUBQ", 1, "CX")
	v.jump("JNE", "k")
	v.put(b)
	body(g, h, c)
	v.put(g...)
	v.op("VMOVUPS", h, field("chainArgs_h"))
	v.masked = true
	v.store(h, "(R8)")
	v.masked = false
	v.op("ADDQ", field("chainArgs_sumsRow"), "SI")
	v.op("ADDQ", field("chainArgs_yRow"), "R8")
	v.op("SUBQ", 1, "DX")
	v.jump("JNE", "step")
	if hasCell {
		v.masked = true
		v.store(c, "(R9)")
		v.masked = false
		v.put(c)
	}
	v.put(h)
	v.op("VZEROUPPER")
	v.ret()
}

// chainOfTwo is chain for units of two vectors, the second of them masked. Their
// weights and sums stand wPanel and sumsPanel apart; body runs once for each.
func (v *vec) chainOfTwo(op string, gates int, hasCell, tail bool, body func(sums string, g []string, h, c string)) {
	v.routine(op)
	v.op("MOVQ", field("chainArgs_lanes"), "R13")
	v.op("SUBQ", v.s.lanes, "R13")
	v.mask("R13")
	v.op("MOVQ", field("chainArgs_sums"), "SI")
	v.op("MOVQ", field("chainArgs_y"), "R8")
	v.op("MOVQ", field("chainArgs_steps"), "DX")
	v.op("MOVQ", field("chainArgs_wPanel"), "R10")
	v.op("MOVQ", field("chainArgs_sumsPanel"), "R11")
	var h, c [2]string
	cells := func(move func(i int)) {
		for i := range c {
			v.masked = i == 1
			move(i)
		}
		v.masked = false
	}
	for i := range h {
		h[i] = v.get()
		v.op("VMOVUPS", at2("chainArgs_h", 64*i), h[i])
	}
	if hasCell {
		v.op("MOVQ", field("chainArgs_c"), "R9")
		cells(func(i int) {
			c[i] = v.get()
			v.load(mem("R9", 64*i), c[i])
		})
	}
	v.align()
	v.label("step")
	v.op("LEAQ", "(SI)(R11*1)", "R12")
	sums := [2]string{"SI", "R12"}
	var g [2][]string
	for i := range g {
		for q := range gates {
			x := v.get()
			g[i] = append(g[i], x)
			if tail && q == gates-1 {
				v.op("MOVQ", field("chainArgs_tail"), "AX")
				v.op("VMOVUPS", mem("AX", 64*i), x)
				continue
			}
			v.op("VMOVUPS", mem(sums[i], 64*q), x)
		}
	}
	v.op("MOVQ", field("chainArgs_w"), "AX")
	v.op("MOVQ", field("chainArgs_depth"), "CX")
	v.op("LEAQ", field("chainArgs_h"), "BX")
	b := v.get()
	v.label("k")
	v.op("VBROADCASTSS", "(BX)", b)
	for q := range gates {
		v.op("VFMADD231PS", mem("AX", 64*q), b, g[0][q])
	}
	for q := range gates {
		v.op("VFMADD231PS", memIndex("AX", "R10", 1, 64*q), b, g[1][q])
	}
	v.op("ADDQ", 4, "BX")
	v.op("ADDQ", field("chainArgs_wRow"), "AX")
	v.op("SUBQ", 1, "CX")
	v.jump("JNE", "k")
	v.put(b)
	// The gates of both vectors take turns.
	first := v.captured("K2", func() { body(sums[0], g[0], h[0], c[0]) })
	held := v.holdAll(first)
	second := v.captured("K3", func() { body(sums[1], g[1], h[1], c[1]) })
	v.put(held...)
	for i := range first {
		v.WriteString(first[i])
		v.WriteString(second[i])
	}
	for i := range g {
		v.put(g[i]...)
		v.op("VMOVUPS", h[i], at2("chainArgs_h", 64*i))
		v.masked = i == 1
		v.store(h[i], mem("R8", 64*i))
	}
	v.masked = false
	v.op("ADDQ", field("chainArgs_sumsRow"), "SI")
	v.op("ADDQ", field("chainArgs_yRow"), "R8")
	v.op("SUBQ", 1, "DX")
	v.jump("JNE", "step")
	if hasCell {
		cells(func(i int) { v.store(c[i], mem("R9", 64*i)) })
		v.put(c[:]...)
	}
	v.put(h[:]...)
	v.op("VZEROUPPER")
	v.ret()
}

// at2 is a place within a field of the arguments.
func at2(name string, disp int) string { return fmt.Sprintf("(%s+%d)(DI)", name, disp) }

func chainFile(w *writer, s isa) { chains(newVec(w, s)) }

// chains writes the chains of a level and their table.
func chains(v *vec) {
	for _, c := range []struct {
		op            string
		gates         int
		hasCell, tail bool
		body          func(sums string, g []string, h, c string)
	}{
		{"TanhChain", 1, false, false, func(_ string, g []string, h, _ string) {
			v.tanh(g[0])
			v.flush(g[0])
			v.op("VMOVAPS", g[0], h)
		}},
		{"ReLUChain", 1, false, false, func(_ string, g []string, h, _ string) {
			v.relu(g[0])
			v.flush(g[0])
			v.op("VMOVAPS", g[0], h)
		}},
		{"LSTMChain", 4, true, false, func(_ string, g []string, h, c string) {
			v.sigmoid(g[0])
			v.sigmoid(g[1])
			v.tanh(g[2])
			v.sigmoid(g[3])
			v.lstm(g, c, h)
		}},
		{"GRUChain", 3, false, true, func(sums string, g []string, h, _ string) {
			v.sigmoid(g[0])
			n := v.get()
			v.sums(sums, 2, n)
			v.op("VFMADD231PS", g[2], g[0], n)
			v.sigmoid(g[1])
			v.tanh(n)
			v.gru(g[1], n, h)
			v.put(n)
		}},
	} {
		v.chain(c.op, c.gates, c.hasCell, c.tail, func(g []string, h, cell string) { c.body("SI", g, h, cell) })
		if v.twoRows() {
			v.chainOfTwo(c.op+"2", c.gates, c.hasCell, c.tail, c.body)
		}
	}
	v.table("chains", "numChains", v.s.name, v.ops)
	v.tables()
}

// sums loads the step's sums of a gate.
func (v *vec) sums(from string, gate int, to string) {
	if v.s.lanes == 4 {
		v.ldrq(to, "R1", 64*gate)
		return
	}
	v.op("VMOVUPS", mem(from, 64*gate), to)
}

// lstm turns the activated gates into c and h, in place.
func (v *vec) lstm(g []string, c, h string) {
	v.op("VMULPS", g[2], g[0], g[0])   // i*g
	v.op("VFMADD213PS", g[0], g[1], c) // f*c + i*g
	v.flush(c)
	v.op("VMOVAPS", c, h)
	v.tanh(h)
	v.op("VMULPS", h, g[3], h)
	v.flush(h)
}

// gru turns h into the new h, given the update gate u and the candidate n.
func (v *vec) gru(u, n, h string) {
	v.op("VSUBPS", n, h, h)
	v.op("VFMADD213PS", n, u, h) // u*(h-n) + n
	v.flush(h)
}

func (v *vec) relu(x string) {
	zero := v.get()
	v.op("VXORPS", zero, zero, zero)
	v.op("VMAXPS", x, zero, x)
	v.put(zero)
}
