package cell

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
)

// cells are all of them, with the equations of one unit as scalars: z are the
// sums of the gates, the last one split into the input's part x and the
// recurrent part where the cell keeps it apart.
var cells = []struct {
	name  string
	cell  Cell[float64]
	gates []string
	unit  func(z []float64, x, hp, cp float64) (h, c float64)
}{
	{"tanh", Tanh[float64]{}, []string{"h"}, func(z []float64, _, _, _ float64) (float64, float64) {
		return math.Tanh(z[0]), 0
	}},
	{"relu", ReLU[float64]{}, []string{"h"}, func(z []float64, _, _, _ float64) (float64, float64) {
		return max(0, z[0]), 0
	}},
	{"lstm", LSTM[float64]{}, []string{"i", "f", "g", "o"}, func(z []float64, _, _, cp float64) (float64, float64) {
		c := sigmoid(z[1])*cp + sigmoid(z[0])*math.Tanh(z[2])
		return sigmoid(z[3]) * math.Tanh(c), c
	}},
	{"gru", GRU[float64]{}, []string{"r", "z", "n"}, func(z []float64, x, hp, _ float64) (float64, float64) {
		n := math.Tanh(x + sigmoid(z[0])*z[2])
		return (1-sigmoid(z[1]))*n + sigmoid(z[1])*hp, 0
	}},
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// bench is one panel of m rows and n units in guarded memory, whose rows are
// longer than they need to be.
type bench struct {
	m, n, g               int
	z, x, apart           *testkit.Guard[float64] // [m, g*Lane+1], [m, Lane+1]
	hp, cp, c, h          *testkit.Guard[float64] // [m, n+2]
	dh, dc, dx, dz        *testkit.Guard[float64]
	row, wide, gate, gout int
}

func newBench(m, n, g int, seed uint64) *bench {
	b := &bench{m: m, n: n, g: g, row: n + 2, wide: g*kernel.Lane + 1, gate: n + 1}
	b.gout = g * b.gate
	draw := rng.New(seed)
	guard := func(size int) *testkit.Guard[float64] {
		d := testkit.NewGuard[float64](size, 1)
		rng.Randn(draw, d.Data)
		return d
	}
	b.z, b.x, b.apart = guard(m*b.wide), guard(m*b.wide), guard(m*(kernel.Lane+1))
	b.hp, b.cp, b.c, b.h = guard(m*b.row), guard(m*b.row), guard(m*b.row), guard(m*b.row)
	b.dh, b.dc, b.dx, b.dz = guard(m*b.row), guard(m*b.row), guard(m*b.gout), guard(m*b.gout)
	return b
}

func (b *bench) check(t *testing.T) {
	t.Helper()
	for _, g := range []*testkit.Guard[float64]{b.z, b.x, b.apart, b.hp, b.cp, b.c, b.h, b.dh, b.dc, b.dx, b.dz} {
		g.Check(t, "panel memory")
	}
}

// sums returns the gates' sums of a unit.
func (b *bench) sums(r, j int) []float64 {
	z := make([]float64, b.g)
	for k := range z {
		z[k] = b.z.Data[r*b.wide+k*kernel.Lane+j]
	}
	return z
}

// Each cell's step is its equations, and its backward step the slopes of them:
// central differences by every sum and every state, of the loss that weighs h
// by dh and c by dc.
func TestStepsAreTheEquations(t *testing.T) {
	for _, c := range cells {
		for _, n := range []int{1, 5, kernel.Lane} {
			t.Run(fmt.Sprint(c.name, n), func(t *testing.T) {
				b := newBench(3, n, len(c.gates), uint64(n))
				copy(b.c.Data, b.cp.Data)
				x0 := append([]float64{}, b.x.Data...) // the activated gates are written over it
				rows := func(g *testkit.Guard[float64], row int) kernel.Rows[float64] {
					return kernel.Rows[float64]{Data: g.Data, Row: row}
				}
				step := &Step[float64]{
					Gates: kernel.Gates{M: b.m, N: n, Gate: b.gate, Record: true},
					Z:     rows(b.z, b.wide), X: rows(b.x, b.wide), Apart: rows(b.apart, kernel.Lane+1),
					HPrev: rows(b.hp, b.row), C: rows(b.c, b.row), H: rows(b.h, b.row),
				}
				c.cell.Forward(step)
				b.check(t)
				dh0, dc0 := append([]float64{}, b.dh.Data...), append([]float64{}, b.dc.Data...)
				step.CPrev, step.DH, step.DC = rows(b.cp, b.row), rows(b.dh, b.row), rows(b.dc, b.row)
				step.DX, step.DZ = rows(b.dx, b.gout), rows(b.dx, b.gout)
				if c.cell.Traits().Apart {
					step.DZ = rows(b.dz, b.gout)
				}
				c.cell.Backward(step)
				b.check(t)
				for r := range b.m {
					for j := range n {
						z, at := b.sums(r, j), r*b.row+j
						in := x0[r*b.wide+(b.g-1)*kernel.Lane+j]
						v := append(z, in, b.hp.Data[at], b.cp.Data[at])
						unit := func() (float64, float64) { return c.unit(v[:b.g], v[b.g], v[b.g+1], v[b.g+2]) }
						h, cell := unit()
						if !c.cell.Traits().CellState {
							cell = b.c.Data[at]
						}
						testkit.Close(t, "h and c", []float64{b.h.Data[at], b.c.Data[at]}, []float64{h, cell}, testkit.Tol{Abs: 1e-14})
						loss := func() float64 {
							h, cell := unit()
							return dh0[at]*h + dc0[at]*cell
						}
						grad := make([]float64, len(v))
						for k := range b.g {
							grad[k] = step.DZ.Data[r*b.gout+k*b.gate+j]
						}
						if c.cell.Traits().Apart {
							grad[b.g] = b.dx.Data[r*b.gout+(b.g-1)*b.gate+j]
						}
						if !c.cell.Traits().Indirect {
							grad[b.g+1] = b.dh.Data[at]
						} else if b.dh.Data[at] != dh0[at] {
							t.Errorf("DH was %v and is %v", dh0[at], b.dh.Data[at])
						}
						if c.cell.Traits().CellState {
							grad[b.g+2] = b.dc.Data[at]
						}
						testkit.Gradient(t, c.name, loss, v, grad)
					}
				}
			})
		}
	}
}

// The table says of each cell what torch.nn, ONNX and Keras do.
func TestKindsTellWhatTheyAre(t *testing.T) {
	want := map[string]string{
		"RNN_TANH": "[h] RNN {1 false false false false true 0} RNN [h] SimpleRNN [h]",
		"RNN_RELU": "[h] RNN {1 false false false false true 0} RNN [h] SimpleRNN [h]",
		"LSTM":     "[i f g o] LSTM {4 true false true false true 0} LSTM [i o f g] LSTM [i f g o]",
		"GRU":      "[r z n] GRU {3 false true true false false 0} GRU [z r n] GRU [z r n]",
	}
	if len(Kinds()) != len(want) {
		t.Errorf("%d cells, want %d", len(Kinds()), len(want))
	}
	for _, k := range Kinds() {
		order := func(o Outside) (names []string) {
			for _, g := range o.Order {
				names = append(names, k.Gates[g].Name)
			}
			return names
		}
		got := fmt.Sprint(k.GateNames(), k.Class, k.Traits, k.ONNX.Name, order(k.ONNX), k.Keras.Name, order(k.Keras))
		if strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want[k.Name], " ", "") {
			t.Errorf("%s is %s, want %s", k.Name, got, want[k.Name])
		}
		if k.Traits.Gates != len(k.Gates) || Of[float32](k, Settings{}).Traits() != k.Traits || Of[float64](k, Settings{}).Traits() != k.Traits {
			t.Errorf("%s: traits of table and arithmetic differ", k.Name)
		}
		for _, f := range k.Functions {
			if _, ok := functions[f]; !ok {
				t.Errorf("%s: no function %s", k.Name, f)
			}
		}
	}
	if got := Names(); got != "RNN_TANH, RNN_RELU, LSTM or GRU" {
		t.Errorf("names: %s", got)
	}
}
