package graph

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit/levels"
)

// drawnBytes are integers of 8 bits, many of them at the ends of their range.
func drawnBytes(r *rand.Rand, typ Type, shape ...int) Value {
	v := must(New(typ, shape...))
	for i := range v.bytes() {
		v.bytes()[i] = byte(r.Uint32())
		if r.IntN(3) == 0 {
			v.bytes()[i] = []byte{0, 127, 128, 255}[r.IntN(4)]
		}
	}
	return v
}

// TestIntegerProducts: MatMulInteger and ConvInteger are sums of 64-bit integers, for
// both signs of both sides, zero points of every form, sizes on both sides of what
// the kernels take at once, with constant weights and with others, at every level.
func TestIntegerProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for trial := range 120 {
		ta, tb := []Type{U8, I8}[r.IntN(2)], []Type{U8, I8}[r.IntN(2)]
		m, k, n := 1+r.IntN(5), 1+r.IntN(300), 1+r.IntN(90)
		conv := trial%3 == 0
		shapeA, shapeB := []int{m, k}, []int{k, n}
		if conv { // [2, 4, h, w] with [6, 2, 3, 2], in two groups
			m, k, n = 1, 12, 6
			shapeA, shapeB = []int{2, 4, 3 + r.IntN(20), 2 + r.IntN(40)}, []int{6, 2, 3, 2}
		}
		za := drawnBytes(r, ta, [][]int{{}, {1}, {m}}[r.IntN(3)]...)
		zb := drawnBytes(r, tb, [][]int{{}, {1}, {n}}[r.IntN(3)]...)
		a, w := drawnBytes(r, ta, shapeA...), drawnBytes(r, tb, shapeB...)
		var b Builder
		x := b.Input("a", ta, fixedDims(shapeA)...)
		inputs, fixed := []Value{a}, r.IntN(2) == 0
		weights := ""
		if fixed {
			weights = b.Constant("w", w)
		} else {
			weights, inputs = b.Input("w", tb, fixedDims(shapeB)...), append(inputs, w)
		}
		op, attrs := "MatMulInteger", Attrs(nil)
		if conv {
			op, attrs = "ConvInteger", Attrs{"group": int64(2), "pads": []int64{1, 0, 0, 1}, "strides": []int64{1, 2}}
		}
		args := []string{x, weights}
		if withZeros := r.IntN(4) > 0; withZeros {
			args = append(args, b.Constant("za", za), b.Constant("zb", zb))
		} else {
			za, zb = must(New(ta)), must(New(tb))
		}
		b.Output("y", I32, b.Op(op, attrs, args...))
		want := plainMatMul(a, w, za, zb, m, k, n)
		if conv {
			want = plainConv(a, w, za, zb)
		}
		levels.Each(func(level string) {
			p, out := compiled(t, &b, Limits{}), make([]Value, 1)
			for range 2 { // in fresh memory and in used memory
				if err := p.Run(inputs, out); err != nil {
					t.Fatal(err)
				}
				if got := Data[int32](out[0]); !slices.Equal(got, want) {
					t.Fatalf("%s, trial %d: %s %s %s, constant %v: %v, want %v", level, trial, op, ta, tb, fixed, head(got), head(want))
				}
			}
		})
	}
}

func head(x []int32) string { return fmt.Sprint(x[:min(8, len(x))]) }

func fixedDims(shape []int) (d []Dim) {
	for _, n := range shape {
		d = append(d, Dim{Size: n})
	}
	return d
}

func plainMatMul(a, w, za, zb Value, m, k, n int) (y []int32) {
	for i := range m {
		for j := range n {
			sum := int64(0)
			for s := range k {
				sum += int64(integer(&a, i*k+s)-zeroOf(&za, i, m)) * int64(integer(&w, s*n+j)-zeroOf(&zb, j, n))
			}
			y = append(y, int32(sum))
		}
	}
	return y
}

// plainConv is that of the test's one form: two groups, one row of padding above,
// one column to the right, steps of 1 and 2.
func plainConv(a, w, za, zb Value) (y []int32) {
	h, wide := a.Shape[2], a.Shape[3]
	for n := range 2 {
		for m := range 6 {
			for i := range h + 1 - 3 + 1 {
				for j := range (wide+1-2)/2 + 1 {
					sum := int64(0)
					for c := range 2 {
						for ki := range 3 {
							for kj := range 2 {
								row, col := i+ki-1, 2*j+kj
								if row < 0 || row >= h || col >= wide {
									continue
								}
								x := integer(&a, ((n*4+m/3*2+c)*h+row)*wide+col) - zeroOf(&za, 0, 1)
								sum += int64(x) * int64(integer(&w, ((m*2+c)*3+ki)*2+kj)-zeroOf(&zb, m, 6))
							}
						}
					}
					y = append(y, int32(sum))
				}
			}
		}
	}
	return y
}
