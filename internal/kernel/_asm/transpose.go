package main

import "fmt"

// transposeFile writes transpose512 or transpose256: gateArgs.m times a block
// of lanes x lanes numbers, read row by row (rows gate apart) from p[0], which
// moves on by a vector, and written column by column to p[1]; what lies closer to zero
// than consts[0] becomes +0.
func transposeFile(w *writer, s isa) {
	v := newVec(w, s)
	v.text("·transpose"+s.name, "NOSPLIT", 0, 8)
	v.op("MOVQ", "a+0(FP)", "DI")
	v.op("MOVQ", gateM, "DX")
	v.op("MOVQ", gateGate, "BX")
	v.op("MOVQ", gatePtr(0), "SI")
	v.op("MOVQ", gatePtr(1), "R8")
	v.op("MOVQ", gateStride(1), "R9")
	limit := v.get()
	v.op("VBROADCASTSS", gateConst(0), limit)
	v.align()
	v.label("block")
	v.op("MOVQ", "SI", "AX")
	var rows []string
	for i := range s.lanes {
		rows = append(rows, v.get())
		v.op("VMOVUPS", "(AX)", rows[i])
		if i < s.lanes-1 {
			v.op("ADDQ", "BX", "AX")
		}
	}
	if s.lanes == 16 {
		rows = v.transpose16(rows)
	} else {
		rows = v.transpose8(rows)
	}
	for _, r := range rows {
		v.flushBelow(r, limit)
		v.op("VMOVUPS", r, "(R8)")
		v.op("ADDQ", "R9", "R8")
		v.put(r)
	}
	v.op("ADDQ", s.bytes(), "SI")
	v.op("SUBQ", 1, "DX")
	v.jump("JNE", "block")
	v.op("VZEROUPPER")
	v.ret()
	v.tables()
}

// pairs replaces registers a and b of rows by lo(a, b) and hi(a, b).
func (v *vec) pairs(rows []string, a, b int, lo, hi func(x, y, to string)) {
	t := v.get()
	lo(rows[a], rows[b], t)
	hi(rows[a], rows[b], rows[b])
	v.put(rows[a])
	rows[a] = t
}

// unpack swaps single numbers and then pairs of them inside the 128-bit parts:
// rows 4i to 4i+3 then hold, in part p, the columns 4p to 4p+3 of these rows.
func (v *vec) unpack(rows []string) {
	op := func(name string) func(x, y, to string) {
		return func(x, y, to string) { v.op(name, y, x, to) }
	}
	for i := 0; i < len(rows); i += 2 {
		v.pairs(rows, i, i+1, op("VUNPCKLPS"), op("VUNPCKHPS"))
	}
	for i := 0; i < len(rows); i += 4 {
		v.pairs(rows, i, i+2, op("VUNPCKLPD"), op("VUNPCKHPD"))
		v.pairs(rows, i+1, i+3, op("VUNPCKLPD"), op("VUNPCKHPD"))
		rows[i+1], rows[i+2] = rows[i+2], rows[i+1]
	}
}

func (v *vec) transpose16(rows []string) []string {
	v.unpack(rows)
	shuffle := func(imm int) func(x, y, to string) {
		return func(x, y, to string) { v.op("VSHUFF32X4", imm, y, x, to) }
	}
	for j := range 4 {
		for _, p := range [][2]int{{j, 4 + j}, {8 + j, 12 + j}, {j, 8 + j}, {4 + j, 12 + j}} {
			v.pairs(rows, p[0], p[1], shuffle(0x88), shuffle(0xdd))
		}
	}
	// Now rows[j] holds column j, rows[8+j] column 8+j, and between them, in
	// rows[4+j] and rows[12+j], columns 4+j and 12+j.
	return rows
}

func (v *vec) transpose8(rows []string) []string {
	v.unpack(rows)
	half := func(imm int) func(x, y, to string) {
		return func(x, y, to string) { v.op("VPERM2F128", fmt.Sprintf("$%#x", imm), y, x, to) }
	}
	for j := range 4 {
		v.pairs(rows, j, 4+j, half(0x20), half(0x31))
	}
	return rows
}
