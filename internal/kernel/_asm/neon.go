package main

import (
	"fmt"
	"strings"
)

// neon is arm64's: four lanes, no masks. What gates compute is written once, in
// AVX2's instructions (gates.go, activation.go, backward.go, units.go); lower
// turns those into arm64's. Registers of Go's assembler are called V and R.
var neon = isa{name: "NEON", reg: "V", lanes: 4, regs: 29}

// Registers of a lowered routine beside the pool: three vectors, the table of
// constants, and one for addresses.
const (
	tmpA, tmpB, tmpC = "V29", "V30", "V31"
	constBase        = "R14"
	addrTmp          = "R16"
	laneCount        = "R13" // lanes of a part, 1 to 3
)

// op writes an instruction, or its like on arm64.
func (v *vec) op(name string, operands ...any) {
	if v.s.lanes != 4 {
		v.writer.op(name, operands...)
		return
	}
	args := make([]string, len(operands))
	for i, o := range operands {
		if n, ok := o.(int); ok {
			args[i] = fmt.Sprint(n)
			continue
		}
		args[i] = fmt.Sprint(o)
	}
	v.lower(name, args)
}

// source returns a register with an operand: a constant's, loaded, or its own.
func (v *vec) source(o string) string {
	if strings.HasPrefix(o, "V") {
		return o
	}
	v.ldrq(tmpC, constBase, v.constOffset(o))
	return tmpC
}

// constOffset is the place of a constant in the table.
func (v *vec) constOffset(name string) int {
	name = strings.TrimSuffix(name, "(SB)")
	for i, n := range v.order {
		if n == name {
			return 16 * i
		}
	}
	v.order = append(v.order, name)
	return 16 * (len(v.order) - 1)
}

// simple are AVX2's instructions with one like them: (b, a, dst) is dst = a op b.
var simple = map[string]string{
	"VADDPS": "fadd", "VSUBPS": "fsub", "VMULPS": "fmul", "VDIVPS": "fdiv",
	"VPADDD": "add", "VPSUBD": "sub", "VPCMPGTD": "cmgt", "VPMULLD": "mul",
	"VORPS": "orr", "VANDPS": "and", "VXORPS": "eor",
}

// lower writes what an instruction of AVX2 does, operands in Go's order.
func (v *vec) lower(name string, o []string) {
	if op, ok := simple[name]; ok {
		v.v3(op, o[2], o[1], v.source(o[0]))
		return
	}
	switch name {
	case "VMOVAPS", "VMOVUPS":
		v.move(o[1], v.source(o[0]))
	case "VFMADD231PS": // c += a*b
		v.v3("fmla", o[2], o[1], v.source(o[0]))
	case "VFNMADD231PS":
		v.v3("fmls", o[2], o[1], v.source(o[0]))
	case "VFMADD213PS": // c = b*c + a
		from := tmpC
		if strings.HasPrefix(o[0], "V") {
			v.move(tmpC, o[0])
		} else {
			from = v.source(o[0])
		}
		v.v3("fmla", from, o[1], o[2])
		v.move(o[2], from)
	case "VANDNPS": // dst = b and not a, where a is the second operand
		v.v3("bic", o[2], v.source(o[0]), o[1])
	case "VPSLLD":
		v.shiftLeft(number(o[0]), o[2], o[1])
	case "VPSRAD":
		v.shiftRight(number(o[0]), o[2], o[1])
	case "VMINPS", "VMAXPS": // the first source only where it is less, or greater
		second, first := v.source(o[0]), o[1]
		if name == "VMINPS" {
			v.v3("fcmgt", tmpA, second, first)
		} else {
			v.v3("fcmgt", tmpA, first, second)
		}
		v.v3("bsl", tmpA, first, second)
		v.move(o[2], tmpA)
	case "VBLENDVPS": // dst = sign of mask ? b : a, operands mask, b, a, dst
		v.negative(tmpA, o[0])
		v.v3("bsl", tmpA, o[1], o[2])
		v.move(o[3], tmpA)
	case "VCMPPS":
		v.compare(number(o[0]), v.source(o[1]), o[2], o[3])
	default:
		panic("no instruction of arm64 for " + name)
	}
}

// compare makes a mask of the lanes of a that compare so with b.
func (v *vec) compare(how int, b, a, dst string) {
	switch how {
	case 0x11: // less
		v.v3("fcmgt", dst, b, a)
	case 0x16: // not less or equal
		v.v3("fcmge", dst, b, a)
		v.invert(dst, dst)
	case 0x07: // neither is NaN, of one register with itself
		if a != b {
			panic("two registers")
		}
		v.v3("fcmeq", dst, a, a)
	default:
		panic(how)
	}
}

func number(s string) int {
	var n int
	if _, err := fmt.Sscanf(s, "%d", &n); err != nil {
		panic(err)
	}
	return n
}

// address returns the base register and displacement of an operand of mem or
// memIndex, whose index it adds first.
func (v *vec) address(s string) (base string, disp int) {
	i := strings.Index(s, "(")
	if i > 0 {
		disp = number(s[:i])
	}
	parts := strings.Split(strings.Trim(s[i:], "()"), ")(")
	if len(parts) == 1 {
		return parts[0], disp
	}
	index, scale, _ := strings.Cut(parts[1], "*")
	shift := map[string]int{"1": 0, "2": 1, "4": 2}[scale]
	fmt.Fprintf(v, "\tADD %s<<%d, %s, %s\n", index, shift, parts[0], addrTmp)
	return addrTmp, disp
}

// loadNEON and storeNEON move a vector, in a masked routine its first lanes.
func (v *vec) loadNEON(from, to string) {
	base, disp := v.address(from)
	if !v.masked {
		v.ldrq(to, base, disp)
		return
	}
	v.ldrs(to, base, disp)
	v.lanes(base, disp, func(lane int) { v.ldLane(to, lane, addrTmp) })
}

func (v *vec) storeNEON(from, to string) {
	base, disp := v.address(to)
	if !v.masked {
		v.strq(from, base, disp)
		return
	}
	v.strs(from, base, disp)
	v.lanes(base, disp, func(lane int) { v.stLane(from, lane, addrTmp) })
}

// lanes does the second and third lane of a part, as far as it has them.
func (v *vec) lanes(base string, disp int, move func(lane int)) {
	done := v.newLabel("lanes")
	for lane := 1; lane <= 2; lane++ {
		fmt.Fprintf(v, "\tCMP $%d, %s\n", lane+1, laneCount)
		v.jump("BLT", done)
		if lane == 1 {
			v.addi(addrTmp, base, disp+4)
		} else {
			v.addi(addrTmp, addrTmp, 4)
		}
		move(lane)
	}
	v.label(done)
}

// tablesNEON writes the constants of the file; call it last.
func (v *vec) tablesNEON(name string) {
	fmt.Fprintln(v)
	for i, n := range v.order {
		for j := range 4 {
			fmt.Fprintf(v, "DATA %s+%d(SB)/4, $%#x\n", name, 16*i+4*j, v.consts[n])
		}
	}
	fmt.Fprintf(v, "GLOBL %s(SB), RODATA|NOPTR, $%d\n", name, 16*len(v.order))
}

// The registers of the row pointers of a routine and of the bytes between rows.
var (
	pointersNEON = []string{"R1", "R2", "R3", "R4", "R5", "R6", "R7"}
	stridesNEON  = []string{"R19", "R20", "R21", "R22", "R23", "R24", "R25"}
)

// fieldNEON and atNEON are field and at where R0 points to the arguments.
func fieldNEON(name string) string { return name + "(R0)" }

func atNEON(array string, i int, elem, name string) string {
	return fmt.Sprintf("(%s+%d*%s__size+%s_%s)(R0)", array, i, elem, elem, name)
}

// text writes a line of Go's assembler.
func (v *vec) line64(format string, args ...any) { fmt.Fprintf(v, "\t"+format+"\n", args...) }

// constNEON loads constant i of the arguments at R0 into all lanes.
func (v *vec) constNEON(to string, i int) {
	v.line64("ADD $(gateArgs_consts+4*%d), R0, %s", i, addrTmp)
	v.broadcast(to, addrTmp)
}

// rowwiseNEON is rowwiseWith for arm64: vectors of lanes are the outer loop.
func (v *vec) rowwiseNEON(op string, ptrs, constants int, body func(p, k []string)) {
	v.beginNEON(op)
	k := make([]string, constants)
	for i := range k {
		k[i] = v.get()
		v.constNEON(k[i], i)
	}
	defer v.put(k...)
	v.line64("MOVD %s, R11", fieldNEON("gateArgs_gate"))
	v.line64("ADD R11<<1, R11, R12") // gates 1, 2 and 3 stand at R11, R11*2 and R12
	v.line64("MOVD %s, R10", fieldNEON("gateArgs_record"))
	for i := range ptrs {
		v.line64("MOVD %s, %s", atNEON("gateArgs_p", i, "gateRows", "ld"), stridesNEON[i])
	}
	v.label("vector")
	for i := range ptrs {
		v.line64("MOVD %s, %s", atNEON("gateArgs_p", i, "gateRows", "p"), pointersNEON[i])
	}
	v.line64("MOVD %s, R8", fieldNEON("gateArgs_m"))
	v.line64("MOVD %s, %s", fieldNEON("gateArgs_n"), laneCount)
	v.line64("CMP $%d, %s", v.s.lanes, laneCount)
	v.jump("BLT", "part")
	loop := func(label string) {
		v.label(label)
		body(pointersNEON[:ptrs], k)
		for i := range ptrs {
			v.addr(pointersNEON[i], pointersNEON[i], stridesNEON[i])
		}
		v.countDown("R8", label)
	}
	loop("full")
	// The pointers do not move beyond the last vector: the garbage collector may
	// see them after the call.
	v.line64("SUB $%d, %s", v.s.lanes, laneCount)
	v.line64("MOVD %s, %s", laneCount, fieldNEON("gateArgs_n"))
	v.line64("CBZ %s, done", laneCount)
	for i := range ptrs {
		if pointersNEON[i] == v.single {
			continue
		}
		p := atNEON("gateArgs_p", i, "gateRows", "p")
		v.line64("MOVD %s, %s", p, addrTmp)
		v.line64("ADD $%d, %s", v.s.bytes(), addrTmp)
		v.line64("MOVD %s, %s", addrTmp, p)
	}
	v.jump("B", "vector")
	v.label("done")
	v.ret()
	v.label("part")
	v.masked = true
	loop("some")
	v.masked = false
	v.ret()
}

// beginNEON begins the routine of an operation, which finds its arguments at R0.
func (v *vec) beginNEON(op string) {
	v.labels = 0
	v.ops = append(v.ops, op)
	v.text(routine(op, v.s.name), "NOSPLIT|NOFRAME", 0, 0)
	v.line64("MOVD $%s(SB), %s", v.constTable, constBase)
}

// columnsNEON is columns for arm64: R1 is the source, R2 the sums, R3 the bytes
// between rows.
func (v *vec) columnsNEON(op string) {
	v.beginNEON(op)
	v.line64("MOVD %s, %s", fieldNEON("gateArgs_n"), laneCount)
	v.line64("MOVD %s, R1", atNEON("gateArgs_p", 0, "gateRows", "p"))
	v.line64("MOVD %s, R2", atNEON("gateArgs_p", 1, "gateRows", "p"))
	v.line64("MOVD %s, R3", atNEON("gateArgs_p", 0, "gateRows", "ld"))
	add := func(label string, vectors int) {
		v.line64("MOVD %s, R8", fieldNEON("gateArgs_m"))
		v.line64("MOVD R1, R4")
		x, y := make([]string, vectors), v.get()
		for i := range x {
			x[i] = v.get()
			v.load(mem("R2", 16*i), x[i])
		}
		v.label(label + "row")
		for i := range x {
			v.load(mem("R4", 16*i), y)
			v.v3("fadd", x[i], x[i], y)
		}
		v.addr("R4", "R4", "R3")
		v.countDown("R8", label+"row")
		for i := range x {
			v.store(x[i], mem("R2", 16*i))
		}
		v.put(x...)
		v.put(y)
	}
	for _, vectors := range []int{8, 1} {
		label := fmt.Sprint("by", vectors)
		v.label(label)
		v.line64("CMP $%d, %s", vectors*4, laneCount)
		v.jump("BLT", label+"end")
		add(label, vectors)
		v.line64("SUBS $%d, %s", vectors*4, laneCount)
		v.jump("BEQ", "done") // no pointer moves beyond the last vector
		v.addi("R1", "R1", 16*vectors)
		v.addi("R2", "R2", 16*vectors)
		v.jump("B", label)
		v.label(label + "end")
	}
	v.masked = true
	add("some", 1)
	v.masked = false
	v.label("done")
	v.ret()
}
