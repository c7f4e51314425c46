package main

// Offsets of chainArgs in chain_amd64.go.
const (
	chainSteps   = 0
	chainDepth   = 8
	chainLanes   = 16
	chainW       = 24
	chainWRow    = 32
	chainSums    = 40
	chainSumsRow = 48
	chainY       = 56
	chainYRow    = 64
	chainC       = 72
	chainTail    = 80
	chainH       = 88
)

// chain writes a routine that walks steps of one row of at most a vector of
// units: sums of the input, plus h times w, then the cell's gates, whose result
// is h of the next step. h stands in the arguments, whole, so that the next
// step's broadcasts are forwarded from the store.
//
// body gets the sums of the gates, h (and c) in registers, and leaves the new h
// in the register of h. SI is the step's sums.
func (v *vec) chain(name string, gates int, hasCell, tail bool, body func(g []string, h, c string)) {
	v.labels = 0
	v.text("·"+name+v.s.name, "NOSPLIT", 0, 8)
	v.op("MOVQ", "a+0(FP)", "DI")
	v.op("MOVQ", mem("DI", chainLanes), "R13")
	v.mask("R13")
	v.op("MOVQ", mem("DI", chainSums), "SI")
	v.op("MOVQ", mem("DI", chainY), "R8")
	v.op("MOVQ", mem("DI", chainSteps), "DX")
	h, c := v.get(), ""
	v.op("VMOVUPS", mem("DI", chainH), h)
	if hasCell {
		c = v.get()
		v.op("MOVQ", mem("DI", chainC), "R9")
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
			v.op("MOVQ", mem("DI", chainTail), "AX")
			v.op("VMOVUPS", "(AX)", g[i])
			continue
		}
		v.op("VMOVUPS", mem("SI", 64*i), g[i])
	}
	v.op("MOVQ", mem("DI", chainW), "AX")
	v.op("MOVQ", mem("DI", chainDepth), "CX")
	v.op("LEAQ", mem("DI", chainH), "BX")
	b := v.get()
	v.label("k")
	v.op("VBROADCASTSS", "(BX)", b)
	for i := range g {
		v.op("VFMADD231PS", mem("AX", 64*i), b, g[i])
	}
	v.op("ADDQ", 4, "BX")
	v.op("ADDQ", mem("DI", chainWRow), "AX")
	v.op("SUBQ", 1, "CX")
	v.jump("JNE", "k")
	v.put(b)
	body(g, h, c)
	v.put(g...)
	v.op("VMOVUPS", h, mem("DI", chainH))
	v.masked = true
	v.store(h, "(R8)")
	v.masked = false
	v.op("ADDQ", mem("DI", chainSumsRow), "SI")
	v.op("ADDQ", mem("DI", chainYRow), "R8")
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

func chainFile(w *writer, s isa) {
	v := newVec(w, s)
	v.chain("tanhChain", 1, false, false, func(g []string, h, _ string) {
		v.tanh(g[0])
		v.flush(g[0])
		v.op("VMOVAPS", g[0], h)
	})
	v.chain("reluChain", 1, false, false, func(g []string, h, _ string) {
		v.relu(g[0])
		v.flush(g[0])
		v.op("VMOVAPS", g[0], h)
	})
	v.chain("lstmChain", 4, true, false, func(g []string, h, c string) {
		v.sigmoid(g[0])
		v.sigmoid(g[1])
		v.tanh(g[2])
		v.sigmoid(g[3])
		v.lstm(g, c, h)
	})
	v.chain("gruChain", 3, false, true, func(g []string, h, _ string) {
		v.sigmoid(g[0])
		n := v.get()
		v.op("VMOVUPS", mem("SI", 128), n)
		v.op("VFMADD231PS", g[2], g[0], n)
		v.sigmoid(g[1])
		v.tanh(n)
		v.gru(g[1], n, h)
		v.put(n)
	})
	v.tables()
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
