package main

import (
	"strings"
)

// A row of a gate is a chain of some hundred cycles, longer than what a processor
// looks ahead. Where there are registers for two rows, their instructions stand in
// turns, so that one row computes while the other waits.

// twoRows reports whether the instruction set has registers for two rows.
func (v *vec) twoRows() bool { return v.s.lanes == 16 }

// spare are registers for the pointers of a second row, beside pointers. R11 and R12
// hold the distances of gates, which a routine that is paired does not have.
var spare = []string{"R11", "R12", "R13", "R15", "R14", "R10"}

// pairwise is rowwise of an operation without gates of a gradient, two rows at a
// time where there are registers.
func (v *vec) pairwise(op string, ptrs int, body func(p []string)) {
	v.rowsOf(op, ptrs, 0, v.twoRows(), func(p, _ []string) { body(p) })
}

// pair writes the loop over pairs of rows. DX counts rows; it leaves the last one of
// an odd number.
func (v *vec) pair(label string, ptrs int, body func(p, k []string)) {
	second := append([]string{}, spare[:ptrs]...)
	v.op("SUBQ", 2, "DX")
	v.jump("JLT", label+"odd")
	v.align()
	v.label(label + "two")
	for i, p := range pointers[:ptrs] {
		v.op("MOVQ", gateStride(i), second[i])
		v.op("ADDQ", p, second[i])
	}
	a := v.captured("K2", func() { body(pointers[:ptrs], nil) })
	held := v.holdAll(a)
	b := v.captured("K3", func() { body(second, nil) })
	v.put(held...)
	for i := range a {
		v.WriteString(a[i])
		v.WriteString(b[i])
	}
	for i, p := range pointers[:ptrs] {
		v.op("MOVQ", gateStride(i), second[i])
		v.op("LEAQ", "("+p+")("+second[i]+"*2)", p)
	}
	v.op("SUBQ", 2, "DX")
	v.jump("JGE", label+"two")
	v.label(label + "odd")
	v.op("ADDQ", 2, "DX")
}

// captured returns what f writes, in pieces: a line, or all lines from a branch to
// its label, which must stand together.
func (v *vec) captured(k string, f func()) []string {
	before := append([]byte{}, v.Bytes()...)
	v.Reset()
	mask := v.k
	v.k = k
	f()
	v.k = mask
	lines := strings.SplitAfter(v.String(), "\n")
	v.Reset()
	v.Write(before)
	var all []string
	branch := ""
	for _, line := range lines {
		switch {
		case line == "":
			continue
		case branch == "" && strings.HasPrefix(line, "\tCMPQ "):
			branch = line
			continue
		case branch != "":
			if branch += line; !strings.HasPrefix(line, "\t") {
				all = append(all, branch)
				branch = ""
			}
			continue
		}
		all = append(all, line)
	}
	return all
}

// holdAll takes the registers that lines name from the pool.
func (v *vec) holdAll(lines []string) []string {
	text := strings.Join(lines, "")
	var held []string
	var free []int
	for _, i := range v.free {
		if name := v.s.r(i); strings.Contains(text, name+",") || strings.Contains(text, name+"\n") {
			held = append(held, name)
			continue
		}
		free = append(free, i)
	}
	v.free = free
	return held
}
