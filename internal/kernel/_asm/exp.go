package main

import (
	"fmt"
	"math"
)

// The coefficients of fmath.Exp: 1/n!, n from 13 down to 2.
var expTaylor = []float64{
	1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
	1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2,
}

// expFile writes exp512 or exp256, expShifted512 or expShifted256, and what else the
// losses of rows need.
func expFile(w *writer, s isa) {
	d := &doubles{writer: w, s: s, lanes: s.lanes / 2, names: map[uint64]string{}}
	exponential(d, false)
	exponential(d, true)
	narrow(w, s)
	largest(w, s)
	d.tables()
}

// exponential writes exp512 or exp256: n blocks of 8 or 4 float64 at x become
// fmath.Exp of them, as long as all of a block lie in [-708, 709]; it returns
// the number of blocks done. In that range the result is normal, so that
// scaling it once is what the two factors of fmath.Exp do. Shifted, the blocks are
// float32 of another slice, from which m is subtracted first.
func exponential(d *doubles, shifted bool) {
	w, s := d.writer, d.s
	c, lanes := d.constant, d.lanes
	next := 0
	hold := func(x float64) string { // constants stay in registers
		r := s.r(next)
		next++
		if lanes == 8 {
			w.op("VBROADCASTSD", c(x), r)
		} else {
			w.op("VMOVUPD", c(x), r)
		}
		return r
	}
	ret := "ret+16(FP)"
	if shifted {
		ret = "ret+32(FP)"
		w.text("·expShifted"+s.name, "NOSPLIT", 0, 40)
		w.op("MOVQ", "dst+0(FP)", "SI")
		w.op("MOVQ", "src+8(FP)", "R8")
		w.op("MOVQ", "n+16(FP)", "DX")
	} else {
		w.text("·exp"+s.name, "NOSPLIT", 0, 24)
		w.op("MOVQ", "x+0(FP)", "SI")
		w.op("MOVQ", "n+8(FP)", "DX")
	}
	w.op("MOVQ", "DX", "CX")
	log2e, shift := hold(1.4426950408889634074), hold(3<<51)
	hi, lo := hold(-0.6931471805599453), hold(-2.3190468138462996e-17)
	one, least, most := hold(1), hold(-708), hold(709)
	x, t, m, q, r := s.r(next), s.r(next+1), s.r(next+2), s.r(next+3), s.r(next+4)
	minus := s.r(next + 5)
	if shifted {
		w.op("VBROADCASTSD", "m+24(FP)", minus)
	}
	w.op("TESTQ", "DX", "DX")
	w.jump("JEQ", "done")
	w.align()
	w.label("block")
	if shifted {
		w.op("VCVTPS2PD", "(R8)", x)
		w.op("VSUBPD", minus, x, x)
	} else {
		w.op("VMOVUPD", "(SI)", x)
	}
	const inside = 0x0d // greater or equal, false for NaN
	if lanes == 8 {
		w.op("VCMPPD", inside, least, x, "K1")
		w.op("VCMPPD", inside, x, most, "K1", "K1")
		w.op("KMOVB", "K1", "AX")
		w.op("CMPL", "AX", 0xff)
	} else {
		w.op("VCMPPD", inside, least, x, t)
		w.op("VCMPPD", inside, x, most, m)
		w.op("VANDPD", t, m, t)
		w.op("VMOVMSKPD", t, "AX")
		w.op("CMPL", "AX", 0x0f)
	}
	w.jump("JNE", "done")
	w.op("VMOVAPD", x, t)
	w.op("VFMADD213PD", shift, log2e, t) // t = x*log2e + shift
	w.op("VSUBPD", shift, t, m)
	w.op("VMOVAPD", x, r)
	w.op("VFMADD231PD", hi, m, r)
	w.op("VFMADD231PD", lo, m, r)
	if lanes == 8 {
		w.op("VBROADCASTSD", c(expTaylor[0]), q)
	} else {
		w.op("VMOVUPD", c(expTaylor[0]), q)
	}
	for _, k := range expTaylor[1:] {
		if lanes == 8 {
			w.op("VFMADD213PD.BCST", c(k), r, q)
		} else {
			w.op("VFMADD213PD", c(k), r, q)
		}
	}
	w.op("VMULPD", r, r, x)
	w.op("VFMADD213PD", r, x, q) // q*(r*r) + r
	w.op("VADDPD", one, q, q)
	if lanes == 8 {
		w.op("VSCALEFPD", m, q, q)
	} else {
		w.op("VPSLLQ", 52, t, t) // the low bits of t are n
		w.op("VPADDQ", t, q, q)
	}
	w.op("VMOVUPD", q, "(SI)")
	w.op("ADDQ", 8*lanes, "SI")
	if shifted {
		w.op("ADDQ", 4*lanes, "R8")
	}
	w.op("SUBQ", 1, "DX")
	w.jump("JNE", "block")
	w.label("done")
	w.op("SUBQ", "DX", "CX")
	w.op("MOVQ", "CX", ret)
	w.op("VZEROUPPER")
	w.ret()
}

// narrow writes narrow512 or narrow256: n blocks of 8 float64, times k, to float32.
func narrow(w *writer, s isa) {
	w.text("·narrow"+s.name, "NOSPLIT", 0, 32)
	w.op("MOVQ", "dst+0(FP)", "DI")
	w.op("MOVQ", "src+8(FP)", "SI")
	w.op("MOVQ", "n+16(FP)", "DX")
	w.op("VBROADCASTSD", "k+24(FP)", s.r(0))
	w.align()
	w.label("block")
	for at := 0; at < 64; at += s.bytes() {
		w.op("VMULPD", mem("SI", at), s.r(0), s.r(1))
		if s.lanes == 16 {
			w.op("VCVTPD2PS", "Z1", "Y1")
			w.op("VMOVUPS", "Y1", mem("DI", at/2))
		} else {
			w.op("VCVTPD2PSY", "Y1", "X1")
			w.op("VMOVUPS", "X1", mem("DI", at/2))
		}
	}
	w.op("ADDQ", 64, "SI")
	w.op("ADDQ", 32, "DI")
	w.op("SUBQ", 1, "DX")
	w.jump("JNE", "block")
	w.op("VZEROUPPER")
	w.ret()
}

// largest writes largest512 or largest256: the largest numbers of each lane of n
// blocks of 16, and whether one is NaN.
func largest(w *writer, s isa) {
	const unordered = 3
	w.text("·largest"+s.name, "NOSPLIT", 0, 28)
	w.op("MOVQ", "x+0(FP)", "SI")
	w.op("MOVQ", "n+8(FP)", "DX")
	w.op("MOVQ", "lanes+16(FP)", "DI")
	if s.lanes == 16 {
		w.op("VMOVUPS", "(SI)", "Z0")
		w.op("KXORW", "K2", "K2", "K2")
		w.align()
		w.label("block")
		w.op("VMOVUPS", "(SI)", "Z1")
		w.op("VMAXPS", "Z1", "Z0", "Z0")
		w.op("VCMPPS", unordered, "Z1", "Z1", "K1")
		w.op("KORW", "K1", "K2", "K2")
	} else {
		w.op("VMOVUPS", "(SI)", "Y0")
		w.op("VMOVUPS", "32(SI)", "Y1")
		w.op("VXORPS", "Y4", "Y4", "Y4")
		w.align()
		w.label("block")
		for i := range 2 {
			x, acc := s.r(2+i), s.r(i)
			w.op("VMOVUPS", mem("SI", 32*i), x)
			w.op("VMAXPS", x, acc, acc)
			w.op("VCMPPS", unordered, x, x, x)
			w.op("VORPS", x, "Y4", "Y4")
		}
	}
	w.op("ADDQ", 64, "SI")
	w.op("SUBQ", 1, "DX")
	w.jump("JNE", "block")
	if s.lanes == 16 {
		w.op("VMOVUPS", "Z0", "(DI)")
		w.op("KMOVW", "K2", "AX")
	} else {
		w.op("VMOVUPS", "Y0", "(DI)")
		w.op("VMOVUPS", "Y1", "32(DI)")
		w.op("VMOVMSKPS", "Y4", "AX")
	}
	w.op("MOVL", "AX", "ret+24(FP)")
	w.op("VZEROUPPER")
	w.ret()
}

// doubles are the float64 constants of a routine, in the order of their first
// use.
type doubles struct {
	*writer
	s     isa
	lanes int // float64 values a register
	names map[uint64]string
	order []uint64
}

// constant returns the operand that stands for x.
func (d *doubles) constant(x float64) string {
	b := math.Float64bits(x)
	if _, ok := d.names[b]; !ok {
		d.names[b] = fmt.Sprintf("d%016x%s<>", b, d.s.name)
		d.order = append(d.order, b)
	}
	return d.names[b] + "(SB)"
}

// tables writes the constants, for AVX2 in all lanes, because it has no
// broadcast from memory; call it last.
func (d *doubles) tables() {
	copies := 1
	if d.lanes == 4 {
		copies = 4
	}
	for _, b := range d.order {
		fmt.Fprintln(d)
		for i := range copies {
			fmt.Fprintf(d, "DATA %s+%d(SB)/8, $%#x\n", d.names[b], 8*i, b)
		}
		fmt.Fprintf(d, "GLOBL %s(SB), RODATA|NOPTR, $%d\n", d.names[b], 8*copies)
	}
}
