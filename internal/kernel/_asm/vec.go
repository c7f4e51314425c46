package main

import (
	"fmt"
	"math"
	"sort"
)

// vec writes vector code that is the same for both instruction sets: it hands
// out registers and keeps the constants of a file.
type vec struct {
	*writer
	s      isa
	free   []int
	consts map[string]uint32 // name of a constant and its bits
	k      string            // a mask register for an activation
	masked bool              // the routine works on the first lanes only
	labels int
	single string   // the operand of a routine with one number a row
	ops    []string // the operations whose routines are written

	order      []string // of the constants, and
	constTable string   // their table, on arm64
}

func newVec(w *writer, s isa) *vec {
	v := &vec{writer: w, s: s, consts: map[string]uint32{}, k: "K2"}
	for i := s.regs - 2; i >= 0; i-- { // the last one is the mask of AVX2
		v.free = append(v.free, i)
	}
	return v
}

// get takes a register from the pool, put gives some back.
func (v *vec) get() string {
	i := v.free[len(v.free)-1]
	v.free = v.free[:len(v.free)-1]
	return v.s.r(i)
}

func (v *vec) put(regs ...string) {
	for _, r := range regs {
		var i int
		if _, err := fmt.Sscanf(r[1:], "%d", &i); err != nil {
			panic(err)
		}
		v.free = append(v.free, i)
	}
	seen := map[int]bool{}
	for _, i := range v.free {
		if seen[i] {
			panic(fmt.Sprint("given back twice: ", i))
		}
		seen[i] = true
	}
}

// constant is an operand that stands for a value in all lanes.
type constant string

func (v *vec) float(x float32) constant { return v.bits(math.Float32bits(x)) }
func (v *vec) bits(b uint32) constant {
	name := fmt.Sprintf("c%08x%s<>", b, v.s.name)
	v.consts[name] = b
	return constant(name + "(SB)")
}

// do writes an instruction one of whose operands may be a constant.
func (v *vec) do(op string, operands ...any) {
	for i, o := range operands {
		if c, ok := o.(constant); ok {
			operands[i] = string(c)
			if v.s.lanes == 16 {
				op += ".BCST"
			}
		}
	}
	v.op(op, operands...)
}

// set loads a constant into a register.
func (v *vec) set(c constant, to string) {
	if v.s.lanes == 16 {
		v.op("VBROADCASTSS", string(c), to)
	} else {
		v.op("VMOVUPS", string(c), to)
	}
}

// load and store move a vector; in a masked routine only its first lanes.
func (v *vec) load(from, to string) {
	switch {
	case v.s.lanes == 4:
		v.loadNEON(from, to)
	case !v.masked:
		v.op("VMOVUPS", from, to)
	case v.s.lanes == 16:
		v.op("VMOVUPS.Z", from, "K1", to)
	default:
		v.op("VMASKMOVPS", from, v.maskReg(), to)
	}
}

func (v *vec) store(from, to string) {
	switch {
	case v.s.lanes == 4:
		v.storeNEON(from, to)
	case !v.masked:
		v.op("VMOVUPS", from, to)
	case v.s.lanes == 16:
		v.op("VMOVUPS", from, "K1", to)
	default:
		v.op("VMASKMOVPS", from, v.maskReg(), to)
	}
}

func (v *vec) maskReg() string { return v.s.r(v.s.regs - 1) }

// maskTable is 8 full lanes and 8 empty ones: the mask of n lanes starts at
// 4*(8-n).
func (v *vec) maskTable() string { return "lanes" + v.s.name + "<>" }

// newLabel returns a label that is unique in its routine.
func (v *vec) newLabel(s string) string {
	v.labels++
	return fmt.Sprintf("%s%d", s, v.labels)
}

// tables writes the constants; call it last.
func (v *vec) tables() {
	if v.s.lanes == 4 {
		v.tablesNEON(v.constTable)
		return
	}
	var names []string
	for n := range v.consts {
		names = append(names, n)
	}
	sort.Strings(names)
	size := 4
	if v.s.lanes == 8 {
		size = 32
	}
	for _, n := range names {
		fmt.Fprintln(v)
		for i := 0; i < size; i += 4 {
			fmt.Fprintf(v, "DATA %s+%d(SB)/4, $%#x\n", n, i, v.consts[n])
		}
		fmt.Fprintf(v, "GLOBL %s(SB), RODATA|NOPTR, $%d\n", n, size)
	}
	if v.s.lanes == 8 {
		fmt.Fprintln(v)
		for i := range 16 {
			fmt.Fprintf(v, "DATA %s+%d(SB)/4, $%d\n", v.maskTable(), 4*i, map[bool]int{true: -1}[i < 8])
		}
		fmt.Fprintf(v, "GLOBL %s(SB), RODATA|NOPTR, $64\n", v.maskTable())
	}
}
