package main

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
}
