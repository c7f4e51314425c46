package main

import "fmt"

// rowAddr is the address of row r of a, from AX.
func rowAddr(r int) string {
	switch r {
	case 0:
		return "(AX)"
	case 1, 2, 4:
		return memIndex("AX", "BX", r, 0)
	case 3:
		return memIndex("AX", "R8", 1, 0)
	case 5:
		return memIndex("AX", "R9", 1, 0)
	case 6:
		return memIndex("AX", "R8", 2, 0)
	case 7:
		return memIndex("AX", "R10", 1, 0)
	}
	panic(r)
}

// group is a set of columns whose sums a microkernel holds at a time: vectors
// [lo, hi) of the panel, in registers of the instruction set.
type group struct{ lo, hi int }

// groups splits the nv*16/lanes vectors of a panel so that rows x vectors sums
// fit into the registers.
func groups(s isa, rows, vecs int) []group {
	most := vecs
	if s.lanes == 8 {
		most = min(12/rows, 8)
		if rows == 1 {
			most = 8
		}
	}
	n := (vecs + most - 1) / most
	var g []group
	for i := range n {
		g = append(g, group{i * vecs / n, (i + 1) * vecs / n})
	}
	return g
}

// place is how a microkernel moves register v of panel q between a row of memory and a
// register: what sums begin with, and the sums.
type place struct {
	load  func(q, v int, to string)
	store func(q, v int, from string)
}

// wholePanels are the places of panels of vecs registers a row.
func wholePanels(w *writer, s isa, vecs int) place {
	last := vecs - 16/s.lanes // from here on init comes from R15
	return place{func(q, v int, to string) {
		base, disp, panel := "R13", v*s.bytes(), "initPanel"
		if v >= last {
			base, disp, panel = "R15", (v-last)*s.bytes(), "lastPanel"
		}
		w.op("VMOVUPS", beyond(w, base, panel, q, disp), to)
	}, func(q, v int, from string) {
		w.op("VMOVUPS", from, beyond(w, "R12", "dstPanel", q, v*s.bytes()))
	}}
}

// beyond is an address q panels on from base, by way of DX.
func beyond(w *writer, base, panel string, q, disp int) string {
	switch q {
	case 0:
		return mem(base, disp)
	case 3:
		w.op("IMUL3Q", q, arg(panel), "DX")
		return memIndex(base, "DX", 1, disp)
	}
	w.op("MOVQ", arg(panel), "DX")
	return memIndex(base, "DX", q, disp)
}

// micro writes the microkernel of rows x nv*16 columns in p panels.
func micro(w *writer, s isa, rows, nv, p int) {
	w.text(microName(s, rows, nv, p), "NOSPLIT|NOFRAME", 0, 0)
	vecs := nv * 16 / s.lanes
	microGroups(w, s, rows, p, vecs, vecs, wholePanels(w, s, vecs))
	if p > 1 {
		for range p - 1 {
			for _, a := range advances {
				w.op("MOVQ", arg(a[0]), "AX")
				w.op("ADDQ", "AX", arg(a[1]))
			}
		}
	}
	w.ret()
}

// microGroups writes the groups of a microkernel of p panels, whose rows of weights
// fill vecs registers; the first used ones have sums.
func microGroups(w *writer, s isa, rows, p, used, vecs int, at place) {
	gs := groups(s, rows, used)
	for i, g := range gs {
		microGroup(w, s, rows, p, g, vecs, i, i == len(gs)-1, at)
	}
}

func microGroup(w *writer, s isa, rows, p int, g group, vecs, index int, last bool, at place) {
	n := g.hi - g.lo // vectors of a panel
	acc := func(r, q, v int) string { return s.r((r*p+q)*n + v) }
	free := rows * p * n // first register that is no sum
	loop, end := fmt.Sprintf("k%d", index), fmt.Sprintf("end%d", index)

	// The sums begin with init. Side by side panels are reached through SI as
	// an index, which the loop sets afterwards.
	w.op("MOVQ", arg("w"), "SI")
	for r := range rows {
		for q := range p {
			for v := range n {
				at.load(q, g.lo+v, acc(r, q, v))
			}
		}
		if last || rows > 1 {
			w.op("ADDQ", arg("initRow"), "R13")
			w.op("ADDQ", arg("lastRow"), "R15")
		}
	}
	if !last && rows > 1 { // the next group begins at the first row again
		back(w, rows, "initRow", "R13")
		back(w, rows, "lastRow", "R15")
	}
	if s.at {
		w.op("MOVQ", arg("at"), "CX")
	} else {
		w.op("MOVQ", "R14", "AX")
	}
	if p > 1 {
		w.op("MOVQ", arg("panel"), "R8") // one or two rows need no R8
	}
	w.op("MOVQ", arg("depth"), "DX")
	w.op("TESTQ", "DX", "DX")
	w.jump("JEQ", end)
	w.align()
	w.label(loop)
	unroll(w, s, rows, p, g, vecs, acc, free)
	w.op("SUBQ", 1, "DX")
	w.jump("JNE", loop)
	w.label(end)
	if s.at {
		w.op("VBROADCASTSS", arg("floor"), s.r(free))
	}
	for r := range rows {
		for q := range p {
			for v := range n {
				if s.at {
					w.op("VMAXPS", acc(r, q, v), s.r(free), acc(r, q, v))
				}
				at.store(q, g.lo+v, acc(r, q, v))
			}
		}
		if last || rows > 1 {
			w.op("ADDQ", arg("dstRow"), "R12")
		}
	}
	if !last && rows > 1 {
		back(w, rows, "dstRow", "R12")
	}
}

// back moves a register back by so many rows.
func back(w *writer, rows int, row, reg string) {
	w.op("IMUL3Q", rows, arg(row), "DX")
	w.op("SUBQ", "DX", reg)
}

// unroll writes one step of k.
func unroll(w *writer, s isa, rows, p int, g group, vecs int, acc func(r, q, v int) string, free int) {
	n := g.hi - g.lo
	weight := func(q, v int) string {
		disp := (g.lo + v) * s.weightBytes()
		if q > 0 {
			return memIndex("SI", "R8", q, disp)
		}
		return mem("SI", disp)
	}
	if s.at { // where the table finds what is multiplied next
		w.op("MOVQ", "(CX)", "AX")
		w.op("LEAQ", memIndex("R14", "AX", 4, 0), "AX")
	}
	w.op("PREFETCHT0", memIndex("SI", "R11", 1, 0))
	for q := 1; q < p; q++ {
		w.op("PREFETCHT0", memIndex("SI", "R11", 1, 64*q))
	}
	bcast := func(r int, to string) { w.op("VBROADCASTSS", rowAddr(r), to) }
	fma := func(b, a, c string) { w.op("VFMADD231PS", b, a, c) }
	load := func(from, to string) {
		if s.half {
			w.op("VPMOVZXWD", from, to)
			w.op("VPSLLD", 16, to, to)
			return
		}
		w.op("VMOVUPS", from, to)
	}
	switch spare := s.regs - free; {
	case rows == 1: // weights are used once: from memory, unless they are halves
		bcast(0, s.r(free))
		for q := range p {
			for v := range n {
				x := weight(q, v)
				if s.half {
					to := s.r(free + 1 + (q*n+v)%(spare-1))
					load(x, to)
					x = to
				}
				fma(x, s.r(free), acc(0, q, v))
			}
		}
	case n*p < spare: // hold the weights, broadcast row by row
		for q := range p {
			for v := range n {
				load(weight(q, v), s.r(free+q*n+v))
			}
		}
		first := free + n*p
		for r := range rows {
			b := s.r(first + r%(s.regs-first))
			bcast(r, b)
			for q := range p {
				for v := range n {
					fma(s.r(free+q*n+v), b, acc(r, q, v))
				}
			}
		}
	case rows < spare: // hold the rows, load weight by weight
		for r := range rows {
			bcast(r, s.r(free+r))
		}
		first, i := free+rows, 0
		for q := range p {
			for v := range n {
				x := s.r(first + i%(s.regs-first))
				i++
				load(weight(q, v), x)
				for r := range rows {
					fma(x, s.r(free+r), acc(r, q, v))
				}
			}
		}
	default:
		panic("no registers left")
	}
	w.op("ADDQ", vecs*s.weightBytes(), "SI")
	if s.at {
		w.op("ADDQ", 8, "CX")
	} else {
		w.op("ADDQ", "CX", "AX")
	}
}
