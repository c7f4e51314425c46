package main

import "fmt"

// quantiseFile writes absMax512 and quantise512, or those of 256: blocks of 16
// numbers.
func quantiseFile(w *writer, s isa) {
	v := newVec(w, s)
	v.absMax()
	v.quantise()
	v.tables()
}

// absMax keeps the largest bits without signs in four registers.
func (v *vec) absMax() {
	v.text("·absMax"+v.s.name, "NOSPLIT", 0, 20)
	v.op("MOVQ", "x+0(FP)", "SI")
	v.op("MOVQ", "n+8(FP)", "DX")
	per := 16 / v.s.lanes // registers a block
	most, mask := []string{v.get(), v.get()}[:per], v.get()
	for _, r := range most {
		v.op("VXORPS", r, r, r)
	}
	v.set(v.bits(absBits), mask)
	v.align()
	v.label("block")
	for i, r := range most {
		x := v.get()
		v.op("VANDPS", mem("SI", i*v.s.bytes()), mask, x)
		v.op("VPMAXUD", x, r, r)
		v.put(x)
	}
	v.op("ADDQ", 64, "SI")
	v.op("SUBQ", 1, "DX")
	v.jump("JNE", "block")
	number := func(r string) string { return r[1:] }
	a, b := number(most[0]), number(v.get())
	if per == 2 {
		v.op("VPMAXUD", most[1], most[0], most[0])
	} else {
		v.op("VEXTRACTI64X4", 1, "Z"+a, "Y"+b)
		v.op("VPMAXUD", "Y"+b, "Y"+a, "Y"+a)
	}
	v.op("VEXTRACTI128", 1, "Y"+a, "X"+b)
	v.op("VPMAXUD", "X"+b, "X"+a, "X"+a)
	for _, order := range []int{0x4e, 0xb1} {
		v.op("VPSHUFD", fmt.Sprintf("$%#x", order), "X"+a, "X"+b)
		v.op("VPMAXUD", "X"+b, "X"+a, "X"+a)
	}
	v.op("VMOVD", "X"+a, "AX")
	v.op("MOVL", "AX", "ret+16(FP)")
	v.op("VZEROUPPER")
	v.ret()
	v.put("X"+b, mask)
	v.put(most...)
}

// quantise rounds as the processor does by default, to the nearest, halves to the
// even one.
func (v *vec) quantise() {
	v.text("·quantise"+v.s.name, "NOSPLIT", 0, 28)
	v.op("MOVQ", "dst+0(FP)", "DI")
	v.op("MOVQ", "src+8(FP)", "SI")
	v.op("MOVQ", "n+16(FP)", "DX")
	times, offset := v.get(), v.get()
	v.op("VBROADCASTSS", "times+24(FP)", times)
	v.set(v.bits(128), offset)
	v.align()
	v.label("block")
	var x []string
	for i := range 16 / v.s.lanes {
		x = append(x, v.get())
		v.op("VMULPS", mem("SI", i*v.s.bytes()), times, x[i])
		v.op("VCVTPS2DQ", x[i], x[i])
		v.op("VPADDD", offset, x[i], x[i])
	}
	if v.s.lanes == 16 {
		v.op("VPMOVDB", x[0], "(DI)")
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
	v.put(append(x, times, offset)...)
}
