package main

import "fmt"

// The product of 8-bit integers has a driver and microkernels like that of
// float32. Between them, in the registers:
//
//	DI   arguments           BX   bytes between rows of a
//	R14  first row of a      R8, R9, R10   3, 5 and 7 times BX
//	R11  steps of the first row
//	R12  dst, R13 init, R15 init of the last vector: the microkernel moves them
//	     on by the rows it did
//
// The microkernel uses SI (weights, then shifts), AX (a), DX (groups left) and CX
// (ahead, then scales) freely. Sums are integers, which are exact in any order: where rows are
// few, several sums share a column to hide the latency of an addition.

func arg8(name string) string { return field("mul8Args_" + name) }

func micro8Name(s isa, rows, nv int) string {
	return fmt.Sprintf("micro8x%s_%dx%d<>", s.name, rows, nv)
}

// rows8 is the number of rows the registers allow for nv vectors of 16 columns.
func rows8(s isa, nv int) int {
	switch {
	case s.lanes == 8:
		return 2
	case nv == 4:
		return 6
	}
	return 8
}

// stepsSize is the size of Steps: a scale and a zero point.
const stepsSize = 8

// splits8 is how many sums share a column.
func splits8(rows int) int { return max(4/rows, 1) }

func mul8File(w *writer, s isa) {
	for rows := 1; rows <= rows8(s, 1); rows++ {
		for nv := 1; nv <= maxVecs; nv++ {
			if rows <= rows8(s, nv) {
				micro8(w, s, rows, nv)
			}
		}
	}
	fmt.Fprintln(w)
	for rows := 1; rows <= rows8(s, 1); rows++ {
		for nv := 1; nv <= maxVecs; nv++ {
			if rows <= rows8(s, nv) {
				fmt.Fprintf(w, "DATA ·micro8x%s+(8*(%d*const_microVecs+%d))(SB)/8, $%s(SB)\n", s.name, rows-1, nv-1, micro8Name(s, rows, nv))
			}
		}
	}
	fmt.Fprintf(w, "GLOBL ·micro8x%s(SB), RODATA|NOPTR, $(8*const_microRows*const_microVecs)\n", s.name)
	drive(w, "·mul8x"+s.name, arg8, append([][2]string{{"cols", "scale"}, {"cols", "shift"}}, advances...), func() {}, func() {
		w.op("MOVQ", arg8("steps"), "R11")
		w.op("MOVQ", arg8("panel"), "AX")
		w.op("MOVQ", "AX", arg8("ahead"))
	}, func(part string) {
		w.op("ADDQ", 64, arg8("ahead"))
		w.op("ADDQ", arg8(part+"Steps"), "R11")
	})
}

// micro8 writes the microkernel of rows x nv*16 columns.
func micro8(w *writer, s isa, rows, nv int) {
	w.text(micro8Name(s, rows, nv), "NOSPLIT|NOFRAME", 0, 0)
	m := &integers{w, s, rows, nv}
	if s.lanes == 16 {
		m.vnni()
	} else {
		most := 2 / rows // vectors of 16 columns at a time
		for lo := 0; lo < nv; lo += most {
			m.words(lo, min(lo+most, nv))
		}
	}
	for range rows {
		w.op("ADDQ", arg8("dstRow"), "R12")
		w.op("ADDQ", arg8("initRow"), "R13")
		w.op("ADDQ", arg8("lastRow"), "R15")
	}
	w.ret()
}

// integers is a microkernel being written.
type integers struct {
	*writer
	s        isa
	rows, nv int
}

// loop writes a walk over the groups of k: body does so many groups, from the
// weights at SI and the left side at AX on.
func (m *integers) loop(name string, per int, body func()) {
	m.op("SUBQ", per, "DX")
	m.jump("JLT", name+"End")
	m.align()
	m.label(name)
	body()
	m.op("ADDQ", per*m.nv*64, "SI")
	m.op("ADDQ", per*4, "AX")
	m.op("SUBQ", per, "DX")
	m.jump("JGE", name)
	m.label(name + "End")
	m.op("ADDQ", per, "DX")
}

// vnni multiplies four bytes of a with four of each of 16 columns at a time.
func (m *integers) vnni() {
	splits := splits8(m.rows)
	acc := func(r, v, split int) string { return m.s.r((split*m.rows+r)*m.nv + v) }
	free := splits * m.rows * m.nv
	for i := range free {
		m.op("VPXORD", m.s.r(i), m.s.r(i), m.s.r(i))
	}
	m.op("MOVQ", arg8("w"), "SI")
	m.op("MOVQ", "R14", "AX")
	m.op("MOVQ", arg8("groups"), "DX")
	if m.rows > 3 {
		m.op("MOVQ", arg8("ahead"), "CX")
	}
	group := func(split int) {
		weight := func(v int) string { return mem("SI", (split*m.nv+v)*64) }
		if m.rows > 1 {
			for v := range m.nv {
				m.op("VMOVDQU32", weight(v), m.s.r(free+v))
			}
			weight = func(v int) string { return m.s.r(free + v) }
		}
		if m.rows > 3 { // one line of the next panel, each block of rows another
			m.op("PREFETCHT1", fmt.Sprintf("%d(SI)(CX*1)", split*m.nv*64))
		}
		for r := range m.rows {
			x := m.s.r(m.s.regs - 1 - (split*m.rows+r)%(m.s.regs-free-m.nv))
			m.op("VPBROADCASTD", m.left(r, split), x)
			for v := range m.nv {
				m.op("VPDPBUSD", weight(v), x, acc(r, v, split))
			}
		}
	}
	if splits > 1 {
		m.loop("many", splits, func() {
			for i := range splits {
				group(i)
			}
		})
	}
	m.loop("one", 1, func() { group(0) })
	for split := 1; split < splits; split++ {
		for r := range m.rows {
			for v := range m.nv {
				m.op("VPADDD", acc(r, v, split), acc(r, v, 0), acc(r, v, 0))
			}
		}
	}
	m.store(0, m.nv, func(r, v int) string { return acc(r, v, 0) }, free)
}

// left is the address of group i of row r.
func (m *integers) left(r, i int) string {
	a := rowAddr(r)
	if i > 0 {
		return fmt.Sprint(4*i) + a
	}
	return a
}

// words multiplies vectors [lo, hi) of 16 columns as 16-bit words, pairs of which
// VPMADDWD adds to 32 bits: all that bytes can be fits. A register of sums holds
// two for each of 4 columns, which are added last.
func (m *integers) words(lo, hi int) {
	n := 4 * (hi - lo) // registers of sums a row
	acc := func(r, i int) string { return m.s.r(r*n + i) }
	free := m.rows * n
	for i := range free {
		m.op("VPXOR", m.s.r(i), m.s.r(i), m.s.r(i))
	}
	m.op("MOVQ", arg8("w"), "SI")
	m.op("MOVQ", "R14", "AX")
	m.op("MOVQ", arg8("groups"), "DX")
	w, t := m.s.r(free+m.rows), m.s.r(free+m.rows+1)
	m.loop(fmt.Sprintf("group%d", lo), 1, func() {
		for r := range m.rows {
			x := free + r
			m.op("VPBROADCASTD", m.left(r, 0), fmt.Sprintf("X%d", x))
			m.op("VPMOVZXBW", fmt.Sprintf("X%d", x), m.s.r(x))
		}
		for i := range n {
			m.op("VPMOVSXBW", mem("SI", lo*64+i*16), w)
			for r := range m.rows {
				m.op("VPMADDWD", w, m.s.r(free+r), t)
				m.op("VPADDD", t, acc(r, i), acc(r, i))
			}
		}
	})
	// Two registers of 4 columns become one of 8.
	for r := range m.rows {
		for i := 0; i < n; i += 2 {
			m.op("VPHADDD", acc(r, i+1), acc(r, i), acc(r, i/2))
			m.op("VPERMQ", 0xd8, acc(r, i/2), acc(r, i/2))
		}
	}
	m.store(2*lo, 2*hi, func(r, v int) string { return acc(r, v-2*lo) }, free)
}

// store turns the sums of vectors [lo, hi) of the instruction set's columns into
// results. Registers from free on may be used.
func (m *integers) store(lo, hi int, acc func(r, v int) string, free int) {
	bytes := m.s.bytes()
	lastVec := (m.nv - 1) * 64 / bytes // from here on init comes from R15
	m.op("MOVQ", arg8("shift"), "SI")
	m.op("MOVQ", arg8("scale"), "CX")
	scale, t := m.s.r(m.s.regs-1), m.s.r(m.s.regs-2)
	zero := scale // first of all
	for r := range m.rows {
		m.op("VBROADCASTSS", mem("R11", stepsSize*r+4), zero)
		for v := lo; v < hi; v++ {
			m.op("VPMULLD", mem("SI", v*bytes), zero, t)
			m.op("VPADDD", t, acc(r, v), acc(r, v))
		}
	}
	raw, done := fmt.Sprintf("raw%d", lo), fmt.Sprintf("done%d", lo)
	rows := func(each func(r int)) {
		for r := range m.rows {
			each(r)
			if r < m.rows-1 {
				m.op("ADDQ", arg8("dstRow"), "R12")
				m.op("ADDQ", arg8("initRow"), "R13")
				m.op("ADDQ", arg8("lastRow"), "R15")
			}
		}
		if m.rows > 1 {
			for _, x := range [][2]string{{"dstRow", "R12"}, {"initRow", "R13"}, {"lastRow", "R15"}} {
				m.op("IMUL3Q", m.rows-1, arg8(x[0]), "DX")
				m.op("SUBQ", "DX", x[1])
			}
		}
	}
	m.op("CMPQ", arg8("raw"), 0)
	m.jump("JNE", raw)
	rows(func(r int) {
		m.op("VBROADCASTSS", mem("R11", stepsSize*r), scale)
		for v := lo; v < hi; v++ {
			from := mem("R13", v*bytes)
			if v >= lastVec {
				from = mem("R15", (v-lastVec)*bytes)
			}
			m.op("VCVTDQ2PS", acc(r, v), acc(r, v))
			m.op("VMULPS", mem("CX", v*bytes), scale, t)
			m.op("VFMADD213PS", from, t, acc(r, v))
			m.op("VMOVUPS", acc(r, v), mem("R12", v*bytes))
		}
	})
	m.jump("JMP", done)
	m.label(raw)
	rows(func(r int) {
		for v := lo; v < hi; v++ {
			m.op("VMOVUPS", acc(r, v), mem("R12", v*bytes))
		}
	})
	m.label(done)
}
