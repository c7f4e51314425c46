package main

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

func chainFile(w *writer, s isa) { chains(newVec(w, s)) }

// chains writes the chains of a level and their table.
func chains(v *vec) {
	v.chain("TanhChain", 1, false, false, func(g []string, h, _ string) {
		v.tanh(g[0])
		v.flush(g[0])
		v.op("VMOVAPS", g[0], h)
	})
	v.chain("ReLUChain", 1, false, false, func(g []string, h, _ string) {
		v.relu(g[0])
		v.flush(g[0])
		v.op("VMOVAPS", g[0], h)
	})
	v.chain("LSTMChain", 4, true, false, func(g []string, h, c string) {
		v.sigmoid(g[0])
		v.sigmoid(g[1])
		v.tanh(g[2])
		v.sigmoid(g[3])
		v.lstm(g, c, h)
	})
	v.chain("GRUChain", 3, false, true, func(g []string, h, _ string) {
		v.sigmoid(g[0])
		n := v.get()
		v.sums(2, n)
		v.op("VFMADD231PS", g[2], g[0], n)
		v.sigmoid(g[1])
		v.tanh(n)
		v.gru(g[1], n, h)
		v.put(n)
	})
	v.table("chains", "numChains", v.s.name, v.ops)
	v.tables()
}

// sums loads the step's sums of a gate.
func (v *vec) sums(gate int, to string) {
	if v.s.lanes == 4 {
		v.ldrq(to, "R1", 64*gate)
		return
	}
	v.op("VMOVUPS", mem("SI", 64*gate), to)
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
