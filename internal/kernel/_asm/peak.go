package main

// peakFile writes the loop that measures a core's peak: independent sums, more
// than latency times units, on registers alone.
func peakFile(w *writer, s isa) {
	const sums = 12
	w.text("·peak"+s.name, "NOSPLIT", 0, 8)
	w.op("MOVQ", "n+0(FP)", "AX")
	for i := range sums + 2 {
		w.op("VXORPS", s.r(i), s.r(i), s.r(i))
	}
	w.align()
	w.label("loop")
	for range 2 {
		for i := range sums {
			w.op("VFMADD231PS", s.r(sums), s.r(sums+1), s.r(i))
		}
	}
	w.op("SUBQ", 1, "AX")
	w.jump("JNE", "loop")
	w.op("VZEROUPPER")
	w.ret()
}

// pauseFile writes pause: n times the instruction that tells the processor that
// a loop only waits.
func pauseFile(w *writer) {
	w.text("·pause", "NOSPLIT", 0, 8)
	w.op("MOVQ", "n+0(FP)", "AX")
	w.label("loop")
	w.op("PAUSE")
	w.op("SUBQ", 1, "AX")
	w.jump("JNE", "loop")
	w.ret()
}
