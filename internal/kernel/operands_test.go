package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// opCase is one call of a fused operation, its operands at the border of forbidden
// memory and not one element longer than the table says.
type opCase struct {
	t    *testing.T
	op   Op
	g    Gates
	rows []Rows[float32]
}

func newOpCase(t *testing.T, op Op, g Gates, seed uint64) *opCase {
	c := &opCase{t: t, op: op, g: g}
	s := source{Rand: rand.New(rand.NewPCG(seed, 3))}
	for i := range fusedOps[op].operands {
		last := fusedOps[op].operands[i].last(&g)
		x := Rows[float32]{Row: last + 1}
		x.Data = testkit.AtBorder[float32](t, (fusedOps[op].operands[i].rows(&g)-1)*x.Row+last, false)
		s.fill(x.Data)
		c.rows = append(c.rows, x)
	}
	return c
}

// touched reports whether the table says that the operation does a to element j
// of a row of operand i.
func (c *opCase) touched(i, j int, a access) bool {
	o := &fusedOps[c.op].operands[i]
	if o.access&a == 0 || o.recorded && !c.g.Record {
		return false
	}
	for gate := range o.gates {
		if from := gate * c.g.Gate; j >= from && j < from+o.width(c.g.N) {
			return true
		}
	}
	return false
}

// TestOperandsAreWhatRoutinesTouch: a routine touches no element beyond what the
// table of operands says, writes what it says and nothing else, and does not read
// what is only written. Bounds and the race detector rest on that table.
func TestOperandsAreWhatRoutinesTouch(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		atLevel(t, level, func() {
			for op := NoFused + 1; op < numOps; op++ {
				for _, n := range []int{1, 7, 8, 13, Lane} {
					for _, record := range []bool{false, true} {
						g := Gates{M: 3, N: n, Gate: n + 2, Record: record, Constants: [4]float32{0.5, 0.25, -3, 3}}
						t.Run(fmt.Sprint(fusedOps[op].name, n, record), func(t *testing.T) { touches(t, op, g) })
					}
				}
			}
		})
	})
}

func touches(t *testing.T, op Op, g Gates) {
	c, before := newOpCase(t, op, g, 1), newOpCase(t, op, g, 1)
	if !Fused(op, g, c.rows...) {
		t.Fatal("no routine")
	}
	for i, x := range c.rows {
		o := fusedOps[op].operands[i]
		for at, v := range x.Data {
			r, j := at/x.Row, at%x.Row
			changed, writes := v != before.rows[i].Data[at], c.touched(i, j, writes)
			// A panel of fewer units leaves its other lanes alone.
			if changed != writes && (changed || o.panel == 0 || j%Lane < g.N) {
				t.Fatalf("%s, row %d, element %d: changed %v, the table says %v", o.name, r, j, changed, writes)
			}
		}
	}

	// Other numbers where it only writes make no difference.
	again := newOpCase(t, op, g, 1)
	for i, x := range again.rows {
		for at := range x.Data {
			if !again.touched(i, at%x.Row, reads) {
				x.Data[at] = 17
			}
		}
	}
	Fused(op, g, again.rows...)
	for i, x := range again.rows {
		o := fusedOps[op].operands[i]
		for at, v := range x.Data {
			if j := at % x.Row; again.touched(i, j, writes) && (o.panel == 0 || j%Lane < g.N) && v != c.rows[i].Data[at] {
				t.Fatalf("%s, element %d depends on memory that is only written", o.name, at)
			}
		}
	}
}

// TestFusedChecksBounds: an operand one element too short is refused before
// assembly runs.
func TestFusedChecksBounds(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		atLevel(t, level, func() {
			for op := NoFused + 1; op < numOps; op++ {
				g := Gates{M: 2, N: 5, Gate: 9, Record: true}
				for i, o := range fusedOps[op].operands {
					c := newOpCase(t, op, g, 2)
					rows := slices.Clone(c.rows)
					rows[i].Data = rows[i].Data[1:]
					func() {
						defer func() {
							if recover() == nil {
								t.Errorf("%s: a short %s was accepted", fusedOps[op].name, o.name)
							}
						}()
						Fused(op, g, rows...)
					}()
				}
			}
		})
	})
}

// TestNoFusedIsRefused: an operation without a routine says so.
func TestNoFusedIsRefused(t *testing.T) {
	for _, level := range Levels() {
		atLevel(t, level, func() {
			x := Rows[float32]{make([]float32, 4), 4}
			if Fused(NoFused, Gates{M: 1, N: 4}, x, x) || CanChain[float32](NoChain, 4) {
				t.Errorf("%s: an operation without a routine ran", level)
			}
			if y := (Rows[float64]{make([]float64, 4), 4}); Fused(TanhForward, Gates{M: 1, N: 4}, y, y) {
				t.Errorf("%s: float64 has no routines", level)
			}
		})
	}
}
