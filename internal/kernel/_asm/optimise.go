package main

import "fmt"

// optimiseFile writes what optimisers do to long slices. Both levels use vectors of
// 256 bits: memory bounds them, and the sum of squares is four sums by
// definition.
func optimiseFile(w *writer) {
	w.text("·squares256", "NOSPLIT", 0, 24)
	w.op("MOVQ", "x+0(FP)", "SI")
	w.op("MOVQ", "n+8(FP)", "DX")
	w.op("MOVQ", "sums+16(FP)", "DI")
	w.op("VMOVUPD", "(DI)", "Y0")
	w.align()
	w.label("loop")
	w.op("VCVTPS2PD", "(SI)", "Y1")
	w.op("VMULPD", "Y1", "Y1", "Y1")
	w.op("VADDPD", "Y1", "Y0", "Y0")
	w.op("ADDQ", 16, "SI")
	w.op("SUBQ", 1, "DX")
	w.jump("JNE", "loop")
	w.op("VMOVUPD", "Y0", "(DI)")
	w.op("VZEROUPPER")
	w.ret()

	w.text("·subScaled256", "NOSPLIT", 0, 28)
	w.op("MOVQ", "dst+0(FP)", "DI")
	w.op("MOVQ", "src+8(FP)", "SI")
	w.op("MOVQ", "n+16(FP)", "DX")
	w.op("VBROADCASTSS", "a+24(FP)", "Y0")
	w.align()
	w.label("loop")
	w.op("VMULPS", "(SI)", "Y0", "Y1")
	w.op("VMOVUPS", "(DI)", "Y2")
	w.op("VSUBPS", "Y1", "Y2", "Y2")
	w.op("VMOVUPS", "Y2", "(DI)")
	w.op("ADDQ", 32, "SI")
	w.op("ADDQ", 32, "DI")
	w.op("SUBQ", 1, "DX")
	w.jump("JNE", "loop")
	w.op("VZEROUPPER")
	w.ret()

	adam(w, avx512)
	adam(w, avx2)
}

// adamNumbers are the numbers of a step of Adam, fields of AdamStep.
var adamNumbers = []string{"Shrink", "Sign", "Decay", "A", "A1", "B", "B1", "Root", "Small", "LR"}

// adam writes adam512 or adam256: n blocks of 16 elements. The numbers of a step stand
// in registers.
func adam(w *writer, s isa) {
	w.text("·adam"+s.name, "NOSPLIT", 0, 48)
	for i, name := range []string{"p", "d", "m", "v"} {
		w.op("MOVQ", fmt.Sprintf("%s+%d(FP)", name, 8*i), []string{"DI", "SI", "R8", "R9"}[i])
	}
	w.op("MOVQ", "n+32(FP)", "DX")
	w.op("MOVQ", "by+40(FP)", "AX")
	by := map[string]string{}
	for i, name := range adamNumbers {
		by[name] = s.r(i)
		w.op("VBROADCASTSS", fmt.Sprintf("AdamStep_%s(AX)", name), by[name])
	}
	w.align()
	w.label("block")
	for at := 0; at < 64; at += s.bytes() {
		p, g, m, v, t := s.r(10), s.r(11), s.r(12), s.r(13), s.r(14)
		w.op("VMULPS", mem("DI", at), by["Shrink"], p)
		w.op("VMULPS", mem("SI", at), by["Sign"], g)
		w.op("VMULPS", p, by["Decay"], t)
		w.op("VADDPS", t, g, g)
		w.op("VMULPS", mem("R8", at), by["A"], m)
		w.op("VMULPS", g, by["A1"], t)
		w.op("VADDPS", t, m, m)
		w.op("VMOVUPS", m, mem("R8", at))
		w.op("VMULPS", g, g, g)
		w.op("VMULPS", mem("R9", at), by["B"], v)
		w.op("VMULPS", g, by["B1"], t)
		w.op("VADDPS", t, v, v)
		w.op("VMOVUPS", v, mem("R9", at))
		w.op("VSQRTPS", v, v)
		w.op("VDIVPS", by["Root"], v, v)
		w.op("VADDPS", by["Small"], v, v)
		w.op("VDIVPS", v, m, m)
		w.op("VMULPS", m, by["LR"], m)
		w.op("VSUBPS", m, p, p)
		w.op("VMOVUPS", p, mem("DI", at))
	}
	for _, r := range []string{"DI", "SI", "R8", "R9"} {
		w.op("ADDQ", 64, r)
	}
	w.op("SUBQ", 1, "DX")
	w.jump("JNE", "block")
	w.op("VZEROUPPER")
	w.ret()
}
