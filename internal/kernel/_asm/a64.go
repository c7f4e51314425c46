package main

import (
	"fmt"
	"strconv"
	"strings"
)

// Go's assembler does not know most vector instructions of arm64: a64 writes them
// as words, each with its text beside it, which is also what the pipeline model
// reads. Encodings are those of the Arm Architecture Reference Manual, C7.

// three are the instructions of three registers of four float32 or int32, dst
// first; with Q set.
var three = map[string]uint32{
	"fadd": 0x4e20d400, "fsub": 0x4ea0d400, "fmul": 0x6e20dc00, "fdiv": 0x6e20fc00,
	"fmla": 0x4e20cc00, "fmls": 0x4ea0cc00,
	"fcmeq": 0x4e20e400, "fcmgt": 0x6ea0e400, "fcmge": 0x6e20e400, "fmax": 0x4e20f400, "fmin": 0x4ea0f400,
	"cmgt": 0x4ea03400, "mul": 0x4ea09c00, "add": 0x4ea08400, "sub": 0x6ea08400,
	"trn1": 0x4e802800, "trn2": 0x4e806800, "umax": 0x6ea06400, "smax": 0x4ea06400, "mla": 0x4ea09400,
}

// bitwise are those on whole registers.
var bitwise = map[string]uint32{
	"and": 0x4e201c00, "bic": 0x4e601c00, "orr": 0x4ea01c00, "eor": 0x6e201c00,
	"bsl": 0x6e601c00, "bit": 0x6ea01c00,
}

// doubles3 are those of two float64.
var doubles3 = map[string]uint32{
	"fadd": 0x4e60d400, "fsub": 0x4ee0d400, "fmul": 0x6e60dc00, "fmla": 0x4e60cc00,
	"fcmge": 0x6e60e400, "add": 0x4ee08400, "zip1": 0x4ec03800, "zip2": 0x4ec07800,
}

// reg is the number of a register V3 or R3.
func reg(name string) uint32 {
	n, err := strconv.Atoi(name[1:])
	if err != nil || n > 31 || !strings.ContainsAny(name[:1], "VR") {
		panic("register " + name)
	}
	return uint32(n)
}

// word writes an instruction as its encoding.
func (w *writer) word(code uint32, format string, args ...any) {
	fmt.Fprintf(w, "\tWORD $%#08x // %s\n", code, fmt.Sprintf(format, args...))
}

// v3 is an instruction of three registers of four lanes.
func (w *writer) v3(op, dst, a, b string) {
	d, n, m := reg(dst), reg(a), reg(b)
	if code, ok := bitwise[op]; ok {
		w.word(code|m<<16|n<<5|d, "%s v%d.16b, v%d.16b, v%d.16b", op, d, n, m)
		return
	}
	code, ok := three[op]
	if !ok {
		panic("instruction " + op)
	}
	w.word(code|m<<16|n<<5|d, "%s v%d.4s, v%d.4s, v%d.4s", op, d, n, m)
}

// d3 is an instruction of three registers of two float64.
func (w *writer) d3(op, dst, a, b string) {
	d, n, m := reg(dst), reg(a), reg(b)
	code, ok := doubles3[op]
	if !ok {
		panic("instruction " + op)
	}
	w.word(code|m<<16|n<<5|d, "%s v%d.2d, v%d.2d, v%d.2d", op, d, n, m)
}

// move copies a register.
func (w *writer) move(dst, src string) {
	if dst != src {
		d, n := reg(dst), reg(src)
		w.word(bitwise["orr"]|n<<16|n<<5|d, "mov v%d.16b, v%d.16b", d, n)
	}
}

// invert writes the bits of src, all turned, to dst.
func (w *writer) invert(dst, src string) {
	w.word(0x6e205800|reg(src)<<5|reg(dst), "mvn v%d.16b, v%d.16b", reg(dst), reg(src))
}

// negative makes a mask of the lanes whose sign bit is set.
func (w *writer) negative(dst, src string) {
	w.word(0x4ea0a800|reg(src)<<5|reg(dst), "cmlt v%d.4s, v%d.4s, #0", reg(dst), reg(src))
}

func (w *writer) shiftLeft(n int, dst, src string) {
	w.word(0x4f005400|uint32(32+n)<<16|reg(src)<<5|reg(dst), "shl v%d.4s, v%d.4s, #%d", reg(dst), reg(src), n)
}

func (w *writer) shiftRight(n int, dst, src string) { // of signed numbers
	w.word(0x4f000400|uint32(64-n)<<16|reg(src)<<5|reg(dst), "sshr v%d.4s, v%d.4s, #%d", reg(dst), reg(src), n)
}

// fmlaLane adds a times lane 0 of b to dst.
func (w *writer) fmlaLane(dst, a, b string) {
	m := reg(b)
	w.word(0x4f801000|m&15<<16|m>>4<<20|reg(a)<<5|reg(dst), "fmla v%d.4s, v%d.4s, v%d.s[0]", reg(dst), reg(a), m)
}

// sdotLane adds to each of four sums in dst the products of four signed bytes of a
// with a lane of b.
func (w *writer) sdotLane(dst, a, b string, lane int) {
	m, l := reg(b), uint32(lane)
	w.word(0x4f80e000|l&1<<21|l>>1<<11|m&15<<16|m>>4<<20|reg(a)<<5|reg(dst), "sdot v%d.4s, v%d.16b, v%d.4b[%d]", reg(dst), reg(a), m, lane)
}

// widen makes four float32 of four bfloat16, of the upper half of src or the lower.
func (w *writer) widen(dst, src string, upper bool) {
	if upper {
		w.word(0x6e613800|reg(src)<<5|reg(dst), "shll2 v%d.4s, v%d.8h, #16", reg(dst), reg(src))
		return
	}
	w.word(0x2e613800|reg(src)<<5|reg(dst), "shll v%d.4s, v%d.4h, #16", reg(dst), reg(src))
}

// toFloat makes float32 of int32.
func (w *writer) toFloat(dst, src string) {
	w.word(0x4e21d800|reg(src)<<5|reg(dst), "scvtf v%d.4s, v%d.4s", reg(dst), reg(src))
}

// narrow keeps the lower half of each of four int32, or of eight int16, in the lower
// or upper half of dst.
func (w *writer) narrow(words, upper bool, dst, src string) {
	code, text := uint32(0x0e212800), "xtn v%d.8b, v%d.8h"
	if words {
		code, text = 0x0e612800, "xtn v%d.4h, v%d.4s"
	}
	if upper {
		code |= 1 << 30
		text = map[bool]string{true: "xtn2 v%d.8h, v%d.4s", false: "xtn2 v%d.16b, v%d.8h"}[words]
	}
	w.word(code|reg(src)<<5|reg(dst), text, reg(dst), reg(src))
}

// nearest makes int32 of float32, rounded to the nearest, halves to the even one.
func (w *writer) nearest(dst, src string) {
	w.word(0x4e21a800|reg(src)<<5|reg(dst), "fcvtns v%d.4s, v%d.4s", reg(dst), reg(src))
}

// saturate is narrow to the bounds of unsigned numbers: of signed int32, or of unsigned
// int16.
func (w *writer) saturate(words, upper bool, dst, src string) {
	code, text := uint32(0x2e214800), "uqxtn v%d.8b, v%d.8h"
	if words {
		code, text = 0x2e612800, "sqxtun v%d.4h, v%d.4s"
	}
	if upper {
		code |= 1 << 30
		text = map[bool]string{true: "sqxtun2 v%d.8h, v%d.4s", false: "uqxtn2 v%d.16b, v%d.8h"}[words]
	}
	w.word(code|reg(src)<<5|reg(dst), text, reg(dst), reg(src))
}

// ldrq and strq move 16 bytes at off, a multiple of 16.
func (w *writer) ldrq(dst, base string, off int) {
	w.word(0x3dc00000|scaled(off, 16)<<10|reg(base)<<5|reg(dst), "ldr q%d, [x%d, #%d]", reg(dst), reg(base), off)
}

func (w *writer) strq(src, base string, off int) {
	w.word(0x3d800000|scaled(off, 16)<<10|reg(base)<<5|reg(src), "str q%d, [x%d, #%d]", reg(src), reg(base), off)
}

// ldpq loads two registers from off and off+16.
func (w *writer) ldpq(a, b, base string, off int) {
	if off > 1008 {
		panic(off)
	}
	w.word(0xad400000|scaled(off, 16)<<15|reg(b)<<10|reg(base)<<5|reg(a), "ldp q%d, q%d, [x%d, #%d]", reg(a), reg(b), reg(base), off)
}

// ldrs loads one float32 into lane 0 and clears the others.
func (w *writer) ldrs(dst, base string, off int) {
	w.word(0xbd400000|scaled(off, 4)<<10|reg(base)<<5|reg(dst), "ldr s%d, [x%d, #%d]", reg(dst), reg(base), off)
}

func (w *writer) strs(src, base string, off int) {
	w.word(0xbd000000|scaled(off, 4)<<10|reg(base)<<5|reg(src), "str s%d, [x%d, #%d]", reg(src), reg(base), off)
}

// ldrsAt loads one float32 from base plus index.
func (w *writer) ldrsAt(dst, base, index string) {
	w.word(0xbc606800|reg(index)<<16|reg(base)<<5|reg(dst), "ldr s%d, [x%d, x%d]", reg(dst), reg(base), reg(index))
}

// ldLane and stLane move one lane.
func (w *writer) ldLane(dst string, lane int, base string) {
	w.word(0x0d408000|uint32(lane>>1)<<30|uint32(lane&1)<<12|reg(base)<<5|reg(dst), "ld1 {v%d.s}[%d], [x%d]", reg(dst), lane, reg(base))
}

func (w *writer) stLane(src string, lane int, base string) {
	w.word(0x0d008000|uint32(lane>>1)<<30|uint32(lane&1)<<12|reg(base)<<5|reg(src), "st1 {v%d.s}[%d], [x%d]", reg(src), lane, reg(base))
}

// broadcast loads one float32 into all lanes.
func (w *writer) broadcast(dst, base string) {
	w.word(0x4d40c800|reg(base)<<5|reg(dst), "ld1r {v%d.4s}, [x%d]", reg(dst), reg(base))
}

// broadcast2 loads one float64 into both lanes.
func (w *writer) broadcast2(dst, base string) {
	w.word(0x4d40cc00|reg(base)<<5|reg(dst), "ld1r {v%d.2d}, [x%d]", reg(dst), reg(base))
}

// ldrqAt loads 16 bytes from base plus index.
func (w *writer) ldrqAt(dst, base, index string) {
	w.word(0x3ce06800|reg(index)<<16|reg(base)<<5|reg(dst), "ldr q%d, [x%d, x%d]", reg(dst), reg(base), reg(index))
}

func scaled(off, by int) uint32 {
	if off < 0 || off%by != 0 || off/by > 4095 {
		panic(fmt.Sprint("offset ", off))
	}
	return uint32(off / by)
}

// Instructions that Go's assembler knows, with their text for the pipeline model.
// Go's operands stand source first.

func (w *writer) scalar(gnu, format string, args ...any) {
	fmt.Fprintf(w, "\t%s // %s\n", fmt.Sprintf(format, args...), gnu)
}

func (w *writer) addr(dst, a, b string) {
	w.scalar(fmt.Sprintf("add x%d, x%d, x%d", reg(dst), reg(a), reg(b)), "ADD %s, %s, %s", b, a, dst)
}

func (w *writer) addi(dst, a string, n int) {
	w.scalar(fmt.Sprintf("add x%d, x%d, #%d", reg(dst), reg(a), n), "ADD $%d, %s, %s", n, a, dst)
}

func (w *writer) countDown(r, label string) {
	w.scalar(fmt.Sprintf("subs x%d, x%d, #1", reg(r), reg(r)), "SUBS $1, %s", r)
	w.scalar("b.ne "+label, "BNE %s", label)
}
