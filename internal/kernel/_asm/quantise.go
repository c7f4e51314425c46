package main

import "fmt"

// quantiseFile writes bounds512 and quantise512, or those of 256: blocks of 16
// numbers.
func quantiseFile(w *writer, s isa) {
	v := newVec(w, s)
	v.bounds()
	v.toBytes("quantise", "times", "VMULPS")
	v.tables()
}

// bounds keeps the largest bits as unsigned and as signed integers.
func (v *vec) bounds() {
	v.text("·bounds"+v.s.name, "NOSPLIT", 0, 24)
	v.op("MOVQ", "x+0(FP)", "SI")
	v.op("MOVQ", "n+8(FP)", "DX")
	per := 16 / v.s.lanes // registers a block
	ends := []struct {
		op, result string
		most       []string
	}{{op: "VPMAXUD", result: "least+16(FP)"}, {op: "VPMAXSD", result: "most+20(FP)"}}
	for i := range ends {
		for range per {
			r := v.get()
			v.op("VXORPS", r, r, r)
			ends[i].most = append(ends[i].most, r)
		}
	}
	v.align()
	v.label("block")
	x := v.get()
	for i := range per {
		v.op("VMOVUPS", mem("SI", i*v.s.bytes()), x)
		for _, e := range ends {
			v.op(e.op, x, e.most[i], e.most[i])
		}
	}
	v.op("ADDQ", 64, "SI")
	v.op("SUBQ", 1, "DX")
	v.jump("JNE", "block")
	b := x[1:]
	for _, e := range ends {
		a := e.most[0][1:]
		if per == 2 {
			v.op(e.op, e.most[1], e.most[0], e.most[0])
		} else {
			v.op("VEXTRACTI64X4", 1, "Z"+a, "Y"+b)
			v.op(e.op, "Y"+b, "Y"+a, "Y"+a)
		}
		v.op("VEXTRACTI128", 1, "Y"+a, "X"+b)
		v.op(e.op, "X"+b, "X"+a, "X"+a)
		for _, order := range []int{0x4e, 0xb1} {
			v.op("VPSHUFD", fmt.Sprintf("$%#x", order), "X"+a, "X"+b)
			v.op(e.op, "X"+b, "X"+a, "X"+a)
		}
		v.op("VMOVD", "X"+a, "AX")
		v.op("MOVL", "AX", e.result)
		v.put(e.most...)
	}
	v.put(x)
	v.op("VZEROUPPER")
	v.ret()
}
