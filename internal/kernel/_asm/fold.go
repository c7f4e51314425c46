package main

import "fmt"

// The microkernels of a folded panel (fold_vector.go of the package). Its columns stand
// [gate][per], four or eight units a gate; what a register holds of them goes to one,
// two or four gates, whose sums stand 16 columns apart. They are called as those of
// micro.go are; those of few rows walk whole panels before the folded one.

// fold is a folded panel: its gates, and how many units of each there is room for.
type fold struct{ gates, per int }

func (f fold) vecs() int { return (f.gates*f.per + 15) / 16 }

// piece is a part of a register of columns: so many bytes of a gate, from a place on.
type piece struct{ gate, from, bytes int }

// pieces returns those of register v.
func (f fold) pieces(lanes, v int) []piece {
	var ps []piece
	for c := v * lanes; c < min((v+1)*lanes, f.gates*f.per); {
		n := min(f.per-c%f.per, (v+1)*lanes-c)
		ps = append(ps, piece{c / f.per, c % f.per * 4, n * 4})
		c += n
	}
	return ps
}

// address is where a piece stands: the last gate has a base of its own in init.
func (f fold) address(p piece, base, last string) string {
	if last != "" && p.gate == f.gates-1 {
		return mem(last, p.from)
	}
	return mem(base, p.gate*64+p.from)
}

// used returns the registers that hold columns of gates; there may be one more of zeros.
func (f fold) used(lanes int) int { return (f.gates*f.per + lanes - 1) / lanes }

var folds = []fold{{3, 4}, {3, 8}, {4, 4}, {4, 8}}

func foldName(suffix string, f fold, beside, rows int) string {
	return fmt.Sprintf("fold%s_%dx%d_%dx%d<>", suffix, f.gates, f.per, beside, rows)
}

// beside is how many whole panels of so many gates a microkernel may walk too: as many
// as walk side by side without a folded one.
func beside(s isa, rows, gates int) int {
	if p := sideBySide(s, rows, gates); s.lanes == 16 && p > 1 {
		return p
	}
	return 0
}

// foldFile writes the microkernels of a level and their tables.
func foldFile(w *writer, s isa) {
	for _, f := range folds {
		for rows := 1; rows <= rowsOf(s, f.vecs()); rows++ {
			foldMicro(w, s, f, rows)
			for p := 1; p <= beside(s, rows, f.gates); p++ {
				foldBeside(w, s, f, p, rows)
			}
		}
	}
	foldTable(w, s.name, func(gates, p, rows int) bool { return rows <= rowsOf(s, 1) && p <= beside(s, rows, gates) })
}

// foldTable writes the table of the microkernels that there are.
func foldTable(w *writer, suffix string, has func(gates, p, rows int) bool) {
	fmt.Fprintln(w)
	for _, gates := range []int{3, 4} {
		for p := range 4 {
			for rows := 1; has(gates, p, rows); rows++ {
				for _, f := range folds {
					if f.gates == gates {
						fmt.Fprintf(w, "DATA ·folds%s+(8*(((%d*const_microSides+%d)*const_microRows+%d)*const_microVecs+%d))(SB)/8, $%s(SB)\n",
							suffix, gates-3, p, rows-1, f.vecs()-1, foldName(suffix, f, p, rows))
					}
				}
			}
		}
	}
	fmt.Fprintf(w, "GLOBL ·folds%s(SB), RODATA|NOPTR, $(2*8*const_microSides*const_microRows*const_microVecs)\n", suffix)
}

// foldMicro writes the microkernel of the folded panel alone.
func foldMicro(w *writer, s isa, f fold, rows int) {
	w.text(foldName(s.name, f, 0, rows), "NOSPLIT|NOFRAME", 0, 0)
	microGroups(w, s, rows, 1, f.used(s.lanes), f.vecs()*16/s.lanes, place{
		func(_, v int, to string) { f.load(w, s, v, "R13", "R15", to) },
		func(_, v int, from string) { f.store(w, s, v, from, "R12") },
	})
	w.ret()
}

// load fills a register with what the sums of its columns begin with.
func (f fold) load(w *writer, s isa, v int, base, last, to string) {
	for i, p := range f.pieces(s.lanes, v) {
		from := f.address(p, base, last)
		switch {
		case i == 0:
			w.op("VMOVUPS", from, part(to, p.bytes))
		case s.lanes == 8:
			w.op("VINSERTF128", i, from, to, to)
		case p.bytes == 16:
			w.op("VINSERTF32X4", i, from, to, to)
		default:
			w.op("VINSERTF64X4", i, from, to, to)
		}
	}
}

// store puts the sums of a register where those of their gates stand.
func (f fold) store(w *writer, s isa, v int, from, base string) {
	for i, p := range f.pieces(s.lanes, v) {
		to := f.address(p, base, "")
		switch {
		case i == 0:
			w.op("VMOVUPS", part(from, p.bytes), to)
		case s.lanes == 8:
			w.op("VEXTRACTF128", i, from, to)
		case p.bytes == 16:
			w.op("VEXTRACTF32X4", i, from, to)
		default:
			w.op("VEXTRACTF64X4", i, from, to)
		}
	}
}

// part is the register that is the first bytes of another.
func part(reg string, bytes int) string {
	return map[int]string{16: "X", 32: "Y", 64: "Z"}[bytes] + reg[1:]
}

// foldBeside writes the microkernel of p whole panels and the folded one after them.
func foldBeside(w *writer, s isa, f fold, p, rows int) {
	w.text(foldName(s.name, f, p, rows), "NOSPLIT|NOFRAME", 0, 0)
	n, m := f.gates, f.used(s.lanes) // registers a row of a whole panel, and of the folded one
	whole := func(r, q, v int) string { return s.r((r*p+q)*n + v) }
	folded := func(r, v int) string { return s.r(rows*p*n + r*m + v) }
	free := rows * (p*n + m)
	at := wholePanels(w, s, n)
	for r := range rows {
		for q := range p {
			for v := range n {
				at.load(q, v, whole(r, q, v))
			}
		}
		w.op("LEAQ", beyond(w, "R13", "initPanel", p, 0), "AX")
		w.op("LEAQ", beyond(w, "R15", "lastPanel", p, 0), "SI")
		for v := range m {
			f.load(w, s, v, "AX", "SI", folded(r, v))
		}
		w.op("ADDQ", arg("initRow"), "R13")
		w.op("ADDQ", arg("lastRow"), "R15")
	}
	w.op("MOVQ", arg("w"), "SI")
	w.op("LEAQ", beyond(w, "SI", "panel", p, 0), "R9")
	w.op("MOVQ", arg("panel"), "R8") // one or two rows need none of R8 to R10
	w.op("MOVQ", "R14", "AX")
	w.op("MOVQ", arg("depth"), "DX")
	w.op("TESTQ", "DX", "DX")
	w.jump("JEQ", "end")
	w.align()
	w.label("k")
	for r := range rows {
		w.op("VBROADCASTSS", rowAddr(r), s.r(free+r))
	}
	next := 0
	product := func(weight string, acc func(r int) string) {
		if rows == 1 { // weights are used once: from memory
			w.op("VFMADD231PS", weight, s.r(free), acc(0))
			return
		}
		x := s.r(free + rows + next%(s.regs-free-rows))
		next++
		w.op("VMOVUPS", weight, x)
		for r := range rows {
			w.op("VFMADD231PS", x, s.r(free+r), acc(r))
		}
	}
	for q := range p {
		for v := range n {
			weight := mem("SI", v*s.bytes())
			if q > 0 {
				weight = memIndex("SI", "R8", q, v*s.bytes())
			}
			product(weight, func(r int) string { return whole(r, q, v) })
		}
	}
	for v := range m {
		product(mem("R9", v*s.bytes()), func(r int) string { return folded(r, v) })
	}
	w.op("ADDQ", n*s.bytes(), "SI")
	w.op("ADDQ", f.vecs()*16*4, "R9")
	w.op("ADDQ", "CX", "AX")
	w.op("SUBQ", 1, "DX")
	w.jump("JNE", "k")
	w.label("end")
	for r := range rows {
		for q := range p {
			for v := range n {
				at.store(q, v, whole(r, q, v))
			}
		}
		w.op("LEAQ", beyond(w, "R12", "dstPanel", p, 0), "AX")
		for v := range m {
			f.store(w, s, v, folded(r, v), "AX")
		}
		w.op("ADDQ", arg("dstRow"), "R12")
	}
	w.ret()
}

// foldNEONFile writes the microkernels of folded panels for arm64. A register of four
// columns is of one gate.
func foldNEONFile(w *writer) {
	for _, f := range folds {
		for rows := 1; rows <= mostRowsNEON; rows++ {
			microNEON(w, singles, foldName("NEON", f, 0, rows), rows, f.columnsNEON())
		}
	}
	foldTable(w, "NEON", func(_, p, rows int) bool { return p == 0 && rows <= mostRowsNEON })
}

func (f fold) columnsNEON() columns {
	at := func(v int) piece { return f.pieces(4, v)[0] }
	return columns{f.vecs() * 4, f.used(4), func(v int) (string, int) {
		if p := at(v); p.gate == f.gates-1 {
			return "R15", p.from
		}
		return "R13", at(v).gate*64 + at(v).from
	}, func(v int) int { return at(v).gate*64 + at(v).from }}
}
